/*
 * What a process that dies has taken from a mailbox is given back, and what it had sent has its outcome: after each death the
 * credit of the mailbox is whole, nobody waits in vain, and the counters balance.
 */
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "actor/executor.h"
#include "node/system.h"
#include "shared/credit_pool.h"
#include "unit/chance.h"

#include <signal.h>
#include <unistd.h>

TestSuite(deaths, .timeout = 60);

enum { BOUND = 200, KILLS = 12, HELLO = 0x00670001, DROP };

/** Says who it is, and floods the scenario until it is killed. */
static enum troupe_err flooder_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    troupe_ref_t *scenario = state;
    *scenario = fixture_ref_of(args, args_bytes);
    int32_t pid = getpid();
    MUST(TROUPE_SEND(ctx, *scenario, HELLO, &pid));
    const struct troupe_outgoing go = {.to = troupe_self(ctx), .type = DROP};
    return troupe_send_every(ctx, MEASURE_MS_NS, &go, NULL);
}

static void flooder_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)message;
    const troupe_ref_t *scenario = state;
    static const uint64_t words[8];
    while (troupe_send(ctx, *scenario, FIXTURE_DROP, words, sizeof(words)) == TROUPE_OK) {
    }
}

static const struct troupe_behaviour flooder = {
    .name = "flooder",
    .state_bytes = sizeof(troupe_ref_t),
    .init = flooder_init,
    .receive = flooder_receive,
};

/** @return how much credit in messages executor 0 has to give, or has given itself. */
static int64_t credit_of(const struct troupe_executor *executor)
{
    const struct trp_credit_pool *pool = &executor->slot->pool;
    const struct trp_channel *loop = executor->channels.loop;
    return atomic_load(&pool->free_messages) + loop->credit_messages + loop->reserved_messages +
           executor->channels.owed_messages;
}

static void monitor_it(troupe_context_t *ctx, void *data)
{
    MUST(troupe_monitor(ctx, *(const troupe_ref_t *)data, NULL));
}

static void kill_in_a_flood(struct fixture *fixture, struct chance *chance)
{
    troupe_ref_t ref = fixture_spawn_reporter(fixture, &flooder);
    pid_t pid = *FIXTURE_RECEIVE(fixture, HELLO, int32_t);
    uint64_t until_ns = measure_now_ns() + chance_below(chance, 20) * MEASURE_MS_NS;
    while (measure_now_ns() < until_ns) {
        fixture_settle(fixture);
    }
    fixture_call(fixture, monitor_it, &ref);
    MUST_BE(kill(pid, SIGKILL) == 0);
    (void)fixture_receive(fixture, TROUPE_MESSAGE_DOWN);
    fixture_settle(fixture);
}

Test(deaths, give_back_the_credit_that_they_had_taken)
{
    static const struct fixture_placement placements[] = {
        {.name = "process", .place = "process"}, {.name = "process_tcp", .place = "process+tcp"}};
    struct chance chance = chance_open("kills in a flood");
    for (size_t i = 0; i < 2; i++) {
        struct fixture *fixture = fixture_open(
            &placements[i],
            &(struct fixture_options){
                .behaviours = TROUPE_BEHAVIOURS(&flooder), .mailbox_messages = BOUND});
        const struct troupe_executor *executor = fixture_system(fixture)->executor;
        for (int round = 0; round < KILLS; round++) {
            kill_in_a_flood(fixture, &chance);
            uint64_t deadline_ns = measure_now_ns() + ECHO_DEADLINE_NS;
            while (credit_of(executor) != BOUND && measure_now_ns() < deadline_ns) {
                fixture_settle(fixture);
            }
            cr_expect(eq(i64, credit_of(executor), BOUND));
            cr_expect(eq(i32, atomic_load(&executor->slot->pool.waiting_count), 0));
            cr_expect(
                eq(i32, atomic_load(&executor->slot->pool.reserve_messages), TRP_RESERVE_MESSAGES));
        }
        (void)fixture_close(&fixture);
    }
}

SUBJECTS(&flooder);
