/*
 * Names and dead letters from many threads: clerks register names, look them up, wait for them, unregister them,
 * send to actors that have ended, and subscribe to dead letters. Foreign threads look names up meanwhile.
 */
#include "race.h"

#include <stdatomic.h>
#include <stdio.h>

enum { TICK = 1, GREETING, DONE };
enum { CLERKS = 8, TICKS = 400, NAMES = 6, WATCHERS = 2 };

static _Atomic bool over;
static _Atomic uint32_t watchers_left = WATCHERS;
static _Atomic uint32_t dead_letters;

struct clerk {
    troupe_ref_t director;
    uint32_t ticks;
    troupe_ref_t last; // an actor that was registered as a name once
};

static void name_of(uint32_t which, char name[16])
{
    (void)snprintf(name, 16, "name-%u", which % NAMES);
}

static void clerk_found(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    struct clerk *clerk = state;
    RACE_CHECK(err == TROUPE_OK || err == TROUPE_ERR_TIMEDOUT);
    if (err == TROUPE_OK) {
        const troupe_ref_t *ref = TROUPE_BODY(reply, troupe_ref_t);
        RACE_CHECK(ref != NULL && !troupe_ref_is_none(*ref));
        clerk->last = *ref;
    }
    (void)ctx;
    (void)tag;
}

static void clerk_act(troupe_context_t *ctx, struct clerk *clerk)
{
    char name[16];
    troupe_ref_t found;
    uint32_t chance = (uint32_t)troupe_random(ctx);
    name_of(chance >> 8, name);
    enum troupe_err err = TROUPE_OK;
    switch (chance % 7) {
    case 0:
        err = troupe_register(ctx, name);
        RACE_CHECK(err == TROUPE_OK || err == TROUPE_ERR_EXISTS);
        break;
    case 1:
        err = troupe_unregister(ctx, name);
        RACE_CHECK(err == TROUPE_OK || err == TROUPE_ERR_NOENT);
        break;
    case 2:
        err = troupe_lookup(ctx, name, &found);
        RACE_CHECK(err == TROUPE_OK || err == TROUPE_ERR_NOENT);
        clerk->last = err == TROUPE_OK ? found : clerk->last;
        break;
    case 3:
        RACE_OK(troupe_await_name(
            ctx,
            name,
            &(const struct troupe_ask_options){.timeout_ns = 1000000, .on_reply = clerk_found}));
        break;
    case 4:
        RACE_OK(troupe_dead_letters_subscribe(ctx, true));
        break;
    case 5:
        (void)!troupe_dead_letters_subscribe(ctx, false);
        break;
    default:
        if (!troupe_ref_is_none(clerk->last)) {
            race_send(ctx, clerk->last, GREETING);
        }
        break;
    }
}

static enum troupe_err clerk_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct clerk *clerk = state;
    RACE_CHECK(args_bytes == sizeof(clerk->director));
    clerk->director = *(const troupe_ref_t *)args;
    return troupe_send(ctx, troupe_self(ctx), TICK, NULL, 0);
}

static void clerk_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct clerk *clerk = state;
    switch (troupe_message_type(message)) {
    case TICK:
        clerk_act(ctx, clerk);
        if (++clerk->ticks < TICKS) {
            RACE_OK(troupe_send(ctx, troupe_self(ctx), TICK, NULL, 0));
        } else {
            RACE_OK(troupe_send(ctx, clerk->director, DONE, NULL, 0));
            troupe_stop(ctx); // its names are free again, and its subscription ends
        }
        break;
    case TROUPE_MESSAGE_DEAD_LETTER:
        RACE_CHECK(TROUPE_BODY(message, struct troupe_dead_letter) != NULL);
        atomic_fetch_add(&dead_letters, 1);
        break;
    default:
        break;
    }
}

static const struct troupe_behaviour clerk = {
    .name = "clerk",
    .state_bytes = sizeof(struct clerk),
    .init = clerk_init,
    .receive = clerk_receive,
};

struct director {
    uint32_t begun;
    uint32_t done;
};

static void director_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct director *director = state;
    troupe_ref_t self = troupe_self(ctx);
    director->done += troupe_message_type(message) == DONE ? 1 : 0;
    // First all start at once, then one for each that ends.
    uint32_t wanted = director->done == 0 ? CLERKS : CLERKS + director->done;
    for (; director->begun < wanted && director->begun < 3 * CLERKS; director->begun++) {
        (void)race_spawn(
            ctx, &clerk, director->begun % 2 == 0 ? "thread" : "thread:3", &self, sizeof(self));
    }
    if (director->done == 3 * CLERKS) {
        atomic_store(&over, true);
    }
}

static const struct troupe_behaviour director = {
    .name = "director",
    .state_bytes = sizeof(struct director),
    .receive = director_receive,
};

static void *watch(void *data)
{
    troupe_system_t *system = data;
    troupe_inbox_t *inbox = NULL;
    RACE_OK(troupe_inbox_new(system, &inbox));
    troupe_context_t *ctx = troupe_inbox_context(inbox);
    uint32_t which = 0;
    while (!atomic_load(&over)) {
        char name[16];
        troupe_ref_t found;
        name_of(which++, name);
        if (troupe_lookup(ctx, name, &found) == TROUPE_OK) {
            race_send(ctx, found, GREETING);
        }
        troupe_message_t *message = NULL;
        if (troupe_inbox_receive(inbox, 200000, &message) == TROUPE_OK) {
            troupe_message_destroy(&message);
        }
    }
    RACE_OK(troupe_inbox_destroy(&inbox));
    if (atomic_fetch_sub(&watchers_left, 1) == 1) {
        troupe_system_stop(system);
    }
    return NULL;
}

int main(void)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&director, &clerk),
    };
    troupe_system_t *system = race_open(&options);
    troupe_context_t *ctx = troupe_system_context(system);
    troupe_ref_t ref = race_spawn(ctx, &director, NULL, NULL, 0);
    RACE_OK(troupe_send(ctx, ref, TICK, NULL, 0));
    pthread_t watchers[WATCHERS];
    for (size_t i = 0; i < WATCHERS; i++) {
        watchers[i] = race_thread(watch, system);
    }
    (void)race_close(&system, "names");
    for (size_t i = 0; i < WATCHERS; i++) {
        race_join(watchers[i]);
    }
    (void)printf("names: %u notices of dead letters\n", dead_letters);
    return 0;
}
