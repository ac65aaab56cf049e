#include "wire/frame.h"

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

/** Read one of the 8-byte words that flags announce. @return false: the frame ends before it. */
static bool frame_read_word(struct trp_cursor *cursor, uint64_t *out_word)
{
    if ((size_t)(cursor->end - cursor->at) < sizeof(*out_word)) {
        return false;
    }
    memcpy(out_word, cursor->at, sizeof(*out_word));
    cursor->at += sizeof(*out_word);
    return true;
}

/** Read what the flags announce between envelope and body. */
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

static enum trp_fault frame_check_tag(const struct trp_cursor *cursor, const struct trp_item *item)
{
    if (item->kind >= TRP_KIND_COUNT) {
        return TRP_FAULT_KIND;
    }
    // An address means something in this process only, and belongs to one message.
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

void trp_outframe_copy_odd(uint8_t *at, const void *body, uint32_t size)
{
    memset(at + trp_pad8(size) - 8, 0, 8);
    memcpy(at, body, size);
}

void trp_outframe_begin_run(struct trp_outframe *frame)
{
    struct trp_envelope *last = (void *)(frame->bytes + frame->last);
    uint64_t *count = (void *)(last + 1);
    memmove(count + 1, count, trp_pad8(trp_tag_size(last->tag)));
    *count = 1;
    last->tag |= (uint32_t)TRP_FLAG_RUN << 20;
    frame->used += 8;
}

bool trp_outframe_put(struct trp_outframe *frame, const struct trp_post *post)
{
    if (post->tag <= TRP_RUN_BODY_BYTES_MAX) {
        return trp_outframe_put_plain(
            frame,
            trp_actor_key(post->to_index, post->to_generation),
            trp_actor_key(post->from_index, post->from_generation),
            post->type,
            post->body,
            post->tag);
    }
    uint32_t flags = trp_tag_flags(post->tag);
    uint32_t size = trp_tag_size(post->tag);
    size_t ask_bytes = (flags & TRP_FLAG_ASK) != 0 ? sizeof(post->ask) : 0;
    const uint32_t sender[2] = {post->sender_node, post->sender_executor};
    size_t sender_bytes = (flags & TRP_FLAG_SENDER) != 0 ? sizeof(sender) : 0;
    size_t expiry_bytes = (flags & TRP_FLAG_EXPIRES) != 0 ? sizeof(post->expires_ns) : 0;
    bool given = (flags & TRP_FLAG_GIVEN) != 0;
    size_t body_bytes = given ? sizeof(*post->given) : trp_pad8(size);
    uint32_t at = frame->used == 0 ? frame->base : frame->used;
    size_t need =
        sizeof(struct trp_envelope) + sender_bytes + ask_bytes + expiry_bytes + body_bytes;
    if (at + need > frame->capacity) {
        return false;
    }
    struct trp_envelope *envelope = (void *)(frame->bytes + at);
    *envelope = (struct trp_envelope){
        post->to_index,
        post->to_generation,
        post->from_index,
        post->from_generation,
        post->type,
        post->tag,
    };
    uint8_t *tail = (uint8_t *)(envelope + 1);
    if (sender_bytes != 0) {
        memcpy(tail, sender, sizeof(sender));
        tail += sizeof(sender);
    }
    if (ask_bytes != 0) {
        memcpy(tail, &post->ask, sizeof(post->ask));
        tail += sizeof(post->ask);
    }
    if (expiry_bytes != 0) {
        memcpy(tail, &post->expires_ns, sizeof(post->expires_ns));
        tail += sizeof(post->expires_ns);
    }
    if (given) {
        memcpy(tail, post->given, sizeof(*post->given));
    } else if (size != 0) {
        memset(tail + body_bytes - 8, 0, 8);
        memcpy(tail, post->body, size);
    }
    frame->last = TRP_LAST_NONE;
    frame->used = at + (uint32_t)need;
    frame->messages++;
    frame->uncounted += trp_kind_is_counted(trp_tag_kind(post->tag)) ? 0 : 1;
    return true;
}
