#include "mailbox.h"

#include "check.h"
#include "clock.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

enum {
    SPIN_NS = 50000,        // longest spin
    SHORT_SLEEP_NS = 90000, // a sleep that a spin would about have spared: wake-ups cost 30 µs
    SPIN_SCORE_MAX = 8,
    SPIN_LOST = 3, // what a spin in vain costs in score
};

enum troupe_err trp_mailbox_init(
    struct trp_mailbox *mailbox,
    void *context,
    uint32_t id,
    struct trp_gate *gate,
    struct trp_spinners *spinners,
    int wake_fd)
{
    *mailbox = (struct trp_mailbox){
        .context = context,
        .id = id,
        .gate = gate,
        .spinners = spinners,
        .wake_fd = wake_fd,
        .spin_score = 1,
    };
    trp_parcel_init(&mailbox->parcel);
    enum troupe_err err = trp_wire_pull_new(context, id, &mailbox->pull);
    if (err == TROUPE_OK) {
        mailbox->pull_fd = trp_wire_fd(mailbox->pull);
    }
    return err;
}

void trp_mailbox_fini(struct trp_mailbox *mailbox)
{
    trp_parcel_clear(&mailbox->parcel);
    trp_wire_close(&mailbox->pull);
    trp_wire_close(&mailbox->loop_in);
    trp_wire_close(&mailbox->loop_out);
}

bool trp_mailbox_receive(struct trp_mailbox *mailbox, const uint8_t **out_bytes, size_t *out_size)
{
    if (mailbox->has_early) {
        mailbox->has_early = false;
        *out_bytes = mailbox->early_bytes;
        *out_size = mailbox->early_size;
        return true;
    }
    // A ring can be seen before its frame, when it overtakes another pipe's: then the next turn looks.
    if (!trp_mailbox_has_mail(mailbox) ||
        !trp_wire_receive(mailbox->pull, &mailbox->parcel, out_bytes, out_size)) {
        return false;
    }
    mailbox->received_count++;
    return true;
}

void trp_mailbox_uncount(struct trp_mailbox *mailbox)
{
    mailbox->received_count--;
}

enum troupe_err trp_mailbox_make_loop(struct trp_mailbox *mailbox)
{
    return trp_wire_pair_new(mailbox->context, mailbox->id, &mailbox->loop_in, &mailbox->loop_out);
}

void trp_mailbox_loop_receive(
    struct trp_mailbox *mailbox, const uint8_t **out_bytes, size_t *out_size)
{
    TRP_DCHECK(mailbox->loop_count > 0 && !mailbox->has_early);
    bool received = trp_wire_receive(mailbox->loop_out, &mailbox->parcel, out_bytes, out_size);
    TRP_CHECK(received);
    mailbox->loop_count--;
}

bool trp_mailbox_look(struct trp_mailbox *mailbox)
{
    if (!mailbox->has_early &&
        trp_wire_receive(
            mailbox->pull, &mailbox->parcel, &mailbox->early_bytes, &mailbox->early_size)) {
        mailbox->has_early = true;
        mailbox->received_count++;
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

bool trp_mailbox_spin(struct trp_mailbox *mailbox, uint64_t timeout_ns)
{
    if (mailbox->spin_score <= 0) {
        return false;
    }
    struct trp_spinners *spinners = mailbox->spinners;
    bool found = false;
    if (atomic_fetch_add_explicit(&spinners->count, 1, memory_order_relaxed) <
        spinners->count_max) {
        uint64_t spin_ns = timeout_ns < SPIN_NS ? timeout_ns : SPIN_NS;
        found = mailbox_spin_for(mailbox, trp_cycles_of_ns(spin_ns));
        mailbox->spin_score += found ? 1 : -SPIN_LOST;
        if (mailbox->spin_score > SPIN_SCORE_MAX) {
            mailbox->spin_score = SPIN_SCORE_MAX;
        }
    }
    atomic_fetch_sub_explicit(&spinners->count, 1, memory_order_relaxed);
    return found;
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
    uint64_t start_ns = trp_clock_monotonic(NULL);
    // An interrupted sleep is a short one: whoever sleeps looks around and comes back.
    int ready = ppoll(fds, 2, timeout_ns == UINT64_MAX ? NULL : &timeout, NULL);
    uint64_t slept_ns = trp_clock_monotonic(NULL) - start_ns;
    if (ready > 0 && slept_ns < SHORT_SLEEP_NS && mailbox->spin_score < SPIN_SCORE_MAX) {
        mailbox->spin_score = mailbox->spin_score < 0 ? 0 : mailbox->spin_score;
        mailbox->spin_score++;
    }
    if (fds[1].revents != 0) {
        uint64_t count = 0;
        (void)!read(mailbox->wake_fd, &count, sizeof(count));
    }
}
