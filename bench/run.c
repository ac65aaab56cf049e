/*
 * Running a case: a fresh system for each run, the floor and ours in turn.
 *
 * The time is taken by the actors, from the first message to the last, so making and ending the
 * system stands outside of it. Floor and ours alternate, so that what the machine does meanwhile
 * falls on both.
 */
#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/** Starts the generators of chance: every run makes the same choices. */
#define RUN_SEED 2014

/** Print which step of a run failed. */
static void run_complain(const struct bench_case *self, const char *step, enum troupe_err err)
{
    (void)fprintf(
        stderr,
        "troupe-bench: %s: %s: %s. %s\n",
        self->workload->name,
        step,
        troupe_strerror(err),
        troupe_error_detail());
}

/** Start the root on @p system, run until it ends, and read the tally from its end. */
static bool run_system(
    const struct bench_case *self, troupe_system_t *system, struct bench_tally *out_tally)
{
    troupe_context_t *ctx = troupe_system_context(system);
    troupe_ref_t root = TROUPE_REF_NONE;
    struct troupe_spawn_options options = {
        .behaviour = &bench_root,
        .args = &self->plan,
        .args_bytes = sizeof(self->plan),
    };
    enum troupe_err err = troupe_spawn(ctx, &options, &root);
    if (err == TROUPE_OK) {
        troupe_system_set_root(system, root);
        err = troupe_send(ctx, root, BENCH_START, NULL, 0);
    }
    if (err == TROUPE_OK) {
        err = troupe_system_run(system);
    }
    if (err != TROUPE_OK) {
        run_complain(self, "the run did not end in order", err);
        return false;
    }
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // troupe_now() is that clock
    struct troupe_exit exit = {0};
    err = troupe_system_root_exit(system, &exit);
    if (err != TROUPE_OK || exit.code != BENCH_EXIT_RESULT ||
        !bench_tally_parse(exit.text, out_tally)) {
        (void)fprintf(
            stderr,
            "troupe-bench: %s: no result: the root ended %s. %s\n",
            self->workload->name,
            troupe_exit_reason_text(exit.reason),
            exit.text);
        return false;
    }
    uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    out_tally->stop_ns = now_ns - out_tally->ended_ns;
    return true;
}

static enum bench_outcome run_ours(const struct bench_case *self, struct bench_tally *out_tally)
{
    struct troupe_system_options options = {
        .behaviours = bench_behaviours(),
        .place = self->place,
        .seed = RUN_SEED,
    };
    troupe_system_t *system = NULL;
    enum troupe_err err = troupe_system_new(&options, &system);
    if (err != TROUPE_OK) {
        run_complain(self, "no system for it", err);
        return err == TROUPE_ERR_INVAL || err == TROUPE_ERR_UNSUPPORTED ? BENCH_USAGE
                                                                        : BENCH_FAILED;
    }
    bool is_done = run_system(self, system, out_tally);
    err = troupe_system_destroy(&system);
    if (err != TROUPE_OK) {
        run_complain(self, "the system did not end", err);
        return BENCH_FAILED;
    }
    return is_done ? BENCH_DONE : BENCH_FAILED;
}

/** @return whether all messages were handled, and no others: a run that does less work looks faster. */
static bool run_is_whole(
    const struct bench_case *self, const char *side, const struct bench_tally *tally)
{
    uint64_t checksum = bench_checksum(&self->plan);
    if (tally->messages == self->plan.messages && tally->checksum == checksum) {
        return true;
    }
    (void)fprintf(
        stderr,
        "troupe-bench: %s: %s handled %" PRIu64 " messages that sum up to %" PRIu64 ", not %" PRIu64
        " that sum up to %" PRIu64 "; messages were lost or doubled\n",
        self->workload->name,
        side,
        tally->messages,
        tally->checksum,
        self->plan.messages,
        checksum);
    return false;
}

/** Run the floor and then ours, once. @p index below 0 is the warm-up, which is not kept. */
static enum bench_outcome run_once(
    const struct bench_case *self, int index, struct bench_result *result)
{
    struct bench_tally floor = {0};
    struct bench_tally ours = {0};
    double messages = (double)self->plan.messages;
    if (self->floor.kind != BENCH_FLOOR_NONE) {
        if (!bench_floor_run(&self->floor, &self->plan, &floor) ||
            !run_is_whole(self, "the floor", &floor)) {
            return BENCH_FAILED;
        }
    }
    enum bench_outcome outcome = run_ours(self, &ours);
    if (outcome != BENCH_DONE) {
        return outcome;
    }
    if (!run_is_whole(self, "ours", &ours)) {
        return BENCH_FAILED;
    }
    if (index >= 0) {
        result->ours_ns_per_message[index] = (double)ours.elapsed_ns / messages;
        if (result->floor_ns_per_message != NULL) {
            result->floor_ns_per_message[index] = (double)floor.elapsed_ns / messages;
        }
        result->reply_ns[index] = (double)ours.reply_ns;
        result->stop_ns[index] = (double)ours.stop_ns / messages;
        result->alive = ours.alive;
        result->checksum = ours.checksum;
    }
    return BENCH_DONE;
}

/** Print progress on a terminal; the next such line and the result overwrite it. */
static void run_show_progress(const struct bench_case *self, int index)
{
    if (isatty(STDERR_FILENO) == 0) {
        return;
    }
    if (index == (int)self->runs) {
        (void)fputs("\r\033[K", stderr);
    } else {
        (void)fprintf(
            stderr,
            "\r\033[K%s on %s: run %d of %u",
            self->workload->name,
            self->backend,
            index + 1,
            self->runs);
    }
    (void)fflush(stderr);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

enum bench_outcome bench_case_run(const struct bench_case *self, struct bench_result *out_result)
{
    struct bench_result result = {
        .ours_ns_per_message = calloc(self->runs, sizeof(double)),
        .reply_ns = calloc(self->runs, sizeof(double)),
        .stop_ns = calloc(self->runs, sizeof(double)),
    };
    bool has_memory =
        result.ours_ns_per_message != NULL && result.reply_ns != NULL && result.stop_ns != NULL;
    if (self->floor.kind != BENCH_FLOOR_NONE) {
        result.floor_ns_per_message = calloc(self->runs, sizeof(double));
        has_memory = has_memory && result.floor_ns_per_message != NULL;
    }
    enum bench_outcome outcome = has_memory ? BENCH_DONE : BENCH_FAILED;
    for (int i = -1; i < (int)self->runs && outcome == BENCH_DONE; i++) {
        run_show_progress(self, i);
        outcome = run_once(self, i, &result);
    }
    run_show_progress(self, (int)self->runs);
    if (outcome != BENCH_DONE) {
        bench_result_free(&result);
        return outcome;
    }
    qsort(result.ours_ns_per_message, self->runs, sizeof(double), compare_doubles);
    qsort(result.reply_ns, self->runs, sizeof(double), compare_doubles);
    qsort(result.stop_ns, self->runs, sizeof(double), compare_doubles);
    if (result.floor_ns_per_message != NULL) {
        qsort(result.floor_ns_per_message, self->runs, sizeof(double), compare_doubles);
    }
    *out_result = result;
    return BENCH_DONE;
}

void bench_result_free(struct bench_result *result)
{
    free(result->ours_ns_per_message);
    free(result->floor_ns_per_message);
    free(result->reply_ns);
    free(result->stop_ns);
    *result = (struct bench_result){0};
}
