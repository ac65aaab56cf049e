/**
 * @file record.h
 * @brief The record of each entity: which table holds it, and in which row.
 *
 * An entity id is the index of its record and the record's generation. A deleted record is used again under
 * the next generation, so an id of a deleted entity never finds another entity.
 */
#ifndef TRP_ECS_RECORD_H
#define TRP_ECS_RECORD_H

#include "base/check.h"
#include "troupe/ecs.h"

#include <stddef.h>
#include <stdint.h>

struct ecs_table;

/** Where an entity is stored. */
struct ecs_record {
    struct ecs_table *table; // NULL: the record is free
    // Of a free record: the next free one, index + 1; 0: none. Of an entity without components: the row of the
    // actor that it will be when deferred changes are applied, + 1; 0: of none.
    uint32_t row;
    uint32_t generation;
};

/** The records of a world, by the lower half of an entity id. */
struct ecs_records {
    struct ecs_record *array;
    uint32_t count;
    uint32_t capacity;
    uint32_t first_free; // index + 1; 0: none
};

/** @return the record of an entity, valid until the next one is made; NULL when the entity is deleted. */
static inline struct ecs_record *trp_ecs_record_find(
    const struct ecs_records *records, troupe_ecs_entity_t entity)
{
    uint32_t index = (uint32_t)entity;
    if (TRP_UNLIKELY(index >= records->count)) {
        return NULL;
    }
    struct ecs_record *record = &records->array[index];
    return record->table != NULL && record->generation == entity >> 32 ? record : NULL;
}

/** Set the error detail for an entity that is deleted. @return TROUPE_ERR_NOENT. */
enum troupe_err trp_ecs_record_explain(troupe_ecs_entity_t entity);

/** Make an entity in row 0 of @p table. @return TROUPE_OK, or TROUPE_ERR_NOMEM. */
enum troupe_err trp_ecs_record_new(
    struct ecs_records *records, struct ecs_table *table, troupe_ecs_entity_t *out_entity);

/** Free the record of an entity that has left its table. */
void trp_ecs_record_delete(struct ecs_records *records, struct ecs_record *record);

#endif
