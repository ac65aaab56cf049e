/*
 * Error texts: every number has a text of its own, and each thread has its own detail.
 */
#include "base/error.h"
#include "troupe/behaviour.h"
#include "troupe/message.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <pthread.h>
#include <string.h>

TestSuite(error, .timeout = 10);

typedef const char *text_fn(int number);

static const char *text_of_error(int number)
{
    return troupe_strerror((enum troupe_err)number);
}

static const char *text_of_exit(int number)
{
    return troupe_exit_reason_text((enum troupe_exit_reason)number);
}

static const char *text_of_dead(int number)
{
    return troupe_dead_reason_text((enum troupe_dead_reason)number);
}

/** Check that numbers up to @p last have texts, all different, and that others do not. */
static void expect_texts(text_fn *text, int last, const char *unknown)
{
    for (int number = 0; number <= last; number++) {
        cr_expect(strcmp(text(number), unknown) != 0, "%d has no text", number);
        cr_expect(strlen(text(number)) > 0, "%d has no text", number);
        for (int other = 0; other < number; other++) {
            cr_expect(strcmp(text(number), text(other)) != 0, "%d and %d", number, other);
        }
    }
    cr_expect(strcmp(text(last + 1), unknown) == 0);
    cr_expect(strcmp(text(1000000), unknown) == 0);
    cr_expect(strcmp(text(-1), unknown) == 0);
}

Test(error, has_a_text_for_every_code)
{
    expect_texts(text_of_error, TROUPE_ERR_DEADLOCK, "unknown error");
}

Test(error, has_a_name_for_every_exit_reason)
{
    expect_texts(text_of_exit, TROUPE_EXIT_NODE_LOST, "unknown");
}

Test(error, has_a_name_for_every_reason_of_a_dead_letter)
{
    expect_texts(text_of_dead, TROUPE_DEAD_REASON_COUNT - 1, "unknown");
}

Test(error, has_no_detail_at_first)
{
    cr_expect(strcmp(troupe_error_detail(), "") == 0);
}

Test(error, keeps_the_latest_detail_and_yields_the_code)
{
    cr_expect(eq(int, TRP_EXPLAIN(TROUPE_ERR_FULL, "mailbox %d", 7), TROUPE_ERR_FULL));
    cr_expect(strcmp(troupe_error_detail(), "mailbox 7") == 0);
    cr_expect(eq(int, TRP_EXPLAIN(TROUPE_ERR_INVAL, "%s", ""), TROUPE_ERR_INVAL));
    cr_expect(strcmp(troupe_error_detail(), "") == 0);
}

Test(error, names_the_executor_of_a_full_mailbox)
{
    cr_expect(eq(int, trp_error_full(7, true), TROUPE_ERR_FULL));
    cr_expect(strstr(troupe_error_detail(), "executor 7 is full; wait for the ROOM") != NULL);
    (void)TRP_EXPLAIN(TROUPE_ERR_INVAL, "later");
    cr_expect(strcmp(troupe_error_detail(), "later") == 0);
}

Test(error, cuts_a_detail_that_is_too_long)
{
    static char text[8192];
    memset(text, 'x', sizeof(text) - 1);
    (void)TRP_EXPLAIN(TROUPE_ERR_INVAL, "%s", text);
    size_t bytes = strlen(troupe_error_detail());
    cr_expect(lt(sz, bytes, sizeof(text) - 1));
    cr_expect(ge(sz, bytes, 255));
    cr_expect(strspn(troupe_error_detail(), "x") == bytes);
}

static void *explain_on_another_thread(void *seen)
{
    memcpy(seen, troupe_error_detail(), 1);
    (void)TRP_EXPLAIN(TROUPE_ERR_INVAL, "theirs");
    return NULL;
}

Test(error, keeps_details_of_threads_apart)
{
    char seen = 'x';
    pthread_t thread;
    (void)TRP_EXPLAIN(TROUPE_ERR_INVAL, "ours");

    cr_assert(eq(int, pthread_create(&thread, NULL, explain_on_another_thread, &seen), 0));
    cr_assert(eq(int, pthread_join(thread, NULL), 0));

    cr_expect(eq(chr, seen, '\0'));
    cr_expect(strcmp(troupe_error_detail(), "ours") == 0);
}
