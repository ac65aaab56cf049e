/*
 * A frame that goes by ipc or tcp is packed into zmsgs; ZeroMQ gets a share of each.
 *
 *     open frame, bodies --pack--> zmsgs --share--> ZeroMQ
 *                                    |
 *                                    +--> retained, in order, until the ledger counts all of its messages as done
 */
#include "channel/retained.h"

#include "base/counter.h"
#include "channel/mailbox.h"
#include "shared/ledger.h"
#include "wire/frame_pool.h"
#include "wire/frame_write.h"
#include "wire/zmq.h"

#include <stdlib.h>

enum {
    RETAINED_LOOK_NS =
        2000000, // how soon an idle executor looks whether retained frames were handled
    RETAINED_LOOK_NS_MAX = 500000000,
};

/** Copy the open frame into a zmsg, or move it if it is large. @return false: no memory. */
static bool retained_pack(
    struct trp_channels *channels, struct trp_outframe *frame, struct trp_zmsg *zmsg)
{
    if (frame->used <= TRP_COPIED_BYTES_MAX) {
        return trp_zmsg_fill(zmsg, frame->bytes, frame->used);
    }
    if (!trp_zmsg_give(
            zmsg, frame->bytes, frame->used, trp_frame_give_back, channels->frames.pool)) {
        return false;
    }
    frame->bytes = NULL;
    frame->capacity = 0;
    return true;
}

static void retained_append(
    struct trp_channels *channels, struct trp_channel *channel, struct trp_retained *retained)
{
    channels->retained_count++;
    channels->retained_look_ns = 0;
    retained->next = NULL;
    if (channel->retained_last != NULL) {
        channel->retained_last->next = retained;
    } else {
        channel->retained_first = retained;
    }
    channel->retained_last = retained;
}

static void retained_free(struct trp_retained *retained)
{
    trp_zmsg_clear(&retained->frame);
    for (uint32_t i = 0; i < retained->part_count; i++) {
        trp_zmsg_clear(&retained->parts[i].zmsg);
    }
    free(retained);
}

/** Take the first retained frame off the list, and free it. */
static void retained_pop(struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_retained *first = channel->retained_first;
    channel->retained_first = first->next;
    channel->retained_last = first->next == NULL ? NULL : channel->retained_last;
    channels->retained_count--;
    retained_free(first);
}

/** Free the retained frames of a channel whose messages all have an outcome. */
static void retained_release(struct trp_channels *channels, struct trp_channel *channel)
{
    uint64_t done = channel->retained_first == NULL ? 0 : trp_ledger_done(channel->ledger);
    while (channel->retained_first != NULL &&
           channel->retained_first->first_sequence + channel->retained_first->count <= done) {
        retained_pop(channels, channel);
    }
}

uint64_t trp_channels_release_retained(struct trp_channels *channels)
{
    uint64_t before = channels->retained_count;
    for (uint32_t i = 0; i < channels->by_peer.slot_count && channels->retained_count > 0; i++) {
        struct trp_channel *channel = channels->by_peer.slots[i].value;
        if (channel != NULL && channel->retained_first != NULL) {
            retained_release(channels, channel);
        }
    }
    if (channels->retained_count == 0) {
        return UINT64_MAX;
    }
    // Look again soon after some were freed, and rarely while a peer does not get on.
    uint64_t doubled_ns = channels->retained_look_ns * 2;
    channels->retained_look_ns = channels->retained_count != before || doubled_ns < RETAINED_LOOK_NS
                                     ? RETAINED_LOOK_NS
                                     : doubled_ns;
    if (channels->retained_look_ns > RETAINED_LOOK_NS_MAX) {
        channels->retained_look_ns = RETAINED_LOOK_NS_MAX;
    }
    return channels->retained_look_ns;
}

static void retained_free_body(void *data, void *body)
{
    (void)data;
    troupe_body_free(body);
    free(body);
}

/** Move a given body into a zmsg. @return false: no memory. */
static bool retained_pack_given(struct troupe_body *given, struct trp_retained_part *part)
{
    struct troupe_body *owned = malloc(sizeof(*owned));
    if (owned == NULL) {
        return false;
    }
    *owned = *given;
    if (!trp_zmsg_give(&part->zmsg, owned->data, owned->bytes, retained_free_body, owned)) {
        free(owned);
        return false;
    }
    part->body = owned;
    *given = (struct troupe_body){0};
    return true;
}

/** Undo retained_pack_given(), which needs no memory: nothing shares the zmsg yet. */
static void retained_unpack_given(struct trp_retained_part *part, struct troupe_body *given)
{
    *given = *part->body;
    *part->body = (struct troupe_body){0}; // so that the zmsg frees only itself
    trp_zmsg_clear(&part->zmsg);
}

/** Pack the open frame and the bodies that follow it. @return NULL: no memory; nothing was packed. */
static struct trp_retained *retained_pack_all(
    struct trp_channels *channels, struct trp_channel *channel)
{
    struct trp_outframe *frame = &channel->frame;
    uint32_t count = channel->given_count;
    struct trp_retained *retained = malloc(sizeof(*retained) + count * sizeof(retained->parts[0]));
    if (retained == NULL) {
        return NULL;
    }
    retained->first_sequence =
        trp_counted(&channel->ledger->accepted) - trp_outframe_counted(frame);
    retained->count = trp_outframe_counted(frame);
    retained->part_count = 0;
    while (retained->part_count < count &&
           retained_pack_given(
               &channel->given[retained->part_count], &retained->parts[retained->part_count])) {
        retained->part_count++;
    }
    if (retained->part_count == count && retained_pack(channels, frame, &retained->frame)) {
        channel->given_count = 0;
        channel->given_bytes = 0;
        return retained;
    }
    // Bodies that were packed already become given bodies again, with the same bytes, until there is memory.
    for (uint32_t i = 0; i < retained->part_count; i++) {
        retained_unpack_given(&retained->parts[i], &channel->given[i]);
    }
    free(retained);
    return NULL;
}

bool trp_channel_send_retained(struct trp_channels *channels, struct trp_channel *channel)
{
    retained_release(channels, channel);
    struct trp_retained *retained = retained_pack_all(channels, channel);
    if (retained == NULL) {
        return false;
    }
    struct trp_zmsg zmsg;
    trp_zmsg_share(&zmsg, &retained->frame);
    trp_zmq_send_zmsg(channel->push, &zmsg, retained->part_count > 0);
    for (uint32_t i = 0; i < retained->part_count; i++) {
        trp_zmsg_share(&zmsg, &retained->parts[i].zmsg);
        trp_zmq_send_zmsg(channel->push, &zmsg, i + 1 < retained->part_count);
    }
    if (retained->count > 0) {
        retained_append(channels, channel, retained);
    } else {
        retained_free(retained);
    }
    return true;
}

void trp_channel_drop_retained(struct trp_channels *channels, struct trp_channel *channel)
{
    while (channel->retained_first != NULL) {
        retained_pop(channels, channel);
    }
}
