/* The lines of one counter, as they come. */
#include "wordcount_source.h"

#include "wordcount_order.h"

#include <stdlib.h>
#include <string.h>

/** See whether the first line is complete, of which @p searched bytes hold no end. */
static void find_head(struct wordcount_source *source, size_t searched)
{
    char *line = source->lines.bytes + source->taken;
    const size_t bytes = source->lines.used - source->taken;
    source->head = (struct wordcount_entry){0};
    const char *newline = memchr(line + searched, '\n', bytes - searched);
    if (newline == NULL) {
        return;
    }
    source->head_bytes = (size_t)(newline + 1 - line);
    const char *space = memrchr(line, ' ', source->head_bytes);
    source->head.word = line;
    source->head.bytes = (size_t)(space - line);
    source->head.count = strtoull(space, NULL, 10);
}

bool wordcount_source_add(struct wordcount_source *source, const char *page, size_t bytes)
{
    struct wordcount_text *lines = &source->lines;
    source->ended = bytes == 0;
    if (source->ended) {
        return true;
    }
    const size_t begun = lines->used - source->taken;
    if (source->taken > 0) {
        memmove(lines->bytes, lines->bytes + source->taken, begun);
        lines->used = begun;
        source->taken = 0;
    }
    if (!wordcount_text_add(lines, page, bytes)) {
        return false;
    }
    find_head(source, begun);
    return true;
}

void wordcount_source_take(struct wordcount_source *source)
{
    source->taken += source->head_bytes;
    find_head(source, 0);
}

struct wordcount_source *wordcount_source_first(struct wordcount_source *sources, size_t count)
{
    struct wordcount_source *first = NULL;
    for (struct wordcount_source *source = sources; source < sources + count; source++) {
        if (source->head.word != NULL &&
            (first == NULL || wordcount_entry_compare(&source->head, &first->head) < 0)) {
            first = source;
        }
    }
    return first;
}
