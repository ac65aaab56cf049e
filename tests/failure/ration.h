/**
 * @file ration.h
 * @brief Memory on ration: the library's n-th allocation fails, and what it got is counted back.
 *
 * The program is linked with `--wrap` for each function below, so that the objects of the library, and
 * no other actor's, come here first: neither libzmq nor libc notices. The helper functions of the tests do come
 * here, and a scenario tolerates that.
 *
 *     ration_open(first, last);   the allocations first, first + 1, ... last fail from here on
 *     ...
 *     ration_close()              how many blocks were not freed; prints where each was allocated
 *
 * One program includes this. Threads may use it at once.
 */
#ifndef TROUPE_TESTS_RATION_H
#define TROUPE_TESTS_RATION_H

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RATION_SLOTS = 1 << 17, RATION_FRAMES = 12 };

/** A block that was handed out. */
struct ration_block {
    void *at; // NULL: a free slot
    void *allocator;
};

/** What is handed out. One for the program. */
static struct {
    _Atomic uint64_t count;  // of the allocations so far; they are numbered from 1
    _Atomic uint64_t failed; // how many of them did
    uint64_t first;          // the first that fails; 0: none does
    uint64_t last;
    _Atomic bool is_open;
    pthread_mutex_t lock;
    struct ration_block blocks[RATION_SLOTS]; // guarded by `lock`
} ration = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint32_t ration_home(const void *at)
{
    return (uint32_t)(((uintptr_t)at >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 40) % RATION_SLOTS;
}

/** Note a block that was handed out, and hand it out. */
static void *ration_note(void *at, void *allocator)
{
    if (at == NULL || !atomic_load(&ration.is_open)) {
        return at;
    }
    (void)pthread_mutex_lock(&ration.lock);
    uint32_t slot = ration_home(at);
    while (ration.blocks[slot].at != NULL) {
        slot = (slot + 1) % RATION_SLOTS;
    }
    ration.blocks[slot] = (struct ration_block){.at = at, .allocator = allocator};
    (void)pthread_mutex_unlock(&ration.lock);
    return at;
}

/** A block is about to be freed. One from before is ignored. */
static void ration_forget(const void *at)
{
    if (at == NULL || !atomic_load(&ration.is_open)) {
        return;
    }
    (void)pthread_mutex_lock(&ration.lock);
    uint32_t slot = ration_home(at);
    while (ration.blocks[slot].at != NULL && ration.blocks[slot].at != at) {
        slot = (slot + 1) % RATION_SLOTS;
    }
    // Close the gap: move entries after it that are not at their hash index into it.
    uint32_t hole = slot;
    while (ration.blocks[slot].at != NULL) {
        slot = (slot + 1) % RATION_SLOTS;
        uint32_t home = ration_home(ration.blocks[slot].at);
        if (ration.blocks[slot].at != NULL &&
            (slot - home) % RATION_SLOTS >= (slot - hole) % RATION_SLOTS) {
            ration.blocks[hole] = ration.blocks[slot];
            hole = slot;
        }
    }
    ration.blocks[hole].at = NULL;
    (void)pthread_mutex_unlock(&ration.lock);
}

/** @return whether this allocation is one that fails; if it is the first, its stack is printed. */
static bool ration_refuses(void)
{
    if (!atomic_load(&ration.is_open)) {
        return false;
    }
    uint64_t number = atomic_fetch_add(&ration.count, 1) + 1;
    if (ration.first == 0 || number < ration.first || number > ration.last) {
        return false;
    }
    if (atomic_fetch_add(&ration.failed, 1) == 0) {
        void *frames[RATION_FRAMES];
        int count = backtrace(frames, RATION_FRAMES);
        (void)dprintf(STDERR_FILENO, "allocation %llu fails here:\n", (unsigned long long)number);
        backtrace_symbols_fd(frames + 1, count - 1, STDERR_FILENO);
    }
    errno = ENOMEM;
    return true;
}

/** Count from here on, and have the allocations @p first to @p last fail; 0: none. */
static void ration_open(uint64_t first, uint64_t last)
{
    void *frames[1];
    (void)backtrace(frames, 1); // the first one allocates
    ration.first = first;
    ration.last = last;
    atomic_store(&ration.is_open, true);
}

/** Count no more. @return how many blocks are not freed; of the first few it prints where they were allocated. */
static uint32_t ration_close(void)
{
    enum { REPORTED = 8 };
    atomic_store(&ration.is_open, false);
    uint32_t left = 0;
    for (uint32_t i = 0; i < RATION_SLOTS; i++) {
        if (ration.blocks[i].at != NULL && left++ < REPORTED) {
            (void)dprintf(STDERR_FILENO, "leaked, and was got here:\n");
            backtrace_symbols_fd(&ration.blocks[i].allocator, 1, STDERR_FILENO);
        }
    }
    return left;
}

/* What the linker puts in the place of the allocator, for the objects that it links. ----------- */

#define RATION_CALLER __builtin_return_address(0)

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *at, size_t bytes);
void *__real_reallocarray(void *at, size_t count, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t bytes);
void __real_free(void *at);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *at, size_t bytes);
void *__wrap_reallocarray(void *at, size_t count, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t bytes);
void __wrap_free(void *at);

void *__wrap_malloc(size_t bytes)
{
    return ration_refuses() ? NULL : ration_note(__real_malloc(bytes), RATION_CALLER);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return ration_refuses() ? NULL : ration_note(__real_calloc(count, bytes), RATION_CALLER);
}

void *__wrap_realloc(void *at, size_t bytes)
{
    if (ration_refuses()) {
        return NULL;
    }
    ration_forget(at); // first: once it is free, another thread may be handed it
    return ration_note(__real_realloc(at, bytes), RATION_CALLER);
}

void *__wrap_reallocarray(void *at, size_t count, size_t bytes)
{
    if (ration_refuses()) {
        return NULL;
    }
    ration_forget(at);
    return ration_note(__real_reallocarray(at, count, bytes), RATION_CALLER);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return ration_refuses() ? NULL
                            : ration_note(__real_aligned_alloc(alignment, bytes), RATION_CALLER);
}

char *__wrap_strdup(const char *text)
{
    return ration_refuses() ? NULL : ration_note(__real_strdup(text), RATION_CALLER);
}

char *__wrap_strndup(const char *text, size_t bytes)
{
    return ration_refuses() ? NULL : ration_note(__real_strndup(text, bytes), RATION_CALLER);
}

void __wrap_free(void *at)
{
    ration_forget(at);
    __real_free(at);
}

#endif
