/*
 * Shows a batch: messages that wait one behind the other are handled in one call, which is cheaper.
 *
 *     ./batch --place 'counter=thread'
 */
#include <troupe/troupe.h>

#include <stdio.h>

enum { NUMBER = 1, DONE = 2, NUMBERS = 5000 };

/** Handle one message: required, and used for what comes alone. */
static void counter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    uint64_t *sum = state;
    const uint64_t *number = TROUPE_BODY(message, uint64_t);
    if (troupe_message_type(message) == NUMBER && number != NULL) {
        *sum += *number;
    } else if (troupe_message_type(message) == DONE) {
        printf("the sum is %lu\n", (unsigned long)*sum);
        (void)fflush(stdout);
        troupe_shutdown(ctx);
    }
}

/** Handle several, for one actor or for more. A real one would do for all at once what it can. */
static void counter_receive_batch(
    troupe_context_t *ctx,
    void *const states[],
    const troupe_message_t *const messages[],
    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (troupe_batch_select(ctx, i)) {
            counter_receive(ctx, states[i], messages[i]);
        }
    }
}

static const struct troupe_behaviour counter = {
    .name = "counter",
    .state_bytes = sizeof(uint64_t),
    .receive = counter_receive,
    .receive_batch = counter_receive_batch,
};

static enum troupe_err start_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    troupe_ref_t ref;
    enum troupe_err err = TROUPE_SPAWN(ctx, &ref, .behaviour = &counter);
    for (uint64_t number = 1; number <= NUMBERS && err == TROUPE_OK; number++) {
        err = TROUPE_SEND(ctx, ref, NUMBER, &number);
    }
    return err == TROUPE_OK ? troupe_send(ctx, ref, DONE, NULL, 0) : err;
}

static void start_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message) {}

static const struct troupe_behaviour start = {
    .name = "start", .init = start_init, .receive = start_receive};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&start, &counter));
}
