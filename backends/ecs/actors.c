/*
 * Actors as entities. An actor is made an entity when somebody first asks for it, so that worlds of actors
 * without components pay nothing.
 */
#include "store.h"
#include "troupe/context.h"

#include <stdlib.h>
#include <string.h>

/** Have room for the entity of an actor's row. @return false: no memory. */
static bool actors_reserve(troupe_ecs_t *ecs, uint32_t index)
{
    uint32_t known = ecs->actor_capacity;
    void *actors = ecs->actors;
    if (!trp_ecs_grow(&actors, &ecs->actor_capacity, index + 1, sizeof(*ecs->actors))) {
        return false;
    }
    ecs->actors = actors;
    memset(ecs->actors + known, 0, (ecs->actor_capacity - known) * sizeof(*ecs->actors));
    return true;
}

/** Make an entity of an actor. */
static enum troupe_err actors_add(
    troupe_ecs_t *ecs, troupe_ref_t actor, troupe_ecs_entity_t *out_entity)
{
    troupe_ecs_entity_t entity = 0;
    if (!actors_reserve(ecs, actor.index)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for one more entity");
    }
    enum troupe_err err = trp_ecs_make(ecs, &entity);
    if (err != TROUPE_OK) {
        return err;
    }
    // While somebody iterates it is an actor from the end of that on.
    if (trp_ecs_defers(ecs)) {
        err = trp_ecs_defer(ecs, ECS_COMMAND_SET, entity, TROUPE_ECS_ACTOR, &actor);
    } else {
        err = trp_ecs_set_now(ecs, entity, TROUPE_ECS_ACTOR, &actor);
    }
    if (err != TROUPE_OK) {
        trp_ecs_delete_now(ecs, entity);
        return err;
    }
    ecs->actors[actor.index] = entity;
    (void)trp_ecs_apply(ecs); // what observers asked for; without memory for it, it is kept
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
            "no actor %s lives in the world: it lives elsewhere, or has ended",
            troupe_ref_print(actor, text));
    }
    if (actor.index < ecs->actor_capacity && trp_ecs_find(ecs, ecs->actors[actor.index]) != NULL) {
        *out_entity = ecs->actors[actor.index];
        return TROUPE_OK;
    }
    return actors_add(ecs, actor, out_entity);
}

troupe_ecs_entity_t troupe_ecs_self(troupe_context_t *ctx)
{
    troupe_ecs_entity_t entity = 0;
    troupe_ecs_t *ecs = troupe_ecs_world(ctx);
    if (ecs == NULL || troupe_ecs_entity_of(ecs, troupe_self(ctx), &entity) != TROUPE_OK) {
        return 0;
    }
    return entity;
}

troupe_ref_t troupe_ecs_actor_of(const troupe_ecs_t *ecs, troupe_ecs_entity_t entity)
{
    troupe_ref_t actor = TROUPE_REF_NONE;
    if (trp_ecs_check(ecs) != TROUPE_OK) {
        return actor;
    }
    const struct ecs_record *record = trp_ecs_find(ecs, entity);
    int32_t place = record == NULL ? -1 : trp_ecs_column(record->table, TROUPE_ECS_ACTOR);
    if (place >= 0) {
        const uint8_t *data = record->table->columns[place].data;
        memcpy(&actor, data + (size_t)record->row * sizeof(actor), sizeof(actor));
    }
    return actor;
}

void trp_ecs_actor_ended(troupe_ecs_t *ecs, uint32_t index)
{
    if (index >= ecs->actor_capacity || ecs->actors[index] == 0) {
        return;
    }
    troupe_ecs_entity_t entity = ecs->actors[index];
    ecs->actors[index] = 0;
    if (trp_ecs_defers(ecs)) { // the main program kills one it meets in a query
        if (trp_ecs_defer(ecs, ECS_COMMAND_DELETE, entity, 0, NULL) == TROUPE_OK) {
            return;
        }
        if (ecs->told_depth != 0) {
            return; // it may be the very one that is told of, which then stays without its actor
        }
        trp_ecs_close_iterations(ecs);
    }
    trp_ecs_delete_now(ecs, entity);
    (void)trp_ecs_apply(ecs);
}
