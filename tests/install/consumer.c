/*
 * The smallest program that uses an installed Troupe: one actor that prints a line, with the version of the
 * library, and stops.
 */
#include <troupe/troupe.h>

#include <stdio.h>

static enum troupe_err guest_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)state;
    (void)args;
    (void)args_bytes;
    printf("%s runs with %s\n", troupe_self_name(ctx), troupe_version());
    troupe_stop(ctx);
    return TROUPE_OK;
}

static void guest_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx;
    (void)state;
    (void)message;
}

static const struct troupe_behaviour guest = {
    .name = "guest",
    .init = guest_init,
    .receive = guest_receive,
};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&guest));
}
