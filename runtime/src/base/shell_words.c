#include "base/shell_words.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A position in a text; what is read there goes to `out`. */
struct shell_words_reader {
    const char *text;
    size_t at;
    char *out;
    struct trp_parse_error *parse_error;
};

static bool shell_words_is_blank(char character)
{
    return character == ' ' || character == '\t';
}

static int shell_words_hex(char character)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit =
        character == '\0' ? NULL : strchr(digits, tolower((unsigned char)character));
    return digit == NULL ? -1 : (int)(digit - digits);
}

/** Read an escape, at its backslash. */
static enum troupe_err shell_words_read_escape(struct shell_words_reader *reader)
{
    static const char escaped[] = "\\\"' #\tntr";
    static const char meant[] = "\\\"' #\t\n\t\r";
    const char *at = reader->text + reader->at;
    const char *found = at[1] == '\0' ? NULL : strchr(escaped, at[1]);
    if (found != NULL) {
        *reader->out++ = meant[found - escaped];
        reader->at += 2;
        return TROUPE_OK;
    }
    int high = at[1] == 'x' ? shell_words_hex(at[2]) : -1;
    int low = high >= 0 ? shell_words_hex(at[3]) : -1;
    if (low < 0 || high + low == 0) {
        return TRP_PARSE_ERROR(
            reader->parse_error,
            TROUPE_ERR_INVAL,
            reader->at,
            "unknown escape; use \\\\ \\\" \\' \\# \\n \\t \\r, a blank, or \\x01 to \\xff");
    }
    *reader->out++ = (char)(high * 16 + low);
    reader->at += 4;
    return TROUPE_OK;
}

/** Read a word, up to the next blank outside of quotes, or the end. */
static enum troupe_err shell_words_read_word(struct shell_words_reader *reader)
{
    char quote = '\0';
    size_t quote_at = 0;
    enum troupe_err err = TROUPE_OK;
    while (err == TROUPE_OK) {
        char character = reader->text[reader->at];
        if (character == '\0' || (quote == '\0' && shell_words_is_blank(character))) {
            break;
        }
        if (character == '\\' && quote != '\'') {
            err = shell_words_read_escape(reader);
        } else if (quote == '\0' && (character == '"' || character == '\'')) {
            quote = character;
            quote_at = reader->at++;
        } else {
            if (character == quote) {
                quote = '\0';
            } else {
                *reader->out++ = character;
            }
            reader->at++;
        }
    }
    if (err == TROUPE_OK && quote != '\0') {
        err = TRP_PARSE_ERROR(
            reader->parse_error, TROUPE_ERR_INVAL, quote_at, "this quote is not closed");
    }
    *reader->out++ = '\0';
    return err;
}

enum troupe_err trp_shell_words_split(
    const char *text, struct trp_parse_error *parse_error, struct trp_shell_words *words)
{
    // No word is longer than its text; its NUL takes the place of the blank or the end behind it.
    char *bytes = realloc(words->bytes, words->byte_count + strlen(text) + 1);
    if (bytes == NULL) {
        return TRP_PARSE_ERROR(parse_error, TROUPE_ERR_NOMEM, 0, "no memory for the words");
    }
    words->bytes = bytes;
    struct shell_words_reader reader = {
        .text = text, .out = bytes + words->byte_count, .parse_error = parse_error};
    enum troupe_err err = TROUPE_OK;
    while (err == TROUPE_OK) {
        while (shell_words_is_blank(text[reader.at])) {
            reader.at++;
        }
        if (text[reader.at] == '\0') {
            break;
        }
        err = shell_words_read_word(&reader);
    }
    if (err == TROUPE_OK) {
        words->byte_count = (size_t)(reader.out - bytes);
    }
    return err;
}

/** @return whether a character needs no quotes. */
static bool shell_words_is_plain(unsigned char character)
{
    return isalnum(character) || character >= 0x80 || strchr("_@%+=:,./-*?", character) != NULL;
}

static size_t shell_words_print_character(unsigned char character, char *text)
{
    if (character == '"' || character == '\\') {
        text[0] = '\\';
        text[1] = (char)character;
        return 2;
    }
    // Including the apostrophe, so that apostrophes can enclose a line of words.
    if (character < ' ' || character == 0x7f || character == '\'') {
        return (size_t)snprintf(text, 5, "\\x%02x", character);
    }
    text[0] = (char)character;
    return 1;
}

size_t trp_shell_word_print(const char *word, char *text)
{
    bool plain = *word != '\0';
    for (const char *at = word; *at != '\0'; at++) {
        plain = plain && shell_words_is_plain((unsigned char)*at);
    }
    size_t bytes = 0;
    if (!plain) {
        text[bytes++] = '"';
    }
    for (const char *at = word; *at != '\0'; at++) {
        bytes += shell_words_print_character((unsigned char)*at, text + bytes);
    }
    if (!plain) {
        text[bytes++] = '"';
    }
    text[bytes] = '\0';
    return bytes;
}

void trp_shell_words_fini(struct trp_shell_words *words)
{
    free(words->bytes);
    *words = (struct trp_shell_words){0};
}
