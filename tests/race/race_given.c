/*
 * Bodies that change hands without a copy, from thread to thread: whoever holds one may write to it,
 * and the last one's executor frees it.
 */
#include "race.h"

#include <stdatomic.h>

enum { PARCEL = 1, COPY };
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
    if (!troupe_ref_is_some(carrier->next)) {
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

static const struct troupe_behaviour carrier = {
    .name = "carrier",
    .state_bytes = sizeof(struct carrier),
    .receive = carrier_receive,
};

int main(void)
{
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&carrier)};
    troupe_system_t *system = race_open(&options);
    troupe_context_t *ctx = troupe_system_context(system);
    troupe_ref_t carriers[CARRIERS];
    for (int i = 0; i < CARRIERS; i++) {
        carriers[i] = race_spawn(ctx, &carrier, "thread", NULL, 0);
    }
    for (int i = 0; i < CARRIERS; i++) {
        RACE_OK(TROUPE_SEND(ctx, carriers[i], PARCEL, &carriers[(i + 1) % CARRIERS]));
    }
    for (int i = 0; i < PARCELS; i++) {
        struct troupe_body body = {
            .data = calloc(1, PARCEL_BYTES), .bytes = PARCEL_BYTES, .free = parcel_free};
        RACE_CHECK(body.data != NULL);
        RACE_OK(troupe_give(ctx, carriers[0], PARCEL, &body));
    }
    (void)race_close(&system, "given");
    RACE_CHECK(freed == PARCELS);
    return 0;
}
