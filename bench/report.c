/*
 * What a case came to, as a row for people and as a line of JSON for tools.
 */
#include "bench.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

/** @return the middle of @p count sorted values; of an even count, between the two. */
static double median(const double *sorted, uint32_t count)
{
    double upper = sorted[count / 2];
    return count % 2 == 1 ? upper : (sorted[count / 2 - 1] + upper) / 2.0;
}

void bench_report_heading(FILE *file, bool has_floor)
{
    (void)fprintf(
        file,
        "%-10s %-10s %-9s %11s %6s %10s %10s %10s %10s",
        "workload",
        "backend",
        "transport",
        "messages",
        "bytes",
        "ns/message",
        "min",
        "max",
        "million/s");
    if (has_floor) {
        (void)fprintf(file, " %10s %7s", "floor ns", "ratio");
    }
    (void)fputc('\n', file);
}

void bench_report_row(FILE *file, const struct bench_case *self, const struct bench_result *result)
{
    const double *ours = result->ours_ns_per_message;
    double ours_ns = median(ours, self->runs);
    (void)fprintf(
        file,
        "%-10s %-10s %-9s %11" PRIu64 " %6" PRIu64 " %10.1f %10.1f %10.1f %10.3f",
        self->workload->name,
        self->backend,
        self->transport,
        self->plan.messages,
        self->plan.size_bytes,
        ours_ns,
        ours[0],
        ours[self->runs - 1],
        1000.0 / ours_ns);
    if (result->floor_ns_per_message != NULL) {
        double floor_ns = median(result->floor_ns_per_message, self->runs);
        (void)fprintf(file, " %10.1f %7.2f", floor_ns, floor_ns / ours_ns);
    } else if (self->has_floor) {
        (void)fprintf(file, " %10s %7s", "-", "-");
    }
    if (self->workload->counts_actors) {
        (void)fprintf(file, "  stop %.1f ns an actor", median(result->stop_ns, self->runs));
    }
    if (result->alive > 0) {
        (void)fprintf(
            file,
            "  first answer after %.1f us, %" PRIu64 " alive at once",
            median(result->reply_ns, self->runs) / 1000.0,
            result->alive);
    } else if (result->reply_ns[0] > 0) {
        double round_us = median(result->reply_ns, self->runs) / 1000.0;
        (void)fprintf(file, "  99 of 100 rounds within %.1f us", round_us);
    }
    (void)fputc('\n', file);
    (void)fflush(file);
}

/** @return what ours came to, as a new object; NULL without memory for it. */
static json_t *report_ours(const struct bench_case *self, const struct bench_result *result)
{
    const struct bench_plan *plan = &self->plan;
    const double *ours = result->ours_ns_per_message;
    double ours_ns = median(ours, self->runs);
    uint64_t actors = self->workload->counts_actors ? plan->messages : plan->actors;
    // clang-format off
    return json_pack(
        "{ss ss ss sI sI sI si sb sb sb sf sf sf sf sI}",
        "workload", self->workload->name,
        "backend", self->backend,
        "transport", self->transport,
        "messages", (json_int_t)plan->messages,
        "actors", (json_int_t)actors,
        "size_bytes", (json_int_t)plan->size_bytes,
        "runs", (int)self->runs,
        "given", plan->sends_bodies != 0,
        "batched", plan->is_batching != 0,
        "pinned", plan->cpu_mask != 0,
        "ns_per_message_min", ours[0],
        "ns_per_message_median", ours_ns,
        "ns_per_message_max", ours[self->runs - 1],
        "messages_per_second_median", 1e9 / ours_ns,
        "checksum", (json_int_t)result->checksum);
    // clang-format on
}

/** Add what the floor came to; null where it has no counterpart. @return whether it could. */
static bool report_add_floor(
    json_t *line, const struct bench_case *self, const struct bench_result *result)
{
    json_t *floor = json_null();
    json_t *ratio = json_null();
    if (result->floor_ns_per_message != NULL) {
        double floor_ns = median(result->floor_ns_per_message, self->runs);
        floor = json_real(floor_ns);
        ratio = json_real(floor_ns / median(result->ours_ns_per_message, self->runs));
    }
    bool has_floor = json_object_set_new(line, "floor_ns_per_message_median", floor) == 0;
    return json_object_set_new(line, "floor_ratio", ratio) == 0 && has_floor;
}

/** Add what is known of actors that were started and kept. @return whether it could. */
static bool report_add_start(
    json_t *line, const struct bench_case *self, const struct bench_result *result)
{
    double reply_ns = median(result->reply_ns, self->runs);
    json_t *alive = json_integer((json_int_t)result->alive);
    bool has_alive = json_object_set_new(line, "alive_at_once", alive) == 0;
    return json_object_set_new(line, "first_answer_ns_median", json_real(reply_ns)) == 0 &&
           has_alive;
}

bool bench_report_json(FILE *file, const struct bench_case *self, const struct bench_result *result)
{
    json_t *line = report_ours(self, result);
    bool is_whole = line != NULL;
    if (is_whole && self->has_floor) {
        is_whole = report_add_floor(line, self, result);
    }
    if (is_whole && self->workload->counts_actors) {
        json_t *stop_ns = json_real(median(result->stop_ns, self->runs));
        is_whole = json_object_set_new(line, "stop_ns_per_actor_median", stop_ns) == 0;
    }
    if (is_whole && result->alive > 0) {
        is_whole = report_add_start(line, self, result);
    } else if (is_whole && result->reply_ns[0] > 0) {
        json_t *round = json_real(median(result->reply_ns, self->runs));
        is_whole = json_object_set_new(line, "round_ns_p99_median", round) == 0;
    }
    // Six digits: figures of a machine that does other things too have no more to say.
    is_whole = is_whole && json_dumpf(line, file, JSON_COMPACT | JSON_REAL_PRECISION(6)) == 0 &&
               fputc('\n', file) != EOF && fflush(file) == 0;
    json_decref(line);
    return is_whole;
}
