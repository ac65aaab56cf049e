/* One actor greets another. Run: ./hello --place 'greeter=thread' */
#include <troupe/troupe.h>

#include <stdio.h>

enum { GREET = 1, GREETING = 2 };

struct greeting {
    char text[8];
};

static void greeter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct greeting hello = {"hello"};
    if (troupe_message_type(message) == GREET) {
        troupe_check(ctx, TROUPE_SEND(ctx, troupe_message_sender(message), GREETING, &hello));
    }
}
static const struct troupe_behaviour greeter = {.name = "greeter", .receive = greeter_receive};

static enum troupe_err greet(troupe_context_t *ctx, void *state, const void *args, size_t bytes)
{
    troupe_ref_t ref;
    const enum troupe_err err = TROUPE_SPAWN(ctx, &ref, .behaviour = &greeter);
    return err == TROUPE_OK ? troupe_send(ctx, ref, GREET, NULL, 0) : err;
}
static void print(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct greeting *greeting = TROUPE_BODY(message, struct greeting);
    if (troupe_message_type(message) == GREETING && greeting != NULL) {
        puts(greeting->text);
        troupe_stop(ctx);
    }
}
static const struct troupe_behaviour start = {.name = "start", .init = greet, .receive = print};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&start, &greeter));
}
