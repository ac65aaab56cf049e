/*
 * Shows timers, random numbers from the context, and one actor that guards what several want: five
 * philosophers share five forks, and a waiter hands out two at a time, so that none starves.
 *
 *     ./philosophers --seed 7 --place 'philosopher=thread'
 */
#include <troupe/troupe.h>

#include <stdio.h>

enum { SEATS = 5, MEALS = 20, EAT = 1, EATEN = 2 };

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

/* The waiter holds the forks: one at each seat. A philosopher eats with it and the next seat's. */
struct waiter {
    troupe_ref_t philosophers[SEATS];
    bool fork_taken[SEATS];
    unsigned meals[SEATS];
    unsigned meals_sum;
};

/** Let each philosopher eat whose forks are free and who has not eaten more often than a neighbour. */
static void waiter_serve(troupe_context_t *ctx, struct waiter *self)
{
    for (uint32_t seat = 0; seat < SEATS; seat++) {
        const uint32_t next = (seat + 1) % SEATS;
        const unsigned meals = self->meals[seat];
        const bool free = !self->fork_taken[seat] && !self->fork_taken[next];
        const bool ahead = meals > self->meals[next] || meals > self->meals[(seat + 4) % SEATS];
        if (free && !ahead && meals < MEALS) {
            const enum troupe_err err = TROUPE_SEND(ctx, self->philosophers[seat], EAT, &seat);
            if (err == TROUPE_ERR_FULL || !troupe_check(ctx, err)) {
                return; /* After FULL there will be a ROOM. */
            }
            self->fork_taken[seat] = self->fork_taken[next] = true;
        }
    }
}

static enum troupe_err waiter_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct waiter *self = state;
    for (int seat = 0; seat < SEATS; seat++) {
        if (!troupe_check(
                ctx, TROUPE_SPAWN(ctx, &self->philosophers[seat], .behaviour = &philosopher))) {
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
        const uint32_t seat = *body % SEATS;
        self->fork_taken[seat] = self->fork_taken[(seat + 1) % SEATS] = false;
        self->meals[seat]++;
        self->meals_sum++;
    }
    waiter_serve(ctx, self);
    for (int i = 0; i < SEATS && self->meals_sum == SEATS * MEALS; i++) {
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
