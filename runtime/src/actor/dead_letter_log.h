/**
 * @file dead_letter_log.h
 * @brief Dead letters, a line each on standard error; no more of them than somebody can read.
 *
 * A process prints ten lines a second at most. How many it left out is said by the first line of a later
 * second, or at its end. What finds its receiver stopped while the system is stopping has no line: that
 * is what the end of a system is like.
 */
#ifndef TRP_DEAD_LETTER_LOG_H
#define TRP_DEAD_LETTER_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct troupe_executor;
struct trp_dead;

/** Lines a second. */
enum { TRP_DEAD_LOG_LINES = 10 };

struct trp_dead_log {
    bool is_on;                  // const once the system runs
    _Atomic uint64_t second_ns;  // when the second began in which lines are counted
    _Atomic uint32_t line_count; // in it
    _Atomic uint64_t left_out;   // dead letters without a line since the last line that said so
};

/** Print a line about a dead letter, if there is one to be printed. */
void trp_dead_log_write(
    struct troupe_executor *executor, const struct trp_dead *dead, const char *to_name);

/** Say how many were left out, if some were. */
void trp_dead_log_close(struct trp_dead_log *log);

#endif
