/*
 * No memory: each allocation of the library fails once, alone and together with many that follow. Then a call returns an
 * error, or an actor ends with its exit reason; each accepted message has an outcome; the system stops in order, and
 * frees all that it allocated.
 *
 *     a run     a program of its own, in a child of the test, whose allocations are counted (ration.h)
 *     first     a run without failures counts the allocations
 *     then      a run for some of their numbers, which the seed chooses; with TROUPE_ALLOCATIONS=all for each
 *
 * In runs about the process of an actor, the allocations of that process fail.
 */
// ctest: timeout 120
#include "support/audit.h"
#include "support/child.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "../unit/chance.h"
#include "failure/ration.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

TestSuite(allocations, .timeout = 3600);

enum { BEGIN = 1, REQUEST, REPLY, NUMBER, LARGE, TICK, BEAT, AGAIN, INTRODUCE_TO };

enum {
    GUEST_MAILBOX = 32,
    FLOOD = 120,
    LARGE_BYTES = 20000,
    LARGER_BYTES = 100000,
    RING = 8,
    RUN_SECONDS = 12,
    LEAKED = 5,
    STATUS_UNBALANCED = 3, // as troupe_main() exits where the counters do not balance
    STILL_WAITING = 4,
    SHORT_MS = 300,
};

/** The environment variable that tells the process of an actor which of its allocations fail. */
#define RATION_NAME "TROUPE_TEST_RATION"

/** What a run is about. */
struct run {
    int (*scenario)(const struct run *run); // returns its exit status
    const char *place;
    bool in_child; // whose memory is on ration
    uint64_t first;
    uint64_t last;
};

/** Whether memory fails in this run: without that, nothing else may. */
static bool is_rationed;

/** Bear an error that no memory explains, or a full mailbox. @return whether there was none. */
static bool tolerate(enum troupe_err err, const char *what)
{
    if (err != TROUPE_OK && err != TROUPE_ERR_FULL && !is_rationed) {
        (void)dprintf(
            STDERR_FILENO,
            "%s: %s, where memory was: %s\n",
            what,
            troupe_strerror(err),
            troupe_error_detail());
        abort();
    }
    return err == TROUPE_OK;
}

#define TOLERATE(call) tolerate((call), #call)

/* The guest: registers, replies, sends back what is large, knows others. ----------------------- */

static enum troupe_err guest_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    return troupe_register(ctx, troupe_self_name(ctx));
}

static void guest_send_back(troupe_context_t *ctx, const troupe_message_t *message)
{
    struct troupe_body body;
    if (TOLERATE(troupe_message_take_body(message, &body)) &&
        !TOLERATE(troupe_send_body(ctx, troupe_message_sender(message), LARGE, &body))) {
        troupe_body_free(&body);
    }
}

static void guest_introduce(troupe_context_t *ctx, const troupe_message_t *message)
{
    const troupe_ref_t *others = troupe_message_body(message);
    size_t count = troupe_message_body_bytes(message) / sizeof(*others);
    for (size_t i = 0; i < count; i++) {
        (void)TOLERATE(troupe_send(ctx, others[i], NUMBER, &i, sizeof(i)));
    }
}

static void guest_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    uint32_t type = troupe_message_type(message);
    if (type == REQUEST) {
        (void)TOLERATE(troupe_send(ctx, troupe_self(ctx), NUMBER, NULL, 0));
        (void)TOLERATE(troupe_reply(ctx, message, REPLY, troupe_message_body(message), 8));
    } else if (type == LARGE) {
        guest_send_back(ctx, message);
    } else if (type == INTRODUCE_TO) {
        guest_introduce(ctx, message);
    }
}

static const struct troupe_behaviour guest = {
    .name = "guest", .state_bytes = 200, .init = guest_init, .receive = guest_receive};

/* The host: does a little of everything, and stops the system when all of it is done. ---------- */

struct host_state {
    troupe_ref_t guest;
    troupe_timer_t beat;
    uint32_t open; // asks, timers, and exits to be reported
    bool guest_is_down;
    bool is_over;
    uint32_t sent; // of the flood; FLOOD: it is over
};

static void host_settle(troupe_context_t *ctx, struct host_state *host)
{
    if (host->open == 0 && host->sent == FLOOD) {
        host->is_over = true;
        troupe_shutdown(ctx);
    }
}

static void host_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    struct host_state *host = state;
    (void)TOLERATE(err);
    MUST_BE((err == TROUPE_OK) == (reply != NULL));
    MUST_BE(err != TROUPE_OK || tag == 0 || *TROUPE_BODY(reply, uint64_t) == tag);
    MUST_BE(err != TROUPE_OK || tag == 0 || !host->guest_is_down);
    host->open--;
    host_settle(ctx, host);
}

static void host_ask(troupe_context_t *ctx, struct host_state *host, troupe_ref_t to, uint64_t tag)
{
    const struct troupe_outgoing outgoing = {
        .to = to, .type = REQUEST, .body = &tag, .body_bytes = sizeof(tag)};
    host->open +=
        TOLERATE(troupe_ask(
            ctx,
            &outgoing,
            &(const struct troupe_ask_options){
                .timeout_ns = SHORT_MS * MEASURE_MS_NS, .on_reply = host_on_reply, .tag = tag}))
            ? 1
            : 0;
}

/** Send until the mailbox is full; a ROOM goes on with it. */
static void host_flood(troupe_context_t *ctx, struct host_state *host)
{
    enum troupe_err err = TROUPE_OK;
    while (host->sent < FLOOD && err == TROUPE_OK) {
        err = troupe_send(ctx, host->guest, NUMBER, &host->sent, sizeof(host->sent));
        host->sent += err == TROUPE_OK ? 1 : 0;
    }
    if (err == TROUPE_OK || err == TROUPE_ERR_FULL) {
        return;
    }
    const struct troupe_outgoing again = {.to = troupe_self(ctx), .type = AGAIN};
    if (!TOLERATE(err) && !TOLERATE(troupe_send_after(ctx, MEASURE_MS_NS, &again, NULL))) {
        host->sent = FLOOD;
    }
}

static void host_send_large(troupe_context_t *ctx, troupe_ref_t to)
{
    static const uint8_t bytes[LARGE_BYTES];
    (void)TOLERATE(troupe_send(ctx, to, LARGE, bytes, sizeof(bytes)));
    struct troupe_body body;
    for (int i = 0; i < 3; i++) {
        if (TOLERATE(troupe_body_new(LARGER_BYTES, &body)) &&
            !TOLERATE(troupe_send_body(ctx, to, LARGE, &body))) {
            troupe_body_free(&body);
        }
    }
}

static void host_start_timers(troupe_context_t *ctx, struct host_state *host)
{
    const uint64_t numbers[16] = {0};
    struct troupe_outgoing outgoing = {
        .to = troupe_self(ctx), .type = TICK, .body = numbers, .body_bytes = sizeof(numbers)};
    for (int i = 0; i < 10; i++) {
        host->open += TOLERATE(troupe_send_after(ctx, MEASURE_MS_NS, &outgoing, NULL)) ? 1 : 0;
    }
    outgoing.type = BEAT;
    host->open += TOLERATE(troupe_send_every(ctx, MEASURE_MS_NS, &outgoing, &host->beat)) ? 1 : 0;
}

/** Send to an actor that is asked to stop at once: what it does not handle becomes dead letters. */
static void host_stop_other(troupe_context_t *ctx, struct host_state *host, const char *place)
{
    const struct troupe_spawn_options options = {
        .behaviour = &guest, .name = "other", .place = place};
    troupe_ref_t other = TROUPE_REF_NONE;
    if (TOLERATE(troupe_spawn(ctx, &options, &other))) {
        for (uint32_t i = 0; i < 5; i++) {
            (void)TOLERATE(troupe_send(ctx, other, NUMBER, &i, sizeof(i)));
        }
        bool is_root = TOLERATE(troupe_monitor(ctx, other, NULL));
        bool is_stopped = TOLERATE(troupe_stop_actor(ctx, other));
        host->open += is_root && is_stopped ? 1 : 0;
        for (uint32_t i = 0; i < 5; i++) {
            (void)TOLERATE(troupe_send(ctx, other, NUMBER, &i, sizeof(i)));
        }
    }
}

static void host_begin(troupe_context_t *ctx, struct host_state *host, const char *place)
{
    (void)TOLERATE(troupe_dead_letters_subscribe(ctx, true));
    (void)TOLERATE(troupe_register(ctx, "host"));
    host->open += TOLERATE(troupe_await_name(
                      ctx,
                      "guest",
                      &(const struct troupe_ask_options){
                          .timeout_ns = SHORT_MS * MEASURE_MS_NS, .on_reply = host_on_reply}))
                      ? 1
                      : 0;
    const struct troupe_spawn_options options = {
        .behaviour = &guest, .name = "guest", .place = place};
    if (TOLERATE(troupe_spawn(ctx, &options, &host->guest))) {
        (void)TOLERATE(troupe_monitor(ctx, host->guest, NULL));
        for (uint64_t tag = 1; tag <= 10; tag++) {
            host_ask(ctx, host, host->guest, tag);
        }
        host_send_large(ctx, host->guest);
        host_flood(ctx, host);
    } else {
        host->sent = FLOOD;
    }
    host_stop_other(ctx, host, place);
    host_start_timers(ctx, host);
    host_settle(ctx, host);
}

/** An exit was reported: of the guest while the system runs only if memory failed. */
static void host_on_down(struct host_state *host, const struct troupe_down *down)
{
    if (!troupe_ref_equal(down->actor, host->guest)) {
        host->open -= host->open > 0 ? 1 : 0; // the other's, which may have come by itself
        return;
    }
    MUST_BE((is_rationed || host->is_over) && !host->guest_is_down);
    host->guest_is_down = true;
}

static void host_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct host_state *host = state;
    switch (troupe_message_type(message)) {
    case BEGIN:
        host_begin(ctx, host, troupe_message_body(message));
        return;
    case BEAT:
        if (host->beat == 0) {
            return; // one that was on its way when it was cancelled
        }
        MUST(troupe_timer_cancel(ctx, host->beat));
        host->beat = 0;
        host->open--;
        break;
    case TROUPE_MESSAGE_DOWN:
        host_on_down(host, TROUPE_BODY(message, struct troupe_down));
        break;
    case TICK:
        host->open--;
        break;
    case AGAIN:
    case TROUPE_MESSAGE_ROOM:
        host_flood(ctx, host);
        break;
    default: // what is sent back, and dead letters
        return;
    }
    host_settle(ctx, host);
}

static const struct troupe_behaviour host = {
    .name = "host", .state_bytes = sizeof(struct host_state), .receive = host_receive};

/* The client: waits for a reply while its messages wait; linked to the actor that replies. ----- */

static void client_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)state, (void)tag, (void)reply;
    (void)TOLERATE(err);
}

static void client_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    if (troupe_message_type(message) != INTRODUCE_TO) {
        return;
    }
    const troupe_ref_t *peer = TROUPE_BODY(message, troupe_ref_t);
    const uint64_t number = 1;
    const struct troupe_outgoing outgoing = {
        .to = *peer,
        .type = REQUEST,
        .body = &number,
        .body_bytes = sizeof(number),
        .ttl_ns = RUN_SECONDS * MEASURE_SECOND_NS,
    };
    troupe_trap_exit(ctx, true);
    (void)TOLERATE(troupe_link(ctx, *peer));
    (void)TOLERATE(troupe_monitor_executor(ctx, *peer, NULL));
    (void)TOLERATE(troupe_ask(
        ctx,
        &outgoing,
        &(const struct troupe_ask_options){
            .timeout_ns = SHORT_MS * MEASURE_MS_NS,
            .on_reply = client_on_reply,
            .tag = number,
            .exclusive = true}));
}

static const struct troupe_behaviour client = {.name = "client", .receive = client_receive};

/* Programs. ------------------------------------------------------------------------------------ */

/** The counters of a system that has stopped. @return the exit status that they mean. */
static int audit(troupe_system_t *system)
{
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    bool closes = audit_balances(system) && stats.sequence_gaps == 0 &&
                  stats.frames_undecodable == 0 && stats.actors_started >= stats.actors_ended &&
                  stats.executors_started == stats.executors_ended;
    if (!closes) {
        troupe_system_print_stats(system, stderr);
    }
    return closes ? 0 : STILL_WAITING;
}

/** Run a system to its end, and free it. */
static int run_to_end(troupe_system_t *system)
{
    enum troupe_err err = troupe_system_run(system);
    int status = audit(system);
    if (err != TROUPE_OK) { // even without memory it ends in time
        (void)fprintf(stderr, "troupe_system_run: %s\n", troupe_error_detail());
        return STILL_WAITING;
    }
    MUST(troupe_system_destroy(&system));
    return status;
}

static enum troupe_err new_system(troupe_system_t **out_system)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&host, &guest, &client),
        .place = (const char *const[]){"never=thread:2", NULL},
        .limit = (const char *const[]){"never=files:300", NULL},
        .mailbox_messages = GUEST_MAILBOX,
        .child_program = "/proc/self/exe",
        .stop_timeout_ns = 5 * MEASURE_SECOND_NS,
    };
    return troupe_system_new(&options, out_system);
}

static int run_host(const struct run *run)
{
    troupe_system_t *system = NULL;
    if (!TOLERATE(new_system(&system))) {
        return 0;
    }
    troupe_context_t *ctx = troupe_system_context(system);
    const struct troupe_spawn_options options = {.behaviour = &host, .place = "ecs"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    if (!TOLERATE(troupe_spawn(ctx, &options, &ref)) ||
        !TOLERATE(troupe_send(ctx, ref, BEGIN, run->place, strlen(run->place) + 1))) {
        troupe_system_stop(system);
    } else {
        troupe_system_set_root(system, ref); // it may have failed to start
    }
    return run_to_end(system);
}

/** Every actor sends to every other: channels. */
static int run_ring(const struct run *run)
{
    troupe_system_t *system = NULL;
    if (!TOLERATE(new_system(&system))) {
        return 0;
    }
    troupe_context_t *ctx = troupe_system_context(system);
    troupe_ref_t refs[RING];
    size_t count = 0;
    for (size_t i = 0; i < RING; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "guest %zu", i);
        const struct troupe_spawn_options options = {
            .behaviour = &guest, .name = name, .place = run->place};
        count += TOLERATE(troupe_spawn(ctx, &options, &refs[count])) ? 1 : 0;
    }
    for (size_t i = 0; i < count; i++) {
        (void)TOLERATE(troupe_send(ctx, refs[i], INTRODUCE_TO, refs, count * sizeof(refs[0])));
    }
    troupe_system_stop(system); // after what is on its way
    return run_to_end(system);
}

/** Spawn one for run_wait(). @return whether it could. */
static bool spawn_at(
    troupe_context_t *ctx,
    const struct troupe_behaviour *behaviour,
    const char *place,
    troupe_ref_t *out_ref)
{
    const struct troupe_spawn_options options = {
        .behaviour = behaviour, .name = behaviour->name, .place = place};
    return TOLERATE(troupe_spawn(ctx, &options, out_ref));
}

/** Messages wait for an actor that waits. */
static int run_wait(const struct run *run)
{
    troupe_system_t *system = NULL;
    if (!TOLERATE(new_system(&system))) {
        return 0;
    }
    troupe_context_t *ctx = troupe_system_context(system);
    troupe_ref_t to = TROUPE_REF_NONE;
    troupe_ref_t peer = TROUPE_REF_NONE;
    if (spawn_at(ctx, &guest, run->place, &peer) && spawn_at(ctx, &client, run->place, &to)) {
        (void)TOLERATE(troupe_send(ctx, to, INTRODUCE_TO, &peer, sizeof(peer)));
        for (uint64_t i = 0; i < 10; i++) {
            (void)TOLERATE(troupe_send(ctx, to, NUMBER, &i, sizeof(i)));
        }
    }
    troupe_system_stop(system); // after what is on its way
    return run_to_end(system);
}

/** What an inbox is sent, and a flood of its own, until all of it was accepted. */
static void use_inbox(troupe_inbox_t *inbox, troupe_ref_t to)
{
    troupe_context_t *ctx = troupe_inbox_context(inbox);
    troupe_message_t *message = NULL;
    uint64_t number = 7;
    const struct troupe_outgoing outgoing = {
        .to = to, .type = REQUEST, .body = &number, .body_bytes = sizeof(number)};
    if (TOLERATE(troupe_inbox_ask(inbox, &outgoing, SHORT_MS * MEASURE_MS_NS, &message))) {
        troupe_message_destroy(&message);
    }
    host_send_large(ctx, to);
    for (uint32_t sent = 0; sent < FLOOD;) {
        enum troupe_err err = troupe_send(ctx, to, NUMBER, &sent, sizeof(sent));
        sent += err == TROUPE_OK ? 1 : 0;
        bool is_room = err != TROUPE_ERR_FULL;
        while (!is_room) {
            MUST(troupe_inbox_receive(inbox, RUN_SECONDS * MEASURE_SECOND_NS, &message));
            is_room = troupe_message_type(message) == TROUPE_MESSAGE_ROOM;
            troupe_message_destroy(&message);
        }
        (void)tolerate(err == TROUPE_ERR_FULL ? TROUPE_OK : err, "a port's send");
    }
    (void)TOLERATE(troupe_stop_actor(ctx, to));
}

static int run_inbox(const struct run *run)
{
    troupe_system_t *system = NULL;
    if (!TOLERATE(new_system(&system))) {
        return 0;
    }
    troupe_inbox_t *inbox = NULL;
    if (TOLERATE(troupe_inbox_new(system, &inbox))) {
        const struct troupe_spawn_options options = {.behaviour = &guest, .place = run->place};
        troupe_ref_t ref = TROUPE_REF_NONE;
        if (TOLERATE(troupe_spawn(troupe_inbox_context(inbox), &options, &ref))) {
            use_inbox(inbox, ref);
        }
        MUST(troupe_inbox_destroy(&inbox));
    }
    troupe_system_stop(system);
    return run_to_end(system);
}

/* The main program, and its launch file. ------------------------------------------------------- */

static enum troupe_err brief_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    troupe_stop(ctx);
    return TROUPE_OK;
}

static const struct troupe_behaviour brief = {
    .name = "brief",
    .usage = "[WORD...]",
    .init = brief_init,
    .receive = guest_receive,
};

static const char launch_text[] = "options\n"
                                  "    seed = 7\n"
                                  "    mailbox = 100\n"
                                  "    args = --top 10 \"a b\"\n"
                                  "place\n"
                                  "    rule = never*=thread:4\n"
                                  "    default = *=ecs\n"
                                  "limit\n"
                                  "    rule = plugin=mem:64M,cpu:10s\n"
                                  "actors\n"
                                  "    tally\n"
                                  "        behaviour = guest\n"
                                  "        args = --greet \"dear world\"\n"
                                  "        place = thread\n"
                                  "        limits = mem:64M\n"
                                  "    other\n"
                                  "        behaviour = guest\n";

/** Run troupe_main() with a launch file. @p last_argument: one more argument of the command line. */
static int run_main(const char *last_argument)
{
    struct fixture_journal file;
    fixture_journal_open(&file);
    int fd = open(file.path, O_WRONLY | O_CLOEXEC);
    MUST_BE(write(fd, launch_text, sizeof(launch_text) - 1) == (ssize_t)sizeof(launch_text) - 1);
    (void)close(fd);
    union {
        const char *read_only[7];
        char *arguments[7];
    } line = {
        .read_only = {
            "brief", "--launch", file.path, "--place", "never=thread", last_argument, NULL}};
    int status = troupe_main(6, line.arguments, TROUPE_BEHAVIOURS(&brief, &guest));
    (void)unlink(file.path);
    return status != 0 && status != STATUS_UNBALANCED && is_rationed ? 0 : status;
}

static int run_main_program(const struct run *run)
{
    (void)run;
    MUST_BE(setenv("TROUPE_PLACE", "x=thread;y=ecs", 1) == 0);
    return run_main("--audit");
}

static int run_dump(const struct run *run)
{
    (void)run;
    return run_main("--dump-launch");
}

/* Runs. ---------------------------------------------------------------------------------------- */

static void say_count(void)
{
    (void)dprintf(
        STDOUT_FILENO, "\ncounted %llu\n", (unsigned long long)atomic_load(&ration.count));
}

/** At the end of a process that carried an actor. */
static void at_child_exit(void)
{
    say_count();
    if (ration_close() != 0) {
        _exit(LEAKED);
    }
}

enum { BEFORE_SUBJECTS = 101 };

/** In a process that is to carry an actor, and whose memory is on ration. */
__attribute__((constructor(BEFORE_SUBJECTS))) static void ration_enter(void)
{
    const char *text = getenv(RATION_NAME);
    if (text == NULL || getenv("TROUPE_CHILD") == NULL) {
        return;
    }
    char *rest = NULL;
    uint64_t first = strtoull(text, &rest, 10);
    uint64_t last = strtoull(rest + 1, NULL, 10);
    is_rationed = first != 0;
    (void)alarm(RUN_SECONDS);
    (void)atexit(at_child_exit);
    ration_open(first, last);
}

static int scenario(void *data)
{
    const struct run *run = data;
    is_rationed = run->first != 0;
    (void)alarm(RUN_SECONDS); // ends a process that hangs
    if (run->in_child) {
        char text[64];
        (void)snprintf(text, sizeof(text), "%" PRIu64 ",%" PRIu64, run->first, run->last);
        MUST_BE(setenv(RATION_NAME, text, 1) == 0);
        return run->scenario(run);
    }
    ration_open(run->first, run->last);
    int status = run->scenario(run);
    say_count();
    return ration_close() != 0 ? LEAKED : status;
}

/** @return the most allocations that one process of a run counted, as it printed. */
static uint64_t counted(const char *out)
{
    uint64_t most = 0;
    for (const char *at = out; (at = strstr(at, "\ncounted ")) != NULL; at++) {
        uint64_t count = strtoull(at + strlen("\ncounted "), NULL, 10);
        most = count > most ? count : most;
    }
    return most;
}

/** Play one run. @return whether it ended well. */
static bool try(const struct run *run, uint64_t *out_count)
{
    struct run copy = *run;
    struct child_end end = child_run(scenario, &copy);
    bool is_well = end.status == 0 && strstr(end.err, "leaked") == NULL &&
                   strstr(end.err, "Sanitizer") == NULL && strstr(end.err, "runtime error") == NULL;
    cr_expect(
        is_well,
        "%s with allocations %" PRIu64 " to %" PRIu64 " failing ended with status %d:\n%s",
        run->place,
        run->first,
        run->last,
        end.status,
        end.err);
    *out_count = counted(end.out);
    return is_well;
}

/** Play it with each of its allocations failing, or some of them; and with many at once. */
static void try_all(struct run run)
{
    enum { SOME = 8, MANY = 4, MANY_AT_ONCE = 50, FOREVER = 1, FAILED_MAX = 5 };
    struct chance chance = chance_open("allocations");
    const char *text = getenv("TROUPE_ALLOCATIONS");
    bool all = text != NULL && strcmp(text, "all") == 0;
    uint64_t count = 0;
    uint64_t ignored = 0;
    cr_assert(try(&run, &count) && count > 0);
    char *end = NULL;
    if (text != NULL && (run.first = strtoull(text, &end, 10)) != 0) {
        run.last = *end == ',' ? strtoull(end + 1, NULL, 10) : run.first;
        (void)try(&run, &ignored);
        return;
    }
    uint64_t runs = all ? count : SOME;
    uint32_t failed = 0;
    for (uint64_t i = 1; i <= runs && failed < FAILED_MAX; i++) {
        run.first = all ? i : chance_below(&chance, (uint32_t)count) + 1;
        run.last = run.first;
        failed += try(&run, &ignored) ? 0 : 1;
    }
    runs = all ? count / 4 : MANY;
    for (uint64_t i = 0; i < runs && failed < FAILED_MAX; i++) {
        run.first = all ? i * 4 + 1 : chance_below(&chance, (uint32_t)count) + 1;
        run.last = run.first + MANY_AT_ONCE;
        failed += try(&run, &ignored) ? 0 : 1;
    }
    // A process of an actor that gets no more memory ends; a first process would wait.
    runs = !run.in_child ? 0 : all ? count / 4 : FOREVER;
    for (uint64_t i = 0; i < runs && failed < FAILED_MAX; i++) {
        run.first = all ? i * 4 + 1 : chance_below(&chance, (uint32_t)count) + 1;
        run.last = UINT64_MAX;
        failed += try(&run, &ignored) ? 0 : 1;
    }
}

#define ALLOCATIONS_TEST(name, ...)               \
    Test(allocations, name)                       \
    {                                             \
        try_all((const struct run){__VA_ARGS__}); \
    }

ALLOCATIONS_TEST(on_executor_0, .scenario = run_host, .place = "ecs")
ALLOCATIONS_TEST(of_a_thread, .scenario = run_host, .place = "thread")
ALLOCATIONS_TEST(of_a_pool, .scenario = run_host, .place = "thread:2")
ALLOCATIONS_TEST(of_messages_over_ipc, .scenario = run_host, .place = "thread+ipc")
ALLOCATIONS_TEST(of_messages_over_tcp, .scenario = run_host, .place = "thread+tcp")
ALLOCATIONS_TEST(of_a_process_starter, .scenario = run_host, .place = "process")
ALLOCATIONS_TEST(of_a_process, .scenario = run_host, .place = "process", .in_child = true)
ALLOCATIONS_TEST(
    of_a_pool_of_processes, .scenario = run_host, .place = "process:2", .in_child = true)
ALLOCATIONS_TEST(of_many_channels, .scenario = run_ring, .place = "thread")
ALLOCATIONS_TEST(of_channels_between_processes, .scenario = run_ring, .place = "process")
ALLOCATIONS_TEST(of_an_exclusive_ask, .scenario = run_wait, .place = "thread")
ALLOCATIONS_TEST(
    of_an_exclusive_ask_in_a_process, .scenario = run_wait, .place = "process", .in_child = true)
ALLOCATIONS_TEST(of_an_inbox, .scenario = run_inbox, .place = "thread")
ALLOCATIONS_TEST(of_an_inbox_to_a_process, .scenario = run_inbox, .place = "process")
ALLOCATIONS_TEST(of_the_main_program, .scenario = run_main_program, .place = "a launch file")
ALLOCATIONS_TEST(of_a_launch_that_is_printed, .scenario = run_dump, .place = "a launch file")

SUBJECTS(&host, &guest, &client);
