/**
 * @file chaos.h
 * @brief What the parts of the chaos program share: who takes part, what they say, and what is kept.
 *
 *     main, the chooser --signals--> talkers, in processes: they speak to each other all the time
 *       |                               |   ^
 *       +-- looks into --> keeper  <----+   |
 *                          on ecs  ---------+  spawns, watches and counts them
 *
 * Some talkers have a process to themselves; others share those of pools, and die together. Each has a
 * slot; who dies has a successor in the same slot, another incarnation. What is said is
 * numbered for each pair, so that whoever hears it knows what is missing, comes twice or too late.
 */
#ifndef TROUPE_TESTS_CHAOS_H
#define TROUPE_TESTS_CHAOS_H

#include <troupe/troupe.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum {
    CHAOS_PROCESSES = 8,  // slots of talkers that are in processes: victims
    CHAOS_ALONE = 4,      // of these, in processes of their own; others share those of pools
    CHAOS_WORKERS = 9,    // and one on a thread, which lives on
    CHAOS_CONTROLLER = 9, // the keeper's own slot
    CHAOS_SLOTS = 10,
    CHAOS_RECORDS = 64, // ends that a talker remembers
    CHAOS_MAILBOX = 2000,
    CHAOS_ERRORS_MAX = 20, // and no more of them are printed
};

/** What is said. */
enum chaos_message {
    CHAOS_NUMBERED = 1, // struct chaos_numbered, and more bytes
    CHAOS_QUESTION,     // the same, as an ask
    CHAOS_REPLY,
    CHAOS_READY,   // a talker to the keeper: pid_t
    CHAOS_NEW,     // the keeper to talkers: struct chaos_new
    CHAOS_GO,      // speak from here on
    CHAOS_PAUSE,   // an ask: be silent
    CHAOS_ACCOUNT, // an ask of who is silent; answered by struct chaos_report
    CHAOS_REPORT,
    CHAOS_SPIN,  // a talker to itself
    CHAOS_CHECK, // the program to the keeper: see what is to be done
};

/** A numbered word. */
struct chaos_numbered {
    uint32_t slot;   // the speaker's
    uint32_t unused; // 0
    uint64_t number; // of those from the speaker to the hearer, from 0 on
};

struct chaos_new {
    troupe_ref_t ref;
    uint32_t slot;
};

/** What a talker is born with. */
struct chaos_worker_args {
    troupe_ref_t controller;
    uint32_t slot;
    uint32_t is_eager; // speaks whenever it can, else each millisecond
};

/** What a talker knows of another's end. */
struct chaos_record {
    troupe_ref_t actor;
    uint32_t reported; // how often
    uint32_t reason;
    int32_t code;
    uint8_t is_passive;   // a link that the other asked for, maybe in vain
    uint8_t is_confirmed; // a word of the other was heard, before which its link came
    uint8_t is_reported;
};

/** What a talker has to say at a pause. */
struct chaos_report {
    uint64_t asks; // that were accepted
    uint64_t asks_over;
    uint64_t asks_late;
    uint64_t sequence_state;
    uint64_t duplicates; // words met twice
    uint64_t missing;    // words that came before others that never came, or came too late
    uint64_t after_end;  // words of those whose end was told
    struct chaos_record records[CHAOS_RECORDS];
};

/* Hearing. -------------------------------------------------------------------------------------- */

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

/** How a word stands to those before it. */
enum chaos_order { CHAOS_IN_ORDER, CHAOS_DUPLICATE, CHAOS_MISSING };

/** Hear a word. */
enum chaos_order chaos_sequence_check(
    struct chaos_sequence *sequence, troupe_ref_t from, const struct chaos_numbered *numbered);

/** @return whether two talkers are linked; others monitor each other. The lower slot asks for it. */
static inline bool chaos_is_linked(uint32_t slot, uint32_t other)
{
    return (slot + other) % 3 == 0;
}

extern const struct troupe_behaviour chaos_worker;

/* The keeper. ----------------------------------------------------------------------------------- */

/** Ways to end a process. */
enum chaos_way { CHAOS_ALIVE, CHAOS_KILL, CHAOS_SEGV, CHAOS_STOP_KILL, CHAOS_WAYS };

/** What is wanted of all talkers. */
enum chaos_want { CHAOS_GOING, CHAOS_PAUSED, CHAOS_REPORTED };

/** An incarnation. */
struct chaos_instance {
    troupe_ref_t ref;
    troupe_monitor_t monitor;
    uint32_t slot;
    pid_t pid; // 0: it is not ready yet
    enum chaos_way way;
    uint64_t ended_ns;    // when it was given the last signal, or is to be
    uint64_t reported_ns; // when the keeper heard of it
    uint32_t reported;
    struct troupe_exit exit;
};

/** How far the keeper is with a slot. */
struct chaos_slot {
    uint32_t instance;           // which of the lives
    uint32_t known[CHAOS_SLOTS]; // which lives of others it was told of, plus 1
    bool asked;                  // an answer is on its way
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
    uint64_t checked_ns;       // when the reports were last compared with the lives
    uint64_t reported;         // ends, to talkers
    uint64_t reported_unknown; // ends that were told to talkers who asked too late to hear how
    uint32_t errors;
    FILE *out; // where people read
};

/** Its argument is a pointer to struct chaos_controller. */
extern const struct troupe_behaviour chaos_controller;

/** @return the present life in a slot. */
struct chaos_instance *chaos_instance_of(struct chaos_controller *controller, uint32_t slot);

/** @return who was struck in the process of @p life, itself maybe; NULL: nobody yet. */
const struct chaos_instance *chaos_killed_with(
    const struct chaos_controller *controller, const struct chaos_instance *instance);

/** @return whether a life is in a process that may be struck. */
bool chaos_is_target(
    const struct chaos_controller *controller, const struct chaos_instance *instance);

/** @return whether the keeper has something to send: then it needs a CHAOS_CHECK. */
bool chaos_controller_is_due(struct chaos_controller *controller);

/** @return whether all are there, know of each other, and are as it is wanted. */
bool chaos_controller_is_settled(struct chaos_controller *controller);

/** @return whether a talker, as it says, still has to be told of an end. */
bool chaos_controller_is_unreported(struct chaos_controller *controller, uint32_t slot);

/** Compare what the reports say with the lives. */
void chaos_controller_check(struct chaos_controller *controller);

/** Say how far the keeper is with each slot. */
void chaos_controller_print(struct chaos_controller *controller);

/** Say what is not as it should be. */
__attribute__((format(printf, 2, 3))) void chaos_add_error(
    struct chaos_controller *controller, const char *format, ...);

/** @return the monotonic time in nanoseconds. */
uint64_t chaos_now_ns(void);

#endif
