/**
 * @file fuzz.h
 * @brief What all fuzz targets use: the function that libFuzzer calls, and a check that aborts.
 */
#ifndef TROUPE_TESTS_FUZZ_H
#define TROUPE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * Read any bytes, and abort if the result violates a check.
 *
 * @return 0: libFuzzer may keep the input.
 */
int LLVMFuzzerTestOneInput(
    const uint8_t *data, size_t size); // NOLINT(readability-identifier-naming)

/** Abort if a condition does not hold, which must hold for any input. */
#define FUZZ_CHECK(condition) \
    ((condition) ? (void)0 : fuzz_check_failed(__FILE__, __LINE__, #condition))

_Noreturn static inline void fuzz_check_failed(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: not true: %s\n", file, line, condition);
    abort();
}

/** @return a block of exactly @p size bytes, aligned for any type. */
static inline void *fuzz_room(size_t size)
{
    void *room = malloc(size == 0 ? 1 : size);
    FUZZ_CHECK(room != NULL);
    return room;
}

/** Copy an input into such a block, so that AddressSanitizer sees a read beyond its end. */
static inline void *fuzz_copy(const uint8_t *data, size_t size)
{
    void *copy = fuzz_room(size);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

/** As fuzz_copy(), with a NUL behind it. The text ends at its first NUL. */
static inline char *fuzz_copy_text(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size == 0 ? NULL : memchr(data, '\0', size);
    size_t length = nul == NULL ? size : (size_t)(nul - data);
    char *text = fuzz_room(length + 1);
    if (length > 0) {
        memcpy(text, data, length);
    }
    text[length] = '\0';
    return text;
}

/** Read bytes, so that AddressSanitizer sees it if they are not allocated. */
static inline void fuzz_touch(const void *bytes, size_t size)
{
    const volatile uint8_t *at = bytes;
    for (size_t i = 0; i < size; i += 8) {
        (void)at[i];
    }
    if (size > 0) {
        (void)at[size - 1];
    }
}

#endif
