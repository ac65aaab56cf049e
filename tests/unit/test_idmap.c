/*
 * The map from executor ids to pointers, compared with a simple array.
 */
#include "base/idmap.h"
#include "chance.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct trp_idmap map;

static void free_map(void)
{
    trp_idmap_fini(&map);
}

TestSuite(idmap, .timeout = 10, .fini = free_map);

static char values[8192]; // their addresses are the values

Test(idmap, finds_nothing_at_first)
{
    cr_expect(eq(ptr, trp_idmap_find(&map, 0), NULL));
    cr_expect(eq(ptr, trp_idmap_find(&map, UINT32_MAX), NULL));
}

Test(idmap, removes_nothing_from_an_empty_map)
{
    trp_idmap_remove(&map, 0);
    trp_idmap_remove(&map, 7);
    cr_expect(eq(u32, map.count, 0));
}

Test(idmap, finds_what_was_put)
{
    cr_assert(trp_idmap_put(&map, 0, &values[0]));
    cr_assert(trp_idmap_put(&map, UINT32_MAX, &values[1]));
    cr_expect(eq(ptr, trp_idmap_find(&map, 0), &values[0]));
    cr_expect(eq(ptr, trp_idmap_find(&map, UINT32_MAX), &values[1]));
    cr_expect(eq(ptr, trp_idmap_find(&map, 1), NULL));
    cr_expect(eq(u32, map.count, 2));
}

Test(idmap, keeps_the_latest_value_of_an_id)
{
    cr_assert(trp_idmap_put(&map, 5, &values[0]));
    cr_assert(trp_idmap_put(&map, 5, &values[1]));
    cr_expect(eq(ptr, trp_idmap_find(&map, 5), &values[1]));
    cr_expect(eq(u32, map.count, 1));
}

Test(idmap, finds_nothing_that_was_removed)
{
    cr_assert(trp_idmap_put(&map, 5, &values[0]));
    trp_idmap_remove(&map, 5);
    trp_idmap_remove(&map, 5);
    cr_expect(eq(ptr, trp_idmap_find(&map, 5), NULL));
    cr_expect(eq(u32, map.count, 0));
}

Test(idmap, finds_entries_behind_one_that_was_removed)
{
    // With at most 64 slots, all have the same home: they are stored next to each other.
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert(trp_idmap_put(&map, 1 + i * 1024, &values[i]));
    }
    trp_idmap_remove(&map, 1);
    trp_idmap_remove(&map, 1 + 2 * 1024);
    cr_expect(eq(ptr, trp_idmap_find(&map, 1 + 1024), &values[1]));
    cr_expect(eq(ptr, trp_idmap_find(&map, 1 + 3 * 1024), &values[3]));
    cr_expect(eq(ptr, trp_idmap_find(&map, 1), NULL));
}

Test(idmap, grows_and_keeps_everything)
{
    for (uint32_t i = 0; i < sizeof(values); i++) {
        cr_assert(trp_idmap_put(&map, i * 7, &values[i]));
    }
    for (uint32_t i = 0; i < sizeof(values); i++) {
        cr_assert(eq(ptr, trp_idmap_find(&map, i * 7), &values[i]));
    }
    cr_expect(eq(u32, map.count, sizeof(values)));
}

enum { NUMBERS = 200 };

/** Ids with few different homes, so that many collide, also across the end of the table. */
static uint32_t number(uint32_t which)
{
    return which % 3 == 0 ? which : which % 3 == 1 ? which * 256 + 255 : UINT32_MAX - which * 64;
}

Test(idmap, equals_a_simple_map_after_any_puts_and_removals)
{
    struct chance chance = chance_open("idmap");
    void *simple[NUMBERS] = {0};
    uint32_t count = 0;

    for (uint32_t step = 0; step < 40000; step++) {
        uint32_t which = chance_below(&chance, NUMBERS);
        bool much = step / 2000 % 2 == 0; // mostly add for a while, then mostly remove
        if (chance_one_in(&chance, much ? 4 : 2) || (!much && !chance_one_in(&chance, 4))) {
            trp_idmap_remove(&map, number(which));
            count -= simple[which] != NULL ? 1 : 0;
            simple[which] = NULL;
        } else {
            void *value = &values[chance_below(&chance, sizeof(values))];
            cr_assert(trp_idmap_put(&map, number(which), value));
            count += simple[which] == NULL ? 1 : 0;
            simple[which] = value;
        }
        cr_assert(eq(u32, map.count, count));
        for (uint32_t i = step % 16; i < NUMBERS; i += 16) {
            cr_assert(eq(ptr, trp_idmap_find(&map, number(i)), simple[i]));
        }
    }
}
