/* The words of files, slice by slice. */
#include "wordcount_slices.h"

#include "wordcount_table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/** Put the piece in the batch of its word. */
static void deal(struct wordcount_slices *slices)
{
    if (slices->begun == NULL) {
        // By the high bits, for the counters' tables go by the low ones.
        const uint64_t hash = wordcount_hash(slices->piece, slices->piece_bytes) >> 32;
        slices->begun = &slices->batches[hash % WORDCOUNT_COUNTERS];
    }
    struct wordcount_batch *batch = slices->begun;
    memcpy(batch->words.bytes + batch->used, slices->piece, slices->piece_bytes);
    batch->used += slices->piece_bytes;
    slices->piece_bytes = 0;
}

static void end_word(struct wordcount_slices *slices)
{
    if (slices->begun == NULL && slices->piece_bytes == 0) {
        return; // one separator after another
    }
    deal(slices);
    slices->begun->words.bytes[slices->begun->used++] = '\n';
    slices->begun = NULL;
}

static void split(struct wordcount_slices *slices, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const unsigned lower = bytes[i] | 0x20u; // makes a lower-case letter of letters alone
        if (lower < 'a' || lower > 'z') {
            end_word(slices);
            continue;
        }
        slices->piece[slices->piece_bytes++] = (char)lower;
        if (slices->piece_bytes == sizeof(slices->piece)) {
            deal(slices);
        }
    }
}

static void end_file(struct wordcount_slices *slices, int error)
{
    wordcount_slices_close(slices);
    slices->error = error;
    if (slices->last) {
        end_word(slices); // else the next file may go on with it
    }
}

void wordcount_slices_open(struct wordcount_slices *slices, const char *path, bool last)
{
    slices->error = 0;
    slices->last = last;
    slices->file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (slices->file < 0) {
        end_file(slices, errno);
    }
}

void wordcount_slices_next(struct wordcount_slices *slices)
{
    unsigned char slice[WORDCOUNT_SLICE_BYTES];
    const ssize_t bytes = read(slices->file, slice, sizeof(slice));
    if (bytes > 0) {
        split(slices, slice, (size_t)bytes);
    } else if (bytes == 0 || errno != EINTR) {
        end_file(slices, bytes == 0 ? 0 : errno);
    }
}

void wordcount_slices_close(struct wordcount_slices *slices)
{
    if (slices->file >= 0) {
        close(slices->file);
    }
    slices->file = -1;
}
