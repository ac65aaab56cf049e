/*
 * Shows a struct as a message, words of the command line, and what to do when a mailbox is full: two
 * actors throw a ball back and forth, and the first one counts the rounds.
 *
 *     ./ping_pong [ROUNDS]
 *     ./ping_pong 100000 --place 'pong=thread'
 */
#include <troupe/troupe.h>

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS_MAX = 1000000000, BALL = 1 };

struct ball {
    unsigned long round;
};

struct player {
    troupe_ref_t other;
    struct ball ball; /* As it is thrown, and thrown again when there was no room. */
    unsigned long rounds;
};

static void throw_ball(troupe_context_t *ctx, const struct player *self)
{
    const enum troupe_err err = TROUPE_SEND(ctx, self->other, BALL, &self->ball);
    if (err != TROUPE_ERR_FULL) { // after FULL there will be a ROOM
        troupe_check(ctx, err);
    }
}

static void pong_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct player *self = state;
    const struct ball *ball = TROUPE_BODY(message, struct ball);
    if (troupe_message_type(message) == BALL && ball != NULL) {
        self->other = troupe_message_sender(message);
        self->ball = *ball;
    }
    throw_ball(ctx, self); // back, or at ROOM once more
}

static const struct troupe_behaviour pong = {
    .name = "pong",
    .state_bytes = sizeof(struct player),
    .receive = pong_receive,
};

static enum troupe_err ping_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct player *self = state;
    const char *rounds = troupe_args_next(args, args_bytes, NULL);
    char *end = NULL;
    self->rounds = rounds != NULL ? strtoul(rounds, &end, 10) : 10000;
    if (self->rounds < 1 || self->rounds > ROUNDS_MAX || (end != NULL && *end != '\0')) {
        troupe_fail(ctx, 2, "ROUNDS is a number from 1 to 1000000000, as in: ping_pong 1000");
        return TROUPE_OK;
    }
    if (troupe_check(ctx, TROUPE_SPAWN(ctx, &self->other, .behaviour = &pong))) {
        self->ball.round = 1;
        throw_ball(ctx, self);
    }
    return TROUPE_OK;
}

static void ping_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct player *self = state;
    if (troupe_message_type(message) == BALL) {
        if (self->ball.round == self->rounds) {
            printf("%lu rounds\n", self->rounds);
            troupe_stop(ctx);
            return;
        }
        self->ball.round++;
    }
    throw_ball(ctx, self);
}

static const struct troupe_behaviour ping = {
    .name = "ping",
    .usage = "[ROUNDS]",
    .state_bytes = sizeof(struct player),
    .init = ping_init,
    .receive = ping_receive,
};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&ping, &pong));
}
