/**
 * @file node_ops.h
 * @brief What an executor needs of its node: the process that runs it.
 *
 * Executors and actors know nothing of systems, processes and signals. What they need of them goes through this
 * table, of which each process has one.
 */
#ifndef TRP_NODE_OPS_H
#define TRP_NODE_OPS_H

#include "troupe/behaviour.h"
#include "troupe/ref.h"

#include <stdbool.h>
#include <stdint.h>

struct trp_runtime;
struct troupe_executor;

struct trp_node_ops {
    /** An actor has ended: the system ends with its root actor. @threads any */
    void (*actor_ended)(
        struct trp_runtime *runtime, troupe_ref_t actor, const struct troupe_exit *exit);

    /** Remove an actor from the subscribers of signals. @threads any */
    void (*forget_signals)(struct trp_runtime *runtime, troupe_ref_t actor);

    /** Send the signals that have come to their subscribers. @threads the executor's */
    void (*deliver_signals)(struct troupe_executor *executor);

    /** @return whether an executor whose last actor has ended may end: nothing else runs in its process. */
    bool (*may_end)(struct trp_runtime *runtime, const struct troupe_executor *executor);

    /** An executor has closed: remove it from the directory, and mark its slot ended. */
    void (*executor_ended)(struct trp_runtime *runtime, struct troupe_executor *executor);

    /** Kill the process of an executor, if it carries the actor of that executor and no other. @threads any */
    void (*kill)(struct trp_runtime *runtime, uint32_t node, uint32_t executor);

    /** Ask the system to stop. @threads any */
    void (*stop)(struct trp_runtime *runtime);

    /** Have another process look at the flags of its executors. @threads any */
    void (*refresh_process)(struct trp_runtime *runtime, uint32_t node);

    /** Close an inbox's channel to a receiver that takes no more mail. @return false: no inbox of this process. */
    bool (*detach_inbox)(struct trp_runtime *runtime, uint32_t inbox_id, uint32_t peer_id);
};

#endif
