/*
 * References as values: compared, printed, parsed.
 */
#include "chance.h"
#include "troupe/ref.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(ref, .timeout = 10);

static troupe_ref_t random_ref(struct chance *chance)
{
    return (troupe_ref_t){
        (uint32_t)chance_bits(chance) | 1,
        (uint32_t)chance_bits(chance) >> chance_below(chance, 32),
        (uint32_t)chance_bits(chance) >> chance_below(chance, 32),
        (uint32_t)chance_bits(chance) >> chance_below(chance, 32),
    };
}

static void expect_text(troupe_ref_t ref, const char *wanted)
{
    char text[TROUPE_REF_TEXT_BYTES];
    cr_expect(troupe_ref_print(ref, text) == text);
    cr_expect(strcmp(text, wanted) == 0, "%s rather than %s", text, wanted);
}

/** Check that @p text is refused at that character, counted from 1; 0: at any. */
static void expect_refused(const char *text, size_t character)
{
    char place[64] = "";
    troupe_ref_t ref = {9, 9, 9, 9};
    if (character != 0) {
        (void)snprintf(place, sizeof(place), "at character %zu:", character);
    }

    enum troupe_err err = troupe_ref_parse(text, &ref);

    const char *detail = troupe_error_detail();
    cr_expect(eq(int, err, TROUPE_ERR_INVAL), "'%s'", text);
    cr_expect(strstr(detail, place) != NULL, "%s should say %s", detail, place);
    cr_expect(troupe_ref_equal(ref, (troupe_ref_t){9, 9, 9, 9})); // unchanged
}

Test(ref, of_zeroed_memory_is_none)
{
    troupe_ref_t ref;
    memset(&ref, 0, sizeof(ref));
    cr_expect(troupe_ref_is_none(ref));
    cr_expect(troupe_ref_equal(ref, TROUPE_REF_NONE));
    cr_expect(eq(sz, sizeof(ref), 16));
}

Test(ref, equals_itself_and_nothing_that_differs_in_a_part)
{
    const troupe_ref_t ref = {1, 2, 3, 4};
    cr_expect(troupe_ref_equal(ref, (troupe_ref_t){1, 2, 3, 4}));
    cr_expect(not(troupe_ref_equal(ref, (troupe_ref_t){9, 2, 3, 4})));
    cr_expect(not(troupe_ref_equal(ref, (troupe_ref_t){1, 9, 3, 4})));
    cr_expect(not(troupe_ref_equal(ref, (troupe_ref_t){1, 2, 9, 4})));
    cr_expect(not(troupe_ref_equal(ref, (troupe_ref_t){1, 2, 3, 9})));
}

Test(ref, sorts_by_node_executor_index_generation)
{
    static const troupe_ref_t sorted[] = {
        {0, 0, 0, 0},
        {1, 0, 0, 1},
        {1, 0, 0, UINT32_MAX},
        {1, 0, 1, 0},
        {1, 1, 0, 0},
        {1, UINT32_MAX, UINT32_MAX, UINT32_MAX},
        {2, 0, 0, 0},
        {UINT32_MAX, 0, 0, 0},
    };
    for (int a = 0; a < 8; a++) {
        for (int b = 0; b < 8; b++) {
            int order = troupe_ref_compare(sorted[a], sorted[b]);
            cr_expect(eq(int, (order > 0) - (order < 0), (a > b) - (a < b)), "%d and %d", a, b);
        }
    }
}

Test(ref, prints_its_parts_in_decimal)
{
    expect_text((troupe_ref_t){1, 2, 3, 4}, "1.2.3.4");
    expect_text((troupe_ref_t){1, 0, 0, 1}, "1.0.0.1");
    expect_text(
        (troupe_ref_t){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
        "4294967295.4294967295.4294967295.4294967295");
    expect_text(TROUPE_REF_NONE, "-");
}

Test(ref, parses_what_it_prints)
{
    struct chance chance = chance_open("references");
    for (int i = 0; i < 20000; i++) {
        char text[TROUPE_REF_TEXT_BYTES];
        troupe_ref_t ref = random_ref(&chance);
        troupe_ref_t back = TROUPE_REF_NONE;
        cr_assert(eq(int, troupe_ref_parse(troupe_ref_print(ref, text), &back), TROUPE_OK));
        cr_assert(troupe_ref_equal(ref, back), "%s", text);
    }
}

Test(ref, parses_none)
{
    troupe_ref_t ref = {9, 9, 9, 9};
    cr_expect(eq(int, troupe_ref_parse("-", &ref), TROUPE_OK));
    cr_expect(troupe_ref_is_none(ref));
}

Test(ref, refuses_other_texts_and_points_at_the_character)
{
    expect_refused("", 1);
    expect_refused("x", 1);
    expect_refused(" 1.2.3.4", 1);
    expect_refused("+1.2.3.4", 1);
    expect_refused("-1.2.3.4", 1);
    expect_refused("--", 1);
    expect_refused("1", 2);
    expect_refused("1.2.3", 6);
    expect_refused("1..3.4", 3);
    expect_refused("1.2.x.4", 5);
    expect_refused("1,2.3.4", 2);
    expect_refused("1.2.3.4.", 8);
    expect_refused("1.2.3.4.5", 8);
    expect_refused("1.2.3.4 ", 8);
    expect_refused("1.2.3.", 7);
}

Test(ref, refuses_numbers_that_do_not_fit)
{
    expect_refused("4294967296.1.1.1", 0);
    expect_refused("1.1.1.4294967296", 0);
    expect_refused("1.18446744073709551617.1.1", 0);
    expect_refused("1.1.99999999999999999999999999999999999999.1", 0);
}

Test(ref, refuses_node_0)
{
    expect_refused("0.0.0.0", 0);
    expect_refused("0.1.2.3", 0);
}
