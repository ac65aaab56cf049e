/**
 * @file node_ops.h
 * @brief What actors and executors ask of their node, the process that runs them.
 *
 * actor/, loop/ and api/ know nothing of systems, child processes and operating-system signals; they reach them
 * through this table. Each process has one, implemented in node/. No function runs a behaviour.
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
    /** An actor has ended. If it is the root actor, the system stops. @threads any */
    void (*actor_ended)(
        struct trp_runtime *runtime, troupe_ref_t actor, const struct troupe_exit *exit);

    /** Remove an actor from the subscribers to signals. @threads any */
    void (*forget_signals)(struct trp_runtime *runtime, troupe_ref_t actor);

    /** Send the signals that have arrived to their subscribers. @threads the executor's */
    void (*deliver_signals)(struct troupe_executor *executor);

    /** @return whether an executor without actors may end: nothing else runs in its process. @threads the executor's */
    bool (*may_end)(struct trp_runtime *runtime, const struct troupe_executor *executor);

    /** An executor has closed: remove it from the directory, and mark its slot as ended. @threads the executor's */
    void (*executor_ended)(struct trp_runtime *runtime, struct troupe_executor *executor);

    /** Kill the process of an executor, if that is dedicated to one actor. @threads any */
    void (*kill)(struct trp_runtime *runtime, uint32_t node, uint32_t executor);

    /** Ask the system to stop. @threads any */
    void (*stop)(struct trp_runtime *runtime);

    /** Have another process check the flags of its executors in shared memory. @threads any */
    void (*refresh_process)(struct trp_runtime *runtime, uint32_t node);

    /** Close an inbox's channel to an executor that ends. @return false: it is no inbox of here. @threads any */
    bool (*detach_inbox)(struct trp_runtime *runtime, uint32_t inbox_id, uint32_t peer_id);

    /** Have an inbox that is idle receive what has arrived, if it is one of here. @threads any */
    void (*attend_inbox)(struct trp_runtime *runtime, uint32_t inbox_id);
};

#endif
