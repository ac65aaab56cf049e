/**
 * @file shell_words.h
 * @brief Split a line into words as a shell does: at blanks, with quotes and escapes.
 */
#ifndef TRP_SHELL_WORDS_H
#define TRP_SHELL_WORDS_H

#include "base/parse_error.h"

#include <stddef.h>

/** Words, each with a NUL at its end, as troupe_args_next() reads them. Zero-initialise. */
struct trp_shell_words {
    char *bytes;
    size_t byte_count;
};

/** Most bytes that a printed word has for each of its own, beside two quotes and a NUL. */
enum { TRP_WORD_STRETCH = 4 };

/**
 * Append the words of @p text. Text in `'...'` is literal. In `"..."` and outside of quotes, a
 * backslash escapes itself, a quote, a blank and `#`, and stands with `n`, `t`, `r` and `xHH` for
 * the byte that they stand for in C; `x00` is not allowed.
 *
 * @retval TROUPE_ERR_INVAL  a quote is not closed, or an escape is unknown.
 * @retval TROUPE_ERR_NOMEM  no memory. Both leave *words unchanged.
 */
enum troupe_err trp_shell_words_split(
    const char *text, struct trp_parse_error *parse_error, struct trp_shell_words *words);

/**
 * Print a word so that trp_shell_words_split() reads it back. The text has no apostrophes, so that
 * they can enclose a line of words.
 *
 * @param text  Receives the text and its NUL; has room for them, see ::TRP_WORD_STRETCH.
 * @return      its length.
 */
size_t trp_shell_word_print(const char *word, char *text);

void trp_shell_words_fini(struct trp_shell_words *words);

#endif
