/*
 * troupe_args_next(): iterates over the arguments of the first actor.
 */
#include "troupe/main.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <string.h>

TestSuite(args, .timeout = 10);

/** Iterate over @p args, and append the words to @p out, each with a comma behind it. */
static const char *join(const char *args, size_t args_bytes, char *out)
{
    *out = '\0';
    const char *word = NULL;
    while ((word = troupe_args_next(args, args_bytes, word)) != NULL) {
        strcat(strcat(out, word), ",");
    }
    return out;
}

Test(args, that_are_empty_have_no_words)
{
    char out[64];
    cr_expect(strcmp(join(NULL, 0, out), "") == 0);
    cr_expect(strcmp(join("", 0, out), "") == 0);
}

Test(args, are_returned_in_order)
{
    static const char args[] = "--top\0"
                               "10\0"
                               "a file";
    char out[64];
    cr_expect(strcmp(join(args, sizeof(args), out), "--top,10,a file,") == 0);
}

Test(args, may_be_empty_words)
{
    static const char args[] = "\0a\0\0b\0";
    char out[64];
    cr_expect(strcmp(join(args, sizeof(args) - 1, out), ",a,,b,") == 0);
    cr_expect(strcmp(join("", 1, out), ",") == 0);
}

Test(args, are_views_of_the_same_bytes)
{
    static const char args[] = "one\0two";
    const char *one = troupe_args_next(args, sizeof(args), NULL);
    const char *two = troupe_args_next(args, sizeof(args), one);
    cr_expect(one == args);
    cr_expect(two == args + 4);
    cr_expect(troupe_args_next(args, sizeof(args), two) == NULL);
}
