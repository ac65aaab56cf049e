/**
 * @file backend_host.h
 * @brief The runtime as backends see it, and the backends that a system has made ready.
 */
#ifndef TRP_BACKEND_HOST_H
#define TRP_BACKEND_HOST_H

#include "node/system.h"

/**
 * Run the loop of an executor to its end: turns, waits, and trp_executor_close().
 *
 * @threads the one that carries the executor
 * @blocks  until it has ended
 */
void trp_backend_host_run(struct troupe_executor *executor);

/**
 * Make a backend ready for this system, unless it is.
 *
 * @param out_self  Receives what the functions of @p ops get as `self`.
 * @return          what the backend's `init` returns.
 * @threads any, holding the runtime's `lock`
 */
enum troupe_err trp_backend_host_open(
    troupe_system_t *system, const struct troupe_backend_ops *ops, void **out_self);

/** As trp_backend_host_open(), by name. @threads any, holding the runtime's `lock` */
enum troupe_err trp_backend_host_find(
    troupe_system_t *system,
    const char *name,
    const struct troupe_backend_ops **out_ops,
    void **out_self);

/** Undo every trp_backend_host_open(). @threads the owner's; nothing runs any more */
void trp_backend_host_close_all(troupe_system_t *system);

#endif
