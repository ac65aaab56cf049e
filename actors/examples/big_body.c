/*
 * Shows a body that is not copied: 8 MB of numbers change owner, there and back. Between processes
 * the bytes are transmitted; the program is the same.
 *
 *     ./big_body --place 'doubler=thread'
 */
#include <troupe/troupe.h>

#include <stdio.h>

enum { NUMBERS = 1, COUNT = 1000000 };

static void doubler_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const troupe_ref_t sender = troupe_message_sender(message);
    struct troupe_body body = {0};
    if (!troupe_check(ctx, troupe_message_take_body(message, &body))) {
        return;
    }
    uint64_t *numbers = body.data;
    for (size_t i = 0; i < body.bytes / sizeof(*numbers); i++) {
        numbers[i] *= 2;
    }
    troupe_check(ctx, troupe_send_body(ctx, sender, NUMBERS, &body));
    troupe_body_free(&body); /* Only if it was not sent, else it is empty. */
}

static const struct troupe_behaviour doubler = {.name = "doubler", .receive = doubler_receive};

static enum troupe_err start_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    troupe_ref_t ref;
    struct troupe_body body = {0};
    if (troupe_check(ctx, TROUPE_SPAWN(ctx, &ref, .behaviour = &doubler)) &&
        troupe_check(ctx, troupe_body_new(COUNT * sizeof(uint64_t), &body))) {
        for (uint64_t i = 0; i < COUNT; i++) {
            ((uint64_t *)body.data)[i] = i;
        }
        troupe_check(ctx, troupe_send_body(ctx, ref, NUMBERS, &body));
        troupe_body_free(&body);
    }
    return TROUPE_OK;
}

static void start_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const uint64_t *numbers = troupe_message_body_sized(message, COUNT * sizeof(uint64_t));
    if (troupe_message_type(message) == NUMBERS && numbers != NULL) {
        printf("the last of %d numbers is now %lu\n", COUNT, (unsigned long)numbers[COUNT - 1]);
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour start = {
    .name = "start", .init = start_init, .receive = start_receive};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&start, &doubler));
}
