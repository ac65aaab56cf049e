/*
 * The end of a system while everything is busy: actors on all threads send, spawn, run timers and ask, foreign threads
 * send through inboxes, and one of them stops the system.
 */
#include "race.h"

#include <stdatomic.h>

enum { CHATTER = 1, BEAT, GUEST };
enum { ROUNDS = 4, TALKERS = 6, FOREIGNERS = 2, ENOUGH = 3000 };

static _Atomic uint32_t babbled;

struct talker {
    troupe_ref_t others[TALKERS];
};

static void talker_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx;
    (void)state;
    (void)tag;
    RACE_CHECK(err == TROUPE_OK ? reply != NULL : reply == NULL);
}

/** A guest ends with its first message. */
static void guest_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    (void)troupe_reply(ctx, message, GUEST, NULL, 0);
    troupe_stop(ctx);
}

static const struct troupe_behaviour guest = {.name = "guest", .receive = guest_receive};

static void talker_invite(troupe_context_t *ctx)
{
    const struct troupe_spawn_options options = {.behaviour = &guest, .place = "thread"};
    struct troupe_outgoing outgoing = {.type = CHATTER};
    enum troupe_err err = troupe_spawn(ctx, &options, &outgoing.to);
    RACE_CHECK(err == TROUPE_OK || err == TROUPE_ERR_CLOSED);
    if (err == TROUPE_OK) {
        (void)!troupe_ask(
            ctx, &outgoing, &(const struct troupe_ask_options){.on_reply = talker_on_reply});
    }
}

static void talker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct talker *talker = state;
    uint32_t type = troupe_message_type(message);
    if (type == GUEST) {
        return;
    }
    if (troupe_ref_is_none(talker->others[0]) &&
        troupe_message_body_bytes(message) == sizeof(talker->others)) {
        memcpy(talker->others, troupe_message_body(message), sizeof(talker->others));
        const struct troupe_outgoing beat = {.to = troupe_self(ctx), .type = BEAT};
        RACE_OK(troupe_send_every(ctx, 100000, &beat, NULL));
    }
    uint32_t chance = (uint32_t)troupe_random(ctx);
    atomic_fetch_add_explicit(&babbled, 1, memory_order_relaxed);
    (void)!troupe_send(ctx, talker->others[chance % TALKERS], CHATTER, &chance, sizeof(chance));
    if (chance % 64 == 0) {
        talker_invite(ctx);
    }
}

static const struct troupe_behaviour talker = {
    .name = "talker",
    .state_bytes = sizeof(struct talker),
    .receive = talker_receive,
};

struct foreigner {
    troupe_system_t *system;
    troupe_ref_t talker;
};

static void *foreign(void *data)
{
    const struct foreigner *foreigner = data;
    troupe_inbox_t *inbox = NULL;
    RACE_OK(troupe_inbox_new(foreigner->system, &inbox));
    troupe_context_t *ctx = troupe_inbox_context(inbox);
    while (atomic_load(&babbled) < ENOUGH) {
        race_send(ctx, foreigner->talker, CHATTER);
        troupe_message_t *message = NULL;
        if (troupe_inbox_receive(inbox, 100000, &message) == TROUPE_OK) {
            troupe_message_destroy(&message);
        }
    }
    troupe_system_stop(foreigner->system); // one of them is the first
    for (int i = 0; i < 20; i++) {
        race_send(ctx, foreigner->talker, CHATTER); // while it stops
    }
    RACE_OK(troupe_inbox_destroy(&inbox));
    return NULL;
}

static void open_talkers(troupe_system_t *system, troupe_ref_t talkers[TALKERS])
{
    static const char *const places[TALKERS] = {
        "ecs", "ecs", "thread", "thread", "thread:2", "thread:2"};
    troupe_context_t *ctx = troupe_system_context(system);
    for (int i = 0; i < TALKERS; i++) {
        talkers[i] = race_spawn(ctx, &talker, places[i], NULL, 0);
    }
    for (int i = 0; i < TALKERS; i++) {
        RACE_OK(troupe_send(ctx, talkers[i], CHATTER, talkers, TALKERS * sizeof(*talkers)));
    }
}

static uint64_t run(void)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&talker, &guest),
        .mailbox_messages = 200,
        .stop_timeout_ns = 300000000,
    };
    troupe_system_t *system = race_open(&options);
    troupe_ref_t talkers[TALKERS];
    open_talkers(system, talkers);
    pthread_t threads[FOREIGNERS];
    struct foreigner foreigners[FOREIGNERS];
    atomic_store(&babbled, 0);
    for (size_t i = 0; i < FOREIGNERS; i++) {
        foreigners[i] = (struct foreigner){system, talkers[i * 2]};
        threads[i] = race_thread(foreign, &foreigners[i]);
    }
    // Half of the time is for draining, which never ends here; a slow machine may need a second call.
    while (troupe_system_run(system) == TROUPE_ERR_TIMEDOUT) {
    }
    for (size_t i = 0; i < FOREIGNERS; i++) {
        race_join(threads[i]);
    }
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    RACE_CHECK(race_balances(system));
    RACE_CHECK(stats.actors_started == stats.actors_ended);
    RACE_OK(troupe_system_destroy(&system));
    return stats.handled;
}

int main(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        (void)printf("stop: ended with %" PRIu64 " messages handled\n", run());
    }
    return 0;
}
