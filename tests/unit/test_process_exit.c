/*
 * Settling the exit of a process: who is to hear of it. The slots, ledgers and processes here are taken by hand.
 */
#include "node/process_exit.h"
#include "node/system.h"
#include "shared/ledger.h"
#include "shared/process.h"
#include "shared/shared.h"
#include "shared/slot.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(process_exit, .timeout = 30);

enum { WATCHERS = 400, VICTIM = 1000 };

/** Take an executor in a process of its own, which has the number of the executor. */
static struct trp_slot *take_process(
    struct trp_shared *shared, uint32_t id, struct trp_process **out_process)
{
    struct trp_slot *slot = trp_slot_take(shared, id, id, id, "watcher");
    cr_assert(ne(ptr, slot, NULL));
    *out_process = trp_process_take(shared, slot);
    cr_assert(ne(ptr, *out_process, NULL));
    atomic_store(&(*out_process)->state, TRP_PROCESS_RUNNING);
    return slot;
}

static void open_ledger(struct trp_shared *shared, struct trp_slot *from, uint32_t to)
{
    struct trp_ledger *ledger = NULL;
    struct trp_slot *to_slot = NULL;
    cr_assert(eq(int, trp_ledger_open(shared, from, to, &ledger, &to_slot), TROUPE_OK));
}

Test(process_exit, every_process_with_a_channel_to_one_that_died_is_a_neighbour)
{
    troupe_system_t system = {0};
    struct trp_process *victim = NULL;
    struct trp_process *watchers[WATCHERS];
    static struct trp_process_exit settled;
    int fd = -1;
    cr_assert(eq(int, trp_shared_new(&system.runtime.shared, &fd), TROUPE_OK));
    struct trp_shared *shared = system.runtime.shared;
    struct trp_slot *victim_slot = take_process(shared, VICTIM, &victim);
    for (uint32_t i = 0; i < WATCHERS; i++) {
        struct trp_slot *slot = take_process(shared, 2 + i, &watchers[i]);
        if (i % 2 == 0) {
            open_ledger(shared, slot, VICTIM);
        } else {
            open_ledger(shared, victim_slot, slot->id);
        }
    }
    struct trp_process *stranger = NULL;
    (void)take_process(shared, 2 + WATCHERS, &stranger);
    const struct troupe_exit exit = {.reason = TROUPE_EXIT_KILLED};

    trp_process_exit_settle(&system, victim, &exit, &settled);

    cr_expect(settled.died);
    for (uint32_t i = 0; i < WATCHERS; i++) {
        cr_expect(
            trp_process_set_has(&settled.neighbours, trp_process_index(shared, watchers[i])),
            "watcher %u is not told",
            i);
    }
    cr_expect(eq(
        int, trp_process_set_has(&settled.neighbours, trp_process_index(shared, stranger)), false));
    trp_shared_close(&system.runtime.shared);
}

Test(process_exit, what_was_in_progress_between_two_that_died_is_unknown_and_the_rest_is_dead)
{
    troupe_system_t system = {0};
    struct trp_process *processes[2];
    static struct trp_process_exit settled;
    int fd = -1;
    cr_assert(eq(int, trp_shared_new(&system.runtime.shared, &fd), TROUPE_OK));
    struct trp_shared *shared = system.runtime.shared;
    struct trp_slot *from = take_process(shared, 2, &processes[0]);
    (void)take_process(shared, 3, &processes[1]);
    struct trp_ledger *ledger = NULL;
    struct trp_slot *to = NULL;
    cr_assert(eq(int, trp_ledger_open(shared, from, 3, &ledger, &to), TROUPE_OK));
    trp_count(&ledger->accepted, 5);
    trp_count(&ledger->handled, 1);
    trp_ledger_start(ledger, 2);
    const struct troupe_exit exit = {.reason = TROUPE_EXIT_KILLED};

    trp_process_exit_settle(&system, processes[0], &exit, &settled);
    trp_process_exit_settle(&system, processes[1], &exit, &settled);

    cr_expect(eq(u64, trp_counted(&ledger->unknown), 2));
    cr_expect(eq(u64, trp_counted(&ledger->dead[TROUPE_DEAD_PEER_DOWN]), 2));
    trp_shared_close(&system.runtime.shared);
}
