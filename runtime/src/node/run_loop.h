/**
 * @file run_loop.h
 * @brief Running an executor on the thread of control that a backend gives it.
 */
#ifndef TRP_RUN_LOOP_H
#define TRP_RUN_LOOP_H

#include "actor/executor.h"

/** Run the loop to its end: turns, waits, and trp_executor_close(). */
void trp_executor_run(struct troupe_executor *executor);

#endif
