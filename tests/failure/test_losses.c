/*
 * Messages that are lost with a process, or in a frame, are reported with all that is known of them. Dead letters
 * are logged with a line each, up to a limit of lines a second.
 */
#include "support/audit.h"
#include "support/child.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HELLO = 1, // from the victim: pid_t, it has started
    DIE, // to the victim, uint32_t: send so many messages to the witness, and exit before they are flushed
    HANG,      // to the victim: send HANGING, and never return
    HANGING,   // no body
    STRAY,     // to the victim, uint32_t: send so many messages to no actor
    LOST,      // a message that is lost
    QUESTION,  // an ask that is lost
    SUBSCRIBE, // to the victim: subscribe to dead letters, and send another HELLO
};

enum { LETTERS_MAX = 64 };

/* The witness of the losses, on the main thread. ----------------------------------------------- */

static struct {
    pid_t pid;
    troupe_ref_t victim;
    bool hangs;
    uint32_t letter_count;
    struct troupe_dead_letter letters[LETTERS_MAX];
    enum troupe_err ask_err;
    char ask_detail[128];
} seen;

static enum troupe_err witness_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    return troupe_dead_letters_subscribe(ctx, true);
}

static void witness_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)state, (void)tag, (void)reply;
    seen.ask_err = err;
    (void)snprintf(seen.ask_detail, sizeof(seen.ask_detail), "%.100s", troupe_error_detail());
}

/** Have the victim hang, and send it messages that it never receives. */
static void witness_send(troupe_context_t *ctx)
{
    const struct troupe_outgoing question = {.to = seen.victim, .type = QUESTION};
    MUST(troupe_send(ctx, seen.victim, HANG, NULL, 0));
    MUST(troupe_send(ctx, seen.victim, LOST, "three", 5));
    MUST(troupe_send(ctx, seen.victim, LOST, "five5", 5));
    MUST(troupe_ask(
        ctx, &question, &(const struct troupe_ask_options){.on_reply = witness_on_reply}));
}

static void witness_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    switch (troupe_message_type(message)) {
    case HELLO:
        seen.pid = *TROUPE_BODY(message, pid_t);
        seen.victim = troupe_message_sender(message);
        break;
    case HANG:
        witness_send(ctx);
        break;
    case HANGING:
        seen.hangs = true;
        break;
    case TROUPE_MESSAGE_DEAD_LETTER:
        MUST_BE(seen.letter_count < LETTERS_MAX);
        seen.letters[seen.letter_count++] = *TROUPE_BODY(message, struct troupe_dead_letter);
        break;
    default:
        break;
    }
}

static const struct troupe_behaviour witness = {
    .name = "witness",
    .init = witness_init,
    .receive = witness_receive,
};

/* The victim, whose process exits. ------------------------------------------------------------- */

static enum troupe_err victim_send_hello(troupe_context_t *ctx, const troupe_ref_t *witness_ref)
{
    const pid_t pid = getpid();
    return TROUPE_SEND(ctx, *witness_ref, HELLO, &pid);
}

static enum troupe_err victim_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    *(troupe_ref_t *)state = fixture_ref_of(args, args_bytes);
    return victim_send_hello(ctx, state);
}

static void victim_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    troupe_ref_t no_actor = troupe_self(ctx);
    no_actor.index += 1000;
    const uint32_t *count = TROUPE_BODY(message, uint32_t);
    switch (troupe_message_type(message)) {
    case DIE:
        for (uint32_t i = 0; i < *count; i++) {
            MUST(troupe_send(ctx, *(troupe_ref_t *)state, LOST, NULL, 0));
        }
        (void)raise(SIGKILL);
        break;
    case STRAY:
        for (uint32_t i = 0; i < *count; i++) {
            MUST(troupe_send(ctx, no_actor, LOST, NULL, 0));
        }
        break;
    case SUBSCRIBE:
        MUST(troupe_dead_letters_subscribe(ctx, true));
        MUST(victim_send_hello(ctx, state));
        break;
    case HANG:
        MUST(troupe_send(ctx, *(troupe_ref_t *)state, HANGING, NULL, 0));
        troupe_flush(ctx);
        while (pause() != 0) { // always: its callback never returns
        }
        break;
    default:
        break;
    }
}

static const struct troupe_behaviour victim = {
    .name = "victim",
    .state_bytes = sizeof(troupe_ref_t),
    .init = victim_init,
    .receive = victim_receive,
};

/* The setup. ----------------------------------------------------------------------------------- */

struct setup {
    troupe_system_t *system;
    troupe_ref_t witness;
};

static void setup_wait_until(struct setup *setup, bool (*is_so)(void))
{
    uint64_t deadline_ns = measure_now_ns() + FIXTURE_DEADLINE_NS;
    while (!is_so()) {
        MUST(troupe_system_progress(setup->system, NULL));
        struct pollfd ready = {.fd = troupe_system_fd(setup->system), .events = POLLIN};
        (void)poll(&ready, 1, 10);
        if (measure_now_ns() > deadline_ns) {
            (void)troupe_system_audit(setup->system, stderr);
            MUST_BE(measure_now_ns() <= deadline_ns);
        }
    }
}

static bool has_pid(void)
{
    return seen.pid != 0;
}

static bool hangs(void)
{
    return seen.hangs;
}

static bool has_letter(void)
{
    return seen.letter_count > 0;
}

/** Make a system with a witness, and a victim at @p place that has started. */
static struct setup setup_open(const char *place, bool dead_letter_log)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&witness, &victim),
        .dead_letter_log = dead_letter_log,
        .stop_timeout_ns = FIXTURE_DEADLINE_NS,
    };
    struct setup setup = {0};
    memset(&seen, 0, sizeof(seen));
    MUST(troupe_system_new(&options, &setup.system));
    troupe_context_t *ctx = troupe_system_context(setup.system);
    const struct troupe_spawn_options first = {.behaviour = &witness, .place = "ecs"};
    MUST(troupe_spawn(ctx, &first, &setup.witness));
    const struct troupe_spawn_options second = {
        .behaviour = &victim,
        .args = &setup.witness,
        .args_bytes = sizeof(setup.witness),
        .place = place,
    };
    MUST(troupe_spawn(ctx, &second, NULL));
    setup_wait_until(&setup, has_pid);
    return setup;
}

/** End the system. @return its last counters, which balance. */
static struct troupe_stats setup_close(struct setup *setup)
{
    struct troupe_stats stats;
    troupe_system_stop(setup->system);
    MUST(troupe_system_run(setup->system));
    troupe_system_stats(setup->system, &stats);
    audit_and_destroy(&setup->system);
    return stats;
}

static void setup_send(struct setup *setup, uint32_t what, uint32_t count)
{
    MUST(TROUPE_SEND(troupe_system_context(setup->system), seen.victim, what, &count));
}

/* Reported. ------------------------------------------------------------------------------------ */

static const char *const places[] = {"process", "process+ipc", "process+tcp"};

enum { PLACES = sizeof(places) / sizeof(places[0]) };

Test(losses, messages_not_flushed_by_a_process_that_exits_are_reported_in_sum)
{
    for (int i = 0; i < PLACES; i++) {
        struct setup setup = setup_open(places[i], false);

        setup_send(&setup, DIE, 5);
        setup_wait_until(&setup, has_letter);

        const struct troupe_dead_letter *letter = &seen.letters[0];
        cr_expect(eq(u32, seen.letter_count, 1));
        cr_expect(eq(u32, letter->reason, TROUPE_DEAD_SENDER_DOWN));
        cr_expect(eq(u64, letter->count, 5));
        cr_expect(eq(u32, letter->from.node, seen.victim.node));
        cr_expect(eq(u32, letter->from.executor, seen.victim.executor));
        cr_expect(eq(u32, letter->to.executor, setup.witness.executor));
        cr_expect(eq(u32, letter->to.generation, 0)); // only the executor is known
        struct troupe_stats stats = setup_close(&setup);
        cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_SENDER_DOWN], 5));
        cr_expect(eq(u64, stats.unknown, 1)); // the DIE
    }
}

static bool has_three_letters_and_a_reply(void)
{
    return seen.letter_count == 3 && seen.ask_err != TROUPE_OK;
}

static void check_letter(const struct setup *setup, uint32_t which, uint32_t type, uint64_t bytes)
{
    const struct troupe_dead_letter *letter = &seen.letters[which];
    cr_expect(eq(u32, letter->reason, TROUPE_DEAD_PEER_DOWN));
    cr_expect(troupe_ref_equal(letter->to, seen.victim));
    cr_expect(troupe_ref_equal(letter->from, setup->witness));
    cr_expect(eq(u32, letter->type, type));
    cr_expect(eq(u64, letter->body_bytes, bytes));
    cr_expect(eq(u64, letter->count, 1));
}

Test(losses, messages_not_started_by_a_process_that_exits_are_reported_one_by_one)
{
    for (int i = 0; i < PLACES; i++) {
        struct setup setup = setup_open(places[i], false);
        MUST(troupe_send(troupe_system_context(setup.system), setup.witness, HANG, NULL, 0));
        setup_wait_until(&setup, hangs);

        cr_assert(kill(seen.pid, SIGKILL) == 0);
        setup_wait_until(&setup, has_three_letters_and_a_reply);

        check_letter(&setup, 0, LOST, 5);
        check_letter(&setup, 1, LOST, 5);
        check_letter(&setup, 2, QUESTION, 0);
        cr_expect(eq(int, seen.ask_err, TROUPE_ERR_NOENT));
        cr_expect(strstr(seen.ask_detail, "peer_down") != NULL, "%s", seen.ask_detail);
        (void)setup_close(&setup);
    }
}

enum { STRAYS = 20 };

/** Have the main program send messages to no actor. */
static void setup_send_strays(struct setup *setup)
{
    troupe_ref_t no_actor = setup->witness;
    no_actor.index += 1000;
    for (int i = 0; i < STRAYS; i++) {
        MUST(troupe_send(troupe_system_context(setup->system), no_actor, LOST, NULL, 0));
    }
}

static bool has_all_strays_and_one(void)
{
    return seen.letter_count == 2 * STRAYS + 1;
}

Test(losses, a_subscriber_whose_process_exits_is_notified_no_more_and_others_are)
{
    for (int i = 0; i < PLACES; i++) {
        struct setup setup = setup_open(places[i], false);
        seen.pid = 0;
        MUST(troupe_send(troupe_system_context(setup.system), seen.victim, SUBSCRIBE, NULL, 0));
        setup_wait_until(&setup, has_pid);

        setup_send_strays(&setup); // some notices are lost with it, which count for nothing
        cr_assert(kill(seen.pid, SIGKILL) == 0);
        setup_send_strays(&setup);
        MUST(troupe_send(troupe_system_context(setup.system), seen.victim, LOST, NULL, 0));
        setup_wait_until(&setup, has_all_strays_and_one);

        struct troupe_stats stats = setup_close(&setup);
        cr_expect(eq(u32, seen.letter_count, 2 * STRAYS + 1));
        cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_NO_SUCH_ACTOR], 2 * STRAYS));
        cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_PEER_DOWN], 1));
        cr_expect(eq(u64, stats.dead, 2 * STRAYS + 1));
        cr_expect(eq(u64, stats.unknown, 0));
    }
}

/* Logged. -------------------------------------------------------------------------------------- */

/** @return how often @p part is in @p text. */
static uint32_t count_of(const char *text, const char *part)
{
    uint32_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) {
        count++;
    }
    return count;
}

static bool has_thirty_letters(void)
{
    return seen.letter_count == 30;
}

static int log_thirty(void *place)
{
    struct setup setup = setup_open(place, true);
    setup_send(&setup, STRAY, 30);
    setup_wait_until(&setup, has_thirty_letters);
    (void)setup_close(&setup);
    return 0;
}

Test(losses, a_line_names_the_actors_and_the_reason_of_a_dead_letter)
{
    static const char *const all[] = {"ecs", "thread", "process"};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        union {
            const char *text;
            void *data;
        } place = {.text = all[i]};
        struct child_end end = child_run(log_thirty, place.data);

        cr_expect(eq(int, end.status, 0), "%s", end.err);
        // On a slow machine the messages may spread over two seconds.
        uint32_t lines = count_of(end.err, "troupe: dead letter, no_such_actor: type 6, 0 bytes, ");
        cr_expect(lines >= 10 && lines < 30, "%s: %s", all[i], end.err);
        cr_expect(strstr(end.err, "'victim' to ") != NULL, "%s: %s", all[i], end.err);
        cr_expect(strstr(end.err, "more dead letters had no line") != NULL, "%s", end.err);
    }
}

static int log_nothing(void *unused)
{
    (void)unused;
    struct setup setup = setup_open("process", false);
    setup_send(&setup, STRAY, 30);
    setup_wait_until(&setup, has_thirty_letters);
    (void)setup_close(&setup);
    return 0;
}

Test(losses, nothing_is_logged_by_default)
{
    struct child_end end = child_run(log_nothing, NULL);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(end.err[0] == '\0', "%s", end.err);
}

static int stop_with_messages(void *unused)
{
    (void)unused;
    struct setup setup = setup_open("thread", true);
    troupe_system_stop(setup.system);
    for (int i = 0; i < 100; i++) {
        fixture_ignore(
            troupe_send(troupe_system_context(setup.system), seen.victim, LOST, NULL, 0));
    }
    (void)setup_close(&setup);
    return 0;
}

Test(losses, messages_to_a_system_that_ends_are_not_logged)
{
    struct child_end end = child_run(stop_with_messages, NULL);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(end.err[0] == '\0', "%s", end.err);
}

static int log_an_exit(void *unused)
{
    (void)unused;
    struct setup setup = setup_open("process", true);
    setup_send(&setup, DIE, 7);
    setup_wait_until(&setup, has_letter);
    (void)setup_close(&setup);
    return 0;
}

Test(losses, messages_lost_in_sum_have_one_line)
{
    struct child_end end = child_run(log_an_exit, NULL);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(strstr(end.err, "7 dead letters, sender_down: from executor") != NULL, "%s", end.err);
}

/* Audited. ------------------------------------------------------------------------------------- */

static bool audit_says(troupe_system_t *system, const char *what)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    MUST_BE(file != NULL);
    MUST_BE(troupe_system_audit(system, file));
    (void)fclose(file);
    bool says = strstr(text, what) != NULL;
    cr_expect(says, "no '%s' in: %s", what, text);
    free(text);
    return says;
}

Test(losses, the_audit_names_the_receiver_of_dead_letters)
{
    struct setup setup = setup_open("process", false);
    setup_send(&setup, STRAY, 30);
    setup_wait_until(&setup, has_thirty_letters);
    char ref[TROUPE_REF_TEXT_BYTES];
    char line[128];
    troupe_ref_t no_actor = seen.victim;
    no_actor.index += 1000;
    (void)snprintf(
        line,
        sizeof(line),
        "dead letters for %s on 'victim': no_such_actor 30",
        troupe_ref_print(no_actor, ref));

    (void)audit_says(setup.system, line); // while the system runs, and of another process

    (void)audit_says(setup.system, "open");
    (void)setup_close(&setup);
}

SUBJECTS(&witness, &victim);
