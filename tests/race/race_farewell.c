/*
 * Executors in a ring that end at the same moment, each with a channel to the next one only: none of them has a
 * channel on which it could send a CLOSE_REQUEST to the executor that sends to it, and all of them end.
 */
#include "race.h"

enum { INTRODUCTION = 1, HELLO };
enum { ROUNDS = 60, RING_MAX = 5 };

static pthread_barrier_t barrier;

struct leaver {
    uint32_t received; // an introduction and a hello, in either order
};

static void leaver_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct leaver *leaver = state;
    if (troupe_message_type(message) == INTRODUCTION) {
        RACE_OK(troupe_send(ctx, *TROUPE_BODY(message, troupe_ref_t), HELLO, NULL, 0));
        troupe_flush(ctx); // before this thread waits
    }
    if (++leaver->received == 2) {
        (void)pthread_barrier_wait(&barrier); // all have their channels, and now end together
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour leaver = {
    .name = "leaver",
    .state_bytes = sizeof(struct leaver),
    .receive = leaver_receive,
};

static void run(uint32_t count)
{
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&leaver)};
    troupe_system_t *system = race_open(&options);
    troupe_context_t *ctx = troupe_system_context(system);
    troupe_ref_t ring[RING_MAX];
    RACE_CHECK(pthread_barrier_init(&barrier, NULL, count) == 0);
    for (uint32_t i = 0; i < count; i++) {
        ring[i] = race_spawn(ctx, &leaver, "thread", NULL, 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        RACE_OK(TROUPE_SEND(ctx, ring[i], INTRODUCTION, &ring[(i + 1) % count]));
    }
    troupe_system_stop(system); // takes effect after all messages were received
    RACE_OK(troupe_system_run(system));
    RACE_CHECK(race_balances(system));
    RACE_OK(troupe_system_destroy(&system));
    RACE_CHECK(pthread_barrier_destroy(&barrier) == 0);
}

int main(void)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        run(2 + i % (RING_MAX - 1));
    }
    (void)printf("farewell: %d rings of executors ended at once\n", ROUNDS);
    return 0;
}
