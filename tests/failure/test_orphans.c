/*
 * A process that dies between reserving a row in another process and sending the START. Here the START is never sent: the
 * spawner is killed when its actor has been reserved, in a pool or in a process of its own.
 */
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "actor/executor.h"
#include "node/system.h"
#include "shared/reservations.h"
#include "shared/shared.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

TestSuite(orphans, .timeout = 60);

enum { WHO = 0x00660001, RESERVE };

/** Says where a row is that it has reserved, of an executor in another process, without ever sending the START. */
struct reserved {
    troupe_ref_t ref;
    int32_t pid;
};

/** Reserves a row for an actor on the executor in the message; the actor will never be started. */
static void reserver_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    const troupe_ref_t *peer = TROUPE_BODY(message, troupe_ref_t);
    struct troupe_executor *executor = trp_executor_of(ctx);
    struct trp_shared *shared = executor->runtime->shared;
    struct reserved reserved = {.ref = *peer, .pid = getpid()};
    MUST(troupe_send(ctx, *peer, ECHO_SPAWNED, NULL, 0)); // opens the channel; it ignores that
    trp_shared_lock(shared);
    struct trp_slot *slot = trp_shared_find_slot(shared, peer->executor);
    MUST_BE(slot != NULL);
    reserved.ref.index = atomic_fetch_add(&slot->row_count, 1);
    reserved.ref.generation = 1;
    MUST_BE(trp_reservation_take(shared, executor->id, peer->executor, reserved.ref.index) != 0);
    trp_shared_unlock(shared);
    REPORT(ctx, message, RESERVE, &reserved);
}

static const struct troupe_behaviour reserver = {.name = "reserver", .receive = reserver_receive};

static void monitor_it(troupe_context_t *ctx, void *data)
{
    troupe_ref_t nobody = *(const troupe_ref_t *)data;
    nobody.index += 1;
    MUST(troupe_monitor(ctx, *(const troupe_ref_t *)data, NULL));
    MUST(troupe_monitor(ctx, nobody, NULL)); // its DOWN says that the monitor before it has come
    MUST(troupe_send(ctx, *(const troupe_ref_t *)data, ECHO_REQUEST, NULL, 0)); // it is stashed
}

static void expect_told(const char *place)
{
    const struct fixture_placement placement = {.name = "pool", .place = place};
    struct fixture *fixture = fixture_open(
        &placement,
        &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&echo_behaviour, &reserver)});
    const struct troupe_spawn_options own = {.behaviour = &reserver, .place = "process"};
    troupe_ref_t peer = fixture_spawn(fixture, &echo_behaviour);
    troupe_ref_t spawner = fixture_spawn_with(fixture, &own);
    fixture_ask(fixture, spawner, RESERVE, &peer, sizeof(peer));
    struct reserved reserved = *FIXTURE_RECEIVE(fixture, RESERVE, struct reserved);
    fixture_call(fixture, monitor_it, &reserved.ref);
    const struct troupe_down *nobody =
        FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_DOWN, struct troupe_down);
    MUST_BE(!troupe_ref_equal(nobody->actor, reserved.ref));

    MUST_BE(kill(reserved.pid, SIGKILL) == 0);

    const struct troupe_down *down =
        FIXTURE_RECEIVE(fixture, TROUPE_MESSAGE_DOWN, struct troupe_down);
    cr_expect(troupe_ref_equal(down->actor, reserved.ref));
    cr_expect(eq(int, down->exit.reason, TROUPE_EXIT_INIT_FAILED));
    cr_expect(strstr(down->exit.text, "of its spawner died") != NULL, "%s", down->exit.text);
    uint64_t number = 4; // and who is there goes on
    fixture_ask(fixture, peer, ECHO_REQUEST, &number, sizeof(number));
    cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, ECHO_REPLY, uint64_t), number));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_UNDELIVERABLE], 1));
}

Test(orphans, an_actor_whose_start_never_came_is_told_as_failed)
{
    expect_told("process:2");
    expect_told("process:2+tcp");
}

SUBJECTS(&echo_behaviour, &reserver);
