/*
 * The words of files, a slice of a file at a time, dealt out to the counters: the hash of a word
 * names its counter, so that equal words meet.
 *
 * Of a long word the first piece alone is hashed and no more is held, so a word of any length
 * passes: it begins in one slice and goes on in the next, or in the next file.
 */
#ifndef WORDCOUNT_SLICES_H
#define WORDCOUNT_SLICES_H

#include "wordcount.h"

enum { WORDCOUNT_SLICE_BYTES = 32768, WORDCOUNT_PIECE_BYTES = 1024 };

/* The words of one slice for one counter. */
struct wordcount_batch {
    size_t used;
    struct wordcount_words {
        uint64_t reader; /* Its number. */
        char bytes[WORDCOUNT_SLICE_BYTES + WORDCOUNT_PIECE_BYTES];
    } words; /* Lower-cased, each ended by a newline; the body of WORDCOUNT_WORDS. */
};

/* Zeroed memory but for `file`, which is -1, is ready. */
struct wordcount_slices {
    int file;  /* -1: none is open. */
    bool last; /* No file follows, so its end is the end of a word. */
    int error; /* What went wrong with the file, an errno, or 0. */
    struct wordcount_batch batches[WORDCOUNT_COUNTERS];
    char piece[WORDCOUNT_PIECE_BYTES];
    size_t piece_bytes;
    struct wordcount_batch *begun; /* Where the pieces before went; NULL at the first. */
};

void wordcount_slices_open(struct wordcount_slices *slices, const char *path, bool last);

/* Deal out the next slice; closes the file at its end. */
void wordcount_slices_next(struct wordcount_slices *slices);

void wordcount_slices_close(struct wordcount_slices *slices);

#endif
