/*
 * The version: the number, the text and the library agree with the three parts, and versions compare as
 * numbers do.
 */
#include "troupe/troupe.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdbool.h>
#include <stdio.h>

TestSuite(version, .timeout = 10);

Test(version, of_headers_and_library_are_the_same)
{
    cr_expect_str_eq(troupe_version(), TROUPE_VERSION_STRING);
}

Test(version, as_text_has_the_three_parts)
{
    char expected[32];
    (void)snprintf(
        expected,
        sizeof(expected),
        "%d.%d.%d",
        TROUPE_VERSION_MAJOR,
        TROUPE_VERSION_MINOR,
        TROUPE_VERSION_PATCH);

    cr_expect_str_eq(TROUPE_VERSION_STRING, expected);
}

Test(version, as_a_number_has_two_digits_for_minor_and_two_for_patch)
{
    const int parts[] = {
        TROUPE_VERSION / 10000,
        TROUPE_VERSION / 100 % 100,
        TROUPE_VERSION % 100,
    };

    cr_expect(eq(int, parts[0], TROUPE_VERSION_MAJOR));
    cr_expect(eq(int, parts[1], TROUPE_VERSION_MINOR));
    cr_expect(eq(int, parts[2], TROUPE_VERSION_PATCH));
}

Test(version, compares_part_by_part)
{
    cr_expect(lt(int, TROUPE_MAKE_VERSION(0, 1, 99), TROUPE_MAKE_VERSION(0, 2, 0)));
    cr_expect(lt(int, TROUPE_MAKE_VERSION(0, 99, 99), TROUPE_MAKE_VERSION(1, 0, 0)));
    cr_expect(lt(int, TROUPE_MAKE_VERSION(1, 2, 9), TROUPE_MAKE_VERSION(1, 2, 10)));
}

Test(version, can_be_compared_by_the_preprocessor)
{
#if TROUPE_VERSION >= TROUPE_MAKE_VERSION(0, 1, 0) && TROUPE_VERSION < TROUPE_MAKE_VERSION(99, 0, 0)
    const bool is_compared = true;
#else
    const bool is_compared = false;
#endif

    cr_expect(is_compared);
}
