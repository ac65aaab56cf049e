/*
 * Shows many actors, each of which gets its neighbour as the argument of its spawn: they stand in a ring
 * and pass a token on, and each adds one to it.
 *
 *     ./ring [ACTORS]
 *     ./ring 1000 --place 'node=thread:2'
 */
#include <troupe/troupe.h>

#include <stdio.h>
#include <stdlib.h>

enum { ACTORS_MAX = 1000000, LAPS = 100, TOKEN = 1 };

struct node {
    troupe_ref_t next;
    unsigned long hops; /* Of the token. */
};

static void node_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct node *self = state;
    const unsigned long *hops = TROUPE_BODY(message, unsigned long);
    if (troupe_message_type(message) == TOKEN && hops != NULL) {
        self->hops = *hops + 1;
    }
    const enum troupe_err err = TROUPE_SEND(ctx, self->next, TOKEN, &self->hops);
    if (err != TROUPE_ERR_FULL) { // after FULL there will be a ROOM
        troupe_check(ctx, err);
    }
}

static enum troupe_err node_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    const troupe_ref_t *next = TROUPE_ARGS(args, args_bytes, troupe_ref_t);
    if (next == NULL) {
        return TROUPE_ERR_INVAL;
    }
    ((struct node *)state)->next = *next;
    return TROUPE_OK;
}

static const struct troupe_behaviour node = {
    .name = "node",
    .state_bytes = sizeof(struct node),
    .init = node_init,
    .receive = node_receive,
};

/* The ring stands between the last node and the first, and ends after the last lap. */
struct ring {
    struct node node;
    unsigned long actors;
};

static enum troupe_err ring_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct ring *self = state;
    const char *actors = troupe_args_next(args, args_bytes, NULL);
    char *end = NULL;
    self->actors = actors != NULL ? strtoul(actors, &end, 10) : 100;
    if (self->actors < 1 || self->actors > ACTORS_MAX || (end != NULL && *end != '\0')) {
        troupe_fail(ctx, 2, "ACTORS is a number from 1 to 1000000, as in: ring 100");
        return TROUPE_OK;
    }
    self->node.next = troupe_self(ctx);
    enum troupe_err err = TROUPE_OK;
    for (unsigned long i = 1; i < self->actors && err == TROUPE_OK; i++) {
        const troupe_ref_t next = self->node.next;
        err = TROUPE_SPAWN(
            ctx, &self->node.next, .behaviour = &node, .args = &next, .args_bytes = sizeof(next));
    }
    return err == TROUPE_OK ? TROUPE_SEND(ctx, self->node.next, TOKEN, &(unsigned long){1}) : err;
}

static void ring_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct ring *self = state;
    const unsigned long *hops = TROUPE_BODY(message, unsigned long);
    if (hops != NULL && *hops == self->actors * LAPS) {
        printf("%lu actors passed the token on %lu times\n", self->actors, *hops);
        troupe_stop(ctx);
    } else {
        node_receive(ctx, &self->node, message);
    }
}

static const struct troupe_behaviour ring = {
    .name = "ring",
    .usage = "[ACTORS]",
    .state_bytes = sizeof(struct ring),
    .init = ring_init,
    .receive = ring_receive,
};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&ring, &node));
}
