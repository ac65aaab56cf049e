/*
 * Frames that go by ipc or tcp. A share of each is kept until the ledger says that its messages are done
 * with: if the receiver's process dies, they say who waits in vain.
 *
 *     open frame, bodies --pack--> parcels --share--> ZeroMQ
 *                                    |
 *                                    +--> kept, in order, until handled
 */
#include "actor/executor.h"
#include "channel/channel.h"

#include <stdlib.h>

/** Move the open frame into a parcel: a copy, or for a large one itself. @return false: no memory. */
static bool kept_pack(
    struct troupe_executor *executor, struct trp_outframe *frame, struct trp_parcel *parcel)
{
    if (frame->used <= TRP_COPIED_BYTES_MAX) {
        return trp_parcel_fill(parcel, frame->bytes, frame->used);
    }
    if (!trp_parcel_give(
            parcel, frame->bytes, frame->used, trp_frame_give_back, executor->frames.pool)) {
        return false;
    }
    frame->bytes = NULL;
    frame->capacity = 0;
    return true;
}

/** Keep what is about to be sent, until its messages are done with. */
static void kept_append(struct trp_link *link, struct trp_kept *kept)
{
    kept->next = NULL;
    if (link->kept_last != NULL) {
        link->kept_last->next = kept;
    } else {
        link->kept_first = kept;
    }
    link->kept_last = kept;
}

static void kept_free(struct trp_kept *kept)
{
    trp_parcel_clear(&kept->frame);
    for (uint32_t i = 0; i < kept->part_count; i++) {
        trp_parcel_clear(&kept->parts[i].parcel);
    }
    free(kept);
}

void trp_link_forget_kept(struct trp_link *link)
{
    uint64_t done = link->kept_first == NULL ? 0 : trp_ledger_done(link->ledger);
    while (link->kept_first != NULL &&
           link->kept_first->first_sequence + link->kept_first->count <= done) {
        struct trp_kept *next = link->kept_first->next;
        kept_free(link->kept_first);
        link->kept_first = next;
    }
    link->kept_last = link->kept_first == NULL ? NULL : link->kept_last;
}

static void kept_free_body(void *data, void *body)
{
    (void)data;
    troupe_body_free(body);
    free(body);
}

/** Move a given body into a parcel. @return false: no memory. */
static bool kept_pack_given(struct troupe_body *given, struct trp_kept_part *part)
{
    struct troupe_body *owned = malloc(sizeof(*owned));
    if (owned == NULL) {
        return false;
    }
    *owned = *given;
    if (!trp_parcel_give(&part->parcel, owned->data, owned->bytes, kept_free_body, owned)) {
        free(owned);
        return false;
    }
    part->body = owned;
    *given = (struct troupe_body){0};
    return true;
}

/** Undo kept_pack_given(), without any memory: nothing shares the parcel yet. */
static void kept_unpack_given(struct trp_kept_part *part, struct troupe_body *given)
{
    *given = *part->body;
    *part->body = (struct troupe_body){0}; // so that the parcel frees nothing but itself
    trp_parcel_clear(&part->parcel);
}

/** Pack the open frame and the bodies that follow it. @return NULL: no memory; nothing was packed. */
static struct trp_kept *kept_pack_all(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_outframe *frame = &link->frame;
    uint32_t count = link->given_count;
    struct trp_kept *kept = malloc(sizeof(*kept) + count * sizeof(kept->parts[0]));
    if (kept == NULL) {
        return NULL;
    }
    kept->first_sequence = trp_counted(&link->ledger->accepted) - trp_outframe_counted(frame);
    kept->count = trp_outframe_counted(frame);
    kept->part_count = 0;
    while (kept->part_count < count &&
           kept_pack_given(&link->given[kept->part_count], &kept->parts[kept->part_count])) {
        kept->part_count++;
    }
    if (kept->part_count == count && kept_pack(executor, frame, &kept->frame)) {
        link->given_count = 0;
        link->given_bytes = 0;
        return kept;
    }
    // What was packed already stays a body, of the same bytes, until there is memory.
    for (uint32_t i = 0; i < kept->part_count; i++) {
        kept_unpack_given(&kept->parts[i], &link->given[i]);
    }
    free(kept);
    return NULL;
}

bool trp_link_send_kept(struct troupe_executor *executor, struct trp_link *link)
{
    trp_link_forget_kept(link);
    struct trp_kept *kept = kept_pack_all(executor, link);
    if (kept == NULL) {
        return false;
    }
    struct trp_parcel parcel;
    trp_parcel_share(&parcel, &kept->frame);
    trp_wire_send_parcel(link->push, &parcel, kept->part_count > 0);
    for (uint32_t i = 0; i < kept->part_count; i++) {
        trp_parcel_share(&parcel, &kept->parts[i].parcel);
        trp_wire_send_parcel(link->push, &parcel, i + 1 < kept->part_count);
    }
    if (kept->count > 0) {
        kept_append(link, kept);
    } else {
        kept_free(kept);
    }
    return true;
}

void trp_link_drop_kept(struct trp_link *link)
{
    while (link->kept_first != NULL) {
        struct trp_kept *next = link->kept_first->next;
        kept_free(link->kept_first);
        link->kept_first = next;
    }
    link->kept_last = NULL;
}
