#include "echo_system.h"

#include "audit.h"
#include "fixture.h"
#include "measure.h"

#include <string.h>

static void echo_on_spawn(troupe_context_t *ctx, const troupe_message_t *message)
{
    struct echo_spawned spawned = {.ref = TROUPE_REF_NONE};
    spawned.err = echo_spawn(ctx, troupe_message_body(message), &spawned.ref);
    REPORT(ctx, message, ECHO_SPAWNED, &spawned);
}

static void echo_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    switch (troupe_message_type(message)) {
    case ECHO_REQUEST:
        MUST(troupe_reply(
            ctx,
            message,
            ECHO_REPLY,
            troupe_message_body(message),
            troupe_message_body_bytes(message)));
        break;
    case ECHO_STOP:
        troupe_stop(ctx);
        break;
    case ECHO_SPAWN:
        echo_on_spawn(ctx, message);
        break;
    default:
        break;
    }
}

const struct troupe_behaviour echo_behaviour = {.name = "echo", .receive = echo_receive};

troupe_system_t *echo_system_new(void)
{
    static const struct troupe_behaviour *const behaviours[] = {&echo_behaviour, NULL};
    const struct troupe_system_options options = {
        .behaviours = behaviours,
        .stop_timeout_ns = ECHO_DEADLINE_NS,
    };
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    return system;
}

troupe_inbox_t *echo_inbox_new(troupe_system_t *system)
{
    troupe_inbox_t *inbox = NULL;
    MUST(troupe_inbox_new(system, &inbox));
    return inbox;
}

void echo_system_end(troupe_system_t **system_p, troupe_inbox_t **inbox_p)
{
    MUST(troupe_inbox_destroy(inbox_p));
    troupe_system_stop(*system_p);
    MUST(troupe_system_run(*system_p));
    audit_and_destroy(system_p);
}

enum troupe_err echo_spawn(troupe_context_t *ctx, const char *place, troupe_ref_t *out_ref)
{
    const struct troupe_spawn_options options = {.behaviour = &echo_behaviour, .place = place};
    return troupe_spawn(ctx, &options, out_ref);
}

enum troupe_err echo_ask(troupe_inbox_t *inbox, troupe_ref_t echo, uint64_t number)
{
    const struct troupe_outgoing outgoing = {
        .to = echo,
        .type = ECHO_REQUEST,
        .body = &number,
        .body_bytes = sizeof(number),
    };
    troupe_message_t *reply = NULL;
    enum troupe_err err = troupe_inbox_ask(inbox, &outgoing, ECHO_DEADLINE_NS, &reply);
    if (err == TROUPE_OK) {
        const uint64_t *number_back = TROUPE_BODY(reply, uint64_t);
        MUST_BE(troupe_message_type(reply) == ECHO_REPLY);
        MUST_BE(number_back != NULL && *number_back == number);
        troupe_message_destroy(&reply);
    }
    return err;
}

struct echo_spawned echo_ask_to_spawn(troupe_inbox_t *inbox, troupe_ref_t echo, const char *place)
{
    const struct troupe_outgoing outgoing = {
        .to = echo,
        .type = ECHO_SPAWN,
        .body = place,
        .body_bytes = strlen(place) + 1,
    };
    troupe_message_t *reply = NULL;
    MUST(troupe_inbox_ask(inbox, &outgoing, ECHO_DEADLINE_NS, &reply));
    const struct echo_spawned *body = TROUPE_BODY(reply, struct echo_spawned);
    MUST_BE(body != NULL);
    struct echo_spawned spawned = *body;
    troupe_message_destroy(&reply);
    return spawned;
}

void echo_wait_for_exits(troupe_system_t *system, troupe_inbox_t *inbox, uint64_t executor_count)
{
    uint64_t deadline_ns = measure_now_ns() + ECHO_DEADLINE_NS;
    struct troupe_stats stats;
    for (;;) {
        troupe_system_stats(system, &stats);
        if (stats.executors_ended >= executor_count) {
            return;
        }
        MUST_BE(measure_now_ns() < deadline_ns);
        troupe_message_t *message = NULL;
        fixture_ignore(troupe_inbox_receive(inbox, MEASURE_MS_NS, &message));
        troupe_message_destroy(&message);
    }
}
