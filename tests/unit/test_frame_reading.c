/*
 * Reading frames is a pure function of the bytes: whatever they are, it yields an item that lies
 * within them, or a fault. frames_check_item() has the checks that are made of every item.
 */
#include "chance.h"
#include "frames.h"

TestSuite(frame_reading, .timeout = 30);

static struct frame_room room;

/** @return the envelope behind the header, for a test to change. */
static struct trp_envelope *first_envelope(void)
{
    return (void *)(room.bytes + sizeof(struct trp_header));
}

/** @return the header, for a test to change. */
static struct trp_header *header(void)
{
    return (void *)room.bytes;
}

/** @return the 8 bytes behind the first envelope, for a test to change. */
static uint64_t *first_word(void)
{
    return (void *)(first_envelope() + 1);
}

/** Write a frame of one message. @return its size. */
static size_t write_one(enum trp_kind kind, uint32_t flags, uint32_t size)
{
    struct trp_outframe frame = frames_begin(&room);
    frames_put(&frame, kind, flags, size, 0xAB);
    return frames_end(&frame);
}

/** Write a frame of a run. @return its size. */
static size_t write_run(uint32_t count, uint32_t size)
{
    struct trp_outframe frame = frames_begin(&room);
    for (uint32_t i = 0; i < count; i++) {
        frames_put(&frame, TRP_KIND_USER, 0, size, (uint8_t)i);
    }
    return frames_end(&frame);
}

/** Read the frame as one from a peer in the same process. */
static enum trp_fault fault_of(size_t size)
{
    return frames_read(room.bytes, size, NULL, true).fault;
}

/** As fault_of(), after changing the tag of the first envelope. */
static enum trp_fault fault_of_tag(uint32_t kind, uint32_t flags, uint32_t size)
{
    size_t frame_bytes = write_one(TRP_KIND_USER, 0, 8);
    first_envelope()->tag = kind << 28 | flags << 20 | size;
    return fault_of(frame_bytes);
}

/* The header. ---------------------------------------------------------------------------------- */

Test(frame_reading, reads_every_kind_that_executors_send)
{
    size_t size = frames_write_all(&room, false);

    struct frames_reading reading = frames_read(room.bytes, size, NULL, false);

    cr_expect(eq(int, reading.fault, TRP_FAULT_NONE));
    cr_expect(eq(u32, reading.items, 10));
    cr_expect(eq(u64, reading.messages, 12));
}

Test(frame_reading, reads_a_header_alone_as_an_empty_frame)
{
    struct trp_outframe frame = frames_begin(&room);
    size_t size = frames_end(&frame);

    struct frames_reading reading = frames_read(room.bytes, size, NULL, false);

    cr_expect(eq(int, reading.fault, TRP_FAULT_NONE));
    cr_expect(eq(u32, reading.items, 0));
}

Test(frame_reading, returns_the_header_and_the_sending_executor)
{
    size_t size = write_one(TRP_KIND_USER, 0, 8);
    struct trp_header seen;
    struct trp_cursor cursor;
    struct trp_item item;

    cr_assert(eq(int, trp_frame_open(room.bytes, size, NULL, &seen, &cursor), TRP_FAULT_NONE));
    cr_assert(eq(int, trp_frame_next(&cursor, &item), TRP_FAULT_NONE));

    cr_expect(eq(u64, seen.cookie, FRAMES_COOKIE));
    cr_expect(eq(u32, seen.count, 1));
    cr_expect(eq(u32, item.sender_node, 1));
    cr_expect(eq(u32, item.sender_executor, 7));
    cr_expect(not(cursor.local)); // unless the caller sets it
}

Test(frame_reading, refuses_every_truncated_frame)
{
    size_t whole = frames_write_all(&room, true);
    uint32_t sound = 0;

    for (size_t size = 0; size < whole; size++) {
        enum trp_fault fault = fault_of(size);
        if (size < sizeof(struct trp_header)) {
            cr_expect(eq(int, fault, TRP_FAULT_TRUNCATED), "size %zu", size);
        } else if (size % 8 != 0) {
            cr_expect(eq(int, fault, TRP_FAULT_MISALIGNED), "size %zu", size);
        } else {
            cr_expect(fault == TRP_FAULT_NONE || fault == TRP_FAULT_TRUNCATED, "size %zu", size);
            sound += fault == TRP_FAULT_NONE ? 1 : 0;
        }
    }

    cr_expect(eq(u32, sound, 12)); // only where an item ends: then whole items are cut off
}

Test(frame_reading, refuses_a_frame_over_the_maximum_size)
{
    size_t size = TRP_FRAME_BYTES_MAX + 8;
    uint8_t *bytes = calloc(1, size);
    cr_assert(bytes != NULL);
    write_one(TRP_KIND_USER, 0, 8);
    memcpy(bytes, room.bytes, sizeof(struct trp_header));

    cr_expect(eq(int, frames_read(bytes, size, NULL, true).fault, TRP_FAULT_OVERSIZED));

    free(bytes);
}

Test(frame_reading, refuses_an_unaligned_address)
{
    size_t size = write_one(TRP_KIND_USER, 0, 8);
    struct trp_header seen;
    struct trp_cursor cursor;
    for (size_t shift = 1; shift < 8; shift++) {
        memmove(room.bytes + shift, room.bytes + shift - 1, size);

        enum trp_fault fault = trp_frame_open(room.bytes + shift, size, NULL, &seen, &cursor);

        cr_expect(eq(int, fault, TRP_FAULT_MISALIGNED), "shifted by %zu", shift);
    }
}

Test(frame_reading, refuses_every_other_version)
{
    size_t size = write_one(TRP_KIND_USER, 0, 8);
    for (unsigned version = 0; version < 256; version++) {
        header()->version = (uint8_t)version;

        enum trp_fault wanted = version == TRP_FRAME_VERSION ? TRP_FAULT_NONE : TRP_FAULT_VERSION;

        cr_expect(eq(int, fault_of(size), wanted), "version %u", version);
    }
}

Test(frame_reading, refuses_another_cookie)
{
    size_t size = write_one(TRP_KIND_USER, 0, 8);
    uint64_t cookie = FRAMES_COOKIE;
    cr_expect(eq(int, frames_read(room.bytes, size, &cookie, true).fault, TRP_FAULT_NONE));
    for (unsigned bit = 0; bit < 64; bit++) {
        cookie = FRAMES_COOKIE ^ UINT64_C(1) << bit;

        enum trp_fault fault = frames_read(room.bytes, size, &cookie, true).fault;

        cr_expect(eq(int, fault, TRP_FAULT_COOKIE), "bit %u", bit);
    }
}

Test(frame_reading, refuses_an_unknown_lane)
{
    size_t size = write_one(TRP_KIND_USER, 0, 8);
    header()->lane = TRP_LANE_COMMAND;
    cr_expect(eq(int, fault_of(size), TRP_FAULT_NONE));
    header()->lane = TRP_LANE_COMMAND + 1;
    cr_expect(eq(int, fault_of(size), TRP_FAULT_KIND));
    header()->lane = UINT8_MAX;
    cr_expect(eq(int, fault_of(size), TRP_FAULT_KIND));
}

Test(frame_reading, refuses_unknown_marks_in_the_header)
{
    size_t size = write_one(TRP_KIND_USER, 0, 8);
    header()->marks = 4;
    cr_expect(eq(int, fault_of(size), TRP_FAULT_KIND));
}

/* Envelopes. ----------------------------------------------------------------------------------- */

Test(frame_reading, refuses_an_unknown_kind)
{
    for (uint32_t kind = TRP_KIND_COUNT; kind < 16; kind++) {
        cr_expect(eq(int, fault_of_tag(kind, 0, 8), TRP_FAULT_KIND), "kind %u", kind);
    }
}

Test(frame_reading, refuses_a_time_to_live_for_anything_but_one_message)
{
    for (uint32_t kind = TRP_KIND_REPLY; kind < TRP_KIND_COUNT; kind++) {
        cr_expect(
            eq(int, fault_of_tag(kind, TRP_FLAG_EXPIRES, 8), TRP_FAULT_KIND), "kind %u", kind);
    }
    uint32_t run = TRP_FLAG_RUN | TRP_FLAG_EXPIRES;
    cr_expect(eq(int, fault_of_tag(TRP_KIND_USER, run, 8), TRP_FAULT_KIND));
}

Test(frame_reading, reads_when_a_message_expires)
{
    static const uint32_t flags[] = {
        TRP_FLAG_EXPIRES,
        TRP_FLAG_EXPIRES | TRP_FLAG_ASK,
        TRP_FLAG_EXPIRES | TRP_FLAG_GIVEN | TRP_FLAG_UNMETERED,
    };
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        size_t size = write_one(TRP_KIND_USER, flags[i], 0);
        struct trp_header seen;
        struct trp_cursor cursor;
        struct trp_item item;
        cr_assert(eq(int, trp_frame_open(room.bytes, size, NULL, &seen, &cursor), TRP_FAULT_NONE));
        cursor.local = true;

        cr_assert(eq(int, trp_frame_next(&cursor, &item), TRP_FAULT_NONE));

        cr_expect(eq(u64, item.expires_ns, FRAMES_EXPIRES_NS));
        cr_expect(trp_frame_at_end(&cursor));
    }
}

Test(frame_reading, refuses_a_body_that_reaches_beyond_the_frame)
{
    cr_expect(eq(int, fault_of_tag(TRP_KIND_USER, 0, 9), TRP_FAULT_TRUNCATED));
    cr_expect(eq(int, fault_of_tag(TRP_KIND_USER, 0, TRP_BODY_BYTES_MAX), TRP_FAULT_TRUNCATED));
    cr_expect(eq(int, fault_of_tag(TRP_KIND_REPLY, 0, 9), TRP_FAULT_TRUNCATED));
    cr_expect(eq(int, fault_of_tag(TRP_KIND_USER, TRP_FLAG_ASK, 1), TRP_FAULT_TRUNCATED));
}

Test(frame_reading, refuses_a_body_over_the_maximum_size)
{
    uint32_t size = TRP_BODY_BYTES_MAX + 1;
    cr_expect(eq(int, fault_of_tag(TRP_KIND_USER, 0, size), TRP_FAULT_OVERSIZED));
    cr_expect(eq(int, fault_of_tag(TRP_KIND_START, 0, 0xFFFFF), TRP_FAULT_OVERSIZED));
}

Test(frame_reading, refuses_extensions_that_reach_beyond_the_frame)
{
    static const uint32_t flags[] = {
        TRP_FLAG_SENDER, TRP_FLAG_ASK, TRP_FLAG_RUN, TRP_FLAG_GIVEN, TRP_FLAG_EXPIRES};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        size_t size = write_one(TRP_KIND_USER, 0, 0);
        first_envelope()->tag = trp_tag(TRP_KIND_USER, flags[i], 0);

        cr_expect(eq(int, fault_of(size), TRP_FAULT_TRUNCATED), "flag %u", flags[i]);
    }
}

Test(frame_reading, reads_a_sender_on_another_executor)
{
    size_t size = write_one(TRP_KIND_USER, 0, 8);
    first_envelope()->tag = trp_tag(TRP_KIND_USER, TRP_FLAG_SENDER, 0);
    *first_word() = UINT64_C(9) << 32 | 4;
    struct trp_header seen;
    struct trp_cursor cursor;
    struct trp_item item;
    cr_assert(eq(int, trp_frame_open(room.bytes, size, NULL, &seen, &cursor), TRP_FAULT_NONE));

    cr_assert(eq(int, trp_frame_next(&cursor, &item), TRP_FAULT_NONE));

    cr_expect(eq(u32, item.sender_node, 4));
    cr_expect(eq(u32, item.sender_executor, 9));
}

/* Runs. ---------------------------------------------------------------------------------------- */

Test(frame_reading, refuses_a_run_of_no_messages)
{
    size_t size = write_run(3, 8);
    *first_word() = 0;
    cr_expect(eq(int, fault_of(size), TRP_FAULT_COUNT));
}

Test(frame_reading, refuses_a_run_of_more_than_a_frame_could_hold)
{
    static const uint64_t counts[] = {TRP_RUN_COUNT_MAX + 1, UINT32_MAX, UINT64_MAX, 1ull << 61};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        size_t size = write_run(3, 8);
        *first_word() = counts[i];

        cr_expect(eq(int, fault_of(size), TRP_FAULT_COUNT), "count %zu", i);
    }
}

Test(frame_reading, refuses_a_run_that_reaches_beyond_the_frame)
{
    size_t size = write_run(3, 8);
    *first_word() = 4;
    cr_expect(eq(int, fault_of(size), TRP_FAULT_TRUNCATED));
    *first_word() = TRP_RUN_COUNT_MAX;
    cr_expect(eq(int, fault_of(size), TRP_FAULT_TRUNCATED));
}

Test(frame_reading, refuses_a_run_of_anything_but_messages)
{
    for (uint32_t kind = TRP_KIND_REPLY; kind < TRP_KIND_COUNT; kind++) {
        size_t size = write_run(3, 8);
        first_envelope()->tag = trp_tag((enum trp_kind)kind, TRP_FLAG_RUN, 8);

        cr_expect(eq(int, fault_of(size), TRP_FAULT_KIND), "kind %u", kind);
    }
}

Test(frame_reading, refuses_a_run_of_asks)
{
    size_t size = write_run(3, 8);
    first_envelope()->tag = trp_tag(TRP_KIND_USER, TRP_FLAG_RUN | TRP_FLAG_ASK, 8);
    cr_expect(eq(int, fault_of(size), TRP_FAULT_KIND));
}

/* Given bodies. -------------------------------------------------------------------------------- */

Test(frame_reading, reads_a_given_body_from_its_own_process_only)
{
    size_t size = write_one(TRP_KIND_USER, TRP_FLAG_GIVEN, 0);
    cr_expect(eq(int, frames_read(room.bytes, size, NULL, true).fault, TRP_FAULT_NONE));
    cr_expect(eq(int, frames_read(room.bytes, size, NULL, false).fault, TRP_FAULT_KIND));
}

Test(frame_reading, refuses_a_given_body_with_bytes_in_the_frame)
{
    size_t size = write_one(TRP_KIND_USER, TRP_FLAG_GIVEN, 0);
    first_envelope()->tag = trp_tag(TRP_KIND_USER, TRP_FLAG_GIVEN, 8);
    cr_expect(eq(int, fault_of(size), TRP_FAULT_KIND));
}

Test(frame_reading, refuses_a_run_of_given_bodies)
{
    size_t size = write_one(TRP_KIND_USER, TRP_FLAG_GIVEN, 0);
    first_envelope()->tag = trp_tag(TRP_KIND_USER, TRP_FLAG_GIVEN | TRP_FLAG_RUN, 0);
    *first_word() = 1;
    cr_expect(eq(int, fault_of(size), TRP_FAULT_KIND));
}

Test(frame_reading, yields_an_item_or_a_fault_for_every_kind_with_all_flags)
{
    uint32_t sound = 0;
    for (uint32_t tag_top = 0; tag_top < 1u << 12; tag_top++) {
        size_t size = write_run(8, 8);
        *first_word() = 2;
        first_envelope()->tag = tag_top << 20 | 8;

        struct frames_reading reading = frames_read(room.bytes, size, NULL, tag_top % 2 == 0);

        sound += reading.items > 0 ? 1 : 0;
    }
    cr_expect(gt(u32, sound, 0));
}

/* Random frames. ------------------------------------------------------------------------------- */

enum { RANDOM_FRAMES = 200000, RANDOM_BYTES_MAX = 640 };

/** Make random bytes, most of which have a valid header. */
static size_t random_bytes(struct chance *chance)
{
    size_t size = chance_below(chance, RANDOM_BYTES_MAX);
    chance_fill(chance, room.bytes, size);
    if (chance_one_in(chance, 8) || size < sizeof(struct trp_header)) {
        return size; // all bytes random
    }
    struct trp_outframe frame = frames_begin(&room);
    (void)frames_end(&frame);
    size &= ~(size_t)7;
    if (chance_one_in(chance, 2) &&
        size >= sizeof(struct trp_header) + sizeof(struct trp_envelope)) {
        uint32_t top = (uint32_t)chance_bits(chance) & 0xBF7; // valid kinds and flags
        first_envelope()->tag = top << 20 | chance_below(chance, 64);
        if (size >= sizeof(struct trp_header) + sizeof(struct trp_envelope) + 8) {
            *first_word() = chance_below(chance, 16);
        }
    }
    return size;
}

Test(frame_reading, yields_an_item_or_a_fault_for_random_bytes)
{
    struct chance chance = chance_open("random bytes");
    uint64_t items = 0;
    uint32_t faults[TRP_FAULT_KINDS] = {0};

    for (uint32_t i = 0; i < RANDOM_FRAMES; i++) {
        size_t size = random_bytes(&chance);
        bool local = chance_one_in(&chance, 2);
        struct frames_reading reading = frames_read(room.bytes, size, NULL, local);
        cr_assert(lt(int, reading.fault, TRP_FAULT_KINDS));
        faults[reading.fault]++;
        items += reading.items;
    }

    cr_expect(gt(u64, items, 0)); // else only headers were read
    cr_expect(gt(u32, faults[TRP_FAULT_TRUNCATED], 0));
    cr_expect(gt(u32, faults[TRP_FAULT_KIND], 0));
    cr_expect(gt(u32, faults[TRP_FAULT_OVERSIZED], 0));
}

/** Change a frame a little. @return its new size. */
static size_t mutate(struct chance *chance, size_t size)
{
    static const uint64_t words[] = {0, 1, 8, 0xFFFF, 0x10000, UINT32_MAX, UINT64_MAX, 1ull << 63};
    uint32_t times = 1 + chance_below(chance, 4);
    for (uint32_t i = 0; i < times && size > 8; i++) {
        size_t at = chance_below(chance, (uint32_t)size);
        switch (chance_below(chance, 4)) {
        case 0:
            room.bytes[at] ^= (uint8_t)(1u << chance_below(chance, 8));
            break;
        case 1:
            room.bytes[at] = (uint8_t)chance_bits(chance);
            break;
        case 2:
            memcpy(room.bytes + at / 8 * 8, &words[chance_below(chance, 8)], 8);
            break;
        default:
            size = chance_one_in(chance, 4) ? at : size - 8;
            break;
        }
    }
    return size;
}

Test(frame_reading, yields_an_item_or_a_fault_for_damaged_frames)
{
    struct chance chance = chance_open("spoilt frames");
    static struct frame_room sound;
    size_t whole = frames_write_all(&sound, true);
    uint64_t items = 0;
    uint32_t faulty = 0;

    for (uint32_t i = 0; i < RANDOM_FRAMES; i++) {
        memcpy(room.bytes, sound.bytes, whole);
        size_t size = mutate(&chance, whole);
        bool local = chance_one_in(&chance, 2);
        struct frames_reading reading = frames_read(room.bytes, size, NULL, local);
        cr_assert(lt(int, reading.fault, TRP_FAULT_KINDS));
        faulty += reading.fault != TRP_FAULT_NONE ? 1 : 0;
        items += reading.items;
    }

    cr_expect(gt(u64, items, RANDOM_FRAMES));
    cr_expect(gt(u32, faulty, RANDOM_FRAMES / 8));
}

/* Names. --------------------------------------------------------------------------------------- */

Test(frame_reading, names_every_fault)
{
    for (int fault = TRP_FAULT_NONE; fault < TRP_FAULT_KINDS; fault++) {
        const char *text = trp_fault_text((enum trp_fault)fault);
        cr_assert(text != NULL, "fault %d", fault);
        cr_expect(strcmp(text, "unknown") != 0 && strlen(text) > 0, "fault %d", fault);
        for (int other = TRP_FAULT_NONE; other < fault; other++) {
            cr_expect(strcmp(text, trp_fault_text((enum trp_fault)other)) != 0);
        }
    }
    cr_expect(strcmp(trp_fault_text(TRP_FAULT_KINDS), "unknown") == 0);
}
