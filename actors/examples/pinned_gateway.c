/*
 * Shows a gateway: what only one thread may use, and what may block, belongs to one actor that serves
 * the others. Its spawn asks for a thread of its own on CPU 0; --place goes before what a spawn asks for.
 *
 *     ./pinned_gateway --place 'client=process'
 */
#include <troupe/troupe.h>

#include <stdio.h>

enum { STORE = 1, CLIENTS = 4, RECORDS = 100 };

struct gateway {
    int records; /* Stands for a device, or for a library that is bound to its thread. */
};

static void gateway_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct gateway *self = state;
    const int *record = TROUPE_BODY(message, int);
    if (troupe_message_type(message) == STORE && record != NULL) {
        self->records++; /* Here it would wait for its device, and hold up no other actor. */
    }
    if (self->records == CLIENTS * RECORDS) {
        printf("%d clients stored %d records\n", CLIENTS, self->records);
        (void)fflush(stdout);
        troupe_shutdown(ctx);
    }
}

static const struct troupe_behaviour gateway = {
    .name = "gateway", .state_bytes = sizeof(struct gateway), .receive = gateway_receive};

static void receive_nothing(troupe_context_t *ctx, void *state, const troupe_message_t *message) {}

static enum troupe_err client_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    const troupe_ref_t *to = TROUPE_ARGS(args, args_bytes, troupe_ref_t);
    enum troupe_err err = to != NULL ? TROUPE_OK : TROUPE_ERR_INVAL;
    for (int record = 0; record < RECORDS && err == TROUPE_OK; record++) {
        err = TROUPE_SEND(ctx, *to, STORE, &record);
    }
    return err;
}

static const struct troupe_behaviour client = {
    .name = "client", .init = client_init, .receive = receive_nothing};

static enum troupe_err start_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    troupe_ref_t to;
    enum troupe_err err =
        TROUPE_SPAWN(ctx, &to, .behaviour = &gateway, .place = "thread", .cpu_mask = 1);
    for (int i = 0; i < CLIENTS && err == TROUPE_OK; i++) {
        err = TROUPE_SPAWN(ctx, NULL, .behaviour = &client, .args = &to, .args_bytes = sizeof(to));
    }
    return err;
}

static const struct troupe_behaviour start = {
    .name = "start", .init = start_init, .receive = receive_nothing};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&start, &gateway, &client));
}
