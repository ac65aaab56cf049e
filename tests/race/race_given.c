/*
 * Bodies that change hands without a copy, from thread to thread: whoever holds one may write to it,
 * and the last one's executor frees it.
 */
#include "race.h"

#include <stdatomic.h>

enum { INTRODUCTION = 1, PARCEL, COPY };
enum { CARRIERS = 4, PARCELS = 16, HOPS = 200, PARCEL_BYTES = 24000 };

static _Atomic uint32_t freed;

/** What a parcel begins with. */
struct label {
    uint32_t hops;
    uint32_t sum;
};

struct carrier {
    troupe_ref_t next;
    uint32_t done;
};

static void parcel_free(void *data, void *free_data)
{
    (void)free_data;
    free(data);
    atomic_fetch_add(&freed, 1);
}

static void carry_on(troupe_context_t *ctx, struct carrier *carrier, struct troupe_body *body)
{
    uint8_t *bytes = body->data;
    struct label *label = body->data;
    label->hops++;
    bytes[PARCEL_BYTES - 1] = (uint8_t)label->hops; // the far end of it, too
    if (label->hops % 50 == 0) {
        // Too large to lie in a frame: copied once, and then given.
        RACE_OK(troupe_send(ctx, carrier->next, COPY, body->data, body->bytes));
    }
    RACE_OK(troupe_give(ctx, carrier->next, PARCEL, body));
}

static void carrier_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct carrier *carrier = state;
    if (troupe_message_type(message) == INTRODUCTION) {
        carrier->next = *(const troupe_ref_t *)troupe_message_body(message);
        return;
    }
    const uint8_t *bytes = troupe_message_body(message);
    const struct label *label = troupe_message_body(message);
    RACE_CHECK(troupe_message_body_bytes(message) == PARCEL_BYTES);
    RACE_CHECK(bytes[PARCEL_BYTES - 1] == (uint8_t)label->hops);
    if (troupe_message_type(message) == COPY) {
        return;
    }
    if (label->hops == HOPS) {
        if (++carrier->done == PARCELS) {
            troupe_stop_system(ctx);
        }
        return; // left in the message: the runtime frees it
    }
    struct troupe_body body;
    RACE_OK(troupe_message_take_body(message, &body));
    carry_on(ctx, carrier, &body);
}

static enum troupe_err carrier_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct carrier *carrier = state;
    if (args_bytes == sizeof(carrier->next)) {
        carrier->next = *(const troupe_ref_t *)args;
    } // the first one's next comes last
    return TROUPE_OK;
}

static const struct troupe_behaviour carrier = {
    .name = "carrier",
    .state_bytes = sizeof(struct carrier),
    .init = carrier_init,
    .receive = carrier_receive,
};

int main(void)
{
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&carrier)};
    troupe_system_t *system = race_open(&options);
    troupe_context_t *ctx = troupe_system_context(system);
    troupe_ref_t first = race_spawn(ctx, &carrier, "thread", NULL, 0);
    troupe_ref_t last = first;
    for (int i = 1; i < CARRIERS; i++) {
        last = race_spawn(ctx, &carrier, "thread", &last, sizeof(last));
    }
    RACE_OK(TROUPE_SEND(ctx, first, INTRODUCTION, &last));
    for (int i = 0; i < PARCELS; i++) {
        struct troupe_body body = {
            .data = calloc(1, PARCEL_BYTES), .bytes = PARCEL_BYTES, .free = parcel_free};
        RACE_CHECK(body.data != NULL);
        RACE_OK(troupe_give(ctx, first, PARCEL, &body));
    }
    (void)race_close(&system, "given");
    RACE_CHECK(freed == PARCELS);
    return 0;
}
