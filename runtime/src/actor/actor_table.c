/*
 * Rows and columns of actors.
 *
 * A row comes from one of three sources: the list of free rows, for actors that the executor spawns on itself; the
 * spare rows under `lock`, for those that other executors of the process spawn; or row_count, a counter in shared
 * memory that all processes advance. Another process knows no free or spare row, so it reserves each row once, with
 * generation 1; when that actor ends the row joins the free rows.
 *
 * A column keeps the states of one behaviour in chunks that double up to 4 MiB. A freed state is linked into the
 * column's free list through its own first bytes.
 */
#include "actor/actor_table.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATE_ALIGNMENT = 16,
    CHUNK_BYTES_MAX = 1 << 22, // two large pages
};

bool trp_actor_table_init(struct trp_actor_table *actors, uint32_t behaviour_count)
{
    *actors = (struct trp_actor_table){
        .column_count = behaviour_count, .row_count = &actors->own_row_count};
    actors->columns = calloc(behaviour_count, sizeof(*actors->columns));
    (void)pthread_mutex_init(&actors->lock, NULL);
    return actors->columns != NULL;
}

static void actor_table_free_chunks(struct trp_column *column)
{
    while (column->chunks != NULL) {
        void *next = *(void **)column->chunks;
        free(column->chunks);
        column->chunks = next;
    }
}

void trp_actor_table_fini(struct trp_actor_table *actors)
{
    TRP_CHECK(actors->live_count == 0);
    for (uint32_t i = 0; i < actors->column_count && actors->columns != NULL; i++) {
        actor_table_free_chunks(&actors->columns[i]);
    }
    free(actors->columns);
    for (uint32_t i = 0; i < TRP_SEGMENT_COUNT; i++) {
        free(actors->segments[i]);
    }
    free(actors->reserved);
    free(actors->spare);
    (void)pthread_mutex_destroy(&actors->lock);
}

/** Add the next segment of rows. @return false: no memory, or no segment is left. */
static bool actor_table_add_segment(struct trp_actor_table *actors)
{
    uint32_t count = actors->made_count +
                     (1u << TRP_SEGMENT_FIRST_BITS); // as many as all before and the first 16
    uint32_t which = (31 ^ (uint32_t)__builtin_clz(count)) - TRP_SEGMENT_FIRST_BITS;
    if (which == TRP_SEGMENT_COUNT) {
        return false;
    }
    struct trp_actor *segment = calloc(count, sizeof(*segment));
    trp_memory_expect(segment, count * sizeof(*segment));
    actors->segments[which] = segment;
    actors->made_count += segment != NULL ? count : 0;
    return segment != NULL;
}

struct trp_actor *trp_actor_table_make_row(struct trp_actor_table *actors, uint32_t index)
{
    while (index >= actors->made_count) {
        if (!actor_table_add_segment(actors)) {
            return NULL;
        }
    }
    return trp_actor_table_row(actors, index);
}

struct trp_actor *trp_actor_table_add(struct trp_actor_table *actors, uint32_t *out_index)
{
    uint32_t index = 0;
    struct trp_actor *actor = NULL;
    if (actors->free_row != 0) {
        index = actors->free_row - 1;
        actor = trp_actor_table_row(actors, index);
        actors->free_row = actor->next;
    } else {
        index = atomic_load_explicit(actors->row_count, memory_order_relaxed);
        actor = index < UINT32_MAX / 2 ? trp_actor_table_make_row(actors, index) : NULL;
        if (actor == NULL) {
            return NULL;
        }
        uint32_t got = atomic_fetch_add_explicit(actors->row_count, 1, memory_order_relaxed);
        if (TRP_UNLIKELY(got != index)) {
            // Another executor reserved that row at this moment; this one got a later row.
            index = got;
            actor = trp_actor_table_make_row(actors, index);
            if (actor == NULL) {
                return NULL;
            }
        }
    }
    *actor = (struct trp_actor){
        .generation = actor->generation + 1,
        .life = TRP_LIFE_STARTING,
    };
    actors->live_count++;
    *out_index = index;
    return actor;
}

/** Grow `*array_p` to hold @p index. @return false: no memory. @threads holding `lock` */
static bool actor_table_grow(uint32_t **array_p, uint32_t *capacity, uint32_t index)
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

bool trp_actor_table_reserve(
    struct trp_actor_table *actors, uint32_t *out_index, uint32_t *out_generation)
{
    bool reserved = true;
    (void)pthread_mutex_lock(&actors->lock);
    if (actors->spare_count > 0) {
        *out_index = actors->spare[--actors->spare_count];
    } else {
        uint32_t index = atomic_fetch_add_explicit(actors->row_count, 1, memory_order_relaxed);
        reserved = index < UINT32_MAX / 2 &&
                   actor_table_grow(&actors->reserved, &actors->reserved_capacity, index);
        *out_index = index;
    }
    if (reserved) {
        *out_generation = ++actors->reserved[*out_index];
    }
    (void)pthread_mutex_unlock(&actors->lock);
    return reserved;
}

/** @return the latest generation that another executor of the process reserved of a row; 0: none. */
static uint32_t actor_table_reserved(struct trp_actor_table *actors, uint32_t index)
{
    (void)pthread_mutex_lock(&actors->lock);
    uint32_t generation = index < actors->reserved_capacity ? actors->reserved[index] : 0;
    (void)pthread_mutex_unlock(&actors->lock);
    return generation;
}

struct trp_actor *trp_actor_table_claim(
    struct trp_actor_table *actors, uint32_t index, uint32_t generation)
{
    struct trp_actor *actor = trp_actor_table_make_row(actors, index);
    if (actor == NULL || actor->life != TRP_LIFE_FREE) {
        return NULL;
    }
    struct trp_stash_entry *stash = actor->stash;
    struct trp_stash_entry *stash_last = actor->stash_last;
    *actor = (struct trp_actor){
        .generation = generation,
        .life = TRP_LIFE_STARTING,
        .flags = TRP_ACTOR_REMOTE,
        .stash = stash,
        .stash_last = stash_last,
    };
    actors->live_count++;
    return actor;
}

bool trp_actor_table_is_reserved(
    struct trp_actor_table *actors, uint32_t index, uint32_t generation)
{
    uint32_t reserved = actor_table_reserved(actors, index);
    // Another process reserves each row once, and can only advance row_count.
    bool is_foreign = reserved == 0 && generation == 1 && index < UINT32_MAX / 2 &&
                      index < atomic_load_explicit(actors->row_count, memory_order_relaxed);
    if (generation == 0 || (reserved != generation && !is_foreign)) {
        return false;
    }
    const struct trp_actor *actor = trp_actor_table_try_row(actors, index);
    return actor == NULL || actor->generation < generation; // a row without memory had no actor yet
}

bool trp_actor_table_is_starting(
    struct trp_actor_table *actors, uint32_t index, uint32_t generation)
{
    const struct trp_actor *actor = trp_actor_table_find(actors, index, generation);
    return actor != NULL ? actor->life == TRP_LIFE_STARTING
                         : trp_actor_table_is_reserved(actors, index, generation);
}

bool trp_actor_table_had(const struct trp_actor_table *actors, uint32_t index, uint32_t generation)
{
    if (index >= UINT32_MAX / 2 || generation == 0) {
        return false;
    }
    const struct trp_actor *actor = trp_actor_table_try_row(actors, index);
    return actor != NULL && generation <= actor->generation;
}

bool trp_actor_table_failed(
    const struct trp_actor_table *actors, uint32_t index, uint32_t generation)
{
    const struct trp_actor *actor = trp_actor_table_try_row(actors, index);
    return actor != NULL && actor->generation == generation &&
           (actor->flags & TRP_ACTOR_FAILED) != 0;
}

void trp_actor_table_note_exit(struct trp_actor *actor, const struct troupe_exit *exit)
{
    // A free row needs neither its column nor its neighbour in the order of start.
    actor->flags |= TRP_ACTOR_HAS_EXIT;
    actor->column = (uint16_t)exit->reason;
    actor->previous = (uint32_t)exit->code;
}

void trp_actor_table_last_exit(
    const struct trp_actor_table *actors,
    uint32_t index,
    uint32_t generation,
    struct troupe_exit *out_exit)
{
    const struct trp_actor *actor = NULL;
    *out_exit = (struct troupe_exit){.reason = TROUPE_EXIT_UNKNOWN};
    if (trp_actor_table_had(actors, index, generation)) {
        actor = trp_actor_table_try_row(actors, index);
    }
    if (actor != NULL && actor->generation == generation && actor->life == TRP_LIFE_FREE &&
        (actor->flags & TRP_ACTOR_HAS_EXIT) != 0) {
        out_exit->reason = (enum troupe_exit_reason)actor->column;
        out_exit->code = (int)actor->previous;
    }
    (void)snprintf(
        out_exit->text,
        sizeof(out_exit->text),
        "%s",
        actor == NULL ? "there was no such actor" : "ended before it was monitored");
}

static bool actor_table_add_chunk(struct trp_column *column)
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

bool trp_actor_table_add_state(
    struct trp_actor_table *actors, struct trp_actor *actor, uint16_t column_index, size_t bytes)
{
    TRP_CHECK(column_index < actors->column_count);
    struct trp_column *column = &actors->columns[column_index];
    actor->column = column_index;
    if (bytes == 0) {
        return true;
    }
    column->stride_bytes = (bytes + STATE_ALIGNMENT - 1) & ~(size_t)(STATE_ALIGNMENT - 1);
    if (column->free_state != NULL) {
        actor->state = column->free_state;
        column->free_state = *(void **)actor->state;
    } else {
        if (column->fresh_count == 0 && !actor_table_add_chunk(column)) {
            return false;
        }
        actor->state = column->fresh;
        column->fresh += column->stride_bytes;
        column->fresh_count--;
    }
    memset(actor->state, 0, bytes);
    return true;
}

void trp_actor_table_enlist(struct trp_actor_table *actors, struct trp_actor *actor, uint32_t index)
{
    actor->next = 0;
    actor->previous = actors->last_row;
    if (actors->last_row != 0) {
        trp_actor_table_row(actors, actors->last_row - 1)->next = index + 1;
    } else {
        actors->first_row = index + 1;
    }
    actors->last_row = index + 1;
}

static void actor_table_delist(
    struct trp_actor_table *actors, struct trp_actor *actor, uint32_t index)
{
    if (actor->previous == 0 && actors->first_row != index + 1) {
        return; // was never enlisted: its init failed
    }
    if (actor->previous != 0) {
        trp_actor_table_row(actors, actor->previous - 1)->next = actor->next;
    } else {
        actors->first_row = actor->next;
    }
    if (actor->next != 0) {
        trp_actor_table_row(actors, actor->next - 1)->previous = actor->previous;
    } else {
        actors->last_row = actor->previous;
    }
}

void trp_actor_table_remove(struct trp_actor_table *actors, struct trp_actor *actor, uint32_t index)
{
    actor_table_delist(actors, actor, index);
    if (actor->state != NULL) {
        struct trp_column *column = &actors->columns[actor->column];
        *(void **)actor->state = column->free_state;
        column->free_state = actor->state;
    }
    if (actor->name != NULL) { // a report of current callbacks may read it under the lock
        (void)pthread_mutex_lock(&actors->lock);
        free(actor->name);
        (void)pthread_mutex_unlock(&actors->lock);
    }
    // A row that another process reserved belongs to the executor from here on.
    bool is_reserved =
        (actor->flags & TRP_ACTOR_REMOTE) != 0 && actor_table_reserved(actors, index) != 0;
    // The behaviour stays, so that dead letters can name the actor.
    *actor = (struct trp_actor){.generation = actor->generation, .behaviour = actor->behaviour};
    actors->live_count--;
    if (actor->generation == UINT32_MAX) {
        return; // retired: the next generation would wrap, and stale references reach it
    }
    if (!is_reserved) {
        actor->next = actors->free_row;
        actors->free_row = index + 1;
        return;
    }
    (void)pthread_mutex_lock(&actors->lock);
    if (actor_table_grow(&actors->spare, &actors->spare_capacity, actors->spare_count)) {
        actors->spare[actors->spare_count++] = index;
    } // else no memory: the row is not used again
    (void)pthread_mutex_unlock(&actors->lock);
}
