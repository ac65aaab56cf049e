/*
 * A process that is killed during a batch: the whole batch is unknown, every other message has its outcome, and the
 * counters balance.
 */
#include "support/fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTE = 1, REQUEST, REPLY, NOTES = 500, HANDLED_FIRST = 3, LINE_BYTES = 32 };

/** A victim's arguments: where to write what it has in hand. */
struct victim_args {
    struct fixture_journal journal;
};

struct victim {
    struct victim_args args;
    uint32_t calls;
};

static enum troupe_err victim_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct victim *victim = state;
    MUST_BE(args_bytes == sizeof(victim->args));
    memcpy(&victim->args, args, args_bytes);
    return TROUPE_OK;
}

static void victim_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) == REQUEST) {
        MUST(troupe_reply(ctx, message, REPLY, NULL, 0));
    }
}

static void victim_receive_batch(
    troupe_context_t *ctx,
    void *const states[],
    const troupe_message_t *const messages[],
    size_t count)
{
    (void)messages;
    struct victim *victim = states[0];
    if (++victim->calls <= HANDLED_FIRST) {
        return;
    }
    MUST_BE(troupe_batch_select(ctx, count - 1)); // wherever in the batch it is
    char line[LINE_BYTES];
    (void)snprintf(line, sizeof(line), "%zu", count);
    fixture_journal_add(&victim->args.journal, line);
    (void)raise(SIGKILL);
}

static const struct troupe_behaviour victim = {
    .name = "victim",
    .state_bytes = sizeof(struct victim),
    .init = victim_init,
    .receive = victim_receive,
    .receive_batch = victim_receive_batch,
};

struct order {
    troupe_ref_t to;
};

static void send_notes(troupe_context_t *ctx, void *data)
{
    const struct order *order = data;
    troupe_monitor_t monitor = 0;
    MUST(troupe_monitor(ctx, order->to, &monitor));
    for (uint64_t i = 0; i < NOTES; i++) {
        MUST(TROUPE_SEND(ctx, order->to, NOTE, &i));
    }
}

static void expect_unknown(const struct fixture_placement *placement)
{
    struct fixture_options options = {.behaviours = subjects};
    struct fixture *fixture = fixture_open(placement, &options);
    struct victim_args args;
    fixture_journal_open(&args.journal);
    const struct troupe_spawn_options wanted = {
        .behaviour = &victim, .args = &args, .args_bytes = sizeof(args)};
    struct order order = {.to = fixture_spawn_with(fixture, &wanted)};
    fixture_ask(fixture, order.to, REQUEST, NULL, 0);
    (void)fixture_receive(fixture, REPLY);

    fixture_call(fixture, send_notes, &order);

    (void)fixture_receive(fixture, TROUPE_MESSAGE_DOWN);
    struct troupe_stats stats = fixture_close(&fixture);
    uint64_t in_hand = strtoull(fixture_journal_close(&args.journal), NULL, 10);
    cr_expect(ge(u64, in_hand, 2));
    cr_expect(le(u64, in_hand, TROUPE_BATCH_MAX));
    cr_expect(eq(u64, stats.unknown, in_hand));
    cr_expect(eq(u64, stats.accepted, stats.handled + stats.dead + stats.unknown));
    cr_expect(
        ge(u64, stats.handled, 2 * HANDLED_FIRST),
        "what was handled before the batch counts as handled");
}

Test(batch_kills, the_whole_batch_is_unknown_over_ipc, .timeout = FIXTURE_TEST_SECONDS)
{
    expect_unknown(&(const struct fixture_placement){.name = "ipc", .place = "process"});
}

Test(batch_kills, the_whole_batch_is_unknown_over_tcp, .timeout = FIXTURE_TEST_SECONDS)
{
    expect_unknown(&(const struct fixture_placement){.name = "tcp", .place = "process+tcp"});
}

SUBJECTS(&victim);
