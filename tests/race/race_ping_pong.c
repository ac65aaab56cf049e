/*
 * Threads that start and end while they exchange messages: each player plays some rounds with a partner of its own, then
 * one of them ends the other, and another player starts at once.
 *
 *     director (ecs) --spawns--> player (thread) --spawns--> partner (thread) <--ball--> player
 */
#include "race.h"

enum { BALL = 1, LAST, DONE };
enum { AT_ONCE = 6, GAMES = 60, ROUNDS = 40 };

static void partner_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    (void)troupe_reply(ctx, message, troupe_message_type(message), NULL, 0);
    if (troupe_message_type(message) == LAST) {
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour partner = {.name = "partner", .receive = partner_receive};

struct player {
    troupe_ref_t director;
    troupe_ref_t partner;
    uint32_t rounds;
};

static enum troupe_err player_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct player *player = state;
    RACE_CHECK(args_bytes == sizeof(player->director));
    player->director = *(const troupe_ref_t *)args;
    player->partner = race_spawn(ctx, &partner, "thread", NULL, 0);
    return troupe_send(ctx, player->partner, BALL, NULL, 0);
}

static void player_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct player *player = state;
    if (++player->rounds < ROUNDS) {
        RACE_OK(troupe_send(ctx, player->partner, BALL, NULL, 0));
    } else if (troupe_message_type(message) == BALL && troupe_random(ctx) % 2 == 0) {
        RACE_OK(troupe_send(ctx, player->partner, LAST, NULL, 0)); // it ends, and then this one
    } else {
        race_send(ctx, player->partner, BALL); // overtaken by the stop, mostly
        (void)troupe_stop_actor(ctx, player->partner);
        RACE_OK(troupe_send(ctx, player->director, DONE, NULL, 0));
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour player = {
    .name = "player",
    .state_bytes = sizeof(struct player),
    .init = player_init,
    .receive = player_receive,
};

struct director {
    uint32_t begun;
    uint32_t done;
};

static void director_begin(troupe_context_t *ctx, struct director *director)
{
    if (director->begun < GAMES) {
        troupe_ref_t self = troupe_self(ctx);
        director->begun++;
        (void)race_spawn(ctx, &player, "thread", &self, sizeof(self));
    }
}

static enum troupe_err director_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)args;
    (void)args_bytes;
    for (int i = 0; i < AT_ONCE; i++) {
        director_begin(ctx, state);
    }
    return TROUPE_OK;
}

static void director_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct director *director = state;
    RACE_CHECK(troupe_message_type(message) == DONE);
    director_begin(ctx, director);
    if (++director->done == GAMES) {
        troupe_shutdown(ctx);
    }
}

static const struct troupe_behaviour director = {
    .name = "director",
    .state_bytes = sizeof(struct director),
    .init = director_init,
    .receive = director_receive,
};

int main(void)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&director, &player, &partner),
    };
    troupe_system_t *system = race_open(&options);
    (void)race_spawn(troupe_system_context(system), &director, NULL, NULL, 0);
    struct troupe_stats stats = race_close(&system, "ping pong");
    RACE_CHECK(stats.actors_started == 1 + 2 * GAMES);
    return 0;
}
