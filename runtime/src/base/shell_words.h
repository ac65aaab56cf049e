/**
 * @file words.h
 * @brief Words in a line, as a shell takes them: split at blanks, with quotes and escapes.
 */
#ifndef TRP_SHELL_WORDS_H
#define TRP_SHELL_WORDS_H

#include "base/parse_error.h"

#include <stddef.h>

/** Words, each ended by a NUL, as troupe_args_next() walks over them. */
struct trp_shell_words {
    char *bytes;
    size_t byte_count;
};

/** Most bytes that a printed word takes for each of its own, beside two quotes and a NUL. */
enum { TRP_WORD_STRETCH = 4 };

/**
 * Append the words of @p text. `'...'` is taken as it is; in `"..."` and outside of quotes a backslash
 * escapes: itself, a quote, a blank, `#`, `n`, `t`, `r`, and `xHH` for any byte but NUL.
 *
 * @retval TROUPE_ERR_INVAL  a quote has no end, or an escape is none.
 * @retval TROUPE_ERR_NOMEM  no memory. Both leave *words as it was.
 */
enum troupe_err trp_shell_words_split(
    const char *text, struct trp_parse_error *parse_error, struct trp_shell_words *words);

/**
 * Print a word so that trp_shell_words_split() gives it back, without apostrophes, so that they can go around
 * a line of words.
 *
 * @param text  Receives it; has room for it by ::TRP_WORD_STRETCH.
 * @return      its length.
 */
size_t trp_shell_word_print(const char *word, char *text);

void trp_shell_words_fini(struct trp_shell_words *words);

#endif
