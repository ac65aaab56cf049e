#include "actor/dead_letter_log.h"

#include "actor/actor_name.h"
#include "actor/executor.h"
#include "base/clock.h"
#include "channel/events.h"

#include <inttypes.h>
#include <stdio.h>

enum { DEAD_LETTER_LOG_LINE_BYTES = 512 };

#define SECOND_NS UINT64_C(1000000000)

/** @return whether a dead letter is expected, since the system stops. */
static bool dead_log_is_expected(const struct trp_runtime *runtime, const struct trp_dead *dead)
{
    return (dead->reason == TROUPE_DEAD_STOPPED || dead->reason == TROUPE_DEAD_UNDELIVERABLE) &&
           (atomic_load_explicit(&runtime->stop_asked, memory_order_relaxed) ||
            atomic_load_explicit(&runtime->shared->stop_asked, memory_order_relaxed));
}

void trp_dead_log_close(struct trp_dead_log *log)
{
    uint64_t count = atomic_exchange_explicit(&log->left_out, 0, memory_order_relaxed);
    if (count != 0) {
        (void)fprintf(
            stderr,
            "troupe: %" PRIu64 " more dead letter%s had no line: at most %d a second are printed\n",
            count,
            count == 1 ? "" : "s",
            TRP_DEAD_LOG_LINES);
    }
}

/** @return whether one more line may be printed in this second. */
static bool dead_log_may_write(struct trp_dead_log *log)
{
    uint64_t now_ns = trp_clock_monotonic(NULL);
    uint64_t second_ns = atomic_load_explicit(&log->second_ns, memory_order_relaxed);
    if (now_ns - second_ns >= SECOND_NS &&
        atomic_compare_exchange_strong_explicit(
            &log->second_ns, &second_ns, now_ns, memory_order_relaxed, memory_order_relaxed)) {
        atomic_store_explicit(&log->line_count, 0, memory_order_relaxed);
        trp_dead_log_close(log);
    }
    // Read before it is incremented, so that a flood of dead letters cannot make the count wrap.
    return atomic_load_explicit(&log->line_count, memory_order_relaxed) < TRP_DEAD_LOG_LINES &&
           atomic_fetch_add_explicit(&log->line_count, 1, memory_order_relaxed) <
               TRP_DEAD_LOG_LINES;
}

/** Print the line of one message. */
static void dead_log_print_one(
    struct troupe_executor *executor,
    const struct trp_dead *dead,
    const char *to_name,
    char line[DEAD_LETTER_LOG_LINE_BYTES])
{
    char from[TROUPE_REF_TEXT_BYTES];
    char to[TROUPE_REF_TEXT_BYTES];
    char from_name[TRP_DEAD_COUNTS_NAME_BYTES] = "";
    bool has_sender = dead->from.generation != 0;
    if (has_sender) {
        trp_actor_name_print(executor, dead->from, from_name);
    }
    (void)snprintf(
        line,
        DEAD_LETTER_LOG_LINE_BYTES,
        "troupe: dead letter, %s: type %" PRIu32 ", %" PRIu64 " bytes, from %s%s to %s%s\n",
        troupe_dead_reason_text(dead->reason),
        dead->type,
        dead->body_bytes,
        has_sender ? troupe_ref_print(dead->from, from) : "the main program",
        from_name,
        troupe_ref_print(dead->to, to),
        to_name);
}

/** Print the line of messages whose envelopes are lost. */
static void dead_log_print_sum(
    struct troupe_executor *executor,
    const struct trp_dead *dead,
    const char *to_name,
    char line[DEAD_LETTER_LOG_LINE_BYTES])
{
    char from_name[TRP_DEAD_COUNTS_NAME_BYTES] = "";
    trp_actor_name_print(executor, dead->from, from_name);
    (void)snprintf(
        line,
        DEAD_LETTER_LOG_LINE_BYTES,
        "troupe: %" PRIu64 " dead letters, %s: from executor %" PRIu32 "%s to executor %" PRIu32
        "%s; their contents are lost\n",
        dead->lost,
        troupe_dead_reason_text(dead->reason),
        dead->from.executor,
        from_name,
        dead->to.executor,
        to_name);
}

void trp_dead_log_write(
    struct troupe_executor *executor, const struct trp_dead *dead, const char *to_name)
{
    struct trp_dead_log *log = &executor->runtime->dead_log;
    if (!log->is_on || dead_log_is_expected(executor->runtime, dead)) {
        return;
    }
    if (!dead_log_may_write(log)) {
        atomic_fetch_add_explicit(&log->left_out, trp_dead_count(dead), memory_order_relaxed);
        return;
    }
    char line[DEAD_LETTER_LOG_LINE_BYTES];
    if (dead->lost == 0) {
        dead_log_print_one(executor, dead, to_name, line);
    } else {
        dead_log_print_sum(executor, dead, to_name, line);
    }
    (void)fputs(line, stderr); // in one call, so that lines of several threads do not mix
}
