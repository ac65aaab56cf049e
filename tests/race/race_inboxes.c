/*
 * Foreign threads that open inboxes, send, ask and close them, while the actors that they talk to end. Every ask has an
 * outcome: a reply, or the error that the receiver has ended.
 */
#include "race.h"

#include <stdatomic.h>

enum { QUESTION = 1, NUMBER, REPLY };
enum { THREADS = 4, INBOXES = 12, ASKS = 12, MESSAGES_MAX = 20 };

static _Atomic uint32_t threads_left = THREADS;
static _Atomic uint32_t replied;
static _Atomic uint32_t missed;
static _Atomic uint64_t shared_ref; // of an actor that another thread spawned: index of a slot

static troupe_ref_t slots[THREADS * INBOXES];
static _Atomic uint32_t slots_used;

/** An actor that ends after a few messages. */
static void stopper_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    uint32_t *handled = state;
    if (troupe_message_type(message) == QUESTION) {
        (void)troupe_reply(ctx, message, REPLY, handled, sizeof(*handled));
    }
    if (++*handled == MESSAGES_MAX) {
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour stopper = {
    .name = "stopper",
    .state_bytes = sizeof(uint32_t),
    .receive = stopper_receive,
};

static void ask(troupe_inbox_t *inbox, troupe_ref_t to)
{
    const struct troupe_outgoing outgoing = {.to = to, .type = QUESTION};
    troupe_message_t *reply = NULL;
    enum troupe_err err = troupe_inbox_ask(inbox, &outgoing, 0, &reply);
    RACE_CHECK(err == TROUPE_OK || err == TROUPE_ERR_NOENT);
    if (err == TROUPE_OK) {
        RACE_CHECK(troupe_message_type(reply) == REPLY);
        troupe_message_destroy(&reply);
        atomic_fetch_add(&replied, 1);
    } else {
        atomic_fetch_add(&missed, 1);
    }
}

static void publish(troupe_context_t *ctx, troupe_ref_t to)
{
    struct troupe_body body;
    RACE_OK(troupe_body_new(20000, &body));
    RACE_OK(troupe_send_body(ctx, to, NUMBER, &body));
}

/** Let others have an actor, and take one of those they have let us have. */
static troupe_ref_t swap(troupe_ref_t mine)
{
    uint32_t slot = atomic_fetch_add(&slots_used, 1);
    slots[slot] = mine;
    // Release: pairs with the acquire below, for the slot's content.
    uint64_t other = atomic_exchange_explicit(&shared_ref, slot + 1, memory_order_acq_rel);
    return other == 0 ? mine : slots[other - 1];
}

static void use_inbox(troupe_system_t *system, uint32_t round)
{
    troupe_inbox_t *inbox = NULL;
    RACE_OK(troupe_inbox_new(system, &inbox));
    troupe_context_t *ctx = troupe_inbox_context(inbox);
    const char *place = round % 3 == 0 ? "thread:2" : "thread";
    troupe_ref_t mine = race_spawn(ctx, &stopper, place, NULL, 0);
    troupe_ref_t other = swap(mine);
    for (int i = 0; i < ASKS; i++) {
        ask(inbox, i % 2 == 0 ? mine : other);
        RACE_OK(troupe_send(ctx, other, NUMBER, &i, sizeof(i)));
        publish(ctx, mine);
    }
    if (round % 2 == 0) {
        (void)troupe_stop_actor(ctx, mine);
    }
    troupe_message_t *message = NULL;
    while (troupe_inbox_receive(inbox, 0, &message) == TROUPE_OK) {
        troupe_message_destroy(&message);
    }
    RACE_OK(troupe_inbox_destroy(&inbox));
}

static void *foreign(void *data)
{
    troupe_system_t *system = data;
    for (uint32_t i = 0; i < INBOXES; i++) {
        use_inbox(system, i);
    }
    if (atomic_fetch_sub(&threads_left, 1) == 1) {
        troupe_system_stop(system);
    }
    return NULL;
}

int main(void)
{
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&stopper)};
    troupe_system_t *system = race_open(&options);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        threads[i] = race_thread(foreign, system);
    }
    (void)race_close(&system, "ports");
    for (size_t i = 0; i < THREADS; i++) {
        race_join(threads[i]);
    }
    RACE_CHECK(replied + missed == THREADS * INBOXES * ASKS);
    (void)printf("ports: %u asks answered, %u for who was gone\n", replied, missed);
    return 0;
}
