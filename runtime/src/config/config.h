/**
 * @file config.h
 * @brief The configuration of a system: what command line, environment, launch file and program say
 *        together.
 *
 *     options, environment, launch file --> config --> rules and numbers of the system
 *                                                  --> the actors that the file starts
 *                                                  --> `--dump-launch`
 */
#ifndef TRP_CONFIG_H
#define TRP_CONFIG_H

#include "config/launch.h"
#include "config/placement.h"
#include "troupe/system.h"

#include <stdio.h>

/** A number, and where it was set. */
struct trp_config_number {
    uint64_t value;
    uint32_t line;   // of the launch file; 0: it was not set there
    bool is_default; // it was set nowhere
};

struct trp_config {
    struct trp_launch launch;
    struct trp_placement placement;
    struct trp_rule *limits;       // rules of trp_limits_kind; const once the system runs
    struct trp_config_number seed; // 0: taken from the operating system
    struct trp_config_number mailbox_messages;
    struct trp_config_number mailbox_bytes;
    struct trp_config_number stop_timeout_ns;
    struct trp_config_number watchdog; // ns; 0: none
    bool watchdog_kills;
};

/**
 * Make the configuration of @p options, the environment and the launch file that they name.
 *
 * @retval TROUPE_OK               *out_config is set.
 * @retval TROUPE_ERR_INVAL        a rule does not parse, or the launch file is wrong.
 * @retval TROUPE_ERR_UNSUPPORTED  a rule asks for a placement that does not exist.
 * @retval TROUPE_ERR_NOMEM        no memory.
 *
 * @owns    The caller owns what is in *out_config until trp_config_fini().
 */
enum troupe_err trp_config_make(
    const struct troupe_system_options *options, struct trp_config *out_config);

/**
 * Print a configuration as a launch file, with the origin of each value in a comment. Read again,
 * it yields the same configuration.
 *
 * @param words  Arguments of the first actor from the command line; if empty, those of the launch
 *               file are printed.
 *
 * @retval TROUPE_ERR_INVAL   a value cannot be written in ZPL; the detail says which. Nothing is
 *                            printed.
 * @retval TROUPE_ERR_NOMEM   no memory.
 * @retval TROUPE_ERR_SYSTEM  writing to @p file failed.
 */
enum troupe_err trp_config_dump(
    const struct trp_config *config, const struct trp_shell_words *words, FILE *file);

/** Warn on standard error of rules that matched no actor. */
void trp_config_warn(const struct trp_config *config);

/** Free what is in it. Does nothing to a zeroed one. */
void trp_config_fini(struct trp_config *config);

#endif
