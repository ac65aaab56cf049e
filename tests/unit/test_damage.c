/*
 * Sizes and indices in shared memory that no process has written on purpose are found, and not followed.
 */
#include "shared/damage.h"
#include "shared/ledger.h"
#include "shared/names.h"
#include "shared/process_pool.h"
#include "shared/records.h"
#include "shared/shared.h"
#include "shared/slot_queue.h"
#include "shared/sums.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <unistd.h>

#define GARBAGE UINT32_C(0xDEADBEEF)

static struct trp_shared *shared;
static struct trp_slot *one;
static struct trp_ledger *ledger;
static uint32_t call_count;

static void count_calls(const struct trp_shared *damaged)
{
    call_count += damaged == shared ? 1 : 0;
}

/** Shared memory with two slots and a ledger between them. */
static void open_shared(void)
{
    int fd = -1;
    struct trp_slot *to = NULL;
    cr_assert(trp_shared_new(&shared, &fd) == TROUPE_OK);
    (void)close(fd);
    one = trp_slot_take_next(shared, 1, 1, "one");
    (void)trp_slot_take_next(shared, 1, 1, "two");
    cr_assert(trp_ledger_open(shared, one, 1, &ledger, &to) == TROUPE_OK);
    trp_damage_set_handler(count_calls);
}

static void close_shared(void)
{
    cr_expect(trp_damage_was_found());
    cr_expect(eq(u32, call_count, 1), "it is reported once");
    trp_shared_close(&shared);
}

TestSuite(damage, .timeout = 20, .init = open_shared, .fini = close_shared);

static struct trp_ledger *claim(void)
{
    struct trp_slot *from = NULL;
    return trp_ledger_claim(shared, &shared->slots[1], 4711, &from);
}

Test(damage, of_the_number_of_slots_or_ledgers_is_found)
{
    struct trp_records records = {0};
    struct trp_sums sums;
    atomic_store(&shared->slot_high, GARBAGE);
    atomic_store(&shared->ledger_high, GARBAGE);

    trp_sums_total(shared, &sums);
    trp_records_sweep(shared, &records);

    cr_expect(eq(u64, sums.accepted, 0));
    trp_records_fini(&records);
}

Test(damage, of_a_list_of_ledgers_is_found)
{
    shared->slots[1].first_in = GARBAGE;
    cr_expect(eq(ptr, claim(), NULL));
    trp_shared_lock(shared);
    trp_ledger_free(shared, ledger);
    trp_shared_unlock(shared);
}

Test(damage, within_a_list_of_ledgers_is_found)
{
    ledger->next_in = GARBAGE;
    cr_expect(eq(ptr, claim(), NULL));
}

Test(damage, that_makes_a_circle_of_a_list_is_found)
{
    ledger->next_in = shared->slots[1].first_in;
    cr_expect(eq(ptr, claim(), NULL));
}

Test(damage, of_the_free_lists_gives_out_nothing)
{
    struct trp_slot *to = NULL;
    shared->ledger_free = GARBAGE;
    shared->slot_queue.first = GARBAGE;
    shared->slot_queue.last = GARBAGE;

    cr_expect(eq(int, trp_ledger_open(shared, one, 1, &ledger, &to), TROUPE_ERR_LIMIT));
    cr_expect(eq(ptr, trp_slot_take_next(shared, 1, 1, "three"), NULL));
    trp_shared_lock(shared);
    trp_slot_free(shared, one);
    trp_shared_unlock(shared);
}

Test(damage, of_names_is_found)
{
    const troupe_ref_t owner = {.node = 1, .executor = one->id, .generation = 1};
    struct trp_name_waiter *waiters = NULL;
    cr_assert(eq(int, trp_names_add(shared, "name", owner, &waiters), TROUPE_OK));
    for (uint32_t i = 0; i < TRP_SHARED_BUCKETS; i++) {
        shared->buckets[i] = GARBAGE;
        shared->owner_buckets[i] = GARBAGE;
    }

    cr_expect(troupe_ref_is_none(trp_names_find(shared, "name")));
    trp_names_remove_actor(shared, owner);
    trp_shared_lock(shared);
    trp_names_remove_process(shared, 1);
    trp_shared_unlock(shared);
}

Test(damage, of_the_pools_is_found)
{
    shared->pool_count = GARBAGE;
    shared->pool_slot_count = GARBAGE;

    (void)trp_process_pool_find(shared, "pool", 2);
    trp_shared_lock(shared);
    trp_process_pools_remove(shared, 1);
    trp_shared_unlock(shared);
}
