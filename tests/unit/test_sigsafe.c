/*
 * Text put together in signal handlers, and what is said with it of a callback.
 */
#include "base/sigsafe.h"
#include "shared/activity.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void expect_text(const struct trp_sigsafe *scribble, const char *expected)
{
    char text[TRP_SIGSAFE_BYTES];
    trp_sigsafe_copy(scribble, text, sizeof(text));
    cr_expect(strcmp(text, expected) == 0, "'%s' is not '%s'", text, expected);
}

Test(sigsafe, adds_texts_and_numbers)
{
    struct trp_sigsafe scribble = {.used = 0};
    trp_sigsafe_text(&scribble, "of ");
    trp_sigsafe_number(&scribble, 0);
    trp_sigsafe_text(&scribble, ", ");
    trp_sigsafe_number(&scribble, UINT64_MAX);
    trp_sigsafe_text(&scribble, ", 0x");
    trp_sigsafe_hex(&scribble, UINT64_C(0xdeadbeef));
    expect_text(&scribble, "of 0, 18446744073709551615, 0xdeadbeef");
}

Test(sigsafe, is_cut_where_there_is_no_more_room)
{
    struct trp_sigsafe scribble = {.used = 0};
    for (int i = 0; i < TRP_SIGSAFE_BYTES; i++) {
        trp_sigsafe_text(&scribble, "ab");
    }
    cr_expect(eq(sz, scribble.used, TRP_SIGSAFE_BYTES - 1));
    char text[5];
    trp_sigsafe_copy(&scribble, text, sizeof(text));
    cr_expect(strcmp(text, "abab") == 0, "%s", text);
}

Test(sigsafe, is_written_as_one_line)
{
    int ends[2];
    cr_assert(pipe(ends) == 0);
    struct trp_sigsafe scribble = {.used = 0};
    trp_sigsafe_text(&scribble, "all");
    trp_sigsafe_write(&scribble, ends[1]);
    char text[16] = "";
    cr_expect(eq(int, (int)read(ends[0], text, sizeof(text) - 1), 4));
    cr_expect(strcmp(text, "all\n") == 0, "%s", text);
}

static void expect_callback(uint32_t type, const char *expected)
{
    char text[TRP_CALLBACK_TEXT_BYTES];
    trp_callback_print(type, text);
    cr_expect(strcmp(text, expected) == 0, "'%s' is not '%s'", text, expected);
}

Test(activity, prints_what_a_callback_is_for)
{
    expect_callback(7, "a message of type 7");
    expect_callback(7 | TRP_CALLBACK_REPLY, "a reply of type 7");
    expect_callback(TROUPE_MESSAGE_ROOM, "a notice of type 0x7fffff01");
    expect_callback(TRP_CALLBACK_INIT, "init");
    expect_callback(TRP_CALLBACK_FINI, "fini");
    expect_callback(TRP_CALLBACK_FAILED_ASK, "an ask that failed");
}

Test(activity, measures_how_long_the_same_callback_was_sampled)
{
    struct trp_slot slot = {.id = 1};
    uint32_t count = 0;
    trp_activity_begin(&slot, &count, 4, 7);
    cr_expect(eq(u64, trp_activity_sample(&slot, 100).for_ns, 0));
    struct trp_callback_sample sample = trp_activity_sample(&slot, 250);
    cr_expect(eq(u64, sample.for_ns, 150));
    cr_expect(eq(u32, sample.type, 7));
    cr_expect(eq(u32, trp_callback_index(sample.callback), 4));

    trp_activity_begin(&slot, &count, 4, 7); // the next, of the same actor
    cr_expect(eq(u64, trp_activity_sample(&slot, 300).for_ns, 0));

    trp_activity_forget(&slot, 400);
    cr_expect(eq(u64, trp_activity_sample(&slot, 450).for_ns, 50));

    trp_activity_end(&slot);
    cr_expect(eq(u64, trp_activity_sample(&slot, 500).callback, 0));
}
