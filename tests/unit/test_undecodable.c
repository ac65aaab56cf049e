/*
 * Frames that no executor sends, through the real socket of an executor: each is rejected and counted, the
 * executor is unharmed, and no other message is lost.
 *
 * A stranger is a PUSH of the test's own, connected to the mailbox of an executor. It has no channel, and so no
 * cookie that the executor knows, and it does not ring the doorbell.
 */
#include "support/audit.h"

#include "chance.h"
#include "channel/channel.h"
#include "node/system.h"
#include "troupe/troupe.h"
#include "wire/format.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <zmq.h>

TestSuite(undecodable, .timeout = 30);

enum { COUNT = 1, ASK, COUNTED };

#define DEADLINE_NS UINT64_C(5000000000)

/* The actor that gets messages meanwhile. ------------------------------------------------------- */

static void counter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    uint64_t *count = state;
    if (troupe_message_type(message) == COUNT) {
        ++*count;
    } else {
        (void)troupe_reply(ctx, message, COUNTED, count, sizeof(*count));
    }
}

static const struct troupe_behaviour counter = {
    .name = "counter",
    .state_bytes = sizeof(uint64_t),
    .receive = counter_receive,
};

static const struct troupe_behaviour *const behaviours[] = {&counter, NULL};

/* The setup: a system, a counter on a thread, an inbox, and a stranger. -------------------------- */

static troupe_system_t *system_under_test;
static troupe_inbox_t *inbox;
static troupe_ref_t counter_ref;

static void setup(const char *place)
{
    const struct troupe_system_options options = {.behaviours = behaviours};
    cr_assert(eq(int, troupe_system_new(&options, &system_under_test), TROUPE_OK));
    cr_assert(eq(int, troupe_inbox_new(system_under_test, &inbox), TROUPE_OK));
    const struct troupe_spawn_options spawn = {.behaviour = &counter, .place = place};
    cr_assert(eq(int, troupe_spawn(troupe_inbox_context(inbox), &spawn, &counter_ref), TROUPE_OK));
}

static struct troupe_stats stats_now(void)
{
    struct troupe_stats stats;
    troupe_system_stats(system_under_test, &stats);
    return stats;
}

/** End the system. @return its counters, which balance or not. */
static struct troupe_stats teardown_with(bool balances)
{
    cr_assert(eq(int, troupe_inbox_destroy(&inbox), TROUPE_OK));
    troupe_system_stop(system_under_test);
    cr_assert(
        eq(int, troupe_system_run(system_under_test), TROUPE_OK), "%s", troupe_error_detail());
    struct troupe_stats stats = stats_now();
    cr_expect(eq(int, audit_balances(system_under_test), balances));
    cr_assert(eq(int, troupe_system_destroy(&system_under_test), TROUPE_OK));
    return stats;
}

static struct troupe_stats teardown(void)
{
    return teardown_with(true);
}

static void send_count(void)
{
    troupe_context_t *ctx = troupe_inbox_context(inbox);
    cr_assert(eq(int, troupe_send(ctx, counter_ref, COUNT, NULL, 0), TROUPE_OK));
}

/** @return how many messages the counter received, after all that were sent before. */
static uint64_t ask_count(void)
{
    const struct troupe_outgoing question = {.to = counter_ref, .type = ASK};
    troupe_message_t *reply = NULL;
    cr_assert(eq(int, troupe_inbox_ask(inbox, &question, DEADLINE_NS, &reply), TROUPE_OK));
    const uint64_t *count = TROUPE_BODY(reply, uint64_t);
    cr_assert(count != NULL);
    uint64_t received = *count;
    troupe_message_destroy(&reply);
    return received;
}

/** Wait until so many frames were rejected: every ask wakes that executor. */
static void await_rejected(uint64_t count)
{
    troupe_context_t *ctx = troupe_inbox_context(inbox);
    uint64_t deadline_ns = troupe_now(ctx) + DEADLINE_NS;
    while (stats_now().frames_undecodable < count) {
        (void)ask_count();
        cr_assert(troupe_now(ctx) < deadline_ns, "not all frames were rejected");
    }
}

static void *stranger_open(uint32_t executor_id)
{
    char endpoint[64];
    const int linger = 0;
    (void)snprintf(endpoint, sizeof(endpoint), "inproc://executor-%u", executor_id);
    void *socket = zmq_socket(system_under_test->runtime.context, ZMQ_PUSH);
    cr_assert(ne(ptr, socket, NULL));
    cr_assert(eq(int, zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger)), 0));
    cr_assert(eq(int, zmq_connect(socket, endpoint), 0));
    return socket;
}

static void stranger_send(void *socket, const void *bytes, size_t size)
{
    cr_assert(eq(int, zmq_send(socket, bytes, size, ZMQ_DONTWAIT), (int)size));
}

/** @return a header as a peer would write it, of a channel that does not exist. */
static struct trp_header header_of(uint32_t executor_id)
{
    return (struct trp_header){
        .version = TRP_FRAME_VERSION,
        .lane = TRP_LANE_USER,
        .node = system_under_test->runtime.node,
        .executor = executor_id,
    };
}

/* A frame of one message for the counter, which must never arrive. */
struct forged {
    struct trp_header header;
    struct trp_envelope envelope;
};

static struct forged forge(uint32_t executor_id)
{
    struct forged forged = {
        .header = header_of(executor_id),
        .envelope =
            {
                .to_index = counter_ref.index,
                .to_generation = counter_ref.generation,
                .type = COUNT,
            },
    };
    forged.header.count = 1;
    return forged;
}

/* Strangers. ----------------------------------------------------------------------------------- */

Test(undecodable, frames_of_every_kind_are_counted_and_do_no_harm)
{
    setup("thread");
    send_count();
    void *stranger = stranger_open(counter_ref.executor);
    static uint8_t large[2 * TRP_FRAME_BYTES_MAX];
    const uint8_t zeros[256] = {0};
    struct forged claims[] = {
        forge(0),                    // to be executor 0, which has no channel there
        forge(counter_ref.executor), // to be the receiver itself
        forge(UINT32_MAX),           // to be an executor that does not exist
        // To be the inbox, without its cookie.
        forge(troupe_self(troupe_inbox_context(inbox)).executor),
    };
    struct forged foreign = forge(0);
    foreign.header.node = 77;

    stranger_send(stranger, zeros, 0);
    stranger_send(stranger, zeros, 1);
    stranger_send(stranger, zeros, sizeof(struct trp_header) - 1);
    stranger_send(stranger, zeros, sizeof(struct trp_header));
    stranger_send(stranger, zeros, sizeof(zeros));
    stranger_send(stranger, large, sizeof(large));
    stranger_send(stranger, &foreign, sizeof(foreign));
    for (size_t i = 0; i < 4; i++) {
        stranger_send(stranger, &claims[i], sizeof(claims[i]));
    }
    await_rejected(11);

    send_count();
    cr_expect(eq(u64, ask_count(), 2)); // both messages of the inbox, and no forged one
    cr_assert(eq(int, zmq_close(stranger), 0));
    struct troupe_stats stats = teardown();
    cr_expect(eq(u64, stats.frames_undecodable, 11));
    cr_expect(eq(u64, stats.dead, 0)); // messages that no peer sent were never accepted
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}

Test(undecodable, parts_of_one_message_are_rejected_one_by_one)
{
    setup("thread");
    void *stranger = stranger_open(counter_ref.executor);
    for (int i = 0; i < 100; i++) {
        cr_assert(eq(int, zmq_send(stranger, "part", 4, i < 99 ? ZMQ_SNDMORE : 0), 4));
    }
    await_rejected(100);
    send_count();
    cr_expect(eq(u64, ask_count(), 1));
    cr_assert(eq(int, zmq_close(stranger), 0));
    (void)teardown();
}

/** Send random bytes that often begin with a header that could be real. */
static void send_random(struct chance *chance, void *stranger)
{
    _Alignas(8) uint8_t bytes[512];
    size_t size = chance_below(chance, sizeof(bytes));
    chance_fill(chance, bytes, size);
    if (size >= sizeof(struct trp_header) && chance_one_in(chance, 2)) {
        struct trp_header header = header_of(chance_below(chance, 4));
        header.lane = (uint8_t)chance_below(chance, 2);
        header.count = chance_below(chance, 8);
        header.cookie = chance_bits(chance);
        memcpy(bytes, &header, sizeof(header));
        size &= ~(size_t)7;
    }
    stranger_send(stranger, bytes, size);
}

Test(undecodable, random_frames_lose_no_other_message)
{
    enum { FRAMES = 5000 };
    struct chance chance = chance_open("strangers' frames");
    setup("thread");
    void *stranger = stranger_open(counter_ref.executor);
    uint64_t sent = 0;

    for (int i = 0; i < FRAMES; i++) {
        send_random(&chance, stranger);
        if (chance_one_in(&chance, 2)) {
            send_count();
            sent++;
        }
        if (chance_one_in(&chance, 500)) {
            cr_assert(eq(u64, ask_count(), sent));
        }
    }
    await_rejected(FRAMES);

    cr_expect(eq(u64, ask_count(), sent));
    cr_assert(eq(int, zmq_close(stranger), 0));
    struct troupe_stats stats = teardown();
    cr_expect(eq(u64, stats.frames_undecodable, FRAMES));
    cr_expect(eq(u64, stats.dead, 0));
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}

Test(undecodable, strangers_leave_no_channels_behind)
{
    enum { FRAMES = 1000 };
    setup("ecs");
    void *stranger = stranger_open(0);
    uint32_t channels = system_under_test->executor->channels.by_peer.count;
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct forged forged = forge(1000 + i); // each claims to be another executor
        stranger_send(stranger, &forged, sizeof(forged));
    }
    while (stats_now().frames_undecodable < FRAMES) { // the suite's timeout is the deadline
        cr_assert(eq(int, troupe_system_progress(system_under_test, NULL), TROUPE_OK));
    }

    cr_expect(
        le(u32, system_under_test->executor->channels.by_peer.count, channels + 1)); // the inbox's

    cr_assert(eq(int, zmq_close(stranger), 0));
    (void)teardown();
}

/* A peer's frames that were damaged in transit. -------------------------------------------------- */

/** A frame with the inbox's own cookie, as if the inbox had sent it. */
static struct forged forge_of_inbox(struct trp_channel **out_channel)
{
    struct troupe_executor *sender = trp_executor_of(troupe_inbox_context(inbox));
    struct trp_channel *channel = trp_idmap_find(&sender->channels.by_peer, counter_ref.executor);
    cr_assert(ne(ptr, channel, NULL));
    struct forged forged = forge(sender->id);
    forged.header.cookie = channel->cookie;
    forged.header.marks = TRP_MARK_RUNG;
    forged.header.first_sequence = trp_counted(&channel->ledger->accepted);
    *out_channel = channel;
    return forged;
}

/** Send a frame for which the inbox accepted @p accepted messages. */
static void send_as_inbox(
    struct trp_channel *channel, const void *bytes, size_t size, uint64_t accepted)
{
    struct troupe_executor *sender = trp_executor_of(troupe_inbox_context(inbox));
    trp_count(&channel->ledger->accepted, accepted);
    stranger_send(channel->push, bytes, size);
    trp_doorbell_ring(&channel->slot->doorbell, TRP_MARK_RUNG);
    trp_count(&sender->counters->frames_sent, 1);
}

Test(undecodable, the_messages_of_a_damaged_frame_become_dead_letters)
{
    setup("thread");
    (void)ask_count(); // opens the channel
    struct trp_channel *channel = NULL;
    struct forged forged = forge_of_inbox(&channel);
    forged.header.count = 3;
    forged.envelope.tag = trp_tag(TRP_KIND_USER, 0, 100); // and the frame ends before it

    send_as_inbox(channel, &forged, sizeof(forged), 3);
    send_count();

    cr_expect(eq(u64, ask_count(), 1));
    struct troupe_stats stats = teardown();
    cr_expect(eq(u64, stats.frames_undecodable, 1));
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_UNDECODABLE], 3));
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}

Test(undecodable, messages_before_the_damage_are_received)
{
    setup("thread");
    (void)ask_count();
    struct trp_channel *channel = NULL;
    struct {
        struct forged sound;
        struct trp_envelope damaged;
    } frame = {.sound = forge_of_inbox(&channel)};
    frame.sound.header.count = 2;
    frame.damaged = frame.sound.envelope;
    frame.damaged.tag = UINT32_MAX;
    frame.sound.envelope.tag = trp_tag(TRP_KIND_USER, TRP_FLAG_UNMETERED, 0); // no credit was taken

    send_as_inbox(channel, &frame, sizeof(frame), 2);

    cr_expect(eq(u64, ask_count(), 1));
    struct troupe_stats stats = teardown();
    cr_expect(eq(u64, stats.frames_undecodable, 1));
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_UNDECODABLE], 1));
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}

Test(undecodable, a_frame_with_fewer_messages_than_its_header_says_is_counted)
{
    setup("thread");
    (void)ask_count();
    struct trp_channel *channel = NULL;
    struct forged forged = forge_of_inbox(&channel);
    forged.header.count = 5;
    forged.envelope.tag = trp_tag(TRP_KIND_USER, TRP_FLAG_UNMETERED, 0);

    send_as_inbox(channel, &forged, sizeof(forged), 5);

    cr_expect(eq(u64, ask_count(), 1));
    struct troupe_stats stats = teardown();
    cr_expect(eq(u64, stats.frames_undecodable, 1));
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_UNDECODABLE], 4));
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}

Test(undecodable, a_frame_with_more_messages_than_its_header_says_loses_none_twice)
{
    setup("thread");
    (void)ask_count();
    struct trp_channel *channel = NULL;
    struct {
        struct forged sound;
        struct trp_envelope damaged;
    } frame = {.sound = forge_of_inbox(&channel)};
    frame.sound.header.count = 0;
    frame.damaged = frame.sound.envelope;
    frame.damaged.tag = UINT32_MAX;
    frame.sound.envelope.tag = trp_tag(TRP_KIND_USER, TRP_FLAG_UNMETERED, 0);

    send_as_inbox(channel, &frame, sizeof(frame), 1);

    cr_expect(eq(u64, ask_count(), 1));
    struct troupe_stats stats = teardown();
    cr_expect(eq(u64, stats.frames_undecodable, 1));
    cr_expect(eq(u64, stats.dead, 0));
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}

Test(undecodable, a_frame_that_was_seen_before_is_not_delivered_again)
{
    setup("thread");
    (void)ask_count();
    struct trp_channel *channel = NULL;
    struct forged forged = forge_of_inbox(&channel);
    forged.envelope.tag = trp_tag(TRP_KIND_USER, TRP_FLAG_UNMETERED, 0);

    send_as_inbox(channel, &forged, sizeof(forged), 1);
    send_as_inbox(channel, &forged, sizeof(forged), 0);

    cr_expect(eq(u64, ask_count(), 1));
    struct troupe_stats stats = teardown_with(false); // the audit says so as well
    cr_expect(eq(u64, stats.frames_undecodable, 1));
    cr_expect(eq(u64, stats.sequence_gaps, 1));
    cr_expect(eq(u64, stats.dead, 0));
}

Test(undecodable, a_frame_of_another_process_is_rejected_although_its_cookie_is_right)
{
    setup("thread");
    (void)ask_count();
    struct trp_channel *channel = NULL;
    struct forged forged = forge_of_inbox(&channel);
    forged.envelope.tag = trp_tag(TRP_KIND_USER, TRP_FLAG_UNMETERED, 0);
    forged.header.node++;
    void *stranger = stranger_open(counter_ref.executor);

    stranger_send(stranger, &forged, sizeof(forged));
    await_rejected(1);

    cr_expect(eq(u64, ask_count(), 0));
    cr_assert(eq(int, zmq_close(stranger), 0));
    (void)teardown();
}

Test(undecodable, a_message_that_is_missing_at_the_end_of_a_channel_is_counted_as_a_gap)
{
    setup("ecs");
    send_count();
    while (stats_now().handled < 1) { // the suite's timeout is the deadline
        cr_assert(eq(int, troupe_system_progress(system_under_test, NULL), TROUPE_OK));
    }
    uint32_t inbox_id = troupe_self(troupe_inbox_context(inbox)).executor;
    struct trp_channel *channel =
        trp_idmap_find(&system_under_test->executor->channels.by_peer, inbox_id);
    cr_assert(ne(ptr, channel, NULL));

    channel->received_count--; // as if a frame had been lost on the way

    struct troupe_stats stats = teardown_with(false); // the audit says so as well
    cr_expect(eq(u64, stats.sequence_gaps, 1));
}
