/**
 * @file report.h
 * @brief Who keeps a system alive, or is in the way of its end, in words: a line for each executor.
 */
#ifndef TRP_REPORT_H
#define TRP_REPORT_H

#include "shared/activity.h"
#include "troupe/system.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** What an executor is at, in words. */
struct trp_report_callback {
    char actor[64];
    char behaviour[64]; // "": it runs in another process
    char type[TRP_CALLBACK_TEXT_BYTES];
};

/** Put into words what an executor is at, with the names it has if it runs in this process. */
void trp_report_name(
    troupe_system_t *system,
    uint32_t executor_id,
    const struct trp_callback_sample *sample,
    struct trp_report_callback *out_callback);

/** Print a time as people say it: "350 ms", "2.5 s". */
void trp_report_time(uint64_t ns, char *text, size_t bytes);

/**
 * Say on standard error who is in the way of the end after @p passed_ns, with the stacks that can be had
 * within @p timeout_ns. @threads the owner's
 */
void trp_report_in_the_way(troupe_system_t *system, uint64_t passed_ns, uint64_t timeout_ns);

#endif
