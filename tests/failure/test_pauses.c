// ctest: timeout 90
/*
 * Processes that stand still for 2 s, and go on: nothing is lost, nothing out of order, nobody's end is told.
 *
 *     captain, on ecs --spawns, watches--> teller --numbers, questions--> hearer    each in a process
 *
 * Four pairs: by ipc and by tcp, and in each either the teller or the hearer is stopped. Then all of it
 * again in a program that is stopped itself, alone or with all its processes; and so, at a moment that
 * chance chooses, while its links are made: TROUPE_PAUSES times, or 2.
 */
#include "support/child.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "unit/chance.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    PID = 1,  // from each to the captain: pid_t
    RUNNING,  // from a hearer to the captain
    NUMBER,   // from a teller to its hearer: uint64_t
    QUESTION, // likewise
    ANSWER,
    TICK,
    FINISH, // from the captain to tellers
    LAST,   // from a teller to its hearer
    COUNT,  // to the captain: struct count
};

enum {
    PAIRS = 4,
    CREW = 2 * PAIRS, // the hearer of pair i is 2 i, its teller 2 i + 1
    BURST = 20,
    TICK_NS = 1000000,
    RUNNING_NUMBERS = 100,
    ASK_TICKS = 50,
    PAUSE_MS = 2000,
    PAUSES = 2,        // of links that are new
    NEW_NS = 40000000, // how long they are
};

#define PAUSE_NS (PAUSE_MS * MEASURE_MS_NS)
#define AFTER_NS (200 * MEASURE_MS_NS) // that they go on after the pause

struct crew_args {
    troupe_ref_t captain;
    troupe_ref_t peer; // a teller's hearer
    uint32_t index;
};

/** What one of the crew counted, in the end. */
struct count {
    uint32_t index;
    uint32_t ends; // that were told
    uint64_t numbers;
    uint64_t disordered;
    uint64_t unanswered;
};

struct crew {
    struct crew_args args;
    struct count count;
    uint64_t ticks;
    uint64_t asks;
    uint64_t asks_over;
    bool finishing;
    bool done;
};

static enum troupe_err crew_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct crew *crew = state;
    MUST_BE(args_bytes == sizeof(crew->args));
    memcpy(&crew->args, args, args_bytes);
    crew->count.index = crew->args.index;
    pid_t pid = getpid();
    return TROUPE_SEND(ctx, crew->args.captain, PID, &pid);
}

/* A teller. ------------------------------------------------------------------------------------ */

static enum troupe_err teller_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct crew *crew = state;
    const struct troupe_outgoing tick = {.to = troupe_self(ctx), .type = TICK};
    MUST(crew_init(ctx, state, args, args_bytes));
    MUST(troupe_monitor(ctx, crew->args.peer, NULL));
    return troupe_send_every(ctx, TICK_NS, &tick, NULL);
}

static void teller_on_answer(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *answer)
{
    (void)ctx, (void)tag, (void)answer;
    struct crew *crew = state;
    crew->asks_over++;
    crew->count.unanswered += err != TROUPE_OK;
}

/** @return whether it was sent; a full mailbox has room later. */
static bool teller_sent(enum troupe_err err)
{
    MUST_BE(err == TROUPE_OK || err == TROUPE_ERR_FULL);
    return err == TROUPE_OK;
}

static void teller_speak(troupe_context_t *ctx, struct crew *crew)
{
    for (int i = 0; i < BURST; i++) {
        if (!teller_sent(TROUPE_SEND(ctx, crew->args.peer, NUMBER, &crew->count.numbers))) {
            return;
        }
        crew->count.numbers++;
    }
    if (crew->ticks++ % ASK_TICKS == 0) {
        const struct troupe_outgoing letter = {.to = crew->args.peer, .type = QUESTION};
        crew->asks += teller_sent(troupe_ask(
            ctx, &letter, &(const struct troupe_ask_options){.on_reply = teller_on_answer}));
    }
}

static void teller_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct crew *crew = state;
    switch (troupe_message_type(message)) {
    case FINISH:
        crew->finishing = true;
        return;
    case TROUPE_MESSAGE_DOWN:
        crew->count.ends++;
        return;
    case TICK:
        if (!crew->finishing) {
            teller_speak(ctx, crew);
        } else if (
            !crew->done && crew->asks == crew->asks_over &&
            teller_sent(troupe_send(ctx, crew->args.peer, LAST, NULL, 0))) {
            crew->done = true;
            MUST(TROUPE_SEND(ctx, crew->args.captain, COUNT, &crew->count));
        }
        return;
    default:
        return;
    }
}

static const struct troupe_behaviour teller = {
    .name = "teller",
    .state_bytes = sizeof(struct crew),
    .init = teller_init,
    .receive = teller_receive,
};

/* A hearer. ------------------------------------------------------------------------------------ */

static void hearer_hear(troupe_context_t *ctx, struct crew *crew, const troupe_message_t *message)
{
    if (crew->count.numbers == 0) {
        MUST(troupe_monitor(ctx, troupe_message_sender(message), NULL));
    }
    crew->count.disordered += *TROUPE_BODY(message, uint64_t) != crew->count.numbers;
    if (++crew->count.numbers == RUNNING_NUMBERS) {
        MUST(troupe_send(ctx, crew->args.captain, RUNNING, NULL, 0));
    }
}

static void hearer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct crew *crew = state;
    switch (troupe_message_type(message)) {
    case NUMBER:
        hearer_hear(ctx, crew, message);
        return;
    case QUESTION:
        MUST(troupe_reply(ctx, message, ANSWER, NULL, 0));
        return;
    case TROUPE_MESSAGE_DOWN:
        crew->count.ends++;
        return;
    case LAST:
        MUST(TROUPE_SEND(ctx, crew->args.captain, COUNT, &crew->count));
        return;
    default:
        return;
    }
}

static const struct troupe_behaviour hearer = {
    .name = "hearer",
    .state_bytes = sizeof(struct crew),
    .init = crew_init,
    .receive = hearer_receive,
};

/* The captain. --------------------------------------------------------------------------------- */

enum captain_state { GETTING_READY, PAUSED, GOING_ON, FINISHING };

struct captain_args {
    bool stops_itself; // it is stopped from outside, and stops nobody
    bool is_early;     // and was before all were ready
};

struct captain {
    struct captain_args args;
    enum captain_state state;
    troupe_ref_t crew[CREW];
    pid_t pids[CREW];
    struct count counts[CREW];
    uint32_t pid_count;
    uint32_t running_count;
    uint32_t count_count;
    uint64_t until_ns;
    uint64_t ticked_ns;
};

static enum troupe_err captain_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    static const char *const places[PAIRS] = {
        "process+ipc", "process+ipc", "process+tcp", "process+tcp"};
    struct captain *captain = state;
    MUST_BE(args_bytes == sizeof(captain->args));
    memcpy(&captain->args, args, args_bytes);
    for (uint32_t i = 0; i < CREW; i++) {
        const struct crew_args crew = {
            .captain = troupe_self(ctx),
            .peer = i % 2 == 0 ? TROUPE_REF_NONE : captain->crew[i - 1],
            .index = i,
        };
        const struct troupe_spawn_options options = {
            .behaviour = i % 2 == 0 ? &hearer : &teller,
            .args = &crew,
            .args_bytes = sizeof(crew),
            .place = places[i / 2],
        };
        MUST(troupe_spawn(ctx, &options, &captain->crew[i]));
        MUST(troupe_monitor(ctx, captain->crew[i], NULL));
    }
    const struct troupe_outgoing tick = {.to = troupe_self(ctx), .type = TICK};
    if (captain->args.is_early) {
        child_say("spawned");
    }
    return troupe_send_every(ctx, TICK_NS, &tick, NULL);
}

/** Stop a hearer and a teller that go by ipc, and so by tcp; or have them go on. */
static void captain_signal(const struct captain *captain, int number)
{
    for (uint32_t pair = 0; pair < PAIRS && !captain->args.stops_itself; pair++) {
        MUST_BE(kill(captain->pids[2 * pair + pair % 2], number) == 0);
    }
}

static void captain_tick(troupe_context_t *ctx, struct captain *captain)
{
    uint64_t now_ns = measure_now_ns();
    bool was_stopped = captain->ticked_ns != 0 && now_ns - captain->ticked_ns > PAUSE_NS * 3 / 4;
    bool is_over = now_ns >= captain->until_ns;
    captain->ticked_ns = now_ns;
    if (captain->state == GETTING_READY && captain->running_count == PAIRS &&
        captain->pid_count == CREW) {
        captain->state = captain->args.is_early ? GOING_ON : PAUSED;
        captain->until_ns = now_ns + (captain->args.is_early ? AFTER_NS : PAUSE_NS);
        captain_signal(captain, SIGSTOP);
        if (captain->args.stops_itself) {
            child_say("ready");
        }
    } else if (captain->state == PAUSED && (captain->args.stops_itself ? was_stopped : is_over)) {
        captain->state = GOING_ON;
        captain->until_ns = now_ns + AFTER_NS;
        captain_signal(captain, SIGCONT);
    } else if (captain->state == GOING_ON && is_over) {
        captain->state = FINISHING;
        for (uint32_t i = 1; i < CREW; i += 2) {
            MUST(troupe_send(ctx, captain->crew[i], FINISH, NULL, 0));
        }
    }
}

/** All have counted: compare. */
static void captain_end(troupe_context_t *ctx, const struct captain *captain)
{
    for (uint32_t i = 0; i < CREW; i++) {
        const struct count *count = &captain->counts[i];
        char text[TROUPE_EXIT_TEXT_BYTES];
        (void)snprintf(
            text,
            sizeof(text),
            "%u: %llu of %llu, %llu disordered, %llu unanswered, %u ends",
            (unsigned)i,
            (unsigned long long)captain->counts[i & ~1u].numbers,
            (unsigned long long)captain->counts[i | 1u].numbers,
            (unsigned long long)count->disordered,
            (unsigned long long)count->unanswered,
            (unsigned)count->ends);
        if (count->disordered != 0 || count->unanswered != 0 || count->ends != 0 ||
            captain->counts[i & ~1u].numbers != captain->counts[i | 1u].numbers) {
            troupe_fail(ctx, 2, text);
            return;
        }
    }
    troupe_stop(ctx);
}

static void captain_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct captain *captain = state;
    troupe_ref_t from = troupe_message_sender(message);
    switch (troupe_message_type(message)) {
    case TICK:
        captain_tick(ctx, captain);
        return;
    case PID:
        for (uint32_t i = 0; i < CREW; i++) {
            if (troupe_ref_equal(captain->crew[i], from)) {
                captain->pids[i] = *TROUPE_BODY(message, pid_t);
                captain->pid_count++;
            }
        }
        return;
    case RUNNING:
        captain->running_count++;
        return;
    case COUNT:
        captain->counts[TROUPE_BODY(message, struct count)->index] =
            *TROUPE_BODY(message, struct count);
        if (++captain->count_count == CREW) {
            captain_end(ctx, captain);
        }
        return;
    case TROUPE_MESSAGE_DOWN:
        troupe_fail(ctx, 3, "somebody's end was told");
        return;
    default:
        return;
    }
}

static const struct troupe_behaviour captain = {
    .name = "captain",
    .state_bytes = sizeof(struct captain),
    .init = captain_init,
    .receive = captain_receive,
};

/* The tests. ----------------------------------------------------------------------------------- */

/** Play it. @return 0, or what else the captain ended with; in words on standard error. */
static int voyage_run(void *data)
{
    const struct captain_args *args = data;
    troupe_system_t *system = NULL;
    const struct troupe_system_options options = {
        .behaviours = subjects, .stop_timeout_ns = FIXTURE_DEADLINE_NS};
    MUST(troupe_system_new(&options, &system));
    const struct troupe_spawn_options spawn = {
        .behaviour = &captain, .args = args, .args_bytes = sizeof(*args), .place = "ecs"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST(troupe_spawn(troupe_system_context(system), &spawn, &ref));
    troupe_system_set_root(system, ref);
    MUST(troupe_system_run(system));
    struct troupe_exit exit;
    MUST(troupe_system_root_exit(system, &exit));
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    MUST_BE(troupe_system_audit(system, stderr));
    MUST_BE(stats.unknown == 0);
    MUST_BE(stats.dead == stats.dead_by_reason[TROUPE_DEAD_STOPPED]); // ticks, at the end
    MUST(troupe_system_destroy(&system));
    (void)fprintf(stderr, "captain: %s %s\n", troupe_exit_reason_text(exit.reason), exit.text);
    return exit.reason == TROUPE_EXIT_NORMAL ? 0 : 1;
}

Test(pauses, a_sender_or_receiver_that_is_stopped_for_2_s_loses_nothing, .timeout = 50)
{
    struct captain_args args = {.stops_itself = false};
    child_succeeds(voyage_run, &args);
}

/** As voyage_run(), in a process group that can be stopped as a whole. */
static int voyage_run_in_group(void *data)
{
    MUST_BE(setpgid(0, 0) == 0);
    return voyage_run(data);
}

Test(pauses, a_program_that_is_stopped_for_2_s_loses_nothing, .timeout = 50)
{
    struct captain_args args = {.stops_itself = true};
    struct child *alone = child_start(voyage_run, &args);
    struct child *all = child_start(voyage_run_in_group, &args);
    child_wait_for(alone, "ready");
    child_wait_for(all, "ready");
    child_signal(alone, SIGSTOP);
    cr_assert(kill(-child_pid(all), SIGSTOP) == 0);
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, child_pid(alone), 0), .events = POLLIN};
    cr_assert(poll(&end, 1, PAUSE_MS) == 0, "it does not end while it is stopped");
    (void)close(end.fd);
    child_signal(alone, SIGCONT);
    cr_assert(kill(-child_pid(all), SIGCONT) == 0);

    struct child_end ended = child_end(&alone);
    cr_expect(eq(int, ended.status, 0), "stopped alone: %s", ended.err);
    ended = child_end(&all);
    cr_expect(eq(int, ended.status, 0), "stopped with all its processes: %s", ended.err);
}

Test(pauses, a_program_that_is_stopped_while_its_links_are_new_loses_nothing, .timeout = 600)
{
    struct captain_args args = {.stops_itself = true, .is_early = true};
    struct chance chance = chance_open("pauses");
    const char *text = getenv("TROUPE_PAUSES");
    long count = text != NULL ? strtol(text, NULL, 10) : PAUSES;
    for (long i = 0; i < count; i++) {
        struct child *all = child_start(voyage_run_in_group, &args);
        child_wait_for(all, "spawned");
        // It is no event that is waited for: whatever state they are in, nothing is lost.
        const struct timespec until_new = {.tv_nsec = chance_below(&chance, NEW_NS)};
        (void)nanosleep(&until_new, NULL);
        cr_assert(kill(-child_pid(all), SIGSTOP) == 0);
        (void)poll(NULL, 0, PAUSE_MS);
        cr_assert(kill(-child_pid(all), SIGCONT) == 0);
        struct child_end ended = child_end(&all);
        cr_expect(
            eq(int, ended.status, 0), "stopped after %ld ns: %s", until_new.tv_nsec, ended.err);
    }
}

SUBJECTS(&teller, &hearer, &captain);
