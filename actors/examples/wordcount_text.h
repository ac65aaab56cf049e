/* Bytes that grow: a word or a line that arrives in pieces. Zeroed memory is an empty text. */
#ifndef WORDCOUNT_TEXT_H
#define WORDCOUNT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct wordcount_text {
    char *bytes;
    size_t used;
    size_t capacity;
};

/* False when there is no memory; then nothing changed. */
bool wordcount_text_add(struct wordcount_text *text, const char *bytes, size_t count);

void wordcount_text_free(struct wordcount_text *text);

#endif
