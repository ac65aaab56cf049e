#include "actor/open_frame.h"

#include "actor/executor.h"
#include "actor/runtime.h"
#include "base/clock.h"
#include "channel/channel.h"
#include "channel/channel_send.h"
#include "channel/mailbox.h"
#include "wire/format.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

#include <stdlib.h>

void trp_open_frame_mark(struct troupe_executor *executor, struct trp_channel *channel)
{
    if (!channel->dirty) {
        channel->dirty = true;
        channel->next_dirty = executor->channels.dirty;
        executor->channels.dirty = channel;
        channel->frame_cycles = trp_cycles();
    }
    if (channel->frame.messages >= channel->frame_messages_max ||
        channel->given_bytes >= TRP_FRAME_BYTES_MAX_LOCAL) {
        trp_channel_flush(&executor->channels, channel);
    }
    if (TRP_UNLIKELY(!executor->in_turn)) {
        trp_channels_flush(&executor->channels); // there is no end of a turn that would
    }
}

/** Append an envelope and its body, count it, and flush when it is time. @return false: no memory. */
static bool open_frame_put(
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
        trp_send_account(channel);
    }
    if (!channel->is_loop) {
        trp_open_frame_mark(executor, channel);
    } else if (!executor->in_turn) {
        // Sent by the main program: a foreign loop is to take a turn.
        trp_runtime_wake_foreign_loop(executor->runtime);
    }
    return true;
}

/** Get a body that has an owner: the one that was given, or a copy of a large one. @return false: no memory. */
static bool open_frame_take_body(const struct trp_outgoing *outgoing, struct troupe_body *out_body)
{
    if (outgoing->given != NULL) {
        *out_body = *outgoing->given;
        return true;
    }
    if (troupe_body_new(outgoing->body_bytes, out_body) != TROUPE_OK) {
        return false;
    }
    memcpy(out_body->data, outgoing->body, outgoing->body_bytes);
    return true;
}

/** Add a body to those that follow the open frame as parts, by ipc or tcp. @return false: no memory. */
static bool open_frame_add_part(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct troupe_body *body,
    struct trp_given *given)
{
    // Make room first, since that may flush: part and envelope have to be in the same frame.
    const uint32_t need = sizeof(struct trp_envelope) + 24 + sizeof(struct trp_given);
    if (channel->given_count == TRP_PARTS_MAX) {
        trp_channel_flush(&executor->channels, channel);
    }
    if (channel->given_count == TRP_PARTS_MAX ||
        !trp_channel_make_room(&executor->channels, channel, need)) {
        return false;
    }
    if (channel->given == NULL) {
        channel->given = calloc(TRP_PARTS_MAX, sizeof(*channel->given));
        if (channel->given == NULL) {
            return false;
        }
    }
    union {
        uintptr_t number;
        void *data;
    } part = {.number = channel->given_count};
    *given = (struct trp_given){.data = part.data, .bytes = body->bytes};
    channel->given[channel->given_count++] = *body;
    channel->given_bytes += body->bytes;
    return true;
}

/** Append an envelope whose body travels separately. @return false: no memory. */
static bool open_frame_append_body(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_outgoing *outgoing)
{
    struct troupe_body body;
    if (!open_frame_take_body(outgoing, &body)) {
        return false;
    }
    struct trp_given given = {body.data, body.bytes, body.free, body.free_data};
    outgoing->handle = &given;
    outgoing->flags |= TRP_FLAG_GIVEN;
    bool added = !channel->is_remote || open_frame_add_part(executor, channel, &body, &given);
    bool appended = added && open_frame_put(executor, channel, outgoing);
    outgoing->handle = NULL;
    if (appended) {
        if (outgoing->given != NULL) {
            *outgoing->given = (struct troupe_body){0};
        }
        return true;
    }
    if (channel->is_remote && added) {
        channel->given_count--;
        channel->given_bytes -= body.bytes;
    }
    if (outgoing->given == NULL) {
        troupe_body_free(&body);
    }
    return false;
}

/** @return whether the body of a message travels separately, and not within the frame. */
static bool open_frame_is_separate(
    const struct trp_channel *channel, const struct trp_outgoing *outgoing)
{
    bool is_large = outgoing->body_bytes > TRP_INLINE_BYTES_MAX;
    return outgoing->given != NULL ? is_large || !channel->is_remote
                                   : is_large && outgoing->kind != TRP_KIND_START;
}

bool trp_open_frame_append(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_outgoing *outgoing)
{
    if (TRP_UNLIKELY(open_frame_is_separate(channel, outgoing))) {
        return open_frame_append_body(executor, channel, outgoing);
    }
    bool appended = open_frame_put(executor, channel, outgoing);
    if (TRP_UNLIKELY(appended && outgoing->given != NULL)) {
        troupe_body_free(outgoing->given); // it was copied
    }
    return appended;
}
