/* How often each word was met: open addressing, at most half full. */
#include "wordcount_table.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a: G. Fowler, L. C. Noll, K.-P. Vo, isthe.com/chongo/tech/comp/fnv. */
uint64_t wordcount_hash(const char *word, size_t bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ (unsigned char)word[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/** @return the row of @p word, or the empty one where it belongs. */
static struct wordcount_entry *find(
    const struct wordcount_table *table, uint64_t hash, const char *word, size_t bytes)
{
    for (size_t i = (size_t)hash;; i++) {
        struct wordcount_entry *row = &table->rows[i & (table->row_count - 1)];
        if (row->word == NULL ||
            (row->hash == hash && row->bytes == bytes && memcmp(row->word, word, bytes) == 0)) {
            return row;
        }
    }
}

static bool grow(struct wordcount_table *table)
{
    struct wordcount_table grown = *table;
    grown.row_count = table->row_count == 0 ? 1024 : 2 * table->row_count;
    grown.rows = calloc(grown.row_count, sizeof(*grown.rows));
    if (grown.rows == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->row_count; i++) {
        const struct wordcount_entry *row = &table->rows[i];
        if (row->word != NULL) {
            *find(&grown, row->hash, row->word, row->bytes) = *row;
        }
    }
    free(table->rows);
    *table = grown;
    return true;
}

bool wordcount_table_count(struct wordcount_table *table, const char *word, size_t bytes)
{
    if (2 * table->word_count >= table->row_count && !grow(table)) {
        return false;
    }
    const uint64_t hash = wordcount_hash(word, bytes);
    struct wordcount_entry *row = find(table, hash, word, bytes);
    if (row->word == NULL) {
        char *copy = malloc(bytes);
        if (copy == NULL) {
            return false;
        }
        memcpy(copy, word, bytes);
        *row = (struct wordcount_entry){.word = copy, .bytes = bytes, .hash = hash};
        table->word_count++;
    }
    row->count++;
    return true;
}

void wordcount_table_free(struct wordcount_table *table)
{
    for (size_t i = 0; i < table->row_count; i++) {
        free(table->rows[i].word);
    }
    free(table->rows);
    *table = (struct wordcount_table){0};
}
