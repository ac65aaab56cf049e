/*
 * The mapping, and its lock: a robust mutex between processes.
 *
 *     lock --EOWNERDEAD: its holder died--> recount the ledgers, relist the names --> consistent
 *          --100 ms--> is the holder a stopped child of ours? 30 times in a row --> kill it
 */
#include "shared/shared.h"

#include "base/check.h"
#include "shared/name_lists.h"
#include "shared/shared_table.h"
#include "shared/slot_queue.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    LOCK_CHECK_NS = 100000000, // how often a waiting thread checks which process has the lock
    LOCK_CHECKS = 30,          // in a row that find the same one stopped
};

/** @return a number that tells this layout from any other: its size, and the version of the frames. */
static uint64_t shared_magic(void)
{
    return UINT64_C(0x54524F5550450000) ^ sizeof(struct trp_shared) ^ UINT64_C(1) << 40;
}

uint64_t trp_shared_cookie(void)
{
    uint64_t cookie = 0;
    // Cannot fail for so few bytes once the system has booted; a cookie of zeros still counts.
    (void)!getrandom(&cookie, sizeof(cookie), 0);
    return cookie;
}

struct trp_slot *trp_shared_find_slot(struct trp_shared *shared, uint32_t id)
{
    struct trp_slot *slot = &shared->slots[id % TRP_SHARED_SLOTS];
    return slot->id == id && slot->node != 0 ? slot : NULL;
}

/* The mapping. ---------------------------------------------------------------------------------- */

static enum troupe_err shared_map(int fd, struct trp_shared **out_shared)
{
    void *memory = mmap(
        NULL, sizeof(struct trp_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (memory == MAP_FAILED) {
        return TRP_EXPLAIN(
            TROUPE_ERR_NOMEM,
            "no address space for the %zu MiB that the processes of a system share (errno %d); "
            "raise the limit of address space (ulimit -v)",
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

/** @return 0; or -1 with errno, also where the limit of file sizes would end the program by a signal. */
static int shared_set_size(int fd)
{
    const struct timespec now = {0};
    sigset_t too_big;
    sigset_t before;
    sigset_t pending;
    (void)sigemptyset(&too_big);
    (void)sigaddset(&too_big, SIGXFSZ);
    (void)sigpending(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &too_big, &before);
    int result = ftruncate(fd, sizeof(struct trp_shared));
    int error = errno;
    if (result != 0 && error == EFBIG && sigismember(&pending, SIGXFSZ) == 0) {
        (void)sigtimedwait(&too_big, NULL, &now);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return result;
}

enum troupe_err trp_shared_new(struct trp_shared **out_shared, int *out_fd)
{
    int fd = memfd_create("troupe-shared", MFD_CLOEXEC);
    if (fd < 0 || shared_set_size(fd) != 0) {
        enum troupe_err err = TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "no memory that processes can share (memfd_create or ftruncate: errno %d)%s",
            errno,
            errno == EFBIG ? ": its size is over the limit of file sizes; raise that (ulimit -f)"
                           : "");
        (void)close(fd);
        return err;
    }
    enum troupe_err err = shared_map(fd, out_shared);
    if (err != TROUPE_OK) {
        (void)close(fd);
        return err;
    }
    // Untouched memory is zero, and zero is what all of it starts from.
    shared_init_lock(*out_shared);
    (*out_shared)->magic = shared_magic();
    (*out_shared)->first_pid = getpid();
    (void)snprintf(
        (*out_shared)->secret,
        sizeof((*out_shared)->secret),
        "%016" PRIx64 "%016" PRIx64,
        trp_shared_cookie(),
        trp_shared_cookie());
    atomic_init(&(*out_shared)->next_node, 1);
    *out_fd = fd;
    return TROUPE_OK;
}

static enum troupe_err shared_explain_foreign(void)
{
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "the inherited descriptor is not the shared memory of this version of Troupe; start parent "
        "and "
        "child from the same build");
}

enum troupe_err trp_shared_adopt(int fd, struct trp_shared **out_shared)
{
    if (lseek(fd, 0, SEEK_END) != (off_t)sizeof(struct trp_shared)) {
        return shared_explain_foreign();
    }
    enum troupe_err err = shared_map(fd, out_shared);
    if (err == TROUPE_OK && (*out_shared)->magic != shared_magic()) {
        trp_shared_close(out_shared);
        err = shared_explain_foreign();
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

/* The lock. ------------------------------------------------------------------------------------- */

/** Recount and relist what a process that died with the lock may have done half of: ledgers, and free slots. */
static void shared_repair(struct trp_shared *shared)
{
    trp_slot_repair_queue(shared);
    uint32_t slots = trp_shared_slot_count(shared);
    for (uint32_t i = 0; i < slots; i++) {
        struct trp_slot *slot = &shared->slots[i];
        slot->first_in = 0;
        atomic_store_explicit(&slot->in_open_count, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->out_open_count, 0, memory_order_relaxed);
    }
    uint32_t ledgers = trp_shared_ledger_count(shared);
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

/** Make the list of free reservations again. */
static void shared_repair_reservations(struct trp_shared *shared)
{
    shared->reservation_free = 0;
    for (uint32_t i = shared->reservation_high; i > 0; i--) {
        struct trp_reservation *entry = &shared->reservations[i - 1];
        if (entry->executor == 0) {
            entry->next = shared->reservation_free;
            shared->reservation_free = i;
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

/** Wait for the lock for ::LOCK_CHECK_NS. @return as pthread's. */
static int shared_try_lock(struct trp_shared *shared)
{
    struct timespec deadline;
    (void)clock_gettime(
        CLOCK_REALTIME, &deadline); // the only clock of those waits that ThreadSanitizer knows
    deadline.tv_nsec += LOCK_CHECK_NS;
    deadline.tv_sec += deadline.tv_nsec / 1000000000;
    deadline.tv_nsec %= 1000000000;
    return pthread_mutex_timedlock(&shared->lock, &deadline);
}

/** Wait for the lock; in the first process, kill a child that has it and is stopped. @return as pthread's. */
static int shared_await_lock(struct trp_shared *shared)
{
    int32_t before = 0; // the process that was stopped with it at the last check
    int checks = 0;
    int status = shared_try_lock(shared);
    while (status == ETIMEDOUT) {
        int32_t holder = atomic_load_explicit(&shared->lock_holder, memory_order_relaxed);
        bool stopped = shared->first_pid == (int32_t)getpid() && holder != 0 &&
                       shared_is_stopped_child(holder);
        // Checks are counted, not time: this process may have been stopped as well.
        checks = stopped && holder == before ? checks + 1 : 0;
        before = stopped ? holder : 0;
        if (checks == LOCK_CHECKS) {
            (void)fprintf(
                stderr,
                "troupe: process %d is killed: it was stopped for 3 s while it had the lock that "
                "all "
                "processes of the system need\n",
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
        shared_repair(shared); // all else changes by one store, done or not done
        trp_names_repair(shared);
        shared_repair_reservations(shared);
        (void)pthread_mutex_consistent(&shared->lock);
    }
    atomic_store_explicit(&shared->lock_holder, (int32_t)getpid(), memory_order_relaxed);
}

void trp_shared_unlock(struct trp_shared *shared)
{
    atomic_store_explicit(&shared->lock_holder, 0, memory_order_relaxed);
    (void)pthread_mutex_unlock(&shared->lock);
}
