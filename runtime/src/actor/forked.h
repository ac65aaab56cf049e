/**
 * @file forked.h
 * @brief Copies of this process that fork() makes. They have its memory, and none of the threads that a system needs.
 *
 * A copy may call exec(), exit(), and make a system of its own. The system that it has a copy of it may not use: its
 * functions refuse, and a callback that returns in a copy ends it, with a line on standard error.
 */
#ifndef TRP_FORKED_H
#define TRP_FORKED_H

#include "base/error.h"

#include <stdint.h>

struct troupe_executor;

/** The process id of this process, copy or not. */
extern int32_t trp_forked_pid;

/** Have fork() keep ::trp_forked_pid. */
void trp_forked_install(void);

/** Note which executor's callbacks this thread runs from here on; NULL: none. @return the one before. */
struct troupe_executor *trp_forked_enter(struct troupe_executor *executor);

/** @return the executor whose callbacks this thread runs; NULL: none. */
struct troupe_executor *trp_forked_current(void);

/** Set the error detail: this process is a copy. @return TROUPE_ERR_INVAL */
enum troupe_err trp_forked_explain(void);

/** End this process, if it is a copy of the one that has @p executor. */
void trp_forked_end_copy(const struct troupe_executor *executor);

#endif
