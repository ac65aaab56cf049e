/*
 * Bodies that are sent without a copy, from thread to thread: the actor that owns one may write to it, and the
 * executor of its last owner frees it.
 */
#include "race.h"

#include <stdatomic.h>

enum { INTRODUCTION = 1, BODY, COPY };
enum { CARRIERS = 4, BODIES = 16, HOPS = 200, BODY_BYTES = 24000 };

static _Atomic uint32_t freed;

/** What a body begins with. */
struct label {
    uint32_t hops;
    uint32_t sum;
};

struct carrier {
    troupe_ref_t next;
    uint32_t done;
};

static void count_free(void *data, void *free_data)
{
    (void)free_data;
    free(data);
    atomic_fetch_add(&freed, 1);
}

static void pass_on(troupe_context_t *ctx, struct carrier *carrier, struct troupe_body *body)
{
    uint8_t *bytes = body->data;
    struct label *label = body->data;
    label->hops++;
    bytes[BODY_BYTES - 1] = (uint8_t)label->hops; // its last byte, too
    if (label->hops % 50 == 0) {
        // Too large for a frame: copied once, then sent as a given body.
        RACE_OK(troupe_send(ctx, carrier->next, COPY, body->data, body->bytes));
    }
    RACE_OK(troupe_send_body(ctx, carrier->next, BODY, body));
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
    RACE_CHECK(troupe_message_body_bytes(message) == BODY_BYTES);
    RACE_CHECK(bytes[BODY_BYTES - 1] == (uint8_t)label->hops);
    if (troupe_message_type(message) == COPY) {
        return;
    }
    if (label->hops == HOPS) {
        if (++carrier->done == BODIES) {
            troupe_shutdown(ctx);
        }
        return; // left in the message: the runtime frees it
    }
    struct troupe_body body;
    RACE_OK(troupe_message_take_body(message, &body));
    pass_on(ctx, carrier, &body);
}

static enum troupe_err carrier_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct carrier *carrier = state;
    if (args_bytes == sizeof(carrier->next)) {
        carrier->next = *(const troupe_ref_t *)args;
    } // the first one is told its next by an INTRODUCTION
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
    for (int i = 0; i < BODIES; i++) {
        struct troupe_body body = {
            .data = calloc(1, BODY_BYTES), .bytes = BODY_BYTES, .free = count_free};
        RACE_CHECK(body.data != NULL);
        RACE_OK(troupe_send_body(ctx, first, BODY, &body));
    }
    (void)race_close(&system, "given");
    RACE_CHECK(freed == BODIES);
    return 0;
}
