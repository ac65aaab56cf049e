/*
 * Receiving from a mailbox.
 *
 * Frames arrive on one PULL by several pipes, and a command is handled before any message that was received
 * after the command was counted. So while the doorbell counts a command that has not come yet, frames of the
 * user lane are received and queued as overtaken, and are handled after the command, in order.
 */
#include "channel/mailbox.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "channel/overtaken.h"
#include "channel/spinner.h"
#include "shared/doorbell.h"
#include "wire/zmq.h"

#include <stdlib.h>
#include <string.h>

enum {
    POLL_NS = 20000, // how often a busy executor polls its sockets for frames by ipc and tcp
    POLL_TURNS = 64, // or after so many turns
};

/** How long a counted command is waited for: 250 ms. */
#define COMMAND_WAIT_NS UINT64_C(250000000)

/** No part is larger than the bound of the mailbox, or than this: a frame fits, with all that it needs. */
#define PART_BYTES_LEAST (INT64_C(1) << 20)

enum troupe_err trp_mailbox_init(
    struct trp_mailbox *mailbox,
    void *context,
    uint32_t id,
    struct trp_doorbell *doorbell,
    struct trp_spinners *spinners,
    int wake_fd)
{
    *mailbox = (struct trp_mailbox){
        .context = context,
        .id = id,
        .doorbell = doorbell,
        .spinner = {.all = spinners},
        .wake_fd = wake_fd,
    };
    trp_zmsg_init(&mailbox->zmsg);
    enum troupe_err err = trp_zmq_pull_new(context, id, &mailbox->pull);
    if (err == TROUPE_OK) {
        mailbox->pull_fd = trp_zmq_fd(mailbox->pull);
    }
    return err;
}

enum troupe_err trp_mailbox_listen(
    struct trp_mailbox *mailbox, const char *endpoint, int listener_fd, int64_t bound_bytes)
{
    enum troupe_err err = trp_zmq_listen(
        mailbox->pull,
        endpoint,
        listener_fd,
        bound_bytes > PART_BYTES_LEAST ? bound_bytes : PART_BYTES_LEAST);
    mailbox->listens = err == TROUPE_OK;
    return err;
}

/** @return the marks of a frame, and its lane; none and the user lane of one that cannot be read. */
static uint32_t mailbox_peek(const uint8_t *bytes, size_t size, enum trp_lane *out_lane)
{
    struct trp_header header;
    *out_lane = TRP_LANE_USER;
    if (size < sizeof(header)) {
        return 0;
    }
    memcpy(&header, bytes, sizeof(header));
    if (header.version != TRP_FRAME_VERSION) {
        return 0;
    }
    *out_lane = header.lane == TRP_LANE_COMMAND ? TRP_LANE_COMMAND : TRP_LANE_USER;
    return header.marks;
}

/** Align the bytes of a received zmsg, waiting for memory if need be. */
static void mailbox_align(struct trp_zmsg *zmsg)
{
    uint64_t since_ns = 0;
    while (!trp_zmsg_align(zmsg)) {
        trp_memory_wait(&since_ns);
    }
}

/** Receive the parts that follow a frame; those over the limit are dropped. */
static void mailbox_receive_parts(struct trp_mailbox *mailbox)
{
    struct trp_zmsg part;
    const uint8_t *bytes = NULL;
    size_t size = 0;
    bool more = true;
    while (more) {
        trp_zmsg_init(&part);
        bool received = trp_zmq_receive(mailbox->pull, &part, &bytes, &size);
        TRP_CHECK(received); // the parts of a message arrive together
        more = trp_zmsg_has_more(&part);
        uint64_t since_ns = 0;
        while (mailbox->parts == NULL &&
               (mailbox->parts = calloc(TRP_PARTS_MAX, sizeof(*mailbox->parts))) == NULL) {
            trp_memory_wait(&since_ns);
        }
        if (mailbox->part_count < TRP_PARTS_MAX) {
            mailbox_align(&part);
            mailbox->parts[mailbox->part_count++] = part;
        } else {
            trp_zmsg_clear(&part);
        }
    }
}

/** Receive the next frame of any lane, and count it as its marks say. @return false: there is none. */
static bool mailbox_receive_next(
    struct trp_mailbox *mailbox, const uint8_t **out_bytes, size_t *out_size, enum trp_lane *lane)
{
    if (!trp_zmq_receive(mailbox->pull, &mailbox->zmsg, out_bytes, out_size)) {
        return false;
    }
    if (TRP_UNLIKELY(mailbox->listens)) {
        bool more = trp_zmsg_has_more(&mailbox->zmsg);
        mailbox_align(&mailbox->zmsg);
        *out_bytes = trp_zmsg_bytes(&mailbox->zmsg, out_size);
        if (more) {
            mailbox_receive_parts(mailbox);
        }
    }
    mailbox->may_wait_doorbell = true;
    uint32_t marks = mailbox_peek(*out_bytes, *out_size, lane);
    mailbox->received_count += (marks & TRP_MARK_RUNG) != 0 ? 1 : 0;
    mailbox->command_count += (marks & TRP_MARK_COUNTED) != 0 ? 1 : 0;
    return true;
}

void trp_mailbox_drop_parts(struct trp_mailbox *mailbox)
{
    while (mailbox->part_count > 0) {
        trp_zmsg_clear(&mailbox->parts[--mailbox->part_count]);
    }
}

static void mailbox_free_part(void *bytes, void *data)
{
    (void)bytes;
    trp_zmsg_clear(data);
    free(data);
}

bool trp_mailbox_take_part(struct trp_mailbox *mailbox, uint32_t which, struct trp_given *out_given)
{
    TRP_DCHECK(which < mailbox->part_count);
    size_t size = 0;
    (void)trp_zmsg_bytes(&mailbox->parts[which], &size);
    if (size == 0) {
        return false;
    }
    struct trp_zmsg *part = NULL;
    uint64_t since_ns = 0;
    while ((part = malloc(sizeof(*part))) == NULL) {
        trp_memory_wait(&since_ns);
    }
    *part = mailbox->parts[which];
    trp_zmsg_init(&mailbox->parts[which]); // empty, so that it is not taken twice
    *out_given = (struct trp_given){.free = mailbox_free_part, .free_data = part};
    out_given->data = trp_zmsg_bytes(part, &size);
    out_given->bytes = size;
    return true;
}

bool trp_mailbox_is_due(struct trp_mailbox *mailbox)
{
    if (TRP_LIKELY(!mailbox->listens)) {
        return false;
    }
    if (mailbox->poll_turns++ >= POLL_TURNS ||
        trp_cycles() - mailbox->poll_cycles > trp_cycles_of_ns(POLL_NS)) {
        mailbox->poll_turns = 0;
        mailbox->poll_cycles = trp_cycles();
        return true;
    }
    return false;
}

/** @return how many commands the doorbell counts that were not received yet. */
static int64_t mailbox_missing_commands(const struct trp_mailbox *mailbox)
{
    // Acquire: pairs with the release in trp_doorbell_ring(): the command is in its pipe.
    uint64_t bell = atomic_load_explicit(&mailbox->doorbell->command_bell, memory_order_acquire);
    return (int64_t)(bell - mailbox->command_count);
}

/** @return whether a command is to be waited for. */
static bool mailbox_has_command(struct trp_mailbox *mailbox)
{
    int64_t missing = mailbox_missing_commands(mailbox);
    if (TRP_UNLIKELY(missing < mailbox->unawaited_count)) {
        mailbox->unawaited_count =
            missing > 0 ? missing : 0; // some have come, or their senders died
    }
    return missing > mailbox->unawaited_count;
}

/**
 * @return whether a command that comes by ipc or tcp is still to be waited for. Its sender counts it, then writes it, and
 *         may be stopped in between: all others wait no longer than ::COMMAND_WAIT_NS for that.
 */
static bool mailbox_awaits_command(struct trp_mailbox *mailbox)
{
    if (!mailbox_has_command(mailbox)) {
        mailbox->awaited_since_ns = 0;
        return false;
    }
    uint64_t now_ns = trp_clock_monotonic(NULL);
    if (mailbox->awaited_since_ns == 0) {
        mailbox->awaited_since_ns = now_ns;
    }
    if (now_ns - mailbox->awaited_since_ns < COMMAND_WAIT_NS) {
        return true;
    }
    mailbox->unawaited_count = mailbox_missing_commands(mailbox);
    mailbox->awaited_since_ns = 0;
    return false;
}

/** Queue the frame received last behind a command. @return false: it cannot be queued, so handle it now. */
static bool mailbox_push_overtaken(struct trp_mailbox *mailbox, const uint8_t *bytes, size_t size)
{
    // The bytes of so small a frame lie in the zmsg and would not move with it. No peer sends one.
    if (size <= TRP_ZMSG_INLINE_BYTES) {
        return false;
    }
    const struct trp_overtaken_frame frame = {
        .zmsg = mailbox->zmsg,
        .bytes = bytes,
        .size = size,
        .parts = mailbox->parts,
        .part_count = mailbox->part_count,
    };
    if (!trp_overtaken_push(&mailbox->overtaken, &frame)) {
        return false;
    }
    trp_zmsg_init(&mailbox->zmsg);
    mailbox->parts = NULL;
    mailbox->part_count = 0;
    return true;
}

/** Make the first overtaken frame the one received last. @return false: there is none. */
static bool mailbox_pop_overtaken(
    struct trp_mailbox *mailbox, const uint8_t **out_bytes, size_t *out_size)
{
    if (trp_overtaken_is_empty(&mailbox->overtaken)) {
        return false;
    }
    const struct trp_overtaken_frame *frame = trp_overtaken_pop(&mailbox->overtaken);
    trp_zmsg_clear(&mailbox->zmsg);
    mailbox->zmsg = frame->zmsg;
    if (frame->parts != NULL) {
        free(mailbox->parts);
        mailbox->parts = frame->parts;
        mailbox->part_count = frame->part_count;
    }
    *out_bytes = frame->bytes;
    *out_size = frame->size;
    return true;
}

bool trp_mailbox_receive(struct trp_mailbox *mailbox, const uint8_t **out_bytes, size_t *out_size)
{
    const struct trp_overtaken *overtaken = &mailbox->overtaken;
    enum trp_lane lane = TRP_LANE_USER;
    bool received = mailbox->has_polled;
    if (received) {
        mailbox->has_polled = false;
        *out_bytes = mailbox->polled_bytes;
        *out_size = mailbox->polled_size;
        (void)mailbox_peek(*out_bytes, *out_size, &lane);
    } else if (!trp_overtaken_is_empty(overtaken) && !mailbox_has_command(mailbox)) {
        return mailbox_pop_overtaken(mailbox, out_bytes, out_size);
    } else if (trp_mailbox_has_mail(mailbox)) {
        // The ring of one pipe can be seen before its frame, behind another pipe's: the next turn tries again.
        received = mailbox_receive_next(mailbox, out_bytes, out_size, &lane);
    }
    // Commands are handled first: frames that were received before them are queued, in order.
    bool noticed = false;
    while (received && lane == TRP_LANE_USER &&
           (mailbox_has_command(mailbox) || !trp_overtaken_is_empty(overtaken)) &&
           mailbox_push_overtaken(mailbox, *out_bytes, *out_size)) {
        if (!noticed) {
            noticed = true;
            trp_zmq_notice(mailbox->pull);
        }
        received = mailbox_has_command(mailbox) &&
                   mailbox_receive_next(mailbox, out_bytes, out_size, &lane);
    }
    if (!received && mailbox->listens && mailbox_awaits_command(mailbox)) {
        return false; // frames that were sent after the command were faster
    }
    return received || mailbox_pop_overtaken(mailbox, out_bytes, out_size);
}

void trp_mailbox_uncount(struct trp_mailbox *mailbox, const uint8_t *bytes, size_t size)
{
    enum trp_lane lane = TRP_LANE_USER;
    uint32_t marks = mailbox_peek(bytes, size, &lane);
    mailbox->received_count -= (marks & TRP_MARK_RUNG) != 0 ? 1 : 0;
    mailbox->command_count -= (marks & TRP_MARK_COUNTED) != 0 ? 1 : 0;
}

void trp_mailbox_fini(struct trp_mailbox *mailbox)
{
    trp_spinner_leave(&mailbox->spinner);
    const uint8_t *bytes = NULL;
    size_t size = 0;
    while (mailbox_pop_overtaken(mailbox, &bytes, &size)) {
        trp_mailbox_drop_parts(mailbox);
    }
    trp_mailbox_drop_parts(mailbox);
    free(mailbox->parts);
    trp_overtaken_fini(&mailbox->overtaken);
    trp_zmsg_clear(&mailbox->zmsg);
    trp_zmq_close(&mailbox->loop_in);
    trp_zmq_close(&mailbox->loop_out);
    // The last of an executor's sockets: executors that come and go leave nothing behind that piles up.
    trp_zmq_close_and_wait(&mailbox->pull);
}

enum troupe_err trp_mailbox_make_loop(struct trp_mailbox *mailbox)
{
    mailbox->zmsg_inline_offset = trp_zmsg_inline();
    return trp_zmq_pair_new(mailbox->context, mailbox->id, &mailbox->loop_in, &mailbox->loop_out);
}

bool trp_mailbox_poll(struct trp_mailbox *mailbox)
{
    enum trp_lane lane = TRP_LANE_USER;
    if (!mailbox->has_polled &&
        mailbox_receive_next(mailbox, &mailbox->polled_bytes, &mailbox->polled_size, &lane)) {
        mailbox->has_polled = true;
    }
    return mailbox->has_polled;
}
