/* Bytes that grow. */
#include "wordcount_text.h"

#include <stdlib.h>
#include <string.h>

bool wordcount_text_add(struct wordcount_text *text, const char *bytes, size_t count)
{
    if (text->capacity - text->used < count) {
        const size_t capacity = 2 * text->capacity + count;
        char *grown = realloc(text->bytes, capacity);
        if (grown == NULL) {
            return false;
        }
        text->bytes = grown;
        text->capacity = capacity;
    }
    if (count > 0) {
        memcpy(text->bytes + text->used, bytes, count);
    }
    text->used += count;
    return true;
}

void wordcount_text_free(struct wordcount_text *text)
{
    free(text->bytes);
    *text = (struct wordcount_text){0};
}
