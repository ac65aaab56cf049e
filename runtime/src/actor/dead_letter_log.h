/**
 * @file dead_letter_log.h
 * @brief A line on standard error for each dead letter, but at most ten a second.
 *
 * The first line of a later second, or the end of the system, says how many dead letters had none. A message that finds
 * its receiver stopped while the system stops gets no line, since that is expected.
 */
#ifndef TRP_DEAD_LETTER_LOG_H
#define TRP_DEAD_LETTER_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct troupe_executor;
struct trp_dead;

/** Most lines in a second. */
enum { TRP_DEAD_LOG_LINES = 10 };

struct trp_dead_log {
    bool is_on; // const while the system runs
    _Atomic uint64_t
        second_ns; // begin of the second in which lines are counted, by the monotonic clock
    _Atomic uint32_t line_count; // in that second
    _Atomic uint64_t left_out;   // dead letters without a line, not reported yet
};

/** Print a line about a dead letter, unless it is expected or this second has its lines. @threads any */
void trp_dead_log_write(
    struct troupe_executor *executor, const struct trp_dead *dead, const char *to_name);

/** Print how many dead letters had no line, if any. @threads any */
void trp_dead_log_close(struct trp_dead_log *log);

#endif
