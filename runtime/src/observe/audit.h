/**
 * @file audit.h
 * @brief The counters, printed, and the check that they balance, for each channel, executor and the system:
 *
 *     accepted = handled + dead + unknown + waiting
 *
 * While the system runs messages wait; once it has ended none may.
 */
#ifndef TRP_AUDIT_H
#define TRP_AUDIT_H

#include "shared/records.h"

#include <stdbool.h>
#include <stdio.h>

struct trp_shared;

/** What is audited. */
struct trp_audit_subject {
    struct trp_shared *shared;
    struct trp_records *records; // of this process, the first
    bool has_ended;              // the system: nothing may wait any more
};

/** Print the counters, as troupe_system_print_stats(). */
void trp_audit_print_stats(const struct trp_audit_subject *subject, FILE *file);

/** Print the counters and check them, as troupe_system_audit(). @return whether they balance. */
bool trp_audit_check(const struct trp_audit_subject *subject, FILE *file);

#endif
