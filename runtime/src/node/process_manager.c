#include "node/process_manager.h"

#include "base/memory.h"
#include "node/child.h"
#include "node/process_exit.h"
#include "node/signals.h"
#include "node/system.h"
#include "observe/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EVENTS = 64,
    TICK_MS = 1000, // how often what children closed is added to the sums
    PORT_LINKS = 64,
    NOTES = 4, // of one child in a row: each may start a process, and others wait to be told an end
    LINE_BYTES = 4096, // of captured output; a longer one is cut in two
};

/** What goes over a leash. */
enum warden_word {
    WARDEN_POKE = 1, // child to first: poke process `number`; first to child: look at the board
    WARDEN_SPAWN =
        2,           // child to first: start the process of slot `number`; its listener comes along
    WARDEN_KILL = 3, // child to first: end process `number` by force
};

struct warden_note {
    uint32_t word;
    uint32_t number;
};

/** One of the two streams of a child whose lines get a prefix. */
struct warden_stream {
    int fd;        // ours to read; -1: none
    int target_fd; // where its lines go
    size_t used;
    char line[LINE_BYTES];
};

struct warden_child {
    struct warden_child *next;
    struct trp_node *node;
    const struct troupe_backend_ops *ops;
    void *self;
    void *carrier;
    int leash_fd;
    bool is_watched;
    struct warden_stream streams[2];
};

/** A process that is to be started. */
struct warden_order {
    struct warden_order *next;
    uint32_t node_index;
    int listener_fd;
};

struct trp_warden {
    troupe_system_t *system;
    pthread_t thread;
    int epoll_fd;
    int wake_fd;
    int leash_fd; // of a child, to the first process; -1 there
    pthread_mutex_t lock;
    struct warden_order *orders;   // guarded by `lock`, latest first
    struct warden_child *children; // guarded by `lock`; changed by the warden only
    bool stopping;                 // guarded by `lock`
};

/* Looking at the board. ------------------------------------------------------------------------- */

/** Close the links of this process's ports to receivers that are gone: a port runs no loop that would. */
static void warden_detach_ports(troupe_system_t *system)
{
    struct trp_board *board = system->board;
    uint32_t pairs[PORT_LINKS][2];
    uint32_t count = 0;
    trp_board_lock(board);
    uint32_t high = atomic_load_explicit(&board->ledger_high, memory_order_acquire);
    for (uint32_t i = 0; i < high && count < PORT_LINKS; i++) {
        struct trp_ledger *ledger = &board->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_relaxed) != TRP_LEDGER_OPEN ||
            !atomic_load_explicit(&ledger->gone, memory_order_relaxed)) {
            continue;
        }
        const struct trp_seat *from = trp_board_find_seat(board, ledger->from);
        if (from != NULL && from->is_port && from->node == system->node) {
            pairs[count][0] = ledger->from;
            pairs[count++][1] = ledger->to;
        }
    }
    trp_board_unlock(board);
    for (uint32_t i = 0; i < count; i++) {
        (void)trp_port_detach(system, pairs[i][0], pairs[i][1]);
    }
}

static void warden_wake_executors(troupe_system_t *system)
{
    (void)pthread_mutex_lock(&system->lock);
    for (uint32_t i = 0; i < system->executors.slot_count; i++) {
        struct troupe_executor *executor = system->executors.slots[i].value;
        if (executor != NULL) {
            atomic_store_explicit(&executor->has_word, true, memory_order_release);
            trp_executor_wake(executor);
        }
    }
    (void)pthread_mutex_unlock(&system->lock);
}

/** There may be news on the board: have everybody in this process look. */
static void warden_look(troupe_system_t *system)
{
    if (atomic_load_explicit(&system->board->stop_asked, memory_order_acquire)) {
        trp_system_note_stop(system);
    }
    if (trp_system_is_first(system)) {
        trp_signals_refresh(system);
    }
    warden_wake_executors(system);
    warden_detach_ports(system);
    trp_system_wake(system);
}

/* The leash. ------------------------------------------------------------------------------------ */

/** @return whether a call failed since the kernel is short of something for now, as errno says. */
static bool warden_is_short(void)
{
    return errno == ENOMEM || errno == ENOBUFS || errno == ETOOMANYREFS;
}

/** Send a note. Without room for it there are others, which say the same. */
static void warden_send(int leash_fd, const struct warden_note *note, int listener_fd)
{
    struct iovec part = {.iov_len = sizeof(*note)};
    union {
        const struct warden_note *read_only;
        void *data;
    } at = {.read_only = note};
    part.iov_base = at.data;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (listener_fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &listener_fd, sizeof(listener_fd));
    }
    int flags = MSG_NOSIGNAL | (listener_fd < 0 ? MSG_DONTWAIT : 0);
    // One that brings a listener says what no other does: it waits until the kernel can carry it.
    uint64_t since_ns = 0;
    while (sendmsg(leash_fd, &message, flags) < 0 &&
           (errno == EINTR || (listener_fd >= 0 && warden_is_short()))) {
        trp_memory_wait(&since_ns);
    }
}

/** Receive a note. @return false: none is there; *out_closed: nor will there be. */
static bool warden_receive(
    int leash_fd, struct warden_note *out_note, int *out_listener_fd, bool *out_closed)
{
    struct iovec part = {.iov_base = out_note, .iov_len = sizeof(*out_note)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t size = -1;
    do {
        size = recvmsg(leash_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    *out_closed = size == 0 || (size < 0 && errno != EAGAIN);
    *out_listener_fd = -1;
    const struct cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        memcpy(out_listener_fd, CMSG_DATA(header), sizeof(*out_listener_fd));
    }
    return size == (ssize_t)sizeof(*out_note);
}

/* Children. ------------------------------------------------------------------------------------- */

/** Wait for what a descriptor says from here on. @return false: no memory. */
static bool warden_watch(const struct trp_warden *warden, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(warden->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST;
}

/** Wait for all that a child says, its end among it; or with the next tick try again. */
static void warden_watch_child(const struct trp_warden *warden, struct warden_child *child)
{
    bool watched = warden_watch(warden, child->ops->end_fd(child->self, child->carrier)) &&
                   (child->leash_fd < 0 || warden_watch(warden, child->leash_fd));
    for (int i = 0; i < 2; i++) {
        watched =
            watched && (child->streams[i].fd < 0 || warden_watch(warden, child->streams[i].fd));
    }
    child->is_watched = watched;
}

/** Write all of a text, as far as somebody takes it. */
static void warden_write(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(fd, text, bytes);
        if (written < 0 && errno != EINTR) {
            return;
        }
        text += written > 0 ? written : 0;
        bytes -= written > 0 ? (size_t)written : 0;
    }
}

/** Write a line of a child's, with its name before it, in one piece. */
static void warden_write_line(
    const struct warden_child *child, const struct warden_stream *stream, size_t bytes)
{
    char text[LINE_BYTES + TRP_NODE_NAME_BYTES + 8];
    int at = snprintf(text, sizeof(text), "[%s] ", child->node->name);
    memcpy(text + at, stream->line, bytes);
    text[(size_t)at + bytes] = '\n';
    warden_write(stream->target_fd, text, (size_t)at + bytes + 1);
}

/** Pass on what a child printed, by whole lines. @p at_end: and what is left. */
static void warden_pass_output(
    struct warden_child *child, struct warden_stream *stream, bool at_end)
{
    ssize_t got = 0;
    while ((got = read(stream->fd, stream->line + stream->used, LINE_BYTES - stream->used)) > 0 ||
           (got < 0 && errno == EINTR)) {
        stream->used += got > 0 ? (size_t)got : 0;
        const char *end = NULL;
        while ((end = memchr(stream->line, '\n', stream->used)) != NULL ||
               stream->used == LINE_BYTES) {
            size_t bytes = end != NULL ? (size_t)(end - stream->line) : stream->used;
            warden_write_line(child, stream, bytes);
            bytes += end != NULL ? 1 : 0;
            stream->used -= bytes;
            memmove(stream->line, stream->line + bytes, stream->used);
        }
    }
    if (got == 0 || at_end) {
        if (stream->used > 0) {
            warden_write_line(child, stream, stream->used);
        }
        (void)close(stream->fd);
        stream->fd = -1;
    }
}

/** What a child is started with. */
struct warden_start {
    int leash_fds[2];     // ours, its
    int output_fds[2][2]; // of each stream: ours, its
    int inherited[3];
    char ticket[TRP_TICKET_BYTES];
};

static void warden_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/** Make what a child is started with. @return false: no descriptors. */
static bool warden_prepare(
    const struct trp_warden *warden,
    const struct trp_node *node,
    int listener_fd,
    struct warden_start *start)
{
    troupe_system_t *system = warden->system;
    *start = (struct warden_start){
        .leash_fds = {-1, -1},
        .output_fds = {{-1, -1}, {-1, -1}},
    };
    bool made = trp_system_has_descriptors(0) &&
                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, start->leash_fds) == 0;
    for (int i = 0; i < 2 && made && system->output == TROUPE_OUTPUT_PREFIX; i++) {
        made = pipe2(start->output_fds[i], O_CLOEXEC) == 0 &&
               fcntl(start->output_fds[i][0], F_SETFL, O_NONBLOCK) == 0;
    }
    start->inherited[0] = system->board_fd;
    start->inherited[1] = listener_fd;
    start->inherited[2] = start->leash_fds[1];
    const struct trp_ticket ticket = {
        .board_fd = system->board_fd,
        .listener_fd = listener_fd,
        .leash_fd = start->leash_fds[1],
        .node_index = (uint32_t)(node - system->board->nodes),
        .token = node->token,
    };
    trp_ticket_write(&ticket, start->ticket);
    return made;
}

/** Start a child. @return an error, in words; nothing runs then. */
static enum troupe_err warden_run(
    struct trp_warden *warden, struct warden_child *child, int listener_fd)
{
    const struct trp_node *node = child->node;
    struct warden_start start;
    if (!warden_prepare(warden, node, listener_fd, &start)) {
        for (int i = 0; i < 2; i++) {
            warden_close(&start.leash_fds[i]);
            warden_close(&start.output_fds[i][0]);
            warden_close(&start.output_fds[i][1]);
        }
        return TRP_EXPLAIN(TROUPE_ERR_LIMIT, "no descriptors for a process for '%s'", node->name);
    }
    const struct troupe_executor_spec spec = {
        .name = node->name,
        .id = node->executor,
        .runner = warden->system->runner,
        .ticket = start.ticket,
        .fds = start.inherited,
        .fd_count = 3,
        .output_fd = start.output_fds[0][1],
        .error_fd = start.output_fds[1][1],
    };
    enum troupe_err err = child->ops->start(child->self, NULL, &spec, &child->carrier);
    warden_close(&start.leash_fds[1]);
    child->leash_fd = start.leash_fds[0];
    for (int i = 0; i < 2; i++) {
        warden_close(&start.output_fds[i][1]);
        child->streams[i].fd = start.output_fds[i][0];
        child->streams[i].target_fd = i == 0 ? STDOUT_FILENO : STDERR_FILENO;
    }
    return err;
}

/** Settle what a process leaves behind, and have all who knew it look. */
static void warden_settle(
    troupe_system_t *system, struct trp_node *node, const struct troupe_exit *exit)
{
    struct trp_deaths deaths;
    trp_deaths_settle(system, node, exit, &deaths);
    for (uint32_t i = 0; i < deaths.neighbour_count; i++) {
        trp_warden_poke(system, deaths.neighbours[i]);
    }
    warden_look(system);
    trp_board_free_node(system->board, node);
}

/** Tell how a child ended, or why it never began, and forget it. */
static void warden_bury(
    struct trp_warden *warden, struct warden_child *child, const struct troupe_exit *exit)
{
    troupe_system_t *system = warden->system;
    for (int i = 0; i < 2; i++) {
        if (child->streams[i].fd >= 0) {
            warden_pass_output(child, &child->streams[i], true);
        }
    }
    (void)pthread_mutex_lock(&warden->lock); // others send pokes over it
    warden_close(&child->leash_fd);
    (void)pthread_mutex_unlock(&warden->lock);
    warden_settle(system, child->node, exit);
    (void)pthread_mutex_lock(&system->lock);
    system->carried_count--;
    trp_system_wake(system);
    (void)pthread_mutex_unlock(&system->lock);
    // Off the list at last: as long as it is there, its end is waited for.
    (void)pthread_mutex_lock(&warden->lock);
    struct warden_child **at = &warden->children;
    while (*at != child) {
        at = &(*at)->next;
    }
    *at = child->next;
    (void)pthread_mutex_unlock(&warden->lock);
    free(child);
}

/** From here on a process does not depend on who asked for it. */
static void warden_note_asked(struct trp_board *board, const struct trp_node *node)
{
    trp_board_lock(board);
    struct trp_seat *seat = trp_board_find_seat(board, node->executor);
    if (seat != NULL) {
        seat->asker = 0;
    }
    trp_board_unlock(board);
}

/** Start the process of an order. */
static void warden_meet_order(struct trp_warden *warden, uint32_t node_index, int listener_fd)
{
    troupe_system_t *system = warden->system;
    struct trp_node *node = &system->board->nodes[node_index % TRP_BOARD_NODES];
    warden_note_asked(system->board, node);
    struct warden_child *child = calloc(1, sizeof(*child));
    if (child == NULL) {
        const struct troupe_exit exit = {
            .reason = TROUPE_EXIT_OUT_OF_MEMORY, .text = "no memory to start its process"};
        (void)close(listener_fd);
        warden_settle(system, node, &exit);
        return;
    }
    child->node = node;
    child->leash_fd = -1;
    child->streams[0].fd = -1;
    child->streams[1].fd = -1;
    (void)pthread_mutex_lock(&system->lock);
    system->carried_count++;
    enum troupe_err err = trp_system_find_backend(system, node->backend, &child->ops, &child->self);
    (void)pthread_mutex_unlock(&system->lock);
    (void)pthread_mutex_lock(&warden->lock);
    child->next = warden->children;
    warden->children = child;
    (void)pthread_mutex_unlock(&warden->lock);
    if (err == TROUPE_OK && atomic_load_explicit(&system->drained, memory_order_acquire)) {
        err = TRP_EXPLAIN(TROUPE_ERR_CLOSED, "the system is stopping and starts no more actors");
    }
    if (err == TROUPE_OK && listener_fd < 0) {
        err = TRP_EXPLAIN(TROUPE_ERR_LIMIT, "no descriptors for a process for '%s'", node->name);
    }
    if (err == TROUPE_OK) {
        err = warden_run(warden, child, listener_fd);
    }
    (void)close(listener_fd);
    if (err != TROUPE_OK) {
        struct troupe_exit exit = {.reason = TROUPE_EXIT_INIT_FAILED, .code = (int)err};
        (void)snprintf(exit.text, sizeof(exit.text), "%.95s", troupe_error_detail());
        warden_bury(warden, child, &exit);
        return;
    }
    warden_watch_child(warden, child);
}

static void warden_meet_orders(struct trp_warden *warden)
{
    (void)pthread_mutex_lock(&warden->lock);
    struct warden_order *orders = NULL; // first come, first served
    while (warden->orders != NULL) {
        struct warden_order *order = warden->orders;
        warden->orders = order->next;
        order->next = orders;
        orders = order;
    }
    (void)pthread_mutex_unlock(&warden->lock);
    while (orders != NULL) {
        struct warden_order *next = orders->next;
        warden_meet_order(warden, orders->node_index, orders->listener_fd);
        free(orders);
        orders = next;
    }
}

/* What happens. --------------------------------------------------------------------------------- */

/** End a process by force. */
static void warden_kill(struct trp_warden *warden, uint32_t node)
{
    (void)pthread_mutex_lock(&warden->lock);
    for (struct warden_child *child = warden->children; child != NULL; child = child->next) {
        if (child->node->id == node && child->carrier != NULL && child->ops->kill != NULL) {
            child->ops->kill(child->self, child->carrier);
        }
    }
    (void)pthread_mutex_unlock(&warden->lock);
}

/** Meet what a child says, @p most notes of it. */
static void warden_meet_notes(struct trp_warden *warden, struct warden_child *child, uint32_t most)
{
    struct warden_note note;
    int listener_fd = -1;
    bool closed = false;
    while (most-- > 0 && warden_receive(child->leash_fd, &note, &listener_fd, &closed)) {
        if (note.word == WARDEN_SPAWN) { // its listener is -1 where there is no descriptor for it
            warden_meet_order(warden, note.number, listener_fd);
        } else if (note.word == WARDEN_POKE) {
            trp_warden_poke(warden->system, note.number);
        } else if (note.word == WARDEN_KILL) {
            warden_kill(warden, note.number);
        }
    }
    if (closed) {
        (void)epoll_ctl(warden->epoll_fd, EPOLL_CTL_DEL, child->leash_fd, NULL);
    }
}

/** Say of a process that exited before it carried its actor, with whatever status, that this is why. */
static void warden_explain_early_exit(const struct warden_child *child, struct troupe_exit *exit)
{
    bool exited = exit->reason == TROUPE_EXIT_NORMAL || exit->reason == TROUPE_EXIT_ERROR;
    if (!exited ||
        atomic_load_explicit(&child->node->state, memory_order_acquire) != TRP_NODE_ASKED) {
        return;
    }
    int status = exit->code;
    *exit = (struct troupe_exit){.reason = TROUPE_EXIT_INIT_FAILED, .code = TROUPE_ERR_SYSTEM};
    if (child->node->verdict[0] != '\0') {
        (void)snprintf(exit->text, sizeof(exit->text), "%s", child->node->verdict);
        return;
    }
    (void)snprintf(
        exit->text,
        sizeof(exit->text),
        "its process ended with status %d and carried nobody; does its program call "
        "troupe_enter()?",
        status);
}

/** A process that killed itself left word why. */
static void warden_tell_verdict(const struct warden_child *child, struct troupe_exit *exit)
{
    if (exit->reason == TROUPE_EXIT_KILLED && child->node->verdict[0] != '\0') {
        (void)snprintf(exit->text, sizeof(exit->text), "%s", child->node->verdict);
    }
}

/** Say of a process that ended for want of memory that this is why. */
static void warden_explain_lack(const struct warden_child *child, struct troupe_exit *exit)
{
    if (atomic_load_explicit(&child->node->lacks_memory, memory_order_acquire)) {
        *exit = (struct troupe_exit){
            .reason = TROUPE_EXIT_OUT_OF_MEMORY,
            .text = "its process had no memory for what it is to carry",
        };
    }
}

/** Meet what a descriptor of a child's says. @return false: it is none of this child's. */
static bool warden_meet_child(struct trp_warden *warden, struct warden_child *child, int fd)
{
    if (child->carrier != NULL && fd == child->ops->end_fd(child->self, child->carrier)) {
        struct pollfd end = {.fd = fd, .events = POLLIN};
        if (poll(&end, 1, 0) != 1) {
            return true; // the event was of another that had this number before
        }
        warden_meet_notes(warden, child, UINT32_MAX); // its last words
        struct troupe_exit exit;
        (void)pthread_mutex_lock(&warden->lock);
        void *carrier = child->carrier;
        child->carrier = NULL; // nobody ends it any more
        (void)pthread_mutex_unlock(&warden->lock);
        child->ops->reap(child->self, carrier, &exit);
        warden_explain_early_exit(child, &exit);
        warden_tell_verdict(child, &exit);
        warden_explain_lack(child, &exit);
        warden_bury(warden, child, &exit);
        return true;
    }
    if (fd == child->leash_fd) {
        warden_meet_notes(warden, child, NOTES);
        return true;
    }
    for (int i = 0; i < 2; i++) {
        if (fd == child->streams[i].fd) {
            warden_pass_output(child, &child->streams[i], false);
            return true;
        }
    }
    return false;
}

/** Meet what the first process says to this one; without it this one ends. */
static void warden_meet_first(const struct trp_warden *warden)
{
    struct warden_note note;
    int listener_fd = -1;
    bool closed = false;
    while (warden_receive(warden->leash_fd, &note, &listener_fd, &closed)) {
    }
    if (closed) {
        _exit(EXIT_FAILURE);
    }
    warden_look(warden->system);
}

static void warden_meet_event(struct trp_warden *warden, int fd)
{
    if (fd == warden->wake_fd) {
        uint64_t drained = 0;
        (void)!read(warden->wake_fd, &drained, sizeof(drained));
        warden_meet_orders(warden);
        return;
    }
    if (fd == warden->leash_fd) {
        warden_meet_first(warden);
        return;
    }
    if (trp_signals_read(warden->system, fd)) {
        return;
    }
    // Only this thread changes the list.
    for (struct warden_child *child = warden->children; child != NULL; child = child->next) {
        if (warden_meet_child(warden, child, fd)) {
            return;
        }
    }
}

static bool warden_is_stopping(struct trp_warden *warden)
{
    (void)pthread_mutex_lock(&warden->lock);
    bool stopping = warden->stopping;
    (void)pthread_mutex_unlock(&warden->lock);
    return stopping;
}

/** Try again to watch whom there was no memory to watch. */
static void warden_watch_again(const struct trp_warden *warden)
{
    for (struct warden_child *child = warden->children; child != NULL; child = child->next) {
        if (!child->is_watched && child->carrier != NULL) {
            warden_watch_child(warden, child);
        }
    }
}

static void *warden_main(void *data)
{
    struct trp_warden *warden = data;
    (void)prctl(PR_SET_NAME, "troupe-warden");
    struct epoll_event events[EVENTS];
    bool is_first = trp_system_is_first(warden->system);
    int period_ms = trp_watchdog_period_ms(warden->system);
    struct trp_watchdog watchdog = {0};
    while (!warden_is_stopping(warden)) {
        int timeout_ms = is_first && warden->children != NULL ? TICK_MS : -1;
        if (period_ms > 0) {
            timeout_ms = period_ms;
        }
        int count = epoll_wait(warden->epoll_fd, events, EVENTS, timeout_ms);
        for (int i = 0; i < count; i++) {
            warden_meet_event(warden, events[i].data.fd);
        }
        trp_watchdog_look(warden->system, &watchdog);
        warden_watch_again(warden);
        if (is_first) {
            trp_system_sweep(warden->system);
        }
    }
    return NULL;
}

/* From other threads. --------------------------------------------------------------------------- */

/** Undo any prefix of a warden's making. */
static void warden_free(struct trp_warden *warden)
{
    warden_close(&warden->epoll_fd);
    warden_close(&warden->wake_fd);
    warden_close(&warden->leash_fd);
    (void)pthread_mutex_destroy(&warden->lock);
    free(warden);
}

static enum troupe_err warden_new(troupe_system_t *system, int leash_fd)
{
    struct trp_warden *warden = calloc(1, sizeof(*warden));
    if (warden == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for processes");
    }
    warden->system = system;
    warden->leash_fd = leash_fd;
    (void)pthread_mutex_init(&warden->lock, NULL);
    warden->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    warden->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool made = warden->epoll_fd >= 0 && warden->wake_fd >= 0;
    if (made) {
        made = warden_watch(warden, warden->wake_fd) &&
               (leash_fd < 0 || warden_watch(warden, leash_fd));
    }
    if (made) {
        made = pthread_create(&warden->thread, NULL, warden_main, warden) == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!made) {
        warden_free(warden);
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "no thread to look after processes; raise the limit of processes or of open files");
    }
    system->warden = warden;
    return TROUPE_OK;
}

enum troupe_err trp_warden_start(troupe_system_t *system)
{
    enum troupe_err err = TROUPE_OK;
    (void)pthread_mutex_lock(&system->lock);
    if (system->warden == NULL) {
        err = trp_child_describe(system);
        if (err == TROUPE_OK) {
            err = warden_new(system, -1);
        }
    }
    (void)pthread_mutex_unlock(&system->lock);
    return err;
}

enum troupe_err trp_warden_adopt(troupe_system_t *system, int leash_fd)
{
    return warden_new(system, leash_fd);
}

void trp_warden_watch_once(troupe_system_t *system, int fd)
{
    const struct trp_warden *warden = system->warden;
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
    if (warden != NULL && epoll_ctl(warden->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0) {
        (void)epoll_ctl(warden->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

bool trp_warden_runs(const troupe_system_t *system)
{
    return system->warden != NULL;
}

void trp_warden_spawn(troupe_system_t *system, uint32_t node_index, int listener_fd)
{
    struct trp_warden *warden = system->warden;
    if (warden->leash_fd >= 0) {
        const struct warden_note note = {.word = WARDEN_SPAWN, .number = node_index};
        warden_send(warden->leash_fd, &note, listener_fd);
        (void)close(listener_fd);
        return;
    }
    struct warden_order *order = NULL;
    uint64_t since_ns = 0;
    while ((order = malloc(sizeof(*order))) == NULL) {
        trp_memory_wait(&since_ns); // the actor was accepted already
    }
    *order = (struct warden_order){.node_index = node_index, .listener_fd = listener_fd};
    (void)pthread_mutex_lock(&warden->lock);
    order->next = warden->orders;
    warden->orders = order;
    trp_wake(warden->wake_fd);
    (void)pthread_mutex_unlock(&warden->lock);
}

void trp_warden_poke(troupe_system_t *system, uint32_t node)
{
    struct trp_warden *warden = system->warden;
    if (node == system->node) {
        warden_look(system);
        return;
    }
    if (warden == NULL) {
        return;
    }
    const struct warden_note note = {.word = WARDEN_POKE, .number = node};
    if (warden->leash_fd >= 0) {
        warden_send(warden->leash_fd, &note, -1);
        return;
    }
    (void)pthread_mutex_lock(&warden->lock);
    for (struct warden_child *child = warden->children; child != NULL; child = child->next) {
        if (child->node->id == node && child->leash_fd >= 0) {
            warden_send(child->leash_fd, &note, -1);
        }
    }
    (void)pthread_mutex_unlock(&warden->lock);
}

/** @return whether a process was started for that executor, and ends with it. */
static bool warden_is_dedicated(struct trp_board *board, uint32_t id, uint32_t executor)
{
    trp_board_lock(board);
    const struct trp_node *node = trp_board_find_node(board, id);
    bool is_dedicated = node != NULL && node->executor == executor && node->dedicated;
    trp_board_unlock(board);
    return is_dedicated;
}

void trp_warden_kill(troupe_system_t *system, uint32_t node, uint32_t executor)
{
    struct trp_warden *warden = system->warden;
    if (warden == NULL || !warden_is_dedicated(system->board, node, executor)) {
        return;
    }
    if (warden->leash_fd < 0) {
        warden_kill(warden, node);
        return;
    }
    const struct warden_note note = {.word = WARDEN_KILL, .number = node};
    warden_send(warden->leash_fd, &note, -1);
}

void trp_warden_tell_first(troupe_system_t *system)
{
    const struct warden_note note = {.word = WARDEN_POKE, .number = TRP_NODE_FIRST};
    warden_send(system->warden->leash_fd, &note, -1);
}

void trp_warden_kill_all(troupe_system_t *system)
{
    struct trp_warden *warden = system->warden;
    if (warden == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&warden->lock);
    for (struct warden_child *child = warden->children; child != NULL; child = child->next) {
        if (child->carrier != NULL && child->ops->kill != NULL) {
            child->ops->kill(child->self, child->carrier);
        }
    }
    (void)pthread_mutex_unlock(&warden->lock);
}

void trp_warden_stop(troupe_system_t *system)
{
    struct trp_warden *warden = system->warden;
    if (warden == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&warden->lock);
    warden->stopping = true;
    trp_wake(warden->wake_fd);
    (void)pthread_mutex_unlock(&warden->lock);
    (void)pthread_join(warden->thread, NULL);
    system->warden = NULL;
    warden_free(warden);
}
