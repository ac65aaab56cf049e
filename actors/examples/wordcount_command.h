/* The command line of the word count: [--top N] PATH... */
#ifndef WORDCOUNT_COMMAND_H
#define WORDCOUNT_COMMAND_H

#include "wordcount_files.h"

#include <stdint.h>

/* Read it. Returns NULL, or what is wrong with it. */
const char *wordcount_command_read(
    const void *args, size_t args_bytes, uint64_t *out_top, struct wordcount_files *files);

#endif
