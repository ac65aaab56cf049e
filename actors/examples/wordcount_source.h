/*
 * Lines "WORD COUNT\n" in order, as they come from one counter in pages: the reducer's side of it.
 *
 * Holds what came and was not taken yet. Zeroed memory holds nothing.
 */
#ifndef WORDCOUNT_SOURCE_H
#define WORDCOUNT_SOURCE_H

#include "wordcount_table.h"
#include "wordcount_text.h"

struct wordcount_source {
    struct wordcount_text lines;
    size_t taken;                /* Of their bytes. */
    struct wordcount_entry head; /* The next line; its `word` is NULL while it is not there. */
    size_t head_bytes;           /* The length of the line. */
    bool ended;                  /* No page follows. */
};

/* Add a page, empty after the last; the head must not be there yet. False: there is no memory. */
bool wordcount_source_add(struct wordcount_source *source, const char *page, size_t bytes);

/* Go to the next line. The head must be there. */
void wordcount_source_take(struct wordcount_source *source);

/* Returns the one whose head goes before the others', or NULL when all are at their end. */
struct wordcount_source *wordcount_source_first(struct wordcount_source *sources, size_t count);

#endif
