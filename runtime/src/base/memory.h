/**
 * @file memory.h
 * @brief Wait for memory where a failure can no longer be returned.
 *
 * A request that needs memory fails with ::TROUPE_ERR_NOMEM. Work that was accepted must not fail:
 * a frame that was received, the FIN of a channel, the START of an actor. Such work waits for
 * memory instead.
 */
#ifndef TRP_MEMORY_H
#define TRP_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/**
 * Yield to other threads; the caller then tries again.
 *
 *     uint64_t since_ns = 0;
 *     while ((request = malloc(sizeof(*request))) == NULL) {
 *         trp_memory_wait(&since_ns);
 *     }
 *
 * In a child process it ends the process when the wait lasts too long: see
 * trp_memory_on_shortage().
 *
 * @param since_ns  When this wait began; 0 before the first call.
 * @threads         any
 */
void trp_memory_wait(uint64_t *since_ns);

/**
 * Tell the kernel that all of a large block will be used. It then maps pages of 2 MiB, each of
 * which costs one page fault instead of 512. Does nothing for a small block, or where there are no
 * such pages.
 *
 * @threads  any
 */
void trp_memory_expect(void *block, size_t bytes);

/** A shortage of memory that is noticed between other work. Zero-initialise. */
struct trp_memory_shortage {
    uint64_t since_ns;
    uint64_t latest_ns;
};

/**
 * As trp_memory_wait(), for a caller that does other work before it tries again, such as an
 * executor that keeps a frame and sends it in its next turn. A shortage that is not noted for 0.1 s
 * is over, and the next one begins anew.
 *
 * @threads  one at a time
 */
void trp_memory_shortage_note(struct trp_memory_shortage *shortage);

/**
 * Have @p end called on a thread that has waited for @p patience_ns. Without it a wait may last for
 * ever.
 *
 * @threads  before other threads are started
 */
void trp_memory_on_shortage(void (*end)(void *data), void *data, uint64_t patience_ns);

#endif
