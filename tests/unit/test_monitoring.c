/*
 * Commands of monitors and probes of deadlocks that come late, twice or from the dead. They are handed to the executor as if a
 * frame had brought them; what else it needs is real.
 */
#include "actor/actor_table.h"
#include "actor/asks.h"
#include "actor/deadlock.h"
#include "actor/executor.h"
#include "actor/monitor.h"
#include "actor/monitor_command.h"
#include "node/system.h"
#include "shared/shared.h"
#include "troupe/troupe.h"
#include "wire/format.h"
#include "wire/frame_read.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

TestSuite(monitoring, .timeout = 30);

enum { WAIT_FOR = 1, HOP_NAME_BYTES = 24 };

static troupe_system_t *system_under_test;
static troupe_ref_t first;
static troupe_ref_t second;

static void on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)state, (void)tag, (void)err, (void)reply;
}

/** Told to wait for another actor, it asks that exclusively; it never replies. */
static void waiter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    const troupe_ref_t *to = TROUPE_BODY(message, troupe_ref_t);
    if (to == NULL) {
        return;
    }
    const struct troupe_outgoing outgoing = {.to = *to, .type = WAIT_FOR + 1};
    const struct troupe_ask_options plain = {.on_reply = on_reply, .tag = 1};
    const struct troupe_ask_options exclusive = {.on_reply = on_reply, .tag = 2, .exclusive = true};
    cr_assert(eq(int, troupe_ask(ctx, &outgoing, &plain), TROUPE_OK));
    cr_assert(eq(int, troupe_ask(ctx, &outgoing, &exclusive), TROUPE_OK));
}

static const struct troupe_behaviour waiter = {.name = "waiter", .receive = waiter_receive};

static void progress(void)
{
    for (int i = 0; i < 5; i++) {
        cr_assert(eq(int, troupe_system_progress(system_under_test, NULL), TROUPE_OK));
    }
}

/** Make a system with two actors on executor 0. */
static struct troupe_executor *setup(void)
{
    const struct troupe_system_options options = {.behaviours = TROUPE_BEHAVIOURS(&waiter)};
    const struct troupe_spawn_options spawn = {.behaviour = &waiter};
    cr_assert(eq(int, troupe_system_new(&options, &system_under_test), TROUPE_OK));
    troupe_context_t *ctx = troupe_system_context(system_under_test);
    cr_assert(eq(int, troupe_spawn(ctx, &spawn, &first), TROUPE_OK));
    cr_assert(eq(int, troupe_spawn(ctx, &spawn, &second), TROUPE_OK));
    progress();
    return system_under_test->executor;
}

static struct trp_actor *row_of(struct troupe_executor *executor, troupe_ref_t ref)
{
    return trp_actor_table_find(&executor->actors, ref.index, ref.generation);
}

/** A command for an actor, and what it consists of. */
struct command {
    struct trp_envelope envelope;
    struct trp_item item;
};

static void command_make(
    struct command *command,
    uint32_t type,
    troupe_ref_t to,
    troupe_ref_t from,
    const void *body,
    size_t body_bytes)
{
    *command = (struct command){
        .envelope =
            {
                .to_index = to.index,
                .to_generation = to.generation,
                .from_index = from.index,
                .from_generation = from.generation,
                .type = type,
            },
        .item =
            {
                .body = body,
                .body_bytes = (uint32_t)body_bytes,
                .count = 1,
                .kind = TRP_KIND_MONITOR,
                .sender_node = from.node,
                .sender_executor = from.executor,
            },
    };
    command->item.envelope = &command->envelope;
}

static uint32_t count_entries(struct troupe_executor *executor, troupe_ref_t ref)
{
    uint32_t count = 0;
    for (uint32_t at = row_of(executor, ref)->monitors; at != 0;
         at = executor->monitors.entries[at - 1].next) {
        count++;
    }
    return count;
}

static void teardown(void)
{
    troupe_system_stop(system_under_test);
    cr_expect(eq(int, troupe_system_run(system_under_test), TROUPE_OK));
    cr_expect(eq(int, troupe_system_destroy(&system_under_test), TROUPE_OK));
}

Test(monitoring, a_request_that_comes_twice_is_noted_once)
{
    struct troupe_executor *executor = setup();
    struct command command;
    uint64_t number = 0;
    command_make(&command, TRP_MONITOR_LINK_REQUEST, second, first, &number, sizeof(number));

    (void)trp_monitor_handle(executor, &command.item);
    (void)trp_monitor_handle(executor, &command.item);
    cr_expect(eq(u32, count_entries(executor, second), 1));

    number = 41;
    command_make(&command, TRP_MONITOR_REQUEST, second, first, &number, sizeof(number));
    (void)trp_monitor_handle(executor, &command.item);
    (void)trp_monitor_handle(executor, &command.item);
    cr_expect(eq(u32, count_entries(executor, second), 2));
    teardown();
}

Test(monitoring, an_exit_for_another_actors_monitor_is_ignored)
{
    struct troupe_executor *executor = setup();
    troupe_monitor_t monitor = 0;
    executor->context.actor = row_of(executor, first);
    executor->context.actor_key = trp_actor_key(first.index, first.generation);
    cr_assert(eq(int, troupe_monitor(&executor->context, second, &monitor), TROUPE_OK));
    executor->context.actor = NULL;
    executor->context.actor_key = 0;
    const struct trp_monitor_body body = {.number = monitor, .actor = first};
    struct command command;
    command_make(&command, TRP_MONITOR_EXIT, second, first, &body, sizeof(body));

    struct trp_monitor_decision decision = trp_monitor_handle(executor, &command.item);

    cr_expect(eq(int, decision.action, TRP_MONITOR_NOTHING));
    cr_expect(eq(u32, count_entries(executor, first), 1), "it is still there");
    progress();
    teardown();
}

Test(monitoring, a_link_that_a_dead_process_had_asked_for_ends_the_actor)
{
    struct troupe_executor *executor = setup();
    struct trp_shared *shared = system_under_test->runtime.shared;
    struct trp_slot *slot = trp_slot_take_next(shared, 9, 9, "dead");
    cr_assert(ne(ptr, slot, NULL));
    slot->exit = (struct troupe_exit){.reason = TROUPE_EXIT_KILLED};
    slot->has_exit = true;
    atomic_store(&slot->state, TRP_SLOT_DEAD);
    const troupe_ref_t dead = {9, slot->id, 0, 1};
    struct command command;
    uint64_t number = 0;
    command_make(&command, TRP_MONITOR_LINK_REQUEST, second, dead, &number, sizeof(number));

    (void)trp_monitor_handle(executor, &command.item);
    progress();

    cr_expect(eq(ptr, row_of(executor, second), NULL), "it lives on");
    cr_expect(ne(ptr, row_of(executor, first), NULL));
    trp_shared_lock(shared);
    shared->sums.executors_started--;
    trp_slot_free(shared, slot);
    trp_shared_unlock(shared);
    teardown();
}

/* Probes. --------------------------------------------------------------------------------------- */

/** A probe that has passed one actor, as deadlock.c sends it. */
struct probe {
    uint64_t first_ask;
    uint64_t last_ask;
    uint64_t hop_count;
    troupe_ref_t hop;
    char hop_name[HOP_NAME_BYTES];
};

/** Have the first actor wait for the second. @return the number of its exclusive ask; *out_plain: of the one before. */
static uint64_t begin_wait(struct troupe_executor *executor, uint64_t *out_plain)
{
    troupe_context_t *ctx = troupe_system_context(system_under_test);
    cr_assert(eq(int, troupe_send(ctx, first, WAIT_FOR, &second, sizeof(second)), TROUPE_OK));
    progress();
    const struct trp_actor *actor = row_of(executor, first);
    cr_assert(eq(int, actor->life, TRP_LIFE_WAITING));
    *out_plain = trp_asks_find_tag(&executor->asks, first.index, first.generation, 1);
    uint64_t number = trp_asks_find_tag(&executor->asks, first.index, first.generation, 2);
    cr_assert(number != 0 && *out_plain != 0);
    return number;
}

/** @return whether a probe that comes back to the first actor breaks an ask of it. */
static bool probe_breaks(struct troupe_executor *executor, uint64_t first_ask, uint64_t last_ask)
{
    const struct probe probe = {
        .first_ask = first_ask, .last_ask = last_ask, .hop_count = 1, .hop = first};
    struct command command;
    struct trp_ask ask;
    command_make(&command, TRP_MONITOR_PROBE, first, first, &probe, sizeof(probe));
    return trp_deadlock_handle_probe(executor, &command.item, &ask);
}

Test(monitoring, a_probe_breaks_only_an_ask_that_is_still_unanswered)
{
    struct troupe_executor *executor = setup();
    uint64_t plain = 0;
    uint64_t number = begin_wait(executor, &plain);

    cr_expect(
        eq(int, probe_breaks(executor, number, 5), false), "nobody waits for an answer to it");

    trp_asks_find(&executor->asks, number)->unanswered =
        (struct troupe_reply_to){.ref = first, .ask = 5};
    cr_expect(probe_breaks(executor, number, 5));
    row_of(executor, first)->wait = 0;
    row_of(executor, first)->life = TRP_LIFE_RUNNING;
    teardown();
}

Test(monitoring, an_old_probe_breaks_no_other_ask)
{
    struct troupe_executor *executor = setup();
    uint64_t plain = 0;
    uint64_t number = begin_wait(executor, &plain);
    trp_asks_find(&executor->asks, number)->unanswered =
        (struct troupe_reply_to){.ref = first, .ask = 5};

    cr_expect(eq(int, probe_breaks(executor, plain, 5), false));

    cr_expect(ne(ptr, trp_asks_find(&executor->asks, plain), NULL));
    teardown();
}

Test(monitoring, an_actor_whose_wait_is_over_still_owes_what_it_owed_before)
{
    struct troupe_executor *executor = setup();
    const struct troupe_reply_to owed = {.ref = second, .ask = 9};
    const struct trp_ask ask = {.is_exclusive = true, .unanswered = owed};

    trp_deadlock_end_wait(executor, row_of(executor, first), &ask);

    cr_expect(eq(u64, executor->context.unanswered.ask, owed.ask));
    cr_expect(troupe_ref_equal(executor->context.unanswered.ref, owed.ref));
    executor->context.unanswered = (struct troupe_reply_to){0};
    teardown();
}
