/**
 * @file memory.h
 * @brief Waiting for memory, where nothing can be refused any more.
 *
 * What is asked for is refused with an error where there is no memory for it. What was accepted cannot be:
 * a frame that has come, a farewell, the START of an actor. Whoever needs memory for such waits for it.
 */
#ifndef TROUPE_SRC_MEMORY_H
#define TROUPE_SRC_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/**
 * Let others go on for a moment; the caller then tries again.
 *
 *     uint64_t since_ns = 0;
 *     while ((order = malloc(sizeof(*order))) == NULL) {
 *         trp_memory_wait(&since_ns);
 *     }
 *
 * In a process that carries actors for another this ends it in the end: see trp_memory_on_shortage().
 *
 * @param since_ns  When this wait began; 0 at first.
 * @threads         any
 */
void trp_memory_wait(uint64_t *since_ns);

/**
 * Say that all of a block will be used, if it is a large one: the kernel then gives it in pages of 2 MiB, of
 * which each costs one fault instead of 512. Of a small block, and where there are no such pages, nothing comes.
 *
 * @threads  any
 */
void trp_memory_expect(void *block, size_t bytes);

/** A lack of memory that is met between other work. Zeroed memory is one that never was. */
struct trp_memory_shortage {
    uint64_t since_ns;
    uint64_t latest_ns;
};

/**
 * As trp_memory_wait(), for who does other work and then tries again: a frame that stays, and is sent with
 * the next turn. A lack that was not met for a while is over, without a word.
 *
 * @threads  one at a time
 */
void trp_memory_shortage_note(struct trp_memory_shortage *shortage);

/**
 * Have @p end called by whoever waited for @p patience_ns in vain. Without it the wait has no end.
 *
 * @threads  before there are others
 */
void trp_memory_on_shortage(void (*end)(void *data), void *data, uint64_t patience_ns);

#endif
