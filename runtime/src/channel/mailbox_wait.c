/*
 * An executor without work waits in three steps, from the fastest reaction to the cheapest wait:
 *
 *     spin            at most 50 µs, while that has paid lately and a core is free for it
 *     doorbell        a futex, at most 10 ms: no system call for the pipes
 *     poll of the sockets, then poll()        for as long as there is nothing to do
 */
#include "channel/mailbox_wait.h"

#include "base/clock.h"
#include "channel/mailbox.h"
#include "channel/spinner.h"
#include "shared/doorbell.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

enum {
    SPIN_NS = 50000,             // longest spin
    DOORBELL_WAIT_NS = 10000000, // longest sleep at the doorbell
    SHORT_SLEEP_NS = 90000, // a sleep that a spin would about have spared: wake-ups cost 30 µs
};

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
    bool found = false;
    if (trp_spinner_join(&mailbox->spinner)) {
        uint64_t spin_ns = timeout_ns < SPIN_NS ? timeout_ns : SPIN_NS;
        found = mailbox_spin_for(mailbox, trp_cycles_of_ns(spin_ns));
        trp_spinner_score_spin(&mailbox->spinner, found);
    }
    // A spin that paid keeps its place: all spinners write the count, and it travels between cores.
    if (!found || !mailbox->has_thread) {
        trp_spinner_leave(&mailbox->spinner);
    }
    return found;
}

bool trp_mailbox_wait_doorbell(struct trp_mailbox *mailbox, uint64_t timeout_ns)
{
    if (!mailbox->has_thread || !mailbox->may_wait_doorbell || mailbox->listens) {
        return false;
    }
    uint64_t start = trp_cycles();
    mailbox->may_wait_doorbell = trp_doorbell_sleep(
        mailbox->doorbell,
        mailbox->received_count,
        timeout_ns < DOORBELL_WAIT_NS ? timeout_ns : DOORBELL_WAIT_NS);
    bool is_short = trp_cycles() - start < trp_cycles_of_ns(SHORT_SLEEP_NS);
    if (is_short && trp_mailbox_has_mail(mailbox)) {
        trp_spinner_score_short_sleep(&mailbox->spinner);
    }
    return true;
}

void trp_mailbox_sleep(struct trp_mailbox *mailbox, uint64_t timeout_ns)
{
    struct pollfd fds[2] = {
        {.fd = mailbox->pull_fd, .events = POLLIN},
        {.fd = mailbox->wake_fd, .events = POLLIN}, // poll ignores -1
    };
    struct timespec timeout = {
        .tv_sec = (time_t)(timeout_ns / UINT64_C(1000000000)),
        .tv_nsec = (long)(timeout_ns % UINT64_C(1000000000)),
    };
    trp_spinner_leave(&mailbox->spinner);
    uint64_t start_ns = trp_clock_monotonic(NULL);
    // An interrupted sleep is a short one: every caller checks for work and comes back.
    int ready = ppoll(fds, 2, timeout_ns == UINT64_MAX ? NULL : &timeout, NULL);
    uint64_t slept_ns = trp_clock_monotonic(NULL) - start_ns;
    // Frames by ipc and tcp do not ring, so a spin would not have seen one.
    bool rang = ready > 0 && (!mailbox->listens || trp_mailbox_has_mail(mailbox));
    if (rang && slept_ns < SHORT_SLEEP_NS) {
        trp_spinner_score_short_sleep(&mailbox->spinner);
    }
    mailbox->poll_cycles = 0; // the sockets are polled next
    if (fds[1].revents != 0) {
        uint64_t count = 0;
        (void)!read(mailbox->wake_fd, &count, sizeof(count));
    }
}
