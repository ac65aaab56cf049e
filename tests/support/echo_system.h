/**
 * @file echo_system.h
 * @brief A system of echo actors, without a fixture: for children and for code that asks from its own thread.
 *
 * fixture.h is for tests that drive a system; here actors are asked through an inbox, which waits by itself, so
 * that scenario code reads from top to bottom on any thread and in any process. What must not fail goes through
 * MUST().
 */
#ifndef TROUPE_TESTS_CAST_H
#define TROUPE_TESTS_CAST_H

#include <troupe/troupe.h>

#include <stddef.h>
#include <stdint.h>

/** How long an ask or a wait may take, in nanoseconds: 10 s. */
#define ECHO_DEADLINE_NS UINT64_C(10000000000)

/** What echo_behaviour understands. */
enum echo_message {
    ECHO_REQUEST = 0x00520001, /**< Body: uint64_t. Replied to with ::ECHO_REPLY and the same. */
    ECHO_REPLY,                /**< Body: uint64_t. */
    ECHO_STOP,                 /**< Stop with reason `normal`. */
    ECHO_SPAWN,                /**< Body: a NUL-ended place. Spawn an echo there; ::ECHO_SPAWNED. */
    ECHO_SPAWNED,              /**< Body: struct echo_spawned. */
};

/** Body of ::ECHO_SPAWNED. */
struct echo_spawned {
    troupe_ref_t ref;
    enum troupe_err err; /**< What troupe_spawn() returned. */
};

/** Replies with what it is sent; the first behaviour of every such system. */
extern const struct troupe_behaviour echo_behaviour;

/** Make a system of echoes. */
troupe_system_t *echo_system_new(void);

/** Open an inbox. */
troupe_inbox_t *echo_inbox_new(troupe_system_t *system);

/** Close the inbox, stop the system in order, check that the counters balance, and free both. */
void echo_system_end(troupe_system_t **system_p, troupe_inbox_t **inbox_p);

/** Spawn an echo. */
enum troupe_err echo_spawn(troupe_context_t *ctx, const char *place, troupe_ref_t *out_ref);

/** Ask an echo, and compare its reply. @return ::TROUPE_OK, or how the ask failed. */
enum troupe_err echo_ask(troupe_inbox_t *inbox, troupe_ref_t echo, uint64_t number);

/** Have an echo spawn another. */
struct echo_spawned echo_ask_to_spawn(troupe_inbox_t *inbox, troupe_ref_t echo, const char *place);

/** Wait until so many executors have ended. */
void echo_wait_for_exits(troupe_system_t *system, troupe_inbox_t *inbox, uint64_t executor_count);

#endif
