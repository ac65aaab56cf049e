/*
 * What is lost with a process, or in a frame, is told with all that is known of it; and what is logged of
 * dead letters can be read: a line each, and not more lines than somebody can read.
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
    HELLO = 1, // pid_t: a victim is there
    DIE,       // uint32_t: send so many letters to whom you greeted, and die before they leave
    HANG,      // say HANGING, and never return
    HANGING,   // nothing
    STRAY,     // uint32_t: send so many letters to nobody
    LETTER,    // what is lost
    QUESTION,  // an ask that is lost
    HEED,      // hear of dead letters, and greet again
};

enum { LETTERS_MAX = 64 };

/* Who hears of it, on the test's own thread. --------------------------------------------------- */

static struct {
    pid_t pid;
    troupe_ref_t victim;
    bool hangs;
    uint32_t letter_count;
    struct troupe_dead_letter letters[LETTERS_MAX];
    enum troupe_err ask_err;
    char ask_detail[128];
} received;

static enum troupe_err witness_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    return troupe_dead_letters_subscribe(ctx, true);
}

static void witness_on_answer(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *answer)
{
    (void)ctx, (void)state, (void)tag, (void)answer;
    received.ask_err = err;
    (void)snprintf(
        received.ask_detail, sizeof(received.ask_detail), "%.100s", troupe_error_detail());
}

/** Have the victim hang, and send it what it will never meet. */
static void witness_send(troupe_context_t *ctx)
{
    const struct troupe_outgoing question = {.to = received.victim, .type = QUESTION};
    MUST(troupe_send(ctx, received.victim, HANG, NULL, 0));
    MUST(troupe_send(ctx, received.victim, LETTER, "three", 5));
    MUST(troupe_send(ctx, received.victim, LETTER, "five5", 5));
    MUST(troupe_ask(
        ctx, &question, &(const struct troupe_ask_options){.on_reply = witness_on_answer}));
}

static void witness_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    switch (troupe_message_type(message)) {
    case HELLO:
        received.pid = *TROUPE_BODY(message, pid_t);
        received.victim = troupe_message_sender(message);
        break;
    case HANG:
        witness_send(ctx);
        break;
    case HANGING:
        received.hangs = true;
        break;
    case TROUPE_MESSAGE_DEAD_LETTER:
        MUST_BE(received.letter_count < LETTERS_MAX);
        received.letters[received.letter_count++] =
            *TROUPE_BODY(message, struct troupe_dead_letter);
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

/* Who dies. ------------------------------------------------------------------------------------ */

static enum troupe_err victim_greet(troupe_context_t *ctx, const troupe_ref_t *witness_ref)
{
    const pid_t pid = getpid();
    return TROUPE_SEND(ctx, *witness_ref, HELLO, &pid);
}

static enum troupe_err victim_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    *(troupe_ref_t *)state = fixture_ref_of(args, args_bytes);
    return victim_greet(ctx, state);
}

static void victim_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    troupe_ref_t nobody = troupe_self(ctx);
    nobody.index += 1000;
    const uint32_t *count = TROUPE_BODY(message, uint32_t);
    switch (troupe_message_type(message)) {
    case DIE:
        for (uint32_t i = 0; i < *count; i++) {
            MUST(troupe_send(ctx, *(troupe_ref_t *)state, LETTER, NULL, 0));
        }
        (void)raise(SIGKILL);
        break;
    case STRAY:
        for (uint32_t i = 0; i < *count; i++) {
            MUST(troupe_send(ctx, nobody, LETTER, NULL, 0));
        }
        break;
    case HEED:
        MUST(troupe_dead_letters_subscribe(ctx, true));
        MUST(victim_greet(ctx, state));
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

/* The stage. ----------------------------------------------------------------------------------- */

struct stage {
    troupe_system_t *system;
    troupe_ref_t witness;
};

static void stage_wait_until(struct stage *stage, bool (*is_so)(void))
{
    uint64_t deadline_ns = measure_now_ns() + FIXTURE_DEADLINE_NS;
    while (!is_so()) {
        MUST(troupe_system_progress(stage->system, NULL));
        struct pollfd ready = {.fd = troupe_system_fd(stage->system), .events = POLLIN};
        (void)poll(&ready, 1, 10);
        if (measure_now_ns() > deadline_ns) {
            (void)troupe_system_audit(stage->system, stderr);
            MUST_BE(measure_now_ns() <= deadline_ns);
        }
    }
}

static bool has_pid(void)
{
    return received.pid != 0;
}

static bool hangs(void)
{
    return received.hangs;
}

static bool has_letter(void)
{
    return received.letter_count > 0;
}

/** Make a system with a witness, and a victim at @p place that has started. */
static struct stage stage_open(const char *place, bool dead_letter_log)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&witness, &victim),
        .dead_letter_log = dead_letter_log,
        .stop_timeout_ns = FIXTURE_DEADLINE_NS,
    };
    struct stage stage = {0};
    memset(&received, 0, sizeof(received));
    MUST(troupe_system_new(&options, &stage.system));
    troupe_context_t *ctx = troupe_system_context(stage.system);
    const struct troupe_spawn_options first = {.behaviour = &witness, .place = "ecs"};
    MUST(troupe_spawn(ctx, &first, &stage.witness));
    const struct troupe_spawn_options second = {
        .behaviour = &victim,
        .args = &stage.witness,
        .args_bytes = sizeof(stage.witness),
        .place = place,
    };
    MUST(troupe_spawn(ctx, &second, NULL));
    stage_wait_until(&stage, has_pid);
    return stage;
}

/** End it. @return its last counts, of a law that closes. */
static struct troupe_stats stage_close(struct stage *stage)
{
    struct troupe_stats stats;
    troupe_system_stop(stage->system);
    MUST(troupe_system_run(stage->system));
    troupe_system_stats(stage->system, &stats);
    audit_and_destroy(&stage->system);
    return stats;
}

static void stage_order(struct stage *stage, uint32_t what, uint32_t count)
{
    MUST(TROUPE_SEND(troupe_system_context(stage->system), received.victim, what, &count));
}

/* Told. ---------------------------------------------------------------------------------------- */

static const char *const places[] = {"process", "process+ipc", "process+tcp"};

enum { PLACES = sizeof(places) / sizeof(places[0]) };

Test(losses, what_never_left_a_process_that_died_is_told_in_sum)
{
    for (int i = 0; i < PLACES; i++) {
        struct stage stage = stage_open(places[i], false);

        stage_order(&stage, DIE, 5);
        stage_wait_until(&stage, has_letter);

        const struct troupe_dead_letter *letter = &received.letters[0];
        cr_expect(eq(u32, received.letter_count, 1));
        cr_expect(eq(u32, letter->reason, TROUPE_DEAD_SENDER_DOWN));
        cr_expect(eq(u64, letter->count, 5));
        cr_expect(eq(u32, letter->from.node, received.victim.node));
        cr_expect(eq(u32, letter->from.executor, received.victim.executor));
        cr_expect(eq(u32, letter->to.executor, stage.witness.executor));
        cr_expect(eq(u32, letter->to.generation, 0)); // more is not known
        struct troupe_stats stats = stage_close(&stage);
        cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_SENDER_DOWN], 5));
        cr_expect(eq(u64, stats.unknown, 1)); // the order to die
    }
}

static bool has_three_letters_and_an_answer(void)
{
    return received.letter_count == 3 && received.ask_err != TROUPE_OK;
}

static void check_letter(const struct stage *stage, uint32_t which, uint32_t type, uint64_t bytes)
{
    const struct troupe_dead_letter *letter = &received.letters[which];
    cr_expect(eq(u32, letter->reason, TROUPE_DEAD_PEER_DOWN));
    cr_expect(troupe_ref_equal(letter->to, received.victim));
    cr_expect(troupe_ref_equal(letter->from, stage->witness));
    cr_expect(eq(u32, letter->type, type));
    cr_expect(eq(u64, letter->body_bytes, bytes));
    cr_expect(eq(u64, letter->count, 1));
}

Test(losses, what_a_process_had_not_begun_when_it_died_is_told_one_by_one)
{
    for (int i = 0; i < PLACES; i++) {
        struct stage stage = stage_open(places[i], false);
        MUST(troupe_send(troupe_system_context(stage.system), stage.witness, HANG, NULL, 0));
        stage_wait_until(&stage, hangs);

        cr_assert(kill(received.pid, SIGKILL) == 0);
        stage_wait_until(&stage, has_three_letters_and_an_answer);

        check_letter(&stage, 0, LETTER, 5);
        check_letter(&stage, 1, LETTER, 5);
        check_letter(&stage, 2, QUESTION, 0);
        cr_expect(eq(int, received.ask_err, TROUPE_ERR_NOENT));
        cr_expect(strstr(received.ask_detail, "peer_down") != NULL, "%s", received.ask_detail);
        (void)stage_close(&stage);
    }
}

enum { STRAYS = 20 };

/** Have the main program send letters to nobody. */
static void stage_stray(struct stage *stage)
{
    troupe_ref_t nobody = stage->witness;
    nobody.index += 1000;
    for (int i = 0; i < STRAYS; i++) {
        MUST(troupe_send(troupe_system_context(stage->system), nobody, LETTER, NULL, 0));
    }
}

static bool has_all_strays_and_one(void)
{
    return received.letter_count == 2 * STRAYS + 1;
}

Test(losses, a_subscriber_whose_process_dies_is_told_no_more_and_others_are)
{
    for (int i = 0; i < PLACES; i++) {
        struct stage stage = stage_open(places[i], false);
        received.pid = 0;
        MUST(troupe_send(troupe_system_context(stage.system), received.victim, HEED, NULL, 0));
        stage_wait_until(&stage, has_pid);

        stage_stray(&stage); // some notices die with it, and are nobody's loss
        cr_assert(kill(received.pid, SIGKILL) == 0);
        stage_stray(&stage);
        MUST(troupe_send(troupe_system_context(stage.system), received.victim, LETTER, NULL, 0));
        stage_wait_until(&stage, has_all_strays_and_one);

        struct troupe_stats stats = stage_close(&stage);
        cr_expect(eq(u32, received.letter_count, 2 * STRAYS + 1));
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
    return received.letter_count == 30;
}

static int log_thirty(void *place)
{
    struct stage stage = stage_open(place, true);
    stage_order(&stage, STRAY, 30);
    stage_wait_until(&stage, has_thirty_letters);
    (void)stage_close(&stage);
    return 0;
}

Test(losses, a_line_says_whose_letter_died_and_why)
{
    static const char *const all[] = {"ecs", "thread", "process"};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        union {
            const char *text;
            void *data;
        } place = {.text = all[i]};
        struct child_end end = child_run(log_thirty, place.data);

        cr_expect(eq(int, end.status, 0), "%s", end.err);
        // A slow machine may have come into the next second.
        uint32_t lines = count_of(end.err, "troupe: dead letter, no_such_actor: type 6, 0 bytes, ");
        cr_expect(lines >= 10 && lines < 30, "%s: %s", all[i], end.err);
        cr_expect(strstr(end.err, "'victim' to ") != NULL, "%s: %s", all[i], end.err);
        cr_expect(strstr(end.err, "more dead letters had no line") != NULL, "%s", end.err);
    }
}

static int log_nothing(void *unused)
{
    (void)unused;
    struct stage stage = stage_open("process", false);
    stage_order(&stage, STRAY, 30);
    stage_wait_until(&stage, has_thirty_letters);
    (void)stage_close(&stage);
    return 0;
}

Test(losses, nothing_is_logged_unasked)
{
    struct child_end end = child_run(log_nothing, NULL);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(end.err[0] == '\0', "%s", end.err);
}

static int stop_with_mail(void *unused)
{
    (void)unused;
    struct stage stage = stage_open("thread", true);
    troupe_system_stop(stage.system);
    for (int i = 0; i < 100; i++) {
        fixture_ignore(
            troupe_send(troupe_system_context(stage.system), received.victim, LETTER, NULL, 0));
    }
    (void)stage_close(&stage);
    return 0;
}

Test(losses, the_end_of_a_system_is_not_logged)
{
    struct child_end end = child_run(stop_with_mail, NULL);
    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(end.err[0] == '\0', "%s", end.err);
}

static int log_a_death(void *unused)
{
    (void)unused;
    struct stage stage = stage_open("process", true);
    stage_order(&stage, DIE, 7);
    stage_wait_until(&stage, has_letter);
    (void)stage_close(&stage);
    return 0;
}

Test(losses, what_is_lost_in_sum_has_one_line)
{
    struct child_end end = child_run(log_a_death, NULL);
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

Test(losses, the_audit_says_whose_mail_died)
{
    struct stage stage = stage_open("process", false);
    stage_order(&stage, STRAY, 30);
    stage_wait_until(&stage, has_thirty_letters);
    char ref[TROUPE_REF_TEXT_BYTES];
    char line[128];
    troupe_ref_t nobody = received.victim;
    nobody.index += 1000;
    (void)snprintf(
        line,
        sizeof(line),
        "dead letters for %s on 'victim': no_such_actor 30",
        troupe_ref_print(nobody, ref));

    (void)audit_says(stage.system, line); // while it runs, and of another process

    (void)audit_says(stage.system, "open");
    (void)stage_close(&stage);
}

SUBJECTS(&witness, &victim);
