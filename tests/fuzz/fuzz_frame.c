// The reader of frames: whatever the bytes are, it yields items that lie within them, or a fault.
//
// The input is a frame. It is read three times: as received by inproc, where a given body is an
// address; by ipc or tcp with no further part; and with two. A frame that comes by ipc or tcp is
// copied to an aligned address before it is read, so other addresses are not tried here.
#include "fuzz.h"
#include "wire/frame_read.h"
#include "wire/frame_write.h"

/** Check that the next item equals this one. */
static void frame_check_equal(const struct trp_item *one, const struct trp_item *other)
{
    FUZZ_CHECK(one->envelope == other->envelope);
    FUZZ_CHECK(one->body == other->body);
    FUZZ_CHECK(one->body_bytes == other->body_bytes);
    FUZZ_CHECK(one->count == other->count);
    FUZZ_CHECK(one->kind == other->kind);
    FUZZ_CHECK(one->flags == other->flags);
    FUZZ_CHECK(one->ask == other->ask);
    FUZZ_CHECK(one->expires_ns == other->expires_ns);
    FUZZ_CHECK(one->sender_node == other->sender_node);
    FUZZ_CHECK(one->sender_executor == other->sender_executor);
    FUZZ_CHECK(one->given == other->given);
}

/** Check that an item lies between @p before and the cursor, and that it is valid. */
static void frame_check_item(
    const struct trp_item *item, const struct trp_cursor *before, const struct trp_cursor *cursor)
{
    const uint8_t *at = (const void *)item->envelope;
    size_t stride = item->given != NULL ? sizeof(*item->given) : trp_pad8(item->body_bytes);
    FUZZ_CHECK(at == before->at);
    FUZZ_CHECK(cursor->at <= cursor->end);
    FUZZ_CHECK(cursor->end == before->end);
    FUZZ_CHECK(item->body >= at + sizeof(*item->envelope));
    FUZZ_CHECK(item->body + stride * item->count == cursor->at);
    FUZZ_CHECK((uintptr_t)item->body % 8 == 0 && (uintptr_t)cursor->at % 8 == 0);
    FUZZ_CHECK(item->kind < TRP_KIND_COUNT);
    FUZZ_CHECK(item->count >= 1 && item->count <= TRP_RUN_COUNT_MAX);
    FUZZ_CHECK(item->count == 1 || item->kind == TRP_KIND_USER);
    FUZZ_CHECK(item->body_bytes <= TRP_BODY_BYTES_MAX);
    FUZZ_CHECK(((item->flags & TRP_FLAG_GIVEN) != 0) == (item->given != NULL));
    if ((item->flags & TRP_FLAG_EXPIRES) == 0) {
        FUZZ_CHECK(item->expires_ns == 0);
    } else {
        FUZZ_CHECK(item->kind == TRP_KIND_USER && item->count == 1);
    }
    if ((item->flags & TRP_FLAG_SENDER) == 0) {
        FUZZ_CHECK(item->sender_node == cursor->node);
        FUZZ_CHECK(item->sender_executor == cursor->executor);
    }
    if (item->given != NULL) {
        FUZZ_CHECK(item->body_bytes == 0 && item->count == 1);
        FUZZ_CHECK(cursor->local || (uintptr_t)item->given->data < cursor->part_count);
    }
    fuzz_touch(item->body, stride * item->count);
}

/** Read the next item, looking ahead as the runtime does. @return whether there was one */
static bool frame_step(struct trp_cursor *cursor, struct trp_item *out_item)
{
    const struct trp_cursor before = *cursor;
    size_t plain = trp_frame_peek_plain(cursor);
    enum trp_fault fault = trp_frame_next(cursor, out_item);
    FUZZ_CHECK(fault < TRP_FAULT_KINDS);
    if (fault != TRP_FAULT_NONE) {
        FUZZ_CHECK(plain == 0);
        FUZZ_CHECK(cursor->at == before.at && cursor->end == before.end); // it is unchanged
        FUZZ_CHECK(strcmp(trp_fault_text(fault), "unknown") != 0);
        return false;
    }
    frame_check_item(out_item, &before, cursor);
    bool is_plain = out_item->kind == TRP_KIND_USER && out_item->flags == 0;
    FUZZ_CHECK(plain == (is_plain ? (size_t)(cursor->at - before.at) : 0));
    return true;
}

/**
 * Write a message as its sender did.
 *
 * @return false: the writer never writes this one, or has no room
 */
static bool frame_rewrite(struct trp_outframe *frame, const struct trp_item *item, uint32_t index)
{
    if ((item->flags & (TRP_FLAG_SENDER | TRP_FLAG_GIVEN)) != 0) {
        return false;
    }
    uint32_t flags = item->flags & ~(uint32_t)TRP_FLAG_RUN;
    const struct trp_outgoing outgoing = {
        .to = {.index = item->envelope->to_index, .generation = item->envelope->to_generation},
        .from_index = item->envelope->from_index,
        .from_generation = item->envelope->from_generation,
        .type = item->envelope->type,
        .kind = item->kind,
        .flags = flags,
        .body = item->body + trp_pad8(item->body_bytes) * index,
        .body_bytes = item->body_bytes,
        .ask = item->ask,
        .expires_ns = item->expires_ns,
    };
    return trp_outframe_put(frame, &outgoing);
}

/** Check that messages that were written again are those of @p item from @p first on. */
static void frame_check_same(
    const struct trp_item *again, const struct trp_item *item, uint32_t first)
{
    size_t stride = trp_pad8(item->body_bytes);
    uint32_t run = TRP_FLAG_RUN;
    FUZZ_CHECK(memcmp(again->envelope, item->envelope, offsetof(struct trp_envelope, tag)) == 0);
    FUZZ_CHECK(again->kind == item->kind && again->ask == item->ask);
    FUZZ_CHECK(again->expires_ns == item->expires_ns);
    FUZZ_CHECK((again->flags & ~run) == (item->flags & ~run));
    FUZZ_CHECK(again->body_bytes == item->body_bytes);
    for (uint32_t i = 0; i < again->count; i++) {
        const uint8_t *body = item->body + stride * (first + i);
        FUZZ_CHECK(memcmp(again->body + stride * i, body, item->body_bytes) == 0);
    }
}

/** Check that the writer writes what the reader reads. */
static void frame_check_rewritten(const struct trp_item *item)
{
    static _Alignas(8) uint8_t bytes[TRP_FRAME_BYTES_MAX];
    struct trp_outframe frame = {
        .bytes = bytes,
        .capacity = sizeof(bytes),
        .last = TRP_LAST_NONE,
    };
    // Of a run, the first two, which become a run again.
    uint32_t count = item->count < 2 ? item->count : 2;
    for (uint32_t i = 0; i < count; i++) {
        if (!frame_rewrite(&frame, item, i)) {
            return;
        }
    }
    struct trp_cursor cursor = {
        .at = bytes,
        .end = bytes + frame.used,
        .node = item->sender_node,
        .executor = item->sender_executor,
    };
    struct trp_item again;
    for (uint32_t read = 0; read < count; read += again.count) {
        FUZZ_CHECK(frame_step(&cursor, &again));
        frame_check_same(&again, item, read);
    }
    FUZZ_CHECK(trp_frame_at_end(&cursor));
}

/**
 * Check that another reader reads the same item, or refuses it as a given body that is invalid for
 * it.
 */
static void frame_follow(
    struct trp_cursor *follower, bool *reads, const struct trp_item *item, uint32_t part_count)
{
    if (*reads) {
        struct trp_item same;
        *reads = frame_step(follower, &same);
        FUZZ_CHECK(*reads == (item->given == NULL || (uintptr_t)item->given->data < part_count));
        if (*reads) {
            frame_check_equal(item, &same);
        }
    }
}

/** Read the items of a frame to its end or its first fault, with each of the three readers. */
static void frame_read(const struct trp_cursor *begin, uint32_t part_count)
{
    struct trp_cursor local = *begin;
    struct trp_cursor alone = *begin;
    struct trp_cursor parts = *begin;
    struct trp_item item;
    local.local = true;
    parts.part_count = part_count;
    bool alone_reads = true;
    bool parts_reads = true;
    while (!trp_frame_at_end(&local) && frame_step(&local, &item)) {
        frame_follow(&alone, &alone_reads, &item, 0);
        frame_follow(&parts, &parts_reads, &item, part_count);
        frame_check_rewritten(&item);
    }
    // A fault for the reader that accepts most is a fault for all.
    if (!trp_frame_at_end(&local)) {
        FUZZ_CHECK(!alone_reads || !frame_step(&alone, &item));
        FUZZ_CHECK(!parts_reads || !frame_step(&parts, &item));
    }
}

int LLVMFuzzerTestOneInput(
    const uint8_t *data, size_t size) // NOLINT(readability-identifier-naming)
{
    uint8_t *bytes = fuzz_copy(data, size);
    struct trp_header header;
    struct trp_cursor cursor;
    enum trp_fault fault = trp_frame_open(bytes, size, NULL, &header, &cursor);
    FUZZ_CHECK(fault < TRP_FAULT_KINDS);
    if (fault == TRP_FAULT_NONE) {
        FUZZ_CHECK(size >= sizeof(header) && size <= TRP_FRAME_BYTES_MAX && size % 8 == 0);
        FUZZ_CHECK(cursor.at == bytes + sizeof(header) && cursor.end == bytes + size);
        FUZZ_CHECK(!cursor.local && cursor.part_count == 0);
        frame_read(&cursor, 2);
        uint64_t cookie = header.cookie;
        FUZZ_CHECK(trp_frame_open(bytes, size, &cookie, &header, &cursor) == TRP_FAULT_NONE);
        cookie++;
        FUZZ_CHECK(trp_frame_open(bytes, size, &cookie, &header, &cursor) == TRP_FAULT_COOKIE);
    }
    free(bytes);
    return 0;
}

#ifdef TROUPE_FUZZ
// NOLINTBEGIN(readability-identifier-naming)
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
// NOLINTEND(readability-identifier-naming)

/** Change an input as libFuzzer does, but keep the size and the header of most of them valid. */
size_t LLVMFuzzerCustomMutator( // NOLINT(readability-identifier-naming)
    uint8_t *data,
    size_t size,
    size_t max_size,
    unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, max_size);
    if (seed % 16 != 0 && size >= sizeof(struct trp_header)) {
        size &= ~(size_t)7;
        data[0] = TRP_FRAME_VERSION;
        data[1] &= 1; // a valid lane
        data[2] &= 1; // a valid mark
        data[3] = 0;
    }
    return size;
}
#endif
