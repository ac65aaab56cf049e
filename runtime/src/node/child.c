/*
 * The course of a child:
 *
 *     ticket --> board --> a system of its own, with the executor it was started for --> run --> exit
 *
 * Its executor is the owner's world of this process: what its actors spawn on `ecs` lives there, too. It
 * ends when all of its actors, and all other executors of the process, have ended.
 */
#include "node/child.h"

#include "base/clock.h"
#include "base/memory.h"
#include "config/limits.h"
#include "node/process_manager.h"
#include "node/rlimits.h"
#include "node/system.h"
#include "observe/crash.h"
#include "troupe/main.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICKET_NAME "TROUPE_TICKET"

/** How long a child waits for memory that it cannot do without: 2 s. */
#define LACK_PATIENCE_NS UINT64_C(2000000000)

/* Tickets. -------------------------------------------------------------------------------------- */

void trp_ticket_write(const struct trp_ticket *ticket, char text[static TRP_TICKET_BYTES])
{
    (void)snprintf(
        text,
        TRP_TICKET_BYTES,
        TICKET_NAME "=%d,%d,%d,%" PRIu32 ",%" PRIx64,
        ticket->board_fd,
        ticket->listener_fd,
        ticket->leash_fd,
        ticket->node_index,
        ticket->token);
}

bool trp_ticket_read(const char *text, struct trp_ticket *out_ticket)
{
    int end = 0;
    struct trp_ticket ticket;
    // A number out of range is none of ours, and then neither is the token.
    int count = sscanf( // NOLINT(cert-err34-c)
        text,
        "%d,%d,%d,%" SCNu32 ",%" SCNx64 "%n",
        &ticket.board_fd,
        &ticket.listener_fd,
        &ticket.leash_fd,
        &ticket.node_index,
        &ticket.token,
        &end);
    if (count != 5 || text[end] != '\0' || ticket.board_fd < 0 || ticket.listener_fd < 0 ||
        ticket.leash_fd < 0 || ticket.node_index >= TRP_BOARD_NODES) {
        return false;
    }
    *out_ticket = ticket;
    return true;
}

/* What children need to know. ------------------------------------------------------------------- */

enum troupe_err trp_child_describe(struct troupe_system *system)
{
    size_t at = 0;
    struct trp_board *board = system->board;
    const struct trp_plan *plan = &system->plan;
    if (trp_rules_write(plan->placement.rules, board->rules, sizeof(board->rules), &at) &&
        trp_rules_write(plan->limits, board->rules, sizeof(board->rules), &at)) {
        return TROUPE_OK;
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_LIMIT,
        "the rules of the system have more than %d bytes, so processes cannot know them; write "
        "fewer, with patterns",
        TRP_BOARD_RULES_BYTES);
}

/** Read the rules that the first process wrote. */
static enum troupe_err child_read_rules(troupe_system_t *system)
{
    size_t at = 0;
    char *bytes = system->board->rules;
    struct trp_plan *plan = &system->plan;
    enum troupe_err err = trp_rules_read(&plan->placement.rules, &trp_placement_kind, bytes, &at);
    return err == TROUPE_OK ? trp_rules_read(&plan->limits, &trp_limits_kind, bytes, &at) : err;
}

/* The course. ----------------------------------------------------------------------------------- */

/** End a child that cannot be what it was started for; its parent tells why. @param node  NULL: unknown. */
static _Noreturn void child_give_up(struct trp_node *node, const char *what)
{
    if (node != NULL) {
        (void)snprintf(node->verdict, sizeof(node->verdict), "%s", what);
    }
    (void)fprintf(stderr, "troupe: a process for actors could not start: %s\n", what);
    _exit(EXIT_FAILURE);
}

/** Show the ticket, which is good for one. @return the place of this process on the board. */
static struct trp_node *child_enter_board(const struct trp_ticket *ticket, struct trp_board *board)
{
    struct trp_node *node = &board->nodes[ticket->node_index];
    trp_board_lock(board);
    bool good = node->token == ticket->token && node->token != 0 &&
                atomic_load_explicit(&node->state, memory_order_relaxed) == TRP_NODE_ASKED;
    node->token = 0;
    trp_board_unlock(board);
    return good ? node : NULL;
}

/** End a child that has no memory for what was accepted for its actors; its parent tells it so. */
static void child_end_of_memory(void *data)
{
    struct trp_node *node = data;
    atomic_store_explicit(&node->lacks_memory, true, memory_order_release);
    static const char words[] = "troupe: a process for actors has no memory left\n";
    (void)!write(STDERR_FILENO, words, sizeof(words) - 1);
    _exit(EXIT_FAILURE);
}

static const struct troupe_backend_ops *child_backend(const struct trp_node *node)
{
    const struct troupe_backend_ops *ops = NULL;
    for (uint32_t i = 0; (ops = troupe_backend_get(i)) != NULL; i++) {
        if (strcmp(ops->name, node->backend) == 0) {
            return ops->enter == NULL ? NULL : ops;
        }
    }
    return NULL;
}

/** Run until the executor this process was started for has ended, and all others here with it. */
static void child_run(troupe_system_t *system)
{
    trp_executor_run(system->executor);
    struct pollfd wake = {.fd = system->wake_fd, .events = POLLIN};
    for (;;) {
        (void)pthread_mutex_lock(&system->lock);
        bool done = system->carried_count == 0;
        (void)pthread_mutex_unlock(&system->lock);
        trp_system_reap(system); // after that look: the last one is among them
        if (done) {
            break;
        }
        (void)poll(&wake, 1, -1);
        uint64_t drained = 0;
        (void)!read(system->wake_fd, &drained, sizeof(drained));
    }
}

static _Noreturn void child_main(
    const struct trp_ticket *ticket, const struct troupe_behaviour *const *behaviours)
{
    const int fds[] = {ticket->board_fd, ticket->listener_fd, ticket->leash_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC); // not for what its actors start
    }
    struct trp_board *board = NULL;
    if (trp_board_adopt(ticket->board_fd, &board) != TROUPE_OK) {
        child_give_up(NULL, troupe_error_detail());
    }
    struct trp_node *node = child_enter_board(ticket, board);
    const struct troupe_backend_ops *ops = node == NULL ? NULL : child_backend(node);
    if (ops == NULL) {
        child_give_up(NULL, "its ticket is not good, or was shown before");
    }
    if (ops->enter(node->name, board->first_pid) != TROUPE_OK) {
        _exit(EXIT_FAILURE); // the parent is gone, and nobody is left to be told
    }
    struct troupe_limits limits = {0};
    if (trp_limits_parse(node->limits, 0, "board", &limits) != TROUPE_OK ||
        trp_confine_threads(&limits) != TROUPE_OK) {
        child_give_up(node, troupe_error_detail());
    }
    trp_memory_on_lack(child_end_of_memory, node, LACK_PATIENCE_NS);
    troupe_system_t *system = NULL;
    enum troupe_err err = trp_system_new_child(behaviours, board, ticket, node, &system);
    if (err == TROUPE_OK) {
        err = child_read_rules(system);
    }
    if (err == TROUPE_OK) {
        err = trp_warden_adopt(system, ticket->leash_fd);
    }
    if (err == TROUPE_OK) {
        err = trp_confine_process(&limits);
    }
    if (err != TROUPE_OK) {
        atomic_store_explicit(&node->lacks_memory, err == TROUPE_ERR_NOMEM, memory_order_release);
        child_give_up(node, troupe_error_detail());
    }
    atomic_store_explicit(&node->pid, getpid(), memory_order_relaxed);
    atomic_store_explicit(&node->state, TRP_NODE_RUNNING, memory_order_release);
    trp_crash_install(NULL);
    child_run(system);
    trp_system_free_child(system);
    exit(EXIT_SUCCESS); // NOLINT(concurrency-mt-unsafe): no other thread of ours runs any more
}

void troupe_enter(const struct troupe_behaviour *const *behaviours)
{
    struct trp_ticket ticket;
    const char *text = getenv(TICKET_NAME); // NOLINT(concurrency-mt-unsafe): before any thread
    if (text == NULL) {
        return;
    }
    bool good = trp_ticket_read(text, &ticket);
    (void)unsetenv(TICKET_NAME); // NOLINT(concurrency-mt-unsafe): as above
    if (!good) {
        child_give_up(NULL, "the environment variable " TICKET_NAME " is none of ours; unset it");
    }
    child_main(&ticket, behaviours);
}
