#include "actor/actor_table.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATE_ALIGNMENT = 16,
    CHUNK_BYTES_MAX = 1 << 22, // two large pages
};

bool trp_world_init(struct trp_world *world, uint32_t behaviour_count)
{
    *world =
        (struct trp_world){.column_count = behaviour_count, .row_count = &world->own_row_count};
    world->columns = calloc(behaviour_count, sizeof(*world->columns));
    (void)pthread_mutex_init(&world->lock, NULL);
    return world->columns != NULL;
}

static void world_free_chunks(struct trp_column *column)
{
    while (column->chunks != NULL) {
        void *next = *(void **)column->chunks;
        free(column->chunks);
        column->chunks = next;
    }
}

void trp_world_fini(struct trp_world *world)
{
    TRP_CHECK(world->live_count == 0);
    for (uint32_t i = 0; i < world->column_count && world->columns != NULL; i++) {
        world_free_chunks(&world->columns[i]);
    }
    free(world->columns);
    for (uint32_t i = 0; i < TRP_SEGMENT_COUNT; i++) {
        free(world->segments[i]);
    }
    free(world->reserved);
    free(world->spare);
    (void)pthread_mutex_destroy(&world->lock);
}

/** Have memory for rows up to the end of the next segment. @return false: none, or no more segments. */
static bool world_add_segment(struct trp_world *world)
{
    uint32_t count = world->made_count + (1u << TRP_SEGMENT_FIRST_BITS); // twice the last one's
    uint32_t which = (31 ^ (uint32_t)__builtin_clz(count)) - TRP_SEGMENT_FIRST_BITS;
    if (which == TRP_SEGMENT_COUNT) {
        return false;
    }
    struct trp_actor *segment = calloc(count, sizeof(*segment));
    trp_memory_expect(segment, count * sizeof(*segment));
    world->segments[which] = segment;
    world->made_count += segment != NULL ? count : 0;
    return segment != NULL;
}

struct trp_actor *trp_world_make_row(struct trp_world *world, uint32_t index)
{
    while (index >= world->made_count) {
        if (!world_add_segment(world)) {
            return NULL;
        }
    }
    return trp_world_row(world, index);
}

struct trp_actor *trp_world_add(struct trp_world *world, uint32_t *out_index)
{
    uint32_t index = 0;
    struct trp_actor *actor = NULL;
    if (world->free_row != 0) {
        index = world->free_row - 1;
        actor = trp_world_row(world, index);
        world->free_row = actor->next;
    } else {
        index = atomic_load_explicit(world->row_count, memory_order_relaxed);
        actor = index < UINT32_MAX / 2 ? trp_world_make_row(world, index) : NULL;
        if (actor == NULL) {
            return NULL;
        }
        uint32_t got = atomic_fetch_add_explicit(world->row_count, 1, memory_order_relaxed);
        if (TRP_UNLIKELY(got != index)) {
            // Another executor reserved that row at this moment, and this one got a later one.
            index = got;
            actor = trp_world_make_row(world, index);
            if (actor == NULL) {
                return NULL;
            }
        }
    }
    *actor = (struct trp_actor){
        .generation = actor->generation + 1,
        .life = TRP_LIFE_STARTING,
    };
    world->live_count++;
    *out_index = index;
    return actor;
}

/** Grow `*array_p` to hold @p index. @return false: no memory. @threads holding `lock` */
static bool world_grow(uint32_t **array_p, uint32_t *capacity, uint32_t index)
{
    if (index < *capacity) {
        return true;
    }
    uint32_t grown = *capacity == 0 ? 16 : *capacity;
    while (grown <= index) {
        grown *= 2;
    }
    uint32_t *array = realloc(*array_p, grown * sizeof(*array));
    if (array == NULL) {
        return false;
    }
    memset(array + *capacity, 0, (grown - *capacity) * sizeof(*array));
    *array_p = array;
    *capacity = grown;
    return true;
}

bool trp_world_reserve(struct trp_world *world, uint32_t *out_index, uint32_t *out_generation)
{
    bool reserved = true;
    (void)pthread_mutex_lock(&world->lock);
    if (world->spare_count > 0) {
        *out_index = world->spare[--world->spare_count];
    } else {
        uint32_t index = atomic_fetch_add_explicit(world->row_count, 1, memory_order_relaxed);
        reserved = index < UINT32_MAX / 2 &&
                   world_grow(&world->reserved, &world->reserved_capacity, index);
        *out_index = index;
    }
    if (reserved) {
        *out_generation = ++world->reserved[*out_index];
    }
    (void)pthread_mutex_unlock(&world->lock);
    return reserved;
}

/** @return the latest generation that was reserved from elsewhere in that row; 0: none. */
static uint32_t world_reserved(struct trp_world *world, uint32_t index)
{
    (void)pthread_mutex_lock(&world->lock);
    uint32_t generation = index < world->reserved_capacity ? world->reserved[index] : 0;
    (void)pthread_mutex_unlock(&world->lock);
    return generation;
}

struct trp_actor *trp_world_claim(struct trp_world *world, uint32_t index, uint32_t generation)
{
    struct trp_actor *actor = trp_world_make_row(world, index);
    if (actor == NULL || actor->life != TRP_LIFE_FREE) {
        return NULL;
    }
    struct trp_held *held = actor->held;
    struct trp_held *held_last = actor->held_last;
    *actor = (struct trp_actor){
        .generation = generation,
        .life = TRP_LIFE_STARTING,
        .flags = TRP_ACTOR_REMOTE,
        .held = held,
        .held_last = held_last,
    };
    world->live_count++;
    return actor;
}

bool trp_world_awaits(struct trp_world *world, uint32_t index, uint32_t generation)
{
    uint32_t reserved = world_reserved(world, index);
    // Another process reserves each row once, and leaves no note here.
    bool foreign = reserved == 0 && generation == 1 && index < UINT32_MAX / 2 &&
                   index < atomic_load_explicit(world->row_count, memory_order_relaxed);
    if (generation == 0 || (reserved != generation && !foreign)) {
        return false;
    }
    const struct trp_actor *actor = trp_world_try_row(world, index);
    return actor == NULL ||
           actor->generation < generation; // a row without memory had no tenant yet
}

bool trp_world_knew(const struct trp_world *world, uint32_t index, uint32_t generation)
{
    if (index >= UINT32_MAX / 2 || generation == 0) {
        return false;
    }
    const struct trp_actor *actor = trp_world_try_row(world, index);
    return actor != NULL && generation <= actor->generation;
}

bool trp_world_refused(const struct trp_world *world, uint32_t index, uint32_t generation)
{
    const struct trp_actor *actor = trp_world_try_row(world, index);
    return actor != NULL && actor->generation == generation &&
           (actor->flags & TRP_ACTOR_FAILED) != 0;
}

void trp_world_note_exit(struct trp_actor *actor, const struct troupe_exit *exit)
{
    actor->flags |= TRP_ACTOR_LEFT;
    actor->column = (uint16_t)exit->reason;
    actor->previous = (uint32_t)exit->code;
}

void trp_world_recall_exit(
    const struct trp_world *world,
    uint32_t index,
    uint32_t generation,
    struct troupe_exit *out_exit)
{
    const struct trp_actor *actor = NULL;
    *out_exit = (struct troupe_exit){.reason = TROUPE_EXIT_UNKNOWN};
    if (trp_world_knew(world, index, generation)) {
        actor = trp_world_try_row(world, index);
    }
    if (actor != NULL && actor->generation == generation && actor->life == TRP_LIFE_FREE &&
        (actor->flags & TRP_ACTOR_LEFT) != 0) {
        out_exit->reason = (enum troupe_exit_reason)actor->column;
        out_exit->code = (int)actor->previous;
    }
    (void)snprintf(
        out_exit->text,
        sizeof(out_exit->text),
        "%s",
        actor == NULL ? "there never was such an actor" : "ended before anybody asked");
}

static bool world_add_chunk(struct trp_column *column)
{
    column->chunk_states = column->chunk_states == 0 ? 1 : column->chunk_states * 2;
    while (column->chunk_states > 1 &&
           column->chunk_states * column->stride_bytes > CHUNK_BYTES_MAX) {
        column->chunk_states /= 2;
    }
    size_t bytes = STATE_ALIGNMENT + column->chunk_states * column->stride_bytes;
    void *chunk = malloc(bytes);
    if (chunk == NULL) {
        return false;
    }
    trp_memory_expect(chunk, bytes);
    *(void **)chunk = column->chunks;
    column->chunks = chunk;
    column->fresh = (uint8_t *)chunk + STATE_ALIGNMENT;
    column->fresh_count = column->chunk_states;
    return true;
}

bool trp_world_add_state(
    struct trp_world *world, struct trp_actor *actor, uint16_t column_index, size_t bytes)
{
    TRP_CHECK(column_index < world->column_count);
    struct trp_column *column = &world->columns[column_index];
    actor->column = column_index;
    if (bytes == 0) {
        return true;
    }
    column->stride_bytes = (bytes + STATE_ALIGNMENT - 1) & ~(size_t)(STATE_ALIGNMENT - 1);
    if (column->free_state != NULL) {
        actor->state = column->free_state;
        column->free_state = *(void **)actor->state;
    } else {
        if (column->fresh_count == 0 && !world_add_chunk(column)) {
            return false;
        }
        actor->state = column->fresh;
        column->fresh += column->stride_bytes;
        column->fresh_count--;
    }
    memset(actor->state, 0, bytes);
    return true;
}

void trp_world_enlist(struct trp_world *world, struct trp_actor *actor, uint32_t index)
{
    actor->next = 0;
    actor->previous = world->last_row;
    if (world->last_row != 0) {
        trp_world_row(world, world->last_row - 1)->next = index + 1;
    } else {
        world->first_row = index + 1;
    }
    world->last_row = index + 1;
}

static void world_delist(struct trp_world *world, struct trp_actor *actor, uint32_t index)
{
    if (actor->previous == 0 && world->first_row != index + 1) {
        return; // was never enlisted: its init failed
    }
    if (actor->previous != 0) {
        trp_world_row(world, actor->previous - 1)->next = actor->next;
    } else {
        world->first_row = actor->next;
    }
    if (actor->next != 0) {
        trp_world_row(world, actor->next - 1)->previous = actor->previous;
    } else {
        world->last_row = actor->previous;
    }
}

void trp_world_remove(struct trp_world *world, struct trp_actor *actor, uint32_t index)
{
    world_delist(world, actor, index);
    if (actor->state != NULL) {
        struct trp_column *column = &world->columns[actor->column];
        *(void **)actor->state = column->free_state;
        column->free_state = actor->state;
    }
    if (actor->name != NULL) { // who tells what its executor is at may be reading it
        (void)pthread_mutex_lock(&world->lock);
        free(actor->name);
        (void)pthread_mutex_unlock(&world->lock);
    }
    // A row that another process reserved is the owner's from here on.
    bool remote = (actor->flags & TRP_ACTOR_REMOTE) != 0 && world_reserved(world, index) != 0;
    // The behaviour stays, so that dead letters can say who it was.
    *actor = (struct trp_actor){.generation = actor->generation, .behaviour = actor->behaviour};
    world->live_count--;
    if (actor->generation == UINT32_MAX) {
        return; // retired, rather than have a reference reach the next tenant
    }
    if (!remote) {
        actor->next = world->free_row;
        world->free_row = index + 1;
        return;
    }
    (void)pthread_mutex_lock(&world->lock);
    if (world_grow(&world->spare, &world->spare_capacity, world->spare_count)) {
        world->spare[world->spare_count++] = index;
    } // without memory the row is lost, not the actor
    (void)pthread_mutex_unlock(&world->lock);
}
