/**
 * @file chaos.h
 * @brief What the parts of the chaos program share: roles, messages and records.
 *
 *     main, the chooser --signals--> workers, in processes: they send to each other all the time
 *       |                               |   ^
 *       +-- reads ----> controller <----+   |
 *                       on ecs  -------------+  spawns, monitors and counts them
 *
 * Some workers have a process to themselves; others share those of pools, and die together. Each has a
 * slot; the successor of a worker that ended gets the same slot, as another instance. Messages are
 * numbered for each pair, so that the receiver detects lost, duplicate and late ones.
 */
#ifndef TROUPE_TESTS_CHAOS_H
#define TROUPE_TESTS_CHAOS_H

#include <troupe/troupe.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum {
    CHAOS_PROCESSES = 8,  // slots of workers that are in processes: victims
    CHAOS_ALONE = 4,      // of these, in processes of their own; others share those of pools
    CHAOS_WORKERS = 9,    // and one on a thread, which is not killed
    CHAOS_CONTROLLER = 9, // the slot of the controller
    CHAOS_SLOTS = 10,
    CHAOS_RECORDS = 64, // exits that a worker remembers
    CHAOS_MAILBOX = 2000,
    CHAOS_ERRORS_MAX = 20, // and no more of them are printed
};

/** Messages. */
enum chaos_message {
    CHAOS_NUMBERED = 1, // struct chaos_numbered, and more bytes
    CHAOS_QUESTION,     // the same, as an ask
    CHAOS_REPLY,
    CHAOS_READY,   // a worker to the controller: pid_t
    CHAOS_NEW,     // the controller to workers: struct chaos_new
    CHAOS_GO,      // send from here on
    CHAOS_PAUSE,   // an ask: stop sending
    CHAOS_ACCOUNT, // an ask of a silent worker; replied to with struct chaos_report
    CHAOS_REPORT,
    CHAOS_SPIN,  // a worker to itself
    CHAOS_CHECK, // the program to the controller: see what is to be done
};

/** A numbered message. */
struct chaos_numbered {
    uint32_t slot;   // the speaker's
    uint32_t unused; // 0
    uint64_t number; // of those from the speaker to the consumer, from 0 on
};

struct chaos_new {
    troupe_ref_t ref;
    uint32_t slot;
};

/** The arguments of a worker. */
struct chaos_worker_args {
    troupe_ref_t controller;
    uint32_t slot;
    uint32_t is_eager; // sends whenever it can, else each millisecond
};

/** What a worker knows of the exit of another. */
struct chaos_record {
    troupe_ref_t actor;
    uint32_t reported; // how often
    uint32_t reason;
    int32_t code;
    uint8_t is_passive;   // the other requested the link, possibly in vain
    uint8_t is_confirmed; // a message of the other arrived, so its link request did before
    uint8_t is_reported;
};

/** What a worker reports at a pause. */
struct chaos_report {
    uint64_t asks; // that were accepted
    uint64_t asks_over;
    uint64_t asks_late;
    uint64_t sequence_state;
    uint64_t duplicates; // messages that arrived twice
    uint64_t missing;    // gaps: messages that arrived before lost or late ones
    uint64_t after_end;  // messages of workers whose exit was reported
    struct chaos_record records[CHAOS_RECORDS];
};

/* Hearing. ------------------------------------------------------------------------------------- */

enum { CHAOS_SEQUENCE_STREAMS = 6 };

/** The next number of each speaker; several incarnations of a slot may be on the way at once. */
struct chaos_sequence {
    struct chaos_stream {
        troupe_ref_t from;
        uint64_t next;
        uint64_t since;
    } streams[CHAOS_SLOTS][CHAOS_SEQUENCE_STREAMS];
    uint64_t since;
};

/** The position of a message among those before it. */
enum chaos_order { CHAOS_IN_ORDER, CHAOS_DUPLICATE, CHAOS_MISSING };

/** Check the number of a message. */
enum chaos_order chaos_sequence_check(
    struct chaos_sequence *sequence, troupe_ref_t from, const struct chaos_numbered *numbered);

/** @return whether two workers are linked; others monitor each other. The lower slot asks for it. */
static inline bool chaos_is_linked(uint32_t slot, uint32_t other)
{
    return (slot + other) % 3 == 0;
}

extern const struct troupe_behaviour chaos_worker;

/* The controller. ------------------------------------------------------------------------------ */

/** Ways to end a process. */
enum chaos_way { CHAOS_ALIVE, CHAOS_KILL, CHAOS_SEGV, CHAOS_STOP_KILL, CHAOS_WAYS };

/** What is wanted of all workers. */
enum chaos_want { CHAOS_GOING, CHAOS_PAUSED, CHAOS_REPORTED };

/** An incarnation. */
struct chaos_instance {
    troupe_ref_t ref;
    troupe_monitor_t monitor;
    uint32_t slot;
    pid_t pid; // 0: it is not ready yet
    enum chaos_way way;
    uint64_t ended_ns;    // when it got its last signal, or will
    uint64_t reported_ns; // when the controller was notified of it
    uint32_t reported;
    struct troupe_exit exit;
};

/** How far the controller is with a slot. */
struct chaos_slot {
    uint32_t instance;           // index among the instances
    uint32_t known[CHAOS_SLOTS]; // which instances of others were announced to it, plus 1
    bool asked;                  // a reply is on its way
    uint32_t state;              // of enum chaos_want
    struct chaos_report report;  // the last
};

struct chaos_controller {
    troupe_system_t *system;
    troupe_ref_t ref;
    uint64_t random; // state of the generator for places
    enum chaos_want want;
    bool stopping;
    struct chaos_slot slots[CHAOS_WORKERS];
    struct chaos_instance *instances;
    uint32_t instance_count;
    uint32_t instance_max;
    struct chaos_sequence sequence;
    uint64_t checked_ns;       // when the reports were last compared with the instances
    uint64_t reported;         // exits, to workers
    uint64_t reported_unknown; // exits whose reason was not known any more when a worker asked
    uint32_t errors;
    FILE *out; // for people
};

/** Its argument is a pointer to struct chaos_controller. */
extern const struct troupe_behaviour chaos_controller;

/** @return the present life in a slot. */
struct chaos_instance *chaos_instance_of(struct chaos_controller *controller, uint32_t slot);

/** @return the instance that was killed in the process of @p instance, possibly itself; NULL: none yet. */
const struct chaos_instance *chaos_killed_with(
    const struct chaos_controller *controller, const struct chaos_instance *instance);

/** @return whether an instance is in a process that may be killed. */
bool chaos_is_target(
    const struct chaos_controller *controller, const struct chaos_instance *instance);

/** @return whether the controller has something to send: then it needs a CHAOS_CHECK. */
bool chaos_controller_is_due(struct chaos_controller *controller);

/** @return whether all are there, know of each other, and are as it is wanted. */
bool chaos_controller_is_settled(struct chaos_controller *controller);

/** @return whether a worker still waits for the report of an exit. */
bool chaos_controller_is_unreported(struct chaos_controller *controller, uint32_t slot);

/** Compare the reports with the instances. */
void chaos_controller_check(struct chaos_controller *controller);

/** Print the state of each slot. */
void chaos_controller_print(struct chaos_controller *controller);

/** Print an error, and count it. */
__attribute__((format(printf, 2, 3))) void chaos_add_error(
    struct chaos_controller *controller, const char *format, ...);

/** @return the monotonic time in nanoseconds. */
uint64_t chaos_now_ns(void);

#endif
