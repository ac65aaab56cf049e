/*
 * The words of a table in order, as lines "WORD COUNT\n", read a page at a time.
 *
 * A page may begin and end anywhere in a line, so that no word is too long for a message.
 */
#ifndef WORDCOUNT_ORDER_H
#define WORDCOUNT_ORDER_H

#include "wordcount_table.h"

#include <stdbool.h>
#include <stddef.h>

/* How far the reading is. Zeroed memory is the beginning. */
struct wordcount_order {
    bool sorted;
    size_t row;  /* The row that the next page begins in, */
    size_t skip; /* after so many bytes of its line. */
};

/* For qsort(): by count, the largest first, then by word. */
int wordcount_entry_compare(const void *a, const void *b);

/*
 * Read the next bytes. Moves the rows of the table: nothing may be counted from the first call on.
 * Returns how many were read; 0 after the last line.
 */
size_t wordcount_order_read(
    struct wordcount_order *order, struct wordcount_table *table, char *page, size_t page_bytes);

#endif
