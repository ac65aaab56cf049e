#include "node/process_manager.h"

#include "actor/executor.h"
#include "actor/runtime.h"
#include "base/descriptors.h"
#include "base/memory.h"
#include "base/wake.h"
#include "node/child.h"
#include "node/inboxes.h"
#include "node/process_exit.h"
#include "node/signals.h"
#include "node/system.h"
#include "observe/watchdog.h"
#include "shared/process.h"
#include "shared/records.h"
#include "shared/shared.h"

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

/** What goes over a control socket. */
enum manager_message_kind {
    PROCESS_MANAGER_POKE =
        1, // child to first: poke process `number`; first to child: look at shared memory
    PROCESS_MANAGER_SPAWN =
        2, // child to first: start the process of slot `number`; its listener comes along
    PROCESS_MANAGER_KILL = 3, // child to first: end process `number` by force
};

struct manager_message {
    uint32_t word;
    uint32_t number;
};

/** One of the two streams of a child whose lines get a prefix. */
struct manager_stream {
    int fd;        // ours to read; -1: none
    int target_fd; // where its lines go
    size_t used;
    char line[LINE_BYTES];
};

struct manager_child {
    struct manager_child *next;
    struct trp_process *node;
    const struct troupe_backend_ops *ops;
    void *self;
    void *handle;
    int control_fd;
    bool is_watched;
    struct manager_stream streams[2];
};

/** A process that is to be started. */
struct manager_spawn_request {
    struct manager_spawn_request *next;
    uint32_t process_index;
    int listener_fd;
};

struct trp_process_manager {
    troupe_system_t *system;
    pthread_t thread;
    int epoll_fd;
    int wake_fd;
    int control_fd; // of a child, to the first process; -1 there
    pthread_mutex_t lock;
    struct manager_spawn_request *orders; // guarded by `lock`, latest first
    struct manager_child *children;       // guarded by `lock`; changed by the process manager only
    bool stopping;                        // guarded by `lock`
};

/* Looking at shared memory. ------------------------------------------------------------------------- */

/** Close the channels of this process's inboxes to receivers that are gone: a inbox runs no loop that would. */
static void manager_detach_inboxes(troupe_system_t *system)
{
    struct trp_shared *shared = system->runtime.shared;
    uint32_t pairs[PORT_LINKS][2];
    uint32_t count = 0;
    trp_shared_lock(shared);
    uint32_t high = atomic_load_explicit(&shared->ledger_high, memory_order_acquire);
    for (uint32_t i = 0; i < high && count < PORT_LINKS; i++) {
        struct trp_ledger *ledger = &shared->ledgers[i];
        if (atomic_load_explicit(&ledger->state, memory_order_relaxed) != TRP_LEDGER_OPEN ||
            !atomic_load_explicit(&ledger->gone, memory_order_relaxed)) {
            continue;
        }
        const struct trp_slot *from = trp_shared_find_slot(shared, ledger->from);
        if (from != NULL && from->is_inbox && from->node == system->runtime.node) {
            pairs[count][0] = ledger->from;
            pairs[count++][1] = ledger->to;
        }
    }
    trp_shared_unlock(shared);
    for (uint32_t i = 0; i < count; i++) {
        (void)trp_inbox_detach(system, pairs[i][0], pairs[i][1]);
    }
}

static void manager_wake_executors(troupe_system_t *system)
{
    (void)pthread_mutex_lock(&system->runtime.lock);
    for (uint32_t i = 0; i < system->runtime.executors.slot_count; i++) {
        struct troupe_executor *executor = system->runtime.executors.slots[i].value;
        if (executor != NULL) {
            atomic_store_explicit(&executor->attention, true, memory_order_release);
            trp_executor_wake(executor);
        }
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
}

/** There may be news in shared memory: have everybody in this process look. */
static void manager_check(troupe_system_t *system)
{
    if (atomic_load_explicit(&system->runtime.shared->stop_asked, memory_order_acquire)) {
        trp_system_note_stop(system);
    }
    if (trp_system_is_first(system)) {
        trp_signals_refresh(system);
    }
    manager_wake_executors(system);
    manager_detach_inboxes(system);
    trp_runtime_wake(&system->runtime);
}

/* The control socket. ------------------------------------------------------------------------------------ */

/** @return whether a call failed since the kernel is short of something for now, as errno says. */
static bool manager_is_short(void)
{
    return errno == ENOMEM || errno == ENOBUFS || errno == ETOOMANYREFS;
}

/** Send a note. Without room for it there are others, which say the same. */
static void manager_send(int control_fd, const struct manager_message *note, int listener_fd)
{
    struct iovec part = {.iov_len = sizeof(*note)};
    union {
        const struct manager_message *read_only;
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
    while (sendmsg(control_fd, &message, flags) < 0 &&
           (errno == EINTR || (listener_fd >= 0 && manager_is_short()))) {
        trp_memory_wait(&since_ns);
    }
}

/** Receive a note. @return false: none is there; *out_closed: nor will there be. */
static bool manager_receive(
    int control_fd, struct manager_message *out_note, int *out_listener_fd, bool *out_closed)
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
        size = recvmsg(control_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
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
static bool manager_watch(const struct trp_process_manager *process_manager, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(process_manager->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST;
}

/** Wait for all that a child says, its end among it; or with the next tick try again. */
static void manager_watch_child(
    const struct trp_process_manager *process_manager, struct manager_child *child)
{
    bool root = manager_watch(process_manager, child->ops->exit_fd(child->self, child->handle)) &&
                (child->control_fd < 0 || manager_watch(process_manager, child->control_fd));
    for (int i = 0; i < 2; i++) {
        root = root &&
               (child->streams[i].fd < 0 || manager_watch(process_manager, child->streams[i].fd));
    }
    child->is_watched = root;
}

/** Write all of a text, as far as somebody takes it. */
static void manager_write(int fd, const char *text, size_t bytes)
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
static void manager_write_line(
    const struct manager_child *child, const struct manager_stream *stream, size_t bytes)
{
    char text[LINE_BYTES + TRP_PROCESS_NAME_BYTES + 8];
    int at = snprintf(text, sizeof(text), "[%s] ", child->node->name);
    memcpy(text + at, stream->line, bytes);
    text[(size_t)at + bytes] = '\n';
    manager_write(stream->target_fd, text, (size_t)at + bytes + 1);
}

/** Pass on what a child printed, by whole lines. @p at_end: and what is left. */
static void manager_pass_output(
    struct manager_child *child, struct manager_stream *stream, bool at_end)
{
    ssize_t got = 0;
    while ((got = read(stream->fd, stream->line + stream->used, LINE_BYTES - stream->used)) > 0 ||
           (got < 0 && errno == EINTR)) {
        stream->used += got > 0 ? (size_t)got : 0;
        const char *end = NULL;
        while ((end = memchr(stream->line, '\n', stream->used)) != NULL ||
               stream->used == LINE_BYTES) {
            size_t bytes = end != NULL ? (size_t)(end - stream->line) : stream->used;
            manager_write_line(child, stream, bytes);
            bytes += end != NULL ? 1 : 0;
            stream->used -= bytes;
            memmove(stream->line, stream->line + bytes, stream->used);
        }
    }
    if (got == 0 || at_end) {
        if (stream->used > 0) {
            manager_write_line(child, stream, stream->used);
        }
        (void)close(stream->fd);
        stream->fd = -1;
    }
}

/** What a child is started with. */
struct manager_start {
    int control_fds[2];   // ours, its
    int output_fds[2][2]; // of each stream: ours, its
    int inherited[3];
    char child_env[TRP_CHILD_ENV_BYTES];
};

static void manager_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

/** Make what a child is started with. @return false: no descriptors. */
static bool manager_prepare(
    const struct trp_process_manager *process_manager,
    const struct trp_process *node,
    int listener_fd,
    struct manager_start *start)
{
    troupe_system_t *system = process_manager->system;
    *start = (struct manager_start){
        .control_fds = {-1, -1},
        .output_fds = {{-1, -1}, {-1, -1}},
    };
    bool made = trp_descriptors_are_free(0) &&
                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, start->control_fds) == 0;
    for (int i = 0; i < 2 && made && system->output == TROUPE_OUTPUT_PREFIX; i++) {
        made = pipe2(start->output_fds[i], O_CLOEXEC) == 0 &&
               fcntl(start->output_fds[i][0], F_SETFL, O_NONBLOCK) == 0;
    }
    start->inherited[0] = system->shared_fd;
    start->inherited[1] = listener_fd;
    start->inherited[2] = start->control_fds[1];
    const struct trp_child_env child_env = {
        .shared_fd = system->shared_fd,
        .listener_fd = listener_fd,
        .control_fd = start->control_fds[1],
        .process_index = (uint32_t)(node - system->runtime.shared->processes),
        .token = node->token,
    };
    trp_child_env_write(&child_env, start->child_env);
    return made;
}

/** Start a child. @return an error, in words; nothing runs then. */
static enum troupe_err manager_run(
    struct trp_process_manager *process_manager, struct manager_child *child, int listener_fd)
{
    const struct trp_process *node = child->node;
    struct manager_start start;
    if (!manager_prepare(process_manager, node, listener_fd, &start)) {
        for (int i = 0; i < 2; i++) {
            manager_close(&start.control_fds[i]);
            manager_close(&start.output_fds[i][0]);
            manager_close(&start.output_fds[i][1]);
        }
        return TRP_EXPLAIN(TROUPE_ERR_LIMIT, "no descriptors for a process for '%s'", node->name);
    }
    const struct troupe_executor_spec spec = {
        .name = node->name,
        .id = node->executor,
        .program = process_manager->system->child_program,
        .env = start.child_env,
        .fds = start.inherited,
        .fd_count = 3,
        .output_fd = start.output_fds[0][1],
        .error_fd = start.output_fds[1][1],
    };
    enum troupe_err err = child->ops->start(child->self, NULL, &spec, &child->handle);
    manager_close(&start.control_fds[1]);
    child->control_fd = start.control_fds[0];
    for (int i = 0; i < 2; i++) {
        manager_close(&start.output_fds[i][1]);
        child->streams[i].fd = start.output_fds[i][0];
        child->streams[i].target_fd = i == 0 ? STDOUT_FILENO : STDERR_FILENO;
    }
    return err;
}

/** Settle what a process leaves behind, and have all who knew it look. */
static void manager_settle(
    troupe_system_t *system, struct trp_process *node, const struct troupe_exit *exit)
{
    struct trp_process_exit process_exit_count;
    trp_process_exit_settle(system, node, exit, &process_exit_count);
    for (uint32_t i = 0; i < process_exit_count.neighbour_count; i++) {
        trp_process_manager_refresh(system, process_exit_count.neighbours[i]);
    }
    manager_check(system);
    trp_process_free(system->runtime.shared, node);
}

/** Tell how a child ended, or why it never began, and forget it. */
static void manager_settle_exit(
    struct trp_process_manager *process_manager,
    struct manager_child *child,
    const struct troupe_exit *exit)
{
    troupe_system_t *system = process_manager->system;
    for (int i = 0; i < 2; i++) {
        if (child->streams[i].fd >= 0) {
            manager_pass_output(child, &child->streams[i], true);
        }
    }
    (void)pthread_mutex_lock(&process_manager->lock); // others send pokes over it
    manager_close(&child->control_fd);
    (void)pthread_mutex_unlock(&process_manager->lock);
    manager_settle(system, child->node, exit);
    (void)pthread_mutex_lock(&system->runtime.lock);
    system->carried_count--;
    trp_runtime_wake(&system->runtime);
    (void)pthread_mutex_unlock(&system->runtime.lock);
    // Off the list at last: as long as it is there, its end is waited for.
    (void)pthread_mutex_lock(&process_manager->lock);
    struct manager_child **at = &process_manager->children;
    while (*at != child) {
        at = &(*at)->next;
    }
    *at = child->next;
    (void)pthread_mutex_unlock(&process_manager->lock);
    free(child);
}

/** From here on a process does not depend on who asked for it. */
static void manager_note_asked(struct trp_shared *shared, const struct trp_process *node)
{
    trp_shared_lock(shared);
    struct trp_slot *slot = trp_shared_find_slot(shared, node->executor);
    if (slot != NULL) {
        slot->reply_to = 0;
    }
    trp_shared_unlock(shared);
}

/** Start the process of an order. */
static void manager_handle_spawn_request(
    struct trp_process_manager *process_manager, uint32_t process_index, int listener_fd)
{
    troupe_system_t *system = process_manager->system;
    struct trp_process *node =
        &system->runtime.shared->processes[process_index % TRP_SHARED_PROCESSES];
    manager_note_asked(system->runtime.shared, node);
    struct manager_child *child = calloc(1, sizeof(*child));
    if (child == NULL) {
        const struct troupe_exit exit = {
            .reason = TROUPE_EXIT_OUT_OF_MEMORY, .text = "no memory to start its process"};
        (void)close(listener_fd);
        manager_settle(system, node, &exit);
        return;
    }
    child->node = node;
    child->control_fd = -1;
    child->streams[0].fd = -1;
    child->streams[1].fd = -1;
    (void)pthread_mutex_lock(&system->runtime.lock);
    system->carried_count++;
    enum troupe_err err = trp_system_find_backend(system, node->backend, &child->ops, &child->self);
    (void)pthread_mutex_unlock(&system->runtime.lock);
    (void)pthread_mutex_lock(&process_manager->lock);
    child->next = process_manager->children;
    process_manager->children = child;
    (void)pthread_mutex_unlock(&process_manager->lock);
    if (err == TROUPE_OK && atomic_load_explicit(&system->drained, memory_order_acquire)) {
        err = TRP_EXPLAIN(TROUPE_ERR_CLOSED, "the system is stopping and starts no more actors");
    }
    if (err == TROUPE_OK && listener_fd < 0) {
        err = TRP_EXPLAIN(TROUPE_ERR_LIMIT, "no descriptors for a process for '%s'", node->name);
    }
    if (err == TROUPE_OK) {
        err = manager_run(process_manager, child, listener_fd);
    }
    (void)close(listener_fd);
    if (err != TROUPE_OK) {
        struct troupe_exit exit = {.reason = TROUPE_EXIT_INIT_FAILED, .code = (int)err};
        (void)snprintf(exit.text, sizeof(exit.text), "%.95s", troupe_error_detail());
        manager_settle_exit(process_manager, child, &exit);
        return;
    }
    manager_watch_child(process_manager, child);
}

static void manager_handle_spawn_requests(struct trp_process_manager *process_manager)
{
    (void)pthread_mutex_lock(&process_manager->lock);
    struct manager_spawn_request *orders = NULL; // first come, first served
    while (process_manager->orders != NULL) {
        struct manager_spawn_request *order = process_manager->orders;
        process_manager->orders = order->next;
        order->next = orders;
        orders = order;
    }
    (void)pthread_mutex_unlock(&process_manager->lock);
    while (orders != NULL) {
        struct manager_spawn_request *next = orders->next;
        manager_handle_spawn_request(process_manager, orders->process_index, orders->listener_fd);
        free(orders);
        orders = next;
    }
}

/* What happens. --------------------------------------------------------------------------------- */

/** End a process by force. */
static void manager_kill(struct trp_process_manager *process_manager, uint32_t node)
{
    (void)pthread_mutex_lock(&process_manager->lock);
    for (struct manager_child *child = process_manager->children; child != NULL;
         child = child->next) {
        if (child->node->id == node && child->handle != NULL && child->ops->kill != NULL) {
            child->ops->kill(child->self, child->handle);
        }
    }
    (void)pthread_mutex_unlock(&process_manager->lock);
}

/** Meet what a child says, @p most notes of it. */
static void manager_handle_messages(
    struct trp_process_manager *process_manager, struct manager_child *child, uint32_t most)
{
    struct manager_message note;
    int listener_fd = -1;
    bool closed = false;
    while (most-- > 0 && manager_receive(child->control_fd, &note, &listener_fd, &closed)) {
        if (note.word ==
            PROCESS_MANAGER_SPAWN) { // its listener is -1 where there is no descriptor for it
            manager_handle_spawn_request(process_manager, note.number, listener_fd);
        } else if (note.word == PROCESS_MANAGER_POKE) {
            trp_process_manager_refresh(process_manager->system, note.number);
        } else if (note.word == PROCESS_MANAGER_KILL) {
            manager_kill(process_manager, note.number);
        }
    }
    if (closed) {
        (void)epoll_ctl(process_manager->epoll_fd, EPOLL_CTL_DEL, child->control_fd, NULL);
    }
}

/** Say of a process that exited before it carried its actor, with whatever status, that this is why. */
static void manager_explain_early_exit(const struct manager_child *child, struct troupe_exit *exit)
{
    bool exited = exit->reason == TROUPE_EXIT_NORMAL || exit->reason == TROUPE_EXIT_ERROR;
    if (!exited ||
        atomic_load_explicit(&child->node->state, memory_order_acquire) != TRP_PROCESS_REQUESTED) {
        return;
    }
    int status = exit->code;
    *exit = (struct troupe_exit){.reason = TROUPE_EXIT_INIT_FAILED, .code = TROUPE_ERR_SYSTEM};
    if (child->node->exit_note[0] != '\0') {
        (void)snprintf(exit->text, sizeof(exit->text), "%s", child->node->exit_note);
        return;
    }
    (void)snprintf(
        exit->text,
        sizeof(exit->text),
        "its process exited with status %d, no actor run; is troupe_run_if_child() called?",
        status);
}

/** A process that killed itself left word why. */
static void manager_notify_exit_note(const struct manager_child *child, struct troupe_exit *exit)
{
    if (exit->reason == TROUPE_EXIT_KILLED && child->node->exit_note[0] != '\0') {
        (void)snprintf(exit->text, sizeof(exit->text), "%s", child->node->exit_note);
    }
}

/** Say of a process that ended for want of memory that this is why. */
static void manager_explain_out_of_memory(
    const struct manager_child *child, struct troupe_exit *exit)
{
    if (atomic_load_explicit(&child->node->out_of_memory, memory_order_acquire)) {
        *exit = (struct troupe_exit){
            .reason = TROUPE_EXIT_OUT_OF_MEMORY,
            .text = "its process had no memory for what it is to carry",
        };
    }
}

/** Meet what a descriptor of a child's says. @return false: it is none of this child's. */
static bool manager_handle_child(
    struct trp_process_manager *process_manager, struct manager_child *child, int fd)
{
    if (child->handle != NULL && fd == child->ops->exit_fd(child->self, child->handle)) {
        struct pollfd end = {.fd = fd, .events = POLLIN};
        if (poll(&end, 1, 0) != 1) {
            return true; // the event was of another that had this number before
        }
        manager_handle_messages(process_manager, child, UINT32_MAX); // its last words
        struct troupe_exit exit;
        (void)pthread_mutex_lock(&process_manager->lock);
        void *handle = child->handle;
        child->handle = NULL; // nobody ends it any more
        (void)pthread_mutex_unlock(&process_manager->lock);
        child->ops->reap(child->self, handle, &exit);
        manager_explain_early_exit(child, &exit);
        manager_notify_exit_note(child, &exit);
        manager_explain_out_of_memory(child, &exit);
        manager_settle_exit(process_manager, child, &exit);
        return true;
    }
    if (fd == child->control_fd) {
        manager_handle_messages(process_manager, child, NOTES);
        return true;
    }
    for (int i = 0; i < 2; i++) {
        if (fd == child->streams[i].fd) {
            manager_pass_output(child, &child->streams[i], false);
            return true;
        }
    }
    return false;
}

/** Meet what the first process says to this one; without it this one ends. */
static void manager_handle_first(const struct trp_process_manager *process_manager)
{
    struct manager_message note;
    int listener_fd = -1;
    bool closed = false;
    while (manager_receive(process_manager->control_fd, &note, &listener_fd, &closed)) {
    }
    if (closed) {
        _exit(EXIT_FAILURE);
    }
    manager_check(process_manager->system);
}

static void manager_handle_event(struct trp_process_manager *process_manager, int fd)
{
    if (fd == process_manager->wake_fd) {
        uint64_t drained = 0;
        (void)!read(process_manager->wake_fd, &drained, sizeof(drained));
        manager_handle_spawn_requests(process_manager);
        return;
    }
    if (fd == process_manager->control_fd) {
        manager_handle_first(process_manager);
        return;
    }
    if (trp_signals_read(process_manager->system, fd)) {
        return;
    }
    // Only this thread changes the list.
    for (struct manager_child *child = process_manager->children; child != NULL;
         child = child->next) {
        if (manager_handle_child(process_manager, child, fd)) {
            return;
        }
    }
}

static bool manager_is_stopping(struct trp_process_manager *process_manager)
{
    (void)pthread_mutex_lock(&process_manager->lock);
    bool stopping = process_manager->stopping;
    (void)pthread_mutex_unlock(&process_manager->lock);
    return stopping;
}

/** Try again to watch whom there was no memory to watch. */
static void manager_watch_again(const struct trp_process_manager *process_manager)
{
    for (struct manager_child *child = process_manager->children; child != NULL;
         child = child->next) {
        if (!child->is_watched && child->handle != NULL) {
            manager_watch_child(process_manager, child);
        }
    }
}

static void *manager_main(void *data)
{
    struct trp_process_manager *process_manager = data;
    (void)prctl(PR_SET_NAME, "troupe-warden");
    struct epoll_event events[EVENTS];
    bool is_first = trp_system_is_first(process_manager->system);
    int period_ms = trp_watchdog_period_ms(process_manager->system);
    struct trp_watchdog watchdog = {0};
    while (!manager_is_stopping(process_manager)) {
        int timeout_ms = is_first && process_manager->children != NULL ? TICK_MS : -1;
        if (period_ms > 0) {
            timeout_ms = period_ms;
        }
        int count = epoll_wait(process_manager->epoll_fd, events, EVENTS, timeout_ms);
        for (int i = 0; i < count; i++) {
            manager_handle_event(process_manager, events[i].data.fd);
        }
        trp_watchdog_check(process_manager->system, &watchdog);
        manager_watch_again(process_manager);
        if (is_first) {
            trp_records_sweep(process_manager->system->runtime.shared, trp_system_records(process_manager->system));
        }
    }
    return NULL;
}

/* From other threads. --------------------------------------------------------------------------- */

/** Undo any prefix of a process manager's making. */
static void manager_free(struct trp_process_manager *process_manager)
{
    manager_close(&process_manager->epoll_fd);
    manager_close(&process_manager->wake_fd);
    manager_close(&process_manager->control_fd);
    (void)pthread_mutex_destroy(&process_manager->lock);
    free(process_manager);
}

static enum troupe_err manager_new(troupe_system_t *system, int control_fd)
{
    struct trp_process_manager *process_manager = calloc(1, sizeof(*process_manager));
    if (process_manager == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for processes");
    }
    process_manager->system = system;
    process_manager->control_fd = control_fd;
    (void)pthread_mutex_init(&process_manager->lock, NULL);
    process_manager->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    process_manager->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool made = process_manager->epoll_fd >= 0 && process_manager->wake_fd >= 0;
    if (made) {
        made = manager_watch(process_manager, process_manager->wake_fd) &&
               (control_fd < 0 || manager_watch(process_manager, control_fd));
    }
    if (made) {
        made = pthread_create(&process_manager->thread, NULL, manager_main, process_manager) == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!made) {
        manager_free(process_manager);
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "no thread to look after processes; raise the limit of processes or of open files");
    }
    system->process_manager = process_manager;
    return TROUPE_OK;
}

enum troupe_err trp_process_manager_start(troupe_system_t *system)
{
    enum troupe_err err = TROUPE_OK;
    (void)pthread_mutex_lock(&system->runtime.lock);
    if (system->process_manager == NULL) {
        err = trp_child_describe(system);
        if (err == TROUPE_OK) {
            err = manager_new(system, -1);
        }
    }
    (void)pthread_mutex_unlock(&system->runtime.lock);
    return err;
}

enum troupe_err trp_process_manager_adopt(troupe_system_t *system, int control_fd)
{
    return manager_new(system, control_fd);
}

void trp_process_manager_watch_once(troupe_system_t *system, int fd)
{
    const struct trp_process_manager *process_manager = system->process_manager;
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
    if (process_manager != NULL &&
        epoll_ctl(process_manager->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0) {
        (void)epoll_ctl(process_manager->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

bool trp_process_manager_runs(const troupe_system_t *system)
{
    return system->process_manager != NULL;
}

void trp_process_manager_spawn(troupe_system_t *system, uint32_t process_index, int listener_fd)
{
    struct trp_process_manager *process_manager = system->process_manager;
    if (process_manager->control_fd >= 0) {
        const struct manager_message note = {
            .word = PROCESS_MANAGER_SPAWN, .number = process_index};
        manager_send(process_manager->control_fd, &note, listener_fd);
        (void)close(listener_fd);
        return;
    }
    struct manager_spawn_request *order = NULL;
    uint64_t since_ns = 0;
    while ((order = malloc(sizeof(*order))) == NULL) {
        trp_memory_wait(&since_ns); // the actor was accepted already
    }
    *order =
        (struct manager_spawn_request){.process_index = process_index, .listener_fd = listener_fd};
    (void)pthread_mutex_lock(&process_manager->lock);
    order->next = process_manager->orders;
    process_manager->orders = order;
    trp_wake(process_manager->wake_fd);
    (void)pthread_mutex_unlock(&process_manager->lock);
}

void trp_process_manager_refresh(troupe_system_t *system, uint32_t node)
{
    struct trp_process_manager *process_manager = system->process_manager;
    if (node == system->runtime.node) {
        manager_check(system);
        return;
    }
    if (process_manager == NULL) {
        return;
    }
    const struct manager_message note = {.word = PROCESS_MANAGER_POKE, .number = node};
    if (process_manager->control_fd >= 0) {
        manager_send(process_manager->control_fd, &note, -1);
        return;
    }
    (void)pthread_mutex_lock(&process_manager->lock);
    for (struct manager_child *child = process_manager->children; child != NULL;
         child = child->next) {
        if (child->node->id == node && child->control_fd >= 0) {
            manager_send(child->control_fd, &note, -1);
        }
    }
    (void)pthread_mutex_unlock(&process_manager->lock);
}

/** @return whether a process was started for that executor, and ends with it. */
static bool manager_is_dedicated(struct trp_shared *shared, uint32_t id, uint32_t executor)
{
    trp_shared_lock(shared);
    const struct trp_process *node = trp_process_find(shared, id);
    bool is_dedicated = node != NULL && node->executor == executor && node->dedicated;
    trp_shared_unlock(shared);
    return is_dedicated;
}

void trp_process_manager_kill(troupe_system_t *system, uint32_t node, uint32_t executor)
{
    struct trp_process_manager *process_manager = system->process_manager;
    if (process_manager == NULL || !manager_is_dedicated(system->runtime.shared, node, executor)) {
        return;
    }
    if (process_manager->control_fd < 0) {
        manager_kill(process_manager, node);
        return;
    }
    const struct manager_message note = {.word = PROCESS_MANAGER_KILL, .number = node};
    manager_send(process_manager->control_fd, &note, -1);
}

void trp_process_manager_notify_first(troupe_system_t *system)
{
    const struct manager_message note = {.word = PROCESS_MANAGER_POKE, .number = TRP_NODE_FIRST};
    manager_send(system->process_manager->control_fd, &note, -1);
}

void trp_process_manager_kill_all(troupe_system_t *system)
{
    struct trp_process_manager *process_manager = system->process_manager;
    if (process_manager == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&process_manager->lock);
    for (struct manager_child *child = process_manager->children; child != NULL;
         child = child->next) {
        if (child->handle != NULL && child->ops->kill != NULL) {
            child->ops->kill(child->self, child->handle);
        }
    }
    (void)pthread_mutex_unlock(&process_manager->lock);
}

void trp_process_manager_stop(troupe_system_t *system)
{
    struct trp_process_manager *process_manager = system->process_manager;
    if (process_manager == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&process_manager->lock);
    process_manager->stopping = true;
    trp_wake(process_manager->wake_fd);
    (void)pthread_mutex_unlock(&process_manager->lock);
    (void)pthread_join(process_manager->thread, NULL);
    system->process_manager = NULL;
    manager_free(process_manager);
}
