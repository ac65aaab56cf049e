/**
 * @file report.h
 * @brief Which executors keep a system running, and what each does: a line of text for each.
 */
#ifndef TRP_REPORT_H
#define TRP_REPORT_H

#include "actor/runtime.h"
#include "shared/activity.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { TRP_REPORT_TIME_BYTES = 32 };

/** A callback, as text. */
struct trp_report_callback {
    char actor[64];     // its name; "in row N" when it is not known
    char behaviour[64]; // "": not known, as it runs in another process, or has returned
    char type[TRP_CALLBACK_TEXT_BYTES];
};

/** Describe the callback of a sample, with names if it runs in this process. */
void trp_report_name(
    struct trp_runtime *runtime,
    uint32_t executor_id,
    const struct trp_callback_sample *sample,
    struct trp_report_callback *out_callback);

/** Print a time for people: "350 ms", "2.5 s". */
void trp_report_time(uint64_t ns, char text[static TRP_REPORT_TIME_BYTES]);

/** Print what is active, as troupe_system_print_active(). @threads any */
void trp_report_print_active(struct trp_runtime *runtime, bool is_stopping, FILE *file);

/** A shutdown that takes too long. */
struct trp_report_shutdown {
    uint32_t executor_id; // executor that waits for all others
    uint64_t passed_ns;
    uint64_t stop_timeout_ns;
    uint64_t trace_timeout_ns; // how long it may take to print stacks
};

/** Print the executors that have not ended on standard error, and the stacks of those in a callback. */
void trp_report_print_shutdown(
    struct trp_runtime *runtime, const struct trp_report_shutdown *shutdown);

#endif
