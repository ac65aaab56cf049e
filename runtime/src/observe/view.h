/**
 * @file view.h
 * @brief What observers get to see of a system: shared memory, and the executors of this process.
 */
#ifndef TRP_VIEW_H
#define TRP_VIEW_H

#include "base/idmap.h"
#include "shared/shared.h"

#include <pthread.h>
#include <stdint.h>

struct trp_view {
    struct trp_shared *shared;
    uint32_t node;                     // this process
    pthread_mutex_t *lock;             // guards the next; taken before shared memory's lock
    const struct trp_idmap *executors; // those of this process, by id
};

#endif
