/**
 * @file
 * @brief What a test program reports to scripts/run-criterion, test by test.
 *
 * A report of Criterion's own is written at the end, so a program that does not come to it says nothing; a
 * test without a time limit of its own makes it wait forever for one that `--timeout` has ended; and it does
 * not hear of sanitizers. So Criterion's hooks, which run in the process that starts the tests, write lines:
 *
 *     planned 17 4711       # so many tests, in the process that starts them
 *     began unit.args.is_empty_at_first
 *     passed unit.args.is_empty_at_first 0.012
 *     failed unit.args.counts_its_words 0.020 a sanitizer reported, as it says above
 *     skipped unit.args.is_found_in_a_cache 0.001
 *
 * The environment says what is wanted. Without the first, all this does nothing.
 *
 *     TROUPE_TEST_REPORT=FILE    the lines go to its end
 *     TROUPE_TEST_KIND=KIND      the first part of each name
 *     TROUPE_TEST_NAMES=REGEX    run only tests whose name it matches, an extended regular expression
 *     TROUPE_TEST_SECONDS=N      the time limit of each test, unless it has a shorter one
 *     TROUPE_SANITIZER_LOGS=DIR  where sanitizers write: the test that ran when a report appears has failed
 *
 * Tests run one at a time (`--jobs 1`), so what happens is of the test that began last.
 */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/internal/ordered-set.h>

#include <dirent.h>
#include <limits.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** What became of the test that began last. */
static struct {
    bool is_open;       /**< Its last line is not written yet. */
    char name[256];     /**< "unit.args.is_empty_at_first". */
    const char *status; /**< "passed", "failed" or "skipped". */
    char reason[64];    /**< Why it failed, beside what it printed itself. */
    double seconds;     /**< How long it took. */
} report_test;

static FILE *report_file;       // NULL: nobody wants a report
static size_t report_log_count; // of reports in TROUPE_SANITIZER_LOGS

static void report_set_name(const struct criterion_test *test)
{
    (void)snprintf(
        report_test.name,
        sizeof(report_test.name),
        "%s.%s.%s",
        getenv("TROUPE_TEST_KIND"),
        test->category,
        test->name);
}

/** @return whether @p path is a report; LeakSanitizer also notes there when a thread ended under its eyes. */
static bool report_is_sanitizers(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[256];
    bool is_report = false;
    while (file != NULL && !is_report && fgets(line, sizeof(line), file) != NULL) {
        is_report = strstr(line, "Unable to get registers from thread") == NULL;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return is_report;
}

/** @return whether there are more reports of sanitizers than at the last call. */
static bool report_has_new_log(void)
{
    const char *path = getenv("TROUPE_SANITIZER_LOGS");
    DIR *directory = path != NULL ? opendir(path) : NULL;
    if (directory == NULL) {
        return false;
    }
    size_t count = 0;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        char log[PATH_MAX];
        (void)snprintf(log, sizeof(log), "%s/%s", path, entry->d_name);
        count += entry->d_name[0] != '.' && report_is_sanitizers(log);
    }
    (void)closedir(directory);
    bool has_more = count > report_log_count;
    report_log_count = count;
    return has_more;
}

/** Write the last line of the test that began last. Its process has ended, so what sanitizers say is there. */
static void report_close(void)
{
    if (!report_test.is_open) {
        return;
    }
    if (report_has_new_log()) {
        report_test.status = "failed";
        (void)snprintf(report_test.reason, sizeof(report_test.reason), " a sanitizer reported");
    }
    (void)fprintf(
        report_file,
        "%s %s %.3f%s\n",
        report_test.status,
        report_test.name,
        report_test.seconds,
        report_test.reason);
    (void)fflush(report_file);
    report_test.is_open = false;
}

/** Give @p test its limit, or take it out when its name does not match. @return whether it counts. */
static bool report_prepare(
    struct criterion_test *test,
    const struct criterion_suite *suite,
    double seconds,
    const regex_t *names)
{
    report_set_name(test);
    if (names != NULL && regexec(names, report_test.name, 0, NULL, 0) != 0) {
        test->data->disabled = true;
        return false;
    }
    if (test->data->disabled) {
        (void)fprintf(report_file, "skipped %s 0\n", report_test.name);
        return true;
    }
    double own_seconds = test->data->timeout;
    if (own_seconds == 0 && suite->data != NULL) {
        own_seconds = suite->data->timeout;
    }
    test->data->timeout = own_seconds == 0 || own_seconds > seconds ? seconds : own_seconds;
    return true;
}

static size_t report_prepare_all(
    struct criterion_test_set *set, double seconds, const regex_t *names)
{
    size_t planned = 0;
    FOREACH_SET(struct criterion_suite_set * suite, set->suites)
    {
        if (suite->tests == NULL) {
            continue;
        }
        struct criterion_ordered_set_node *node = suite->tests->first;
        for (; node != NULL; node = node->next) {
            struct criterion_test *test = (void *)(node + 1); // as FOREACH_SET, which does not nest
            planned += report_prepare(test, &suite->suite, seconds, names);
        }
    }
    return planned;
}

ReportHook(PRE_ALL)(struct criterion_test_set *set)
{
    const char *path = getenv("TROUPE_TEST_REPORT");
    const char *seconds = getenv("TROUPE_TEST_SECONDS");
    const char *names = getenv("TROUPE_TEST_NAMES");
    if (path == NULL) {
        return;
    }
    report_file = fopen(path, "ae");
    regex_t regex;
    if (report_file == NULL ||
        (names != NULL && regcomp(&regex, names, REG_EXTENDED | REG_NOSUB) != 0)) {
        (void)fprintf(
            stderr, "TROUPE_TEST_REPORT is no file, or TROUPE_TEST_NAMES no regular expression\n");
        exit(2);
    }

    size_t planned = report_prepare_all(
        set, seconds != NULL ? atof(seconds) : 60, names != NULL ? &regex : NULL);

    (void)fprintf(report_file, "planned %zu %d\n", planned, (int)getpid());
    (void)fflush(report_file);
    if (names != NULL) {
        regfree(&regex);
    }
}

ReportHook(PRE_INIT)(struct criterion_test *test)
{
    if (report_file == NULL) {
        return;
    }
    report_close();
    report_set_name(test);
    (void)fprintf(report_file, "began %s\n", report_test.name);
    (void)fflush(report_file);
    report_test.is_open = true;
    report_test.status = "failed";
    report_test.seconds = 0;
    (void)snprintf(report_test.reason, sizeof(report_test.reason), " it ended early");
}

ReportHook(TEST_CRASH)(struct criterion_test_stats *stats)
{
    report_test.status = "failed";
    (void)snprintf(report_test.reason, sizeof(report_test.reason), " signal %d", stats->signal);
}

ReportHook(POST_FINI)(struct criterion_test_stats *stats)
{
    report_test.seconds = (double)stats->elapsed_time;
    report_test.reason[0] = '\0';
    if (stats->test_status == CR_STATUS_PASSED) {
        report_test.status = "passed";
    } else if (stats->test_status == CR_STATUS_SKIPPED) {
        report_test.status = "skipped";
    } else if (stats->timed_out) {
        report_test.status = "failed";
        (void)snprintf(
            report_test.reason,
            sizeof(report_test.reason),
            " it was given up after %.0f s",
            stats->test->data->timeout);
    }
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
    (void)stats;
    if (report_file == NULL) {
        return;
    }
    report_close();
    (void)fprintf(report_file, "done\n");
    (void)fclose(report_file);
    report_file = NULL;
}
