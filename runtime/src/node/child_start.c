#include "node/child_start.h"

#include "base/descriptors.h"
#include "node/child_env.h"
#include "node/child_list.h"
#include "node/output_relay.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHILD_OURS, CHILD_ITS, CHILD_ENDS };

/** What a child is started with; descriptors that are not open are -1. */
struct child_start {
    int control_fds[CHILD_ENDS];
    int output_fds[2][CHILD_ENDS]; // of standard output and standard error
    int inherited[3];
    char env[TRP_CHILD_ENV_BYTES];
};

static void child_start_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/** Open the descriptors of a child. @return false: there are not enough. */
static bool child_start_open(troupe_system_t *system, struct child_start *start)
{
    bool made = trp_descriptors_are_free(0) &&
                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, start->control_fds) == 0;
    for (int i = 0; i < 2 && made && system->output == TROUPE_OUTPUT_PREFIX; i++) {
        made = pipe2(start->output_fds[i], O_CLOEXEC) == 0 &&
               (system->relays[i] != NULL ||
                trp_output_relay_new(i == 0 ? STDOUT_FILENO : STDERR_FILENO, &system->relays[i]) ==
                    TROUPE_OK);
    }
    return made;
}

static void child_start_describe(
    const struct trp_child *child, int listener_fd, struct child_start *start)
{
    const troupe_system_t *system = child->system;
    const struct trp_child_env env = {
        .shared_fd = system->shared_fd,
        .listener_fd = listener_fd,
        .control_fd = start->control_fds[CHILD_ITS],
        .process_index = (uint32_t)(child->process - system->runtime.shared->processes),
        .token = child->process->token,
    };
    trp_child_env_write(&env, start->env);
    start->inherited[0] = env.shared_fd;
    start->inherited[1] = env.listener_fd;
    start->inherited[2] = env.control_fd;
}

/** Keep our ends of the descriptors, and close those that the child has now. */
static void child_start_keep(struct trp_child *child, void *handle, struct child_start *start)
{
    child_start_close(&start->control_fds[CHILD_ITS]);
    trp_child_list_set_started(child, handle, start->control_fds[CHILD_OURS]);
    for (int i = 0; i < 2; i++) {
        child_start_close(&start->output_fds[i][CHILD_ITS]);
        if (start->output_fds[i][CHILD_OURS] >= 0) {
            trp_output_relay_add(
                child->system->relays[i], start->output_fds[i][CHILD_OURS], child->process->name);
        }
    }
}

enum troupe_err trp_child_start(struct trp_child *child, int listener_fd)
{
    const struct trp_process *process = child->process;
    struct child_start start = {
        .control_fds = {-1, -1},
        .output_fds = {{-1, -1}, {-1, -1}},
    };
    if (listener_fd < 0 || !child_start_open(child->system, &start)) {
        for (int i = 0; i < CHILD_ENDS; i++) {
            child_start_close(&start.control_fds[i]);
            child_start_close(&start.output_fds[0][i]);
            child_start_close(&start.output_fds[1][i]);
        }
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT, "no descriptors for a process for '%s'", process->name);
    }
    child_start_describe(child, listener_fd, &start);
    const struct troupe_executor_spec spec = {
        .name = process->name,
        .id = process->executor,
        .program = child->system->child_program,
        .env = start.env,
        .fds = start.inherited,
        .fd_count = sizeof(start.inherited) / sizeof(start.inherited[0]),
        .output_fd = start.output_fds[0][CHILD_ITS],
        .error_fd = start.output_fds[1][CHILD_ITS],
    };
    void *handle = NULL;
    enum troupe_err err = child->ops->start(child->self, NULL, &spec, &handle);
    child_start_keep(child, handle, &start);
    return err;
}
