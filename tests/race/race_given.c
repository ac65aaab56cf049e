/*
 * Bodies that change hands without a copy, from thread to thread: whoever holds one may write to it,
 * and the last one's executor frees it.
 */
#include "race.h"

#include <stdatomic.h>

enum { INTRODUCTION = 1, PARCEL, COPY };
enum { CARRIERS = 4, PARCELS = 16, HOPS = 200, ZMSG_BYTES = 24000 };

static _Atomic uint32_t freed;

/** What a parcel begins with. */
struct label {
    uint32_t hops;
    uint32_t sum;
};

struct handle {
    troupe_ref_t next;
    uint32_t done;
};

static void zmsg_free(void *data, void *free_data)
{
    (void)free_data;
    free(data);
    atomic_fetch_add(&freed, 1);
}

static void carry_on(troupe_context_t *ctx, struct handle *handle, struct troupe_body *body)
{
    uint8_t *bytes = body->data;
    struct label *label = body->data;
    label->hops++;
    bytes[ZMSG_BYTES - 1] = (uint8_t)label->hops; // the far end of it, too
    if (label->hops % 50 == 0) {
        // Too large to lie in a frame: copied once, and then given.
        RACE_OK(troupe_send(ctx, handle->next, COPY, body->data, body->bytes));
    }
    RACE_OK(troupe_send_body(ctx, handle->next, PARCEL, body));
}

static void carrier_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct handle *handle = state;
    if (troupe_message_type(message) == INTRODUCTION) {
        handle->next = *(const troupe_ref_t *)troupe_message_body(message);
        return;
    }
    const uint8_t *bytes = troupe_message_body(message);
    const struct label *label = troupe_message_body(message);
    RACE_CHECK(troupe_message_body_bytes(message) == ZMSG_BYTES);
    RACE_CHECK(bytes[ZMSG_BYTES - 1] == (uint8_t)label->hops);
    if (troupe_message_type(message) == COPY) {
        return;
    }
    if (label->hops == HOPS) {
        if (++handle->done == PARCELS) {
            troupe_shutdown(ctx);
        }
        return; // left in the message: the runtime frees it
    }
    struct troupe_body body;
    RACE_OK(troupe_message_take_body(message, &body));
    carry_on(ctx, handle, &body);
}

static enum troupe_err carrier_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct handle *handle = state;
    if (args_bytes == sizeof(handle->next)) {
        handle->next = *(const troupe_ref_t *)args;
    } // the first one's next comes last
    return TROUPE_OK;
}

static const struct troupe_behaviour handle = {
    .name = "carrier",
    .state_bytes = sizeof(struct handle),
    .init = carrier_init,
    .receive = carrier_receive,
};

int main(void)
{
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&handle)};
    troupe_system_t *system = race_open(&options);
    troupe_context_t *ctx = troupe_system_context(system);
    troupe_ref_t first = race_spawn(ctx, &handle, "thread", NULL, 0);
    troupe_ref_t last = first;
    for (int i = 1; i < CARRIERS; i++) {
        last = race_spawn(ctx, &handle, "thread", &last, sizeof(last));
    }
    RACE_OK(TROUPE_SEND(ctx, first, INTRODUCTION, &last));
    for (int i = 0; i < PARCELS; i++) {
        struct troupe_body body = {
            .data = calloc(1, ZMSG_BYTES), .bytes = ZMSG_BYTES, .free = zmsg_free};
        RACE_CHECK(body.data != NULL);
        RACE_OK(troupe_send_body(ctx, first, PARCEL, &body));
    }
    (void)race_close(&system, "given");
    RACE_CHECK(freed == PARCELS);
    return 0;
}
