// ctest: serial
// ctest: timeout 180
/*
 * troupe-chaos: ends random processes of a system under load, in three ways, and audits what is left.
 *
 *     round:   all workers send --> one to three are killed --> each exit is reported, each has a successor
 *     pause:   all are silent --> nothing is in transit --> the counters balance, and all reports are compared
 */
#include "chaos.h"
#include "unit/chance.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LOAD_NS = 8000000,      // before each blow, at most
    STOP_NS = 20000000,     // from a stop to its kill, at most
    DESCRIPTORS_SPARE = 64, // that come and go with the ways in use
};

#define DEADLINE_NS UINT64_C(20000000000)

struct chaos {
    struct chaos_controller controller;
    struct chance chance;
    uint64_t seed;
    uint32_t kills; // wanted
    uint32_t killed;
    uint32_t by_way[CHAOS_WAYS];
    uint32_t audits;
    uint32_t descriptors; // at the first pause
    uint64_t accepted;    // when it was last looked
    char parent[64];      // of its run directory, with the log
};

static const struct troupe_behaviour *const behaviours[] = {&chaos_controller, &chaos_worker, NULL};

/* Output for people. --------------------------------------------------------------------------- */

/** Print the end of the log of the runtime and the processes. */
static void chaos_show_log(const struct chaos *chaos)
{
    char path[96];
    char text[4096];
    (void)snprintf(path, sizeof(path), "%s/log", chaos->parent);
    FILE *log = fopen(path, "re");
    if (log == NULL) {
        return;
    }
    if (fseek(log, -(long)sizeof(text), SEEK_END) != 0) {
        rewind(log);
    }
    size_t bytes = fread(text, 1, sizeof(text), log);
    (void)fprintf(chaos->controller.out, "--- the end of %s:\n", path);
    (void)fwrite(text, 1, bytes, chaos->controller.out);
    (void)fclose(log);
}

/** @return whether the counters balance; if not, it prints where. */
static bool chaos_audit(const struct chaos *chaos)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    bool closes = file != NULL && troupe_system_audit(chaos->controller.system, file);
    if (file != NULL) {
        (void)fclose(file);
    }
    (void)fputs(closes || text == NULL ? "" : text, chaos->controller.out);
    free(text);
    return closes;
}

/** Print a fatal failure, and exit. */
_Noreturn static void chaos_fail(struct chaos *chaos, const char *what)
{
    FILE *out = chaos->controller.out;
    (void)fprintf(
        out,
        "chaos: seed %" PRIu64 ", after %u kills: %s (%s)\n",
        chaos->seed,
        (unsigned)chaos->killed,
        what,
        troupe_error_detail());
    chaos_show_log(chaos);
    if (chaos->controller.system != NULL) {
        chaos_controller_print(&chaos->controller);
        (void)chaos_audit(chaos);
        troupe_system_print_active(chaos->controller.system, out);
    }
    (void)fflush(out);
    _exit(1);
}

static void chaos_require(struct chaos *chaos, bool condition, const char *what)
{
    if (!condition) {
        chaos_fail(chaos, what);
    }
}

/* Running. ------------------------------------------------------------------------------------- */

/** An actor that is stopped, and when it is to be killed. */
struct chaos_victim {
    pid_t pid;
    uint32_t delay_ns;
};

/** End who was stopped. On a thread of its own: what the stopped one holds, the others may wait for. */
static void *chaos_end_stopped(void *data)
{
    struct chaos_victim victim = *(struct chaos_victim *)data;
    const struct timespec delay = {.tv_nsec = victim.delay_ns};
    free(data);
    (void)nanosleep(&delay, NULL);
    (void)kill(victim.pid, SIGKILL); // nothing else ends it, so the pid is still its own
    return NULL;
}

static void chaos_end_later(struct chaos *chaos, pid_t pid, uint32_t delay_ns)
{
    pthread_t thread;
    struct chaos_victim *victim = malloc(sizeof(*victim));
    chaos_require(chaos, victim != NULL, "memory");
    *victim = (struct chaos_victim){.pid = pid, .delay_ns = delay_ns};
    chaos_require(chaos, pthread_create(&thread, NULL, chaos_end_stopped, victim) == 0, "a thread");
    (void)pthread_detach(thread);
}

/** Do what is at hand, and wait for more until @p deadline_ns, a millisecond at most. */
static void chaos_step(struct chaos *chaos, uint64_t deadline_ns)
{
    struct chaos_controller *controller = &chaos->controller;
    troupe_context_t *ctx = troupe_system_context(controller->system);
    if (chaos_controller_is_due(controller)) {
        enum troupe_err err = troupe_send(ctx, controller->ref, CHAOS_CHECK, NULL, 0);
        chaos_require(
            chaos, err == TROUPE_OK || err == TROUPE_ERR_FULL, "a message to the controller");
    }
    enum troupe_err err = troupe_system_progress(controller->system, NULL);
    chaos_require(chaos, err == TROUPE_OK, "the system goes on");
    if (chaos_now_ns() < deadline_ns && troupe_system_timeout_ns(controller->system) != 0) {
        struct pollfd ready = {.fd = troupe_system_fd(controller->system), .events = POLLIN};
        (void)poll(&ready, 1, 1);
    }
}

static void chaos_run_for(struct chaos *chaos, uint64_t ns)
{
    uint64_t deadline_ns = chaos_now_ns() + ns;
    while (chaos_now_ns() < deadline_ns) {
        chaos_step(chaos, deadline_ns);
    }
}

typedef bool chaos_is_fn(struct chaos *chaos);

static void chaos_run_until(struct chaos *chaos, chaos_is_fn *is, const char *what)
{
    uint64_t deadline_ns = chaos_now_ns() + DEADLINE_NS;
    while (!is(chaos)) {
        chaos_require(chaos, chaos_now_ns() < deadline_ns, what);
        chaos_step(chaos, deadline_ns);
    }
}

static bool is_settled(struct chaos *chaos)
{
    return chaos_controller_is_settled(&chaos->controller);
}

/** @return whether nothing is on its way, nor was when it looked before. */
static bool is_quiet(struct chaos *chaos)
{
    struct troupe_stats stats;
    troupe_system_stats(chaos->controller.system, &stats);
    bool quiet = stats.waiting == 0 && stats.accepted == chaos->accepted;
    chaos->accepted = stats.accepted;
    return quiet;
}

/**
 * @return whether all asks of all workers are over, and all exits were reported to them. Workers of which that
 *         is not true yet are asked for another report, since exits are no messages that is_quiet() waits for.
 */
static bool is_replied(struct chaos *chaos)
{
    struct chaos_controller *controller = &chaos->controller;
    bool replied = chaos_controller_is_settled(controller);
    for (uint32_t slot = 0; replied && slot < CHAOS_WORKERS; slot++) {
        const struct chaos_report *report = &controller->slots[slot].report;
        if (report->asks != report->asks_over || chaos_controller_is_unreported(controller, slot)) {
            controller->slots[slot].state = CHAOS_PAUSED;
            replied = false;
        }
    }
    return replied;
}

/** @return whether a process is there that may be killed. */
static bool has_victim(struct chaos *chaos)
{
    for (uint32_t slot = 0; slot < CHAOS_PROCESSES; slot++) {
        if (chaos_is_target(&chaos->controller, chaos_instance_of(&chaos->controller, slot))) {
            return true;
        }
    }
    return false;
}

/* Kills. --------------------------------------------------------------------------------------- */

/** Send a process its last signal, or its last but one. */
static void chaos_kill_one(struct chaos *chaos)
{
    chaos_run_until(chaos, has_victim, "no process can be killed");
    struct chaos_instance *instance = NULL;
    do {
        instance =
            chaos_instance_of(&chaos->controller, chance_below(&chaos->chance, CHAOS_PROCESSES));
    } while (!chaos_is_target(&chaos->controller, instance));
    instance->way = 1 + (enum chaos_way)chance_below(&chaos->chance, CHAOS_WAYS - 1);
    static const int signals[] = {
        [CHAOS_KILL] = SIGKILL, [CHAOS_SEGV] = SIGSEGV, [CHAOS_STOP_KILL] = SIGSTOP};
    instance->ended_ns = chaos_now_ns();
    chaos_require(
        chaos, kill(instance->pid, signals[instance->way]) == 0, "a process can be signalled");
    if (instance->way == CHAOS_STOP_KILL) {
        uint32_t delay_ns = chance_below(&chaos->chance, STOP_NS);
        instance->ended_ns += delay_ns;
        chaos_end_later(chaos, instance->pid, delay_ns);
    }
    chaos->by_way[instance->way]++;
    chaos->killed++;
}

/** The balance, exactly: every accepted message has one outcome. */
static void chaos_check_balance(struct chaos *chaos)
{
    struct troupe_stats stats;
    troupe_system_stats(chaos->controller.system, &stats);
    const uint64_t *dead = stats.dead_by_reason;
    uint64_t explained = dead[TROUPE_DEAD_PEER_DOWN] + dead[TROUPE_DEAD_SENDER_DOWN] +
                         dead[TROUPE_DEAD_LATE_REPLY] + dead[TROUPE_DEAD_STOPPED];
    chaos_require(
        chaos,
        stats.accepted == stats.handled + stats.dead + stats.unknown && stats.dead == explained &&
            stats.unknown <= chaos->killed && stats.sequence_gaps == 0,
        "the counters do not balance");
    chaos_require(chaos, chaos_audit(chaos), "the audit does not balance");
    chaos->audits++;
}

/** @return descriptors of this process. */
static uint32_t count_descriptors(void)
{
    DIR *list = opendir("/proc/self/fd");
    uint32_t count = 0;
    while (list != NULL && readdir(list) != NULL) { // NOLINT(concurrency-mt-unsafe)
        count++;
    }
    if (list != NULL) {
        (void)closedir(list);
    }
    return count;
}

/** Have all be silent, and compare all accounts. */
static void chaos_pause(struct chaos *chaos)
{
    struct chaos_controller *controller = &chaos->controller;
    controller->want = CHAOS_PAUSED;
    chaos_run_until(chaos, is_settled, "not all workers became ready and silent in time");
    chaos->accepted = UINT64_MAX;
    chaos_run_until(chaos, is_quiet, "messages are still in transit");
    chaos_check_balance(chaos);
    controller->want = CHAOS_REPORTED;
    chaos_run_until(
        chaos, is_replied, "not all asks ended, or not all exits were reported in time");
    chaos_controller_check(controller);
    uint32_t descriptors = count_descriptors();
    chaos->descriptors = chaos->descriptors == 0 ? descriptors : chaos->descriptors;
    if (descriptors > chaos->descriptors + DESCRIPTORS_SPARE) {
        chaos_add_error(
            controller,
            "%u descriptors, %u before",
            (unsigned)descriptors,
            (unsigned)chaos->descriptors);
    }
    chaos_require(chaos, controller->errors == 0, "errors were found");
}

static void chaos_round(struct chaos *chaos)
{
    uint32_t kill_count = 1 + chance_below(&chaos->chance, 3);
    chaos->controller.want = CHAOS_GOING;
    for (uint32_t i = 0; i < kill_count && chaos->killed < chaos->kills; i++) {
        chaos_run_for(chaos, chance_below(&chaos->chance, LOAD_NS));
        chaos_kill_one(chaos);
    }
    chaos_run_for(chaos, chance_below(&chaos->chance, LOAD_NS));
    chaos_pause(chaos);
}

/* The whole. ----------------------------------------------------------------------------------- */

/** Have a place of its own for the run directory and the log, to which standard error goes. */
static void chaos_open_log(struct chaos *chaos)
{
    char path[96];
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    chaos->controller.out = fdopen(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), "w");
    (void)snprintf(chaos->parent, sizeof(chaos->parent), "/tmp/troupe-chaos-XXXXXX");
    if (chaos->controller.out == NULL || mkdtemp(chaos->parent) == NULL) {
        perror("chaos");
        exit(1);
    }
    (void)setvbuf(chaos->controller.out, NULL, _IOLBF, 0);
    (void)snprintf(path, sizeof(path), "%s/log", chaos->parent);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    chaos_require(
        chaos,
        setenv("XDG_RUNTIME_DIR", chaos->parent, 1) == 0 && log >= 0 &&
            dup2(log, STDERR_FILENO) >= 0,
        "the log can be opened");
    (void)close(log);
}

static void chaos_open(struct chaos *chaos)
{
    struct chaos_controller *controller = &chaos->controller;
    chaos_open_log(chaos);
    controller->random = chance_bits(&chaos->chance);
    controller->instance_max = chaos->kills * CHAOS_PROCESSES + CHAOS_WORKERS;
    controller->instances = calloc(controller->instance_max, sizeof(*controller->instances));
    chaos_require(chaos, controller->instances != NULL, "memory");
    const struct troupe_system_options options = {
        .behaviours = behaviours,
        .mailbox_messages = CHAOS_MAILBOX,
        .seed = chance_bits(&chaos->chance),
        .stop_timeout_ns = DEADLINE_NS,
    };
    chaos_require(chaos, troupe_system_new(&options, &controller->system) == TROUPE_OK, "a system");
    const struct troupe_spawn_options spawn = {
        .behaviour = &chaos_controller,
        .args = &controller,
        .args_bytes = sizeof(controller),
    };
    chaos_require(
        chaos,
        troupe_spawn(troupe_system_context(controller->system), &spawn, &controller->ref) ==
            TROUPE_OK,
        "a controller");
}

/** End the system; nothing may be left. @return its last counts. */
static struct troupe_stats chaos_close(struct chaos *chaos)
{
    struct chaos_controller *controller = &chaos->controller;
    struct troupe_stats stats;
    controller->stopping = true;
    troupe_system_stop(controller->system);
    chaos_require(chaos, troupe_system_run(controller->system) == TROUPE_OK, "it ends in order");
    chaos_check_balance(chaos);
    troupe_system_stats(controller->system, &stats);
    chaos_require(
        chaos, stats.executors_ended == stats.executors_started, "all executors are gone");
    chaos_require(
        chaos, troupe_system_destroy(&controller->system) == TROUPE_OK, "it can be freed");
    bool alone = waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD;
    chaos_require(chaos, alone, "a child is left, or a zombie");
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/troupe", chaos->parent);
    chaos_require(chaos, rmdir(path) == 0, "the run directory is left");
    (void)snprintf(path, sizeof(path), "%s/log", chaos->parent);
    (void)unlink(path);
    chaos_require(chaos, rmdir(chaos->parent) == 0, "some file is left");
    return stats;
}

static int times_compare(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;
    return (first > second) - (first < second);
}

/** Print how long it took until the controller got the report. */
static void chaos_print_times(const struct chaos *chaos)
{
    const struct chaos_controller *controller = &chaos->controller;
    uint64_t *times_ns = calloc(controller->instance_max, sizeof(*times_ns));
    uint32_t count = 0;
    for (uint32_t i = 0; times_ns != NULL && i < controller->instance_count; i++) {
        const struct chaos_instance *instance = &controller->instances[i];
        if (instance->reported > 0) {
            times_ns[count++] = instance->reported_ns - instance->ended_ns;
        }
    }
    if (count > 0) {
        qsort(times_ns, count, sizeof(*times_ns), times_compare);
        (void)printf(
            "reported after %.1f ms, 90 %% within %.1f ms, all within %.1f ms\n",
            (double)times_ns[count / 2] / 1e6,
            (double)times_ns[count * 9 / 10] / 1e6,
            (double)times_ns[count - 1] / 1e6);
    }
    free(times_ns);
}

static void chaos_print(const struct chaos *chaos, const struct troupe_stats *stats)
{
    (void)printf(
        "%u killed: %u SIGKILL, %u SIGSEGV, %u SIGSTOP and SIGKILL; %u actors with them; %u "
        "audits, "
        "all balanced\n",
        (unsigned)chaos->killed,
        (unsigned)chaos->by_way[CHAOS_KILL],
        (unsigned)chaos->by_way[CHAOS_SEGV],
        (unsigned)chaos->by_way[CHAOS_STOP_KILL],
        (unsigned)(chaos->controller.instance_count - CHAOS_WORKERS),
        (unsigned)chaos->audits);
    chaos_print_times(chaos);
    (void)printf(
        "and %" PRIu64 " more exits reported to workers, each once; %" PRIu64
        " of them too late for the reason\n",
        chaos->controller.reported,
        chaos->controller.reported_unknown);
    (void)printf(
        "%" PRIu64 " messages accepted, %" PRIu64 " handled, none twice and none out of order, "
        "%" PRIu64 " unknown, %" PRIu64 " dead",
        stats->accepted,
        stats->handled,
        stats->unknown,
        stats->dead);
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        if (stats->dead_by_reason[i] != 0) {
            (void)printf(
                ", %s %" PRIu64,
                troupe_dead_reason_text((enum troupe_dead_reason)i),
                stats->dead_by_reason[i]);
        }
    }
    (void)printf("\n");
}

static bool read_number(const char *flag, const char *text, uint64_t *out_number)
{
    char *end = NULL;
    errno = 0;
    uint64_t number = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0) {
        (void)fprintf(stderr, "troupe-chaos: %s needs a whole number after it\n", flag);
        return false;
    }
    *out_number = number;
    return true;
}

static const char help[] = "usage: troupe-chaos [--seed N] [--kills N]\n"
                           "Ends random process actors under load by SIGKILL, SIGSEGV, and SIGSTOP "
                           "and SIGKILL, and audits\n"
                           "what is left after each to three of them. Some have a process to "
                           "themselves, others share those\n"
                           "of a pool. The seed is printed first; it picks the same victims and "
                           "ways again, though not the\n"
                           "same moments.\n"
                           "  --seed N    the seed; else from the clock\n"
                           "  --kills N   how many are ended; default 2000\n";

/** @return whether the arguments are valid; @p out_help: whether they ask for help only. */
static bool chaos_read(struct chaos *chaos, int argc, char **argv, bool *out_help)
{
    uint64_t kills = 2000;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    chaos->seed = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    bool is_good = true;
    for (int i = 1; i < argc && is_good; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            *out_help = true;
            return true;
        }
        bool is_seed = strcmp(argv[i], "--seed") == 0;
        if (!is_seed && strcmp(argv[i], "--kills") != 0) {
            (void)fprintf(stderr, "troupe-chaos: unknown argument '%s'; see --help\n", argv[i]);
            return false;
        }
        is_good = read_number(argv[i], argv[i + 1], is_seed ? &chaos->seed : &kills);
    }
    if (is_good && (kills == 0 || kills > 1000000)) {
        (void)fputs("troupe-chaos: --kills takes from 1 to 1000000\n", stderr);
        is_good = false;
    }
    chaos->kills = (uint32_t)kills;
    return is_good;
}

int main(int argc, char **argv)
{
    troupe_run_if_child(behaviours); // does not return where this process is to carry actors
    static struct chaos chaos;
    bool wants_help = false;
    if (!chaos_read(&chaos, argc, argv, &wants_help)) {
        return 2;
    }
    if (wants_help) {
        (void)fputs(help, stdout);
        return 0;
    }
    (void)printf(
        "seed %" PRIu64 " (--seed %" PRIu64 " for the same again)\n", chaos.seed, chaos.seed);
    (void)fflush(stdout);
    chaos.chance.state = chaos.seed;
    chaos_open(&chaos);
    chaos_pause(&chaos);
    while (chaos.killed < chaos.kills) {
        chaos_round(&chaos);
    }
    struct troupe_stats stats = chaos_close(&chaos);
    chaos_print(&chaos, &stats);
    free(chaos.controller.instances);
    return 0;
}
