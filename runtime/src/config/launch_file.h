/**
 * @file launch_file.h
 * @brief Read launch files: options, rules and actors of a program, written in ZPL.
 *
 *     options
 *         seed = 7                       # starts the random generators
 *         mailbox = 10000                # most messages that may wait in a mailbox
 *         mailbox-bytes = 64M            # most bytes of bodies that may wait in a mailbox
 *         stop-timeout = 1500ms          # how long shutdown may take
 *         watchdog = 2s,kill             # how long a callback may run
 *         args = --top 10 README.md      # of the first actor, unless the command line has some
 *     place
 *         rule = w*=thread:4             # first match wins; after command line and environment
 *         default = *=ecs                # matched last, after what a spawn asks for
 *     limit
 *         rule = plugin=mem:64M,cpu:10s  # the same for limits
 *     actors
 *         tally                          # name of an actor that is started with the system
 *             behaviour = counter
 *             args = --greet "dear world"
 *             place = process            # precedes the rules of this file, for this actor
 *             limits = mem:64M
 *
 * Names and values are those of ZPL: four blanks indent one level, `#` begins a comment, a value
 * that has a `#` or begins or ends with a blank stands in quotes of either kind. `args` are split
 * as a shell does (see shell_words.h); if the key is repeated, the words are appended.
 *
 * @source rfc.zeromq.org/spec:4, "ZPL".
 */
#ifndef TRP_LAUNCH_FILE_H
#define TRP_LAUNCH_FILE_H

#include "config/launch.h"

#include <stddef.h>

/**
 * Read a launch file.
 *
 * @retval TROUPE_OK               *out_launch is set.
 * @retval TROUPE_ERR_INVAL        the file cannot be read, or is wrong; the detail has line and
 *                                 column.
 * @retval TROUPE_ERR_UNSUPPORTED  it asks for a placement that does not exist, likewise.
 * @retval TROUPE_ERR_NOMEM        no memory.
 *
 * @owns    The caller owns what is in *out_launch until trp_launch_fini().
 * @threads any
 * @blocks  until the file is read
 */
enum troupe_err trp_launch_load(const char *path, struct trp_launch *out_launch);

/** As trp_launch_load(), from @p bytes of @p text; @p name is that of the file, for error texts. */
enum troupe_err trp_launch_parse(
    const char *text, size_t bytes, const char *name, struct trp_launch *out_launch);

#endif
