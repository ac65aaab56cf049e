/*
 * Names: one actor goes by a name at a time, others find it or wait for it, and a name is free
 * again when its actor has ended.
 */
#include "support/fixture.h"

#include <string.h>

enum {
    TAKE = 1,      // ask: take the name, char[]; answered by RESULT
    DROP,          // ask: give the name back; answered by RESULT
    FIND,          // ask: look the name up; answered by RESULT
    AWAIT,         // ask: wait for the name; answered by RESULT
    AWAIT_BRIEFLY, // the same for 2 ms
    RESULT,        // struct result
    LEAVE,         // stop yourself
    READY,         // ask: answered by RESULT at once
};

struct result {
    uint32_t err;
    uint32_t is_name; // the answer was a ::TROUPE_MESSAGE_NAME
    troupe_ref_t ref;
};

/* A citizen does with names what it is told. --------------------------------------------------- */

struct citizen {
    struct troupe_reply_to asker;
};

static void citizen_on_name(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *answer)
{
    (void)tag;
    const struct citizen *citizen = state;
    struct result result = {.err = (uint32_t)err};
    if (answer != NULL) {
        const troupe_ref_t *ref = TROUPE_BODY(answer, troupe_ref_t);
        MUST_BE(ref != NULL);
        result.ref = *ref;
        result.is_name = troupe_message_type(answer) == TROUPE_MESSAGE_NAME;
    }
    MUST(troupe_reply_later(ctx, citizen->asker, RESULT, &result, sizeof(result)));
}

static void citizen_await(
    troupe_context_t *ctx, struct citizen *citizen, const troupe_message_t *message)
{
    bool is_brief = troupe_message_type(message) == AWAIT_BRIEFLY;
    uint64_t timeout_ns = is_brief ? 2000000 : 4 * FIXTURE_DEADLINE_NS;
    citizen->asker = troupe_message_reply_to(message);
    MUST(troupe_await_name(
        ctx,
        troupe_message_body(message),
        &(const struct troupe_ask_options){.timeout_ns = timeout_ns, .on_reply = citizen_on_name}));
}

static void citizen_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const char *name = troupe_message_body(message);
    struct result result = {0};
    switch (troupe_message_type(message)) {
    case TAKE:
        result.err = (uint32_t)troupe_register(ctx, name);
        break;
    case DROP:
        result.err = (uint32_t)troupe_unregister(ctx, name);
        break;
    case FIND:
        result.err = (uint32_t)troupe_lookup(ctx, name, &result.ref);
        break;
    case AWAIT:
    case AWAIT_BRIEFLY:
        citizen_await(ctx, state, message);
        return;
    case LEAVE:
        troupe_stop(ctx);
        return;
    default:
        break;
    }
    REPORT(ctx, message, RESULT, &result);
}

static const struct troupe_behaviour citizen = {
    .name = "citizen", .state_bytes = sizeof(struct citizen), .receive = citizen_receive};

static struct fixture *open_with_citizens(
    const struct fixture_placement *placement, troupe_ref_t *out_one, troupe_ref_t *out_other)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&citizen)};
    struct fixture *fixture = fixture_open(placement, &options);
    *out_one = fixture_spawn(fixture, &citizen);
    *out_other = fixture_spawn(fixture, &citizen);
    return fixture;
}

/** Tell a citizen what to do with a name, and wait for what came of it. */
static const struct result *does(
    struct fixture *fixture, troupe_ref_t who, uint32_t what, const char *name)
{
    fixture_ask(fixture, who, what, name, strlen(name) + 1);
    return FIXTURE_HEAR(fixture, RESULT, struct result);
}

BACKEND_TEST(names, a_registered_actor_is_found)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_citizens(placement, &one, &other);

    cr_expect(eq(u32, does(fixture, one, TAKE, "bakery")->err, TROUPE_OK));

    const struct result *found = does(fixture, other, FIND, "bakery");
    cr_expect(eq(u32, found->err, TROUPE_OK));
    cr_expect(troupe_ref_equal(found->ref, one));
    fixture_close(&fixture);
}

BACKEND_TEST(names, the_main_program_finds_names_and_cannot_take_them)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_citizens(placement, &one, &other);
    troupe_context_t *ctx = troupe_system_context(fixture_system(fixture));
    troupe_ref_t found = TROUPE_REF_NONE;
    (void)does(fixture, one, TAKE, "bakery");

    cr_expect(eq(int, troupe_lookup(ctx, "bakery", &found), TROUPE_OK));

    cr_expect(troupe_ref_equal(found, one));
    cr_expect(eq(int, troupe_register(ctx, "brewery"), TROUPE_ERR_INVAL));
    fixture_close(&fixture);
}

BACKEND_TEST(names, a_name_belongs_to_one_actor)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_citizens(placement, &one, &other);
    (void)does(fixture, one, TAKE, "bakery");

    cr_expect(eq(u32, does(fixture, other, TAKE, "bakery")->err, TROUPE_ERR_EXISTS));

    cr_expect(troupe_ref_equal(does(fixture, other, FIND, "bakery")->ref, one));
    fixture_close(&fixture);
}

BACKEND_TEST(names, an_actor_may_go_by_two_names)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_citizens(placement, &one, &other);
    (void)does(fixture, one, TAKE, "bakery");
    (void)does(fixture, one, TAKE, "cafe");

    cr_expect(troupe_ref_equal(does(fixture, other, FIND, "bakery")->ref, one));
    cr_expect(troupe_ref_equal(does(fixture, other, FIND, "cafe")->ref, one));
    fixture_close(&fixture);
}

BACKEND_TEST(names, nobody_goes_by_an_unknown_name)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_citizens(placement, &one, &other);

    const struct result *found = does(fixture, other, FIND, "bakery");

    cr_expect(eq(u32, found->err, TROUPE_ERR_NOENT));
    cr_expect(troupe_ref_is_none(found->ref));
    fixture_close(&fixture);
}

BACKEND_TEST(names, a_name_given_back_is_free)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_citizens(placement, &one, &other);
    (void)does(fixture, one, TAKE, "bakery");

    cr_expect(eq(u32, does(fixture, other, DROP, "bakery")->err, TROUPE_ERR_NOENT)); // not its own
    cr_expect(eq(u32, does(fixture, one, DROP, "bakery")->err, TROUPE_OK));

    cr_expect(eq(u32, does(fixture, other, FIND, "bakery")->err, TROUPE_ERR_NOENT));
    cr_expect(eq(u32, does(fixture, one, DROP, "bakery")->err, TROUPE_ERR_NOENT));
    cr_expect(eq(u32, does(fixture, other, TAKE, "bakery")->err, TROUPE_OK));
    fixture_close(&fixture);
}

BACKEND_TEST(names, a_name_is_free_when_its_actor_has_ended)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_citizens(placement, &one, &other);
    (void)does(fixture, one, TAKE, "bakery");

    fixture_tell(fixture, one, LEAVE, NULL, 0);
    fixture_ask(fixture, one, READY, NULL, 0); // comes back when it is gone
    (void)fixture_hear(fixture, FIXTURE_NO_ANSWER);

    cr_expect(eq(u32, does(fixture, other, FIND, "bakery")->err, TROUPE_ERR_NOENT));
    cr_expect(eq(u32, does(fixture, other, TAKE, "bakery")->err, TROUPE_OK));
    fixture_close(&fixture);
}

BACKEND_TEST(names, names_have_1_to_255_bytes)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_citizens(placement, &one, &other);
    char name[257] = {0};
    memset(name, 'n', 255);

    cr_expect(eq(u32, does(fixture, one, TAKE, name)->err, TROUPE_OK));
    cr_expect(troupe_ref_equal(does(fixture, other, FIND, name)->ref, one));
    name[255] = 'n';
    cr_expect(eq(u32, does(fixture, one, TAKE, name)->err, TROUPE_ERR_INVAL));
    cr_expect(eq(u32, does(fixture, one, TAKE, "")->err, TROUPE_ERR_INVAL));
    fixture_close(&fixture);
}

BACKEND_TEST(names, who_awaits_a_name_is_told_when_it_is_taken)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_citizens(placement, &one, &other);
    fixture_ask(fixture, other, AWAIT, "bakery", sizeof("bakery"));
    fixture_ask(fixture, other, READY, NULL, 0);
    const struct result *ready = FIXTURE_HEAR(fixture, RESULT, struct result);
    cr_assert(troupe_ref_is_none(ready->ref), "a name nobody goes by was found");

    fixture_ask(fixture, one, TAKE, "bakery", sizeof("bakery"));

    const struct result *first = FIXTURE_HEAR(fixture, RESULT, struct result);
    const struct result *second = FIXTURE_HEAR(fixture, RESULT, struct result);
    const struct result *told = !troupe_ref_is_none(first->ref) ? first : second;
    cr_expect(eq(u32, told->err, TROUPE_OK));
    cr_expect(eq(u32, told->is_name, 1));
    cr_expect(troupe_ref_equal(told->ref, one));
    fixture_close(&fixture);
}

BACKEND_TEST(names, who_awaits_a_name_that_is_taken_is_told_too)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_citizens(placement, &one, &other);
    (void)does(fixture, one, TAKE, "bakery");

    const struct result *told = does(fixture, other, AWAIT, "bakery");

    cr_expect(eq(u32, told->err, TROUPE_OK));
    cr_expect(troupe_ref_equal(told->ref, one));
    fixture_close(&fixture);
}

BACKEND_TEST(names, waiting_for_a_name_times_out)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_citizens(placement, &one, &other);

    const struct result *told = does(fixture, other, AWAIT_BRIEFLY, "bakery");

    cr_expect(eq(u32, told->err, TROUPE_ERR_TIMEDOUT));
    fixture_close(&fixture);
}

SUBJECTS(&citizen);
