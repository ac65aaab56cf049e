/**
 * @file process.h
 * @brief What all processes know of one child process: how to start it, and how it ended.
 *
 *     FREE --take--> REQUESTED --it has started--> RUNNING --> ENDED --its exit is settled--> FREE
 *
 * Guarded by shared memory's lock, unless a field says otherwise. The first process, which made the system, has
 * no record.
 */
#ifndef TRP_PROCESS_H
#define TRP_PROCESS_H

#include "troupe/behaviour.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct trp_shared;
struct trp_slot;

enum trp_process_state {
    TRP_PROCESS_FREE = 0,
    TRP_PROCESS_REQUESTED = 1, // to be started
    TRP_PROCESS_RUNNING = 2,
    TRP_PROCESS_ENDED = 3,
};

enum { TRP_SHARED_PROCESSES = 1 << 12 };

/** Any of the processes, by their places in shared memory. */
struct trp_process_set {
    uint64_t words[TRP_SHARED_PROCESSES / 64];
};

static inline void trp_process_set_add(struct trp_process_set *set, uint32_t index)
{
    set->words[index / 64] |= UINT64_C(1) << index % 64;
}

static inline bool trp_process_set_has(const struct trp_process_set *set, uint32_t index)
{
    return (set->words[index / 64] >> index % 64 & 1) != 0;
}

enum {
    TRP_PROCESS_LIMITS_BYTES = 320,
    TRP_PROCESS_NAME_BYTES = 64,
    TRP_PROCESS_BACKEND_BYTES = 16
};

struct trp_process {
    _Atomic uint32_t state; // an enum trp_process_state
    uint32_t id;
    uint32_t executor; // the executor it is started for
    uint64_t token;    // a process that knows it is the one that was started; 0: it has shown it
    bool dedicated;
    _Atomic int32_t pid;                    // from RUNNING on
    char exit_note[TROUPE_EXIT_TEXT_BYTES]; // why it ends itself, as far as it has said so
    _Atomic bool out_of_memory;             // it ends itself for want of memory
    _Atomic bool kill_requested;            // written by any process, and carried out once it runs
    _Atomic uint32_t last_words;            // how it ends, by itself: see trp_process_exited()
    char name[TRP_PROCESS_NAME_BYTES];
    char backend[TRP_PROCESS_BACKEND_BYTES];
    char limits[TRP_PROCESS_LIMITS_BYTES]; // as text: see config/limits.h
};

/** Give out the record of a process that is to be started for executor @p slot. @return NULL: all are taken. */
struct trp_process *trp_process_take(struct trp_shared *shared, const struct trp_slot *slot);

/** @return the process with that id, or NULL. @threads holding shared memory's lock */
struct trp_process *trp_process_find(struct trp_shared *shared, uint32_t id);

/** @return the place of a process. */
uint32_t trp_process_index(const struct trp_shared *shared, const struct trp_process *process);

/** @return the last words of a process that exits with @p status. */
static inline uint32_t trp_process_exited(int status)
{
    return UINT32_C(0x100) | ((uint32_t)status & 0xFF);
}

/** @return the last words of a process that a signal ends. */
static inline uint32_t trp_process_signalled(int number)
{
    return UINT32_C(0x200) | ((uint32_t)number & 0xFF);
}

/** Return a record. */
void trp_process_free(struct trp_shared *shared, struct trp_process *process);

#endif
