/*
 * The actor table of an executor: rows that have one actor after the other, each with a generation of its own;
 * states that are zeroed, aligned, and never move.
 */
#include "actor/actor_table.h"
#include "chance.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { BEHAVIOURS = 3 };

static struct trp_actor_table table;

static void make_table(void)
{
    cr_assert(trp_actor_table_init(&table, BEHAVIOURS));
}

static void free_table(void)
{
    while (table.first_row != 0) {
        uint32_t index = table.first_row - 1;
        trp_actor_table_remove(&table, trp_actor_table_row(&table, index), index);
    }
    trp_actor_table_fini(&table);
}

TestSuite(actor_table, .timeout = 20, .init = make_table, .fini = free_table);

/** Add an actor as the owner does, running and in the order of start. */
static struct trp_actor *add(uint32_t *out_index)
{
    struct trp_actor *actor = trp_actor_table_add(&table, out_index);
    cr_assert(actor != NULL);
    actor->life = TRP_LIFE_RUNNING;
    trp_actor_table_enlist(&table, actor, *out_index);
    return actor;
}

static void *add_state(struct trp_actor *actor, uint16_t column, size_t bytes)
{
    cr_assert(trp_actor_table_add_state(&table, actor, column, bytes));
    return actor->state;
}

/* Rows. ---------------------------------------------------------------------------------------- */

Test(actor_table, is_empty_at_first)
{
    cr_expect(eq(ptr, trp_actor_table_find(&table, 0, 1), NULL));
    cr_expect(eq(ptr, trp_actor_table_find(&table, UINT32_MAX / 2 - 1, 1), NULL));
    cr_expect(eq(ptr, trp_actor_table_find(&table, UINT32_MAX / 2, 1), NULL));
    cr_expect(eq(ptr, trp_actor_table_find(&table, UINT32_MAX, UINT32_MAX), NULL));
    cr_expect(not(trp_actor_table_had(&table, 0, 1)));
    cr_expect(not(trp_actor_table_had(&table, UINT32_MAX, 1)));
    cr_expect(not(trp_actor_table_is_reserved(&table, 0, 1)));
    cr_expect(not(trp_actor_table_is_reserved(&table, UINT32_MAX, 1)));
}

Test(actor_table, finds_the_actor_of_that_generation_only)
{
    uint32_t index = 0;
    struct trp_actor *actor = add(&index);
    cr_expect(eq(u32, actor->generation, 1));
    cr_expect(eq(ptr, trp_actor_table_find(&table, index, 1), actor));
    cr_expect(eq(ptr, trp_actor_table_find(&table, index, 0), NULL));
    cr_expect(eq(ptr, trp_actor_table_find(&table, index, 2), NULL));
    cr_expect(eq(ptr, trp_actor_table_find(&table, index + 1, 1), NULL));
}

Test(actor_table, gives_a_row_again_with_the_next_generation)
{
    uint32_t index = 0;
    for (uint32_t generation = 1; generation <= 1000; generation++) {
        uint32_t again = 0;
        struct trp_actor *actor = add(&again);
        cr_assert(generation == 1 || again == index);
        index = again;
        cr_assert(eq(u32, actor->generation, generation));
        cr_assert(eq(ptr, trp_actor_table_find(&table, index, generation - 1), NULL));
        trp_actor_table_remove(&table, actor, index);
        cr_assert(eq(ptr, trp_actor_table_find(&table, index, generation), NULL));
        cr_assert(trp_actor_table_had(&table, index, generation));
        cr_assert(not(trp_actor_table_had(&table, index, generation + 1)));
    }
    cr_expect(eq(u32, table.live_count, 0));
}

Test(actor_table, retires_a_row_whose_generation_would_wrap)
{
    uint32_t index = 0;
    struct trp_actor *actor = add(&index);
    actor->generation = UINT32_MAX - 1; // as after four thousand million actors
    trp_actor_table_remove(&table, actor, index);
    uint32_t last = 0;
    actor = add(&last);
    cr_assert(eq(u32, last, index));
    cr_assert(eq(u32, actor->generation, UINT32_MAX));
    trp_actor_table_remove(&table, actor, index);

    uint32_t next = 0;
    (void)add(&next);

    cr_expect(ne(u32, next, index));
    cr_expect(trp_actor_table_had(&table, index, UINT32_MAX));
    cr_expect(eq(ptr, trp_actor_table_find(&table, index, UINT32_MAX), NULL));
}

Test(actor_table, retires_a_reserved_row_too)
{
    uint32_t index = 0;
    uint32_t generation = 0;
    cr_assert(trp_actor_table_reserve(&table, &index, &generation));
    table.reserved[index] = UINT32_MAX;
    struct trp_actor *actor = trp_actor_table_claim(&table, index, UINT32_MAX);
    cr_assert(actor != NULL);
    trp_actor_table_remove(&table, actor, index);

    uint32_t next = 0;
    cr_assert(trp_actor_table_reserve(&table, &next, &generation));

    cr_expect(ne(u32, next, index));
    cr_expect(eq(u32, generation, 1));
}

Test(actor_table, remembers_a_failed_start_until_the_next_actor)
{
    uint32_t index = 0;
    struct trp_actor *actor = add(&index);
    trp_actor_table_remove(&table, actor, index);
    actor->flags |= TRP_ACTOR_FAILED;
    cr_expect(trp_actor_table_failed(&table, index, 1));
    cr_expect(not(trp_actor_table_failed(&table, index, 2)));

    (void)add(&index);

    cr_expect(not(trp_actor_table_failed(&table, index, 1)));
    cr_expect(not(trp_actor_table_failed(&table, index, 2)));
}

/* Reservations. -------------------------------------------------------------------------------- */

Test(actor_table, is_reserved_until_the_start_arrives)
{
    uint32_t index = 0;
    uint32_t generation = 0;
    cr_assert(trp_actor_table_reserve(&table, &index, &generation));
    cr_expect(eq(u32, generation, 1));
    cr_expect(trp_actor_table_is_reserved(&table, index, 1));
    cr_expect(eq(ptr, trp_actor_table_find(&table, index, 1), NULL));
    cr_expect(not(trp_actor_table_had(&table, index, 1)));
    cr_expect(not(trp_actor_table_is_reserved(&table, index, 2)));
    cr_expect(not(trp_actor_table_is_reserved(&table, index, 0)));

    struct trp_actor *actor = trp_actor_table_claim(&table, index, generation);

    cr_assert(actor != NULL);
    cr_expect(eq(int, actor->life, TRP_LIFE_STARTING));
    cr_expect(eq(ptr, trp_actor_table_find(&table, index, 1), actor));
    cr_expect(not(trp_actor_table_is_reserved(&table, index, 1)));
    trp_actor_table_remove(&table, actor, index);
    cr_expect(not(trp_actor_table_is_reserved(&table, index, 1)));
    cr_expect(trp_actor_table_had(&table, index, 1));
}

Test(actor_table, reserves_a_row_again_with_the_next_generation)
{
    uint32_t first = 0;
    uint32_t generation = 0;
    for (uint32_t wanted = 1; wanted <= 100; wanted++) {
        uint32_t index = 0;
        cr_assert(trp_actor_table_reserve(&table, &index, &generation));
        cr_assert(wanted == 1 || index == first);
        first = index;
        cr_assert(eq(u32, generation, wanted));
        cr_assert(trp_actor_table_is_reserved(&table, index, wanted));
        struct trp_actor *actor = trp_actor_table_claim(&table, index, wanted);
        cr_assert(actor != NULL);
        cr_assert(not(trp_actor_table_is_reserved(&table, index, wanted)));
        trp_actor_table_remove(&table, actor, index);
    }
}

Test(actor_table, keeps_rows_of_the_owner_and_reserved_ones_apart)
{
    uint32_t index = 0;
    uint32_t generation = 0;
    struct trp_actor *own = add(&index);
    trp_actor_table_remove(&table, own, index);
    uint32_t reserved = 0;
    cr_assert(trp_actor_table_reserve(&table, &reserved, &generation));
    cr_expect(ne(u32, reserved, index)); // that one is free for the owner

    trp_actor_table_remove(&table, trp_actor_table_claim(&table, reserved, generation), reserved);
    uint32_t next = 0;
    own = add(&next);

    cr_expect(eq(u32, next, index));
    cr_expect(eq(u32, own->generation, 2));
}

Test(actor_table, refuses_to_claim_a_row_that_is_taken)
{
    uint32_t index = 0;
    uint32_t generation = 0;
    cr_assert(trp_actor_table_reserve(&table, &index, &generation));
    struct trp_actor *actor = trp_actor_table_claim(&table, index, generation);
    cr_assert(actor != NULL);
    cr_expect(eq(ptr, trp_actor_table_claim(&table, index, generation), NULL));
    trp_actor_table_remove(&table, actor, index);
}

/* States. -------------------------------------------------------------------------------------- */

Test(actor_table, gives_no_state_of_0_bytes)
{
    uint32_t index = 0;
    cr_expect(eq(ptr, add_state(add(&index), 0, 0), NULL));
}

Test(actor_table, zeroes_states_and_aligns_them)
{
    static const size_t sizes[BEHAVIOURS] = {1, 40, 5000};
    for (int round = 0; round < 3; round++) {
        uint32_t indices[60];
        for (uint32_t i = 0; i < 60; i++) {
            uint16_t column = (uint16_t)(i % BEHAVIOURS);
            uint8_t *state = add_state(add(&indices[i]), column, sizes[column]);
            cr_assert(eq(sz, (uintptr_t)state % 16, 0));
            for (size_t byte = 0; byte < sizes[column]; byte++) {
                cr_assert(eq(u8, state[byte], 0));
            }
            memset(state, 0xFF, sizes[column]); // dirt for the next actor
        }
        for (uint32_t i = 0; i < 60; i++) {
            trp_actor_table_remove(&table, trp_actor_table_row(&table, indices[i]), indices[i]);
        }
    }
}

Test(actor_table, never_moves_rows_or_states)
{
    enum { COUNT = 100000 };
    struct place {
        struct trp_actor *actor;
        uint64_t *state;
    };
    struct place *places = calloc(COUNT, sizeof(*places));
    cr_assert(places != NULL);

    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t index = 0;
        places[i].actor = add(&index);
        cr_assert(eq(u32, index, i));
        places[i].state = add_state(places[i].actor, 1, 24);
        places[i].state[0] = i;
    }

    for (uint32_t i = 0; i < COUNT; i++) {
        cr_assert(eq(ptr, trp_actor_table_find(&table, i, 1), places[i].actor));
        cr_assert(eq(ptr, places[i].actor->state, places[i].state));
        cr_assert(eq(u64, places[i].state[0], i));
    }
    free(places);
}

Test(actor_table, uses_a_state_again_of_the_same_behaviour)
{
    uint32_t index = 0;
    struct trp_actor *actor = add(&index);
    void *state = add_state(actor, 2, 100);
    trp_actor_table_remove(&table, actor, index);
    cr_expect(ne(ptr, add_state(add(&index), 1, 100), state));
    cr_expect(eq(ptr, add_state(add(&index), 2, 100), state));
}

/* The order of start. -------------------------------------------------------------------------- */

/** Check that the list has just these rows, in this order, both ways. */
static void expect_order(const uint32_t *rows, uint32_t count)
{
    uint32_t at = table.first_row;
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(eq(u32, at, rows[i] + 1));
        at = trp_actor_table_row(&table, at - 1)->next;
    }
    cr_assert(eq(u32, at, 0));
    at = table.last_row;
    for (uint32_t i = count; i > 0; i--) {
        cr_assert(eq(u32, at, rows[i - 1] + 1));
        at = trp_actor_table_row(&table, at - 1)->previous;
    }
    cr_assert(eq(u32, at, 0));
}

Test(actor_table, keeps_actors_in_the_order_of_their_start)
{
    uint32_t rows[5];
    for (uint32_t i = 0; i < 5; i++) {
        (void)add(&rows[i]);
    }
    expect_order(rows, 5);
}

Test(actor_table, leaves_an_actor_that_was_never_started_out_of_the_order)
{
    uint32_t row = 0;
    (void)add(&row);
    uint32_t index = 0;
    struct trp_actor *failed = trp_actor_table_add(&table, &index);
    trp_actor_table_remove(&table, failed, index);
    expect_order(&row, 1);
}

Test(actor_table, keeps_the_order_whichever_actor_ends)
{
    struct chance chance = chance_open("order of start");
    uint32_t rows[64];
    uint32_t count = 0;
    for (int step = 0; step < 4000; step++) {
        if (count < 64 && (count == 0 || chance_one_in(&chance, 2))) {
            (void)add(&rows[count++]);
        } else {
            uint32_t which = chance_below(&chance, count);
            trp_actor_table_remove(&table, trp_actor_table_row(&table, rows[which]), rows[which]);
            memmove(rows + which, rows + which + 1, (--count - which) * sizeof(rows[0]));
        }
        expect_order(rows, count);
        cr_assert(eq(u32, table.live_count, count));
    }
}
