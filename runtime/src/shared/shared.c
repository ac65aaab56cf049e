#include "shared/shared.h"

#include "base/check.h"
#include "config/placement.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SEAT_PROBES = 256,
    LOCK_LOOK_NS = 100000000, // how often who waits for the lock looks who has it
    LOCK_LOOKS = 30,          // that find the same one stopped
};

/** Tells this layout from any other: its size, and the version of the frames. */
static uint64_t board_magic(void)
{
    return UINT64_C(0x54524F5550450000) ^ sizeof(struct trp_board) ^ UINT64_C(1) << 40;
}

/** @return a number that nobody guesses. */
static uint64_t board_cookie(void)
{
    uint64_t cookie = 0;
    // Cannot fail for so few bytes once the system has booted; a cookie of zeros still counts.
    (void)!getrandom(&cookie, sizeof(cookie), 0);
    return cookie;
}

static enum troupe_err board_map(int fd, struct trp_board **out_board)
{
    void *memory = mmap(
        NULL, sizeof(struct trp_board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (memory == MAP_FAILED) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOMEM,
            "no address space for the %zu MiB that the processes of a system share (errno %d); "
            "raise the limit of address space",
            sizeof(struct trp_board) >> 20,
            errno);
    }
    *out_board = memory;
    return TROUPE_OK;
}

static void board_init_lock(struct trp_board *board)
{
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    (void)pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    (void)pthread_mutex_init(&board->lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
}

enum troupe_err trp_board_new(struct trp_board **out_board, int *out_fd)
{
    int fd = memfd_create("troupe-board", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, sizeof(struct trp_board)) != 0) {
        enum troupe_err err =
            TRP_EXPLAIN(TROUPE_ERR_SYSTEM, "no memory that processes can share: errno %d", errno);
        (void)close(fd);
        return err;
    }
    enum troupe_err err = board_map(fd, out_board);
    if (err != TROUPE_OK) {
        (void)close(fd);
        return err;
    }
    // Untouched memory is zero, and zero is an empty board.
    board_init_lock(*out_board);
    (*out_board)->magic = board_magic();
    (*out_board)->first_pid = getpid();
    atomic_init(&(*out_board)->next_node, 1);
    *out_fd = fd;
    return TROUPE_OK;
}

enum troupe_err trp_board_adopt(int fd, struct trp_board **out_board)
{
    if (lseek(fd, 0, SEEK_END) != (off_t)sizeof(struct trp_board)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "what was inherited is no board of this version of Troupe");
    }
    enum troupe_err err = board_map(fd, out_board);
    if (err == TROUPE_OK && (*out_board)->magic != board_magic()) {
        trp_board_close(out_board);
        err = TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "what was inherited is no board of this version of Troupe");
    }
    return err;
}

void trp_board_close(struct trp_board **board_p)
{
    if (*board_p != NULL) {
        (void)munmap(*board_p, sizeof(struct trp_board));
        *board_p = NULL;
    }
}

/** Count and list the open ledgers anew: who died while opening or closing one had done half of it. */
static void board_repair(struct trp_board *board)
{
    uint32_t seats = atomic_load_explicit(&board->seat_high, memory_order_relaxed);
    for (uint32_t i = 0; i < seats; i++) {
        struct trp_seat *seat = &board->seats[i];
        seat->first_in = 0;
        atomic_store_explicit(&seat->in_open_count, 0, memory_order_relaxed);
        atomic_store_explicit(&seat->out_open_count, 0, memory_order_relaxed);
    }
    uint32_t ledgers = atomic_load_explicit(&board->ledger_high, memory_order_relaxed);
    for (uint32_t i = 0; i < ledgers; i++) {
        struct trp_ledger *ledger = &board->ledgers[i];
        uint32_t state = atomic_load_explicit(&ledger->state, memory_order_relaxed);
        struct trp_seat *from = trp_board_find_seat(board, ledger->from);
        struct trp_seat *to = trp_board_find_seat(board, ledger->to);
        if (state == TRP_LEDGER_FREE || to == NULL) {
            continue;
        }
        ledger->next_in = to->first_in;
        to->first_in = i + 1;
        if (state == TRP_LEDGER_OPEN && !ledger->is_loop) {
            atomic_fetch_add_explicit(&to->in_open_count, 1, memory_order_relaxed);
            if (from != NULL) {
                atomic_fetch_add_explicit(&from->out_open_count, 1, memory_order_relaxed);
            }
        }
    }
}

/** @return whether a process is a child of this one that was stopped, as by SIGSTOP. */
static bool board_is_stopped_child(int32_t pid)
{
    char path[32];
    char line[256] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        (void)!fgets(line, sizeof(line), file);
        (void)fclose(file);
    }
    // "12 (name) T 7 ...": a name may have brackets.
    const char *behind = strrchr(line, ')');
    return behind != NULL && strncmp(behind, ") T ", 4) == 0 &&
           strtol(behind + 4, NULL, 10) == (long)getpid();
}

/** Wait for the lock for a while. @return as pthread's. */
static int board_try_lock(struct trp_board *board)
{
    struct timespec deadline;
    (void)clock_gettime(
        CLOCK_REALTIME, &deadline); // of the waits that ThreadSanitizer knows, the only clock
    deadline.tv_nsec += LOCK_LOOK_NS;
    deadline.tv_sec += deadline.tv_nsec / 1000000000;
    deadline.tv_nsec %= 1000000000;
    return pthread_mutex_timedlock(&board->lock, &deadline);
}

/** Wait for the lock. In the first process, end who has it and stands still. @return as pthread's. */
static int board_await_lock(struct trp_board *board)
{
    int32_t before = 0; // who was stopped with it when it was last looked
    int looks = 0;
    int status = board_try_lock(board);
    while (status == ETIMEDOUT) {
        int32_t holder = atomic_load_explicit(&board->lock_holder, memory_order_relaxed);
        bool stopped =
            board->first_pid == (int32_t)getpid() && holder != 0 && board_is_stopped_child(holder);
        // Looks are counted, not time: this process may have been stopped as well.
        looks = stopped && holder == before ? looks + 1 : 0;
        before = stopped ? holder : 0;
        if (looks == LOCK_LOOKS) {
            (void)fprintf(
                stderr,
                "troupe: process %d was stopped where all others wait for it, and did not go on "
                "for 3 s: it is killed\n",
                (int)holder);
            (void)kill(holder, SIGKILL);
        }
        status = board_try_lock(board);
    }
    return status;
}

void trp_board_lock(struct trp_board *board)
{
    int status = pthread_mutex_trylock(&board->lock);
    if (TRP_UNLIKELY(status == EBUSY)) {
        status = board_await_lock(board);
    }
    if (status == EOWNERDEAD) {
        board_repair(board); // all else changes by one store, or did not
        (void)pthread_mutex_consistent(&board->lock);
    }
    atomic_store_explicit(&board->lock_holder, (int32_t)getpid(), memory_order_relaxed);
}

void trp_board_unlock(struct trp_board *board)
{
    atomic_store_explicit(&board->lock_holder, 0, memory_order_relaxed);
    (void)pthread_mutex_unlock(&board->lock);
}

/* Seats. ---------------------------------------------------------------------------------------- */

struct trp_seat *trp_board_take_seat(
    struct trp_board *board, uint32_t id, uint32_t node, uint32_t asker, const char *name)
{
    struct trp_seat *seat = NULL;
    trp_board_lock(board);
    // Numbers are counted up and most seats are free, so the first look nearly always finds one.
    for (uint32_t i = 0; i < SEAT_PROBES && seat == NULL; i++) {
        struct trp_seat *at = &board->seats[(id + i) % TRP_BOARD_SEATS];
        seat = trp_seat_state(at) == TRP_SEAT_FREE ? at : NULL;
    }
    if (seat != NULL) {
        memset(seat, 0, sizeof(*seat));
        trp_gate_init(&seat->gate, (int64_t)board->mailbox_messages, (int64_t)board->mailbox_bytes);
        uint32_t index = (uint32_t)(seat - board->seats);
        if (index >= atomic_load_explicit(&board->seat_high, memory_order_relaxed)) {
            atomic_store_explicit(&board->seat_high, index + 1, memory_order_release);
        }
        seat->id = id;
        seat->node = node;
        seat->asker = asker != node ? asker : 0;
        board->sums.executors_started++;
        strncpy(seat->name, name, sizeof(seat->name) - 1);
        atomic_store_explicit(&seat->state, TRP_SEAT_OPEN, memory_order_release);
    }
    trp_board_unlock(board);
    return seat;
}

struct trp_seat *trp_board_find_seat(struct trp_board *board, uint32_t id)
{
    for (uint32_t i = 0; i < SEAT_PROBES; i++) {
        struct trp_seat *seat = &board->seats[(id + i) % TRP_BOARD_SEATS];
        if (seat->id == id && seat->node != 0) {
            return seat;
        }
    }
    return NULL;
}

void trp_board_free_seat(struct trp_seat *seat)
{
    // Its number and why it failed stay to be asked for, until somebody else takes the seat.
    atomic_store_explicit(&seat->state, TRP_SEAT_FREE, memory_order_release);
}

/* Processes. ------------------------------------------------------------------------------------ */

struct trp_node *trp_board_take_node(struct trp_board *board, const struct trp_seat *seat)
{
    struct trp_node *node = NULL;
    uint64_t token = board_cookie();
    trp_board_lock(board);
    for (uint32_t i = 0; i < TRP_BOARD_NODES && node == NULL; i++) {
        struct trp_node *at = &board->nodes[(seat->node + i) % TRP_BOARD_NODES];
        node = atomic_load_explicit(&at->state, memory_order_relaxed) == TRP_NODE_FREE ? at : NULL;
    }
    if (node != NULL) {
        memset(node, 0, sizeof(*node));
        node->id = seat->node;
        node->executor = seat->id;
        node->token = token;
        atomic_store_explicit(&node->state, TRP_NODE_ASKED, memory_order_release);
    }
    trp_board_unlock(board);
    return node;
}

struct trp_node *trp_board_find_node(struct trp_board *board, uint32_t id)
{
    for (uint32_t i = 0; i < TRP_BOARD_NODES; i++) {
        struct trp_node *node =
            &board->nodes[(id + i) % TRP_BOARD_NODES]; // soon: see where it is taken
        if (node->id == id &&
            atomic_load_explicit(&node->state, memory_order_relaxed) != TRP_NODE_FREE) {
            return node;
        }
    }
    return NULL;
}

void trp_board_free_node(struct trp_board *board, struct trp_node *node)
{
    trp_board_lock(board);
    atomic_store_explicit(&node->state, TRP_NODE_FREE, memory_order_release);
    trp_board_unlock(board);
}

struct trp_board_pool *trp_board_pool(struct trp_board *board, const char *text, uint32_t count)
{
    struct trp_board_pool *pool = NULL;
    trp_board_lock(board);
    for (uint32_t i = 0; i < board->pool_count && pool == NULL; i++) {
        pool = strcmp(board->pools[i].text, text) == 0 ? &board->pools[i] : NULL;
    }
    if (pool == NULL && board->pool_count < TRP_BOARD_POOLS &&
        board->pool_slot_count + count <= TRP_BOARD_POOL_SLOTS &&
        strlen(text) < sizeof(pool->text)) {
        pool = &board->pools[board->pool_count];
        memcpy(pool->text, text, strlen(text) + 1);
        pool->first = board->pool_slot_count;
        pool->count = count;
        board->pool_slot_count += count;
        board->pool_count++;
    }
    trp_board_unlock(board);
    return pool;
}

/* Ledgers. -------------------------------------------------------------------------------------- */

/** @return a free ledger, or NULL. @threads holding the lock */
static struct trp_ledger *board_take_ledger(struct trp_board *board)
{
    if (board->ledger_free != 0) {
        struct trp_ledger *ledger = &board->ledgers[board->ledger_free - 1];
        board->ledger_free = ledger->next_in;
        memset(ledger, 0, sizeof(*ledger));
        return ledger;
    }
    uint32_t high = atomic_load_explicit(&board->ledger_high, memory_order_relaxed);
    if (high == TRP_BOARD_LEDGERS) {
        return NULL;
    }
    atomic_store_explicit(&board->ledger_high, high + 1, memory_order_release);
    return &board->ledgers[high];
}

struct trp_ledger *trp_board_open_loop(struct trp_board *board, struct trp_seat *seat)
{
    trp_board_lock(board);
    struct trp_ledger *ledger = board_take_ledger(board);
    if (ledger != NULL) {
        ledger->from = seat->id;
        ledger->to = seat->id;
        ledger->is_loop = true;
        ledger->claimed = true;
        ledger->next_in = seat->first_in;
        atomic_store_explicit(&ledger->state, TRP_LEDGER_OPEN, memory_order_release);
        seat->first_in = trp_board_ledger_index(board, ledger) + 1;
    }
    trp_board_unlock(board);
    return ledger;
}

/** @return whether mail from one executor to another goes by ipc or tcp. */
static bool board_is_remote(const struct trp_seat *from, const struct trp_seat *to)
{
    return from->node != to->node || to->transport > TRP_TRANSPORT_INPROC;
}

enum troupe_err trp_board_open_ledger(
    struct trp_board *board,
    struct trp_seat *from,
    uint32_t to,
    struct trp_ledger **out_ledger,
    struct trp_seat **out_to)
{
    uint64_t cookie = board_cookie();
    enum troupe_err err = TROUPE_ERR_NOENT;
    trp_board_lock(board);
    struct trp_seat *seat = trp_board_find_seat(board, to);
    if (seat != NULL && trp_seat_state(seat) == TRP_SEAT_OPEN) {
        struct trp_ledger *ledger = board_take_ledger(board);
        err = ledger == NULL ? TROUPE_ERR_LIMIT : TROUPE_OK;
        if (ledger != NULL) {
            ledger->from = from->id;
            ledger->to = to;
            ledger->cookie = cookie;
            ledger->is_remote = board_is_remote(from, seat);
            ledger->next_in = seat->first_in;
            atomic_fetch_add_explicit(&from->out_open_count, 1, memory_order_relaxed);
            atomic_fetch_add_explicit(&seat->in_open_count, 1, memory_order_relaxed);
            atomic_store_explicit(&ledger->state, TRP_LEDGER_OPEN, memory_order_release);
            seat->first_in = trp_board_ledger_index(board, ledger) + 1;
            *out_ledger = ledger;
            *out_to = seat;
        }
    }
    trp_board_unlock(board);
    return err;
}

struct trp_ledger *trp_board_claim_ledger(
    struct trp_board *board, struct trp_seat *to, uint32_t from, struct trp_seat **out_from)
{
    struct trp_ledger *found = NULL;
    trp_board_lock(board);
    for (uint32_t at = to->first_in; at != 0 && found == NULL;) {
        struct trp_ledger *ledger = &board->ledgers[at - 1];
        if (ledger->from == from && !ledger->claimed &&
            atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_OPEN) {
            ledger->claimed = true;
            found = ledger;
        }
        at = ledger->next_in;
    }
    *out_from = trp_board_find_seat(board, from);
    trp_board_unlock(board);
    return found;
}

void trp_board_close_ledger(struct trp_board *board, struct trp_ledger *ledger)
{
    trp_board_lock(board);
    struct trp_seat *from = trp_board_find_seat(board, ledger->from);
    struct trp_seat *to = trp_board_find_seat(board, ledger->to);
    if (from != NULL && !ledger->is_loop) {
        atomic_fetch_sub_explicit(&from->out_open_count, 1, memory_order_relaxed);
    }
    if (to != NULL && !ledger->is_loop) {
        atomic_fetch_sub_explicit(&to->in_open_count, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&ledger->state, TRP_LEDGER_CLOSED, memory_order_release);
    if (ledger->is_remote) {
        (void)syscall(SYS_futex, &ledger->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
    trp_board_unlock(board);
}

void trp_board_await_closed(const struct trp_ledger *ledger, uint64_t timeout_ns)
{
    const struct timespec timeout = {
        .tv_sec = (time_t)(timeout_ns / UINT64_C(1000000000)),
        .tv_nsec = (long)(timeout_ns % UINT64_C(1000000000)),
    };
    (void)syscall(
        SYS_futex,
        &ledger->state,
        FUTEX_WAIT,
        TRP_LEDGER_OPEN,
        timeout_ns == UINT64_MAX ? NULL : &timeout,
        NULL,
        0);
}

void trp_board_free_ledger(struct trp_board *board, struct trp_ledger *ledger)
{
    uint32_t index = trp_board_ledger_index(board, ledger);
    struct trp_seat *to = trp_board_find_seat(board, ledger->to);
    if (to != NULL) {
        uint32_t *at = &to->first_in;
        while (*at != 0 && *at != index + 1) {
            at = &board->ledgers[*at - 1].next_in;
        }
        if (*at != 0) {
            *at = ledger->next_in;
        }
    }
    atomic_store_explicit(&ledger->state, TRP_LEDGER_FREE, memory_order_release);
    ledger->next_in = board->ledger_free;
    board->ledger_free = index + 1;
}

uint64_t trp_ledger_dead(const struct trp_ledger *ledger)
{
    uint64_t dead = 0;
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        dead += trp_counted(&ledger->dead[i]);
    }
    return dead;
}

uint64_t trp_ledger_done(const struct trp_ledger *ledger)
{
    return trp_counted(&ledger->handled) + trp_counted(&ledger->moved) + trp_ledger_dead(ledger) +
           trp_counted(&ledger->unknown);
}
