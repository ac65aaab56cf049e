/*
 * The public verbs that print or count what a system does.
 */
#include "node/system.h"
#include "observe/audit.h"
#include "observe/report.h"
#include "observe/stats.h"

void troupe_system_stats(troupe_system_t *system, struct troupe_stats *out_stats)
{
    trp_stats_take(system->runtime.shared, out_stats);
}

static struct trp_audit_subject observing_subject(troupe_system_t *system)
{
    return (struct trp_audit_subject){
        .shared = system->runtime.shared,
        .records = &system->records,
        .has_ended = system->stopped,
    };
}

void troupe_system_print_stats(troupe_system_t *system, FILE *file)
{
    const struct trp_audit_subject subject = observing_subject(system);
    trp_audit_print_stats(&subject, file);
}

bool troupe_system_audit(troupe_system_t *system, FILE *file)
{
    const struct trp_audit_subject subject = observing_subject(system);
    return trp_audit_check(&subject, file);
}

void troupe_system_print_active(troupe_system_t *system, FILE *file)
{
    bool is_stopping = atomic_load_explicit(&system->runtime.stop_asked, memory_order_acquire);
    trp_report_print_active(&system->runtime, is_stopping, file);
}
