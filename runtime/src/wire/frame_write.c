#include "wire/frame_write.h"

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

static uint8_t *outframe_append(uint8_t *at, const void *bytes, size_t size)
{
    memcpy(at, bytes, size);
    return at + size;
}

bool trp_outframe_put(struct trp_outframe *frame, const struct trp_outgoing *outgoing)
{
    uint32_t flags = outgoing->flags;
    bool given = (flags & TRP_FLAG_GIVEN) != 0;
    uint32_t size = given ? 0 : (uint32_t)outgoing->body_bytes;
    uint32_t tag = trp_tag(outgoing->kind, flags, size);
    if (tag <= TRP_RUN_BODY_BYTES_MAX) {
        return trp_outframe_put_plain(
            frame,
            trp_actor_key(outgoing->to.index, outgoing->to.generation),
            trp_actor_key(outgoing->from_index, outgoing->from_generation),
            outgoing->type,
            outgoing->body,
            size);
    }
    const uint32_t sender[2] = {outgoing->from_node, outgoing->from_executor};
    size_t sender_bytes = (flags & TRP_FLAG_SENDER) != 0 ? sizeof(sender) : 0;
    size_t ask_bytes = (flags & TRP_FLAG_ASK) != 0 ? sizeof(outgoing->ask) : 0;
    size_t expiry_bytes = (flags & TRP_FLAG_EXPIRES) != 0 ? sizeof(outgoing->expires_ns) : 0;
    size_t body_bytes = given ? sizeof(*outgoing->handle) : trp_pad8(size);
    uint32_t at = frame->used == 0 ? frame->base : frame->used;
    size_t need =
        sizeof(struct trp_envelope) + sender_bytes + ask_bytes + expiry_bytes + body_bytes;
    if (at + need > frame->capacity) {
        return false;
    }
    struct trp_envelope *envelope = (void *)(frame->bytes + at);
    *envelope = (struct trp_envelope){
        outgoing->to.index,
        outgoing->to.generation,
        outgoing->from_index,
        outgoing->from_generation,
        outgoing->type,
        tag,
    };
    uint8_t *tail = (uint8_t *)(envelope + 1);
    tail = outframe_append(tail, sender, sender_bytes);
    tail = outframe_append(tail, &outgoing->ask, ask_bytes);
    tail = outframe_append(tail, &outgoing->expires_ns, expiry_bytes);
    if (given) {
        memcpy(tail, outgoing->handle, sizeof(*outgoing->handle));
    } else if (size != 0) {
        trp_outframe_copy_odd(tail, outgoing->body, size);
    }
    frame->last = TRP_LAST_NONE;
    frame->used = at + (uint32_t)need;
    frame->messages++;
    frame->uncounted += trp_kind_is_counted(outgoing->kind) ? 0 : 1;
    return true;
}
