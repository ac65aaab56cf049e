#include "base/memory.h"

#include "base/clock.h"

#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>

enum { LARGE_PAGE_BYTES = 1 << 21 };

/** A shortage that is not reported for so long is over: 0.1 s. */
#define MEMORY_SHORTAGE_END_NS UINT64_C(100000000)

/** What to do when a wait lasts too long. Written before there are other threads. */
static struct {
    void (*end)(void *data);
    void *data;
    uint64_t patience_ns;
} memory_shortage;

void trp_memory_wait(uint64_t *since_ns)
{
    uint64_t now_ns = trp_clock_monotonic(NULL);
    if (*since_ns == 0) {
        *since_ns = now_ns;
    }
    if (memory_shortage.end != NULL && now_ns - *since_ns > memory_shortage.patience_ns) {
        memory_shortage.end(memory_shortage.data);
    }
    (void)sched_yield();
}

void trp_memory_shortage_note(struct trp_memory_shortage *shortage)
{
    uint64_t now_ns = trp_clock_monotonic(NULL);
    if (now_ns - shortage->latest_ns > MEMORY_SHORTAGE_END_NS) {
        shortage->since_ns = now_ns;
    }
    shortage->latest_ns = now_ns;
    trp_memory_wait(&shortage->since_ns);
}

void trp_memory_on_shortage(void (*end)(void *data), void *data, uint64_t patience_ns)
{
    memory_shortage.end = end;
    memory_shortage.data = data;
    memory_shortage.patience_ns = patience_ns;
}

void trp_memory_expect(void *block, size_t bytes)
{
    uintptr_t first =
        ((uintptr_t)block + LARGE_PAGE_BYTES - 1) & ~(uintptr_t)(LARGE_PAGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)block + bytes) & ~(uintptr_t)(LARGE_PAGE_BYTES - 1);
    if (block != NULL && first < end) {
        // A hint: a kernel without such pages returns an error.
        (void)madvise((uint8_t *)block + (first - (uintptr_t)block), end - first, MADV_HUGEPAGE);
    }
}
