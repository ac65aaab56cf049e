/**
 * @file child_env.h
 * @brief What a child learns when it starts: an environment variable, and the rules in shared memory.
 */
#ifndef TRP_CHILD_ENV_H
#define TRP_CHILD_ENV_H

#include "node/system.h"

#include <stdbool.h>
#include <stdint.h>

/** The environment variable of a child. */
#define TRP_CHILD_ENV_NAME "TROUPE_CHILD"

/** Room for it as `NAME=VALUE`. */
enum { TRP_CHILD_ENV_BYTES = 96 };

/** What the variable says; shared memory has the rest. */
struct trp_child_env {
    int shared_fd;
    int listener_fd;
    int control_fd;
    uint32_t process_index; // in shared memory
    uint64_t token;         // of that process; it is accepted once
};

/** Write a child's variable as `NAME=VALUE`. */
void trp_child_env_write(const struct trp_child_env *env, char text[static TRP_CHILD_ENV_BYTES]);

/** Read the value of a child's variable. @return false: it is not valid. */
bool trp_child_env_read(const char *text, struct trp_child_env *out_env);

/**
 * Write the rules of the system into shared memory, for children.
 *
 * @retval TROUPE_ERR_LIMIT  they do not fit.
 * @threads any, holding the runtime's `lock`, before the first child is started
 */
enum troupe_err trp_child_env_write_rules(troupe_system_t *system);

/** Read the rules that the first process wrote. @threads the only one of a child */
enum troupe_err trp_child_env_read_rules(troupe_system_t *system);

#endif
