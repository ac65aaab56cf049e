/* The words of a table in order, as lines, read a page at a time. */
#include "wordcount_order.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_BYTES = 24 };

int wordcount_entry_compare(const void *a, const void *b)
{
    const struct wordcount_entry *left = a;
    const struct wordcount_entry *right = b;
    if (left->count != right->count) {
        return left->count > right->count ? -1 : 1;
    }
    const size_t both = left->bytes < right->bytes ? left->bytes : right->bytes;
    const int order = memcmp(left->word, right->word, both);
    return order != 0 ? order : (left->bytes > both) - (right->bytes > both);
}

/** Move the words to the first rows, in order. */
static void sort(struct wordcount_table *table)
{
    size_t sorted = 0;
    for (size_t i = 0; i < table->row_count; i++) {
        const struct wordcount_entry row = table->rows[i];
        if (row.word != NULL) {
            table->rows[i] = (struct wordcount_entry){0};
            table->rows[sorted++] = row;
        }
    }
    if (sorted > 0) {
        qsort(table->rows, sorted, sizeof(*table->rows), wordcount_entry_compare);
    }
}

size_t wordcount_order_read(
    struct wordcount_order *order, struct wordcount_table *table, char *page, size_t page_bytes)
{
    if (!order->sorted) {
        sort(table);
        order->sorted = true;
    }
    size_t used = 0;
    while (used < page_bytes && order->row < table->word_count) {
        const struct wordcount_entry *entry = &table->rows[order->row];
        char count[COUNT_BYTES];
        const int written = snprintf(count, sizeof(count), " %" PRIu64 "\n", entry->count);
        const size_t line_bytes = entry->bytes + (size_t)written;

        const bool in_word = order->skip < entry->bytes;
        const char *from =
            in_word ? entry->word + order->skip : count + (order->skip - entry->bytes);
        size_t bytes = (in_word ? entry->bytes : line_bytes) - order->skip;
        bytes = bytes < page_bytes - used ? bytes : page_bytes - used;
        memcpy(page + used, from, bytes);
        used += bytes;
        order->skip += bytes;
        if (order->skip == line_bytes) {
            order->row++;
            order->skip = 0;
        }
    }
    return used;
}
