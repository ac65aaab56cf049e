/*
 * Threads print what executors do while actors start, work and end: names that end at the moment they are read,
 * callbacks that begin and end between two samples, a watchdog that samples all the time.
 */
#include "race.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { BORN = 1 };
enum { GENERATIONS = 2000, PRINTERS = 4, INBOX_GENERATIONS = 50 };

#define REPLY_NS UINT64_C(20000000000)

static _Atomic bool over;

static void mayfly_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    RACE_OK(troupe_reply(ctx, message, BORN, NULL, 0));
    troupe_stop(ctx);
}

static const struct troupe_behaviour mayfly = {.name = "mayfly", .receive = mayfly_receive};

static void *print(void *system)
{
    FILE *file = fopen("/dev/null", "w");
    RACE_CHECK(file != NULL);
    while (!atomic_load(&over)) {
        troupe_system_print_active(system, file);
    }
    (void)fclose(file);
    return NULL;
}

/** Start an actor, ask it, and have it end. */
static void run_one(troupe_inbox_t *inbox, int number)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "mayfly number %d", number);
    const struct troupe_spawn_options spawn = {.behaviour = &mayfly, .name = name};
    struct troupe_outgoing outgoing = {.type = BORN};
    troupe_message_t *reply = NULL;
    RACE_OK(troupe_spawn(troupe_inbox_context(inbox), &spawn, &outgoing.to));
    RACE_OK(troupe_inbox_ask(inbox, &outgoing, REPLY_NS, &reply));
    troupe_message_destroy(&reply);
}

int main(void)
{
    const char *const place[] = {"*=thread:2", NULL};
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&mayfly),
        .place = place,
        .callback_timeout_ns = 4000000, // the watchdog checks each millisecond
    };
    troupe_system_t *system = race_open(&options);
    troupe_inbox_t *inbox = NULL;
    pthread_t printers[PRINTERS];
    RACE_OK(troupe_inbox_new(system, &inbox));
    for (int i = 0; i < PRINTERS; i++) {
        RACE_CHECK(pthread_create(&printers[i], NULL, print, system) == 0);
    }
    for (int i = 0; i < GENERATIONS; i++) {
        if (i % INBOX_GENERATIONS == 0) { // inboxes come and go, too
            RACE_OK(troupe_inbox_destroy(&inbox));
            RACE_OK(troupe_inbox_new(system, &inbox));
        }
        run_one(inbox, i);
    }
    atomic_store(&over, true);
    for (int i = 0; i < PRINTERS; i++) {
        RACE_CHECK(pthread_join(printers[i], NULL) == 0);
    }
    RACE_OK(troupe_inbox_destroy(&inbox));
    RACE_CHECK(race_balances(system));
    RACE_OK(troupe_system_destroy(&system));
    return 0;
}
