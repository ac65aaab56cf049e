/*
 * Frames that nobody should have sent, through the real socket of an executor: each is refused and
 * counted, the executor is unharmed, and no message of others is lost.
 *
 * A stranger is a PUSH of the test's own, connected to the mailbox of an executor. It has no link, and
 * so no cookie that the executor would know; and it does not ring the doorbell.
 */
#include "support/audit.h"

#include "chance.h"
#include "channel/channel.h"
#include "node/system.h"
#include "troupe/troupe.h"
#include "wire/frame.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <zmq.h>

TestSuite(undecodable, .timeout = 30);

enum { COUNT = 1, ASK, COUNTED };

#define DEADLINE_NS UINT64_C(5000000000)

/* The actor that gets mail meanwhile. ----------------------------------------------------------- */

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

/* The stage: a system, a counter on a thread, a port, and a stranger. --------------------------- */

static troupe_system_t *system_under_test;
static troupe_inbox_t *port;
static troupe_ref_t counter_ref;

static void open_stage(const char *place)
{
    const struct troupe_system_options options = {.behaviours = behaviours};
    cr_assert(eq(int, troupe_system_new(&options, &system_under_test), TROUPE_OK));
    cr_assert(eq(int, troupe_inbox_new(system_under_test, &port), TROUPE_OK));
    const struct troupe_spawn_options spawn = {.behaviour = &counter, .place = place};
    cr_assert(eq(int, troupe_spawn(troupe_inbox_context(port), &spawn, &counter_ref), TROUPE_OK));
}

static struct troupe_stats stats_now(void)
{
    struct troupe_stats stats;
    troupe_system_stats(system_under_test, &stats);
    return stats;
}

/** End the system. @return its counters, which close and of which nothing waits. */
static struct troupe_stats close_stage(void)
{
    cr_assert(eq(int, troupe_inbox_destroy(&port), TROUPE_OK));
    troupe_system_stop(system_under_test);
    cr_assert(
        eq(int, troupe_system_run(system_under_test), TROUPE_OK), "%s", troupe_error_detail());
    struct troupe_stats stats = stats_now();
    cr_expect(audit_balances(system_under_test));
    cr_assert(eq(int, troupe_system_destroy(&system_under_test), TROUPE_OK));
    return stats;
}

static void send_count(void)
{
    troupe_context_t *ctx = troupe_inbox_context(port);
    cr_assert(eq(int, troupe_send(ctx, counter_ref, COUNT, NULL, 0), TROUPE_OK));
}

/** @return how many messages the counter met, after all that was sent before. */
static uint64_t ask_count(void)
{
    const struct troupe_outgoing letter = {.to = counter_ref, .type = ASK};
    troupe_message_t *answer = NULL;
    cr_assert(eq(int, troupe_inbox_ask(port, &letter, DEADLINE_NS, &answer), TROUPE_OK));
    const uint64_t *count = TROUPE_BODY(answer, uint64_t);
    cr_assert(count != NULL);
    uint64_t met = *count;
    troupe_message_destroy(&answer);
    return met;
}

/** Wait until so many frames were refused: every ask is an event on that executor. */
static void await_refused(uint64_t count)
{
    troupe_context_t *ctx = troupe_inbox_context(port);
    uint64_t deadline_ns = troupe_now(ctx) + DEADLINE_NS;
    while (stats_now().frames_undecodable < count) {
        (void)ask_count();
        cr_assert(troupe_now(ctx) < deadline_ns, "not all frames were met");
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

/** @return a header as a peer would write it, of a link that is not. */
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

Test(undecodable, frames_of_every_sort_are_counted_and_harm_nobody)
{
    open_stage("thread");
    send_count();
    void *stranger = stranger_open(counter_ref.executor);
    static uint8_t large[2 * TRP_FRAME_BYTES_MAX];
    const uint8_t zeros[256] = {0};
    struct forged claims[] = {
        forge(0),                    // to be executor 0, which has no link there
        forge(counter_ref.executor), // to be the receiver itself
        forge(UINT32_MAX),           // to be nobody there is
        forge(
            troupe_self(troupe_inbox_context(port)).executor), // to be the port, without its cookie
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
    await_refused(11);

    send_count();
    cr_expect(eq(u64, ask_count(), 2)); // both of ours, and none of the forged
    cr_assert(eq(int, zmq_close(stranger), 0));
    struct troupe_stats stats = close_stage();
    cr_expect(eq(u64, stats.frames_undecodable, 11));
    cr_expect(eq(u64, stats.dead, 0)); // what no peer sent was never accepted
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}

Test(undecodable, parts_of_one_message_are_refused_one_by_one)
{
    open_stage("thread");
    void *stranger = stranger_open(counter_ref.executor);
    for (int i = 0; i < 100; i++) {
        cr_assert(eq(int, zmq_send(stranger, "part", 4, i < 99 ? ZMQ_SNDMORE : 0), 4));
    }
    await_refused(100);
    send_count();
    cr_expect(eq(u64, ask_count(), 1));
    cr_assert(eq(int, zmq_close(stranger), 0));
    (void)close_stage();
}

/** Send random bytes that often have a header somebody could have written. */
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

Test(undecodable, random_frames_lose_no_message_of_others)
{
    enum { FRAMES = 5000 };
    struct chance chance = chance_open("strangers' frames");
    open_stage("thread");
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
    await_refused(FRAMES);

    cr_expect(eq(u64, ask_count(), sent));
    cr_assert(eq(int, zmq_close(stranger), 0));
    struct troupe_stats stats = close_stage();
    cr_expect(eq(u64, stats.frames_undecodable, FRAMES));
    cr_expect(eq(u64, stats.dead, 0));
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}

Test(undecodable, strangers_leave_nothing_behind)
{
    enum { FRAMES = 1000 };
    open_stage("ecs");
    void *stranger = stranger_open(0);
    uint32_t links = system_under_test->executor->channels.by_peer.count;
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct forged forged = forge(1000 + i); // each claims to be another
        stranger_send(stranger, &forged, sizeof(forged));
    }
    while (stats_now().frames_undecodable < FRAMES) { // the suite's timeout is the deadline
        cr_assert(eq(int, troupe_system_progress(system_under_test, NULL), TROUPE_OK));
    }

    cr_expect(
        le(u32, system_under_test->executor->channels.by_peer.count, links + 1)); // the port's

    cr_assert(eq(int, zmq_close(stranger), 0));
    (void)close_stage();
}

/* A peer's frames that were damaged on their way. ------------------------------------------------ */

/** A frame with the port's own cookie, as if the port had sent it. */
static struct forged forge_of_port(struct trp_channel **out_link)
{
    struct troupe_executor *sender = trp_executor_of(troupe_inbox_context(port));
    struct trp_channel *link = trp_idmap_find(&sender->channels.by_peer, counter_ref.executor);
    cr_assert(ne(ptr, link, NULL));
    struct forged forged = forge(sender->id);
    forged.header.cookie = link->cookie;
    forged.header.marks = TRP_MARK_RUNG;
    forged.header.first_sequence = trp_counted(&link->ledger->accepted);
    *out_link = link;
    return forged;
}

/** Send a frame that the port accepted @p accepted messages for. */
static void send_as_port(
    struct trp_channel *link, const void *bytes, size_t size, uint64_t accepted)
{
    struct troupe_executor *sender = trp_executor_of(troupe_inbox_context(port));
    trp_count(&link->ledger->accepted, accepted);
    stranger_send(link->push, bytes, size);
    trp_gate_ring(link->gate, TRP_MARK_RUNG);
    trp_count(&sender->counters->frames_sent, 1);
}

Test(undecodable, what_a_damaged_frame_held_becomes_dead_letters)
{
    open_stage("thread");
    (void)ask_count(); // opens the link
    struct trp_channel *link = NULL;
    struct forged forged = forge_of_port(&link);
    forged.header.count = 3;
    forged.envelope.tag = trp_tag(TRP_KIND_USER, 0, 100); // and the frame ends before it

    send_as_port(link, &forged, sizeof(forged), 3);
    send_count();

    cr_expect(eq(u64, ask_count(), 1));
    struct troupe_stats stats = close_stage();
    cr_expect(eq(u64, stats.frames_undecodable, 1));
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_UNDECODABLE], 3));
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}

Test(undecodable, what_came_before_the_damage_is_met)
{
    open_stage("thread");
    (void)ask_count();
    struct trp_channel *link = NULL;
    struct {
        struct forged sound;
        struct trp_envelope damaged;
    } frame = {.sound = forge_of_port(&link)};
    frame.sound.header.count = 2;
    frame.damaged = frame.sound.envelope;
    frame.damaged.tag = UINT32_MAX;
    frame.sound.envelope.tag = trp_tag(TRP_KIND_USER, TRP_FLAG_UNMETERED, 0); // no credit was taken

    send_as_port(link, &frame, sizeof(frame), 2);

    cr_expect(eq(u64, ask_count(), 1));
    struct troupe_stats stats = close_stage();
    cr_expect(eq(u64, stats.frames_undecodable, 1));
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_UNDECODABLE], 1));
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}

Test(undecodable, a_frame_that_holds_fewer_messages_than_it_says_is_counted)
{
    open_stage("thread");
    (void)ask_count();
    struct trp_channel *link = NULL;
    struct forged forged = forge_of_port(&link);
    forged.header.count = 5;
    forged.envelope.tag = trp_tag(TRP_KIND_USER, TRP_FLAG_UNMETERED, 0);

    send_as_port(link, &forged, sizeof(forged), 5);

    cr_expect(eq(u64, ask_count(), 1));
    struct troupe_stats stats = close_stage();
    cr_expect(eq(u64, stats.frames_undecodable, 1));
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_UNDECODABLE], 4));
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}

Test(undecodable, a_frame_that_holds_more_messages_than_it_says_loses_none_twice)
{
    open_stage("thread");
    (void)ask_count();
    struct trp_channel *link = NULL;
    struct {
        struct forged sound;
        struct trp_envelope damaged;
    } frame = {.sound = forge_of_port(&link)};
    frame.sound.header.count = 0;
    frame.damaged = frame.sound.envelope;
    frame.damaged.tag = UINT32_MAX;
    frame.sound.envelope.tag = trp_tag(TRP_KIND_USER, TRP_FLAG_UNMETERED, 0);

    send_as_port(link, &frame, sizeof(frame), 1);

    cr_expect(eq(u64, ask_count(), 1));
    struct troupe_stats stats = close_stage();
    cr_expect(eq(u64, stats.frames_undecodable, 1));
    cr_expect(eq(u64, stats.dead, 0));
    cr_expect(eq(u64, stats.sequence_gaps, 0));
}
