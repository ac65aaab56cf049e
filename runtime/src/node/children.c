#include "node/children.h"

#include "actor/runtime.h"
#include "base/memory.h"
#include "node/backend_host.h"
#include "node/child_list.h"
#include "node/child_start.h"
#include "node/control_socket.h"
#include "node/process_exit.h"
#include "node/process_manager.h"
#include "node/refresh.h"
#include "node/system.h"
#include "shared/process.h"
#include "shared/shared.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/*
 *     spawn request --> child on the list --> its process --> messages, output --> exit --> settled, off the list
 *     of any process    (child_list.c)    (child_start.c)    (output_relay.c)     (process_exit.c, refresh.c)
 *
 * All of it runs on the first process's manager, because a child is killed with the thread that started it.
 */

enum { CHILDREN_MESSAGES = 4 }; // of one child in a row: each may start a process while others wait

/** A process that is to be started. */
struct children_request {
    struct trp_manager_task task; // first
    uint32_t process_index;
    int listener_fd;
};

/* Exit. ----------------------------------------------------------------------------------------- */

/** Settle what a process leaves behind, and have all processes that exchanged mail with it look. */
static void children_settle(
    troupe_system_t *system, struct trp_process *process, const struct troupe_exit *exit)
{
    struct trp_process_exit settled;
    trp_process_exit_settle(system, process, exit, &settled);
    trp_child_list_refresh_set(system, &settled.neighbours);
    trp_refresh_own(system);
    trp_process_free(system->runtime.shared, process);
}

/** Settle the exit of a child, or that it could not be started, and free it. */
static void children_remove(struct trp_child *child, const struct troupe_exit *exit)
{
    troupe_system_t *system = child->system;
    trp_process_manager_unwatch(system, &child->control);
    trp_child_list_close_control(child);
    children_settle(system, child->process, exit);
    (void)pthread_mutex_lock(&system->runtime.lock);
    system->carried_count--;
    trp_runtime_wake(&system->runtime);
    (void)pthread_mutex_unlock(&system->runtime.lock);
    trp_child_list_remove(child); // last: while it is listed, what children close is added up
    free(child);
}

/** A process that exited before its actor ran, with whatever status, failed to start it. */
static void children_explain_early_exit(const struct trp_process *process, struct troupe_exit *exit)
{
    bool exited = exit->reason == TROUPE_EXIT_NORMAL || exit->reason == TROUPE_EXIT_ERROR;
    if (!exited ||
        atomic_load_explicit(&process->state, memory_order_acquire) != TRP_PROCESS_REQUESTED) {
        return;
    }
    int status = exit->code;
    *exit = (struct troupe_exit){.reason = TROUPE_EXIT_INIT_FAILED, .code = TROUPE_ERR_SYSTEM};
    if (process->exit_note[0] != '\0') {
        (void)snprintf(exit->text, sizeof(exit->text), "%s", process->exit_note);
        return;
    }
    (void)snprintf(
        exit->text,
        sizeof(exit->text),
        "its process exited with status %d, no actor run; is troupe_run_if_child() called?",
        status);
}

/** Find out how a process ended that another part of the program has waited for. */
static void children_explain_unknown_exit(
    const struct trp_process *process, struct troupe_exit *exit)
{
    uint32_t words = atomic_load_explicit(&process->last_words, memory_order_acquire);
    int code = (int)(words & 0xFF);
    if (words == trp_process_exited(code)) {
        exit->reason = code == 0 ? TROUPE_EXIT_NORMAL : TROUPE_EXIT_ERROR;
        exit->code = code;
        (void)snprintf(exit->text, sizeof(exit->text), "its process ended with status %d", code);
    } else if (words == trp_process_signalled(code)) {
        exit->reason = TROUPE_EXIT_CRASHED;
        exit->code = code;
        (void)snprintf(exit->text, sizeof(exit->text), "SIG%s", sigabbrev_np(code));
    } else if (atomic_load_explicit(&process->kill_requested, memory_order_relaxed)) {
        exit->reason = TROUPE_EXIT_KILLED;
        exit->code = SIGKILL;
        (void)snprintf(exit->text, sizeof(exit->text), "SIGKILL");
    }
}

/** Replace what the operating system says of an exit by what the process itself noted, if it did. */
static void children_explain_exit(const struct trp_process *process, struct troupe_exit *exit)
{
    if (exit->reason == TROUPE_EXIT_UNKNOWN) {
        children_explain_unknown_exit(process, exit);
    }
    children_explain_early_exit(process, exit);
    if (exit->reason == TROUPE_EXIT_KILLED && process->exit_note[0] != '\0') {
        (void)snprintf(exit->text, sizeof(exit->text), "%s", process->exit_note);
    }
    if (atomic_load_explicit(&process->out_of_memory, memory_order_acquire)) {
        *exit = (struct troupe_exit){
            .reason = TROUPE_EXIT_OUT_OF_MEMORY,
            .text = "its process had no memory for what it is to carry",
        };
    }
}

/* Requests. ------------------------------------------------------------------------------------- */

/** From here on a process does not depend on the process that asked for it. */
static void children_accept(struct trp_shared *shared, const struct trp_process *process)
{
    trp_shared_lock(shared);
    struct trp_slot *slot = trp_shared_find_slot(shared, process->executor);
    if (slot != NULL) {
        slot->reply_to = 0;
    }
    trp_shared_unlock(shared);
}

static void children_control_ready(troupe_system_t *system, void *data);
static void children_exit_ready(troupe_system_t *system, void *data);

/** Put a child on the list, count it, and find its backend. */
static enum troupe_err children_add(struct trp_child *child)
{
    troupe_system_t *system = child->system;
    child->control_fd = -1;
    (void)pthread_mutex_lock(&system->runtime.lock);
    system->carried_count++;
    enum troupe_err err =
        trp_backend_host_find(system, child->process->backend, &child->ops, &child->self);
    (void)pthread_mutex_unlock(&system->runtime.lock);
    trp_child_list_add(child);
    return err;
}

static void children_watch(struct trp_child *child)
{
    child->exit = (struct trp_event_source){
        .ready = children_exit_ready,
        .data = child,
        .fd = child->ops->exit_fd(child->self, child->handle),
    };
    trp_process_manager_watch(child->system, &child->exit);
    child->control = (struct trp_event_source){
        .ready = children_control_ready,
        .data = child,
        .fd = child->control_fd,
    };
    trp_process_manager_watch(child->system, &child->control);
}

/** Start the process of a slot. @p listener_fd is taken; -1: there was no descriptor for it. */
static void children_start(troupe_system_t *system, uint32_t process_index, int listener_fd)
{
    struct trp_process *process =
        &system->runtime.shared->processes[process_index % TRP_SHARED_PROCESSES];
    children_accept(system->runtime.shared, process);
    struct trp_child *child = calloc(1, sizeof(*child));
    if (child == NULL) {
        const struct troupe_exit exit = {
            .reason = TROUPE_EXIT_OUT_OF_MEMORY, .text = "no memory to start its process"};
        (void)close(listener_fd);
        children_settle(system, process, &exit);
        return;
    }
    child->system = system;
    child->process = process;
    enum troupe_err err = children_add(child);
    if (err == TROUPE_OK && atomic_load_explicit(&system->drained, memory_order_acquire)) {
        err = TRP_EXPLAIN(TROUPE_ERR_CLOSED, "the system is stopping and starts no more actors");
    }
    if (err == TROUPE_OK) {
        err = trp_child_start(child, listener_fd);
    }
    (void)close(listener_fd);
    if (err == TROUPE_OK) {
        children_watch(child);
        if (atomic_load(&process->kill_requested)) {
            trp_child_list_kill(system, process->id);
        }
    } else {
        struct troupe_exit exit = {.reason = TROUPE_EXIT_INIT_FAILED, .code = (int)err};
        (void)snprintf(exit.text, sizeof(exit.text), "%.255s", troupe_error_detail());
        children_remove(child, &exit);
    }
}

static void children_run_request(troupe_system_t *system, struct trp_manager_task *task)
{
    struct children_request *request = (struct children_request *)(void *)task;
    children_start(system, request->process_index, request->listener_fd);
    free(request);
}

void trp_children_spawn(troupe_system_t *system, uint32_t process_index, int listener_fd)
{
    if (!trp_system_is_first(system)) {
        trp_control_send(system->control_fd, TRP_CONTROL_SPAWN, process_index, listener_fd);
        (void)close(listener_fd);
        return;
    }
    struct children_request *request = NULL;
    uint64_t since_ns = 0;
    while ((request = malloc(sizeof(*request))) == NULL) {
        trp_memory_wait(&since_ns); // the spawn was accepted already
    }
    *request = (struct children_request){
        .task = {.run = children_run_request},
        .process_index = process_index,
        .listener_fd = listener_fd,
    };
    trp_process_manager_post(system, &request->task);
}

/* Events. --------------------------------------------------------------------------------------- */

/** Handle messages of a child, at most @p count_max of them. */
static void children_handle_messages(struct trp_child *child, uint32_t count_max)
{
    troupe_system_t *system = child->system;
    struct trp_control_message message;
    int listener_fd = -1;
    bool closed = false;
    while (count_max-- > 0 &&
           trp_control_receive(child->control_fd, &message, &listener_fd, &closed)) {
        if (message.kind == TRP_CONTROL_SPAWN) {
            children_start(system, message.number, listener_fd);
        } else if (message.kind == TRP_CONTROL_REFRESH) {
            trp_refresh_process(system, message.number);
        } else if (message.kind == TRP_CONTROL_KILL) {
            trp_child_list_kill(system, message.number);
        }
    }
    if (closed) {
        trp_process_manager_unwatch(system, &child->control);
    }
}

static void children_control_ready(troupe_system_t *system, void *data)
{
    (void)system;
    children_handle_messages(data, CHILDREN_MESSAGES);
}

static void children_exit_ready(troupe_system_t *system, void *data)
{
    struct trp_child *child = data;
    struct pollfd end = {.fd = child->exit.fd, .events = POLLIN};
    if (poll(&end, 1, 0) != 1) {
        return; // the event was of another descriptor that had this number before
    }
    children_handle_messages(child, UINT32_MAX); // those that it sent before it exited
    trp_process_manager_unwatch(system, &child->exit);
    struct troupe_exit exit;
    child->ops->reap(child->self, trp_child_list_take_handle(child), &exit);
    children_explain_exit(child->process, &exit);
    children_remove(child, &exit);
}
