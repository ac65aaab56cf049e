/* Where readers sit: a few at once, each with a run of files. Zeroed memory is empty desks. */
#ifndef WORDCOUNT_DESKS_H
#define WORDCOUNT_DESKS_H

#include "wordcount.h"
#include "wordcount_files.h"

struct wordcount_desks {
    size_t started; /* So many files went to a desk. */
    struct wordcount_desk {
        troupe_ref_t reader;
        size_t next; /* The file that is read, or is to be, */
        size_t end;  /* of a run that ends here. */
        bool asked;  /* The reader was asked to read it. */
    } desks[WORDCOUNT_READERS];
};

/* Keep every desk busy. @p on_reply gets the number of the desk as its tag. False: all is read. */
bool wordcount_desks_fill(
    troupe_context_t *ctx,
    struct wordcount_desks *desks,
    const struct wordcount_files *files,
    const struct wordcount_crew *crew,
    troupe_reply_fn *on_reply);

/* Meet the answer of a desk's reader: @p error is an errno or 0. */
void wordcount_desks_meet(
    struct wordcount_desks *desks,
    struct wordcount_files *files,
    uint64_t number,
    enum troupe_err err,
    int error);

#endif
