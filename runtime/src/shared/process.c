#include "shared/process.h"

#include "shared/shared.h"

#include <string.h>

static enum trp_process_state process_state(const struct trp_process *process)
{
    return (enum trp_process_state)atomic_load_explicit(&process->state, memory_order_relaxed);
}

struct trp_process *trp_process_take(struct trp_shared *shared, const struct trp_slot *slot)
{
    struct trp_process *process = NULL;
    uint64_t token = trp_shared_cookie();
    trp_shared_lock(shared);
    for (uint32_t i = 0; i < TRP_SHARED_PROCESSES && process == NULL; i++) {
        struct trp_process *at = &shared->processes[(slot->node + i) % TRP_SHARED_PROCESSES];
        process = process_state(at) == TRP_PROCESS_FREE ? at : NULL;
    }
    if (process != NULL) {
        memset(process, 0, sizeof(*process));
        process->id = slot->node;
        process->executor = slot->id;
        process->token = token;
        atomic_store_explicit(&process->state, TRP_PROCESS_REQUESTED, memory_order_release);
    }
    trp_shared_unlock(shared);
    return process;
}

struct trp_process *trp_process_find(struct trp_shared *shared, uint32_t id)
{
    // It was taken from the same place on, so few are passed over.
    for (uint32_t i = 0; i < TRP_SHARED_PROCESSES; i++) {
        struct trp_process *process = &shared->processes[(id + i) % TRP_SHARED_PROCESSES];
        if (process->id == id && process_state(process) != TRP_PROCESS_FREE) {
            return process;
        }
    }
    return NULL;
}

uint32_t trp_process_index(const struct trp_shared *shared, const struct trp_process *process)
{
    return (uint32_t)(process - shared->processes);
}

void trp_process_free(struct trp_shared *shared, struct trp_process *process)
{
    trp_shared_lock(shared);
    atomic_store_explicit(&process->state, TRP_PROCESS_FREE, memory_order_release);
    trp_shared_unlock(shared);
}
