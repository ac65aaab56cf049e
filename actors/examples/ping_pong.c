/*
 * Two actors throw a ball back and forth, and the one who serves counts the rounds.
 *
 *     ./ping_pong [ROUNDS]
 *     ./ping_pong 100000 --place 'pong=thread'
 *
 * Shows a struct as a message, replying to whoever sent it, and words of the command line.
 */
#include <troupe/troupe.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS_MAX = 1000000000, BALL = 1 };

struct ball {
    uint64_t round;
};

/* Pong throws back what it gets. */

static void pong_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    const struct ball *ball = TROUPE_BODY(message, struct ball);
    const enum troupe_err err = troupe_reply(ctx, message, BALL, ball, sizeof(*ball));
    if (err != TROUPE_OK) {
        troupe_fail(ctx, 1, troupe_err_text(err));
    }
}

static const struct troupe_behaviour pong = {.name = "pong", .receive = pong_receive};

/* Ping serves, and stops after the last round. */

struct ping {
    troupe_ref_t pong;
    uint64_t rounds;
};

static enum troupe_err ping_serve(troupe_context_t *ctx, const struct ping *self, uint64_t round)
{
    return TROUPE_SEND(ctx, self->pong, BALL, &(struct ball){.round = round});
}

static enum troupe_err ping_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct ping *self = state;
    const char *rounds = troupe_args_next(args, args_bytes, NULL);
    char *end = NULL;
    self->rounds = rounds != NULL ? strtoull(rounds, &end, 10) : 10000;
    if (self->rounds < 1 || self->rounds > ROUNDS_MAX || (end != NULL && *end != '\0')) {
        troupe_fail(ctx, 2, "ROUNDS is a number from 1 to 1000000000, as in: ping_pong 1000");
        return TROUPE_OK;
    }
    const enum troupe_err err =
        troupe_spawn(ctx, &(struct troupe_spawn_options){.behaviour = &pong}, &self->pong);
    return err == TROUPE_OK ? ping_serve(ctx, self, 1) : err;
}

static void ping_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct ping *self = state;
    const struct ball *ball = TROUPE_BODY(message, struct ball);
    if (ball->round == self->rounds) {
        printf("%" PRIu64 " rounds\n", ball->round);
        troupe_stop(ctx);
        return;
    }
    const enum troupe_err err = ping_serve(ctx, self, ball->round + 1);
    if (err != TROUPE_OK) {
        troupe_fail(ctx, 1, troupe_err_text(err));
    }
}

static const struct troupe_behaviour ping = {
    .name = "ping",
    .usage = "[ROUNDS]",
    .state_bytes = sizeof(struct ping),
    .init = ping_init,
    .receive = ping_receive,
};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&ping, &pong));
}
