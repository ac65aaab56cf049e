#include "record.h"

#include "array.h"
#include "base/error.h"

enum troupe_err trp_ecs_record_explain(troupe_ecs_entity_t entity)
{
    return TRP_EXPLAIN(
        TROUPE_ERR_NOENT,
        "there is no entity %u, generation %u: it was deleted; check with troupe_ecs_is_alive()",
        (uint32_t)entity,
        (uint32_t)(entity >> 32));
}

enum troupe_err trp_ecs_record_new(
    struct ecs_records *records, struct ecs_table *table, troupe_ecs_entity_t *out_entity)
{
    uint32_t index = records->count;
    if (records->first_free != 0) {
        index = records->first_free - 1;
        records->first_free = records->array[index].row;
    } else {
        struct ecs_record *array = NULL;
        if (index != UINT32_MAX) {
            array =
                trp_ecs_array_grow(records->array, &records->capacity, index + 1, sizeof(*array));
        }
        if (array == NULL) {
            return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for another entity");
        }
        records->array = array;
        records->array[index].generation = 0;
        records->count++;
    }
    struct ecs_record *record = &records->array[index];
    record->generation++;
    record->table = table;
    record->row = 0;
    *out_entity = (troupe_ecs_entity_t)record->generation << 32 | index;
    return TROUPE_OK;
}

void trp_ecs_record_delete(struct ecs_records *records, struct ecs_record *record)
{
    record->table = NULL;
    if (record->generation == UINT32_MAX) {
        return; // never used again: a wrapped generation would make old ids valid
    }
    record->row = records->first_free;
    records->first_free = (uint32_t)(record - records->array) + 1;
}
