/**
 * @file rlimits.h
 * @brief Setting the limits of an actor on this process, which is a child that was started for it.
 */
#ifndef TRP_RLIMITS_H
#define TRP_RLIMITS_H

#include "base/error.h"
#include "troupe/limits.h"

/** Set what threads inherit when they are made: niceness and CPUs. @threads the only one of the process */
enum troupe_err trp_rlimits_set_threads(const struct troupe_limits *limits);

/**
 * Set the other limits, on top of what the process holds now: the runtime is made, no actor has started.
 *
 * @retval TROUPE_ERR_INVAL  the operating system refuses; the detail says which limit.
 */
enum troupe_err trp_rlimits_set_process(const struct troupe_limits *limits);

#endif
