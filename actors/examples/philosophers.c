/*
 * Shows timers, random numbers from the context, and one actor that guards what several want: five
 * philosophers share five forks, and a waiter hands out two at a time, so that none starves.
 *
 *     ./philosophers --seed 7 --place 'philosopher=thread'
 */
#include <troupe/troupe.h>

#include <stdio.h>

enum { PLACES = 5, MEALS = 20, EAT = 1, EATEN = 2 };

/** A philosopher eats when told to, for up to 100 µs, and then reports it. */
static void philosopher_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const struct troupe_outgoing eaten = {
        .to = troupe_message_sender(message),
        .type = EATEN,
        .body = troupe_message_body(message),
        .body_bytes = troupe_message_body_bytes(message),
    };
    troupe_check(ctx, troupe_send_after(ctx, troupe_random(ctx) % 100000, &eaten, NULL));
}

static const struct troupe_behaviour philosopher = {
    .name = "philosopher", .receive = philosopher_receive};

/* The waiter holds the forks: one at each place. A philosopher eats with it and the next place's. */
struct waiter {
    troupe_ref_t philosophers[PLACES];
    bool fork_taken[PLACES];
    unsigned meals[PLACES];
    unsigned meals_sum;
};

/** Let each philosopher eat whose forks are free and who has not eaten more often than a neighbour. */
static void waiter_serve(troupe_context_t *ctx, struct waiter *self)
{
    for (uint32_t place = 0; place < PLACES; place++) {
        const uint32_t next = (place + 1) % PLACES;
        const unsigned meals = self->meals[place];
        const bool free = !self->fork_taken[place] && !self->fork_taken[next];
        const bool ahead = meals > self->meals[next] || meals > self->meals[(place + 4) % PLACES];
        if (free && !ahead && meals < MEALS) {
            const enum troupe_err err = TROUPE_SEND(ctx, self->philosophers[place], EAT, &place);
            if (err == TROUPE_ERR_FULL || !troupe_check(ctx, err)) {
                return; /* After FULL there will be a ROOM. */
            }
            self->fork_taken[place] = self->fork_taken[next] = true;
        }
    }
}

static enum troupe_err waiter_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct waiter *self = state;
    for (int place = 0; place < PLACES; place++) {
        if (!troupe_check(
                ctx, TROUPE_SPAWN(ctx, &self->philosophers[place], .behaviour = &philosopher))) {
            return TROUPE_OK;
        }
    }
    waiter_serve(ctx, self);
    return TROUPE_OK;
}

static void waiter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct waiter *self = state;
    const uint32_t *body = TROUPE_BODY(message, uint32_t);
    if (troupe_message_type(message) == EATEN && body != NULL) {
        const uint32_t place = *body % PLACES;
        self->fork_taken[place] = self->fork_taken[(place + 1) % PLACES] = false;
        self->meals[place]++;
        self->meals_sum++;
    }
    waiter_serve(ctx, self);
    for (int i = 0; i < PLACES && self->meals_sum == PLACES * MEALS; i++) {
        printf("philosopher %d ate %u times\n", i, self->meals[i]);
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour waiter = {
    .name = "waiter",
    .state_bytes = sizeof(struct waiter),
    .init = waiter_init,
    .receive = waiter_receive,
};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&waiter, &philosopher));
}
