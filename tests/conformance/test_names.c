/*
 * Names: one actor at a time is registered as a name, others look it up or wait for it, and a name is free again
 * when its actor has ended.
 */
#include "support/fixture.h"

#include <string.h>

enum {
    REGISTER = 1, // ask: take the name, char[]; replied to with RESULT
    UNREGISTER,   // ask: free the name; replied to with RESULT
    LOOKUP,       // ask: look the name up; replied to with RESULT
    AWAIT,        // ask: wait for the name; replied to with RESULT
    AWAIT_2_MS,   // the same for 2 ms
    RESULT,       // struct result
    STOP,         // stop
    READY,        // ask: replied to with RESULT at once
};

struct result {
    uint32_t err;
    uint32_t is_name; // the reply was a ::TROUPE_MESSAGE_NAME
    troupe_ref_t ref;
};

/* A registrant registers, looks up and awaits names as it is asked. ---------------------------- */

struct registrant {
    struct troupe_reply_to reply_to;
};

static void registrant_on_name(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)tag;
    const struct registrant *registrant = state;
    struct result result = {.err = (uint32_t)err};
    if (reply != NULL) {
        const troupe_ref_t *ref = TROUPE_BODY(reply, troupe_ref_t);
        MUST_BE(ref != NULL);
        result.ref = *ref;
        result.is_name = troupe_message_type(reply) == TROUPE_MESSAGE_NAME;
    }
    MUST(troupe_reply_later(ctx, registrant->reply_to, RESULT, &result, sizeof(result)));
}

static void registrant_await(
    troupe_context_t *ctx, struct registrant *registrant, const troupe_message_t *message)
{
    bool is_brief = troupe_message_type(message) == AWAIT_2_MS;
    uint64_t timeout_ns = is_brief ? 2000000 : 4 * FIXTURE_DEADLINE_NS;
    registrant->reply_to = troupe_message_reply_to(message);
    MUST(troupe_await_name(
        ctx,
        troupe_message_body(message),
        &(const struct troupe_ask_options){
            .timeout_ns = timeout_ns, .on_reply = registrant_on_name}));
}

static void registrant_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const char *name = troupe_message_body(message);
    struct result result = {0};
    switch (troupe_message_type(message)) {
    case REGISTER:
        result.err = (uint32_t)troupe_register(ctx, name);
        break;
    case UNREGISTER:
        result.err = (uint32_t)troupe_unregister(ctx, name);
        break;
    case LOOKUP:
        result.err = (uint32_t)troupe_lookup(ctx, name, &result.ref);
        break;
    case AWAIT:
    case AWAIT_2_MS:
        registrant_await(ctx, state, message);
        return;
    case STOP:
        troupe_stop(ctx);
        return;
    default:
        break;
    }
    REPORT(ctx, message, RESULT, &result);
}

static const struct troupe_behaviour registrant = {
    .name = "registrant", .state_bytes = sizeof(struct registrant), .receive = registrant_receive};

static struct fixture *open_with_registrants(
    const struct fixture_placement *placement, troupe_ref_t *out_one, troupe_ref_t *out_other)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&registrant)};
    struct fixture *fixture = fixture_open(placement, &options);
    *out_one = fixture_spawn(fixture, &registrant);
    *out_other = fixture_spawn(fixture, &registrant);
    return fixture;
}

/** Ask a registrant to do something with a name, and wait for the result. */
static const struct result *request(
    struct fixture *fixture, troupe_ref_t subject, uint32_t what, const char *name)
{
    fixture_ask(fixture, subject, what, name, strlen(name) + 1);
    return FIXTURE_RECEIVE(fixture, RESULT, struct result);
}

BACKEND_TEST(names, a_registered_actor_is_found)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_registrants(placement, &one, &other);

    cr_expect(eq(u32, request(fixture, one, REGISTER, "bakery")->err, TROUPE_OK));

    const struct result *found = request(fixture, other, LOOKUP, "bakery");
    cr_expect(eq(u32, found->err, TROUPE_OK));
    cr_expect(troupe_ref_equal(found->ref, one));
    fixture_close(&fixture);
}

BACKEND_TEST(names, the_main_program_can_look_up_names_and_not_register_them)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_registrants(placement, &one, &other);
    troupe_context_t *ctx = troupe_system_context(fixture_system(fixture));
    troupe_ref_t found = TROUPE_REF_NONE;
    (void)request(fixture, one, REGISTER, "bakery");

    cr_expect(eq(int, troupe_lookup(ctx, "bakery", &found), TROUPE_OK));

    cr_expect(troupe_ref_equal(found, one));
    cr_expect(eq(int, troupe_register(ctx, "brewery"), TROUPE_ERR_INVAL));
    fixture_close(&fixture);
}

BACKEND_TEST(names, a_name_belongs_to_one_actor)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_registrants(placement, &one, &other);
    (void)request(fixture, one, REGISTER, "bakery");

    cr_expect(eq(u32, request(fixture, other, REGISTER, "bakery")->err, TROUPE_ERR_EXISTS));

    cr_expect(troupe_ref_equal(request(fixture, other, LOOKUP, "bakery")->ref, one));
    fixture_close(&fixture);
}

BACKEND_TEST(names, an_actor_can_have_two_names)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_registrants(placement, &one, &other);
    (void)request(fixture, one, REGISTER, "bakery");
    (void)request(fixture, one, REGISTER, "cafe");

    cr_expect(troupe_ref_equal(request(fixture, other, LOOKUP, "bakery")->ref, one));
    cr_expect(troupe_ref_equal(request(fixture, other, LOOKUP, "cafe")->ref, one));
    fixture_close(&fixture);
}

BACKEND_TEST(names, an_unknown_name_is_not_found)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_registrants(placement, &one, &other);

    const struct result *found = request(fixture, other, LOOKUP, "bakery");

    cr_expect(eq(u32, found->err, TROUPE_ERR_NOENT));
    cr_expect(troupe_ref_is_none(found->ref));
    fixture_close(&fixture);
}

BACKEND_TEST(names, an_unregistered_name_is_free)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_registrants(placement, &one, &other);
    (void)request(fixture, one, REGISTER, "bakery");

    cr_expect(eq(
        u32, request(fixture, other, UNREGISTER, "bakery")->err, TROUPE_ERR_NOENT)); // not its own
    cr_expect(eq(u32, request(fixture, one, UNREGISTER, "bakery")->err, TROUPE_OK));

    cr_expect(eq(u32, request(fixture, other, LOOKUP, "bakery")->err, TROUPE_ERR_NOENT));
    cr_expect(eq(u32, request(fixture, one, UNREGISTER, "bakery")->err, TROUPE_ERR_NOENT));
    cr_expect(eq(u32, request(fixture, other, REGISTER, "bakery")->err, TROUPE_OK));
    fixture_close(&fixture);
}

BACKEND_TEST(names, a_name_is_free_when_its_actor_has_ended)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_registrants(placement, &one, &other);
    (void)request(fixture, one, REGISTER, "bakery");

    fixture_send(fixture, one, STOP, NULL, 0);
    fixture_ask(fixture, one, READY, NULL, 0); // comes back when it has ended
    (void)fixture_receive(fixture, FIXTURE_NO_REPLY);

    cr_expect(eq(u32, request(fixture, other, LOOKUP, "bakery")->err, TROUPE_ERR_NOENT));
    cr_expect(eq(u32, request(fixture, other, REGISTER, "bakery")->err, TROUPE_OK));
    fixture_close(&fixture);
}

BACKEND_TEST(names, names_have_1_to_255_bytes)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_registrants(placement, &one, &other);
    char name[257] = {0};
    memset(name, 'n', 255);

    cr_expect(eq(u32, request(fixture, one, REGISTER, name)->err, TROUPE_OK));
    cr_expect(troupe_ref_equal(request(fixture, other, LOOKUP, name)->ref, one));
    name[255] = 'n';
    cr_expect(eq(u32, request(fixture, one, REGISTER, name)->err, TROUPE_ERR_INVAL));
    cr_expect(eq(u32, request(fixture, one, REGISTER, "")->err, TROUPE_ERR_INVAL));
    fixture_close(&fixture);
}

BACKEND_TEST(names, awaiting_a_name_ends_when_it_is_registered)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_registrants(placement, &one, &other);
    fixture_ask(fixture, other, AWAIT, "bakery", sizeof("bakery"));
    fixture_ask(fixture, other, READY, NULL, 0);
    const struct result *ready = FIXTURE_RECEIVE(fixture, RESULT, struct result);
    cr_assert(troupe_ref_is_none(ready->ref), "a name that is not registered was found");

    fixture_ask(fixture, one, REGISTER, "bakery", sizeof("bakery"));

    const struct result *first = FIXTURE_RECEIVE(fixture, RESULT, struct result);
    const struct result *second = FIXTURE_RECEIVE(fixture, RESULT, struct result);
    const struct result *outcome = !troupe_ref_is_none(first->ref) ? first : second;
    cr_expect(eq(u32, outcome->err, TROUPE_OK));
    cr_expect(eq(u32, outcome->is_name, 1));
    cr_expect(troupe_ref_equal(outcome->ref, one));
    fixture_close(&fixture);
}

BACKEND_TEST(names, awaiting_a_registered_name_ends_at_once)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_registrants(placement, &one, &other);
    (void)request(fixture, one, REGISTER, "bakery");

    const struct result *outcome = request(fixture, other, AWAIT, "bakery");

    cr_expect(eq(u32, outcome->err, TROUPE_OK));
    cr_expect(troupe_ref_equal(outcome->ref, one));
    fixture_close(&fixture);
}

BACKEND_TEST(names, awaiting_a_name_times_out)
{
    troupe_ref_t one = TROUPE_REF_NONE;
    troupe_ref_t other = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_registrants(placement, &one, &other);

    const struct result *outcome = request(fixture, other, AWAIT_2_MS, "bakery");

    cr_expect(eq(u32, outcome->err, TROUPE_ERR_TIMEDOUT));
    fixture_close(&fixture);
}

SUBJECTS(&registrant);
