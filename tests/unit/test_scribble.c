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

static void expect_text(const struct trp_scribble *scribble, const char *expected)
{
    char text[TRP_SCRIBBLE_BYTES];
    trp_scribble_copy(scribble, text, sizeof(text));
    cr_expect(strcmp(text, expected) == 0, "'%s' is not '%s'", text, expected);
}

Test(scribble, adds_texts_and_numbers)
{
    struct trp_scribble scribble = {.used = 0};
    trp_scribble_text(&scribble, "of ");
    trp_scribble_number(&scribble, 0);
    trp_scribble_text(&scribble, ", ");
    trp_scribble_number(&scribble, UINT64_MAX);
    trp_scribble_text(&scribble, ", 0x");
    trp_scribble_hex(&scribble, UINT64_C(0xdeadbeef));
    expect_text(&scribble, "of 0, 18446744073709551615, 0xdeadbeef");
}

Test(scribble, is_cut_where_there_is_no_more_room)
{
    struct trp_scribble scribble = {.used = 0};
    for (int i = 0; i < TRP_SCRIBBLE_BYTES; i++) {
        trp_scribble_text(&scribble, "ab");
    }
    cr_expect(eq(sz, scribble.used, TRP_SCRIBBLE_BYTES - 1));
    char text[5];
    trp_scribble_copy(&scribble, text, sizeof(text));
    cr_expect(strcmp(text, "abab") == 0, "%s", text);
}

Test(scribble, is_written_as_one_line)
{
    int ends[2];
    cr_assert(pipe(ends) == 0);
    struct trp_scribble scribble = {.used = 0};
    trp_scribble_text(&scribble, "all");
    trp_scribble_write(&scribble, ends[1]);
    char text[16] = "";
    cr_expect(eq(int, (int)read(ends[0], text, sizeof(text) - 1), 4));
    cr_expect(strcmp(text, "all\n") == 0, "%s", text);
}

static void expect_doing(uint32_t type, const char *expected)
{
    char text[TRP_DOING_TEXT_BYTES];
    trp_doing_print(type, text);
    cr_expect(strcmp(text, expected) == 0, "'%s' is not '%s'", text, expected);
}

Test(activity, says_what_a_callback_meets)
{
    expect_doing(7, "a message of type 7");
    expect_doing(7 | TRP_DOING_ANSWER, "an answer of type 7");
    expect_doing(TROUPE_MESSAGE_ROOM, "a notice of type 0x7fffff01");
    expect_doing(TRP_DOING_INIT, "init");
    expect_doing(TRP_DOING_FINI, "fini");
    expect_doing(TRP_DOING_FAILED_ASK, "an ask that failed");
}

Test(activity, knows_how_long_the_same_callback_was_seen)
{
    struct trp_seat seat = {.id = 1};
    uint32_t count = 0;
    trp_activity_begin(&seat, &count, 4, 7);
    cr_expect(eq(u64, trp_activity_look(&seat, 100).for_ns, 0));
    struct trp_glimpse glimpse = trp_activity_look(&seat, 250);
    cr_expect(eq(u64, glimpse.for_ns, 150));
    cr_expect(eq(u32, glimpse.type, 7));
    cr_expect(eq(u32, trp_doing_index(glimpse.doing), 4));

    trp_activity_begin(&seat, &count, 4, 7); // the next, of the same actor
    cr_expect(eq(u64, trp_activity_look(&seat, 300).for_ns, 0));

    trp_activity_forget(&seat, 400);
    cr_expect(eq(u64, trp_activity_look(&seat, 450).for_ns, 50));

    trp_activity_end(&seat);
    cr_expect(eq(u64, trp_activity_look(&seat, 500).doing, 0));
}
