#include "base/error.h"
#include "change.h"
#include "deferred.h"
#include "world.h"

enum troupe_err troupe_ecs_new(troupe_ecs_t *ecs, troupe_ecs_entity_t *out_entity)
{
    enum troupe_err err = trp_ecs_check(ecs);
    return err == TROUPE_OK ? trp_ecs_record_new(&ecs->records, ecs->graph.empty, out_entity) : err;
}

bool troupe_ecs_is_alive(const troupe_ecs_t *ecs, troupe_ecs_entity_t entity)
{
    return trp_ecs_check(ecs) == TROUPE_OK && trp_ecs_record_find(&ecs->records, entity) != NULL;
}

/** @return whether an entity is an actor's, or will be when deferred changes are applied. */
static bool entity_is_actor(const troupe_ecs_t *ecs, const struct ecs_record *record)
{
    return trp_ecs_column(record->table, TROUPE_ECS_ACTOR) >= 0 ||
           (record->table == ecs->graph.empty && record->row != 0);
}

enum troupe_err troupe_ecs_delete(troupe_ecs_t *ecs, troupe_ecs_entity_t entity)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    const struct ecs_record *record = trp_ecs_record_find(&ecs->records, entity);
    if (record == NULL) {
        return trp_ecs_record_explain(entity);
    }
    if (entity_is_actor(ecs, record)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "entity %u is an actor, and is deleted when that exits: use troupe_stop_actor()",
            (uint32_t)entity);
    }
    if (trp_ecs_defers(ecs)) {
        return trp_ecs_defer(ecs, ECS_COMMAND_DELETE, entity, 0, NULL);
    }
    err = trp_ecs_catch_up(ecs);
    if (err == TROUPE_OK) {
        trp_ecs_delete_now(ecs, entity);
        (void)trp_ecs_apply(ecs); // changes that observers made; without memory they stay deferred
    }
    return err;
}
