#include "actor/batch.h"
#include "actor/executor.h"
#include "actor/inbox_mail.h"
#include "actor/monitor.h"
#include "actor/timers.h"
#include "base/clock.h"
#include "base/wake.h"
#include "channel/channel.h"
#include "node/system.h"
#include "wire/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * The loop of an executor, whatever carries it.
 *
 *     turn      all frames at hand, of peers and of itself; timers; settle credit; flush
 *     wait      spin a little, look once more, give unspent credit back, sleep
 *     close     CLOSE_REQUEST to who sends here; dead letters of what still comes; FIN to whom we send
 *
 * A turn takes what was there when it began: what its callbacks send to this same executor is the next
 * turn's, so peers and timers get their chance between.
 */

enum {
    SWEEP_NS = 10000000, // unspent credit of a quiet channel goes back after this
    SWEEP_TURNS = 64,    // how often the clock is looked at for it
    TIMERS_NS = 20000,   // about how late a busy executor may see that a timer is due
    TIMERS_STRIDE_MAX = 63,
    LAST_FRAMES = 4096,      // of a process that died
    REMOTE_FRAMES = 64,      // by ipc and tcp, a turn
    CLOSE_STEP_NS = 1000000, // how soon an executor that closes looks for words in shared memory,
    CLOSE_STEP_NS_MAX = 64000000, // and how seldom in the end
    SENDERS = 256,                // who are told at a time that an executor is gone
    LONE_ROUNDS = 16,             // rounds of a turn in which one message follows the other
};

enum troupe_err trp_executor_new(
    struct trp_runtime *runtime,
    struct trp_slot *slot,
    enum trp_executor_mode mode,
    const char *name,
    struct troupe_executor **out_executor)
{
    uint32_t id = slot->id;
    struct troupe_executor *executor = calloc(1, sizeof(*executor));
    if (executor == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an executor");
    }
    executor->runtime = runtime;
    executor->id = id;
    executor->node = runtime->node;
    executor->mode = mode;
    executor->wake_fd = -1;
    executor->owner = pthread_self();
    executor->random_state = runtime->seed ^ (id * UINT64_C(0x9E3779B97F4A7C15));
    executor->handled_limit = UINT64_MAX;
    executor->name = strdup(name);
    executor->slot = slot;
    executor->channels = (struct trp_channels){
        .events = &trp_executor_events,
        .shared = runtime->shared,
        .zmq_context = runtime->context,
        .system = (struct troupe_system *)(void *)runtime,
        .slot = slot,
        .gate = &slot->gate,
        .mailbox = &executor->mailbox,
        .frames = {.pool = &runtime->frames},
        .is_inbox = mode == TRP_MODE_INBOX,
    };
    executor->counters = &slot->counters;
    executor->listener_fd = -1;
    bool made = trp_actor_table_init(&executor->actors, runtime->behaviour_count);
    executor->actors.row_count = &slot->row_count;
    if (executor->name == NULL || !made) {
        trp_executor_free(&executor);
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an executor");
    }
    // A inbox has its own, too: while it waits it hears of deaths, and that it is to listen.
    executor->wake_fd =
        mode == TRP_MODE_CALLER ? runtime->wake_fd : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (executor->wake_fd < 0) {
        trp_executor_free(&executor);
        return TRP_EXPLAIN(TROUPE_ERR_SYSTEM, "no eventfd: errno %d", errno);
    }
    enum troupe_err err = trp_mailbox_init(
        &executor->mailbox,
        runtime->context,
        id,
        executor->channels.gate,
        &runtime->spinners,
        executor->wake_fd);
    if (err == TROUPE_OK && !trp_channel_open_loop(&executor->channels)) {
        err = TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an executor");
    }
    if (err != TROUPE_OK) {
        trp_executor_free(&executor);
        return err;
    }
    *out_executor = executor;
    return TROUPE_OK;
}

static void executor_free_timers(struct troupe_executor *executor)
{
    uint64_t timer = 0;
    void *actor_timer = NULL;
    while ((actor_timer = trp_timer_heap_pop(&executor->timers, &timer)) != NULL) {
        free(actor_timer);
    }
    trp_timer_heap_fini(&executor->timers);
}

void trp_executor_free(struct troupe_executor **executor_p)
{
    struct troupe_executor *executor = *executor_p;
    if (executor == NULL) {
        return;
    }
    trp_channels_fini(&executor->channels);
    trp_mailbox_fini(&executor->mailbox);
    executor_free_timers(executor);
    trp_asks_fini(&executor->asks);
    trp_monitor_table_fini(&executor->monitors);
    trp_actor_table_fini(&executor->actors);
    trp_frame_cache_fini(&executor->channels.frames);
    if (executor->mode != TRP_MODE_CALLER && executor->wake_fd >= 0) {
        (void)close(executor->wake_fd);
    }
    if (executor->listener_fd >= 0) {
        (void)close(executor->listener_fd);
    }
    trp_endpoint_remove(executor->runtime->shared->run_dir, executor->slot);
    free(executor->stops);
    free(executor->name);
    free(executor);
    *executor_p = NULL;
}

/* Meeting mail. --------------------------------------------------------------------------------- */

/** Say that the bytes that follow in a frame cannot be read. */
static void executor_reject(
    struct troupe_executor *executor, struct trp_channel *channel, uint64_t lost_count)
{
    trp_count(&executor->counters->frames_undecodable, 1);
    if (channel != NULL) {
        trp_channels_lose(
            &executor->channels, channel->in_ledger, TROUPE_DEAD_UNDECODABLE, lost_count);
        channel->received_count += lost_count;
    }
}

/** The peer takes no more mail. */
static void executor_handle_close_request(
    struct troupe_executor *executor, struct trp_channel *channel)
{
    if (channel->out_open) {
        trp_channel_finish(&executor->channels, channel);
    }
}

/** @return the body as a struct, or NULL when it is too small for it. */
static const void *executor_body(const struct trp_item *item, size_t bytes)
{
    return item->body_bytes >= bytes ? item->body : NULL;
}

/** Meet what is no message for an actor. */
static void executor_handle_command(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item)
{
    const void *body = NULL;
    switch (item->kind) {
    case TRP_KIND_START:
        trp_actor_start(executor, item);
        break;
    case TRP_KIND_STOP:
        trp_actor_handle_stop(executor, item);
        break;
    case TRP_KIND_MONITOR:
        trp_actor_handle_monitor(executor, item);
        break;
    case TRP_KIND_CHECK_ALIVE:
        trp_actor_handle_check_alive(executor, item);
        break;
    case TRP_KIND_CREDIT_REQUEST:
        body = executor_body(item, sizeof(struct trp_credit_request));
        if (body != NULL) {
            trp_channel_handle_credit_request(&executor->channels, channel, body);
        }
        break;
    case TRP_KIND_CREDIT_GRANT:
        body = executor_body(item, sizeof(struct trp_credit_grant));
        if (body != NULL && channel->out_open) {
            trp_channel_handle_credit_grant(&executor->channels, channel, body);
        }
        break;
    case TRP_KIND_STOP_EXECUTOR:
        executor->channels.ending = true;
        break;
    case TRP_KIND_CLOSE_REQUEST:
        executor_handle_close_request(executor, channel);
        break;
    case TRP_KIND_FIN:
        body = executor_body(item, sizeof(struct trp_fin));
        if (body != NULL) {
            trp_channel_handle_fin(
                &executor->channels, channel, body); // and the channel may be gone
        }
        break;
    case TRP_KIND_WAKE: // having woken up was all of it
    case TRP_KIND_USER:
    case TRP_KIND_REPLY:
    case TRP_KIND_NOTICE:
    case TRP_KIND_COUNT:
        break;
    }
}

/** Have a given body that came by ipc or tcp be the part it names. @return false: it is not that one. */
static bool executor_take_part(
    struct troupe_executor *executor, struct trp_item *item, struct trp_given *out_part)
{
    uint32_t which = (uint32_t)(uintptr_t)item->given->data;
    uint64_t bytes = item->given->bytes;
    if (!trp_mailbox_take_part(&executor->mailbox, which, out_part)) {
        return false;
    }
    if (out_part->bytes != bytes) {
        out_part->free(out_part->data, out_part->free_data);
        return false;
    }
    item->given = out_part;
    return true;
}

/** Meet the messages of a frame. @return how many counted messages there were before a fault. */
static uint64_t executor_receive_items(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    struct trp_cursor *cursor,
    enum trp_fault *out_fault)
{
    uint64_t counted = 0;
    struct trp_item item;
    *out_fault = TRP_FAULT_NONE;
    while (true) {
        if (TRP_LIKELY(executor->mode != TRP_MODE_INBOX)) {
            uint64_t before = channel->received_count;
            trp_actor_deliver_plain(executor, channel, cursor);
            counted += channel->received_count - before;
        }
        if (trp_frame_at_end(cursor)) {
            break;
        }
        *out_fault = trp_frame_next(cursor, &item);
        if (TRP_UNLIKELY(*out_fault != TRP_FAULT_NONE)) {
            break;
        }
        struct trp_given part;
        if (TRP_UNLIKELY(item.given != NULL && !cursor->local)) {
            if (!executor_take_part(executor, &item, &part)) {
                *out_fault = TRP_FAULT_KIND;
                break;
            }
        }
        if (TRP_LIKELY(item.kind <= TRP_KIND_NOTICE)) {
            if (trp_kind_is_counted(item.kind)) {
                counted += item.count;
                channel->received_count += item.count;
            }
            if (TRP_UNLIKELY(executor->mode == TRP_MODE_INBOX)) {
                trp_inbox_deliver(executor, channel, &item);
            } else if (
                TRP_LIKELY(!executor->actors.has_batched) ||
                !trp_batch_deliver(executor, channel, cursor, &item, &counted)) {
                trp_actor_deliver(executor, channel, &item);
            }
        } else {
            executor_handle_command(executor, channel, &item);
            if (item.kind == TRP_KIND_FIN) {
                break; // the last of a lane, and the channel may be gone with it
            }
        }
    }
    return counted;
}

/** Receive and meet the next frame of its own. */
TRP_INLINE void executor_receive_own(struct troupe_executor *executor)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;
    trp_mailbox_loop_receive(&executor->mailbox, &bytes, &size);
    trp_count(&executor->counters->frames_received, 1);
    struct trp_cursor cursor = {
        .at = bytes,
        .end = bytes + size,
        .node = executor->node,
        .executor = executor->id,
        .local = true,
    };
    trp_actor_deliver_plain(executor, executor->channels.loop, &cursor);
    if (TRP_UNLIKELY(!trp_frame_at_end(&cursor))) {
        enum trp_fault fault;
        (void)executor_receive_items(executor, executor->channels.loop, &cursor, &fault);
        TRP_CHECK(fault == TRP_FAULT_NONE); // nobody else writes these
    }
    if (size > TRP_ZMSG_INLINE_BYTES) {
        trp_mailbox_let_go(&executor->mailbox, size);
    }
}

/** Meet a frame that a peer sent, or somebody who claims to be one. */
static void executor_receive_frame(
    struct troupe_executor *executor, const uint8_t *bytes, size_t size)
{
    struct trp_header header;
    struct trp_cursor cursor;
    enum trp_fault fault = trp_frame_open(bytes, size, NULL, &header, &cursor);
    struct trp_channel *channel = NULL;
    if (fault == TRP_FAULT_NONE) {
        channel = trp_channel_accept(&executor->channels, header.executor);
        fault = channel != NULL && header.node == channel->in_node &&
                        header.cookie == channel->in_cookie
                    ? TRP_FAULT_NONE
                    : TRP_FAULT_COOKIE;
    }
    if (fault != TRP_FAULT_NONE) {
        trp_mailbox_uncount(&executor->mailbox, bytes, size); // it did not ring
        executor_reject(executor, NULL, 0);
        return;
    }
    if (header.lane == TRP_LANE_USER && header.first_sequence != channel->received_count &&
        header.count != 0) {
        trp_count(&executor->counters->sequence_gaps, 1);
        if (header.first_sequence < channel->received_count) {
            executor_reject(executor, NULL, 0); // seen before
            return;
        }
        executor_reject(executor, channel, header.first_sequence - channel->received_count);
    }
    channel->command_count += (header.marks & TRP_MARK_COUNTED) != 0 ? 1 : 0;
    cursor.local = !channel->in_is_remote;
    cursor.part_count = executor->mailbox.part_count;
    uint64_t counted = executor_receive_items(executor, channel, &cursor, &fault);
    if (fault != TRP_FAULT_NONE || header.count != counted) {
        executor_reject(executor, channel, header.count > counted ? header.count - counted : 0);
    }
}

bool trp_executor_receive(struct troupe_executor *executor)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;
    if (!trp_mailbox_receive(&executor->mailbox, &bytes, &size)) {
        return false;
    }
    trp_count(&executor->counters->frames_received, 1);
    executor_receive_frame(executor, bytes, size);
    trp_mailbox_let_go(&executor->mailbox, size);
    return true;
}

/* The loop. ------------------------------------------------------------------------------------- */

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

/** Listen where others make us listen: the first process that is started must be able to reach us. */
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
        trp_endpoint_print(executor->runtime->shared->run_dir, executor->slot, endpoint);
        if (trp_mailbox_listen(&executor->mailbox, endpoint, fd) != TROUPE_OK) {
            (void)close(fd); // who sends here from elsewhere waits for ever, and says so at the end
        }
    }
}

void trp_executor_end_if_done(struct troupe_executor *executor)
{
    bool had_actors = trp_counted(&executor->counters->actors_started) +
                          trp_counted(&executor->counters->actors_failed) >
                      0;
    if (executor->dedicated && had_actors && executor->actors.live_count == 0 &&
        executor->runtime->ops->may_end(executor->runtime, executor)) {
        executor->channels.ending = true;
    }
}

/** @return who sent here and died before any of it came; 0: nobody. */
static uint32_t executor_find_unclaimed(struct troupe_executor *executor)
{
    struct trp_shared *shared = executor->runtime->shared;
    uint32_t found = 0;
    trp_shared_lock(shared);
    for (uint32_t at = executor->slot->first_in; at != 0 && found == 0;) {
        const struct trp_ledger *ledger = &shared->ledgers[at - 1];
        const struct trp_slot *from = trp_shared_find_slot(shared, ledger->from);
        if (!ledger->claimed && from != NULL && trp_slot_state(from) == TRP_SLOT_DEAD &&
            atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_OPEN) {
            found = ledger->from;
        }
        at = ledger->next_in;
    }
    trp_shared_unlock(shared);
    return found;
}

void trp_executor_claim_all(struct troupe_executor *executor)
{
    // What the dead sent, and is here already, is still met.
    uint32_t count = 0;
    while (count++ < LAST_FRAMES && trp_mailbox_poll(&executor->mailbox) &&
           trp_executor_receive(executor)) {
    }
    uint32_t peer_id = 0;
    while ((peer_id = executor_find_unclaimed(executor)) != 0 &&
           trp_channel_accept(&executor->channels, peer_id) != NULL) {
    }
}

/** Settle with the peers whose processes have exited. */
static void executor_handle_process_exits(struct troupe_executor *executor)
{
    uint32_t process_exit_count =
        atomic_load_explicit(&executor->runtime->shared->process_exit_count, memory_order_acquire);
    if (TRP_LIKELY(process_exit_count == executor->channels.process_exits_seen)) {
        return;
    }
    executor->channels.process_exits_seen = process_exit_count;
    trp_executor_claim_all(executor);
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
    executor_handle_process_exits(executor);
    (void)trp_channels_reap(&executor->channels);
}

/** Give back what is owed, when it is worth it. */
static void executor_settle_credit(struct troupe_executor *executor)
{
    const struct trp_gate *gate = executor->channels.gate;
    bool wanted = atomic_load_explicit(&gate->waiting_count, memory_order_relaxed) != 0;
    if (wanted || executor->channels.rooms_late ||
        executor->channels.owed_messages > gate->bound_messages / 16 ||
        executor->channels.owed_bytes > gate->bound_bytes / 16 ||
        executor->channels.loop->credit_messages > gate->bound_messages / 2) {
        trp_channels_settle(&executor->channels, false);
    }
}

/** Give back what is owed when it is worth it, and now and then what was not spent. */
static void executor_settle(struct troupe_executor *executor)
{
    executor_settle_credit(executor);
    if (TRP_UNLIKELY(executor->monitors.untold_first != 0)) {
        trp_monitor_notify_again(executor);
    }
    // Words are met each turn: with much mail, 64 of them can take seconds.
    if (TRP_UNLIKELY(atomic_load_explicit(&executor->attention, memory_order_relaxed))) {
        trp_executor_handle_flags(executor);
    }
    if (++executor->turn_count % SWEEP_TURNS == 0) {
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (now_ns - executor->swept_ns > SWEEP_NS) {
            executor->swept_ns = now_ns;
            trp_channels_return_credit(&executor->channels);
            trp_executor_handle_flags(executor);
            trp_executor_listen(executor);
            // A FIN does not ring, and ZeroMQ itself has things to do when looked at.
            (void)trp_mailbox_poll(&executor->mailbox);
        }
    }
}

/** @return whether to look at the timers this turn: while busy, only about every 20 µs. */
static bool executor_checks_timers(struct troupe_executor *executor, bool busy)
{
    if (!busy || !executor->runtime->clock_is_real) {
        return true;
    }
    if (executor->timers_turns > 0) {
        executor->timers_turns--;
        return false;
    }
    // Even the cycle counter costs a tenth of a turn, so let turns be counted where they are short.
    uint64_t cycles = trp_cycles();
    uint64_t passed = cycles - executor->timers_cycles;
    executor->timers_cycles = cycles;
    uint64_t wanted = trp_cycles_of_ns(TIMERS_NS);
    if (passed > wanted) {
        executor->timers_stride /= 4;
    } else if (passed < wanted / 2 && executor->timers_stride < TIMERS_STRIDE_MAX) {
        executor->timers_stride = executor->timers_stride * 2 + 1;
    }
    executor->timers_turns = executor->timers_stride;
    return true;
}

/** @return whether a budget says to end the turn between two frames. */
static bool executor_is_spent(const struct troupe_executor *executor)
{
    return executor->handled_count >= executor->handled_limit ||
           (executor->turn_deadline_ns != 0 &&
            trp_clock_monotonic(NULL) >= executor->turn_deadline_ns);
}

/** @return whether one lone message of its own is all there is to do. */
static bool executor_is_lone(const struct troupe_executor *executor)
{
    const struct trp_channel *loop = executor->channels.loop;
    return executor->mailbox.loop_count == 0 && loop->frame.used != 0 &&
           loop->frame.used <= TRP_ZMSG_INLINE_BYTES && executor->channels.dirty == NULL &&
           !loop->is_waiting && !executor->channels.ending &&
           !trp_mailbox_has_mail(&executor->mailbox);
}

/** Send on the lone message of its own that is open. @return false: no memory; it stays open. */
TRP_INLINE bool executor_send_lone(struct troupe_executor *executor)
{
    struct trp_outframe *frame = &executor->channels.loop->frame;
    if (!trp_mailbox_loop_send_small(&executor->mailbox, frame->bytes, frame->used)) {
        return false;
    }
    trp_count(&executor->counters->frames_sent, 1);
    trp_channel_clear_frame(frame);
    return true;
}

/** Meet the frames of its own that are there; and where each message sends but one, some of those. */
static void executor_receive_all_own(struct troupe_executor *executor)
{
    uint32_t count = executor->mailbox.loop_count;
    while (count-- != 0 && !executor_is_spent(executor)) {
        executor_receive_own(executor);
    }
    // What a turn does besides costs a fifth of a hop: a token that goes round need not pay it each time.
    uint32_t rounds = executor->handled_limit == UINT64_MAX ? LONE_ROUNDS : 0;
    for (uint32_t round = 0;
         round < rounds && executor_is_lone(executor) && executor_send_lone(executor);
         round++) {
        executor_receive_own(executor);
    }
}

/** Receive what came by ipc and tcp, which nobody rings for. @return whether there was any. */
static bool executor_receive_remote(struct troupe_executor *executor)
{
    uint32_t count = 0;
    while (count < REMOTE_FRAMES && !executor_is_spent(executor) &&
           trp_mailbox_poll(&executor->mailbox) && trp_executor_receive(executor)) {
        count++;
        executor_settle_credit(executor); // so that they send on while this is met
        if (count == 1) {
            trp_channels_flush(
                &executor
                     ->channels); // the answer to a lone message need not wait for an empty look
        }
    }
    return count > 0;
}

bool trp_executor_turn(struct troupe_executor *executor)
{
    bool worked = false;
    executor->in_turn = true;
    trp_channel_flush(
        &executor->channels, executor->channels.loop); // what the main program sent between turns
    worked = executor->mailbox.loop_count != 0;
    uint64_t bell = atomic_load_explicit(&executor->channels.gate->bell, memory_order_relaxed);
    while (((int64_t)(bell - executor->mailbox.received_count) > 0 || executor->mailbox.has_early ||
            executor->mailbox.overtaken_first < executor->mailbox.overtaken_count) &&
           !executor_is_spent(executor) && trp_executor_receive(executor)) {
        worked = true;
    }
    if (TRP_UNLIKELY(trp_mailbox_is_due(&executor->mailbox))) {
        worked |= executor_receive_remote(executor);
    }
    executor_receive_all_own(executor);
    if (trp_timer_heap_due(&executor->timers) != TRP_TIMER_HEAP_NEVER) {
        if (executor_checks_timers(executor, worked)) {
            worked |= trp_actor_timers_run(executor, trp_executor_now(executor));
        }
    }
    executor_settle(executor);
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
    // Who is waiting still could not be told: no descriptor, or no memory. That may change.
    bool again = trp_channels_have_unspent(&executor->channels) ||
                 executor->channels.waiting_first != NULL || executor->channels.rooms_late ||
                 executor->monitors.untold_first != 0 || executor->channels.finished_count > 0;
    return again ? SWEEP_NS : UINT64_MAX;
}

void trp_executor_wait(struct troupe_executor *executor, uint64_t timeout_ns)
{
    if (executor->channels.waiting_first != NULL) {
        trp_channels_settle(&executor->channels, true);
    }
    if (trp_executor_has_work(executor) || trp_mailbox_spin(&executor->mailbox, timeout_ns)) {
        return;
    }
    uint64_t rest_ns = trp_executor_prepare_idle(executor);
    if (executor->mode == TRP_MODE_LOOP && true) {
        trp_runtime_wake(executor->runtime);
    }
    // A word that was met just now may have ended it, and its wake-up is spent.
    bool ended = executor->channels.ending && executor->is_looping;
    timeout_ns = timeout_ns < rest_ns ? timeout_ns : rest_ns;
    if (ended || trp_executor_has_work(executor) ||
        trp_mailbox_wait_doorbell(&executor->mailbox, timeout_ns) ||
        trp_mailbox_poll(&executor->mailbox)) {
        return;
    }
    trp_mailbox_sleep(&executor->mailbox, timeout_ns);
}

/* The end. -------------------------------------------------------------------------------------- */

void trp_executor_stop_actors(struct troupe_executor *executor)
{
    const struct troupe_exit exit = {.reason = TROUPE_EXIT_SHUTDOWN};
    executor->channels.ending = true;
    executor->in_turn = true;
    while (executor->actors.last_row != 0) {
        uint32_t index = executor->actors.last_row - 1;
        trp_actor_end(executor, trp_actor_table_row(&executor->actors, index), index, &exit);
        trp_actor_run_stops(executor);
    }
    trp_monitor_notify_executor(executor);
    trp_channel_flush(&executor->channels, executor->channels.loop);
    trp_channels_flush(&executor->channels);
    executor->in_turn = false;
}

/** Who sends to an executor that takes no more mail. */
struct executor_sender {
    uint32_t id;
    bool is_remote;
};

/** Take no new channels. @return how many of those who have one, and were not told, are in @p senders. */
static uint32_t executor_shut(
    struct troupe_executor *executor, struct executor_sender senders[static SENDERS])
{
    struct trp_shared *shared = executor->runtime->shared;
    struct trp_slot *slot = executor->slot;
    uint32_t count = 0;
    trp_shared_lock(shared);
    atomic_store_explicit(&slot->state, TRP_SLOT_CLOSING, memory_order_release);
    for (uint32_t at = slot->first_in; at != 0 && count < SENDERS;) {
        struct trp_ledger *ledger = &shared->ledgers[at - 1];
        at = ledger->next_in;
        if (!ledger->is_loop && !atomic_load_explicit(&ledger->gone, memory_order_relaxed) &&
            atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_OPEN) {
            const struct trp_slot *from = trp_shared_find_slot(shared, ledger->from);
            atomic_store_explicit(&ledger->gone, true, memory_order_release);
            senders[count++] = (struct executor_sender){
                .id = ledger->from,
                .is_remote = from != NULL && from->node != executor->node,
            };
        }
    }
    trp_shared_unlock(shared);
    return count;
}

void trp_executor_request_close(struct troupe_executor *executor)
{
    struct executor_sender senders[SENDERS];
    uint32_t count = 0;
    do {
        count = executor_shut(executor, senders);
        for (uint32_t i = 0; i < count; i++) {
            if (!executor->runtime->ops->detach_inbox(
                    executor->runtime, senders[i].id, executor->id)) {
                trp_channel_request_close(&executor->channels, senders[i].id, senders[i].is_remote);
            }
        }
    } while (count == SENDERS);
}

bool trp_executor_has_peers(struct troupe_executor *executor)
{
    return atomic_load_explicit(&executor->slot->in_open_count, memory_order_acquire) > 0;
}

static void executor_finish_links(struct troupe_executor *executor)
{
    // Finishing may free the channel and so change the table: begin again after each.
    bool found = true;
    while (found) {
        found = false;
        for (uint32_t i = 0; i < executor->channels.by_peer.slot_count && !found; i++) {
            struct trp_channel *channel = executor->channels.by_peer.slots[i].value;
            if (channel != NULL && channel->out_open && !channel->is_loop) {
                trp_channel_finish(&executor->channels, channel);
                found = true;
            }
        }
    }
}

void trp_executor_finish(struct troupe_executor *executor)
{
    trp_actor_drop_stash(executor);
    trp_monitor_notify_again(executor);
    while (executor->mailbox.loop_count != 0 || executor->channels.loop->frame.used != 0) {
        (void)trp_executor_turn(executor);
    }
    executor->channels.closed_out = true;
    trp_channels_set_last(&executor->channels, NULL);
    executor_finish_links(executor);
}

/** Do what is at hand while closing, or wait a little for others to do theirs. */
static void executor_close_step(
    struct troupe_executor *executor, uint64_t left_ns, uint64_t *step_ns)
{
    trp_executor_handle_flags(executor);
    if (trp_executor_turn(executor) || trp_mailbox_poll(&executor->mailbox)) {
        return;
    }
    // Who is in another process may be closing, too, and then leaves only a word in shared memory.
    bool listens = executor->mailbox.listens;
    uint64_t wait_ns = listens && *step_ns < left_ns ? *step_ns : left_ns;
    if (trp_executor_has_peers(executor)) {
        trp_mailbox_sleep(&executor->mailbox, wait_ns);
    } else {
        trp_channels_await_finished(&executor->channels, wait_ns);
    }
    if (listens) {
        *step_ns = *step_ns < CLOSE_STEP_NS_MAX ? *step_ns * 2 : CLOSE_STEP_NS_MAX;
        atomic_store_explicit(&executor->attention, true, memory_order_relaxed);
    }
}

bool trp_executor_close(struct troupe_executor *executor, uint64_t deadline_ns)
{
    trp_executor_request_close(executor);
    bool finished = false;
    uint64_t step_ns = CLOSE_STEP_NS;
    while (trp_executor_has_peers(executor) || !finished ||
           trp_channels_reap(&executor->channels)) {
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (now_ns >= deadline_ns) {
            return false;
        }
        if (!trp_executor_has_peers(executor) && !finished) {
            trp_executor_finish(executor);
            finished = true;
        } else {
            executor_close_step(
                executor, deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns - now_ns, &step_ns);
        }
    }
    return true;
}
