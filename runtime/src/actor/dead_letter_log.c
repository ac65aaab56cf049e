#include "actor/dead_letter_log.h"

#include "actor/dead_letter.h"
#include "actor/executor.h"
#include "base/clock.h"
#include "channel/events.h"

#include <inttypes.h>
#include <stdio.h>

enum { DEAD_LETTER_LOG_LINE_BYTES = 512 };

#define SECOND_NS UINT64_C(1000000000)

/** @return whether a dead letter is what the end of a system brings with it. */
static bool dead_log_is_usual(const struct trp_runtime *runtime, const struct trp_dead *dead)
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
            "troupe: %" PRIu64 " more dead letter%s had no line here, where %d a second have one\n",
            count,
            count == 1 ? "" : "s",
            TRP_DEAD_LOG_LINES);
    }
}

/** @return whether there may be one more line in this second. */
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
    // Looked at first, so that a flood does not count it round.
    return atomic_load_explicit(&log->line_count, memory_order_relaxed) < TRP_DEAD_LOG_LINES &&
           atomic_fetch_add_explicit(&log->line_count, 1, memory_order_relaxed) <
               TRP_DEAD_LOG_LINES;
}

/** Print what is known of one message. */
static void dead_log_print_one(
    struct troupe_executor *executor,
    const struct trp_dead *dead,
    const char *to_name,
    char line[DEAD_LETTER_LOG_LINE_BYTES])
{
    char from[TROUPE_REF_TEXT_BYTES];
    char to[TROUPE_REF_TEXT_BYTES];
    char from_name[TRP_DEAD_COUNTS_NAME_BYTES] = "";
    bool is_signed = dead->from.generation != 0;
    if (is_signed) {
        trp_dead_letter_name(executor, dead->from, from_name);
    }
    (void)snprintf(
        line,
        DEAD_LETTER_LOG_LINE_BYTES,
        "troupe: dead letter, %s: type %" PRIu32 ", %" PRIu64 " bytes, from %s%s to %s%s\n",
        troupe_dead_reason_text(dead->reason),
        dead->type,
        dead->body_bytes,
        is_signed ? troupe_ref_print(dead->from, from) : "the main program",
        from_name,
        troupe_ref_print(dead->to, to),
        to_name);
}

/** Print how many messages were lost of which no more is known. */
static void dead_log_print_sum(
    struct troupe_executor *executor,
    const struct trp_dead *dead,
    const char *to_name,
    char line[DEAD_LETTER_LOG_LINE_BYTES])
{
    char from_name[TRP_DEAD_COUNTS_NAME_BYTES] = "";
    trp_dead_letter_name(executor, dead->from, from_name);
    (void)snprintf(
        line,
        DEAD_LETTER_LOG_LINE_BYTES,
        "troupe: %" PRIu64 " dead letters, %s: from executor %" PRIu32 "%s to executor %" PRIu32
        "%s; what they said is lost\n",
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
    if (!log->is_on || dead_log_is_usual(executor->runtime, dead)) {
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
    (void)fputs(line, stderr); // whole, so that lines of several threads do not mix
}
