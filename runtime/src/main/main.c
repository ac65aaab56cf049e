#include "troupe/main.h"

#include "base/error.h"
#include "config/config.h"
#include "main/main_line.h"
#include "node/spawn.h"
#include "observe/crash.h"
#include "troupe/system.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Exit statuses. */
enum {
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_AUDIT = 3,
    STATUS_CODE_MAX = 125,
    STATUS_SIGNAL = 128
};

static troupe_system_t *main_system;      // for the signal handler
static volatile sig_atomic_t main_signal; // the first one received; 0: none

static void main_on_signal(int number)
{
    // A second signal, of either kind, ends the program at once; the first process of a container by itself, for there
    // the default action does not.
    if (main_signal != 0) {
        _exit(STATUS_SIGNAL + number);
    }
    main_signal = number;
    if (getpid() != 1) {
        (void)signal(SIGINT, SIG_DFL);
        (void)signal(SIGTERM, SIG_DFL);
    }
    troupe_system_stop(main_system);
}

/** Handle a signal, unless the program was started with it ignored, as by nohup, or by a shell for `program &`. */
static void main_install_handler(int number)
{
    struct sigaction action = {.sa_handler = main_on_signal};
    struct sigaction before;
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &before) != 0 || before.sa_handler != SIG_IGN) {
        (void)sigaction(number, &action, NULL);
    }
}

static void main_install_handlers(void)
{
    main_install_handler(SIGINT);
    main_install_handler(SIGTERM);
    (void)signal(SIGPIPE, SIG_IGN);
}

/** Choose the arguments of the first actor: those of the command line, else of the launch file. */
static enum troupe_err main_choose_words(
    const struct trp_main_line *line,
    const struct trp_launch *launch,
    const struct troupe_behaviour *first,
    struct trp_shell_words *out_words)
{
    *out_words = line->words.byte_count > 0 ? line->words : launch->args.words;
    if (out_words->byte_count == 0 || first->usage != NULL) {
        return TROUPE_OK;
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "launch file %s, line %u: this program takes no args; remove them",
        launch->name,
        launch->args.line);
}

/** Make the system, and start its first actor. */
static enum troupe_err main_start(
    const struct trp_main_line *line, const struct troupe_behaviour *const *behaviours)
{
    const struct troupe_system_options options = trp_main_line_options(line, behaviours);
    enum troupe_err err = troupe_system_new(&options, &main_system);
    if (err != TROUPE_OK) {
        return err;
    }
    main_install_handlers();
    trp_crash_install(main_system->runtime.shared, main_system->executor);
    trp_crash_enter(main_system->executor);
    struct trp_shell_words words = {0};
    err = main_choose_words(line, &main_system->config.launch, behaviours[0], &words);
    if (err != TROUPE_OK) {
        return err;
    }
    const struct troupe_spawn_options spawn = {
        .behaviour = behaviours[0],
        .args = words.bytes,
        .args_bytes = words.byte_count,
    };
    return trp_spawn(troupe_system_context(main_system), &spawn, true, NULL);
}

/** @return the exit status for the way the first actor ended. */
static int main_status(const struct trp_main_line *line)
{
    struct troupe_exit exit = {0};
    if (main_signal != 0) {
        return STATUS_SIGNAL + (int)main_signal;
    }
    if (troupe_system_root_exit(main_system, &exit) != TROUPE_OK ||
        exit.reason == TROUPE_EXIT_NORMAL || exit.reason == TROUPE_EXIT_SHUTDOWN) {
        return 0;
    }
    (void)fprintf(
        stderr,
        "%s: the first actor ended: %s%s%s\n",
        line->program,
        troupe_exit_reason_text(exit.reason),
        exit.text[0] != '\0' ? ": " : "",
        exit.text);
    bool code_is_status = exit.reason == TROUPE_EXIT_ERROR && exit.code > 0;
    if (!code_is_status) {
        return STATUS_FAILED;
    }
    return exit.code > STATUS_CODE_MAX ? STATUS_CODE_MAX : exit.code;
}

/** Print why nothing was run. @return the exit status for @p err. */
static int main_explain(const struct trp_main_line *line, enum troupe_err err)
{
    (void)fprintf(stderr, "%s: %s\n", line->program, troupe_error_detail());
    return err == TROUPE_ERR_INVAL || err == TROUPE_ERR_UNSUPPORTED ? STATUS_USAGE : STATUS_FAILED;
}

/** Print the configuration that command line, environment and launch file make together. */
static int main_dump(
    const struct trp_main_line *line, const struct troupe_behaviour *const *behaviours)
{
    const struct troupe_system_options options = trp_main_line_options(line, behaviours);
    struct trp_config config = {0};
    struct trp_shell_words words = {0};
    enum troupe_err err = trp_config_make(&options, &config);
    if (err == TROUPE_OK) {
        err = main_choose_words(line, &config.launch, behaviours[0], &words);
    }
    if (err == TROUPE_OK) {
        err = trp_config_dump(&config, &line->words, stdout);
    }
    int status = err == TROUPE_OK ? 0 : main_explain(line, err);
    trp_config_fini(&config);
    return status;
}

static int main_run(
    const struct trp_main_line *line, const struct troupe_behaviour *const *behaviours)
{
    enum troupe_err err = main_start(line, behaviours);
    if (err != TROUPE_OK) {
        int status = main_explain(line, err);
        trp_crash_leave();
        (void)troupe_system_destroy(&main_system);
        return status;
    }
    if (troupe_system_run(main_system) != TROUPE_OK) {
        (void)fprintf(stderr, "%s: %s\n", line->program, troupe_error_detail());
        (void)fflush(NULL);
        _exit(STATUS_FAILED); // a thread that cannot be stopped would use what is freed
    }
    trp_crash_set_overdue(main_system->executor, 0);
    trp_crash_leave();
    int status = main_status(line);
    if (line->stats && !line->audit) {
        troupe_system_print_stats(main_system, stderr);
    }
    if (line->audit && !troupe_system_audit(main_system, stderr) && status == 0) {
        status = STATUS_AUDIT;
    }
    (void)troupe_system_destroy(&main_system);
    return status;
}

int troupe_main(int argc, char **argv, const struct troupe_behaviour *const *behaviours)
{
    troupe_run_if_child(behaviours);
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *program = slash != NULL ? slash + 1 : behaviours[0]->name;
    struct trp_main_line line;
    int status = STATUS_USAGE;
    if (!trp_main_line_init(&line, argc, argv, program)) {
        (void)fprintf(stderr, "%s: no memory for the command line\n", program);
        return STATUS_FAILED;
    }
    if (!trp_main_line_parse(&line, argc, argv)) {
        status = STATUS_USAGE;
    } else if (line.help) {
        trp_main_line_print_usage(stdout, line.program, behaviours[0]);
        status = 0;
    } else if (line.words.byte_count > 0 && behaviours[0]->usage == NULL) {
        (void)fprintf(
            stderr, "%s: unknown argument '%s'; see --help\n", line.program, line.words.bytes);
    } else if (line.dump_launch) {
        status = main_dump(&line, behaviours);
    } else {
        status = main_run(&line, behaviours);
    }
    trp_main_line_fini(&line);
    return status;
}
