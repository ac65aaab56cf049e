/**
 * @file fuzz.h
 * @brief What every fuzz target has: its one function, and a check that ends the program.
 */
#ifndef TROUPE_TESTS_FUZZ_H
#define TROUPE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * Take any bytes whatever, and end the program if they bring about what must not be.
 *
 * @return 0: each input may be kept.
 */
int LLVMFuzzerTestOneInput(
    const uint8_t *data, size_t size); // NOLINT(readability-identifier-naming)

/** State what must be true, whatever the input. */
#define FUZZ_CHECK(condition) \
    ((condition) ? (void)0 : fuzz_check_failed(__FILE__, __LINE__, #condition))

_Noreturn static inline void fuzz_check_failed(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: not true: %s\n", file, line, condition);
    abort();
}

/** @return room for @p size bytes and not one more, at an address that fits anything. */
static inline void *fuzz_room(size_t size)
{
    void *room = malloc(size == 0 ? 1 : size);
    FUZZ_CHECK(room != NULL);
    return room;
}

/** Copy an input into such room, so that a look behind its end is seen. */
static inline void *fuzz_copy(const uint8_t *data, size_t size)
{
    void *copy = fuzz_room(size);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

/** As fuzz_copy(), and a NUL behind it. A text ends at the first NUL in it, as all texts do. */
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

/** Read bytes, of which AddressSanitizer keeps account by eights, so that one that is not there is seen. */
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
