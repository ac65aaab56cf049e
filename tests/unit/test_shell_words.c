/*
 * Words of a launch file: how a line is split, at which character a wrong one is refused, and that
 * printed words are read back.
 */
#include "base/shell_words.h"
#include "chance.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

static struct trp_shell_words words;
static struct trp_parse_error flaw;

static void free_words(void)
{
    trp_shell_words_fini(&words);
}

TestSuite(shell_words, .timeout = 20, .fini = free_words);

/** Check that @p text is split into the words of @p expected, each with a NUL behind it. */
static void expect_words(const char *text, const char *expected, size_t expected_bytes)
{
    trp_shell_words_fini(&words);
    cr_assert(
        eq(int, trp_shell_words_split(text, &flaw, &words), TROUPE_OK), "%s: %s", text, flaw.what);
    cr_expect(
        words.byte_count == expected_bytes && memcmp(words.bytes, expected, expected_bytes) == 0,
        "%s gives %zu bytes",
        text,
        words.byte_count);
}

// The NUL of the literal ends its last word.
#define EXPECT_WORDS(text, expected) expect_words((text), (expected), sizeof(expected))

/** Check that @p text is refused at that character, counted from 0. */
static void expect_refused(const char *text, size_t offset, const char *what)
{
    size_t before = words.byte_count;
    cr_expect(eq(int, trp_shell_words_split(text, &flaw, &words), TROUPE_ERR_INVAL), "%s", text);
    cr_expect(eq(sz, flaw.offset, offset), "%s", text);
    cr_expect(strstr(flaw.what, what) != NULL, "%s should say %s", flaw.what, what);
    cr_expect(eq(sz, words.byte_count, before));
}

Test(shell_words, are_split_at_blanks)
{
    EXPECT_WORDS("one", "one");
    EXPECT_WORDS("  one\ttwo  three ", "one\0two\0three");
    expect_words("", "", 0);
    expect_words(" \t ", "", 0);
}

Test(shell_words, are_kept_together_by_quotes)
{
    EXPECT_WORDS("'a b' \"c d\"", "a b\0c d");
    EXPECT_WORDS("--name='a b'c", "--name=a bc");
    EXPECT_WORDS("'' \"\"", "\0");
    EXPECT_WORDS("'a\"b' \"c'd\"", "a\"b\0c'd");
}

Test(shell_words, have_escapes_except_between_apostrophes)
{
    EXPECT_WORDS("a\\ b \\\"c\\\" d\\\\", "a b\0\"c\"\0d\\");
    EXPECT_WORDS("\"a\\\"b\\n\\x41\"", "a\"b\nA");
    EXPECT_WORDS("'a\\n'", "a\\n");
    EXPECT_WORDS("\\x01\\xfF\\#", "\x01\xff#");
}

Test(shell_words, are_appended_to_those_before)
{
    cr_assert(eq(int, trp_shell_words_split("one two", &flaw, &words), TROUPE_OK));
    cr_assert(eq(int, trp_shell_words_split("three", &flaw, &words), TROUPE_OK));
    cr_expect(eq(sz, words.byte_count, sizeof("one\0two\0three")));
    cr_expect(memcmp(words.bytes, "one\0two\0three", words.byte_count) == 0);
    expect_refused("four 'five", 5, "not closed");
}

Test(shell_words, are_refused_if_a_quote_is_not_closed)
{
    expect_refused("a 'b", 2, "this quote is not closed");
    expect_refused("a \"b\\\"", 2, "this quote is not closed");
    expect_refused("'", 0, "this quote is not closed");
}

Test(shell_words, are_refused_if_an_escape_is_unknown)
{
    expect_refused("a\\", 1, "unknown escape");
    expect_refused("\\q", 0, "unknown escape");
    expect_refused("\\x4", 0, "unknown escape");
    expect_refused("\\x", 0, "unknown escape");
    expect_refused("\\xg0", 0, "unknown escape");
    expect_refused("ab\\x00", 2, "unknown escape");
}

Test(shell_words, are_printed_without_quotes_where_possible)
{
    char text[64];
    (void)trp_shell_word_print("--top=10", text);
    cr_expect(strcmp(text, "--top=10") == 0, "%s", text);
    (void)trp_shell_word_print("a b", text);
    cr_expect(strcmp(text, "\"a b\"") == 0, "%s", text);
    (void)trp_shell_word_print("", text);
    cr_expect(strcmp(text, "\"\"") == 0, "%s", text);
}

Test(shell_words, are_read_back_as_they_were_printed)
{
    struct chance chance = chance_open("words");
    for (int i = 0; i < 20000; i++) {
        char word[16] = "";
        size_t count = chance_below(&chance, sizeof(word));
        for (size_t at = 0; at < count; at++) {
            static const char special[] = "\"'\\ #\tn\nx0";
            word[at] = (char)(1 + chance_below(&chance, 255));
            if (chance_one_in(&chance, 2)) {
                word[at] = special[chance_below(&chance, sizeof(special) - 1)];
            }
        }
        char text[sizeof(word) * TRP_WORD_STRETCH + 3];

        size_t bytes = trp_shell_word_print(word, text);

        cr_assert(eq(sz, bytes, strlen(text)));
        cr_assert(bytes < sizeof(text));
        cr_assert(strchr(text, '\'') == NULL && strchr(text, '\n') == NULL);
        expect_words(text, word, strlen(word) + 1);
    }
}
