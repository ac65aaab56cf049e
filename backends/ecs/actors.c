/*
 * An actor gets an entity when that is first asked for, so that actors without components cost nothing.
 */
#include "actors.h"

#include "array.h"
#include "base/check.h"
#include "base/error.h"
#include "change.h"
#include "deferred.h"
#include "query.h"

#include <string.h>

/** Make room for the entity of an actor's row. @return false: no memory. */
static bool actors_reserve(troupe_ecs_t *ecs, uint32_t row)
{
    uint32_t old_capacity = ecs->actor_capacity;
    troupe_ecs_entity_t *actors =
        trp_ecs_array_grow(ecs->actors, &ecs->actor_capacity, row + 1, sizeof(*actors));
    if (actors == NULL) {
        return false;
    }
    ecs->actors = actors;
    memset(actors + old_capacity, 0, (ecs->actor_capacity - old_capacity) * sizeof(*actors));
    return true;
}

/** Make the entity of an actor. */
static enum troupe_err actors_add(
    troupe_ecs_t *ecs, troupe_ref_t actor, troupe_ecs_entity_t *out_entity)
{
    if (!actors_reserve(ecs, actor.index)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for another entity");
    }
    troupe_ecs_entity_t entity = 0;
    enum troupe_err err = trp_ecs_record_new(&ecs->records, ecs->graph.empty, &entity);
    if (err != TROUPE_OK) {
        return err;
    }
    // Before observers run: one that asks for the actor's entity is to get this one.
    ecs->actors[actor.index] = entity;
    // While something is iterated, queries find it as an actor only when that is over.
    if (trp_ecs_defers(ecs)) {
        struct ecs_record *record = trp_ecs_record_find(&ecs->records, entity);
        TRP_CHECK(record != NULL); // it was made above
        record->row = actor.index + 1;
        err = trp_ecs_defer(ecs, ECS_COMMAND_SET, entity, TROUPE_ECS_ACTOR, &actor);
    } else {
        err = trp_ecs_set_now(ecs, entity, TROUPE_ECS_ACTOR, &actor);
    }
    if (err != TROUPE_OK) {
        ecs->actors[actor.index] = 0;
        trp_ecs_delete_now(ecs, entity);
        return err;
    }
    (void)trp_ecs_apply(ecs); // changes that observers made; without memory they stay deferred
    *out_entity = entity;
    return TROUPE_OK;
}

enum troupe_err troupe_ecs_entity_of(
    troupe_ecs_t *ecs, troupe_ref_t actor, troupe_ecs_entity_t *out_entity)
{
    enum troupe_err err = trp_ecs_check(ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    if (!ecs->host->has_actor(ecs->executor, actor)) {
        char text[TROUPE_REF_TEXT_BYTES];
        return TRP_EXPLAIN(
            TROUPE_ERR_NOENT,
            "there is no actor %s in the world: it lives elsewhere, or has exited",
            troupe_ref_print(actor, text));
    }
    if (actor.index < ecs->actor_capacity &&
        trp_ecs_record_find(&ecs->records, ecs->actors[actor.index]) != NULL) {
        *out_entity = ecs->actors[actor.index];
        return TROUPE_OK;
    }
    return actors_add(ecs, actor, out_entity);
}

troupe_ref_t troupe_ecs_actor_of(const troupe_ecs_t *ecs, troupe_ecs_entity_t entity)
{
    troupe_ref_t actor = TROUPE_REF_NONE;
    if (trp_ecs_check(ecs) != TROUPE_OK) {
        return actor;
    }
    const struct ecs_record *record = trp_ecs_record_find(&ecs->records, entity);
    int32_t index = record == NULL ? -1 : trp_ecs_column(record->table, TROUPE_ECS_ACTOR);
    if (index >= 0) {
        const uint8_t *data = record->table->columns[index].data;
        memcpy(&actor, data + (size_t)record->row * sizeof(actor), sizeof(actor));
    }
    return actor;
}

void trp_ecs_actor_exited(troupe_ecs_t *ecs, uint32_t row)
{
    if (row >= ecs->actor_capacity || ecs->actors[row] == 0) {
        return;
    }
    troupe_ecs_entity_t entity = ecs->actors[row];
    ecs->actors[row] = 0;
    if (trp_ecs_defers(ecs)) { // the main program killed an actor that it found by a query
        if (trp_ecs_defer(ecs, ECS_COMMAND_DELETE, entity, 0, NULL) == TROUPE_OK) {
            return;
        }
        if (ecs->defer.observer_depth != 0) {
            return; // an observer may be running for this entity: it stays, without its actor
        }
        trp_ecs_close_iterations(ecs);
    }
    trp_ecs_delete_now(ecs, entity);
    (void)trp_ecs_apply(ecs);
}
