/*
 * Shows asks: each gets its reply, or fails in time. The adder replies to the first ask and ends at the
 * second without a reply; the third has no receiver.
 *
 *     ./ask --place 'adder=thread'
 */
#include <troupe/troupe.h>

#include <stdio.h>

enum { ADD = 1, LEAVE = 2, SUM = 3 };
enum { FIRST = 1, SECOND = 2, THIRD = 3 };

struct pair {
    int a, b;
};

static void adder_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct pair *pair = TROUPE_BODY(message, struct pair);
    if (troupe_message_type(message) == ADD && pair != NULL) {
        const int sum = pair->a + pair->b;
        troupe_reply(ctx, message, SUM, &sum, sizeof(sum));
    } else if (troupe_message_type(message) == LEAVE) {
        troupe_stop(ctx);
    }
}
static const struct troupe_behaviour adder = {.name = "adder", .receive = adder_receive};

static troupe_reply_fn replied;

static void ask(troupe_context_t *ctx, troupe_ref_t to, uint64_t number)
{
    const struct pair pair = {2, 3};
    const struct troupe_outgoing what = {
        .to = to,
        .type = number == SECOND ? LEAVE : ADD,
        .body = &pair,
        .body_bytes = sizeof(pair),
    };
    const struct troupe_ask_options how = {
        .timeout_ns = 50000000, .on_reply = replied, .tag = number};
    troupe_check(ctx, troupe_ask(ctx, &what, &how));
}

static void replied(
    troupe_context_t *ctx,
    void *state,
    uint64_t number,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    const int *sum = err == TROUPE_OK ? TROUPE_BODY(reply, int) : NULL;
    if (sum != NULL) {
        printf("2 + 3 = %d\n", *sum);
    } else {
        printf("no reply: %s\n", err == TROUPE_ERR_NOENT ? "no receiver" : "not in time");
    }
    if (number == THIRD) {
        troupe_stop(ctx);
    } else {
        ask(ctx, *(troupe_ref_t *)state, number + 1);
    }
}

static enum troupe_err asker_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    if (troupe_check(ctx, TROUPE_SPAWN(ctx, state, .behaviour = &adder))) {
        ask(ctx, *(troupe_ref_t *)state, FIRST);
    }
    return TROUPE_OK;
}

static void asker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message) {}

static const struct troupe_behaviour asker = {
    .name = "asker",
    .state_bytes = sizeof(troupe_ref_t),
    .init = asker_init,
    .receive = asker_receive,
};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&asker, &adder));
}
