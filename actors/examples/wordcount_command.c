/* The command line of the word count. */
#include "wordcount_command.h"

#include <troupe/troupe.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool read_number(const char *word, uint64_t *out_number)
{
    if (word == NULL || !isdigit((unsigned char)*word)) {
        return false;
    }
    char *end = NULL;
    *out_number = strtoull(word, &end, 10);
    return *end == '\0';
}

const char *wordcount_command_read(
    const void *args, size_t args_bytes, uint64_t *out_top, struct wordcount_files *files)
{
    const char *word = NULL;
    bool named = false;
    *out_top = 10;
    while ((word = troupe_args_next(args, args_bytes, word)) != NULL) {
        if (strcmp(word, "--top") == 0) {
            word = troupe_args_next(args, args_bytes, word);
            if (!read_number(word, out_top)) {
                return "--top wants a number, as in: wordcount --top 10 PATH";
            }
        } else if (word[0] == '-') {
            return "no such flag; a PATH that begins with - is written ./-";
        } else if (!wordcount_files_add(files, word)) {
            return "no memory for so many files";
        } else {
            named = true;
        }
    }
    return named ? NULL : "a PATH is missing, as in: wordcount /usr/share/common-licenses";
}
