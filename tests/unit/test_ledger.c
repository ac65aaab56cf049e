/*
 * What a ledger says of the messages that its receiver was handling, read after the receiver has died.
 */
#include "shared/ledger.h"
#include "troupe/behaviour.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct trp_ledger ledger;

/** Make the ledger one whose receiver has handled so many messages. */
static void begin_after(uint64_t handled)
{
    atomic_init(&ledger.handled, handled);
    atomic_init(&ledger.started, handled);
}

Test(ledger, has_nothing_in_progress_before_the_first_message)
{
    begin_after(0);

    cr_expect(eq(u64, trp_ledger_in_progress(&ledger), 0));
}

Test(ledger, has_one_message_in_progress_until_it_is_counted)
{
    begin_after(41);

    trp_ledger_start(&ledger, 1);
    cr_expect(eq(u64, trp_ledger_in_progress(&ledger), 1));
    trp_count(&ledger.handled, 1);
    cr_expect(eq(u64, trp_ledger_in_progress(&ledger), 0));
}

Test(ledger, has_a_batch_in_progress_until_it_is_counted)
{
    for (uint64_t count = 1; count <= TROUPE_BATCH_MAX; count++) {
        begin_after(41);

        trp_ledger_start(&ledger, count);
        cr_expect(eq(u64, trp_ledger_in_progress(&ledger), count));
        trp_count(&ledger.handled, count);
        cr_expect(eq(u64, trp_ledger_in_progress(&ledger), 0));
    }
}

Test(ledger, drops_what_a_batch_passed_over)
{
    begin_after(41);
    trp_ledger_start(&ledger, 5);

    trp_ledger_start(&ledger, 3); // two were passed over
    cr_expect(eq(u64, trp_ledger_in_progress(&ledger), 3));
    trp_count(&ledger.handled, 3);

    cr_expect(eq(u64, trp_ledger_in_progress(&ledger), 0));
}

Test(ledger, has_nothing_in_progress_where_some_were_counted_that_were_never_started)
{
    begin_after(41);

    trp_count(&ledger.handled, 7); // by an inbox, which hands out what it receives

    cr_expect(eq(u64, trp_ledger_in_progress(&ledger), 0));
}
