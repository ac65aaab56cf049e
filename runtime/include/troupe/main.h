/**
 * @file troupe/main.h
 * @brief The main program of a program that is nothing but actors.
 */
#ifndef TROUPE_MAIN_H
#define TROUPE_MAIN_H

#include "troupe/behaviour.h"
#include "troupe/export.h"

#include <stddef.h>

/**
 * Run the first of @p behaviours until it ends, and everything it started.
 *
 * Takes its own flags out of the command line, wherever they stand before `--`:
 *
 *     --place 'GLOB=BACKEND[:COUNT][+TRANSPORT]'   where actors live; may be repeated, first match wins
 *     --limit 'GLOB=LIMITS'                        what processes may take; see troupe/limits.h
 *     --launch FILE                                options, rules and more actors to start, from a file;
 *                                                  else from the one that `TROUPE_LAUNCH` names
 *     --dump-launch                                print all that as such a file, with a comment to each
 *                                                  value where it was said, and end
 *     --seed N                                     starts the random generators
 *     --mailbox MESSAGES                           most messages that may wait in a mailbox
 *     --dead-letters log|silent                    whether messages that found nobody have a line each on
 *                                                  standard error, ten a second at most; log, if not said
 *     --watchdog TIME[,kill]                       name callbacks that run longer, and kill the processes
 *                                                  of actors that they hold up
 *     --stats                                      print the counters at the end, on standard error
 *     --audit                                      the same and more, see troupe_system_audit(); and fail if the
 *                                                  counters do not balance
 *     --help                                       print the usage
 *
 * A launch file is ZPL: four blanks a level, `#` before a comment, quotes around values with a `#`.
 *
 *     options
 *         seed = 7                       # as --seed
 *         mailbox = 10000                # as --mailbox
 *         mailbox-bytes = 64M            # most bytes of bodies that may wait in a mailbox
 *         stop-timeout = 1500ms          # how long the end may take in all
 *         watchdog = 2s,kill             # as --watchdog
 *         args = --top 10 README.md      # the first actor's, if the command line has no words
 *     place
 *         rule = w*=thread:4             # as --place, which goes before
 *         default = *=ecs                # asked last, after what the code asks for
 *     limit
 *         rule = plugin=mem:64M,cpu:10s  # as --limit, which goes before
 *     actors
 *         tally                          # the name of one more actor
 *             behaviour = counter        # one of the program's
 *             args = --greet "dear world"
 *             place = process            # for this actor before the file's rules
 *             limits = mem:64M
 *
 * Words in `args` are split at blanks; quotes and backslashes keep blanks together, as in a shell.
 *
 * The other words become the first actor's `args`, each ended by a NUL; see troupe_args_next(). A
 * behaviour without `usage` takes none, and a word that is left is then an error.
 *
 * SIGINT and SIGTERM end the program in order; a second one ends it at once. Who is in the way when the
 * time to stop is over is named on standard error, with his stack, and the program exits with 1.
 *
 * SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT and SIGSYS end it as they always do, after a report of who was in
 * which callback, and a stack. So they do processes of actors, whoever started those. Besides these
 * handlers, one for the signal SIGRTMAX - 2, which asks a thread for its stack, and an ignored SIGPIPE
 * nothing is installed. Under a sanitizer the fatal signals are its own.
 *
 * @param behaviours  All behaviours, the first one first; see TROUPE_BEHAVIOURS().
 *
 * @return the exit status: 0 when the first actor ended `normal` or `shutdown`; its code (1 to 125)
 *         when it ended with troupe_fail(); 1 for any other end; 2 for a wrong command line; 3 for
 *         `--audit` where the counters do not balance, if it were 0 otherwise; 128 + the signal when a signal
 *         ended it.
 *
 * @owns    Keeps @p behaviours and what they point to.
 * @threads the program's first, before it starts others
 * @blocks  until the program is done
 */
TROUPE_API int troupe_main(int argc, char **argv, const struct troupe_behaviour *const *behaviours);

/**
 * If this process was started to carry actors of another, carry them until they have ended, and exit;
 * else return at once. troupe_main() and troupe_system_new() begin with it; a program that does
 * something else before calls it in the first line of its main(), or in a constructor where a test runner
 * has main() for itself.
 *
 * The process goes on until all executors in it have ended: those of `thread:N` end with the system.
 *
 * @param behaviours  All behaviours, found by their names; see TROUPE_BEHAVIOURS().
 *
 * @owns    Keeps @p behaviours and what they point to.
 * @threads the program's first, before it starts others
 * @blocks  until the actors have ended, in a process that carries some
 */
TROUPE_API void troupe_run_if_child(const struct troupe_behaviour *const *behaviours);

/**
 * Walk over words that each end with a NUL, as troupe_main() hands them to the first actor.
 *
 *     const char *word = NULL;
 *     while ((word = troupe_args_next(args, args_bytes, word)) != NULL) { ... }
 *
 * @param word  The word before, or NULL for the first.
 * @return      the next word, or NULL after the last.
 *
 * @owns    A view into @p args.
 * @threads any
 * @blocks  never
 * @source  argz_next() of the GNU C library.
 */
TROUPE_API const char *troupe_args_next(const void *args, size_t args_bytes, const char *word);

#endif
