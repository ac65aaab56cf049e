/**
 * @file plan.h
 * @brief What command line, environment, launch file and program together say of a system.
 *
 *     options, TROUPE_PLACE, TROUPE_LIMIT, launch file --> plan --> rules and numbers of the system
 *                                                              --> the actors that the file asks for
 *                                                              --> a launch file that says it all
 */
#ifndef TRP_CONFIG_H
#define TRP_CONFIG_H

#include "config/launch_file.h"
#include "config/placement.h"
#include "troupe/context.h"
#include "troupe/system.h"

#include <stdio.h>

struct trp_config_number {
    uint64_t value;
    uint32_t line;   // of the launch file; 0: it is not from there
    bool is_default; // nobody said it
};

struct trp_config {
    struct trp_launch launch;
    struct trp_placement placement;
    struct trp_rule *limits;       // rules of trp_limits_kind; const once the system runs
    struct trp_config_number seed; // 0: from the operating system
    struct trp_config_number mailbox_messages;
    struct trp_config_number mailbox_bytes;
    struct trp_config_number stop_timeout_ns;
    struct trp_config_number watchdog; // ns; 0: none
    bool watchdog_kills;
};

/**
 * Put together what @p options say, and the environment, and the launch file they name.
 *
 * @retval TROUPE_ERR_INVAL        a rule does not parse, or the launch file is wrong.
 * @retval TROUPE_ERR_UNSUPPORTED  a rule asks for what cannot be had.
 * @retval TROUPE_ERR_NOMEM        no memory.
 *
 * @owns    The caller owns what is in *out_plan until trp_config_fini().
 */
enum troupe_err trp_config_make(
    const struct troupe_system_options *options, struct trp_config *out_plan);

/**
 * Print the plan as a launch file, with the origin of each value in a comment. Read again, it makes the
 * same plan.
 *
 * @param words  Of the first actor, from the command line; none: those of the launch file.
 *
 * @retval TROUPE_ERR_INVAL   a value cannot be written in ZPL; the detail says which. Nothing is
 *                            printed.
 * @retval TROUPE_ERR_NOMEM   no memory.
 * @retval TROUPE_ERR_SYSTEM  @p file does not take it.
 */
enum troupe_err trp_config_dump(
    const struct trp_config *config, const struct trp_shell_words *words, FILE *file);

/** Name on standard error the rules that matched nothing. */
void trp_config_warn(const struct trp_config *config);

/** Free what is in it. Does nothing to a zeroed one. */
void trp_config_fini(struct trp_config *config);

#endif
