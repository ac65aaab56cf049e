#include "cast.h"

#include "audit.h"
#include "fixture.h"
#include "measure.h"

#include <string.h>

static void echo_spawn(troupe_context_t *ctx, const troupe_message_t *message)
{
    struct cast_spawned spawned = {.ref = TROUPE_REF_NONE};
    spawned.err = cast_spawn(ctx, troupe_message_body(message), &spawned.ref);
    REPORT(ctx, message, CAST_SPAWNED, &spawned);
}

static void echo_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    switch (troupe_message_type(message)) {
    case CAST_SAY:
        MUST(troupe_reply(
            ctx,
            message,
            CAST_SAID,
            troupe_message_body(message),
            troupe_message_body_bytes(message)));
        break;
    case CAST_LEAVE:
        troupe_stop(ctx);
        break;
    case CAST_SPAWN:
        echo_spawn(ctx, message);
        break;
    default:
        break;
    }
}

const struct troupe_behaviour cast_echo = {.name = "echo", .receive = echo_receive};

troupe_system_t *cast_new(void)
{
    static const struct troupe_behaviour *const behaviours[] = {&cast_echo, NULL};
    const struct troupe_system_options options = {
        .behaviours = behaviours,
        .stop_timeout_ns = CAST_DEADLINE_NS,
    };
    troupe_system_t *system = NULL;
    MUST(troupe_system_new(&options, &system));
    return system;
}

troupe_inbox_t *cast_port(troupe_system_t *system)
{
    troupe_inbox_t *port = NULL;
    MUST(troupe_inbox_new(system, &port));
    return port;
}

void cast_end(troupe_system_t **system_p, troupe_inbox_t **port_p)
{
    MUST(troupe_inbox_destroy(port_p));
    troupe_system_stop(*system_p);
    MUST(troupe_system_run(*system_p));
    audit_and_destroy(system_p);
}

enum troupe_err cast_spawn(troupe_context_t *ctx, const char *place, troupe_ref_t *out_ref)
{
    const struct troupe_spawn_options options = {.behaviour = &cast_echo, .place = place};
    return troupe_spawn(ctx, &options, out_ref);
}

enum troupe_err cast_ask(troupe_inbox_t *port, troupe_ref_t echo, uint64_t number)
{
    const struct troupe_outgoing letter = {
        .to = echo,
        .type = CAST_SAY,
        .body = &number,
        .body_bytes = sizeof(number),
    };
    troupe_message_t *answer = NULL;
    enum troupe_err err = troupe_inbox_ask(port, &letter, CAST_DEADLINE_NS, &answer);
    if (err == TROUPE_OK) {
        const uint64_t *said = TROUPE_BODY(answer, uint64_t);
        MUST_BE(troupe_message_type(answer) == CAST_SAID);
        MUST_BE(said != NULL && *said == number);
        troupe_message_destroy(&answer);
    }
    return err;
}

struct cast_spawned cast_ask_to_spawn(troupe_inbox_t *port, troupe_ref_t echo, const char *place)
{
    const struct troupe_outgoing letter = {
        .to = echo,
        .type = CAST_SPAWN,
        .body = place,
        .body_bytes = strlen(place) + 1,
    };
    troupe_message_t *answer = NULL;
    MUST(troupe_inbox_ask(port, &letter, CAST_DEADLINE_NS, &answer));
    const struct cast_spawned *body = TROUPE_BODY(answer, struct cast_spawned);
    MUST_BE(body != NULL);
    struct cast_spawned spawned = *body;
    troupe_message_destroy(&answer);
    return spawned;
}

void cast_wait_for_ends(troupe_system_t *system, troupe_inbox_t *port, uint64_t executor_count)
{
    uint64_t deadline_ns = measure_now_ns() + CAST_DEADLINE_NS;
    struct troupe_stats stats;
    for (;;) {
        troupe_system_stats(system, &stats);
        if (stats.executors_ended >= executor_count) {
            return;
        }
        MUST_BE(measure_now_ns() < deadline_ns);
        troupe_message_t *message = NULL;
        fixture_ignore(troupe_inbox_receive(port, MEASURE_MS_NS, &message));
        troupe_message_destroy(&message);
    }
}
