/*
 * Shows asks: each gets its reply, or fails in time. The squarer replies to the first ask and ends at the
 * second without a reply; the third has no receiver.
 *
 *     ./ask --place 'squarer=thread'
 */
#include <troupe/troupe.h>

#include <stdio.h>

enum { SQUARE = 1, RESULT = 2, ASKS = 3, SHORT_NS = 50000000 };

static void squarer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const int *number = TROUPE_BODY(message, int);
    if (number != NULL && *number != 0) {
        const int square = *number * *number;
        troupe_reply(ctx, message, RESULT, &square, sizeof(square));
    } else {
        troupe_stop(ctx);
    }
}
static const struct troupe_behaviour squarer = {.name = "squarer", .receive = squarer_receive};

static troupe_reply_fn replied;

static void ask(troupe_context_t *ctx, troupe_ref_t to, uint64_t i)
{
    static const int numbers[ASKS] = {7, 0, 7};
    const struct troupe_outgoing what = {
        .to = to, .type = SQUARE, .body = &numbers[i], .body_bytes = sizeof(numbers[i])};
    const struct troupe_ask_options how = {
        .timeout_ns = numbers[i] == 0 ? SHORT_NS : 0, .on_reply = replied, .tag = i};
    troupe_check(ctx, troupe_ask(ctx, &what, &how));
}

/** The reply to an ask, or why there is none. The tag says which ask it was. */
static void replied(
    troupe_context_t *ctx,
    void *state,
    uint64_t i,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    const int *square = err == TROUPE_OK ? TROUPE_BODY(reply, int) : NULL;
    if (square != NULL) {
        printf("the square of 7 is %d\n", *square);
    } else {
        printf("no reply: %s\n", err == TROUPE_ERR_NOENT ? "no receiver" : "not in time");
    }
    i + 1 < ASKS ? ask(ctx, *(troupe_ref_t *)state, i + 1) : troupe_stop(ctx);
}

static enum troupe_err init(troupe_context_t *ctx, void *state, const void *args, size_t bytes)
{
    if (troupe_check(ctx, TROUPE_SPAWN(ctx, state, .behaviour = &squarer))) {
        ask(ctx, *(troupe_ref_t *)state, 0);
    }
    return TROUPE_OK;
}

static void receive(troupe_context_t *ctx, void *state, const troupe_message_t *message) {}

static const struct troupe_behaviour client = {
    .name = "client", .state_bytes = sizeof(troupe_ref_t), .init = init, .receive = receive};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&client, &squarer));
}
