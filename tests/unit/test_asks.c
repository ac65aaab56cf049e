/*
 * The table of asks: they are found by their numbers and taken once, and no number is used twice.
 */
#include "actor/asks.h"
#include "chance.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct trp_asks asks;

static void free_asks(void)
{
    trp_asks_fini(&asks);
}

TestSuite(asks, .timeout = 10, .fini = free_asks);

static uint64_t add(uint64_t tag)
{
    uint64_t number = trp_asks_add(&asks, &(struct trp_ask){.tag = tag});
    cr_assert(ne(u64, number, 0));
    return number;
}

Test(asks, are_found_by_their_numbers)
{
    uint64_t one = add(11);
    uint64_t other = add(22);
    cr_assert(ne(ptr, trp_asks_find(&asks, one), NULL));
    cr_expect(eq(u64, trp_asks_find(&asks, one)->tag, 11));
    cr_expect(eq(u64, trp_asks_find(&asks, other)->tag, 22));
}

Test(asks, are_taken_with_all_fields)
{
    const struct trp_ask noted = {
        .awaits_name = true, .actor_index = 3, .actor_generation = 4, .timer = 5, .tag = 6};
    uint64_t number = trp_asks_add(&asks, &noted);
    struct trp_ask taken;

    cr_assert(trp_asks_take(&asks, number, &taken));

    cr_expect(taken.awaits_name);
    cr_expect(eq(u32, taken.actor_index, 3));
    cr_expect(eq(u32, taken.actor_generation, 4));
    cr_expect(eq(u64, taken.timer, 5));
    cr_expect(eq(u64, taken.tag, 6));
}

Test(asks, are_taken_once)
{
    uint64_t number = add(1);
    struct trp_ask taken;
    cr_expect(trp_asks_take(&asks, number, &taken));
    cr_expect(not(trp_asks_take(&asks, number, &taken)));
    cr_expect(eq(ptr, trp_asks_find(&asks, number), NULL));
}

Test(asks, that_were_never_added_are_not_found)
{
    add(1);
    static const uint64_t never[] = {0, 1, 2, UINT32_MAX, 1ull << 32, UINT64_MAX, 2ull << 32 | 1};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        cr_expect(eq(ptr, trp_asks_find(&asks, never[i]), NULL), "number %zu", i);
    }
}

static int by_number(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one;
    uint64_t b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

Test(asks, never_have_a_number_again)
{
    enum { COUNT = 20000 };
    struct chance chance = chance_open("asks");
    uint64_t *numbers = calloc(COUNT, sizeof(*numbers));
    cr_assert(numbers != NULL);
    struct trp_ask taken;

    for (size_t i = 0; i < COUNT; i++) {
        numbers[i] = add(i);
        size_t which = chance_below(&chance, (uint32_t)i + 1);
        (void)trp_asks_take(&asks, numbers[which], &taken); // maybe one that was taken before
    }

    qsort(numbers, COUNT, sizeof(*numbers), by_number);
    for (size_t i = 1; i < COUNT; i++) {
        cr_assert(ne(u64, numbers[i - 1], numbers[i]));
    }
    free(numbers);
}

Test(asks, retire_an_entry_rather_than_number_it_again)
{
    struct trp_ask taken;
    uint64_t first = add(1);
    asks.entries[0].generation = UINT32_MAX; // as after four thousand million asks
    uint64_t last = (uint64_t)UINT32_MAX << 32 | (uint32_t)first;
    cr_assert(trp_asks_take(&asks, last, &taken));

    uint64_t next = add(2);

    cr_expect(ne(u32, (uint32_t)next, (uint32_t)last));            // another entry
    cr_expect(not(trp_asks_take(&asks, (uint32_t)first, &taken))); // nor is there a number 0
    cr_expect(not(trp_asks_take(&asks, first, &taken)));
}

Test(asks, of_another_actor_in_the_same_row_do_not_have_its_tags)
{
    const struct trp_ask of_first = {.actor_index = 3, .actor_generation = 1, .tag = 7};
    uint64_t number = trp_asks_add(&asks, &of_first);

    cr_expect(eq(u64, trp_asks_find_tag(&asks, 3, 1, 7), number));
    cr_expect(eq(u64, trp_asks_find_tag(&asks, 3, 2, 7), 0));
    cr_expect(eq(u64, trp_asks_find_tag(&asks, 4, 1, 7), 0));
}
