/*
 * The lists of actors that are notified of dead letters and of signals.
 */
#include "shared/shared.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>
#include <unistd.h>

TestSuite(subscribers, .timeout = 30);

static struct trp_shared *shared;

static void open_lists(void)
{
    int fd = -1;
    cr_assert(trp_shared_new(&shared, &fd) == TROUPE_OK);
    (void)close(fd);
}

static troupe_ref_t actor(uint32_t node, uint32_t index)
{
    return (troupe_ref_t){node, 1, index, 1};
}

Test(subscribers, are_none_at_first)
{
    open_lists();
    troupe_ref_t copy[TRP_SUBSCRIBERS_MAX];

    cr_expect(not(trp_subscribers_any(&shared->subscribers)));
    cr_expect(eq(u32, trp_subscribers_copy(shared, copy), 0));
}

Test(subscribers, are_copied_without_those_that_were_removed)
{
    open_lists();
    troupe_ref_t copy[TRP_SUBSCRIBERS_MAX];
    for (uint32_t i = 0; i < 3; i++) {
        cr_expect(eq(int, trp_subscribers_add(shared, actor(1, i)), TROUPE_OK));
    }

    trp_subscribers_remove(shared, actor(1, 0));
    trp_subscribers_remove(shared, actor(1, 0)); // is none any more

    cr_expect(trp_subscribers_any(&shared->subscribers));
    cr_expect(eq(u32, trp_subscribers_copy(shared, copy), 2));
    cr_expect(not(troupe_ref_equal(copy[0], copy[1])));
    cr_expect(ne(u32, copy[0].index, 0));
    cr_expect(ne(u32, copy[1].index, 0));
}

Test(subscribers, are_refused_with_advice_when_the_list_is_full)
{
    open_lists();
    for (uint32_t i = 0; i < TRP_SUBSCRIBERS_MAX; i++) {
        cr_assert(eq(int, trp_subscribers_add(shared, actor(1, i)), TROUPE_OK));
    }

    cr_expect(eq(int, trp_subscribers_add(shared, actor(2, 0)), TROUPE_ERR_LIMIT));
    cr_expect(strstr(troupe_error_detail(), "have one of them forward them") != NULL);
}

Test(subscribers, to_signals_are_one_entry_with_all_their_signals)
{
    open_lists();
    struct trp_signal_subscriber copy[TRP_SIGNAL_SUBSCRIBERS_MAX];
    cr_expect(eq(int, trp_signal_subscribers_add(shared, actor(1, 1), 1), TROUPE_OK));
    cr_expect(eq(int, trp_signal_subscribers_add(shared, actor(1, 1), 4), TROUPE_OK));
    cr_expect(eq(int, trp_signal_subscribers_add(shared, actor(1, 2), 8), TROUPE_OK));

    cr_expect(eq(u64, trp_signal_subscribers_wanted(shared), 13));
    cr_expect(trp_signal_subscribers_remove(shared, actor(1, 2), UINT64_MAX));
    cr_expect(not(trp_signal_subscribers_remove(shared, actor(1, 1), 2)));

    cr_expect(eq(u64, trp_signal_subscribers_wanted(shared), 5));
    cr_expect(eq(u32, trp_signal_subscribers_copy(shared, copy), 1));
    cr_expect(eq(u64, copy[0].signals, 5));
}

Test(subscribers, of_a_process_that_died_leave_both_lists)
{
    open_lists();
    troupe_ref_t copy[TRP_SUBSCRIBERS_MAX];
    for (uint32_t i = 0; i < 6; i++) {
        cr_expect(eq(int, trp_subscribers_add(shared, actor(1 + i / 2 % 2, i)), TROUPE_OK));
        cr_expect(
            eq(int,
               trp_signal_subscribers_add(shared, actor(1 + i / 2 % 2, i), 1 + i % 2),
               TROUPE_OK));
    }

    trp_shared_lock(shared);
    trp_subscribers_remove_process(shared, 1);
    trp_shared_unlock(shared);

    uint32_t count = trp_subscribers_copy(shared, copy);
    cr_expect(eq(u32, count, 2));
    for (uint32_t i = 0; i < count; i++) {
        cr_expect(eq(u32, copy[i].node, 2));
    }
    cr_expect(eq(u32, shared->signal_subscribers.count, 2));
}
