/*
 * The list of backends: what a table must have to be registered. Each test runs in a process of its
 * own, and so begins with the built-in backends.
 */
#include "config/builtin.h"
#include "troupe/backend.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdio.h>
#include <string.h>

TestSuite(backend, .timeout = 10);

static enum troupe_err start(
    void *self,
    troupe_executor_t *executor,
    const struct troupe_executor_spec *spec,
    void **out_handle)
{
    (void)self;
    (void)executor;
    (void)spec;
    (void)out_handle;
    return TROUPE_ERR_UNSUPPORTED;
}

static void wait_for(void *self, void *handle)
{
    (void)self;
    (void)handle;
}

static void run_once(void *self, troupe_executor_t *executor)
{
    (void)self;
    (void)executor;
}

static int exit_fd(void *self, void *handle)
{
    (void)self;
    (void)handle;
    return -1;
}

static void reap(void *self, void *handle, struct troupe_exit *out_exit)
{
    (void)self;
    (void)handle;
    (void)out_exit;
}

static enum troupe_err child_setup(const char *name, int32_t parent_pid)
{
    (void)name;
    (void)parent_pid;
    return TROUPE_ERR_UNSUPPORTED;
}

/** A table with all that a backend must have. */
static const struct troupe_backend_ops whole = {
    .version = TROUPE_BACKEND_VERSION,
    .name = "whole",
    .description = "a table with all it needs",
    .start = start,
    .join = wait_for,
};

static uint32_t count_known(void)
{
    uint32_t count = 0;
    while (troupe_backend_get(count) != NULL) {
        count++;
    }
    return count;
}

/**
 * Check that a table is refused, that the detail contains @p what, and that it is not registered.
 */
static void expect_refused(
    const struct troupe_backend_ops *ops, enum troupe_err wanted, const char *what)
{
    uint32_t before = count_known();
    cr_expect(eq(int, troupe_backend_register(ops), wanted), "%s", what);
    const char *detail = troupe_error_detail();
    cr_expect(strstr(detail, what) != NULL, "'%s' should say %s", detail, what);
    cr_expect(eq(u32, count_known(), before));
}

Test(backend, list_begins_with_the_built_in_ones_and_of_them_the_default)
{
    cr_assert(eq(u32, count_known(), 3));
    cr_expect(ne(u32, troupe_backend_get(0)->traits & TROUPE_TRAIT_CALLERS_THREAD, 0));
    cr_expect(strcmp(troupe_backend_get(0)->name, "ecs") == 0);
    cr_expect(strcmp(troupe_backend_get(1)->name, "thread") == 0);
    cr_expect(strcmp(troupe_backend_get(2)->name, "process") == 0);
    cr_expect(troupe_backend_get(3) == NULL);
    cr_expect(troupe_backend_get(UINT32_MAX) == NULL);
}

Test(backend, registered_before_any_other_call_comes_after_the_built_in_ones)
{
    cr_assert(eq(int, troupe_backend_register(&whole), TROUPE_OK));
    cr_expect(troupe_backend_get(3) == &whole);
    cr_expect(strcmp(troupe_backend_get(0)->name, "ecs") == 0);
}

Test(backend, registered_twice_is_listed_once)
{
    cr_expect(eq(int, troupe_backend_register(&whole), TROUPE_OK));
    cr_expect(eq(int, troupe_backend_register(&whole), TROUPE_OK));
    cr_expect(eq(int, troupe_backend_register(troupe_backend_get(0)), TROUPE_OK));
    cr_expect(eq(u32, count_known(), 4));
}

Test(backend, table_that_lacks_a_field_is_refused_with_the_name_of_the_field)
{
    struct troupe_backend_ops ops = whole;
    ops.name = NULL;
    expect_refused(&ops, TROUPE_ERR_INVAL, "`name`");
    ops.name = "";
    expect_refused(&ops, TROUPE_ERR_INVAL, "`name`");
    ops = whole;
    ops.description = NULL;
    expect_refused(&ops, TROUPE_ERR_INVAL, "`description`");
    ops = whole;
    ops.start = NULL;
    expect_refused(&ops, TROUPE_ERR_INVAL, "'whole' lacks `start`");
    ops = whole;
    ops.join = NULL;
    expect_refused(&ops, TROUPE_ERR_INVAL, "'whole' lacks `join`");
}

Test(backend, on_the_callers_thread_needs_run_once_instead_of_start)
{
    struct troupe_backend_ops ops = whole;
    ops.traits = TROUPE_TRAIT_CALLERS_THREAD;
    expect_refused(&ops, TROUPE_ERR_INVAL, "`run_once`");
    ops.run_once = run_once;
    ops.start = NULL;
    ops.join = NULL;
    cr_expect(eq(int, troupe_backend_register(&ops), TROUPE_OK));
}

Test(backend, that_isolates_crashes_needs_exit_fd_reap_and_child_setup)
{
    struct troupe_backend_ops ops = whole;
    ops.traits = TROUPE_TRAIT_ISOLATES_CRASHES;
    expect_refused(&ops, TROUPE_ERR_INVAL, "`exit_fd`");
    ops.exit_fd = exit_fd;
    expect_refused(&ops, TROUPE_ERR_INVAL, "`reap`");
    ops.reap = reap;
    expect_refused(&ops, TROUPE_ERR_INVAL, "`child_setup`");
    ops.child_setup = child_setup;
    cr_expect(eq(int, troupe_backend_register(&ops), TROUPE_OK));
}

Test(backend, table_of_another_version_is_refused)
{
    struct troupe_backend_ops ops = whole;
    ops.version = 0;
    expect_refused(&ops, TROUPE_ERR_UNSUPPORTED, "version 0");
    ops.version = TROUPE_BACKEND_VERSION + 1;
    expect_refused(&ops, TROUPE_ERR_UNSUPPORTED, "version 2");
}

Test(backend, name_of_another_is_refused)
{
    struct troupe_backend_ops ops = whole;
    ops.name = "thread";
    expect_refused(&ops, TROUPE_ERR_EXISTS, "'thread'");
}

Test(backend, name_that_a_rule_cannot_contain_is_refused)
{
    static const char *const names[] = {
        "Fibre", "a b", "a:b", "a+b", "a=b", "a_b", "a-b", ";", "fibr\xC3\xA9"};
    struct troupe_backend_ops ops = whole;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ops.name = names[i];
        expect_refused(&ops, TROUPE_ERR_INVAL, "lower-case letters and digits");
    }
}

Test(backend, list_is_bounded)
{
    static struct troupe_backend_ops tables[TRP_BACKEND_COUNT_MAX];
    static char names[TRP_BACKEND_COUNT_MAX][8];
    uint32_t known = count_known();
    for (uint32_t i = known; i < TRP_BACKEND_COUNT_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "b%u", i);
        tables[i] = whole;
        tables[i].name = names[i];
        cr_assert(eq(int, troupe_backend_register(&tables[i]), TROUPE_OK));
    }
    expect_refused(&whole, TROUPE_ERR_LIMIT, "no room for 'whole'");
    cr_expect(eq(int, troupe_backend_register(&tables[known]), TROUPE_OK)); // registered already
}
