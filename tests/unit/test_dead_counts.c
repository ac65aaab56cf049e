/*
 * Each receiver's dead letters are counted apart while there is room, and none is forgotten.
 */
#include "chance.h"
#include "shared/dead_counts.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pthread.h>
#include <stdio.h>

TestSuite(dead_counts, .timeout = 30);

static struct trp_dead_counts counts;

static void count_one(troupe_ref_t ref, enum troupe_dead_reason reason)
{
    bool is_new = false;
    struct trp_dead_counts_entry *entry = trp_dead_counts_seek(&counts, ref, &is_new);
    if (is_new) {
        (void)snprintf(entry->name, sizeof(entry->name), " of %u", ref.index);
        trp_dead_counts_publish(entry);
    }
    trp_dead_counts_add(&counts, entry, reason, 1);
}

/** @return what is counted of one receiver, in however many entries. */
static uint64_t counted(troupe_ref_t ref, enum troupe_dead_reason reason)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TRP_DEAD_COUNTS_ENTRIES; i++) {
        const struct trp_dead_counts_entry *entry = trp_dead_counts_get(&counts, i);
        if (entry != NULL && troupe_ref_equal(entry->ref, ref)) {
            sum += atomic_load(&entry->dead[reason]);
        }
    }
    return sum;
}

static uint64_t counted_in_all(enum troupe_dead_reason reason)
{
    uint64_t sum = atomic_load(&counts.rest[reason]);
    for (uint32_t i = 0; i < TRP_DEAD_COUNTS_ENTRIES; i++) {
        const struct trp_dead_counts_entry *entry = trp_dead_counts_get(&counts, i);
        sum += entry == NULL ? 0 : atomic_load(&entry->dead[reason]);
    }
    return sum;
}

Test(dead_counts, counts_each_receiver_and_reason_apart)
{
    const troupe_ref_t one = {1, 2, 3, 4};
    const troupe_ref_t next_in_row = {1, 2, 3, 5};
    count_one(one, TROUPE_DEAD_STOPPED);
    count_one(one, TROUPE_DEAD_STOPPED);
    count_one(one, TROUPE_DEAD_EXPIRED);
    count_one(next_in_row, TROUPE_DEAD_STOPPED);
    cr_expect(eq(u64, counted(one, TROUPE_DEAD_STOPPED), 2));
    cr_expect(eq(u64, counted(one, TROUPE_DEAD_EXPIRED), 1));
    cr_expect(eq(u64, counted(next_in_row, TROUPE_DEAD_STOPPED), 1));
}

Test(dead_counts, forgets_no_dead_letter_when_there_is_no_room_for_more_receivers)
{
    enum { LETTERS = 100000 };
    struct chance chance = chance_open("receivers");
    for (int i = 0; i < LETTERS; i++) {
        const troupe_ref_t ref = {1, chance_below(&chance, 100), chance_below(&chance, 100), 1};
        count_one(ref, TROUPE_DEAD_UNDELIVERABLE);
    }
    cr_expect(eq(u64, counted_in_all(TROUPE_DEAD_UNDELIVERABLE), LETTERS));
    cr_expect(gt(u64, atomic_load(&counts.rest[TROUPE_DEAD_UNDELIVERABLE]), 0));
}

static void *count_many(void *unused)
{
    for (uint32_t i = 0; i < 200000; i++) {
        count_one((troupe_ref_t){1, 1, i % 50, 1}, TROUPE_DEAD_STOPPED);
    }
    return unused;
}

Test(dead_counts, counts_what_several_threads_count_at_once)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        cr_assert(pthread_create(&threads[i], NULL, count_many, NULL) == 0);
    }
    for (int i = 0; i < 4; i++) {
        cr_assert(pthread_join(threads[i], NULL) == 0);
    }
    for (uint32_t i = 0; i < 50; i++) {
        const troupe_ref_t ref = {1, 1, i, 1};
        cr_expect(eq(u64, counted(ref, TROUPE_DEAD_STOPPED), 4 * 200000 / 50));
    }
}
