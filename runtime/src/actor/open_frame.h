/**
 * @file open_frame.h
 * @brief Appending messages to the open frame of a channel.
 *
 *     inline      small bodies, copied into the frame
 *     separate    large or given bodies: inside a process a handle in the frame, by ipc and tcp a part that follows it
 */
#ifndef TRP_OPEN_FRAME_H
#define TRP_OPEN_FRAME_H

#include "actor/executor.h"
#include "channel/channel.h"
#include "channel/channel_send.h"
#include "wire/frame_write.h"

/** A message was appended to the open frame of a channel to a peer: make sure that it leaves. */
void trp_open_frame_mark(struct troupe_executor *executor, struct trp_channel *channel);

/** Append a message whose body travels separately. @return false: no memory. */
bool trp_open_frame_append_body(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_outgoing *outgoing);

/** Append an envelope and its body, count it, and flush when it is time. @return false: no memory. */
static inline bool trp_open_frame_put(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_outgoing *outgoing)
{
    if (!trp_outframe_put(&channel->frame, outgoing)) {
        // An upper bound: envelope; sender, ask and expiry; a body that is given or one that is not.
        size_t need =
            sizeof(struct trp_envelope) + 24 + sizeof(struct trp_given) +
            ((outgoing->flags & TRP_FLAG_GIVEN) != 0 ? 0
                                                     : trp_pad8((uint32_t)outgoing->body_bytes));
        if (!trp_channel_make_room(&executor->channels, channel, (uint32_t)need) ||
            !trp_outframe_put(&channel->frame, outgoing)) {
            return false;
        }
    }
    if (trp_kind_is_counted(outgoing->kind)) {
        trp_channel_count_accepted(channel);
    }
    if (!channel->is_loop) {
        trp_open_frame_mark(executor, channel);
    } else if (!executor->in_turn) {
        // Sent by the main program: a foreign loop is to take a turn.
        trp_runtime_wake_foreign_loop(executor->runtime);
    }
    return true;
}

/** @return whether the body of a message travels separately, and not within the frame. */
static inline bool trp_open_frame_is_separate(
    const struct trp_channel *channel, const struct trp_outgoing *outgoing)
{
    bool is_large = outgoing->body_bytes > TRP_INLINE_BYTES_MAX;
    return outgoing->given != NULL ? is_large || !channel->is_remote
                                   : is_large && outgoing->kind != TRP_KIND_START;
}

/**
 * Append a message to the open frame of a channel. A body that was given is taken on success.
 *
 * @return false: no memory; nothing was appended.
 */
static inline bool trp_open_frame_append(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_outgoing *outgoing)
{
    if (TRP_UNLIKELY(trp_open_frame_is_separate(channel, outgoing))) {
        return trp_open_frame_append_body(executor, channel, outgoing);
    }
    bool appended = trp_open_frame_put(executor, channel, outgoing);
    if (TRP_UNLIKELY(appended && outgoing->given != NULL)) {
        troupe_body_free(outgoing->given); // it was copied
    }
    return appended;
}

#endif
