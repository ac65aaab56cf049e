/*
 * What becomes of the counters of channels that close and of executors that end: records, sums, free places.
 */
#include "shared/records.h"
#include "shared/shared.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>
#include <unistd.h>

TestSuite(records, .timeout = 30);

static struct trp_shared *shared;
static struct trp_slot *one;
static struct trp_slot *two;

static void open_slots(void)
{
    int fd = -1;
    cr_assert(trp_shared_new(&shared, &fd) == TROUPE_OK);
    (void)close(fd);
    one = trp_slot_take(shared, 1, 1, 1, "one");
    two = trp_slot_take(shared, 2, 1, 1, "two");
}

/** Open a ledger from one to two that accepted 10, handled 6, lost 3 and does not know of 1. */
static struct trp_ledger *open_ledger(void)
{
    struct trp_ledger *ledger = NULL;
    struct trp_slot *to = NULL;
    cr_assert(trp_ledger_open(shared, one, 2, &ledger, &to) == TROUPE_OK);
    trp_count(&ledger->accepted, 10);
    trp_count(&ledger->handled, 6);
    trp_count(&ledger->dead[TROUPE_DEAD_STOPPED], 3);
    trp_count(&ledger->unknown, 1);
    return ledger;
}

static void end(struct trp_slot *slot)
{
    atomic_store(&slot->state, TRP_SLOT_ENDED);
}

Test(records, have_what_a_channel_counted_when_it_closed)
{
    struct trp_records records = {0};
    open_slots();
    struct trp_ledger *ledger = open_ledger();

    trp_records_close_ledger(shared, &records, ledger);

    cr_assert(eq(u32, records.channels.count, 1));
    const struct trp_record *record = &records.channels.entries[0];
    cr_expect(eq(u32, record->from, 1));
    cr_expect(eq(u32, record->to, 2));
    cr_expect(eq(u64, record->accepted, 10));
    cr_expect(eq(u64, record->handled, 6));
    cr_expect(eq(u64, record->dead, 3));
    cr_expect(eq(u64, record->unknown, 1));
    cr_expect(eq(u32, records.unbalanced.count, 0));
    cr_expect(eq(u32, atomic_load(&ledger->state), TRP_LEDGER_FREE));
    trp_records_fini(&records);
}

Test(records, single_out_a_channel_that_does_not_balance)
{
    struct trp_records records = {0};
    open_slots();
    struct trp_ledger *ledger = open_ledger();
    trp_count(&ledger->accepted, 1);

    trp_records_close_ledger(shared, &records, ledger);

    cr_assert(eq(u32, records.unbalanced.count, 1));
    cr_expect(eq(u64, records.unbalanced.entries[0].accepted, 11));
    trp_records_fini(&records);
}

Test(records, of_an_executor_are_made_once_it_has_ended_and_its_channels_are_closed)
{
    struct trp_records records = {0};
    open_slots();
    struct trp_ledger *ledger = open_ledger();
    end(two);

    trp_records_sweep(shared, &records);
    cr_expect(eq(u32, records.executors.count, 0), "a ledger refers to it");
    trp_ledger_close(shared, ledger);
    trp_records_sweep(shared, &records);

    cr_assert(eq(u32, records.executors.count, 1));
    cr_expect(strcmp(records.executors.entries[0].name, "two") == 0);
    cr_expect(eq(u64, records.executors.entries[0].accepted, 10));
    cr_expect(eq(u32, trp_slot_state(two), TRP_SLOT_FREE));
    cr_expect(eq(u32, trp_slot_state(one), TRP_SLOT_OPEN));
    trp_records_fini(&records);
}

Test(records, leave_the_sums_as_they_were)
{
    struct trp_records records = {0};
    struct trp_sums before;
    struct trp_sums after;
    open_slots();
    struct trp_ledger *ledger = open_ledger();
    trp_count(&two->counters.actors_started, 5);
    end(two);
    trp_sums_total(shared, &before);

    trp_ledger_close(shared, ledger);
    trp_records_sweep(shared, &records);
    trp_sums_total(shared, &after);

    cr_expect(eq(u64, before.accepted, 10));
    cr_expect(eq(u64, trp_sums_done(&before), 10));
    cr_expect(eq(u64, before.counters.actors_started, 5));
    cr_expect(eq(u64, before.executors_started, 2));
    cr_expect(eq(u64, before.executors_ended, 1));
    cr_expect(eq(u64, after.accepted, 10));
    cr_expect(eq(u64, trp_sums_done(&after), 10));
    cr_expect(eq(u64, after.counters.actors_started, 5));
    cr_expect(eq(u64, after.executors_started, 2));
    cr_expect(eq(u64, after.executors_ended, 1));
    trp_records_fini(&records);
}

Test(records, are_kept_by_the_first_process_alone)
{
    open_slots();
    struct trp_ledger *ledger = open_ledger();

    trp_records_close_ledger(shared, NULL, ledger);
    trp_records_sweep(shared, NULL);

    cr_expect(eq(u32, atomic_load(&ledger->state), TRP_LEDGER_CLOSED));
}

Test(records, beyond_the_first_ones_are_summed_up)
{
    struct trp_records records = {0};
    open_slots();

    for (int i = 0; i < TRP_RECORD_COUNT_MAX + 3; i++) {
        trp_records_close_ledger(shared, &records, open_ledger());
    }

    cr_expect(eq(u32, records.channels.count, TRP_RECORD_COUNT_MAX));
    cr_expect(eq(u64, records.channels.entries[TRP_RECORD_COUNT_MAX].accepted, 30));
    trp_records_fini(&records);
}

/* Slots. ---------------------------------------------------------------------------------------- */

Test(records, and_slots_say_why_mail_is_dead)
{
    open_slots();
    end(one);
    atomic_store(&two->state, TRP_SLOT_DEAD);
    two->died = true;

    cr_expect(eq(int, trp_slot_why_dead(shared, 1), TROUPE_DEAD_STOPPED));
    cr_expect(eq(int, trp_slot_why_dead(shared, 2), TROUPE_DEAD_PEER_DOWN));
    cr_expect(eq(int, trp_slot_why_dead(shared, 9), TROUPE_DEAD_NO_SUCH_ACTOR));
    two->failed = true;
    cr_expect(eq(int, trp_slot_why_dead(shared, 2), TROUPE_DEAD_UNDELIVERABLE));
}
