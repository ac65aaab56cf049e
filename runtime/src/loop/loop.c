/*
 * The loop of an executor, on every backend.
 *
 *     turn    frames that have arrived, from peers and from itself --> timers --> settle credit --> flush
 *     wait    spin a little --> check again --> return unspent credit --> sleep
 *
 * A turn handles what was there when it began. What its callbacks send to this same executor belongs to the next turn,
 * so that peers and timers have their turn in between.
 *
 * What may be late is done rarely, for each costs more than a message: the clock of timers is read about every 20 µs,
 * and ipc and tcp are polled as trp_mailbox_is_due() says.
 */
#include "loop/loop.h"

#include "actor/executor.h"
#include "actor/monitor_notify.h"
#include "actor/runtime.h"
#include "actor/timers.h"
#include "base/clock.h"
#include "base/timer_heap.h"
#include "channel/channel.h"
#include "channel/channel_close.h"
#include "channel/channel_death.h"
#include "channel/channel_send.h"
#include "channel/credit.h"
#include "channel/grant.h"
#include "channel/mailbox.h"
#include "channel/mailbox_wait.h"
#include "channel/overtaken.h"
#include "channel/retained.h"
#include "loop/receive_frame.h"
#include "shared/shared.h"
#include "shared/shared_table.h"
#include "shared/slot.h"
#include "shared/slot_endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    SWEEP_NS = 10000000, // unspent credit of a quiet channel is returned after this
    SWEEP_TURNS = 64,    // turns after which the clock is read for it
    TIMERS_NS = 20000,   // about how late a busy executor may run a timer
    TIMERS_STRIDE_MAX = 63,
    LAST_FRAMES = 4096, // most frames of processes that died, received at once
};

bool trp_executor_has_work(struct troupe_executor *executor)
{
    return executor->mailbox.loop_count != 0 || executor->channels.loop->frame.used != 0 ||
           executor->channels.dirty != NULL || trp_mailbox_has_mail(&executor->mailbox) ||
           trp_executor_timeout_ns(executor) == 0;
}

uint64_t trp_executor_timeout_ns(const struct troupe_executor *executor)
{
    uint64_t due_ns = trp_timer_heap_due(&executor->timers);
    if (due_ns == TRP_TIMER_HEAP_NEVER) {
        return UINT64_MAX;
    }
    uint64_t now_ns = trp_executor_now(executor);
    return due_ns > now_ns ? due_ns - now_ns : 0;
}

uint64_t trp_executor_sleep_ns(const struct troupe_executor *executor)
{
    const uint64_t step_ns = 1000000;
    uint64_t timeout_ns = trp_executor_timeout_ns(executor);
    bool is_certain = executor->runtime->clock_is_real || timeout_ns == UINT64_MAX;
    return is_certain || timeout_ns < step_ns ? timeout_ns : step_ns;
}

void trp_executor_listen(struct troupe_executor *executor)
{
    if (TRP_LIKELY(executor->mailbox.listens)) {
        return;
    }
    (void)pthread_mutex_lock(&executor->runtime->lock);
    int fd = executor->listener_fd;
    executor->listener_fd = -1;
    (void)pthread_mutex_unlock(&executor->runtime->lock);
    if (fd >= 0) {
        char endpoint[TRP_ENDPOINT_BYTES];
        trp_slot_print_endpoint(executor->runtime->shared, executor->slot, endpoint);
        int64_t bound_bytes = executor->slot->pool.bound_bytes;
        if (trp_mailbox_listen(&executor->mailbox, endpoint, fd, bound_bytes) != TROUPE_OK) {
            // Peers of other processes cannot connect: shutdown reports the channel.
            (void)close(fd);
        }
    }
}

/** @return an executor of a process that died, whose channel to here was not accepted yet; 0: none. */
static uint32_t loop_find_unclaimed(struct troupe_executor *executor)
{
    struct trp_shared *shared = executor->runtime->shared;
    uint32_t found = 0;
    trp_shared_lock(shared);
    uint32_t steps = 0;
    uint32_t at = trp_shared_ledger_index(shared, executor->slot->first_in);
    while (at != 0 && found == 0) {
        const struct trp_ledger *ledger = &shared->ledgers[at - 1];
        const struct trp_slot *from = trp_shared_find_slot(shared, ledger->from);
        if (!ledger->claimed && from != NULL && trp_slot_state(from) == TRP_SLOT_DEAD &&
            atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_OPEN) {
            found = ledger->from;
        }
        at = trp_shared_ledger_step(shared, ledger->next_in, &steps);
    }
    trp_shared_unlock(shared);
    return found;
}

/** Receive what has arrived, and accept the channels of processes that died, so that they can be settled. */
static void loop_accept_dead(struct troupe_executor *executor)
{
    // What processes that died have sent, and has arrived, is still handled.
    uint32_t count = 0;
    while (count++ < LAST_FRAMES && trp_mailbox_poll(&executor->mailbox) &&
           trp_executor_receive(executor)) {
    }
    uint32_t peer_id = 0;
    while ((peer_id = loop_find_unclaimed(executor)) != 0 &&
           trp_channel_accept(&executor->channels, peer_id) != NULL) {
    }
}

/** Settle with the peers whose processes have exited. */
static void loop_handle_process_exits(struct troupe_executor *executor)
{
    uint32_t process_exit_count =
        atomic_load_explicit(&executor->runtime->shared->process_exit_count, memory_order_acquire);
    if (TRP_LIKELY(process_exit_count == executor->channels.process_exits_seen)) {
        return;
    }
    executor->channels.process_exits_seen = process_exit_count;
    loop_accept_dead(executor);
    while (trp_channels_handle_process_exit(&executor->channels)) {
    }
}

void trp_executor_handle_flags(struct troupe_executor *executor)
{
    if (atomic_exchange_explicit(&executor->attention, false, memory_order_acquire)) {
        trp_channels_finish_gone(&executor->channels);
        executor->runtime->ops->deliver_signals(executor);
    }
    if (atomic_load_explicit(&executor->slot->stop_requested, memory_order_relaxed)) {
        executor->channels.ending = true;
    }
    loop_handle_process_exits(executor);
    (void)trp_channels_reap(&executor->channels);
}

/** Return credit that is owed, if that is worth a message; and rarely, credit that was not spent. */
static void loop_settle(struct troupe_executor *executor)
{
    trp_executor_settle_credit(executor);
    if (TRP_UNLIKELY(executor->monitors.unsent_first != 0)) {
        trp_monitor_notify_again(executor);
    }
    // At each turn: under load 64 turns can take seconds.
    if (TRP_UNLIKELY(atomic_load_explicit(&executor->attention, memory_order_relaxed))) {
        trp_executor_handle_flags(executor);
    }
    if (++executor->turn_count % SWEEP_TURNS == 0) {
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (now_ns - executor->swept_ns > SWEEP_NS) {
            executor->swept_ns = now_ns;
            trp_channels_return_credit(&executor->channels);
            (void)trp_channels_release_retained(&executor->channels);
            trp_executor_handle_flags(executor);
            trp_executor_listen(executor);
            // A FIN does not ring the doorbell, and ZeroMQ does work of its own when polled.
            (void)trp_mailbox_poll(&executor->mailbox);
        }
    }
}

/** @return whether to check the timers in this turn: while busy, only about every 20 µs. */
static bool loop_checks_timers(struct troupe_executor *executor, bool busy)
{
    if (!busy || !executor->runtime->clock_is_real) {
        return true;
    }
    if (executor->timers_turns > 0) {
        executor->timers_turns--;
        return false;
    }
    // Reading the cycle counter costs a tenth of a short turn, so turns are counted instead, and the stride adapted.
    uint64_t cycles = trp_cycles();
    uint64_t elapsed = cycles - executor->timers_cycles;
    executor->timers_cycles = cycles;
    uint64_t wanted = trp_cycles_of_ns(TIMERS_NS);
    if (elapsed > wanted) {
        executor->timers_stride /= 4;
    } else if (elapsed < wanted / 2 && executor->timers_stride < TIMERS_STRIDE_MAX) {
        executor->timers_stride = executor->timers_stride * 2 + 1;
    }
    executor->timers_turns = executor->timers_stride;
    return true;
}

bool trp_executor_turn(struct troupe_executor *executor)
{
    bool worked = false;
    executor->in_turn = true;
    // Sent by the main program between turns.
    trp_channel_flush(&executor->channels, executor->channels.loop);
    worked = executor->mailbox.loop_count != 0;
    uint64_t bell = atomic_load_explicit(&executor->slot->doorbell.bell, memory_order_relaxed);
    while (((int64_t)(bell - executor->mailbox.received_count) > 0 ||
            executor->mailbox.has_polled ||
            !trp_overtaken_is_empty(&executor->mailbox.overtaken)) &&
           !trp_executor_is_spent(executor) && trp_executor_receive(executor)) {
        worked = true;
    }
    if (TRP_UNLIKELY(trp_mailbox_is_due(&executor->mailbox))) {
        worked |= trp_executor_receive_remote(executor);
    }
    trp_executor_receive_own(executor);
    if (trp_timer_heap_due(&executor->timers) != TRP_TIMER_HEAP_NEVER) {
        if (loop_checks_timers(executor, worked)) {
            worked |= trp_actor_timers_run(executor, trp_executor_now(executor));
        }
    }
    loop_settle(executor);
    trp_channel_flush(&executor->channels, executor->channels.loop);
    if (executor->channels.dirty != NULL) {
        trp_channels_flush(&executor->channels);
    }
    executor->in_turn = false;
    return worked;
}

uint64_t trp_executor_prepare_idle(struct troupe_executor *executor)
{
    atomic_store_explicit(
        &executor->slot->timer_count, executor->timers.count, memory_order_relaxed);
    trp_executor_handle_flags(executor);
    trp_executor_listen(executor);
    trp_channels_settle(&executor->channels, true);
    uint64_t now_ns = trp_clock_monotonic(NULL);
    if (now_ns - executor->swept_ns > SWEEP_NS) {
        executor->swept_ns = now_ns;
        trp_channels_return_credit(&executor->channels);
    }
    trp_monitor_notify_again(executor);
    // What is left failed for want of a descriptor, or of memory, and is tried again.
    bool again = trp_channels_have_unspent(&executor->channels) ||
                 executor->channels.waiting_first != NULL || executor->channels.rooms_delayed ||
                 executor->monitors.unsent_first != 0 || executor->channels.finished_count > 0;
    uint64_t retained_ns = trp_channels_release_retained(&executor->channels);
    return again && retained_ns > SWEEP_NS ? SWEEP_NS : retained_ns;
}

void trp_executor_wait(struct troupe_executor *executor, uint64_t timeout_ns)
{
    if (executor->channels.waiting_first != NULL) {
        trp_channels_settle(&executor->channels, true);
    }
    if (trp_executor_has_work(executor) || trp_mailbox_spin(&executor->mailbox, timeout_ns)) {
        return;
    }
    uint64_t idle_ns = trp_executor_prepare_idle(executor);
    if (executor->mode == TRP_MODE_LOOP &&
        atomic_load_explicit(&executor->runtime->draining, memory_order_relaxed)) {
        trp_runtime_wake(executor->runtime);
    }
    // A flag that was handled just now may have ended the executor; its wake-up will not come again.
    bool has_ended = executor->channels.ending && executor->is_looping;
    timeout_ns = timeout_ns < idle_ns ? timeout_ns : idle_ns;
    // So may have been a timer that is due before the sleep would end.
    uint64_t timer_ns = trp_executor_sleep_ns(executor);
    timeout_ns = timeout_ns < timer_ns ? timeout_ns : timer_ns;
    if (has_ended || trp_executor_has_work(executor) ||
        trp_mailbox_wait_doorbell(&executor->mailbox, timeout_ns) ||
        trp_mailbox_poll(&executor->mailbox)) {
        return;
    }
    trp_mailbox_sleep(&executor->mailbox, timeout_ns);
}
