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

static void retained_append(struct trp_channel *channel, struct trp_retained *retained)
{
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

void trp_channel_release_retained(struct trp_channel *channel)
{
    uint64_t done = channel->retained_first == NULL ? 0 : trp_ledger_done(channel->ledger);
    while (channel->retained_first != NULL &&
           channel->retained_first->first_sequence + channel->retained_first->count <= done) {
        struct trp_retained *next = channel->retained_first->next;
        retained_free(channel->retained_first);
        channel->retained_first = next;
    }
    channel->retained_last = channel->retained_first == NULL ? NULL : channel->retained_last;
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
    trp_channel_release_retained(channel);
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
        retained_append(channel, retained);
    } else {
        retained_free(retained);
    }
    return true;
}

void trp_channel_drop_retained(struct trp_channel *channel)
{
    while (channel->retained_first != NULL) {
        struct trp_retained *next = channel->retained_first->next;
        retained_free(channel->retained_first);
        channel->retained_first = next;
    }
    channel->retained_last = NULL;
}
