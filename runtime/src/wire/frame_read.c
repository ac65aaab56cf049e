#include "wire/frame_read.h"

const char *trp_fault_text(enum trp_fault fault)
{
    static const char *const texts[] = {
        [TRP_FAULT_NONE] = "none",
        [TRP_FAULT_TRUNCATED] = "truncated",
        [TRP_FAULT_OVERSIZED] = "oversized",
        [TRP_FAULT_MISALIGNED] = "misaligned",
        [TRP_FAULT_VERSION] = "version",
        [TRP_FAULT_COOKIE] = "cookie",
        [TRP_FAULT_KIND] = "kind",
        [TRP_FAULT_COUNT] = "count",
    };
    return fault < TRP_FAULT_KINDS ? texts[fault] : "unknown";
}

enum trp_fault trp_frame_open(
    const uint8_t *bytes,
    size_t size,
    const uint64_t *cookie,
    struct trp_header *out_header,
    struct trp_cursor *out_cursor)
{
    if (size < sizeof(struct trp_header)) {
        return TRP_FAULT_TRUNCATED;
    }
    if (size > TRP_FRAME_BYTES_MAX) {
        return TRP_FAULT_OVERSIZED;
    }
    if (size % 8 != 0 || (uintptr_t)bytes % 8 != 0) {
        return TRP_FAULT_MISALIGNED;
    }
    memcpy(out_header, bytes, sizeof(*out_header));
    if (out_header->version != TRP_FRAME_VERSION) {
        return TRP_FAULT_VERSION;
    }
    if (out_header->lane > TRP_LANE_COMMAND ||
        (out_header->marks & ~(TRP_MARK_RUNG | TRP_MARK_COUNTED)) != 0) {
        return TRP_FAULT_KIND;
    }
    if (cookie != NULL && *cookie != out_header->cookie) {
        return TRP_FAULT_COOKIE;
    }
    *out_cursor = (struct trp_cursor){
        .at = bytes + sizeof(*out_header),
        .end = bytes + size,
        .node = out_header->node,
        .executor = out_header->executor,
        .lane = (enum trp_lane)out_header->lane,
    };
    return TRP_FAULT_NONE;
}

/** Read an extension of 8 bytes. @return false: the frame ends before it does. */
static bool frame_read_word(struct trp_cursor *cursor, uint64_t *out_word)
{
    if ((size_t)(cursor->end - cursor->at) < sizeof(*out_word)) {
        return false;
    }
    memcpy(out_word, cursor->at, sizeof(*out_word));
    cursor->at += sizeof(*out_word);
    return true;
}

/** Read the extensions between envelope and body, as the flags say. */
static enum trp_fault frame_read_extensions(struct trp_cursor *cursor, struct trp_item *item)
{
    uint64_t word = 0;
    if ((item->flags & TRP_FLAG_SENDER) != 0) {
        if (!frame_read_word(cursor, &word)) {
            return TRP_FAULT_TRUNCATED;
        }
        item->sender_node = (uint32_t)word;
        item->sender_executor = (uint32_t)(word >> 32);
    }
    if ((item->flags & TRP_FLAG_ASK) != 0 && !frame_read_word(cursor, &item->ask)) {
        return TRP_FAULT_TRUNCATED;
    }
    if ((item->flags & TRP_FLAG_EXPIRES) != 0 && !frame_read_word(cursor, &item->expires_ns)) {
        return TRP_FAULT_TRUNCATED;
    }
    if ((item->flags & TRP_FLAG_RUN) != 0) {
        if (!frame_read_word(cursor, &word)) {
            return TRP_FAULT_TRUNCATED;
        }
        if (word == 0 || word > TRP_RUN_COUNT_MAX) {
            return TRP_FAULT_COUNT;
        }
        item->count = (uint32_t)word;
    }
    return TRP_FAULT_NONE;
}

/** Check that kind, flags and size of an item go together. */
static enum trp_fault frame_check_tag(const struct trp_cursor *cursor, const struct trp_item *item)
{
    if (item->kind >= TRP_KIND_COUNT) {
        return TRP_FAULT_KIND;
    }
    // A given body belongs to one message, and its address is valid within its process only.
    bool given = (item->flags & TRP_FLAG_GIVEN) != 0;
    bool run = (item->flags & TRP_FLAG_RUN) != 0;
    bool ask = (item->flags & TRP_FLAG_ASK) != 0;
    bool expires = (item->flags & TRP_FLAG_EXPIRES) != 0;
    bool may_give = cursor->local || cursor->part_count > 0;
    if ((given && (!may_give || item->body_bytes != 0)) || (run && (given || ask || expires)) ||
        ((run || expires) && item->kind != TRP_KIND_USER)) {
        return TRP_FAULT_KIND;
    }
    return item->body_bytes > TRP_BODY_BYTES_MAX ? TRP_FAULT_OVERSIZED : TRP_FAULT_NONE;
}

enum trp_fault trp_frame_next_flagged(struct trp_cursor *cursor, struct trp_item *out_item)
{
    const struct trp_envelope *envelope = (const void *)cursor->at;
    struct trp_item item = {
        .envelope = envelope,
        .body_bytes = trp_tag_size(envelope->tag),
        .count = 1,
        .kind = trp_tag_kind(envelope->tag),
        .flags = trp_tag_flags(envelope->tag),
        .sender_node = cursor->node,
        .sender_executor = cursor->executor,
    };
    struct trp_cursor next = *cursor;
    next.at += sizeof(*envelope);
    enum trp_fault fault = frame_check_tag(cursor, &item);
    if (fault == TRP_FAULT_NONE) {
        fault = frame_read_extensions(&next, &item);
    }
    if (fault != TRP_FAULT_NONE) {
        return fault;
    }
    bool given = (item.flags & TRP_FLAG_GIVEN) != 0;
    size_t stride = given ? sizeof(struct trp_given) : trp_pad8(item.body_bytes);
    if ((size_t)(next.end - next.at) < stride * item.count) {
        return TRP_FAULT_TRUNCATED;
    }
    item.body = next.at;
    item.given = given ? (const void *)next.at : NULL;
    if (given && !cursor->local && (uintptr_t)item.given->data >= cursor->part_count) {
        return TRP_FAULT_KIND;
    }
    next.at += stride * item.count;
    *cursor = next;
    *out_item = item;
    return TRP_FAULT_NONE;
}
