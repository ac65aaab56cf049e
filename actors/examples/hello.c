/* One actor greets another. Run: ./hello --place 'greeter=thread' */
#include <troupe/troupe.h>

#include <stdio.h>

enum { GREET = 1, GREETING = 2 };

static void greeter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *msg)
{
    (void)state;
    troupe_reply(ctx, msg, GREETING, "hello", sizeof("hello"));
}
static const struct troupe_behaviour greeter = {.name = "greeter", .receive = greeter_receive};

static enum troupe_err greet(troupe_context_t *ctx, void *state, const void *args, size_t bytes)
{
    (void)state, (void)args, (void)bytes;
    const struct troupe_spawn_options options = {.behaviour = &greeter};
    troupe_ref_t ref;
    const enum troupe_err err = troupe_spawn(ctx, &options, &ref);
    return err == TROUPE_OK ? troupe_send(ctx, ref, GREET, NULL, 0) : err;
}
static void print(troupe_context_t *ctx, void *state, const troupe_message_t *msg)
{
    (void)state;
    puts(troupe_message_body(msg));
    troupe_stop(ctx);
}
static const struct troupe_behaviour start = {.name = "start", .init = greet, .receive = print};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&start, &greeter));
}
