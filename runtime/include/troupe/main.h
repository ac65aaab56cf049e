/**
 * @file troupe/main.h
 * @brief A main() for programs that consist of actors.
 */
#ifndef TROUPE_MAIN_H
#define TROUPE_MAIN_H

#include "troupe/behaviour.h"
#include "troupe/export.h"

#include <stddef.h>

/**
 * Run an actor with the first of @p behaviours, and all actors that it starts, until it has ended.
 *
 * The command line may have these flags, anywhere before `--`:
 *
 *     --place 'GLOB=BACKEND[:COUNT][+TRANSPORT]'
 *                           where actors run; may be repeated, the first match wins
 *     --limit 'GLOB=LIMITS' resource limits of processes; see troupe/limits.h
 *     --launch FILE         options, rules and more actors to start, from a file; without it, from the
 *                           file that `TROUPE_LAUNCH` names
 *     --dump-launch         print the configuration as such a file, with the origin of each value in a
 *                           comment, and exit
 *     --seed N              seed of the random generators
 *     --mailbox MESSAGES    capacity of a mailbox, in messages
 *     --dead-letters log|silent
 *                           whether each undelivered message is logged on standard error, at most ten a
 *                           second; the default is log
 *     --watchdog TIME[,kill]
 *                           report callbacks that run longer, and with `,kill` kill the child process
 *                           in which one does
 *     --stats               print the message counters at the end, on standard error
 *     --audit               the same and more, see troupe_system_audit(); fail if the counters do not
 *                           balance
 *     --help                print the usage
 *
 * A launch file is written in ZPL: four blanks indent one level, `#` begins a comment, and quotes
 * stand around a value that has a `#`.
 *
 *     options
 *         seed = 7                       # as --seed
 *         mailbox = 10000                # as --mailbox
 *         mailbox-bytes = 64M            # most bytes of bodies that may wait in a mailbox
 *         stop-timeout = 1500ms          # how long shutdown may take
 *         watchdog = 2s,kill             # as --watchdog
 *         args = --top 10 README.md      # of the first actor, unless the command line has some
 *     place
 *         rule = w*=thread:4             # as --place, whose rules precede it
 *         default = *=ecs                # matched last, after what a spawn asks for
 *     limit
 *         rule = plugin=mem:64M,cpu:10s  # as --limit, whose rules precede it
 *     actors
 *         tally                          # the name of another actor to start
 *             behaviour = counter        # one of @p behaviours
 *             args = --greet "dear world"
 *             place = process            # for this actor; precedes the rules of the file
 *             limits = mem:64M
 *
 * `args` are split at blanks; quotes and backslashes keep blanks, as in a shell.
 *
 * The other arguments of the command line are the first actor's `args`, each with a NUL at its end; see
 * troupe_args_next(). A behaviour without `usage` takes no arguments: then they are an error.
 *
 * SIGINT and SIGTERM shut the system down, unless they were ignored when the program started; a second one ends the
 * process at once. If shutdown takes
 * too long, the actors that delay it are printed to standard error, with a stack trace of their
 * callback, and the program exits with 1.
 *
 * SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT and SIGSYS end the process as usual, after a report of
 * each executor's current callback and a stack trace. The same holds in child processes, also if
 * they were started without troupe_main(). Apart from these handlers, one for SIGRTMAX - 2 is
 * installed, which asks a thread for its stack trace, and SIGPIPE is ignored. Under a sanitizer the
 * fatal signals are left to it.
 *
 * @param behaviours  All behaviours, ended by NULL, that of the first actor first; see
 *                    TROUPE_BEHAVIOURS().
 *
 * @return the exit status: 0 if the first actor ended `normal` or `shutdown`; its code (1 to 125)
 *         if it ended with troupe_fail(); 1 if it ended in another way; 2 for a wrong command line
 *         or launch file; 3 for `--audit` if the counters do not balance, in place of 0; 128 + its
 *         number if a signal ended the program.
 *
 * @owns    Keeps @p behaviours and what they point to.
 * @threads the program's first, before it starts others
 * @blocks  until the program has ended
 */
TROUPE_API int troupe_main(int argc, char **argv, const struct troupe_behaviour *const *behaviours);

/**
 * In a child process that was started to run actors, run them until they have ended, and exit; in
 * any other process, return at once.
 *
 * troupe_main() and troupe_system_new() call it first. A program that does something else before
 * them calls it in the first line of its main(), or in a constructor if main() belongs to a test
 * runner.
 *
 * A child process exits when all its executors have ended; those of `thread:N` end with the system.
 *
 * @param behaviours  All behaviours, ended by NULL, which are found by name; see
 *                    TROUPE_BEHAVIOURS().
 *
 * @owns    Keeps @p behaviours and what they point to.
 * @threads the program's first, before it starts others
 * @blocks  in a child process, until its actors have ended
 */
TROUPE_API void troupe_run_if_child(const struct troupe_behaviour *const *behaviours);

/**
 * Iterate over arguments that each end with a NUL, as troupe_main() passes them to the first actor.
 *
 *     const char *arg = NULL;
 *     while ((arg = troupe_args_next(args, args_bytes, arg)) != NULL) { ... }
 *
 * @param previous  The previous argument; NULL for the first.
 * @return          the next argument; NULL after the last.
 *
 * @owns    A view into @p args.
 * @threads any
 * @blocks  never
 * @source  argz_next() of the GNU C library.
 */
TROUPE_API const char *troupe_args_next(const void *args, size_t args_bytes, const char *previous);

#endif
