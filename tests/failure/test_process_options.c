/*
 * How a child process is started: which program it runs, what it inherits and what it is named; where its output
 * goes; and that a program which Troupe did not start as a child is not accepted as one.
 *
 * Each scenario is a program of its own, in a child of the test; its actors are the child's children.
 */
#include "support/audit.h"
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "node/spawn.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TELL = 1, TOLD };

enum { LONG_LINE_BYTES = 10000, PRINTERS = 5, REPORT_BYTES = 4096 };

/** What an actor reports of its process, as text. */
struct report {
    char text[REPORT_BYTES];
};

/* A program with one actor, which is asked once. -------------------------------------------------- */

/** Run a system whose root actor is @p behaviour, and print its exit. */
static int run_watched(
    const struct troupe_system_options *options, const struct troupe_behaviour *behaviour)
{
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(options, &system));
    const struct troupe_spawn_options spawn = {.behaviour = behaviour, .place = "process"};
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST(trp_spawn(troupe_system_context(system), &spawn, true, &ref));
    fixture_ignore(troupe_send(troupe_system_context(system), ref, TELL, NULL, 0));
    MUST(troupe_system_run(system));
    struct troupe_exit exit = {.reason = TROUPE_EXIT_NODE_LOST};
    MUST(troupe_system_root_exit(system, &exit));
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    (void)printf(
        "exit %s: %s\nrefused %" PRIu64 ", unknown %" PRIu64 "\n",
        troupe_exit_reason_text(exit.reason),
        exit.text,
        stats.dead_by_reason[TROUPE_DEAD_UNDELIVERABLE],
        stats.unknown);
    audit_and_destroy(&system);
    return 0;
}

/** Make a script that runs this program again as another kind of child program. */
static void write_runner(struct fixture_journal *script, const char *line)
{
    char self[PATH_MAX] = "";
    MUST_BE(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    fixture_journal_open(script);
    int fd = open(script->path, O_WRONLY | O_CLOEXEC);
    MUST_BE(fd >= 0 && fchmod(fd, 0700) == 0);
    MUST_BE(dprintf(fd, "#!/bin/sh\n%s exec '%s'\n", line, self) > 0);
    (void)close(fd);
}

/* Output. --------------------------------------------------------------------------------------- */

static void printer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state, (void)message;
    (void)printf("one\ntwo\n\n");
    (void)fprintf(stderr, "oh\n");
    for (int i = 0; i < LONG_LINE_BYTES; i++) {
        (void)putchar('x');
    }
    (void)printf(
        "\nlast of %s", troupe_self_name(ctx)); // without a newline, so it is passed on at the exit
    troupe_stop(ctx);
}

static const struct troupe_behaviour printer = {.name = "printer", .receive = printer_receive};

static int print_with(enum troupe_output output)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&printer), .output = output};
    return run_watched(&options, &printer);
}

static int print_inherited(void *data)
{
    (void)data;
    return print_with(TROUPE_OUTPUT_INHERIT);
}

static int print_prefixed(void *data)
{
    (void)data;
    return print_with(TROUPE_OUTPUT_PREFIX);
}

/** @return how many lines of @p text begin with @p prefix; *out_x: how many x are in them. */
static int count_lines(const char *text, const char *prefix, int *out_x)
{
    int count = 0;
    *out_x = 0;
    for (const char *line = text; *line != '\0';) {
        size_t bytes = strcspn(line, "\n");
        if (strncmp(line, prefix, strlen(prefix)) == 0) {
            count++;
            for (size_t i = 0; i < bytes; i++) {
                *out_x += line[i] == 'x' ? 1 : 0;
            }
        }
        line += bytes + (line[bytes] == '\n' ? 1 : 0);
    }
    return count;
}

Test(process_options, output_is_inherited_as_it_is)
{
    struct child_end end = child_run(print_inherited, NULL);

    cr_assert(eq(int, end.status, 0), "%s", end.err);
    cr_expect(strncmp(end.out, "one\ntwo\n\nxx", 11) == 0, "%.40s", end.out);
    cr_expect(strstr(end.out, "last of printer") != NULL);
    cr_expect(strcmp(end.err, "oh\n") == 0, "%s", end.err);
}

Test(process_options, output_gets_a_prefix_by_whole_lines)
{
    struct child_end end = child_run(print_prefixed, NULL);

    cr_assert(eq(int, end.status, 0), "%s", end.err);
    int x = 0;
    int lines = count_lines(end.out, "[printer] ", &x);
    cr_expect(
        strncmp(end.out, "[printer] one\n[printer] two\n[printer] \n[printer] x", 50) == 0,
        "%.60s",
        end.out);
    cr_expect(eq(int, x, LONG_LINE_BYTES), "a long line is cut, and all of it comes");
    cr_expect(le(int, lines, 8));
    cr_expect(strstr(end.out, "\n[printer] last of printer\n") != NULL, "nor is the last lost");
    cr_expect(strcmp(end.err, "[printer] oh\n") == 0, "%s", end.err);
}

static int print_by_many(void *data)
{
    (void)data;
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&printer),
        .output = TROUPE_OUTPUT_PREFIX,
        .stop_timeout_ns = ECHO_DEADLINE_NS,
    };
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    troupe_context_t *ctx = troupe_system_context(system);
    for (int i = 0; i < PRINTERS; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "p%d", i);
        const struct troupe_spawn_options spawn = {
            .behaviour = &printer, .name = name, .place = "process"};
        troupe_ref_t ref = TROUPE_REF_NONE;
        MUST(troupe_spawn(ctx, &spawn, &ref));
        MUST(troupe_send(ctx, ref, TELL, NULL, 0));
    }
    troupe_system_stop(system); // messages on their way are handled first
    MUST(troupe_system_run(system));
    audit_and_destroy(&system);
    return 0;
}

Test(process_options, the_last_output_of_many_is_not_lost)
{
    struct child_end end = child_run(print_by_many, NULL);

    cr_assert(eq(int, end.status, 0), "%s", end.err);
    int sum = 0;
    for (int i = 0; i < PRINTERS; i++) {
        char text[64];
        int x = 0;
        (void)snprintf(text, sizeof(text), "[p%d] last of p%d\n", i, i);
        cr_expect(strstr(end.out, text) != NULL, "no '%s'", text);
        (void)snprintf(text, sizeof(text), "[p%d] ", i);
        (void)count_lines(end.out, text, &x);
        sum += x;
    }
    cr_expect(eq(int, sum, PRINTERS *LONG_LINE_BYTES));
}

/* Child programs. ------------------------------------------------------------------------------- */

static int run_own_path(void *data)
{
    (void)data;
    char path[PATH_MAX] = "";
    MUST_BE(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&echo_behaviour), .child_program = path};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    memset(path, 'x', sizeof(path) - 1); // it was copied
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t echo = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(inbox), "process", &echo));
    MUST(echo_ask(inbox, echo, 42));
    echo_system_end(&system, &inbox);
    return 0;
}

Test(process_options, a_child_program_carries_actors)
{
    child_succeeds(run_own_path, NULL);
}

/** Run the printer in a child program. */
static int run_by(void *data)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&printer), .child_program = data};
    return run_watched(&options, &printer);
}

Test(process_options, a_child_program_may_be_a_script_that_runs_one)
{
    struct fixture_journal script;
    write_runner(&script, "");

    struct child_end end = child_run(run_by, script.path);

    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(strstr(end.out, "exit normal: \nrefused 0, unknown 0\n") != NULL, "%s", end.out);
    (void)unlink(script.path);
}

/** A child program that has no behaviour of the tests. */
#define OTHER_NAME "TROUPE_TEST_OTHER_RUNNER"

static void other_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
}

static const struct troupe_behaviour other = {.name = "other", .receive = other_receive};

enum { BEFORE_SUBJECTS = 101 };

__attribute__((constructor(BEFORE_SUBJECTS))) static void other_enter(void)
{
    if (getenv(OTHER_NAME) != NULL) {
        troupe_run_if_child(TROUPE_BEHAVIOURS(&other));
    }
}

Test(process_options, a_child_program_without_the_behaviour_is_reported)
{
    struct fixture_journal script;
    write_runner(&script, OTHER_NAME "=1");

    struct child_end end = child_run(run_by, script.path);

    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(
        strstr(
            end.out, "exit init_failed: the program of its process has no behaviour 'printer'") !=
            NULL,
        "%s",
        end.out);
    cr_expect(strstr(end.out, "refused 1, unknown 0") != NULL, "%s", end.out);
    (void)unlink(script.path);
}

static void expect_no_carrier(char *child_program, const char *text)
{
    struct child_end end = child_run(run_by, child_program);

    cr_expect(eq(int, end.status, 0), "%s", end.err);
    cr_expect(strstr(end.out, "exit init_failed: ") != NULL, "%s", end.out);
    cr_expect(strstr(end.out, text) != NULL, "%s", end.out);
    cr_expect(strstr(end.out, "refused 1, unknown 0") != NULL, "%s", end.out);
}

Test(process_options, a_child_program_that_carries_no_actor_is_reported)
{
    char child_program[] = "/bin/true";
    expect_no_carrier(child_program, "troupe_run_if_child");
}

Test(process_options, a_child_program_that_fails_is_reported)
{
    char child_program[] = "/bin/false";
    expect_no_carrier(child_program, "troupe_run_if_child");
}

Test(process_options, a_process_that_cannot_start_has_the_cause_in_its_exit)
{
    struct fixture_journal script;
    write_runner(&script, "ulimit -n 60; " OTHER_NAME "=1");

    expect_no_carrier(script.path, "descriptors are free");
    (void)unlink(script.path);
}

/** Ask an actor that no child program carried, from an inbox. */
static int ask_nobody(void *data)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&echo_behaviour), .child_program = data};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t echo = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(inbox), "process", &echo));
    enum troupe_err err = echo_ask(inbox, echo, 42);
    if (err != TROUPE_ERR_NOENT) {
        (void)fprintf(stderr, "the ask: %s\n", troupe_strerror(err));
    }
    echo_system_end(&system, &inbox);
    return err == TROUPE_ERR_NOENT ? 0 : 1;
}

Test(process_options, an_ask_of_an_actor_that_was_never_carried_fails)
{
    char child_program[] = "/bin/false";
    child_succeeds(ask_nobody, child_program);
}

Test(process_options, a_child_program_that_does_not_exist_is_reported)
{
    char child_program[] = "/nonexistent/runner";
    expect_no_carrier(child_program, "/nonexistent/runner");
}

Test(process_options, a_child_program_that_is_not_executable_is_reported)
{
    char child_program[] = "/etc/passwd";
    expect_no_carrier(child_program, "/etc/passwd");
}

/* The environment variable. --------------------------------------------------------------------- */

static int show_child_env(void *data)
{
    MUST_BE(setenv("TROUPE_CHILD", data, 1) == 0);
    troupe_run_if_child(TROUPE_BEHAVIOURS(&other));
    return 0;
}

Test(process_options, an_invalid_child_env_ends_the_program_with_the_cause)
{
    static char values[][40] = {
        "nonsense",
        "",
        "1,2,3",
        "-1,0,0,0,0",
        "0,-1,0,0,0",
        "999,998,997,0,1",
        "0,0,0,0,1",
        "0,1,2,4294967295,1",
        "0,1,2,0,1 and more",
        "99999999999999999999,1,2,0,1",
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct child_end end = child_run(show_child_env, values[i]);
        cr_expect(eq(int, end.status, 1), "'%s': %s", values[i], end.err);
        cr_expect(
            strstr(end.err, "a process for actors could not start: ") != NULL,
            "'%s': %s",
            values[i],
            end.err);
    }
}

/** Copy the variable that this process was started with. @return false: it had none. */
static bool find_child_env(char *variable, size_t bytes)
{
    char text[65536];
    int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    MUST_BE(size > 0);
    (void)close(fd);
    text[size] = '\0';
    for (const char *at = text; at < text + size; at += strlen(at) + 1) {
        if (strncmp(at, "TROUPE_CHILD=", strlen("TROUPE_CHILD=")) == 0) {
            (void)snprintf(variable, bytes, "%s", at);
            return true;
        }
    }
    return false;
}

/** Start this program again with a variable that was used before. */
static void show_again(const char *variable, struct report *report)
{
    char copy[128];
    (void)snprintf(copy, sizeof(copy), "%s", variable);
    char *const environment[] = {copy, NULL};
    char name[] = "again";
    char *const text[] = {name, NULL};
    int fds[3];
    int ends[2];
    const char *at = variable + strlen("TROUPE_CHILD=");
    for (int i = 0; i < 3; i++) {
        char *end = NULL;
        fds[i] = (int)strtol(at, &end, 10);
        MUST_BE(end != at && *end == ',');
        at = end + 1;
    }
    MUST_BE(pipe2(ends, O_CLOEXEC) == 0);
    pid_t pid = fork();
    MUST_BE(pid >= 0);
    if (pid == 0) {
        for (int i = 0; i < 3; i++) {
            (void)fcntl(fds[i], F_SETFD, 0);
        }
        (void)dup2(ends[1], STDERR_FILENO);
        (void)execve("/proc/self/exe", text, environment);
        _exit(127);
    }
    (void)close(ends[1]);
    ssize_t size = 0;
    size_t got = 0;
    while ((size = read(ends[0], report->text + got, sizeof(report->text) - 32 - got)) > 0) {
        got += (size_t)size;
    }
    (void)close(ends[0]);
    int status = 0;
    MUST_BE(waitpid(pid, &status, 0) == pid);
    (void)snprintf(report->text + got, 32, "status %d", status >> 8);
}

/** Reports of itself what a test asks for: the `tell` of its behaviour. */
static void tell(troupe_context_t *ctx, const troupe_message_t *message, struct report *report)
{
    REPORT(ctx, message, TOLD, report);
}

static void replayer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    char variable[128];
    struct report report = {.text = "no variable"};
    if (find_child_env(variable, sizeof(variable))) {
        show_again(variable, &report);
    }
    tell(ctx, message, &report);
}

static const struct troupe_behaviour replayer = {.name = "replayer", .receive = replayer_receive};

/** Ask an actor in a process of its own, and print what it reports. */
static void ask_for_report(const struct troupe_behaviour *behaviour, const char *name)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(behaviour), .stop_timeout_ns = ECHO_DEADLINE_NS};
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    troupe_inbox_t *inbox = echo_inbox_new(system);
    const struct troupe_spawn_options spawn = {
        .behaviour = behaviour, .name = name, .place = "process"};
    for (int i = 0; i < 3; i++) { // others before it, whose descriptors it must not inherit
        struct troupe_outgoing letter = {.type = TELL};
        MUST(troupe_spawn(troupe_inbox_context(inbox), &spawn, &letter.to));
        troupe_message_t *answer = NULL;
        MUST(troupe_inbox_ask(inbox, &letter, ECHO_DEADLINE_NS, &answer));
        (void)printf("%s\n", TROUPE_BODY(answer, struct report)->text);
        troupe_message_destroy(&answer);
    }
    echo_system_end(&system, &inbox);
}

static int run_replayer(void *data)
{
    (void)data;
    ask_for_report(&replayer, NULL);
    return 0;
}

Test(process_options, a_child_env_is_accepted_once)
{
    struct child_end end = child_run(run_replayer, NULL);

    cr_assert(eq(int, end.status, 0), "%s", end.err);
    cr_expect(
        strstr(end.out, "its token is not valid, or was used before\nstatus 1") != NULL,
        "%s",
        end.out);
}

/* What a process starts with. -------------------------------------------------------------------- */

/** Append the kind of a descriptor to a text, if there is room. */
static void add_descriptor(const char *target, char *text, size_t text_bytes)
{
    size_t at = strlen(text);
    if (at + strlen(target) + 2 <= text_bytes) {
        char *end = stpcpy(text + at, target);
        (void)stpcpy(end, ";");
    }
}

/** Describe this process: its name, the signals it blocks, its open descriptors beyond stdio. */
static void describe_process(char *text, size_t text_bytes)
{
    char comm[32] = "";
    sigset_t blocked;
    MUST_BE(prctl(PR_GET_NAME, comm) == 0 && sigprocmask(SIG_BLOCK, NULL, &blocked) == 0);
    (void)snprintf(
        text,
        text_bytes,
        "comm %s, SIGINT %s, SIGTERM %s; ",
        comm,
        sigismember(&blocked, SIGINT) == 1 ? "blocked" : "open",
        sigismember(&blocked, SIGTERM) == 1 ? "blocked" : "open");
    DIR *folder = opendir("/proc/self/fd");
    MUST_BE(folder != NULL);
    const struct dirent *entry = NULL;
    while ((entry = readdir(folder)) != NULL) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        char path[sizeof("/proc/self/fd/") + sizeof(entry->d_name)];
        char target[PATH_MAX] = "";
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        if (fd > STDERR_FILENO && fd != dirfd(folder) &&
            readlink(path, target, sizeof(target) - 1) > 0) {
            add_descriptor(target, text, text_bytes);
        }
    }
    (void)closedir(folder);
}

static void describer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    struct report report = {.text = ""};
    describe_process(report.text, sizeof(report.text));
    tell(ctx, message, &report);
}

static const struct troupe_behaviour describer = {
    .name = "describer", .receive = describer_receive};

static int run_describer(void *data)
{
    (void)data;
    // The program of a test inherits descriptors that others left open.
    MUST_BE(close_range(STDERR_FILENO + 1, ~0U, 0) == 0);
    char path[] = "/tmp/troupe-test-secret-XXXXXX";
    int secret = mkostemp(path, O_CLOEXEC);
    int ends[2];
    MUST_BE(secret >= 0 && pipe2(ends, O_CLOEXEC) == 0);
    ask_for_report(&describer, "a-name-of-more-than-15-bytes");
    (void)unlink(path);
    return 0;
}

/** @return how often @p part occurs in the first @p bytes of @p text. */
static int count_parts(const char *text, size_t bytes, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL && at < text + bytes; at++) {
        count++;
    }
    return count;
}

Test(process_options, a_process_has_its_name_its_mask_and_its_own_descriptors)
{
    struct child_end end = child_run(run_describer, NULL);

    cr_assert(eq(int, end.status, 0), "%s", end.err);
    int lines = 0;
    for (const char *line = end.out; *line != '\0'; lines++) {
        size_t bytes = strcspn(line, "\n");
        cr_expect(
            strncmp(line, "comm a-name-of-more-, SIGINT open, SIGTERM open; ", 49) == 0,
            "%s",
            line);
        cr_expect(eq(int, count_parts(line, bytes, "secret"), 0), "%s", line);
        cr_expect(eq(int, count_parts(line, bytes, "pipe:"), 0), "%s", line);
        cr_expect(eq(int, count_parts(line, bytes, "memfd:"), 1), "%s", line);
        // Its listener, its control socket, and a connection each way with the inbox.
        cr_expect(le(int, count_parts(line, bytes, "socket:"), 4), "%s", line);
        line += bytes + 1;
    }
    cr_expect(eq(int, lines, 3));
}

/* An interrupt. --------------------------------------------------------------------------------- */

enum { CREW = 4 };

static void say_end(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)state;
    char line[64];
    (void)snprintf(
        line,
        sizeof(line),
        "end of %s: %s\n",
        troupe_self_name(ctx),
        troupe_exit_reason_text(exit->reason));
    child_say(line);
}

/** Reports that it has started; when the captain gets that, the test interrupts the whole group. */
static enum troupe_err sailor_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state;
    return troupe_send(ctx, fixture_ref_of(args, args_bytes), TOLD, NULL, 0);
}

static void sailor_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state, (void)message;
    MUST_BE(kill(-getppid(), SIGINT) == 0); // its group, as a terminal does
    MUST_BE(kill(0, SIGINT) == 0);          // and this one's, as who knows all processes does
}

static const struct troupe_behaviour sailor = {
    .name = "sailor", .init = sailor_init, .receive = sailor_receive, .fini = say_end};

static enum troupe_err captain_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state, (void)args, (void)args_bytes;
    const troupe_ref_t self = troupe_self(ctx);
    for (int i = 0; i < CREW; i++) {
        const struct troupe_spawn_options options = {
            .behaviour = &sailor, .args = &self, .args_bytes = sizeof(self), .place = "process"};
        MUST(troupe_spawn(ctx, &options, NULL));
    }
    return TROUPE_OK;
}

static void captain_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    uint32_t *count = state;
    if (++*count == CREW) {
        MUST(troupe_reply(ctx, message, TELL, NULL, 0));
    }
}

static const struct troupe_behaviour captain = {
    .name = "captain",
    .state_bytes = sizeof(uint32_t),
    .init = captain_init,
    .receive = captain_receive,
    .fini = say_end,
};

static int run_crew(void *data)
{
    (void)data;
    MUST_BE(setpgid(0, 0) == 0);
    return child_troupe_main("program", TROUPE_BEHAVIOURS(&captain, &sailor));
}

Test(process_options, an_interrupt_of_the_whole_group_stops_it_in_order)
{
    struct child_end end = child_run(run_crew, NULL);

    cr_expect(eq(int, end.status, 128 + SIGINT), "%s", end.err);
    cr_expect(eq(int, end.signal, 0), "it exited by itself");
    cr_expect(
        eq(int, count_parts(end.out, strlen(end.out), "end of sailor: shutdown"), CREW),
        "%s",
        end.out);
    cr_expect(strstr(end.out, "end of captain: shutdown") != NULL, "%s", end.out);
    cr_expect(strcmp(end.err, "") == 0, "%s", end.err);
}

SUBJECTS(&echo_behaviour, &printer, &replayer, &describer, &captain, &sailor);
