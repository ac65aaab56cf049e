/* How often each word was met: a hash table. Zeroed memory is an empty table. */
#ifndef WORDCOUNT_TABLE_H
#define WORDCOUNT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wordcount_entry {
    char *word; /* Not ended by a NUL; NULL in an empty row. */
    size_t bytes;
    uint64_t hash;
    uint64_t count;
};

struct wordcount_table {
    struct wordcount_entry *rows;
    size_t row_count; /* A power of two, or 0. */
    size_t word_count;
};

uint64_t wordcount_hash(const char *word, size_t bytes);

/* Count a word once more. False when there is no memory; then nothing changed. */
bool wordcount_table_count(struct wordcount_table *table, const char *word, size_t bytes);

void wordcount_table_free(struct wordcount_table *table);

#endif
