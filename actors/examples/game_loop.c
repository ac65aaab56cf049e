/*
 * Shows troupe_system_progress() with a budget, in a program with a loop of its own: 60 frames a second,
 * of which the world gets 2 ms each.
 *
 *     ./game_loop [BALLS [FRAMES]] [--times]
 *     ./game_loop 10000 600 --times
 *     TROUPE_PLACE='referee=thread' ./game_loop
 *
 * Systems (troupe/ecs.h) move balls in a box and send an actor, the referee, a message for each bounce.
 * What the systems leave of the 2 ms is for messages; those that are left wait for the next frame. --times
 * prints where the time went.
 */
#include <troupe/ecs.h>
#include <troupe/troupe.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BOUNCE = 1 };

enum { FRAMES_A_SECOND = 60, FRAME_NS = 1000000000 / FRAMES_A_SECOND, WORLD_NS = 2000000 };

enum { BALLS_MAX = 1000000, FRAMES_MAX = 1000000 };

struct vector {
    float x, y;
};

struct game {
    troupe_system_t *system;
    troupe_ecs_t *ecs;
    troupe_ecs_component_t position, velocity;
    troupe_ref_t referee;
    unsigned long balls, frames, late;
    uint64_t sent, unsent; /* Bounces; those that found the mailbox full are sent later. */
    bool times;
};

/* The referee. --------------------------------------------------------------------------------- */

static void referee_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const uint64_t *bounces = TROUPE_BODY(message, uint64_t);
    if (troupe_message_type(message) == BOUNCE && bounces != NULL) {
        *(uint64_t *)state += *bounces;
    }
}

static void referee_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    printf("the referee has seen %" PRIu64 " bounces\n", *(const uint64_t *)state);
    (void)fflush(stdout);
}

static const struct troupe_behaviour referee = {
    .name = "referee",
    .state_bytes = sizeof(uint64_t),
    .receive = referee_receive,
    .fini = referee_fini,
};

/* Systems. ------------------------------------------------------------------------------------- */

static void fall(struct troupe_ecs_iter *it)
{
    struct vector *speed = TROUPE_ECS_FIELD(it, struct vector, 0);
    for (unsigned i = 0; i < it->count; i++) {
        speed[i].y -= 9.81F * it->delta_time;
    }
}

static void move(struct troupe_ecs_iter *it)
{
    struct vector *at = TROUPE_ECS_FIELD(it, struct vector, 0);
    const struct vector *speed = TROUPE_ECS_FIELD(it, struct vector, 1);
    for (unsigned i = 0; i < it->count; i++) {
        at[i].x += speed[i].x * it->delta_time;
        at[i].y += speed[i].y * it->delta_time;
    }
}

/* A ball that has gone through a wall comes back from it, and its bounce is reported. */
static void bounce(struct troupe_ecs_iter *it)
{
    struct game *game = it->data;
    struct vector *at = TROUPE_ECS_FIELD(it, struct vector, 0);
    struct vector *speed = TROUPE_ECS_FIELD(it, struct vector, 1);
    for (unsigned i = 0; i < it->count; i++) {
        const bool sideways = (at[i].x < 0 && speed[i].x < 0) || (at[i].x > 10 && speed[i].x > 0);
        const bool down = at[i].y < 0 && speed[i].y < 0;
        speed[i].x = sideways ? -speed[i].x : speed[i].x;
        speed[i].y = down ? -speed[i].y : speed[i].y;
        if (sideways || down) {
            const uint64_t bounces = game->unsent + 1;
            const bool room = TROUPE_SEND(it->ctx, game->referee, BOUNCE, &bounces) == TROUPE_OK;
            game->unsent = room ? 0 : bounces;
            game->sent += room ? bounces : 0;
        }
    }
}

/* The game. ------------------------------------------------------------------------------------ */

static enum troupe_err game_add_balls(struct game *game)
{
    enum troupe_err err = TROUPE_OK;
    for (unsigned long i = 0; i < game->balls && err == TROUPE_OK; i++) {
        const struct vector at = {(float)(i % 100) / 10, 5 + (float)(i % 7)};
        const struct vector speed = {(float)(i % 11) - 5, 0};
        troupe_ecs_entity_t ball;
        err = troupe_ecs_new(game->ecs, &ball);
        err = err == TROUPE_OK ? TROUPE_ECS_SET(game->ecs, ball, game->position, &at) : err;
        err = err == TROUPE_OK ? TROUPE_ECS_SET(game->ecs, ball, game->velocity, &speed) : err;
    }
    return err;
}

static enum troupe_err game_add_systems(struct game *game)
{
    const struct troupe_ecs_term at = {.component = game->position};
    const struct troupe_ecs_term speed = {.component = game->velocity};
    const struct troupe_ecs_system_options systems[] = {
        {.name = "fall", .phase = TROUPE_ECS_PRE_UPDATE, .terms = {speed}, .callback = fall},
        {.name = "move", .terms = {at, speed}, .callback = move},
        {.name = "bounce",
         .phase = TROUPE_ECS_ON_VALIDATE,
         .terms = {at, speed},
         .callback = bounce,
         .data = game},
    };
    enum troupe_err err = TROUPE_OK;
    for (unsigned i = 0; i < sizeof(systems) / sizeof(systems[0]) && err == TROUPE_OK; i++) {
        err = troupe_ecs_system_new(game->ecs, &systems[i], NULL);
    }
    return err;
}

static enum troupe_err game_open(struct game *game)
{
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&referee)};
    enum troupe_err err = troupe_system_new(&options, &game->system);
    if (err != TROUPE_OK) {
        return err;
    }
    troupe_context_t *ctx = troupe_system_context(game->system);
    const struct troupe_ecs_component_options position = {"position", sizeof(struct vector)};
    const struct troupe_ecs_component_options velocity = {"velocity", sizeof(struct vector)};
    game->ecs = troupe_ecs_world(ctx);
    err = TROUPE_SPAWN(ctx, &game->referee, .behaviour = &referee);
    err = err == TROUPE_OK ? troupe_ecs_component_new(game->ecs, &position, &game->position) : err;
    err = err == TROUPE_OK ? troupe_ecs_component_new(game->ecs, &velocity, &game->velocity) : err;
    err = err == TROUPE_OK ? game_add_balls(game) : err;
    err = err == TROUPE_OK ? game_add_systems(game) : err;
    /* A step is a frame, however late it is: a game that falls behind is slow, not different. */
    return err == TROUPE_OK ? troupe_ecs_set_delta(game->ecs, FRAME_NS) : err;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t when_ns)
{
    const struct timespec when = {(time_t)(when_ns / 1000000000), (long)(when_ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) != 0) {
    }
}

static enum troupe_err game_run(struct game *game)
{
    const struct troupe_budget budget = {.ns = WORLD_NS};
    uint64_t due_ns = now_ns();
    enum troupe_err err = TROUPE_OK;
    for (unsigned long frame = 0; frame < game->frames && err == TROUPE_OK; frame++) {
        /* Here a game would read its input, */
        err = troupe_system_progress(game->system, &budget);
        /* and here it would draw, in the rest of the frame. */
        due_ns += FRAME_NS;
        const uint64_t at_ns = now_ns();
        if (at_ns < due_ns) {
            sleep_until(due_ns);
        } else {
            due_ns = at_ns;
            game->late++;
        }
    }
    return err;
}

static void game_print_times(const struct game *game)
{
    struct troupe_ecs_system_stats stats;
    troupe_ecs_system_t system = 0;
    while ((system = troupe_ecs_system_next(game->ecs, system)) != 0) {
        if (troupe_ecs_system_stats(game->ecs, system, &stats) == TROUPE_OK) {
            printf(
                "%-8s %6" PRIu64 " us a frame, %6" PRIu64 " at most, %8" PRIu64 " entities\n",
                stats.name,
                stats.run_ns_sum / stats.run_count / 1000,
                stats.run_ns_max / 1000,
                stats.entity_count);
        }
    }
    printf("%lu of %lu frames were late\n", game->late, game->frames);
}

static bool read_number(const char *word, unsigned long most, unsigned long *number)
{
    char *end = NULL;
    *number = strtoul(word, &end, 10);
    return *end == '\0' && *number >= 1 && *number <= most;
}

static bool game_read(struct game *game, int argc, char **argv)
{
    unsigned words = 0;
    bool good = true;
    for (int i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "--times") == 0) {
            game->times = true;
        } else if (words++ == 0) {
            good = read_number(argv[i], BALLS_MAX, &game->balls);
        } else {
            good = words == 2 && read_number(argv[i], FRAMES_MAX, &game->frames);
        }
    }
    return good;
}

int main(int argc, char **argv)
{
    troupe_run_if_child(TROUPE_BEHAVIOURS(&referee));
    struct game game = {.balls = 1000, .frames = 2UL * FRAMES_A_SECOND};
    if (!game_read(&game, argc, argv)) {
        (void)fputs("usage: game_loop [BALLS [FRAMES]] [--times]\n", stderr);
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    enum troupe_err err = game_open(&game);
    err = err == TROUPE_OK ? game_run(&game) : err;
    if (err == TROUPE_OK && game.times) {
        game_print_times(&game);
    }
    if (err == TROUPE_OK) {
        printf(
            "%lu balls have bounced %" PRIu64 " times in %lu frames\n",
            game.balls,
            game.sent + game.unsent,
            game.frames);
        (void)fflush(stdout);
    } else {
        (void)fprintf(stderr, "game_loop: %s\n", troupe_error_detail());
    }
    /* The referee handles the rest of its messages before it ends. */
    return troupe_system_destroy(&game.system) == TROUPE_OK && err == TROUPE_OK ? 0 : 1;
}
