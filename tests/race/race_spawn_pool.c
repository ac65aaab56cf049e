/*
 * Spawning into a pool from several executors at once, with each reference sent to a third actor before its actor has
 * started: the third actor's ask may overtake the START. Each ask has one outcome, and it is a reply unless the
 * actor's `init` failed.
 *
 *     spawner (thread) --spawn--> worker (thread:4)
 *            \                       ^
 *             +--reference--> third --+-- ask
 */
#include "race.h"

enum { INTRODUCE = 1, QUESTION, REPLY, DONE, NEXT };
enum { SPAWNERS = 4, WORKERS = 60, FAILS_EVERY = 8 };

/** An actor that is introduced, and whether it will start. */
struct introduction {
    troupe_ref_t worker;
    uint64_t fails;
};

static enum troupe_err worker_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    (void)state;
    RACE_CHECK(args_bytes == sizeof(uint64_t));
    return *(const uint64_t *)args != 0 ? TROUPE_ERR_INVAL : TROUPE_OK;
}

static void worker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    RACE_OK(troupe_reply(ctx, message, REPLY, NULL, 0));
    troupe_stop(ctx);
}

static const struct troupe_behaviour worker = {
    .name = "worker",
    .init = worker_init,
    .receive = worker_receive,
};

struct third {
    uint32_t outcomes;
    troupe_ref_t director;
};

static void third_on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    struct third *third = state;
    RACE_CHECK(err == (tag != 0 ? TROUPE_ERR_NOENT : TROUPE_OK));
    RACE_CHECK((reply != NULL) == (err == TROUPE_OK));
    if (++third->outcomes == SPAWNERS * WORKERS) {
        troupe_shutdown(ctx);
    }
}

static void third_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    const struct introduction *introduction = TROUPE_BODY(message, struct introduction);
    RACE_CHECK(introduction != NULL);
    const struct troupe_outgoing outgoing = {.to = introduction->worker, .type = QUESTION};
    RACE_OK(troupe_ask(
        ctx,
        &outgoing,
        &(const struct troupe_ask_options){
            .on_reply = third_on_reply, .tag = introduction->fails}));
}

static const struct troupe_behaviour third = {
    .name = "third",
    .state_bytes = sizeof(struct third),
    .receive = third_receive,
};

struct spawner {
    troupe_ref_t third;
    uint32_t spawned;
};

static enum troupe_err spawner_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct spawner *spawner = state;
    RACE_CHECK(args_bytes == sizeof(spawner->third));
    spawner->third = *(const troupe_ref_t *)args;
    return troupe_send(ctx, troupe_self(ctx), NEXT, NULL, 0);
}

static void spawner_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)message;
    struct spawner *spawner = state;
    for (int i = 0; i < 3 && spawner->spawned < WORKERS; i++) {
        struct introduction introduction = {.fails = spawner->spawned++ % FAILS_EVERY == 3};
        introduction.worker =
            race_spawn(ctx, &worker, "thread:4", &introduction.fails, sizeof(introduction.fails));
        RACE_OK(TROUPE_SEND(ctx, spawner->third, INTRODUCE, &introduction));
        if (i == 1) {
            troupe_flush(ctx); // now and then the introduction leaves first
        }
    }
    if (spawner->spawned < WORKERS) {
        RACE_OK(troupe_send(ctx, troupe_self(ctx), NEXT, NULL, 0));
    }
}

static const struct troupe_behaviour spawner = {
    .name = "spawner",
    .state_bytes = sizeof(struct spawner),
    .init = spawner_init,
    .receive = spawner_receive,
};

int main(void)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&third, &spawner, &worker),
    };
    troupe_system_t *system = race_open(&options);
    troupe_context_t *ctx = troupe_system_context(system);
    troupe_ref_t third_ref = race_spawn(ctx, &third, "thread", NULL, 0);
    for (int i = 0; i < SPAWNERS; i++) {
        (void)race_spawn(ctx, &spawner, "thread", &third_ref, sizeof(third_ref));
    }
    struct troupe_stats stats = race_close(&system, "spawn pool");
    RACE_CHECK(stats.dead == stats.actors_failed); // their questions, and nothing else
    RACE_CHECK(stats.executors_started == 1 + 1 + SPAWNERS + 4);
    return 0;
}
