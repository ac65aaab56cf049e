/*
 * Shows a monitor: a worker that ends, for whatever reason, is replaced, and the work goes on.
 *
 *     ./monitor [TASKS]
 *     ./monitor 100000 --place 'worker=process' --stats    # and from another shell: kill -9 PID
 */
#include <troupe/troupe.h>

#include <stdio.h>
#include <stdlib.h>

enum { TASK = 1, TOO_HARD = 500 };

struct manager {
    troupe_ref_t worker;
    long tasks, task;
};

static void worker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const long *task = TROUPE_BODY(message, long);
    if (task == NULL || *task == TOO_HARD) {
        troupe_fail(ctx, 1, "too hard");
    } else {
        troupe_check(ctx, TROUPE_SEND(ctx, troupe_message_sender(message), TASK, task));
    }
}
static const struct troupe_behaviour worker = {.name = "worker", .receive = worker_receive};

static void start_worker(troupe_context_t *ctx, struct manager *self)
{
    (void)(troupe_check(ctx, TROUPE_SPAWN(ctx, &self->worker, .behaviour = &worker)) && troupe_check(ctx, troupe_monitor(ctx, self->worker, NULL)) && troupe_check(ctx, TROUPE_SEND(ctx, self->worker, TASK, &self->task)));
}

static enum troupe_err init(troupe_context_t *ctx, void *state, const void *args, size_t bytes)
{
    const char *tasks = troupe_args_next(args, bytes, NULL);
    struct manager *self = state;
    *self = (struct manager){.tasks = tasks != NULL ? strtol(tasks, NULL, 10) : 1000, .task = 1};
    start_worker(ctx, self);
    return TROUPE_OK;
}

static void receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct manager *self = state;
    const struct troupe_down *down = TROUPE_BODY(message, struct troupe_down);
    if (troupe_message_type(message) == TROUPE_MESSAGE_DOWN && down != NULL) {
        const char *reason = troupe_exit_reason_text(down->exit.reason);
        printf("task %ld ended the worker: %s %s\n", self->task, reason, down->exit.text);
        (void)fflush(stdout);
        self->task++;
        start_worker(ctx, self);
    } else if (self->task++ < self->tasks) {
        troupe_check(ctx, TROUPE_SEND(ctx, self->worker, TASK, &self->task));
    } else {
        printf("%ld tasks\n", self->tasks);
        troupe_stop(ctx);
    }
}
static const struct troupe_behaviour manager = {
    .name = "manager",
    .usage = "[TASKS]",
    .state_bytes = sizeof(struct manager),
    .init = init,
    .receive = receive,
};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&manager, &worker));
}
