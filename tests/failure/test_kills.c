// ctest: serial
// ctest: timeout 180
/*
 * Processes that are killed, crash or exit: the exit is reported with its reason and in time, every message has one
 * outcome, and nothing is left: no zombie, no descriptor, no file.
 *
 *     test --progress--> witness, on ecs: receives pids and dead letters
 *       |                   ^
 *       +--- kill(pid) ---> peers, in processes: flood each other, and peers on ecs and on a thread
 */
#include "support/audit.h"
#include "support/child.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "unit/chance.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    VICTIMS = 5, // peers in processes of their own
    PEERS = 8,
    KILLS = 200,
    BODY_BYTES_MAX = 200,
    LARGE_BODY_BYTES_MAX = 1 << 17,
    ENDS_MAX = 4096,
};

enum { READY = 1, GO, SPIN, HIT, LARGE_BODY, QUESTION, FIGHTER_REPLY, PROBE, END_BY, NEST };

/** The median time until an exit is reported, on a machine that does nothing else. */
#define REPORTED_MEDIAN_NS (10 * MEASURE_MS_NS)

/** The same where the witness, the killed process and five others compete for the processors. */
#define REPORTED_LOADED_MEDIAN_NS (50 * MEASURE_MS_NS)

/* The witness. --------------------------------------------------------------------------------- */

/** What the witness was notified of an actor that it spawned, by the number of its executor. */
struct observed {
    pid_t pid;            // 0: it did not report yet
    uint64_t reported_ns; // when the first dead letter said that its process is down; 0: none did
    uint64_t dead_letter_count[TROUPE_DEAD_REASON_COUNT];
};

struct stage {
    troupe_system_t *system;
    troupe_ref_t witness;
    bool subscribed;
    char parent[64];                    // of its run directory
    struct observed observed[ENDS_MAX]; // by executor
    uint64_t observed_last_ns;
};

static enum troupe_err witness_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    MUST_BE(args_bytes == sizeof(struct stage *));
    memcpy(state, args, args_bytes);
    return troupe_dead_letters_subscribe(ctx, true);
}

static void witness_on_dead_letter(struct stage *stage, const struct troupe_dead_letter *outgoing)
{
    struct observed *observed = &stage->observed[outgoing->to.executor % ENDS_MAX];
    observed->dead_letter_count[outgoing->reason] += outgoing->count;
    if (observed->reported_ns == 0 && (outgoing->reason == TROUPE_DEAD_PEER_DOWN ||
                                       outgoing->reason == TROUPE_DEAD_UNDELIVERABLE)) {
        observed->reported_ns = measure_now_ns();
    }
}

static void witness_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx;
    struct stage *stage = *(struct stage **)state;
    uint32_t type = troupe_message_type(message);
    if (type == TROUPE_MESSAGE_DEAD_LETTER) {
        witness_on_dead_letter(stage, TROUPE_BODY(message, struct troupe_dead_letter));
    } else if (type == READY) {
        troupe_ref_t from = troupe_message_sender(message);
        stage->observed[from.executor % ENDS_MAX].pid = *TROUPE_BODY(message, pid_t);
    }
}

static const struct troupe_behaviour witness = {
    .name = "witness",
    .state_bytes = sizeof(struct stage *),
    .init = witness_init,
    .receive = witness_receive,
};

/* Peers. --------------------------------------------------------------------------------------- */

/** What a peer is to do. */
struct round {
    troupe_ref_t peers[PEERS];
    uint32_t exit_count;
};

struct peer_args {
    troupe_ref_t witness;
    uint32_t slot;
};

struct peer {
    struct round round;
    bool stalled; // it could not go on, for its mailbox was full
};

/** Asks that were accepted and replied to in this process, of peers on the test's own thread. */
static struct {
    uint64_t accepted;
    uint64_t replied;
} asks;

static void peer_name(uint32_t slot, char name[static 32])
{
    (void)snprintf(name, 32, "peer-%u", (unsigned)slot);
}

static enum troupe_err peer_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state;
    MUST_BE(args_bytes == sizeof(struct peer_args));
    const struct peer_args *mine = args;
    char name[32];
    peer_name(mine->slot, name);
    MUST(troupe_register(ctx, name)); // the actor that had it before has ended, so it is free
    pid_t pid = getpid();
    MUST(TROUPE_SEND(ctx, mine->witness, READY, &pid));
    return TROUPE_OK;
}

static void peer_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx;
    (void)state;
    (void)tag;
    (void)reply;
    MUST_BE(err == TROUPE_OK || err == TROUPE_ERR_NOENT || err == TROUPE_ERR_TIMEDOUT);
    __atomic_add_fetch(&asks.replied, 1, __ATOMIC_RELAXED);
}

/** The mailbox may be full, or its owner have ended: only other errors are failures. */
static void peer_expect(enum troupe_err err)
{
    MUST_BE(err == TROUPE_OK || err == TROUPE_ERR_FULL || err == TROUPE_ERR_NOENT);
}

static void peer_send_body(troupe_context_t *ctx, troupe_ref_t to)
{
    struct troupe_body large_body;
    MUST(troupe_body_new(1 + troupe_random(ctx) % LARGE_BODY_BYTES_MAX, &large_body));
    memset(large_body.data, 0x5A, large_body.bytes);
    peer_expect(troupe_send_body(ctx, to, LARGE_BODY, &large_body));
    troupe_body_free(&large_body);
}

static void peer_ask(troupe_context_t *ctx, troupe_ref_t to)
{
    const struct troupe_outgoing outgoing = {.to = to, .type = QUESTION};
    enum troupe_err err = troupe_ask(
        ctx,
        &outgoing,
        &(const struct troupe_ask_options){
            .timeout_ns = 200 * MEASURE_MS_NS, .on_reply = peer_on_reply});
    peer_expect(err);
    __atomic_add_fetch(&asks.accepted, err == TROUPE_OK ? 1 : 0, __ATOMIC_RELAXED);
}

static void peer_send_burst(troupe_context_t *ctx, const struct round *round)
{
    static const unsigned char body[BODY_BYTES_MAX];
    uint64_t bits = troupe_random(ctx);
    uint32_t slot = (uint32_t)(bits >> 32) % PEERS;
    troupe_ref_t to = round->peers[slot];
    char name[32];
    switch (bits % 16) {
    case 0:
        peer_send_body(ctx, to);
        return;
    case 1:
    case 2:
    case 3:
        peer_ask(ctx, to);
        return;
    case 4:
        peer_name(slot, name);
        if (troupe_lookup(ctx, name, &to) == TROUPE_OK) {
            peer_expect(troupe_send(ctx, to, HIT, NULL, 0));
        }
        return;
    default:
        peer_expect(troupe_send(ctx, to, HIT, body, bits / 16 % BODY_BYTES_MAX));
    }
}

/** Go on with the bout by a message to itself. */
static void peer_spin(troupe_context_t *ctx, struct peer *peer)
{
    enum troupe_err err = troupe_send(ctx, troupe_self(ctx), SPIN, NULL, 0);
    peer_expect(err);
    peer->stalled = err == TROUPE_ERR_FULL;
}

/** End its own process in the way the message names. */
static void peer_end_by(int number)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    if (number == 0) {
        exit(3); // NOLINT(concurrency-mt-unsafe): as an actor's author might
    }
    (void)signal(number, SIG_DFL); // whatever a sanitizer has there
    if (number == SIGABRT) {
        abort();
    }
    (void)raise(number);
}

static void peer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct peer *peer = state;
    switch (troupe_message_type(message)) {
    case GO:
        peer->round = *TROUPE_BODY(message, struct round);
        peer_spin(ctx, peer);
        return;
    case SPIN:
        if (peer->round.exit_count > 0) {
            peer->round.exit_count--;
            for (int i = 0; i < 4; i++) {
                peer_send_burst(ctx, &peer->round);
            }
            peer_spin(ctx, peer);
        }
        return;
    case TROUPE_MESSAGE_ROOM:
        if (peer->stalled) {
            peer_spin(ctx, peer);
        }
        return;
    case QUESTION:
        peer_expect(troupe_reply(ctx, message, FIGHTER_REPLY, NULL, 0));
        return;
    case END_BY:
        peer_end_by(*TROUPE_BODY(message, int));
        return;
    default:
        return;
    }
}

static const struct troupe_behaviour peer = {
    .name = "peer",
    .state_bytes = sizeof(struct peer),
    .init = peer_init,
    .receive = peer_receive,
};

/** Reports its process when it starts, and spawns another at each NEST, in a process of its own. */
static enum troupe_err spawner_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    troupe_ref_t ref = fixture_ref_of(args, args_bytes);
    memcpy(state, &ref, sizeof(ref));
    pid_t pid = getpid();
    return TROUPE_SEND(ctx, ref, READY, &pid);
}

static const struct troupe_behaviour spawner;

static void spawner_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    if (troupe_message_type(message) != NEST) {
        return;
    }
    const struct troupe_spawn_options options = {
        .behaviour = &spawner,
        .args = state,
        .args_bytes = sizeof(troupe_ref_t),
        .place = "process",
    };
    enum troupe_err err = troupe_spawn(ctx, &options, NULL);
    MUST_BE(err == TROUPE_OK || err == TROUPE_ERR_LIMIT || err == TROUPE_ERR_CLOSED);
    fixture_ignore(troupe_send(ctx, troupe_self(ctx), NEST, NULL, 0));
}

static const struct troupe_behaviour spawner = {
    .name = "spawner",
    .state_bytes = sizeof(troupe_ref_t),
    .init = spawner_init,
    .receive = spawner_receive,
};

/* The stage. ----------------------------------------------------------------------------------- */

/** What an open stage is to be like. Zero-initialise. */
struct stage_options {
    const char *child_program;
    uint64_t stop_timeout_ns;
    uint64_t seed;
};

/** Make a system whose run directory lies in a place of its own, with a witness. */
static struct stage *stage_open(const struct stage_options *options)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    cr_assert(stage != NULL);
    (void)snprintf(stage->parent, sizeof(stage->parent), "/tmp/troupe-test-XXXXXX");
    cr_assert(mkdtemp(stage->parent) != NULL, "mkdtemp: %s", strerror(errno));
    cr_assert(setenv("XDG_RUNTIME_DIR", stage->parent, 1) == 0);
    const struct troupe_system_options system_options = {
        .behaviours = subjects,
        .mailbox_messages = 2000,
        .child_program = options->child_program,
        .seed = options->seed,
        .stop_timeout_ns =
            options->stop_timeout_ns != 0 ? options->stop_timeout_ns : FIXTURE_DEADLINE_NS,
    };
    MUST(troupe_system_new(&system_options, &stage->system));
    const struct troupe_spawn_options spawn = {
        .behaviour = &witness, .args = &stage, .args_bytes = sizeof(stage)};
    MUST(troupe_spawn(troupe_system_context(stage->system), &spawn, &stage->witness));
    return stage;
}

/** Do what is at hand, and wait for more until @p deadline_ns, a millisecond at most. */
static void stage_step(struct stage *stage, uint64_t deadline_ns)
{
    MUST(troupe_system_progress(stage->system, NULL));
    uint64_t now_ns = measure_now_ns();
    if (now_ns < deadline_ns && troupe_system_timeout_ns(stage->system) != 0) {
        uint64_t left_ns = deadline_ns - now_ns;
        left_ns = left_ns < MEASURE_MS_NS ? left_ns : MEASURE_MS_NS;
        struct pollfd ready = {.fd = troupe_system_fd(stage->system), .events = POLLIN};
        const struct timespec left = {.tv_nsec = (long)left_ns};
        (void)ppoll(&ready, 1, &left, NULL);
    }
}

static void stage_run_for(struct stage *stage, uint64_t ns)
{
    uint64_t deadline_ns = measure_now_ns() + ns;
    do {
        stage_step(stage, deadline_ns);
    } while (measure_now_ns() < deadline_ns);
}

typedef bool stage_is_fn(struct stage *stage, void *data);

/** Run until something is so; the test fails when that takes too long. */
static void stage_run_until(struct stage *stage, stage_is_fn *is, void *data, const char *what)
{
    uint64_t deadline_ns = measure_now_ns() + FIXTURE_DEADLINE_NS;
    while (!is(stage, data)) {
        if (measure_now_ns() >= deadline_ns) {
            troupe_system_print_stats(stage->system, stderr);
            cr_fatal("waited in vain %s; the counters are on standard error", what);
        }
        stage_step(stage, deadline_ns);
    }
}

static struct observed *stage_observed(struct stage *stage, troupe_ref_t ref)
{
    cr_assert(ref.executor < ENDS_MAX);
    return &stage->observed[ref.executor];
}

static bool stage_is_ready(struct stage *stage, void *ref)
{
    return stage_observed(stage, *(troupe_ref_t *)ref)->pid != 0;
}

static bool stage_is_reported(struct stage *stage, void *ref)
{
    return stage_observed(stage, *(troupe_ref_t *)ref)->reported_ns != 0;
}

/** @return whether nothing is on its way, nor was when it looked before. */
static bool stage_is_quiet(struct stage *stage, void *data)
{
    uint64_t *accepted = data;
    struct troupe_stats stats;
    troupe_system_stats(stage->system, &stats);
    bool quiet = stats.waiting == 0 && stats.accepted == *accepted;
    *accepted = stats.accepted;
    return quiet;
}

static troupe_ref_t stage_spawn(struct stage *stage, const struct troupe_spawn_options *options)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    cr_assert(
        troupe_spawn(troupe_system_context(stage->system), options, &ref) == TROUPE_OK,
        "spawn: %s",
        troupe_error_detail());
    return ref;
}

static troupe_ref_t stage_spawn_peer(struct stage *stage, uint32_t slot, const char *place)
{
    const struct peer_args args = {.witness = stage->witness, .slot = slot};
    const struct troupe_spawn_options options = {
        .behaviour = &peer, .args = &args, .args_bytes = sizeof(args), .place = place};
    troupe_ref_t ref = stage_spawn(stage, &options);
    if (ref.executor != stage->witness.executor) {
        stage_run_until(stage, stage_is_ready, &ref, "for a peer to be ready");
    }
    return ref;
}

/** The balance, exactly: every accepted message has one outcome. */
static void stage_check_balance(struct stage *stage, uint64_t killed)
{
    uint64_t accepted = UINT64_MAX;
    stage_run_until(stage, stage_is_quiet, &accepted, "for the mail to settle");
    struct troupe_stats stats;
    troupe_system_stats(stage->system, &stats);
    const uint64_t *dead = stats.dead_by_reason;
    bool holds = audit_balances(stage->system) &&
                 stats.accepted == stats.handled + stats.dead + stats.unknown &&
                 stats.unknown <= killed &&
                 stats.dead == dead[TROUPE_DEAD_PEER_DOWN] + dead[TROUPE_DEAD_SENDER_DOWN] +
                                   dead[TROUPE_DEAD_OVERFLOW] + dead[TROUPE_DEAD_LATE_REPLY] +
                                   dead[TROUPE_DEAD_STOPPED];
    if (!holds) {
        (void)troupe_system_audit(stage->system, stderr);
        cr_fatal("the counters do not balance after %llu kills", (unsigned long long)killed);
    }
}

/** Kill a process actor; messages to it become dead letters from here on. */
static uint64_t stage_kill(struct stage *stage, troupe_ref_t ref)
{
    pid_t pid = stage_observed(stage, ref)->pid;
    cr_assert(pid > 0 && pid != getpid());
    uint64_t now_ns = measure_now_ns();
    cr_assert(kill(pid, SIGKILL) == 0, "kill: %s", strerror(errno));
    enum troupe_err err = troupe_send(troupe_system_context(stage->system), ref, PROBE, NULL, 0);
    cr_assert(err == TROUPE_OK || err == TROUPE_ERR_FULL); // of which there are dead letters then
    return now_ns;
}

/** @return nanoseconds from its kill until that was reported. */
static uint64_t stage_await_reported(struct stage *stage, troupe_ref_t ref, uint64_t killed_ns)
{
    stage_run_until(stage, stage_is_reported, &ref, "for an end to be told");
    const struct observed *observed = stage_observed(stage, ref);
    // An exit is reported only after its process was waited for.
    cr_expect(
        kill(observed->pid, 0) != 0 && errno == ESRCH, "process %d is left", (int)observed->pid);
    return observed->reported_ns - killed_ns;
}

/* What is left. -------------------------------------------------------------------------------- */

/** @return entries of a directory that begin with @p start; 0 when it is not there. */
static uint32_t count_entries(const char *path, const char *start)
{
    DIR *list = opendir(path);
    uint32_t count = 0;
    const struct dirent *entry = NULL;
    while (list != NULL && (entry = readdir(list)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        count +=
            strncmp(entry->d_name, start, strlen(start)) == 0 && entry->d_name[0] != '.' ? 1 : 0;
    }
    if (list != NULL) {
        (void)closedir(list);
    }
    return count;
}

/** @return descriptors of this process. */
static uint32_t count_descriptors(void)
{
    return count_entries("/proc/self/fd", "") - 1; // but for the one that lists them
}

/** @return the first run directory below @p parent, or "". */
static const char *find_run_dir(const char *parent)
{
    static char path[512];
    char base[128];
    (void)snprintf(base, sizeof(base), "%s/troupe", parent);
    path[0] = '\0';
    DIR *list = opendir(base);
    const struct dirent *entry = NULL;
    while (list != NULL && (entry = readdir(list)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        if (entry->d_name[0] != '.') {
            (void)snprintf(path, sizeof(path), "%s/%s", base, entry->d_name);
        }
    }
    if (list != NULL) {
        (void)closedir(list);
    }
    return path;
}

/** @return whether an executor's socket lies in the run directory. */
static bool stage_has_socket(const struct stage *stage, uint32_t executor)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "e-%u.", (unsigned)executor);
    return count_entries(find_run_dir(stage->parent), name) != 0;
}

static void check_no_child_is_left(void)
{
    cr_expect(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "no child is left");
}

static void remove_parent(const char *parent)
{
    char base[128];
    (void)snprintf(base, sizeof(base), "%s/troupe", parent);
    cr_expect(count_entries(base, "") == 0, "%s is empty", base);
    (void)rmdir(base);
    cr_expect(rmdir(parent) == 0, "%s is empty", parent);
}

/** Stop it, and check that nothing is left. @return its last counts. */
static struct troupe_stats stage_close(struct stage **stage_p)
{
    struct stage *stage = *stage_p;
    struct troupe_stats stats;
    troupe_system_stop(stage->system);
    cr_expect(troupe_system_run(stage->system) == TROUPE_OK, "%s", troupe_error_detail());
    troupe_system_stats(stage->system, &stats);
    cr_expect(audit_balances(stage->system), "the counters balance");
    cr_expect(eq(u64, stats.executors_ended, stats.executors_started), "all executors are gone");
    MUST(troupe_system_destroy(&stage->system));
    check_no_child_is_left();
    remove_parent(stage->parent);
    free(stage);
    *stage_p = NULL;
    return stats;
}

/* Kills under load. ---------------------------------------------------------------------------- */

static int times_compare(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

/** Exits are reported in time: within @p median_ns in one case of two. */
static void check_reported(uint64_t *times_ns, uint32_t count, uint64_t median_ns)
{
    const uint32_t middle = count / 2;
    const uint32_t most = count * 9 / 10;
    qsort(times_ns, count, sizeof(*times_ns), times_compare);
    (void)fprintf(
        stderr,
        "told after %.1f ms, 90 %% after %.1f ms, all after %.1f ms\n",
        (double)times_ns[middle] / 1e6,
        (double)times_ns[most] / 1e6,
        (double)times_ns[count - 1] / 1e6);
    cr_expect(le(u64, times_ns[middle], median_ns * (measure_is_sanitized() ? 5 : 1)));
}

static const char *chance_place(struct chance *chance)
{
    static const char *const places[] = {"process", "process+ipc", "process+tcp"};
    return places[chance_below(chance, 3)];
}

static void load_begin(struct stage *stage, struct chance *chance, const troupe_ref_t *peer_refs)
{
    struct round round = {.exit_count = 50 + chance_below(chance, 400)};
    memcpy(round.peers, peer_refs, sizeof(round.peers));
    for (uint32_t slot = 0; slot < PEERS; slot++) {
        MUST(TROUPE_SEND(troupe_system_context(stage->system), peer_refs[slot], GO, &round));
    }
}

/** Kill a few peers, wait for the reports, and replace them. @return how many were killed. */
static uint32_t load_kill(
    struct stage *stage, struct chance *chance, troupe_ref_t *peer_refs, uint64_t *times_ns)
{
    uint32_t count = chance_one_in(chance, 3) ? 2 + chance_below(chance, 2) : 1;
    uint32_t first = chance_below(chance, VICTIMS);
    uint64_t killed_ns[VICTIMS];
    for (uint32_t i = 0; i < count; i++) {
        killed_ns[i] = stage_kill(stage, peer_refs[(first + i) % VICTIMS]);
        if (chance_one_in(chance, 2)) {
            stage_run_for(stage, chance_below(chance, 1000000));
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        troupe_ref_t ref = peer_refs[(first + i) % VICTIMS];
        times_ns[i] = stage_await_reported(stage, ref, killed_ns[i]);
        cr_expect(not(stage_has_socket(stage, ref.executor)), "its socket is removed");
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = (first + i) % VICTIMS;
        peer_refs[slot] = stage_spawn_peer(stage, slot, chance_place(chance));
    }
    return count;
}

/** @return whether each ask from here has ended. */
static bool has_no_ask(struct stage *stage, void *data)
{
    (void)stage, (void)data;
    return asks.replied == asks.accepted;
}

Test(kills, the_counters_balance_when_processes_are_killed_under_load, .timeout = 150)
{
    struct chance chance = chance_open("kills");
    struct stage *stage = stage_open(&(struct stage_options){.seed = chance_bits(&chance)});
    static uint64_t times_ns[KILLS + VICTIMS];
    troupe_ref_t peer_refs[PEERS];
    for (uint32_t slot = 0; slot < PEERS; slot++) {
        const char *place = slot < VICTIMS ? chance_place(&chance) : "ecs";
        peer_refs[slot] = stage_spawn_peer(stage, slot, slot == PEERS - 1 ? "thread" : place);
    }
    for (uint32_t killed = 0; killed < KILLS;) {
        load_begin(stage, &chance, peer_refs);
        stage_run_for(stage, chance_below(&chance, 8000000));
        killed += load_kill(stage, &chance, peer_refs, times_ns + killed);
        stage_check_balance(stage, killed);
    }
    check_reported(times_ns, KILLS, REPORTED_LOADED_MEDIAN_NS);
    stage_run_until(stage, has_no_ask, NULL, "for the asks of the last dead to end, each once");
    (void)stage_close(&stage);
}

/* Bodies that are half sent. ------------------------------------------------------------------- */

/** Send so much that its process, which is stopped, leaves some frame half sent, of several parts. */
static void send_too_much(struct stage *stage, troupe_ref_t to, struct chance *chance)
{
    static const unsigned char body[BODY_BYTES_MAX];
    troupe_context_t *ctx = troupe_system_context(stage->system);
    for (int i = 0; i < 12; i++) {
        for (int k = 0; k < 100; k++) {
            MUST(troupe_send(ctx, to, HIT, body, sizeof(body)));
        }
        struct troupe_body large_body;
        MUST(troupe_body_new(1 + chance_below(chance, 30000), &large_body));
        MUST(troupe_send_body(ctx, to, LARGE_BODY, &large_body));
        troupe_flush(ctx);
    }
}

Test(kills, half_sent_messages_affect_only_the_killed_process, .timeout = 100)
{
    enum { ROUNDS = 40 };
    struct chance chance = chance_open("half sent");
    struct stage *stage = stage_open(&(struct stage_options){0});
    for (uint32_t i = 0; i < ROUNDS; i++) {
        troupe_ref_t ref = stage_spawn_peer(stage, 0, chance_place(&chance));
        cr_assert(kill(stage_observed(stage, ref)->pid, SIGSTOP) == 0);
        send_too_much(stage, ref, &chance);
        stage_run_for(stage, MEASURE_MS_NS);
        (void)stage_await_reported(stage, ref, stage_kill(stage, ref));
        stage_check_balance(stage, i + 1);
    }
    (void)stage_close(&stage);
}

/* Reasons. ------------------------------------------------------------------------------------- */

/** Have the only peer end its process, and read the exit of the root actor. */
static uint64_t end_and_monitor(int number, bool by_kill, struct troupe_exit *out_exit)
{
    struct stage *stage = stage_open(&(struct stage_options){0});
    troupe_ref_t ref = stage_spawn_peer(stage, 0, "process");
    troupe_system_set_root(stage->system, ref);
    uint64_t since_ns = measure_now_ns();
    if (by_kill) {
        cr_assert(kill(stage_observed(stage, ref)->pid, number) == 0);
    } else {
        MUST(TROUPE_SEND(troupe_system_context(stage->system), ref, END_BY, &number));
    }
    MUST(troupe_system_run(stage->system));
    uint64_t reported_ns = measure_now_ns() - since_ns;
    cr_assert(troupe_system_root_exit(stage->system, out_exit) == TROUPE_OK);
    (void)stage_close(&stage);
    return reported_ns;
}

Test(kills, a_monitor_reports_a_kill_within_10_ms, .timeout = 100)
{
    enum { ROUNDS = 31 };
    uint64_t times_ns[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        struct troupe_exit exit;
        times_ns[i] = end_and_monitor(SIGKILL, true, &exit);
        cr_assert(eq(int, exit.reason, TROUPE_EXIT_KILLED));
        cr_assert(strcmp(exit.text, "SIGKILL") == 0, "%s", exit.text);
    }
    check_reported(times_ns, ROUNDS, REPORTED_MEDIAN_NS);
    cr_expect(le(u64, times_ns[ROUNDS - 1], MEASURE_SECOND_NS));
}

Test(kills, a_crash_is_reported_with_its_signal)
{
    const int numbers[] = {SIGSEGV, SIGABRT, SIGTERM, SIGFPE};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct troupe_exit exit;
        (void)end_and_monitor(numbers[i], false, &exit);
        cr_expect(eq(int, exit.reason, TROUPE_EXIT_CRASHED));
        cr_expect(eq(int, exit.code, numbers[i]), "%s", exit.text);
    }
}

Test(kills, an_exit_in_a_callback_is_reported_with_its_status)
{
    struct troupe_exit exit;
    (void)end_and_monitor(0, false, &exit);
    cr_expect(eq(int, exit.reason, TROUPE_EXIT_ERROR));
    cr_expect(eq(int, exit.code, 3));
    cr_expect(strstr(exit.text, "status 3") != NULL, "%s", exit.text);
}

/* Nothing left. -------------------------------------------------------------------------------- */

static bool stage_has_descriptors(struct stage *stage, void *count)
{
    (void)stage;
    return count_descriptors() <= *(uint32_t *)count;
}

Test(kills, fifty_kills_leave_no_descriptor, .timeout = 100)
{
    enum { ROUNDS = 50 };
    struct stage *stage = stage_open(&(struct stage_options){0});
    uint32_t settled = 0;
    for (int i = 0; i < ROUNDS; i++) {
        bool ipc = i % 2 == 0;
        troupe_ref_t ref = stage_spawn_peer(stage, 0, ipc ? "process+ipc" : "process+tcp");
        cr_expect(eq(int, stage_has_socket(stage, ref.executor), ipc));
        (void)stage_await_reported(stage, ref, stage_kill(stage, ref));
        cr_expect(not(stage_has_socket(stage, ref.executor)), "its socket is removed");
        if (i == 1) { // ZeroMQ has what it keeps by then
            stage_run_for(stage, 20 * MEASURE_MS_NS);
            settled = count_descriptors();
        }
    }
    stage_run_until(stage, stage_has_descriptors, &settled, "for descriptors to be closed");
    stage_check_balance(stage, ROUNDS);
    (void)stage_close(&stage);
}

Test(kills, a_system_with_kills_in_it_leaves_no_descriptor)
{
    uint32_t before = 0;
    for (int i = 0; i < 4; i++) {
        struct stage *stage = stage_open(&(struct stage_options){0});
        troupe_ref_t kept = stage_spawn_peer(stage, 0, "process");
        troupe_ref_t killed = stage_spawn_peer(stage, 1, "process+tcp");
        (void)kept;
        (void)stage_await_reported(stage, killed, stage_kill(stage, killed));
        (void)stage_close(&stage);
        if (i == 0) {
            before = count_descriptors();
        }
    }
    cr_expect(eq(u32, count_descriptors(), before));
}

/* While starting. ------------------------------------------------------------------------------ */

/** @return some child of this process that is not a zombie yet; 0: there is none. */
static pid_t find_child(void)
{
    DIR *list = opendir("/proc/self/task");
    const struct dirent *entry = NULL;
    int pid = 0;
    while (list != NULL && pid == 0 &&
           (entry = readdir(list)) != NULL) { // NOLINT(concurrency-mt-unsafe)
        char path[320];
        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/children", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file != NULL && fscanf(file, "%d", &pid) != 1) { // NOLINT(cert-err34-c)
            pid = 0;
        }
        if (file != NULL) {
            (void)fclose(file);
        }
    }
    if (list != NULL) {
        (void)closedir(list);
    }
    return pid;
}

static bool stage_has_child(struct stage *stage, void *pid)
{
    (void)stage;
    return (*(pid_t *)pid = find_child()) != 0;
}

Test(kills, a_kill_during_the_start_is_reported, .timeout = 100)
{
    enum { ROUNDS = 60 };
    struct chance chance = chance_open("starts");
    struct stage *stage = stage_open(&(struct stage_options){0});
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const struct troupe_spawn_options options = {
            .behaviour = &spawner,
            .args = &stage->witness,
            .args_bytes = sizeof(stage->witness),
            .place = chance_place(&chance),
        };
        troupe_ref_t ref = stage_spawn(stage, &options);
        pid_t pid = 0;
        stage_run_until(stage, stage_has_child, &pid, "for a process to start");
        stage_run_for(stage, chance_below(&chance, 9000000));
        cr_assert(kill(pid, SIGKILL) == 0);
        MUST(troupe_send(troupe_system_context(stage->system), ref, PROBE, NULL, 0));
        stage_run_until(stage, stage_is_reported, &ref, "for an end to be told");
        cr_expect(find_child() == 0, "it was waited for");
        uint64_t accepted = UINT64_MAX;
        stage_run_until(stage, stage_is_quiet, &accepted, "for the mail to settle");
    }
    struct troupe_stats stats = stage_close(&stage);
    cr_expect(le(u64, stats.unknown, ROUNDS));
}

Test(kills, a_kill_during_a_spawn_leaves_nothing_half_done, .timeout = 100)
{
    enum { ROUNDS = 30 };
    struct chance chance = chance_open("spawners");
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct stage *stage = stage_open(&(struct stage_options){0});
        const struct troupe_spawn_options options = {
            .behaviour = &spawner,
            .args = &stage->witness,
            .args_bytes = sizeof(stage->witness),
            .place = "process",
        };
        troupe_ref_t ref = stage_spawn(stage, &options);
        stage_run_until(stage, stage_is_ready, &ref, "for a process to start");
        MUST(troupe_send(troupe_system_context(stage->system), ref, NEST, NULL, 0));
        stage_run_for(stage, MEASURE_MS_NS + chance_below(&chance, 3000000));
        (void)stage_await_reported(stage, ref, stage_kill(stage, ref));
        uint64_t since_ns = measure_now_ns();
        (void)stage_close(&stage);
        cr_assert(measure_now_ns() - since_ns < FIXTURE_DEADLINE_NS / 2, "it ends by itself");
    }
}

/** Spawn an actor whose process never starts it, and send to it. */
static troupe_ref_t stage_spawn_never_starting(struct stage *stage)
{
    const struct troupe_spawn_options options = {
        .behaviour = &spawner,
        .args = &stage->witness,
        .args_bytes = sizeof(stage->witness),
        .place = "process",
    };
    return stage_spawn(stage, &options);
}

/** Child programs that do not use Troupe, or do not exist. */
static const char *const runners[] = {"/bin/false", "/bin/true", "/nowhere/at/all", "/tmp"};

enum { RUNNERS = sizeof(runners) / sizeof(runners[0]) };

Test(kills, messages_to_a_process_that_never_starts_are_undeliverable)
{
    for (size_t i = 0; i < RUNNERS; i++) {
        struct stage *stage = stage_open(&(struct stage_options){.child_program = runners[i]});
        troupe_ref_t ref = stage_spawn_never_starting(stage);
        MUST(troupe_send(troupe_system_context(stage->system), ref, PROBE, NULL, 0));
        stage_run_until(stage, stage_is_reported, &ref, "for an end to be told");
        MUST(troupe_send(troupe_system_context(stage->system), ref, PROBE, NULL, 0));
        uint64_t accepted = UINT64_MAX;
        stage_run_until(stage, stage_is_quiet, &accepted, "for the mail to settle");
        cr_expect(
            eq(u64, stage_observed(stage, ref)->dead_letter_count[TROUPE_DEAD_UNDELIVERABLE], 2),
            "%s",
            runners[i]);
        struct troupe_stats stats = stage_close(&stage);
        cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_UNDELIVERABLE], 2), "%s", runners[i]);
    }
}

Test(kills, a_monitor_reports_a_process_that_never_starts_with_a_text)
{
    for (size_t i = 0; i < RUNNERS; i++) {
        struct stage *stage = stage_open(&(struct stage_options){.child_program = runners[i]});
        troupe_system_set_root(stage->system, stage_spawn_never_starting(stage));
        uint64_t since_ns = measure_now_ns();
        MUST(troupe_system_run(stage->system));
        cr_expect(measure_now_ns() - since_ns < MEASURE_SECOND_NS, "%s: nothing hangs", runners[i]);
        struct troupe_exit exit;
        cr_assert(troupe_system_root_exit(stage->system, &exit) == TROUPE_OK, "%s", runners[i]);
        cr_expect(eq(int, exit.reason, TROUPE_EXIT_INIT_FAILED), "%s", runners[i]);
        bool too_late = strcmp(exit.text, "ended before it became the root actor") == 0;
        cr_expect(
            too_late || strstr(exit.text, "no actor run") != NULL ||
                strstr(exit.text, "child program") != NULL,
            "%s: '%s'",
            runners[i],
            exit.text);
        (void)stage_close(&stage);
    }
}

/* Pools. --------------------------------------------------------------------------------------- */

Test(kills, a_pool_replaces_a_killed_process)
{
    struct stage *stage = stage_open(&(struct stage_options){0});
    const struct troupe_spawn_options options = {
        .behaviour = &spawner,
        .name = "pooled", // the name says which of the two
        .args = &stage->witness,
        .args_bytes = sizeof(stage->witness),
        .place = "process:2",
    };
    uint32_t before = 0;
    for (int i = 0; i < 10; i++) {
        troupe_ref_t first = stage_spawn(stage, &options);
        cr_expect(ne(u32, first.executor, before), "its process is another");
        stage_run_until(stage, stage_is_ready, &first, "for a process of the pool");
        troupe_ref_t second = stage_spawn(stage, &options);
        cr_expect(eq(u32, first.executor, second.executor), "who shares a name shares a process");
        (void)stage_await_reported(stage, first, stage_kill(stage, first));
        before = first.executor;
    }
    (void)stage_close(&stage);
}

/* The parent. ---------------------------------------------------------------------------------- */

enum { ORPHANS = 5 };

struct spawner_program {
    int pipe[2]; // the program's to the test: pids of its process actors
    char runtime_parent[64];
};

/** A program with process actors, one of which never comes out of a callback. */
static int spawner_run(void *data)
{
    const struct spawner_program *spawner_program = data;
    struct stage *stage = stage_open(&(struct stage_options){0});
    (void)rmdir(stage->parent);
    MUST_BE(setenv("XDG_RUNTIME_DIR", spawner_program->runtime_parent, 1) == 0);
    for (uint32_t i = 0; i < ORPHANS; i++) {
        troupe_ref_t ref = stage_spawn_peer(stage, i, i % 2 == 0 ? "process" : "process+tcp");
        pid_t pid = stage_observed(stage, ref)->pid;
        if (i == 0) {
            int number = SIGSTOP;
            MUST(TROUPE_SEND(troupe_system_context(stage->system), ref, END_BY, &number));
        }
        MUST_BE(write(spawner_program->pipe[1], &pid, sizeof(pid)) == sizeof(pid));
    }
    return troupe_system_run(stage->system) == TROUPE_OK ? 0 : 1;
}

static void await_child_exits(const int *pid_fds)
{
    uint64_t deadline_ns = measure_now_ns() + 2 * MEASURE_SECOND_NS;
    for (int i = 0; i < ORPHANS; i++) {
        struct pollfd end = {.fd = pid_fds[i], .events = POLLIN};
        uint64_t now_ns = measure_now_ns();
        uint64_t left_ms = now_ns < deadline_ns ? (deadline_ns - now_ns) / MEASURE_MS_NS : 0;
        cr_expect(poll(&end, 1, (int)left_ms) == 1, "process actor %d outlives its parent", i);
        (void)syscall(SYS_pidfd_send_signal, pid_fds[i], SIGKILL, NULL, 0);
        (void)close(pid_fds[i]);
    }
}

Test(kills, no_process_actor_outlives_a_killed_parent)
{
    struct spawner_program spawner_program = {.runtime_parent = "/tmp/troupe-test-XXXXXX"};
    cr_assert(mkdtemp(spawner_program.runtime_parent) != NULL);
    cr_assert(pipe(spawner_program.pipe) == 0);
    struct child *child = child_start(spawner_run, &spawner_program);
    int pid_fds[ORPHANS];
    for (int i = 0; i < ORPHANS; i++) {
        pid_t pid = 0;
        cr_assert(read(spawner_program.pipe[0], &pid, sizeof(pid)) == sizeof(pid));
        pid_fds[i] = (int)syscall(SYS_pidfd_open, pid, 0);
        cr_assert(pid_fds[i] >= 0);
    }
    child_signal(child, SIGKILL);
    await_child_exits(pid_fds);
    cr_expect(eq(int, child_end(&child).signal, SIGKILL));

    char left[512];
    (void)snprintf(left, sizeof(left), "%s", find_run_dir(spawner_program.runtime_parent));
    cr_expect(left[0] != '\0', "no process was left to remove the run directory");
    struct stage *stage = stage_open(&(struct stage_options){0});
    (void)rmdir(stage->parent);
    memcpy(stage->parent, spawner_program.runtime_parent, sizeof(stage->parent));
    cr_assert(setenv("XDG_RUNTIME_DIR", spawner_program.runtime_parent, 1) == 0);
    (void)stage_spawn_peer(stage, 0, "process");
    cr_expect(access(left, F_OK) != 0, "the next system sweeps it");
    (void)stage_close(&stage);
    (void)close(spawner_program.pipe[0]);
    (void)close(spawner_program.pipe[1]);
}

SUBJECTS(&witness, &peer, &spawner);
