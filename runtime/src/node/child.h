/**
 * @file child.h
 * @brief A process that was started to carry actors: its child environment, and its course.
 */
#ifndef TRP_CHILD_H
#define TRP_CHILD_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct troupe_system;

enum { TRP_CHILD_ENV_BYTES = 96 };

/** What a child is told by its environment; shared memory tells the rest. */
struct trp_child_env {
    int shared_fd;
    int listener_fd;
    int control_fd;
    uint32_t process_index;
    uint64_t token; // shown once
};

/** Write a child environment as `NAME=VALUE`. */
void trp_child_env_write(
    const struct trp_child_env *child_env, char text[static TRP_CHILD_ENV_BYTES]);

/** Read the value of a child environment. @return false: it is none. */
bool trp_child_env_read(const char *text, struct trp_child_env *out_child_env);

/** Write in shared memory what children need to know of the system. @threads before the first is started */
enum troupe_err trp_child_describe(struct troupe_system *system);

#endif
