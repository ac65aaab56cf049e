/*
 * Strangers that know the secret of the system connect to every mailbox that listens on ipc or tcp, and send bytes that
 * are no ZMTP, ZMTP that is no frame, and frames of no channel. All of it is rejected, whole frames are counted, and the actors that send to
 * each other meanwhile lose no message.
 *
 *     tellers --numbered messages--> counter <--+-- raw sockets: before, in and after a handshake
 *                                    tellers <--+-- PUSH sockets: noise, forgeries, parts, giants
 */
#include "support/audit.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "node/system.h"
#include "shared/slot_endpoint.h"
#include "unit/chance.h"
#include "wire/format.h"

#include <zmq.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { NUMBER = 1 };

enum {
    TELLERS = 2,
    ENDPOINTS_MAX = 16,
    RAW_ROUNDS = 60, // at each endpoint
    PUSH_ROUNDS = 60,
    SMALL_PARTS = 300,
    GIANT_BYTES = 1 << 20,
    LINGER_MS = 5000,
};

/* The actors that work meanwhile. --------------------------------------------------------------- */

struct teller_args {
    troupe_ref_t to;
    uint32_t number;
    struct fixture_latch gate; // they stop when it opens
    struct fixture_journal journal;
};

struct teller_state {
    struct teller_args args;
    uint64_t sent;
};

struct telling {
    uint64_t sequence;
    uint32_t teller;
};

static void teller_send(troupe_context_t *ctx, struct teller_state *self)
{
    while (self->sent % 256 != 0 || access(self->args.gate.path, F_OK) == 0) {
        const struct telling telling = {.sequence = self->sent, .teller = self->args.number};
        enum troupe_err err = TROUPE_SEND(ctx, self->args.to, NUMBER, &telling);
        if (err == TROUPE_ERR_FULL) {
            return; // until its ROOM
        }
        MUST(err);
        self->sent++;
    }
    char line[32];
    (void)snprintf(line, sizeof(line), "-%" PRIu64, self->sent);
    fixture_journal_add(&self->args.journal, line);
    troupe_stop(ctx);
}

static enum troupe_err teller_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct teller_state *self = state;
    MUST_BE(args_bytes == sizeof(self->args));
    memcpy(&self->args, args, sizeof(self->args));
    teller_send(ctx, self);
    return TROUPE_OK;
}

static void teller_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    MUST_BE(troupe_message_type(message) == TROUPE_MESSAGE_ROOM);
    teller_send(ctx, state);
}

static const struct troupe_behaviour teller = {
    .name = "teller",
    .state_bytes = sizeof(struct teller_state),
    .init = teller_init,
    .receive = teller_receive,
};

struct counter_state {
    struct fixture_journal journal;
    uint64_t counts[TELLERS];
};

static enum troupe_err counter_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct counter_state *self = state;
    MUST_BE(args_bytes == sizeof(self->journal));
    memcpy(&self->journal, args, sizeof(self->journal));
    return TROUPE_OK;
}

static void counter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx;
    struct counter_state *self = state;
    const struct telling *telling = TROUPE_BODY(message, struct telling);
    MUST_BE(telling != NULL && telling->teller < TELLERS);
    MUST_BE(telling->sequence == self->counts[telling->teller]);
    self->counts[telling->teller]++;
}

static void counter_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *end)
{
    (void)ctx, (void)end;
    const struct counter_state *self = state;
    for (int i = 0; i < TELLERS; i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "%" PRIu64, self->counts[i]);
        fixture_journal_add(&self->journal, line);
    }
}

static const struct troupe_behaviour counter = {
    .name = "counter",
    .state_bytes = sizeof(struct counter_state),
    .init = counter_init,
    .receive = counter_receive,
    .fini = counter_fini,
};

/* Strangers. ------------------------------------------------------------------------------------ */

/** A mailbox that listens. */
struct target {
    char endpoint[TRP_ENDPOINT_BYTES];
    uint32_t node;
    uint32_t executor;
};

/** Input and output of the thread of the strangers. */
struct siege {
    struct chance chance;
    void *context; // ZeroMQ's, for the strangers alone
    const char *secret;
    struct target targets[ENDPOINTS_MAX];
    uint32_t target_count;
    uint64_t frames; // whole ZeroMQ messages, each of which is to be rejected and counted
    _Atomic bool is_over;
};

/** @return how many mailboxes listen and are not ending. */
static uint32_t find_targets(troupe_system_t *system, struct target targets[static ENDPOINTS_MAX])
{
    uint32_t count = 0;
    struct trp_shared *shared = system->runtime.shared;
    trp_shared_lock(shared);
    uint32_t high = shared->slot_high;
    for (uint32_t i = 0; i < high && count < ENDPOINTS_MAX; i++) {
        const struct trp_slot *slot = &shared->slots[i];
        if (trp_slot_state(slot) == TRP_SLOT_OPEN && slot->listens) {
            struct target *target = &targets[count++];
            trp_slot_print_endpoint(shared, slot, target->endpoint);
            target->node = slot->node;
            target->executor = slot->id;
        }
    }
    trp_shared_unlock(shared);
    return count;
}

/** @return a plain socket that is connected to a target. */
static int raw_connect(const struct target *target)
{
    const char *tcp = "tcp://127.0.0.1:";
    int fd = -1;
    int connected = -1;
    if (strncmp(target->endpoint, tcp, strlen(tcp)) == 0) {
        unsigned long port = strtoul(target->endpoint + strlen(tcp), NULL, 10);
        const struct sockaddr_in address = {
            .sin_family = AF_INET,
            .sin_port = htons((uint16_t)port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        connected = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    } else {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        (void)snprintf(
            address.sun_path, sizeof(address.sun_path), "%s", target->endpoint + strlen("ipc://"));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        connected = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    }
    MUST_BE(connected == 0);
    return fd;
}

/** Write as much as is accepted: the peer may have closed the connection already. */
static void raw_write(int fd, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) {
            return;
        }
        at += sent;
        size -= (size_t)sent;
    }
}

/** The greeting and the INITIATE of a peer: ZMTP 3.0, mechanism PLAIN, a PUSH socket. */
static const uint8_t raw_greeting[64] = {
    0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0, 'P', 'L', 'A', 'I', 'N'};
static const uint8_t raw_initiate[] = "\x04\x1D\x08INITIATE\x0BSocket-Type\0\0\0\x04PUSH";

enum { WELCOME_BYTES = 10 };

static void raw_noise(struct siege *siege, int fd, uint32_t most)
{
    uint8_t bytes[4096];
    uint32_t size = 1 + chance_below(&siege->chance, most < sizeof(bytes) ? most : sizeof(bytes));
    chance_fill(&siege->chance, bytes, size);
    raw_write(fd, bytes, size);
}

static void raw_shake_hands(const struct siege *siege, int fd)
{
    char hello[128];
    int secret_bytes = (int)strlen(siege->secret);
    int size = snprintf(
        hello,
        sizeof(hello),
        "\x04%c\x05HELLO\x06troupe%c%s",
        6 + 7 + 1 + secret_bytes,
        secret_bytes,
        siege->secret);
    raw_write(fd, raw_greeting, sizeof(raw_greeting));
    raw_write(fd, hello, (size_t)size);
    // The mailbox answers as a peer does: without that, the bytes that follow would have no reader.
    uint8_t answer[sizeof(raw_greeting) + WELCOME_BYTES];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    for (size_t got = 0; got < sizeof(answer);) {
        ssize_t read_bytes =
            poll(&ready, 1, LINGER_MS) == 1 ? read(fd, answer, sizeof(answer) - got) : 0;
        MUST_BE(read_bytes > 0);
        got += (size_t)read_bytes;
    }
    raw_write(fd, raw_initiate, sizeof(raw_initiate) - 1);
}

/** Announce a frame of so many bytes, and send a few of them. */
static void raw_announce(struct siege *siege, int fd, uint64_t bytes)
{
    uint8_t head[9] = {0x02};
    for (int i = 0; i < 8; i++) {
        head[1 + i] = (uint8_t)(bytes >> (56 - 8 * i));
    }
    raw_write(fd, head, sizeof(head));
    raw_noise(siege, fd, 100);
}

/** One stranger that does not speak ZMTP, or breaks off. */
static void raw_visit(struct siege *siege, const struct target *target)
{
    int fd = raw_connect(target);
    switch (chance_below(&siege->chance, 9)) {
    case 0: // nothing at all
        break;
    case 1:
        raw_noise(siege, fd, 4096);
        break;
    case 2: // a part of a greeting
        raw_write(fd, raw_greeting, 1 + chance_below(&siege->chance, sizeof(raw_greeting)));
        break;
    case 3: // noise in a handshake
        raw_write(fd, raw_greeting, sizeof(raw_greeting));
        raw_noise(siege, fd, 200);
        break;
    case 4: // noise after it
        raw_shake_hands(siege, fd);
        raw_noise(siege, fd, 4096);
        break;
    case 5: // frames that never end
        raw_shake_hands(siege, fd);
        raw_announce(siege, fd, UINT64_C(1) << chance_below(&siege->chance, 63));
        break;
    case 6: // a message whose other parts never come
        raw_shake_hands(siege, fd);
        raw_write(fd, "\x01\x03one\x01\x03two", 10);
        break;
    case 7: // an unknown command
        raw_shake_hands(siege, fd);
        raw_write(fd, "\x04\x06\x05PINGS", 8);
        raw_noise(siege, fd, 100);
        break;
    default: // an old version of ZMTP
        raw_write(fd, "\x01\x00", 2);
        raw_noise(siege, fd, 100);
        break;
    }
    (void)close(fd);
}

static void push(struct siege *siege, void *socket, const void *bytes, size_t size)
{
    MUST_BE(zmq_send(socket, bytes, size, 0) == (int)size);
    siege->frames++;
}

/** A forged header: all is right except the cookie, and maybe more. */
static void push_forgery(struct siege *siege, void *socket)
{
    struct {
        struct trp_header header;
        uint8_t rest[400];
    } frame;
    const struct target *target =
        &siege->targets[chance_below(&siege->chance, siege->target_count)];
    chance_fill(&siege->chance, &frame, sizeof(frame));
    frame.header.version = TRP_FRAME_VERSION;
    frame.header.lane = (uint8_t)chance_below(&siege->chance, 2);
    frame.header.marks = (uint16_t)chance_below(&siege->chance, 4);
    frame.header.node = target->node;
    frame.header.executor = target->executor;
    if (chance_one_in(&siege->chance, 2)) {
        frame.header.cookie = 0;
    }
    push(siege, socket, &frame, chance_below(&siege->chance, sizeof(frame) + 1));
}

static void push_noise(struct siege *siege, void *socket)
{
    uint8_t bytes[512];
    chance_fill(&siege->chance, bytes, sizeof(bytes));
    push(siege, socket, bytes, chance_below(&siege->chance, sizeof(bytes) + 1));
}

static void push_parts(struct siege *siege, void *socket)
{
    uint8_t bytes[64];
    for (int i = 0; i < SMALL_PARTS; i++) {
        chance_fill(&siege->chance, bytes, sizeof(bytes));
        size_t size = chance_below(&siege->chance, sizeof(bytes) + 1);
        MUST_BE(zmq_send(socket, bytes, size, ZMQ_SNDMORE) == (int)size);
    }
    push(siege, socket, NULL, 0);
}

static void push_giant(struct siege *siege, void *socket)
{
    static uint8_t bytes[GIANT_BYTES]; // used by one thread only
    chance_fill(&siege->chance, bytes, sizeof(struct trp_header));
    bytes[0] = TRP_FRAME_VERSION;
    push(siege, socket, bytes, sizeof(bytes));
}

/** One stranger that speaks ZMTP. */
static void push_visit(struct siege *siege, const struct target *target)
{
    const int linger = LINGER_MS;
    const int unbounded = 0;
    void *socket = zmq_socket(siege->context, ZMQ_PUSH);
    MUST_BE(socket != NULL && zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger)) == 0);
    MUST_BE(zmq_setsockopt(socket, ZMQ_SNDHWM, &unbounded, sizeof(unbounded)) == 0);
    MUST_BE(zmq_setsockopt(socket, ZMQ_PLAIN_USERNAME, "troupe", 6) == 0);
    MUST_BE(zmq_setsockopt(socket, ZMQ_PLAIN_PASSWORD, siege->secret, strlen(siege->secret)) == 0);
    MUST_BE(zmq_connect(socket, target->endpoint) == 0);
    for (int i = 0; i < 8; i++) {
        switch (chance_below(&siege->chance, 8)) {
        case 0:
            push(siege, socket, NULL, 0);
            break;
        case 1:
            push_parts(siege, socket);
            break;
        case 2:
            push_giant(siege, socket);
            break;
        case 3:
        case 4:
            push_noise(siege, socket);
            break;
        default:
            push_forgery(siege, socket);
            break;
        }
    }
    (void)zmq_close(socket); // frames sent before still arrive
}

static void *siege_main(void *data)
{
    struct siege *siege = data;
    for (int round = 0; round < RAW_ROUNDS; round++) {
        for (uint32_t i = 0; i < siege->target_count; i++) {
            raw_visit(siege, &siege->targets[i]);
            if (round < PUSH_ROUNDS) {
                push_visit(siege, &siege->targets[i]);
            }
        }
    }
    MUST_BE(zmq_ctx_term(siege->context) == 0); // waits until all is sent
    siege->is_over = true;
    return NULL;
}

/* The tests. ------------------------------------------------------------------------------------ */

/** Run the system until @p done returns true. */
static void run_until(
    troupe_system_t *system, bool (*done)(troupe_system_t *system, void *data), void *data)
{
    uint64_t deadline_ns = measure_now_ns() + 3 * FIXTURE_DEADLINE_NS;
    while (!done(system, data)) {
        cr_assert(eq(int, troupe_system_progress(system, NULL), TROUPE_OK));
        struct pollfd ready = {.fd = troupe_system_fd(system), .events = POLLIN};
        (void)poll(&ready, 1, 1);
        if (measure_now_ns() > deadline_ns) {
            (void)troupe_system_audit(system, stderr);
            cr_fatal("it takes too long; the audit is on standard error");
        }
    }
}

static struct troupe_stats stats_of(troupe_system_t *system)
{
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    return stats;
}

static bool has_started(troupe_system_t *system, void *data)
{
    (void)data;
    return stats_of(system).handled > 1000;
}

static bool has_rejected_all(troupe_system_t *system, void *data)
{
    const struct siege *siege = data;
    return siege->is_over && stats_of(system).frames_undecodable >= siege->frames;
}

static bool is_quiet(troupe_system_t *system, void *data)
{
    (void)data;
    struct troupe_stats stats = stats_of(system);
    return stats.actors_ended == TELLERS && stats.accepted == stats.handled;
}

/** Compare the messages sent with those received. */
static void audit_journal(struct fixture_journal *journal)
{
    int64_t sum = 0;
    int lines = 0;
    for (const char *at = fixture_journal_close(journal); *at != '\0'; at = strchr(at, '\n') + 1) {
        sum += strtoll(at, NULL, 10);
        lines++;
    }
    cr_expect(eq(int, lines, 2 * TELLERS));
    cr_expect(eq(i64, sum, 0), "all messages sent were received");
}

static void start_actors(
    const struct fixture_placement *placement,
    const struct fixture_latch *gate,
    struct fixture_journal *journal,
    troupe_system_t **out_system)
{
    char rules[2][64];
    (void)snprintf(rules[0], sizeof(rules[0]), "counter=%s", placement->place);
    (void)snprintf(
        rules[1], sizeof(rules[1]), "teller=process+%s", strchr(placement->place, '+') + 1);
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&counter, &teller),
        .place = (const char *const[]){rules[0], rules[1], NULL},
        .mailbox_messages = 256,
        .stop_timeout_ns = FIXTURE_DEADLINE_NS,
    };
    cr_assert(eq(int, troupe_system_new(&options, out_system), TROUPE_OK));
    troupe_context_t *ctx = troupe_system_context(*out_system);
    struct teller_args args = {.gate = *gate, .journal = *journal};
    const struct troupe_spawn_options first = {
        .behaviour = &counter, .args = journal, .args_bytes = sizeof(*journal)};
    cr_assert(eq(int, troupe_spawn(ctx, &first, &args.to), TROUPE_OK));
    for (; args.number < TELLERS; args.number++) {
        const struct troupe_spawn_options next = {
            .behaviour = &teller, .args = &args, .args_bytes = sizeof(args)};
        cr_assert(eq(int, troupe_spawn(ctx, &next, NULL), TROUPE_OK));
    }
}

static void besiege(const char *test, const char *place)
{
    const struct fixture_placement placement = {.name = test, .place = place};
    struct fixture_latch gate;
    struct fixture_journal journal;
    fixture_latch_close(&gate);
    fixture_journal_open(&journal);
    troupe_system_t *system = NULL;
    start_actors(&placement, &gate, &journal, &system);
    run_until(system, has_started, NULL);

    static struct siege siege;
    siege = (struct siege){
        .chance = chance_open(test),
        .context = zmq_ctx_new(),
        .secret = system->runtime.shared->secret,
    };
    siege.target_count = find_targets(system, siege.targets);
    cr_assert(siege.target_count >= TELLERS + 1, "%u mailboxes listen", siege.target_count);
    pthread_t thread;
    cr_assert(eq(int, pthread_create(&thread, NULL, siege_main, &siege), 0));
    run_until(system, has_rejected_all, &siege);
    (void)pthread_join(thread, NULL);
    fixture_latch_open(&gate);
    run_until(system, is_quiet, NULL);

    troupe_system_stop(system);
    cr_assert(eq(int, troupe_system_run(system), TROUPE_OK), "%s", troupe_error_detail());
    struct troupe_stats stats = stats_of(system);
    cr_expect(eq(u64, stats.accepted, stats.handled));
    cr_expect(eq(u64, stats.dead, 0));
    cr_expect(eq(u64, stats.unknown, 0));
    cr_expect(eq(u64, stats.sequence_gaps, 0));
    cr_expect(ge(u64, stats.frames_undecodable, siege.frames));
    audit_and_destroy(&system);
    audit_journal(&journal);
}

Test(strangers, are_rejected_by_the_main_thread_by_ipc, .timeout = 100)
{
    besiege("main by ipc", "ecs+ipc");
}

Test(strangers, are_rejected_by_the_main_thread_by_tcp, .timeout = 100)
{
    besiege("main by tcp", "ecs+tcp");
}

Test(strangers, are_rejected_by_a_thread_by_ipc, .timeout = 100)
{
    besiege("a thread by ipc", "thread+ipc");
}

Test(strangers, are_rejected_by_a_thread_by_tcp, .timeout = 100)
{
    besiege("a thread by tcp", "thread+tcp");
}

Test(strangers, are_rejected_by_a_process_by_ipc, .timeout = 100)
{
    besiege("a process by ipc", "process+ipc");
}

Test(strangers, are_rejected_by_a_process_by_tcp, .timeout = 100)
{
    besiege("a process by tcp", "process+tcp");
}

SUBJECTS(&counter, &teller);
