/**
 * @file main_line.h
 * @brief The command line of a program that troupe_main() runs: its flags, and the words for the
 *        first actor.
 */
#ifndef TRP_MAIN_LINE_H
#define TRP_MAIN_LINE_H

#include "base/shell_words.h"
#include "troupe/behaviour.h"
#include "troupe/system.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct trp_main_line {
    const char *program;
    const char **place; // ended by NULL
    size_t place_count;
    const char **limit; // ended by NULL
    size_t limit_count;
    const char *launch_file;
    struct trp_shell_words words; // arguments of the first actor
    uint64_t seed;
    uint64_t mailbox_messages;
    uint64_t watchdog_ns;
    bool watchdog_kills;
    bool dump_launch;
    bool stats;
    bool audit;
    bool no_dead_letters; // in the log
    bool help;
};

/** Make an empty line with room for the arguments of main(). @return false: no memory. */
bool trp_main_line_init(struct trp_main_line *line, int argc, char **argv, const char *program);

/** Read the arguments of main(). @return false: they are wrong; standard error says how. */
bool trp_main_line_parse(struct trp_main_line *line, int argc, char **argv);

/** @return the options of a system that the line asks for; valid as long as it. */
struct troupe_system_options trp_main_line_options(
    const struct trp_main_line *line, const struct troupe_behaviour *const *behaviours);

/** Print the usage, with that of the first behaviour and a list of the backends. */
void trp_main_line_print_usage(
    FILE *file, const char *program, const struct troupe_behaviour *first);

/** Free what trp_main_line_init() made. */
void trp_main_line_fini(struct trp_main_line *line);

#endif
