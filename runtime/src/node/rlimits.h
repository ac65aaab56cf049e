/**
 * @file confine.h
 * @brief Limits, set on this process: for a child that carries actors.
 */
#ifndef TRP_RLIMITS_H
#define TRP_RLIMITS_H

#include "base/error.h"
#include "troupe/limits.h"

/** Set what holds for the threads there will be: niceness and CPUs. @threads the only one there is */
enum troupe_err trp_rlimits_set_threads(const struct troupe_limits *limits);

/**
 * Set the rest, beyond what the process holds now: the runtime is made, no actor has started.
 *
 * @retval TROUPE_ERR_INVAL  the operating system refuses; the detail says which limit.
 */
enum troupe_err trp_rlimits_set_process(const struct troupe_limits *limits);

#endif
