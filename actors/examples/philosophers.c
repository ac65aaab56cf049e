/*
 * Five philosophers share five forks; a waiter hands out two at a time, so nobody starves.
 *
 *     ./philosophers --seed 7 --place 'philosopher=thread'
 *
 * Shows timers, chance that comes from the context, and how one actor guards what many want.
 */
#include <troupe/troupe.h>

#include <stdio.h>

enum { SEATS = 5, MEALS = 20, EAT = 1, EATEN = 2 };

static void check(troupe_context_t *ctx, enum troupe_err err)
{
    if (err != TROUPE_OK && err != TROUPE_ERR_FULL) { // after FULL there will be a ROOM
        troupe_fail(ctx, 1, troupe_strerror(err));
    }
}

/** A philosopher thinks until asked to eat, and says so after up to 100 µs of eating. */
static void philosopher_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    const struct troupe_outgoing eaten = {
        .to = troupe_message_sender(message),
        .type = EATEN,
        .body = troupe_message_body(message),
        .body_bytes = troupe_message_body_bytes(message),
    };
    check(ctx, troupe_send_after(ctx, troupe_random(ctx) % 100000, &eaten, NULL));
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

/** Let all eat who find both forks free and have not eaten more often than a neighbour. */
static void waiter_serve(troupe_context_t *ctx, struct waiter *self)
{
    for (uint32_t seat = 0; seat < SEATS; seat++) {
        const uint32_t next = (seat + 1) % SEATS;
        const unsigned meals = self->meals[seat];
        const bool free = !self->fork_taken[seat] && !self->fork_taken[next];
        const bool ahead = meals > self->meals[next] || meals > self->meals[(seat + 4) % SEATS];
        if (free && !ahead && meals < MEALS) {
            const enum troupe_err err = TROUPE_SEND(ctx, self->philosophers[seat], EAT, &seat);
            self->fork_taken[seat] = self->fork_taken[next] = err == TROUPE_OK;
            check(ctx, err);
        }
    }
}

static enum troupe_err waiter_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)args, (void)args_bytes;
    struct waiter *self = state;
    for (int seat = 0; seat < SEATS; seat++) {
        const struct troupe_spawn_options options = {.behaviour = &philosopher};
        check(ctx, troupe_spawn(ctx, &options, &self->philosophers[seat]));
    }
    waiter_serve(ctx, self);
    return TROUPE_OK;
}

static void waiter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct waiter *self = state;
    if (troupe_message_type(message) == EATEN) {
        const uint32_t seat = *TROUPE_BODY(message, uint32_t);
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
