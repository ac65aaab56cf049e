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
    CHAOS_PROCESSES = 8, // slots of talkers that are in processes: victims
    CHAOS_ALONE = 4,     // of these, in processes of their own; others share those of pools
    CHAOS_TALKERS = 9,   // and one on a thread, which lives on
    CHAOS_KEEPER = 9,    // the keeper's own slot
    CHAOS_SLOTS = 10,
    CHAOS_WATCHES = 64, // ends that a talker remembers
    CHAOS_MAILBOX = 2000,
    CHAOS_FLAWS_MAX = 20, // and no more of them are printed
};

/** What is said. */
enum chaos_message {
    CHAOS_WORD = 1, // struct chaos_word, and more bytes
    CHAOS_QUESTION, // the same, as an ask
    CHAOS_ANSWER,
    CHAOS_READY,   // a talker to the keeper: pid_t
    CHAOS_NEW,     // the keeper to talkers: struct chaos_new
    CHAOS_GO,      // speak from here on
    CHAOS_PAUSE,   // an ask: be silent
    CHAOS_ACCOUNT, // an ask of who is silent; answered by struct chaos_report
    CHAOS_REPORT,
    CHAOS_SPIN, // a talker to itself
    CHAOS_TEND, // the program to the keeper: see what is to be done
};

/** A numbered word. */
struct chaos_word {
    uint32_t slot;   // the speaker's
    uint32_t unused; // 0
    uint64_t number; // of those from the speaker to the hearer, from 0 on
};

struct chaos_new {
    troupe_ref_t ref;
    uint32_t slot;
};

/** What a talker is born with. */
struct chaos_talker_args {
    troupe_ref_t keeper;
    uint32_t slot;
    uint32_t is_eager; // speaks whenever it can, else each millisecond
};

/** What a talker knows of another's end. */
struct chaos_watch {
    troupe_ref_t actor;
    uint32_t told; // how often
    uint32_t reason;
    int32_t code;
    uint8_t is_passive; // a link that the other asked for, maybe in vain
    uint8_t is_firm;    // a word of the other was heard, before which its link came
    uint8_t is_reported;
};

/** What a talker has to say at a pause. */
struct chaos_report {
    uint64_t asks; // that were accepted
    uint64_t asks_over;
    uint64_t asks_late;
    uint64_t heard;
    uint64_t twice;     // words met twice
    uint64_t missing;   // words that came before others that never came, or came too late
    uint64_t after_end; // words of those whose end was told
    struct chaos_watch watches[CHAOS_WATCHES];
};

/* Hearing. -------------------------------------------------------------------------------------- */

enum { CHAOS_EAR_KEPT = 6 };

/** The next number of each speaker; several incarnations of a slot may be on the way at once. */
struct chaos_ear {
    struct chaos_voice {
        troupe_ref_t from;
        uint64_t next;
        uint64_t since;
    } voices[CHAOS_SLOTS][CHAOS_EAR_KEPT];
    uint64_t since;
};

/** How a word stands to those before it. */
enum chaos_sound { CHAOS_IN_ORDER, CHAOS_TWICE, CHAOS_MISSING };

/** Hear a word. */
enum chaos_sound chaos_ear_hear(
    struct chaos_ear *ear, troupe_ref_t from, const struct chaos_word *word);

/** @return whether two talkers are linked; others monitor each other. The lower slot asks for it. */
static inline bool chaos_is_linked(uint32_t slot, uint32_t other)
{
    return (slot + other) % 3 == 0;
}

extern const struct troupe_behaviour chaos_talker;

/* The keeper. ----------------------------------------------------------------------------------- */

/** Ways to end a process. */
enum chaos_way { CHAOS_ALIVE, CHAOS_KILL, CHAOS_SEGV, CHAOS_STOP_KILL, CHAOS_WAYS };

/** What is wanted of all talkers. */
enum chaos_want { CHAOS_GOING, CHAOS_PAUSED, CHAOS_REPORTED };

/** An incarnation. */
struct chaos_life {
    troupe_ref_t ref;
    troupe_monitor_t monitor;
    uint32_t slot;
    pid_t pid; // 0: it is not ready yet
    enum chaos_way way;
    uint64_t ended_ns; // when it was given the last signal, or is to be
    uint64_t told_ns;  // when the keeper heard of it
    uint32_t told;
    struct troupe_exit exit;
};

/** How far the keeper is with a slot. */
struct chaos_slot {
    uint32_t life;               // which of the lives
    uint32_t known[CHAOS_SLOTS]; // which lives of others it was told of, plus 1
    bool asked;                  // an answer is on its way
    uint32_t state;              // of enum chaos_want
    struct chaos_report report;  // the last
};

struct chaos_keeper {
    troupe_system_t *system;
    troupe_ref_t ref;
    uint64_t random; // state of the generator for places
    enum chaos_want want;
    bool stopping;
    struct chaos_slot seats[CHAOS_TALKERS];
    struct chaos_life *lives;
    uint32_t life_count;
    uint32_t life_max;
    struct chaos_ear ear;
    uint64_t checked_ns;   // when the reports were last compared with the lives
    uint64_t told;         // ends, to talkers
    uint64_t told_unknown; // ends that were told to talkers who asked too late to hear how
    uint32_t flaws;
    FILE *say; // where people read
};

/** Its argument is a pointer to struct chaos_keeper. */
extern const struct troupe_behaviour chaos_keeper;

/** @return the present life in a slot. */
struct chaos_life *chaos_life_of(struct chaos_keeper *keeper, uint32_t slot);

/** @return who was struck in the process of @p life, itself maybe; NULL: nobody yet. */
const struct chaos_life *chaos_struck_with(
    const struct chaos_keeper *keeper, const struct chaos_life *life);

/** @return whether a life is in a process that may be struck. */
bool chaos_is_target(const struct chaos_keeper *keeper, const struct chaos_life *life);

/** @return whether the keeper has something to send: then it needs a CHAOS_TEND. */
bool chaos_keeper_is_due(struct chaos_keeper *keeper);

/** @return whether all are there, know of each other, and are as it is wanted. */
bool chaos_keeper_is_settled(struct chaos_keeper *keeper);

/** @return whether a talker, as it says, still has to be told of an end. */
bool chaos_keeper_is_untold(struct chaos_keeper *keeper, uint32_t slot);

/** Compare what the reports say with the lives. */
void chaos_keeper_check(struct chaos_keeper *keeper);

/** Say how far the keeper is with each slot. */
void chaos_keeper_print(struct chaos_keeper *keeper);

/** Say what is not as it should be. */
__attribute__((format(printf, 2, 3))) void chaos_parse_error(
    struct chaos_keeper *keeper, const char *format, ...);

/** @return the monotonic time in nanoseconds. */
uint64_t chaos_now_ns(void);

#endif
