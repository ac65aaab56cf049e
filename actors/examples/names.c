/*
 * Shows names: an actor registers as one, and others find it by that name.
 *
 *     ./names --place 'clerk=thread'
 */
#include <troupe/troupe.h>

#include <stdio.h>

enum { DRAW_NUMBER = 1, NUMBER = 2 };

static enum troupe_err clerk_init(
    troupe_context_t *ctx, void *state, const void *args, size_t bytes)
{
    return troupe_register(
        ctx, "office"); /* TROUPE_ERR_EXISTS if another actor is registered so. */
}

static void clerk_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const int number = ++*(int *)state;
    troupe_check(ctx, TROUPE_SEND(ctx, troupe_message_sender(message), NUMBER, &number));
}

static const struct troupe_behaviour clerk = {
    .name = "clerk", .state_bytes = sizeof(int), .init = clerk_init, .receive = clerk_receive};

static void found(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    const troupe_ref_t *office = err == TROUPE_OK ? TROUPE_BODY(reply, troupe_ref_t) : NULL;
    if (troupe_check(ctx, err) && office != NULL) {
        puts("the office is open");
        troupe_check(ctx, troupe_send(ctx, *office, DRAW_NUMBER, NULL, 0));
    }
}

static enum troupe_err visitor_init(
    troupe_context_t *ctx, void *state, const void *args, size_t bytes)
{
    troupe_ref_t office;
    if (troupe_lookup(ctx, "office", &office) == TROUPE_ERR_NOENT) {
        puts("the office is not open yet");
    }
    const struct troupe_ask_options options = {.on_reply = found};
    const enum troupe_err err = troupe_await_name(ctx, "office", &options);
    return err == TROUPE_OK ? TROUPE_SPAWN(ctx, NULL, .behaviour = &clerk) : err;
}

static void visitor_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const int *number = TROUPE_BODY(message, int);
    printf("number %d\n", number != NULL ? *number : 0);
    troupe_stop(ctx);
}

static const struct troupe_behaviour visitor = {
    .name = "visitor", .init = visitor_init, .receive = visitor_receive};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&visitor, &clerk));
}
