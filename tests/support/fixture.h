/**
 * @file fixture.h
 * @brief The fixture of the conformance suite: one test, run on every placement.
 *
 *     BACKEND_TEST(order, messages_of_one_sender_arrive_in_order)
 *     {
 *         struct fixture *fixture = fixture_open(
 *             placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&consumer)});
 *         troupe_ref_t consumer_ref = fixture_spawn(fixture, &consumer);
 *         fixture_send(fixture, consumer_ref, NUMBER, &number, sizeof(number));
 *         const struct report *report = FIXTURE_RECEIVE(fixture, REPORT, struct report);
 *         ...
 *         fixture_close(&fixture);
 *     }
 *
 *     SUBJECTS(&consumer);
 *
 * Two kinds of code take part:
 *
 *  - the *scenario* is the test itself. It has an actor that always lives on `ecs`, executor 0, which is the
 *    test's own thread: that actor sends what the test sends and asks, and the test receives what that actor
 *    receives. Scenario code may assert, and use the variables of the test's process.
 *  - the *subjects* are the other actors. They live where the placement says, possibly in a process of their
 *    own, so they report by messages alone, and are listed in SUBJECTS(): subjects.h says what else they must
 *    observe. A call that must not fail in them goes through MUST().
 *
 * Nothing here sleeps: every wait is for a message, until ::FIXTURE_DEADLINE_NS. A test whose wait times out
 * fails and prints the counters of the system on standard error. Every test ends with an audit of those
 * counters, in fixture_close().
 *
 * Subjects take an arbitrary time: a process needs milliseconds from its start to its first message, and
 * messages of one sender may overtake those of another. So a test that needs to know that something has
 * happened elsewhere asks for it, and waits for the reply.
 *
 * Unless a function says otherwise, the test's own thread calls it, and a failure ends the test.
 */
#ifndef TROUPE_TESTS_FIXTURE_H
#define TROUPE_TESTS_FIXTURE_H

#include "subjects.h"
#include <troupe/troupe.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Placements. ---------------------------------------------------------------------------------- */

/** Where the subjects of a test live. */
struct fixture_placement {
    const char *name;  /**< The end of the test's name: "process_2_tcp". */
    const char *place; /**< The right side of a placement rule: "process:2+tcp". */
};

// clang-format off
/** Within one process, by the shortest transport. */
#define FIXTURE_PLACEMENTS_NEAR(ONE, suite, test) \
    ONE(suite, test, ecs,      "ecs")             \
    ONE(suite, test, thread,   "thread")          \
    ONE(suite, test, thread_2, "thread:2")        \
    ONE(suite, test, clone,    "clone")

/** Within one process, by a transport that is longer than needed. */
#define FIXTURE_PLACEMENTS_FAR(ONE, suite, test) \
    ONE(suite, test, ecs_ipc,      "ecs+ipc")    \
    ONE(suite, test, ecs_tcp,      "ecs+tcp")    \
    ONE(suite, test, thread_ipc,   "thread+ipc") \
    ONE(suite, test, thread_tcp,   "thread+tcp") \
    ONE(suite, test, thread_2_ipc, "thread:2+ipc")

/** In processes of their own. */
#define FIXTURE_PLACEMENTS_PROCESS(ONE, suite, test)   \
    ONE(suite, test, process,        "process")        \
    ONE(suite, test, process_2,      "process:2")      \
    ONE(suite, test, process_ipc,    "process+ipc")    \
    ONE(suite, test, process_tcp,    "process+tcp")    \
    ONE(suite, test, process_2_tcp,  "process:2+tcp")

/**
 * Every placement that the suite runs on: backend × transport. A new one is a line above. Slower builds,
 * which look for something else, run two of them.
 */
#if defined(__SANITIZE_ADDRESS__)
#define FIXTURE_PLACEMENTS(ONE, suite, test)     \
    ONE(suite, test, ecs,         "ecs")         \
    ONE(suite, test, process_tcp, "process+tcp")
#elif defined(NDEBUG)
#define FIXTURE_PLACEMENTS(ONE, suite, test)   \
    ONE(suite, test, ecs,        "ecs")        \
    ONE(suite, test, process,    "process")
#else
#define FIXTURE_PLACEMENTS(ONE, suite, test)     \
    FIXTURE_PLACEMENTS_NEAR(ONE, suite, test)    \
    FIXTURE_PLACEMENTS_FAR(ONE, suite, test)     \
    FIXTURE_PLACEMENTS_PROCESS(ONE, suite, test)
#endif
// clang-format on

/** Seconds until Criterion ends a test, should ::FIXTURE_DEADLINE_NS not. */
#define FIXTURE_TEST_SECONDS 50

#define FIXTURE_ONE_TEST(suite, test, id, rule)                                          \
    Test(suite, test##__##id, .timeout = FIXTURE_TEST_SECONDS)                           \
    {                                                                                    \
        suite##_##test(&(const struct fixture_placement){.name = #id, .place = (rule)}); \
    }

/**
 * A test that every backend must pass, with `placement` in scope.
 *
 * Makes one Criterion test for each placement, so a report names the one that failed and
 * `--filter 'order/?*__thread'` runs it alone.
 */
#define BACKEND_TEST(suite, test)                                          \
    static void suite##_##test(const struct fixture_placement *placement); \
    FIXTURE_PLACEMENTS(FIXTURE_ONE_TEST, suite, test)                      \
    static void suite##_##test(const struct fixture_placement *placement)

/** Register what is not built in; fixture_open() does it too. */
void fixture_register_backends(void);

/** @return the traits of the placement's backend, of ::troupe_backend_trait. */
uint32_t fixture_traits(const struct fixture_placement *placement);

/** @return the number of executors that its actors share; 0 when each has one of its own. */
uint32_t fixture_executor_count(const struct fixture_placement *placement);

/** @return a large number of actors for that placement: fewer where each is a thread or a process. */
uint32_t fixture_many(const struct fixture_placement *placement);

/** @return @p count, but at most fixture_many(). */
uint32_t fixture_at_most(const struct fixture_placement *placement, uint32_t count);

/** @return whether two actors share an executor, and so its mailbox. */
bool fixture_share_executor(troupe_ref_t a, troupe_ref_t b);

/* The fixture. --------------------------------------------------------------------------------- */

/** How long any wait may take, in nanoseconds: 10 s. */
#define FIXTURE_DEADLINE_NS UINT64_C(10000000000)

/** The system under test and its scenario. */
struct fixture;

/** Options of the system under test. Zero-initialise, then set what the test is about. */
struct fixture_options {
    const struct troupe_behaviour *const *behaviours; /**< Required; all of them in SUBJECTS(). */
    uint32_t mailbox_messages;                        /**< As the system's. */
    size_t mailbox_bytes;                             /**< As the system's. */
    uint64_t seed;                                    /**< As the system's. */
    troupe_clock_fn *clock;                           /**< As the system's. */
    void *clock_data;                                 /**< As the system's. */
    uint64_t stop_timeout_ns; /**< As the system's; 0: ::FIXTURE_DEADLINE_NS. */
    const char *first_rule;   /**< Precedes the rule that places all subjects; NULL: none. */
    bool places_nothing;      /**< Leave that rule out: subjects live where the code says. */
    const char *const *place_default; /**< As the system's. */
};

/** Make the system, with `clone` registered, rules for @p placement, and the scenario's actor. */
struct fixture *fixture_open(
    const struct fixture_placement *placement, const struct fixture_options *options);

/**
 * Stop the system, audit its counters, free everything and set *fixture_p to NULL.
 *
 * The audit: the counters of troupe_system_audit() balance, and it says where they do not; dead letters by
 * reason add up to all dead letters; refused sends got ROOM notices; every actor that started has ended.
 *
 * @return the counters, for further checks of the test.
 */
struct troupe_stats fixture_close(struct fixture **fixture_p);

/** Run the system by troupe_system_run() until it stops by itself; fixture_close() follows. */
void fixture_run(struct fixture *fixture);

/** @return the system. */
troupe_system_t *fixture_system(const struct fixture *fixture);

/** @return the scenario's actor. */
troupe_ref_t fixture_scenario(const struct fixture *fixture);

/* What the scenario does. ---------------------------------------------------------------------- */

/** Code that runs as the scenario's actor, in one callback. */
typedef void fixture_call_fn(troupe_context_t *ctx, void *data);

/** Call @p function as the scenario's actor, and return when it has returned. */
void fixture_call(struct fixture *fixture, fixture_call_fn *function, void *data);

/** Spawn a subject from the main program. */
troupe_ref_t fixture_spawn(struct fixture *fixture, const struct troupe_behaviour *behaviour);

/** Spawn a subject with options of its own. */
troupe_ref_t fixture_spawn_with(
    struct fixture *fixture, const struct troupe_spawn_options *options);

/** Spawn a subject whose arguments are the scenario's reference, so that it can report unasked. */
troupe_ref_t fixture_spawn_reporter(
    struct fixture *fixture, const struct troupe_behaviour *behaviour);

/** Send as the scenario. If the mailbox is full, wait for its ROOM notice, which the test does not see, and send. */
void fixture_send(
    struct fixture *fixture, troupe_ref_t to, uint32_t type, const void *body, size_t body_bytes);

/**
 * Ask as the scenario; as fixture_send(). The reply is received like any message.
 */
void fixture_ask(
    struct fixture *fixture, troupe_ref_t to, uint32_t type, const void *body, size_t body_bytes);

/* What it receives. ---------------------------------------------------------------------------- */

/** The type that is received when an ask ends without a reply; `err` says how. */
#define FIXTURE_NO_REPLY UINT32_C(0x7FFF0001)

/** A message that the scenario's actor received. */
struct received {
    uint32_t type;                   /**< Its type. */
    enum troupe_err err;             /**< ::TROUPE_OK, or how an ask ended without a reply. */
    bool is_reply;                   /**< Whether it is the reply to an ask. */
    troupe_ref_t from;               /**< The sender. */
    struct troupe_reply_to reply_to; /**< For troupe_reply_later(). */
    const void *body;                /**< Its body. */
    size_t body_bytes;               /**< How many. */
};

/** @return the next message of any type; valid until fixture_close(). */
const struct received *fixture_receive_any(struct fixture *fixture);

/** @return the next message of @p type; others stay pending. Valid until fixture_close(). */
const struct received *fixture_receive(struct fixture *fixture, uint32_t type);

/** @return the body of the next message of @p type, which must have @p body_bytes bytes. */
const void *fixture_receive_body(struct fixture *fixture, uint32_t type, size_t body_bytes);

/** Receive a message whose body is a struct: FIXTURE_RECEIVE(fixture, REPORT, struct report)->count. */
#define FIXTURE_RECEIVE(fixture, type, struct_type) \
    ((const struct_type *)fixture_receive_body((fixture), (type), sizeof(struct_type)))

/** @return how many messages of @p type have arrived and were not received yet. Waits for none. */
uint32_t fixture_pending_count(const struct fixture *fixture, uint32_t type);

/**
 * Run executor 0 until it has nothing to do. That says nothing of other executors, nor of messages that are
 * still in transit over ipc or tcp.
 */
void fixture_settle(struct fixture *fixture);

/* For subjects. -------------------------------------------------------------------------------- */

/** For subjects: a call that must succeed, else the process stops and says where. */
#define MUST(call) fixture_must((call), #call, __FILE__, __LINE__)

/** For subjects: a condition that must hold, else the process stops and says where. */
#define MUST_BE(condition) \
    fixture_must((condition) ? TROUPE_OK : TROUPE_ERR_INVAL, #condition, __FILE__, __LINE__)

/** See MUST(). Any thread. */
void fixture_must(enum troupe_err err, const char *what, const char *file, int line);

/** For subjects: reply to @p message with the struct that @p body points to. */
#define REPORT(ctx, message, type, body) \
    MUST(troupe_reply((ctx), (message), (type), (body), sizeof(*(body))))

/** Ignore a result that does not matter to the test. Any thread. */
void fixture_ignore(enum troupe_err err);

/** Fill @p bytes with a pattern that @p seed starts. Any thread. */
void fixture_fill(void *bytes, size_t size_bytes, uint64_t seed);

/**
 * @return a hash of these bytes. Any thread.
 * @source FNV-1a, www.isthe.com/chongo/tech/comp/fnv.
 */
uint64_t fixture_digest(const void *bytes, size_t size_bytes);

/** @return the reference in the arguments of a subject: the actor that it reports to. */
troupe_ref_t fixture_ref_of(const void *args, size_t args_bytes);

/* A slow subject. ------------------------------------------------------------------------------ */

/** A file that exists while the latch is closed, so that subjects in any process can see it. */
struct fixture_latch {
    char path[64];
};

/** Make a closed latch. */
void fixture_latch_close(struct fixture_latch *latch);

/** Open it. Does nothing when it is open. */
void fixture_latch_open(struct fixture_latch *latch);

/** For subjects: block the callback until the latch opens. Any thread but the test's own. */
void fixture_latch_wait(const struct fixture_latch *latch);

/** What fixture_slow understands; it counts messages of any other type. */
enum fixture_slow_message {
    FIXTURE_COUNT = 0x00510001, /**< Ask for ::FIXTURE_COUNTED. */
    FIXTURE_COUNTED,            /**< Body: uint64_t, how many it handled. */
    FIXTURE_HOLD,               /**< Body: struct fixture_latch. Asked by fixture_hold(). */
    FIXTURE_HOLDING,            /**< It is in the callback, and blocks there. */
    FIXTURE_STOP,               /**< Stop with reason `normal`. */
};

/** A subject that counts its messages and can be blocked. The test lists it among its behaviours. */
extern const struct troupe_behaviour fixture_slow;

/**
 * Block @p slow in a callback until @p latch opens, so that its messages wait.
 *
 * On executor 0 this does nothing: no actor there handles a message while the scenario runs. So a test that
 * fills a mailbox does all of it in one fixture_call().
 */
void fixture_hold(struct fixture *fixture, troupe_ref_t slow, struct fixture_latch *latch);

/** @return how many messages @p slow has handled, after all that the scenario sent it before. */
uint64_t fixture_count(struct fixture *fixture, troupe_ref_t slow);

/** What to send to fill a mailbox, and the result. */
struct fixture_flood {
    troupe_ref_t to;    /**< The receiver. */
    size_t body_bytes;  /**< Size of each body. */
    uint32_t count_max; /**< Stop after so many were accepted; 0: only when one is refused. */
    uint32_t extra;     /**< Try so many more times after the first refused send. */
    uint32_t accepted;  /**< Out: how many were. */
    uint32_t refused;   /**< Out: how many were refused with ::TROUPE_ERR_FULL. */
};

/** The message of a flood. */
#define FIXTURE_DROP UINT32_C(0x00510100)

/** A ::fixture_call_fn: flood as @p data, a struct fixture_flood, says. */
void fixture_flood(troupe_context_t *ctx, void *data);

/* A journal, for reports after the scenario has ended. ----------------------------------------- */

/** A file to which subjects add lines, from any process. */
struct fixture_journal {
    char path[64];
};

/** Make an empty one. */
void fixture_journal_open(struct fixture_journal *journal);

/** For subjects: add a line. Any thread. */
void fixture_journal_add(const struct fixture_journal *journal, const char *line);

/**
 * @return all its lines, each ended by a newline, good until the next call; the file is removed.
 */
const char *fixture_journal_close(struct fixture_journal *journal);

#endif
