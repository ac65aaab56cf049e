/*
 * Incoming frames: of peers, from the mailbox; and of the executor itself, from its loop.
 *
 *     frame --> check the header, cookie and sequence --> items --> messages: deliver; commands: carry out
 *                  | not ours, or seen before        | malformed
 *                  v                                 v
 *               reject                            reject the rest of the frame: its messages are `undecodable`
 *
 * A frame of the executor itself has no header, since only this file's process writes it.
 */
#include "loop/receive_frame.h"

#include "actor/batch.h"
#include "actor/end.h"
#include "actor/executor.h"
#include "actor/inbox_mail.h"
#include "actor/receive.h"
#include "actor/send.h"
#include "actor/start.h"
#include "base/clock.h"
#include "base/counter.h"
#include "channel/channel.h"
#include "channel/channel_close.h"
#include "channel/channel_death.h"
#include "channel/channel_send.h"
#include "channel/credit_requests.h"
#include "channel/grant.h"
#include "channel/mailbox.h"
#include "channel/writable.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    REMOTE_FRAMES = 64, // most frames by ipc and tcp in a turn
    LONE_ROUNDS = 16,   // most rounds of a turn in which one message leads to one other
};

/** Count a frame that cannot be read, and @p lost_count of its messages as dead letters. */
static void receive_frame_reject(
    struct troupe_executor *executor, struct trp_channel *channel, uint64_t lost_count)
{
    trp_count(&executor->counters->frames_undecodable, 1);
    if (channel != NULL) {
        trp_channels_lose(
            &executor->channels, channel->in_ledger, TROUPE_DEAD_UNDECODABLE, lost_count);
        channel->received_count += lost_count;
    }
}

/** The peer accepts no more messages: finish the channel to it. */
static void receive_frame_handle_close_request(
    struct troupe_executor *executor, struct trp_channel *channel)
{
    if (channel->out_open) {
        trp_channel_finish(&executor->channels, channel);
    }
}

/** @return the body, for a struct of @p bytes; NULL: it is too small. */
static const void *receive_frame_body(const struct trp_item *item, size_t bytes)
{
    return item->body_bytes >= bytes ? item->body : NULL;
}

/** Carry out a command, which is an item that is no message to an actor. */
static void receive_frame_handle_command(
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
        body = receive_frame_body(item, sizeof(struct trp_credit_request));
        if (body != NULL) {
            trp_channel_handle_credit_request(&executor->channels, channel, body);
        }
        break;
    case TRP_KIND_CREDIT_GRANT:
        body = receive_frame_body(item, sizeof(struct trp_credit_grant));
        if (body != NULL && channel->out_open) {
            trp_channel_handle_credit_grant(&executor->channels, channel, body);
        }
        break;
    case TRP_KIND_STOP_EXECUTOR:
        executor->channels.ending = true;
        break;
    case TRP_KIND_CLOSE_REQUEST:
        receive_frame_handle_close_request(executor, channel);
        break;
    case TRP_KIND_FIN:
        body = receive_frame_body(item, sizeof(struct trp_fin));
        if (body != NULL) {
            trp_channel_handle_fin(&executor->channels, channel, body); // may free the channel
        }
        break;
    case TRP_KIND_WAKE: // its effect was to wake the executor
    case TRP_KIND_USER:
    case TRP_KIND_REPLY:
    case TRP_KIND_NOTICE:
    case TRP_KIND_COUNT:
        break;
    }
}

/** Replace the handle of a separate body by the part that it names. @return false: there is no such part. */
static bool receive_frame_take_part(
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

/** Handle the items of a frame up to its end or a fault. @return how many counted messages there were. */
static uint64_t receive_frame_items(
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
            if (!receive_frame_take_part(executor, &item, &part)) {
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
            receive_frame_handle_command(executor, channel, &item);
            if (item.kind == TRP_KIND_FIN) {
                break; // the last of its lane; the channel may have been freed
            }
        }
    }
    return counted;
}

/** Receive and handle the next frame of the executor itself. */
TRP_INLINE void receive_frame_own(struct troupe_executor *executor)
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
        (void)receive_frame_items(executor, executor->channels.loop, &cursor, &fault);
        TRP_CHECK(fault == TRP_FAULT_NONE); // this process wrote it
    }
    if (size > TRP_ZMSG_INLINE_BYTES) {
        trp_mailbox_release_frame(&executor->mailbox, size);
    }
}

/** Handle a frame that a peer sent, or a stranger that claims to be one. */
static void receive_frame_handle(
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
        // A stranger does not ring the doorbell.
        trp_mailbox_uncount(&executor->mailbox, bytes, size);
        receive_frame_reject(executor, NULL, 0);
        return;
    }
    if (header.lane == TRP_LANE_USER && header.first_sequence != channel->received_count &&
        header.count != 0) {
        trp_count(&executor->counters->sequence_gaps, 1);
        if (header.first_sequence < channel->received_count) {
            receive_frame_reject(executor, NULL, 0); // seen before
            return;
        }
        receive_frame_reject(executor, channel, header.first_sequence - channel->received_count);
    }
    channel->command_count += (header.marks & TRP_MARK_COUNTED) != 0 ? 1 : 0;
    cursor.local = !channel->in_is_remote;
    cursor.part_count = executor->mailbox.part_count;
    uint64_t counted = receive_frame_items(executor, channel, &cursor, &fault);
    if (fault != TRP_FAULT_NONE || header.count != counted) {
        receive_frame_reject(
            executor, channel, header.count > counted ? header.count - counted : 0);
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
    receive_frame_handle(executor, bytes, size);
    trp_mailbox_release_frame(&executor->mailbox, size);
    return true;
}

bool trp_executor_is_spent(const struct troupe_executor *executor)
{
    return executor->handled_count >= executor->handled_limit ||
           (executor->turn_deadline_ns != 0 &&
            trp_clock_monotonic(NULL) >= executor->turn_deadline_ns);
}

/** @return whether one message of the executor to itself is all there is to do. */
static bool receive_frame_is_lone(const struct troupe_executor *executor)
{
    const struct trp_channel *loop = executor->channels.loop;
    return executor->mailbox.loop_count == 0 && loop->frame.used != 0 &&
           loop->frame.used <= TRP_ZMSG_INLINE_BYTES && executor->channels.dirty == NULL &&
           !loop->is_waiting && !executor->channels.ending &&
           !trp_mailbox_has_mail(&executor->mailbox);
}

/** Send that message, which is in the open frame. @return false: no memory; it stays there. */
TRP_INLINE bool receive_frame_send_lone(struct troupe_executor *executor)
{
    struct trp_outframe *frame = &executor->channels.loop->frame;
    if (!trp_mailbox_loop_send_small(&executor->mailbox, frame->bytes, frame->used)) {
        return false;
    }
    trp_count(&executor->counters->frames_sent, 1);
    trp_channel_clear_frame(frame);
    return true;
}

void trp_executor_receive_own(struct troupe_executor *executor)
{
    uint32_t count = executor->mailbox.loop_count;
    while (count-- != 0 && !trp_executor_is_spent(executor)) {
        receive_frame_own(executor);
    }
    // The rest of a turn costs a fifth of a hop: where each message leads to one other, several share a turn.
    uint32_t rounds = executor->handled_limit == UINT64_MAX ? LONE_ROUNDS : 0;
    for (uint32_t round = 0;
         round < rounds && receive_frame_is_lone(executor) && receive_frame_send_lone(executor);
         round++) {
        receive_frame_own(executor);
    }
}

void trp_executor_settle_credit(struct troupe_executor *executor)
{
    const struct trp_credit_pool *pool = &executor->slot->pool;
    bool is_wanted = atomic_load_explicit(&pool->waiting_count, memory_order_relaxed) != 0;
    if (is_wanted || executor->channels.rooms_delayed ||
        executor->channels.owed_messages > pool->bound_messages / 16 ||
        executor->channels.owed_bytes > pool->bound_bytes / 16 ||
        executor->channels.loop->credit_messages > pool->bound_messages / 2) {
        trp_channels_settle(&executor->channels, false);
    }
}

bool trp_executor_receive_remote(struct troupe_executor *executor)
{
    uint32_t count = 0;
    while (count < REMOTE_FRAMES && !trp_executor_is_spent(executor) &&
           trp_mailbox_poll(&executor->mailbox) && trp_executor_receive(executor)) {
        count++;
        trp_executor_settle_credit(executor); // peers send on while this is handled
        if (count == 1) {
            trp_channels_flush(
                &executor
                     ->channels); // the reply to a single message does not wait for a poll that finds nothing
        }
    }
    return count > 0;
}
