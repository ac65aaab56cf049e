/*
 * Who looks at what others are at while they come, work and go: names that end at the moment they are
 * read, callbacks that begin and end between two looks, a watchdog that looks all the time.
 */
#include "race.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { BORN = 1 };
enum { GENERATIONS = 2000, LOOKERS = 4, PORT_GENERATIONS = 50 };

#define ANSWER_NS UINT64_C(20000000000)

static _Atomic bool over;

static void mayfly_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    RACE_OK(troupe_reply(ctx, message, BORN, NULL, 0));
    troupe_stop(ctx);
}

static const struct troupe_behaviour mayfly = {.name = "mayfly", .receive = mayfly_receive};

static void *look(void *system)
{
    FILE *file = fopen("/dev/null", "w");
    RACE_CHECK(file != NULL);
    while (!atomic_load(&over)) {
        troupe_system_print_active(system, file);
    }
    (void)fclose(file);
    return NULL;
}

/** Have one live, answer and end. */
static void beget(troupe_inbox_t *port, int number)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "mayfly number %d", number);
    const struct troupe_spawn_options spawn = {.behaviour = &mayfly, .name = name};
    struct troupe_outgoing letter = {.type = BORN};
    troupe_message_t *answer = NULL;
    RACE_OK(troupe_spawn(troupe_inbox_context(port), &spawn, &letter.to));
    RACE_OK(troupe_inbox_ask(port, &letter, ANSWER_NS, &answer));
    troupe_message_destroy(&answer);
}

int main(void)
{
    const char *const place[] = {"*=thread:2", NULL};
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&mayfly),
        .place = place,
        .callback_timeout_ns = 4000000, // its warden looks each millisecond
    };
    troupe_system_t *system = race_open(&options);
    troupe_inbox_t *port = NULL;
    pthread_t lookers[LOOKERS];
    RACE_OK(troupe_inbox_new(system, &port));
    for (int i = 0; i < LOOKERS; i++) {
        RACE_CHECK(pthread_create(&lookers[i], NULL, look, system) == 0);
    }
    for (int i = 0; i < GENERATIONS; i++) {
        if (i % PORT_GENERATIONS == 0) { // ports come and go, too
            RACE_OK(troupe_inbox_destroy(&port));
            RACE_OK(troupe_inbox_new(system, &port));
        }
        beget(port, i);
    }
    atomic_store(&over, true);
    for (int i = 0; i < LOOKERS; i++) {
        RACE_CHECK(pthread_join(lookers[i], NULL) == 0);
    }
    RACE_OK(troupe_inbox_destroy(&port));
    RACE_CHECK(race_balances(system));
    RACE_OK(troupe_system_destroy(&system));
    return 0;
}
