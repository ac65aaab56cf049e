/*
 * TROUPE_SPAWN() spawns with the options written in the call; TROUPE_ARGS() reads the arguments of `init` as
 * a struct, if they have its size.
 */
#include "support/fixture.h"

#include <string.h>

enum {
    REPORT_ARGS = 1, // ask; replied to with ARGS
    ARGS,            // struct seen
    NAME_BYTES = 32,
};

struct pair {
    uint64_t first;
    uint64_t second;
};

/** What an actor found at its start. */
struct seen {
    struct pair pair;
    uint64_t is_pair; // TROUPE_ARGS() returned a struct
    char name[NAME_BYTES];
};

static enum troupe_err reader_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct seen *seen = state;
    const struct pair *pair = TROUPE_ARGS(args, args_bytes, struct pair);
    strncpy(seen->name, troupe_self_name(ctx), sizeof(seen->name) - 1);
    if (pair != NULL) {
        seen->is_pair = 1;
        seen->pair = *pair;
    }
    return TROUPE_OK;
}

static void reader_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    REPORT(ctx, message, ARGS, (struct seen *)state);
}

static const struct troupe_behaviour reader = {
    .name = "reader",
    .state_bytes = sizeof(struct seen),
    .init = reader_init,
    .receive = reader_receive,
};

static struct fixture *open_with_reader(const struct fixture_placement *placement)
{
    return fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&reader)});
}

static const struct seen *ask_what_it_saw(struct fixture *fixture, troupe_ref_t ref)
{
    fixture_ask(fixture, ref, REPORT_ARGS, NULL, 0);
    return FIXTURE_RECEIVE(fixture, ARGS, struct seen);
}

/** Spawn a reader with @p args_bytes bytes of arguments. */
static troupe_ref_t spawn_reader(struct fixture *fixture, size_t args_bytes)
{
    static const unsigned char bytes[sizeof(struct pair) + 1];
    troupe_ref_t ref = TROUPE_REF_NONE;
    enum troupe_err err = TROUPE_SPAWN(
        troupe_system_context(fixture_system(fixture)),
        &ref,
        .behaviour = &reader,
        .args = bytes,
        .args_bytes = args_bytes);
    cr_assert(eq(int, err, TROUPE_OK));
    return ref;
}

BACKEND_TEST(spawn_macros, spawn_takes_its_options_from_the_call)
{
    struct fixture *fixture = open_with_reader(placement);
    const struct pair pair = {.first = 7, .second = UINT64_MAX};
    troupe_ref_t ref = TROUPE_REF_NONE;

    enum troupe_err err = TROUPE_SPAWN(
        troupe_system_context(fixture_system(fixture)),
        &ref,
        .behaviour = &reader,
        .name = "left",
        .args = &pair,
        .args_bytes = sizeof(pair));

    cr_assert(eq(int, err, TROUPE_OK));
    const struct seen *seen = ask_what_it_saw(fixture, ref);
    cr_expect(eq(u64, seen->is_pair, 1));
    cr_expect(eq(u64, seen->pair.first, pair.first));
    cr_expect(eq(u64, seen->pair.second, pair.second));
    cr_expect(strcmp(seen->name, "left") == 0, "%s", seen->name);
    (void)fixture_close(&fixture);
}

BACKEND_TEST(spawn_macros, spawn_returns_the_error_of_a_refused_spawn)
{
    struct fixture *fixture = open_with_reader(placement);
    troupe_ref_t ref = TROUPE_REF_NONE;

    enum troupe_err err = TROUPE_SPAWN(
        troupe_system_context(fixture_system(fixture)), &ref, .behaviour = &fixture_slow);

    cr_expect(eq(int, err, TROUPE_ERR_NOENT));
    cr_expect(troupe_ref_is_none(ref));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(spawn_macros, args_of_the_right_size_are_the_struct)
{
    struct fixture *fixture = open_with_reader(placement);

    troupe_ref_t ref = spawn_reader(fixture, sizeof(struct pair));

    cr_expect(eq(u64, ask_what_it_saw(fixture, ref)->is_pair, 1));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(spawn_macros, args_of_another_size_are_null)
{
    struct fixture *fixture = open_with_reader(placement);
    static const size_t sizes_bytes[] = {0, 1, sizeof(struct pair) - 1, sizeof(struct pair) + 1};

    for (size_t i = 0; i < sizeof(sizes_bytes) / sizeof(sizes_bytes[0]); i++) {
        troupe_ref_t ref = spawn_reader(fixture, sizes_bytes[i]);
        cr_expect(eq(u64, ask_what_it_saw(fixture, ref)->is_pair, 0), "%zu bytes", sizes_bytes[i]);
    }

    (void)fixture_close(&fixture);
}

SUBJECTS(&reader);
