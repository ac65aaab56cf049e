#include "shared/shared.h"

#include "base/check.h"
#include "base/transport.h"

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
    SLOT_PROBES = 256,
    LOCK_LOOK_NS = 100000000, // how often who waits for the lock looks who has it
    LOCK_LOOKS = 30,          // that find the same one stopped
};

/** Tells this layout from any other: its size, and the version of the frames. */
static uint64_t shared_magic(void)
{
    return UINT64_C(0x54524F5550450000) ^ sizeof(struct trp_shared) ^ UINT64_C(1) << 40;
}

/** @return a number that nobody guesses. */
static uint64_t shared_cookie(void)
{
    uint64_t cookie = 0;
    // Cannot fail for so few bytes once the system has booted; a cookie of zeros still counts.
    (void)!getrandom(&cookie, sizeof(cookie), 0);
    return cookie;
}

static enum troupe_err shared_map(int fd, struct trp_shared **out_shared)
{
    void *memory = mmap(
        NULL, sizeof(struct trp_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (memory == MAP_FAILED) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOMEM,
            "no address space for the %zu MiB that the processes of a system share (errno %d); "
            "raise the limit of address space",
            sizeof(struct trp_shared) >> 20,
            errno);
    }
    *out_shared = memory;
    return TROUPE_OK;
}

static void shared_init_lock(struct trp_shared *shared)
{
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    (void)pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    (void)pthread_mutex_init(&shared->lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
}

enum troupe_err trp_shared_new(struct trp_shared **out_shared, int *out_fd)
{
    int fd = memfd_create("troupe-board", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, sizeof(struct trp_shared)) != 0) {
        enum troupe_err err =
            TRP_EXPLAIN(TROUPE_ERR_SYSTEM, "no memory that processes can share: errno %d", errno);
        (void)close(fd);
        return err;
    }
    enum troupe_err err = shared_map(fd, out_shared);
    if (err != TROUPE_OK) {
        (void)close(fd);
        return err;
    }
    // Untouched memory is zero, and zero is an empty board.
    shared_init_lock(*out_shared);
    (*out_shared)->magic = shared_magic();
    (*out_shared)->first_pid = getpid();
    atomic_init(&(*out_shared)->next_node, 1);
    *out_fd = fd;
    return TROUPE_OK;
}

enum troupe_err trp_shared_adopt(int fd, struct trp_shared **out_shared)
{
    if (lseek(fd, 0, SEEK_END) != (off_t)sizeof(struct trp_shared)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "what was inherited is no board of this version of Troupe");
    }
    enum troupe_err err = shared_map(fd, out_shared);
    if (err == TROUPE_OK && (*out_shared)->magic != shared_magic()) {
        trp_shared_close(out_shared);
        err = TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "what was inherited is no board of this version of Troupe");
    }
    return err;
}

void trp_shared_close(struct trp_shared **shared_p)
{
    if (*shared_p != NULL) {
        (void)munmap(*shared_p, sizeof(struct trp_shared));
        *shared_p = NULL;
    }
}

/** Count and list the open ledgers anew: who died while opening or closing one had done half of it. */
static void shared_repair(struct trp_shared *shared)
{
    uint32_t slots = atomic_load_explicit(&shared->slot_high, memory_order_relaxed);
    for (uint32_t i = 0; i < slots; i++) {
        struct trp_slot *slot = &shared->slots[i];
        slot->first_in = 0;
        atomic_store_explicit(&slot->in_open_count, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->out_open_count, 0, memory_order_relaxed);
    }
    uint32_t ledgers = atomic_load_explicit(&shared->ledger_high, memory_order_relaxed);
    for (uint32_t i = 0; i < ledgers; i++) {
        struct trp_ledger *ledger = &shared->ledgers[i];
        uint32_t state = atomic_load_explicit(&ledger->state, memory_order_relaxed);
        struct trp_slot *from = trp_shared_find_slot(shared, ledger->from);
        struct trp_slot *to = trp_shared_find_slot(shared, ledger->to);
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
static bool shared_is_stopped_child(int32_t pid)
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
static int shared_try_lock(struct trp_shared *shared)
{
    struct timespec deadline;
    (void)clock_gettime(
        CLOCK_REALTIME, &deadline); // of the waits that ThreadSanitizer knows, the only clock
    deadline.tv_nsec += LOCK_LOOK_NS;
    deadline.tv_sec += deadline.tv_nsec / 1000000000;
    deadline.tv_nsec %= 1000000000;
    return pthread_mutex_timedlock(&shared->lock, &deadline);
}

/** Wait for the lock. In the first process, end who has it and stands still. @return as pthread's. */
static int shared_await_lock(struct trp_shared *shared)
{
    int32_t before = 0; // who was stopped with it when it was last looked
    int looks = 0;
    int status = shared_try_lock(shared);
    while (status == ETIMEDOUT) {
        int32_t holder = atomic_load_explicit(&shared->lock_holder, memory_order_relaxed);
        bool stopped = shared->first_pid == (int32_t)getpid() && holder != 0 &&
                       shared_is_stopped_child(holder);
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
        status = shared_try_lock(shared);
    }
    return status;
}

void trp_shared_lock(struct trp_shared *shared)
{
    int status = pthread_mutex_trylock(&shared->lock);
    if (TRP_UNLIKELY(status == EBUSY)) {
        status = shared_await_lock(shared);
    }
    if (status == EOWNERDEAD) {
        shared_repair(shared); // all else changes by one store, or did not
        (void)pthread_mutex_consistent(&shared->lock);
    }
    atomic_store_explicit(&shared->lock_holder, (int32_t)getpid(), memory_order_relaxed);
}

void trp_shared_unlock(struct trp_shared *shared)
{
    atomic_store_explicit(&shared->lock_holder, 0, memory_order_relaxed);
    (void)pthread_mutex_unlock(&shared->lock);
}

/* Slots. ---------------------------------------------------------------------------------------- */

struct trp_slot *trp_shared_take_slot(
    struct trp_shared *shared, uint32_t id, uint32_t node, uint32_t reply_to, const char *name)
{
    struct trp_slot *slot = NULL;
    trp_shared_lock(shared);
    // Numbers are counted up and most slots are free, so the first look nearly always finds one.
    for (uint32_t i = 0; i < SLOT_PROBES && slot == NULL; i++) {
        struct trp_slot *at = &shared->slots[(id + i) % TRP_SHARED_SLOTS];
        slot = trp_slot_state(at) == TRP_SLOT_FREE ? at : NULL;
    }
    if (slot != NULL) {
        memset(slot, 0, sizeof(*slot));
        trp_doorbell_init(&slot->doorbell);
        trp_credit_pool_init(
            &slot->pool, (int64_t)shared->mailbox_messages, (int64_t)shared->mailbox_bytes);
        uint32_t index = (uint32_t)(slot - shared->slots);
        if (index >= atomic_load_explicit(&shared->slot_high, memory_order_relaxed)) {
            atomic_store_explicit(&shared->slot_high, index + 1, memory_order_release);
        }
        slot->id = id;
        slot->node = node;
        slot->reply_to = reply_to != node ? reply_to : 0;
        shared->sums.executors_started++;
        strncpy(slot->name, name, sizeof(slot->name) - 1);
        atomic_store_explicit(&slot->state, TRP_SLOT_OPEN, memory_order_release);
    }
    trp_shared_unlock(shared);
    return slot;
}

struct trp_slot *trp_shared_find_slot(struct trp_shared *shared, uint32_t id)
{
    for (uint32_t i = 0; i < SLOT_PROBES; i++) {
        struct trp_slot *slot = &shared->slots[(id + i) % TRP_SHARED_SLOTS];
        if (slot->id == id && slot->node != 0) {
            return slot;
        }
    }
    return NULL;
}

void trp_shared_free_slot(struct trp_slot *slot)
{
    // Its number and why it failed stay to be asked for, until somebody else takes the slot.
    atomic_store_explicit(&slot->state, TRP_SLOT_FREE, memory_order_release);
}

/* Processes. ------------------------------------------------------------------------------------ */

struct trp_process *trp_shared_take_process(struct trp_shared *shared, const struct trp_slot *slot)
{
    struct trp_process *node = NULL;
    uint64_t token = shared_cookie();
    trp_shared_lock(shared);
    for (uint32_t i = 0; i < TRP_SHARED_PROCESSES && node == NULL; i++) {
        struct trp_process *at = &shared->processes[(slot->node + i) % TRP_SHARED_PROCESSES];
        node =
            atomic_load_explicit(&at->state, memory_order_relaxed) == TRP_PROCESS_FREE ? at : NULL;
    }
    if (node != NULL) {
        memset(node, 0, sizeof(*node));
        node->id = slot->node;
        node->executor = slot->id;
        node->token = token;
        atomic_store_explicit(&node->state, TRP_PROCESS_REQUESTED, memory_order_release);
    }
    trp_shared_unlock(shared);
    return node;
}

struct trp_process *trp_shared_find_process(struct trp_shared *shared, uint32_t id)
{
    for (uint32_t i = 0; i < TRP_SHARED_PROCESSES; i++) {
        struct trp_process *node =
            &shared->processes[(id + i) % TRP_SHARED_PROCESSES]; // soon: see where it is taken
        if (node->id == id &&
            atomic_load_explicit(&node->state, memory_order_relaxed) != TRP_PROCESS_FREE) {
            return node;
        }
    }
    return NULL;
}

void trp_shared_free_process(struct trp_shared *shared, struct trp_process *node)
{
    trp_shared_lock(shared);
    atomic_store_explicit(&node->state, TRP_PROCESS_FREE, memory_order_release);
    trp_shared_unlock(shared);
}

struct trp_shared_pool *trp_shared_pool(struct trp_shared *shared, const char *text, uint32_t count)
{
    struct trp_shared_pool *pool = NULL;
    trp_shared_lock(shared);
    for (uint32_t i = 0; i < shared->pool_count && pool == NULL; i++) {
        pool = strcmp(shared->pools[i].text, text) == 0 ? &shared->pools[i] : NULL;
    }
    if (pool == NULL && shared->pool_count < TRP_SHARED_POOLS &&
        shared->pool_slot_count + count <= TRP_SHARED_POOL_SLOTS &&
        strlen(text) < sizeof(pool->text)) {
        pool = &shared->pools[shared->pool_count];
        memcpy(pool->text, text, strlen(text) + 1);
        pool->first = shared->pool_slot_count;
        pool->count = count;
        shared->pool_slot_count += count;
        shared->pool_count++;
    }
    trp_shared_unlock(shared);
    return pool;
}

/* Ledgers. -------------------------------------------------------------------------------------- */

/** @return a free ledger, or NULL. @threads holding the lock */
static struct trp_ledger *shared_take_ledger(struct trp_shared *shared)
{
    if (shared->ledger_free != 0) {
        struct trp_ledger *ledger = &shared->ledgers[shared->ledger_free - 1];
        shared->ledger_free = ledger->next_in;
        memset(ledger, 0, sizeof(*ledger));
        return ledger;
    }
    uint32_t high = atomic_load_explicit(&shared->ledger_high, memory_order_relaxed);
    if (high == TRP_SHARED_LEDGERS) {
        return NULL;
    }
    atomic_store_explicit(&shared->ledger_high, high + 1, memory_order_release);
    return &shared->ledgers[high];
}

struct trp_ledger *trp_shared_open_loop(struct trp_shared *shared, struct trp_slot *slot)
{
    trp_shared_lock(shared);
    struct trp_ledger *ledger = shared_take_ledger(shared);
    if (ledger != NULL) {
        ledger->from = slot->id;
        ledger->to = slot->id;
        ledger->is_loop = true;
        ledger->claimed = true;
        ledger->next_in = slot->first_in;
        atomic_store_explicit(&ledger->state, TRP_LEDGER_OPEN, memory_order_release);
        slot->first_in = trp_shared_ledger_index(shared, ledger) + 1;
    }
    trp_shared_unlock(shared);
    return ledger;
}

/** @return whether mail from one executor to another goes by ipc or tcp. */
static bool shared_is_remote(const struct trp_slot *from, const struct trp_slot *to)
{
    return from->node != to->node || to->transport > TRP_TRANSPORT_INPROC;
}

enum troupe_err trp_shared_open_ledger(
    struct trp_shared *shared,
    struct trp_slot *from,
    uint32_t to,
    struct trp_ledger **out_ledger,
    struct trp_slot **out_to)
{
    uint64_t cookie = shared_cookie();
    enum troupe_err err = TROUPE_ERR_NOENT;
    trp_shared_lock(shared);
    struct trp_slot *slot = trp_shared_find_slot(shared, to);
    if (slot != NULL && trp_slot_state(slot) == TRP_SLOT_OPEN) {
        struct trp_ledger *ledger = shared_take_ledger(shared);
        err = ledger == NULL ? TROUPE_ERR_LIMIT : TROUPE_OK;
        if (ledger != NULL) {
            ledger->from = from->id;
            ledger->to = to;
            ledger->cookie = cookie;
            ledger->is_remote = shared_is_remote(from, slot);
            ledger->next_in = slot->first_in;
            atomic_fetch_add_explicit(&from->out_open_count, 1, memory_order_relaxed);
            atomic_fetch_add_explicit(&slot->in_open_count, 1, memory_order_relaxed);
            atomic_store_explicit(&ledger->state, TRP_LEDGER_OPEN, memory_order_release);
            slot->first_in = trp_shared_ledger_index(shared, ledger) + 1;
            *out_ledger = ledger;
            *out_to = slot;
        }
    }
    trp_shared_unlock(shared);
    return err;
}

struct trp_ledger *trp_shared_claim_ledger(
    struct trp_shared *shared, struct trp_slot *to, uint32_t from, struct trp_slot **out_from)
{
    struct trp_ledger *found = NULL;
    trp_shared_lock(shared);
    for (uint32_t at = to->first_in; at != 0 && found == NULL;) {
        struct trp_ledger *ledger = &shared->ledgers[at - 1];
        if (ledger->from == from && !ledger->claimed &&
            atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_OPEN) {
            ledger->claimed = true;
            found = ledger;
        }
        at = ledger->next_in;
    }
    *out_from = trp_shared_find_slot(shared, from);
    trp_shared_unlock(shared);
    return found;
}

void trp_shared_close_ledger(struct trp_shared *shared, struct trp_ledger *ledger)
{
    trp_shared_lock(shared);
    struct trp_slot *from = trp_shared_find_slot(shared, ledger->from);
    struct trp_slot *to = trp_shared_find_slot(shared, ledger->to);
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
    trp_shared_unlock(shared);
}

void trp_shared_await_closed(const struct trp_ledger *ledger, uint64_t timeout_ns)
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

void trp_shared_free_ledger(struct trp_shared *shared, struct trp_ledger *ledger)
{
    uint32_t index = trp_shared_ledger_index(shared, ledger);
    struct trp_slot *to = trp_shared_find_slot(shared, ledger->to);
    if (to != NULL) {
        uint32_t *at = &to->first_in;
        while (*at != 0 && *at != index + 1) {
            at = &shared->ledgers[*at - 1].next_in;
        }
        if (*at != 0) {
            *at = ledger->next_in;
        }
    }
    atomic_store_explicit(&ledger->state, TRP_LEDGER_FREE, memory_order_release);
    ledger->next_in = shared->ledger_free;
    shared->ledger_free = index + 1;
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
