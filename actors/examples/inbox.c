/*
 * Shows an inbox: a thread that is no actor, as of a library or a server, asks an actor and waits.
 *
 *     ./inbox
 *     TROUPE_PLACE='counter=process' ./inbox
 */
#include <troupe/troupe.h>

#include <pthread.h>
#include <stdio.h>

enum { ADD = 1, SUM = 2 };

struct job {
    troupe_system_t *system;
    troupe_ref_t counter;
};

static void counter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    int *sum = state;
    const int *number = TROUPE_BODY(message, int);
    if (number != NULL) {
        *sum += *number;
        troupe_check(ctx, troupe_reply(ctx, message, SUM, sum, sizeof(*sum)));
    }
}

static const struct troupe_behaviour counter = {
    .name = "counter", .state_bytes = sizeof(int), .receive = counter_receive};

static void *thread_main(void *data)
{
    const struct job *job = data;
    troupe_inbox_t *inbox = NULL;
    enum troupe_err err = troupe_inbox_new(job->system, &inbox);
    for (int number = 1; number <= 3 && err == TROUPE_OK; number++) {
        const struct troupe_outgoing add = {
            .to = job->counter, .type = ADD, .body = &number, .body_bytes = sizeof(number)};
        troupe_message_t *reply = NULL;
        err = troupe_inbox_ask(inbox, &add, 0, &reply);
        if (err == TROUPE_OK && TROUPE_BODY(reply, int) != NULL) {
            printf("plus %d is %d\n", number, *TROUPE_BODY(reply, int));
        }
        troupe_message_destroy(&reply);
    }
    (void)troupe_inbox_destroy(&inbox);
    troupe_system_stop(job->system);
    return NULL;
}

int main(void)
{
    struct job job = {0};
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&counter)};
    pthread_t thread;
    if (troupe_system_new(&options, &job.system) != TROUPE_OK ||
        TROUPE_SPAWN(troupe_system_context(job.system), &job.counter, .behaviour = &counter) !=
            TROUPE_OK ||
        pthread_create(&thread, NULL, thread_main, &job) != 0) {
        (void)fprintf(stderr, "inbox: %s\n", troupe_error_detail());
        return 1;
    }
    const enum troupe_err err = troupe_system_run(job.system);
    (void)pthread_join(thread, NULL);
    return troupe_system_destroy(&job.system) == TROUPE_OK && err == TROUPE_OK ? 0 : 1;
}
