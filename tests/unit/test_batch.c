/*
 * A batch whose actor becomes another in the middle of it, and then what it was: what was passed over is handled once, in
 * order, what was handled is not handled again, and the credit of all of it is whole afterwards.
 */
#include "support/audit.h"

#include "actor/executor.h"
#include "node/system.h"
#include "shared/credit_pool.h"
#include "troupe/troupe.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(batch, .timeout = 30);

enum { MESSAGES = 20, BOUND = 300 };

static uint32_t order[2 * MESSAGES];
static uint32_t seen_count;

static void note(const troupe_message_t *message)
{
    cr_assert(seen_count < 2 * MESSAGES);
    order[seen_count++] = *TROUPE_BODY(message, uint32_t);
}

static void single_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)ctx, (void)state;
    note(message);
}

static const struct troupe_behaviour single = {.name = "single", .receive = single_receive};

static const struct troupe_behaviour batched;

/** Handles two messages of a batch, becomes another and asks for the first once more; later it is itself again. */
static void batched_receive(
    troupe_context_t *ctx,
    void *const *states,
    const troupe_message_t *const *messages,
    size_t count)
{
    (void)states;
    for (size_t i = 0; i < count; i++) {
        if (troupe_batch_select(ctx, i)) {
            note(messages[i]);
        }
        if (i == 1) {
            cr_expect(eq(int, troupe_become(ctx, &single), TROUPE_OK));
            cr_expect(eq(int, troupe_batch_select(ctx, 0), false));
        }
        if (i == 5) {
            cr_expect(eq(int, troupe_become(ctx, &batched), TROUPE_OK));
        }
    }
}

static const struct troupe_behaviour batched = {
    .name = "batched", .receive = single_receive, .receive_batch = batched_receive};

static void send_all(troupe_context_t *ctx, troupe_ref_t to)
{
    for (uint32_t i = 0; i < MESSAGES; i++) {
        cr_assert(eq(int, troupe_send(ctx, to, 1, &i, sizeof(i)), TROUPE_OK));
    }
}

Test(batch, that_is_cut_short_handles_each_message_once_and_keeps_the_credit_whole)
{
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&batched, &single), .mailbox_messages = BOUND};
    const struct troupe_spawn_options spawn = {.behaviour = &batched};
    troupe_system_t *system = NULL;
    troupe_ref_t ref = TROUPE_REF_NONE;
    cr_assert(eq(int, troupe_system_new(&options, &system), TROUPE_OK));
    troupe_context_t *ctx = troupe_system_context(system);
    cr_assert(eq(int, troupe_spawn(ctx, &spawn, &ref), TROUPE_OK));
    cr_assert(eq(int, troupe_system_progress(system, NULL), TROUPE_OK));

    send_all(ctx, ref);
    for (int i = 0; i < 10; i++) {
        cr_assert(eq(int, troupe_system_progress(system, NULL), TROUPE_OK));
    }

    cr_expect(eq(u32, seen_count, MESSAGES));
    for (uint32_t i = 0; i < MESSAGES; i++) {
        cr_expect(eq(u32, order[i], i));
    }
    const struct troupe_executor *executor = system->executor;
    const struct trp_channel *loop = executor->channels.loop;
    cr_expect(
        eq(i64,
           atomic_load(&executor->slot->pool.free_messages) + loop->credit_messages +
               executor->channels.owed_messages,
           BOUND));
    troupe_system_stop(system);
    cr_expect(eq(int, troupe_system_run(system), TROUPE_OK));
    audit_and_destroy(&system);
}
