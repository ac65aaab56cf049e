/* The files to count, in order, found by walking directories. Zeroed memory is an empty list. */
#ifndef WORDCOUNT_FILES_H
#define WORDCOUNT_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct wordcount_files {
    char **paths;
    size_t count;
    size_t failed; /* How many could not be read. */
};

/* Add a file, or those below a directory in sorted order. False when there is no memory. */
bool wordcount_files_add(struct wordcount_files *files, const char *path);

/* Tell on standard error that a path could not be read. */
void wordcount_files_tell(struct wordcount_files *files, const char *path, const char *why);

/*
 * Where the run of files ends that starts at @p first: a file without a final newline may end in
 * the middle of a word, which then goes on in the next file, as in the output of cat.
 */
size_t wordcount_files_run_end(const struct wordcount_files *files, size_t first);

void wordcount_files_free(struct wordcount_files *files);

#endif
