/*
 * The floor between processes: each part a process of its own, one PULL for what it receives and a
 * PUSH to each it sends to, over ipc or tcp. One message a zmq_msg_send, blocking, default
 * high-water marks; without a bound it is slower, since queues then walk through new memory.
 *
 *     here                                  part (this program again, with BENCH_FLOOR_PART)
 *       | -- floor_request ------------------> |  binds
 *       | <----------------- floor_address - |
 *       | -- an address for each peer -----> |  connects; an empty frame to each, one from each
 *       | <------------------ floor_report - |  ready
 *       | -- a byte -----------------------> |  ... the traffic that is measured ...
 *       | <------------------ floor_report - |  what it counted
 *       | -- end of file ------------------> |  closes; all its peers have what they wait for
 *
 * They communicate over a socket pair that preserves packets; in the part it is standard input. Parts
 * are started afresh, not forked: a process that has had a ZeroMQ context is no place to fork.
 */
#include "floor.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/** What a part is to do. */
struct floor_request {
    struct bench_floor floor;
    struct bench_plan plan;
    uint64_t index;
};

/** Where a part receives; empty when it does not. */
struct floor_address {
    char endpoint[128];
};

/** What a part counted; zeros but for `err` when it is just ready. */
struct floor_report {
    struct bench_tally tally;
    uint64_t first_ns;
    uint64_t last_ns;
    int64_t err; // of zmq_errno(), 0 when all went well
};

/* The part. ------------------------------------------------------------------------------------ */

/** A part in its own process. */
struct floor_guest {
    struct floor_request order;
    struct floor_part part;
    void *context;
};

/** Pin this process, so that the threads that ZeroMQ will start stay with it. */
static void guest_pin(const struct floor_request *order)
{
    uint64_t cpu_mask = bench_cpu_of(order->plan.cpu_mask, (uint32_t)order->index);
    if (cpu_mask == 0) {
        return;
    }
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)__builtin_ctzll(cpu_mask), &cpus);
    (void)sched_setaffinity(0, sizeof(cpus), &cpus); // without it, it is only slower
}

/** Bind what the part receives from and say where. @return 0 or an error number. */
static int guest_bind(struct floor_guest *self)
{
    struct floor_address address = {0};
    if (floor_part_receives(&self->part)) {
        self->part.in = zmq_socket(self->context, ZMQ_PULL);
        if (self->part.in == NULL) {
            return zmq_errno();
        }
        // A name without a file: nothing is left behind, however this ends.
        bool is_tcp = self->order.floor.transport == BENCH_TRANSPORT_TCP;
        (void)snprintf(
            address.endpoint,
            sizeof(address.endpoint),
            is_tcp ? "tcp://127.0.0.1:*" : "ipc://@troupe-bench-floor-%ld",
            (long)getpid());
        size_t bytes = sizeof(address.endpoint);
        if (zmq_bind(self->part.in, address.endpoint) != 0 ||
            (is_tcp &&
             zmq_getsockopt(self->part.in, ZMQ_LAST_ENDPOINT, address.endpoint, &bytes) != 0)) {
            return zmq_errno();
        }
    }
    return send(STDIN_FILENO, &address, sizeof(address), 0) < 0 ? errno : 0;
}

/** Connect to each peer, as the parent says. @return 0 or an error number. */
static int guest_connect(struct floor_guest *self)
{
    self->part.out = calloc((size_t)self->part.part.peer_count + 1, sizeof(*self->part.out));
    if (self->part.out == NULL) {
        return ENOMEM;
    }
    for (uint32_t i = 0; i < self->part.part.peer_count; i++) {
        struct floor_address address = {0};
        if (recv(STDIN_FILENO, &address, sizeof(address), 0) != (ssize_t)sizeof(address)) {
            return EPIPE;
        }
        self->part.out[i] = zmq_socket(self->context, ZMQ_PUSH);
        if (self->part.out[i] == NULL || zmq_connect(self->part.out[i], address.endpoint) != 0 ||
            zmq_send(self->part.out[i], NULL, 0, 0) < 0) {
            return zmq_errno();
        }
    }
    return 0;
}

/** @return how many parts of the plan send to this one. */
static uint32_t guest_sender_count(const struct floor_guest *self)
{
    uint32_t sender_count = 0;
    for (uint32_t i = 0; i < bench_part_count(&self->order.plan); i++) {
        struct floor_part other;
        floor_part_init(&other, self->order.floor.kind, &self->order.plan, i);
        sender_count += self->part.index - other.part.peer_first < other.part.peer_count ? 1 : 0;
    }
    return sender_count;
}

/** Receive the empty frame of each sender: then every connection is established. */
static int guest_accept_senders(struct floor_guest *self)
{
    for (uint32_t left = guest_sender_count(self); left > 0; left--) {
        if (zmq_recv(self->part.in, NULL, 0, 0) < 0) {
            return zmq_errno();
        }
    }
    return 0;
}

static int guest_report(struct floor_guest *self)
{
    struct floor_report report = {.first_ns = UINT64_MAX, .err = self->part.err};
    floor_part_add(&self->part, &report.tally, &report.first_ns, &report.last_ns);
    return send(STDIN_FILENO, &report, sizeof(report), 0) < 0 ? errno : 0;
}

/** Everything from the order to the report. @return 0 or an error number. */
static int guest_work(struct floor_guest *self)
{
    char byte = 0;
    // A ring of one needs four sockets, a fan of n one more than n.
    (void)zmq_ctx_set(
        self->context, ZMQ_MAX_SOCKETS, (int)bench_part_count(&self->order.plan) + 16);
    int err = guest_bind(self);
    if (err == 0) {
        err = guest_connect(self);
    }
    if (err == 0) {
        err = guest_accept_senders(self);
    }
    if (err == 0) {
        err = guest_report(self);
    }
    if (err == 0 && recv(STDIN_FILENO, &byte, 1, 0) != 1) {
        return EPIPE;
    }
    if (err == 0) {
        floor_part_run(&self->part);
    }
    self->part.err = err != 0 ? err : self->part.err;
    return guest_report(self);
}

static void guest_close(struct floor_guest *self)
{
    char byte = 0;
    (void)recv(STDIN_FILENO, &byte, 1, 0); // until no peer needs this process any more
    for (uint32_t i = 0; self->part.out != NULL && i < self->part.part.peer_count; i++) {
        if (self->part.out[i] != NULL) {
            (void)zmq_close(self->part.out[i]);
        }
    }
    if (self->part.in != NULL) {
        (void)zmq_close(self->part.in);
    }
    free(self->part.out);
    (void)zmq_ctx_set(self->context, ZMQ_BLOCKY, 0);
    (void)zmq_ctx_term(self->context);
}

int bench_floor_part(void)
{
    struct floor_guest self = {0};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (recv(STDIN_FILENO, &self.order, sizeof(self.order), 0) != (ssize_t)sizeof(self.order)) {
        (void)fputs("troupe-bench: " BENCH_FLOOR_PART " is for troupe-bench itself\n", stderr);
        return (int)BENCH_USAGE;
    }
    guest_pin(&self.order);
    floor_part_init(
        &self.part, self.order.floor.kind, &self.order.plan, (uint32_t)self.order.index);
    self.context = zmq_ctx_new();
    if (self.context == NULL) {
        return (int)BENCH_FAILED;
    }
    int err = guest_work(&self);
    guest_close(&self);
    return err == 0 ? (int)BENCH_DONE : (int)BENCH_FAILED;
}

/* Here. ---------------------------------------------------------------------------------------- */

/** A part as seen from here. */
struct floor_child {
    pid_t pid; // 0 when it was not started
    int socket;
    struct floor_address address;
    struct floor_report report;
};

struct floor_group {
    const struct bench_floor *floor;
    const struct bench_plan *plan;
    uint32_t count;
    struct floor_child *children;
    struct pollfd *waits;
};

/** Start a part and send it its request. @return 0 or an error number. */
static int family_start(struct floor_group *self, uint32_t index)
{
    struct floor_child *child = &self->children[index];
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return errno;
    }
    child->socket = pair[0];
    char *arguments[] = {(char[]){"troupe-bench"}, (char[]){BENCH_FLOOR_PART}, NULL};
    posix_spawn_file_actions_t actions;
    int err = posix_spawn_file_actions_init(&actions);
    if (err == 0) {
        err = posix_spawn_file_actions_adddup2(&actions, pair[1], STDIN_FILENO);
        if (err == 0) {
            err = posix_spawn(&child->pid, "/proc/self/exe", &actions, NULL, arguments, environ);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)close(pair[1]);
    if (err != 0) {
        child->pid = 0;
        return err;
    }
    struct floor_request order = {.floor = *self->floor, .plan = *self->plan, .index = index};
    return send(child->socket, &order, sizeof(order), MSG_NOSIGNAL) < 0 ? errno : 0;
}

/**
 * Receive a packet from each part, in the order in which they come: the one that fails may be
 * another than the first that would be waited for.
 *
 * @param offset  Where in a struct floor_child it belongs.
 * @return        0 or an error number.
 */
static int group_receive(struct floor_group *self, size_t offset, size_t bytes)
{
    for (uint32_t i = 0; i < self->count; i++) {
        self->waits[i] = (struct pollfd){.fd = self->children[i].socket, .events = POLLIN};
    }
    for (uint32_t left = self->count; left > 0;) {
        if (poll(self->waits, self->count, -1) < 0 && errno != EINTR) {
            return errno;
        }
        for (uint32_t i = 0; i < self->count; i++) {
            if (self->waits[i].fd < 0 || self->waits[i].revents == 0) {
                continue;
            }
            unsigned char *place = (unsigned char *)&self->children[i] + offset;
            if (recv(self->waits[i].fd, place, bytes, 0) != (ssize_t)bytes) {
                (void)fprintf(stderr, "troupe-bench: part %u ended too early\n", i);
                return ECHILD;
            }
            if (self->children[i].report.err != 0) {
                return (int)self->children[i].report.err; // others may be waiting for it
            }
            self->waits[i].fd = -1; // poll() passes over it
            left--;
        }
    }
    return 0;
}

/** Send a part the addresses of its peers. @return 0 or an error number. */
static int family_introduce(struct floor_group *self, uint32_t index)
{
    struct floor_part part;
    floor_part_init(&part, self->floor->kind, self->plan, index);
    for (uint32_t i = 0; i < part.part.peer_count; i++) {
        const struct floor_address *address = &self->children[part.part.peer_first + i].address;
        if (send(self->children[index].socket, address, sizeof(*address), MSG_NOSIGNAL) < 0) {
            return errno;
        }
    }
    return 0;
}

/** Receive a report from each part. @return 0 or an error number, that of the first that failed. */
static int group_receive_reports(struct floor_group *self)
{
    return group_receive(self, offsetof(struct floor_child, report), sizeof(struct floor_report));
}

/** Start all, acquaint them with each other and see them ready. @return 0 or an error number. */
static int group_set_up(struct floor_group *self)
{
    int err = 0;
    for (uint32_t i = 0; i < self->count && err == 0; i++) {
        err = family_start(self, i);
    }
    if (err == 0) {
        err = group_receive(
            self, offsetof(struct floor_child, address), sizeof(struct floor_address));
    }
    for (uint32_t i = 0; i < self->count && err == 0; i++) {
        err = family_introduce(self, i);
    }
    return err == 0 ? group_receive_reports(self) : err;
}

/** Let all go and sum up what they report. @return 0 or an error number. */
static int group_go(struct floor_group *self, struct bench_tally *out_tally)
{
    // Backwards: part 0 is the one that starts, and the others should be awake.
    for (uint32_t i = self->count; i > 0; i--) {
        if (send(self->children[i - 1].socket, "", 1, MSG_NOSIGNAL) < 0) {
            return errno;
        }
    }
    int err = group_receive_reports(self);
    uint64_t first_ns = UINT64_MAX;
    uint64_t last_ns = 0;
    for (uint32_t i = 0; i < self->count && err == 0; i++) {
        const struct floor_report *report = &self->children[i].report;
        first_ns = report->first_ns < first_ns ? report->first_ns : first_ns;
        last_ns = report->last_ns > last_ns ? report->last_ns : last_ns;
        out_tally->messages += report->tally.messages;
        out_tally->checksum += report->tally.checksum;
    }
    out_tally->elapsed_ns = last_ns - first_ns;
    return err;
}

/** End all parts: in order, or where something failed without asking. */
static void group_end(struct floor_group *self, bool in_order)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->children[i].pid != 0 && !in_order) {
            (void)kill(self->children[i].pid, SIGKILL);
        }
        if (self->children[i].socket >= 0) {
            (void)close(self->children[i].socket);
        }
    }
    for (uint32_t i = 0; i < self->count; i++) {
        while (self->children[i].pid != 0 && waitpid(self->children[i].pid, NULL, 0) < 0 &&
               errno == EINTR) {
        }
    }
}

int floor_processes(
    const struct bench_floor *floor, const struct bench_plan *plan, struct bench_tally *out_tally)
{
    struct floor_group self = {.floor = floor, .plan = plan, .count = bench_part_count(plan)};
    self.children = calloc(self.count, sizeof(*self.children));
    self.waits = calloc(self.count, sizeof(*self.waits));
    int err = self.children == NULL || self.waits == NULL ? ENOMEM : 0;
    for (uint32_t i = 0; i < self.count && err == 0; i++) {
        self.children[i].socket = -1;
    }
    if (err == 0) {
        err = group_set_up(&self);
        if (err == 0) {
            err = group_go(&self, out_tally);
        }
        group_end(&self, err == 0);
    }
    free(self.children);
    free(self.waits);
    return err;
}
