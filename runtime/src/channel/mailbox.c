#include "channel/mailbox.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SPIN_NS = 50000,        // longest spin
    DOZE_NS = 10000000,     // longest sleep at the doorbell
    SHORT_SLEEP_NS = 90000, // a sleep that a spin would about have spared: wake-ups cost 30 µs
    SPIN_SCORE_MAX = 8,
    SPIN_LOST = 3,   // what a spin in vain costs in score
    LOOK_NS = 20000, // how often a busy executor looks for what came by ipc and tcp
    LOOK_TURNS = 64, // or after so many turns
};

/** A reply may be over the bound; but nobody's bytes are waited for beyond this. */
#define PART_BYTES_MAX (INT64_C(1) << 30)

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
        .spinners = spinners,
        .wake_fd = wake_fd,
        .spin_score = 0,
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
        bound_bytes > PART_BYTES_MAX ? bound_bytes : PART_BYTES_MAX);
    mailbox->listens = err == TROUPE_OK;
    return err;
}

/** @return what a frame says of how it came; of one that cannot be read, that it took the users' lane. */
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

/** Have the bytes of what came where they can be read. */
static void mailbox_align(struct trp_zmsg *zmsg)
{
    uint64_t since_ns = 0;
    while (!trp_zmsg_align(zmsg)) {
        trp_memory_wait(&since_ns);
    }
}

/** Receive the parts that follow a frame; those over the limit are let go. */
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

/** Receive whatever frame is next, and count it if it rang. @return false: none is there. */
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
    mailbox->may_doze = true;
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
    trp_zmsg_init(&mailbox->parts[which]); // empty: not to be taken twice
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
    if (mailbox->look_turns++ >= LOOK_TURNS ||
        trp_cycles() - mailbox->look_cycles > trp_cycles_of_ns(LOOK_NS)) {
        mailbox->look_turns = 0;
        mailbox->look_cycles = trp_cycles();
        return true;
    }
    return false;
}

/** @return whether a command is on its way that has not been received yet. */
static bool mailbox_has_command(const struct trp_mailbox *mailbox)
{
    // Acquire: pairs with the release in trp_doorbell_ring(): the command is in its pipe.
    uint64_t bell = atomic_load_explicit(&mailbox->doorbell->command_bell, memory_order_acquire);
    return (int64_t)(bell - mailbox->command_count) > 0;
}

static bool mailbox_has_overtaken(const struct trp_mailbox *mailbox)
{
    return mailbox->overtaken_first < mailbox->overtaken_count;
}

/** Have room for one more frame that waits. @return false: no memory, and none waits yet. */
static bool mailbox_grow_overtaken(struct trp_mailbox *mailbox)
{
    uint32_t capacity = mailbox->overtaken_capacity * 2 + 4;
    uint64_t since_ns = 0;
    struct trp_overtaken *grown = NULL;
    while ((grown = realloc(mailbox->passed, capacity * sizeof(*grown))) == NULL) {
        if (!mailbox_has_overtaken(mailbox)) {
            return false;
        }
        trp_memory_wait(&since_ns); // it would be met before those that came before it
    }
    mailbox->passed = grown;
    mailbox->overtaken_capacity = capacity;
    return true;
}

/** Let the frame received last wait behind a command. @return false: no memory, so it does not. */
static bool mailbox_set_overtaken(struct trp_mailbox *mailbox, const uint8_t *bytes, size_t size)
{
    // One that lies in the zmsg would not move with it, and is nothing that a peer of ours sends.
    if (size <= TRP_ZMSG_INLINE_BYTES) {
        return false;
    }
    if (!mailbox_has_overtaken(mailbox)) {
        mailbox->overtaken_first = mailbox->overtaken_count = 0;
    }
    if (mailbox->overtaken_count == mailbox->overtaken_capacity &&
        !mailbox_grow_overtaken(mailbox)) {
        return false;
    }
    struct trp_overtaken *passed = &mailbox->passed[mailbox->overtaken_count++];
    *passed = (struct trp_overtaken){
        .zmsg = mailbox->zmsg,
        .bytes = bytes,
        .size = size,
        .parts = mailbox->parts,
        .part_count = mailbox->part_count,
    };
    trp_zmsg_init(&mailbox->zmsg);
    mailbox->parts = NULL;
    mailbox->part_count = 0;
    return true;
}

/** Take the first of the frames that commands passed. */
static bool mailbox_take_overtaken(
    struct trp_mailbox *mailbox, const uint8_t **out_bytes, size_t *out_size)
{
    if (!mailbox_has_overtaken(mailbox)) {
        return false;
    }
    struct trp_overtaken *passed = &mailbox->passed[mailbox->overtaken_first++];
    trp_zmsg_clear(&mailbox->zmsg);
    mailbox->zmsg = passed->zmsg;
    if (passed->parts != NULL) {
        free(mailbox->parts);
        mailbox->parts = passed->parts;
        mailbox->part_count = passed->part_count;
    }
    *out_bytes = passed->bytes;
    *out_size = passed->size;
    return true;
}

bool trp_mailbox_receive(struct trp_mailbox *mailbox, const uint8_t **out_bytes, size_t *out_size)
{
    enum trp_lane lane = TRP_LANE_USER;
    bool received = mailbox->has_early;
    if (received) {
        mailbox->has_early = false;
        *out_bytes = mailbox->early_bytes;
        *out_size = mailbox->early_size;
        (void)mailbox_peek(*out_bytes, *out_size, &lane);
    } else if (mailbox_has_overtaken(mailbox) && !mailbox_has_command(mailbox)) {
        return mailbox_take_overtaken(mailbox, out_bytes, out_size);
    } else if (trp_mailbox_has_mail(mailbox)) {
        // A ring can be seen before its frame, when it overtakes another pipe's: the next turn looks.
        received = mailbox_receive_next(mailbox, out_bytes, out_size, &lane);
    }
    // Commands go first: what was received before them waits, in order.
    bool noticed = false;
    while (received && lane == TRP_LANE_USER &&
           (mailbox_has_command(mailbox) || mailbox_has_overtaken(mailbox)) &&
           mailbox_set_overtaken(mailbox, *out_bytes, *out_size)) {
        if (!noticed) {
            noticed = true;
            trp_zmq_notice(mailbox->pull);
        }
        received = mailbox_has_command(mailbox) &&
                   mailbox_receive_next(mailbox, out_bytes, out_size, &lane);
    }
    if (!received && mailbox->listens && mailbox_has_command(mailbox)) {
        return false; // it comes by ipc or tcp, and what was sent after it was faster
    }
    return received || mailbox_take_overtaken(mailbox, out_bytes, out_size);
}

void trp_mailbox_uncount(struct trp_mailbox *mailbox, const uint8_t *bytes, size_t size)
{
    enum trp_lane lane = TRP_LANE_USER;
    uint32_t marks = mailbox_peek(bytes, size, &lane);
    mailbox->received_count -= (marks & TRP_MARK_RUNG) != 0 ? 1 : 0;
    mailbox->command_count -= (marks & TRP_MARK_COUNTED) != 0 ? 1 : 0;
}

static void mailbox_leave_spinners(struct trp_mailbox *mailbox)
{
    if (mailbox->is_spinner) {
        mailbox->is_spinner = false;
        atomic_fetch_sub_explicit(&mailbox->spinners->count, 1, memory_order_relaxed);
    }
}

void trp_mailbox_fini(struct trp_mailbox *mailbox)
{
    mailbox_leave_spinners(mailbox);
    const uint8_t *bytes = NULL;
    size_t size = 0;
    while (mailbox_take_overtaken(mailbox, &bytes, &size)) {
        trp_mailbox_drop_parts(mailbox);
    }
    trp_mailbox_drop_parts(mailbox);
    free(mailbox->parts);
    free(mailbox->passed);
    trp_zmsg_clear(&mailbox->zmsg);
    trp_zmq_close(&mailbox->pull);
    trp_zmq_close(&mailbox->loop_in);
    trp_zmq_close(&mailbox->loop_out);
}

enum troupe_err trp_mailbox_make_loop(struct trp_mailbox *mailbox)
{
    mailbox->zmsg_inside = trp_zmsg_inline();
    return trp_zmq_pair_new(mailbox->context, mailbox->id, &mailbox->loop_in, &mailbox->loop_out);
}

bool trp_mailbox_poll(struct trp_mailbox *mailbox)
{
    enum trp_lane lane = TRP_LANE_USER;
    if (!mailbox->has_early &&
        mailbox_receive_next(mailbox, &mailbox->early_bytes, &mailbox->early_size, &lane)) {
        mailbox->has_early = true;
    }
    return mailbox->has_early;
}

/** Spin until the doorbell rings or @p cycles have passed. @return whether it rang. */
static bool mailbox_spin_for(const struct trp_mailbox *mailbox, uint64_t cycles)
{
    uint64_t start = trp_cycles();
    while (!trp_mailbox_has_mail(mailbox)) {
        trp_relax();
        if (trp_cycles() - start > cycles) {
            return false;
        }
    }
    return true;
}

/** Be one of the spinners. @return false: there are as many as there are cores. */
static bool mailbox_join_spinners(struct trp_mailbox *mailbox)
{
    struct trp_spinners *spinners = mailbox->spinners;
    if (!mailbox->is_spinner) {
        mailbox->is_spinner = atomic_fetch_add_explicit(&spinners->count, 1, memory_order_relaxed) <
                              spinners->count_max;
        if (!mailbox->is_spinner) {
            atomic_fetch_sub_explicit(&spinners->count, 1, memory_order_relaxed);
        }
    }
    return mailbox->is_spinner;
}

bool trp_mailbox_spin(struct trp_mailbox *mailbox, uint64_t timeout_ns)
{
    bool found = false;
    if (mailbox->spin_score > 0 && mailbox_join_spinners(mailbox)) {
        uint64_t spin_ns = timeout_ns < SPIN_NS ? timeout_ns : SPIN_NS;
        found = mailbox_spin_for(mailbox, trp_cycles_of_ns(spin_ns));
        mailbox->spin_score += found ? 1 : -SPIN_LOST;
        if (mailbox->spin_score > SPIN_SCORE_MAX) {
            mailbox->spin_score = SPIN_SCORE_MAX;
        }
    }
    // Who has a core goes on to have it: all spinners write that count, and it travels between cores.
    if (!found || !mailbox->has_thread) {
        mailbox_leave_spinners(mailbox);
    }
    return found;
}

/** A sleep has ended with mail that rang: one that was short would have been a spin that pays. */
static void mailbox_score_sleep(struct trp_mailbox *mailbox, bool is_short)
{
    if (is_short && mailbox->spin_score < SPIN_SCORE_MAX) {
        mailbox->spin_score = mailbox->spin_score < 0 ? 0 : mailbox->spin_score;
        mailbox->spin_score++;
    }
}

bool trp_mailbox_wait_doorbell(struct trp_mailbox *mailbox, uint64_t timeout_ns)
{
    if (!mailbox->has_thread || !mailbox->may_doze || mailbox->listens) {
        return false;
    }
    uint64_t start = trp_cycles();
    mailbox->may_doze = trp_doorbell_sleep(
        mailbox->doorbell, mailbox->received_count, timeout_ns < DOZE_NS ? timeout_ns : DOZE_NS);
    bool is_short = trp_cycles() - start < trp_cycles_of_ns(SHORT_SLEEP_NS);
    mailbox_score_sleep(mailbox, is_short && trp_mailbox_has_mail(mailbox));
    return true;
}

void trp_mailbox_sleep(struct trp_mailbox *mailbox, uint64_t timeout_ns)
{
    struct pollfd fds[2] = {
        {.fd = mailbox->pull_fd, .events = POLLIN},
        {.fd = mailbox->wake_fd, .events = POLLIN}, // poll passes over -1
    };
    struct timespec timeout = {
        .tv_sec = (time_t)(timeout_ns / UINT64_C(1000000000)),
        .tv_nsec = (long)(timeout_ns % UINT64_C(1000000000)),
    };
    mailbox_leave_spinners(mailbox);
    uint64_t start_ns = trp_clock_monotonic(NULL);
    // An interrupted sleep is a short one: whoever sleeps looks around and comes back.
    int ready = ppoll(fds, 2, timeout_ns == UINT64_MAX ? NULL : &timeout, NULL);
    uint64_t slept_ns = trp_clock_monotonic(NULL) - start_ns;
    // Nobody rings for what comes by ipc and tcp, so a spin would not have seen it.
    bool rung = ready > 0 && (!mailbox->listens || trp_mailbox_has_mail(mailbox));
    mailbox->look_cycles = 0; // but it is looked at next
    mailbox_score_sleep(mailbox, rung && slept_ns < SHORT_SLEEP_NS);
    if (fds[1].revents != 0) {
        uint64_t count = 0;
        (void)!read(mailbox->wake_fd, &count, sizeof(count));
    }
}
