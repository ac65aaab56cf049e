/*
 * An exclusive troupe_await_name(): the actor handles no other message until the name is registered; what
 * arrives meanwhile is handled afterwards, in order.
 */
#include "support/fixture.h"

#include <string.h>

enum {
    AWAIT = 1,  // ask of a client: wait for the name, exclusively; replied to with FOUND
    REGISTER,   // ask of an owner: register as the name; replied to with REGISTERED
    REGISTERED, // nothing
    NUMBER,     // to a client: uint64_t; sent back as NUMBER
    FOUND,      // struct found
};

enum { NUMBERS = 50 };

#define NAME "bakery"

struct found {
    uint32_t err;
    uint32_t number_count; // handled before
    troupe_ref_t ref;
};

struct waiter {
    struct troupe_reply_to reply_to;
    uint64_t timeout_ns;
    uint32_t number_count;
};

static void waiter_on_name(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)tag;
    const struct waiter *waiter = state;
    struct found found = {.err = (uint32_t)err, .number_count = waiter->number_count};
    if (err == TROUPE_OK) {
        MUST_BE(troupe_message_type(reply) == TROUPE_MESSAGE_NAME);
        found.ref = *TROUPE_BODY(reply, troupe_ref_t);
    }
    MUST(troupe_reply_later(ctx, waiter->reply_to, FOUND, &found, sizeof(found)));
}

static void waiter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct waiter *waiter = state;
    if (troupe_message_type(message) == NUMBER) {
        waiter->number_count++;
        MUST(troupe_reply(ctx, message, NUMBER, TROUPE_BODY(message, uint64_t), sizeof(uint64_t)));
        return;
    }
    waiter->reply_to = troupe_message_reply_to(message);
    MUST(troupe_await_name(
        ctx,
        NAME,
        &(const struct troupe_ask_options){
            .timeout_ns = *TROUPE_BODY(message, uint64_t),
            .on_reply = waiter_on_name,
            .exclusive = true,
        }));
}

static const struct troupe_behaviour waiter = {
    .name = "waiter", .state_bytes = sizeof(struct waiter), .receive = waiter_receive};

static void owner_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)state;
    MUST(troupe_register(ctx, NAME));
    MUST(troupe_reply(ctx, message, REGISTERED, NULL, 0));
}

static const struct troupe_behaviour owner = {.name = "owner", .receive = owner_receive};

/** Have a client wait, and send it numbers. */
static struct fixture *open_with_waiter(
    const struct fixture_placement *placement, uint64_t timeout_ns)
{
    struct fixture *fixture = fixture_open(
        placement, &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&waiter, &owner)});
    troupe_ref_t ref = fixture_spawn(fixture, &waiter);
    fixture_ask(fixture, ref, AWAIT, &timeout_ns, sizeof(timeout_ns));
    for (uint64_t n = 0; n < NUMBERS; n++) {
        fixture_send(fixture, ref, NUMBER, &n, sizeof(n));
    }
    return fixture;
}

static void expect_numbers_in_order(struct fixture *fixture)
{
    for (uint64_t n = 0; n < NUMBERS; n++) {
        cr_assert(eq(u64, *FIXTURE_RECEIVE(fixture, NUMBER, uint64_t), n));
    }
}

BACKEND_TEST(exclusive_names, other_messages_wait_in_order_until_the_name_is_registered)
{
    struct fixture *fixture = open_with_waiter(placement, FIXTURE_DEADLINE_NS);
    troupe_ref_t owner_ref = fixture_spawn(fixture, &owner);

    fixture_ask(fixture, owner_ref, REGISTER, NULL, 0);

    const struct found *found = FIXTURE_RECEIVE(fixture, FOUND, struct found);
    cr_expect(eq(u32, found->err, TROUPE_OK));
    cr_expect(troupe_ref_equal(found->ref, owner_ref));
    cr_expect(eq(u32, found->number_count, 0), "none of them was handled before");
    expect_numbers_in_order(fixture);
    (void)fixture_close(&fixture);
}

BACKEND_TEST(exclusive_names, other_messages_are_handled_in_order_after_a_timeout)
{
    struct fixture *fixture = open_with_waiter(placement, 20000000);

    const struct found *found = FIXTURE_RECEIVE(fixture, FOUND, struct found);

    cr_expect(eq(u32, found->err, TROUPE_ERR_TIMEDOUT));
    cr_expect(eq(u32, found->number_count, 0));
    expect_numbers_in_order(fixture);
    (void)fixture_close(&fixture);
}

SUBJECTS(&waiter, &owner);
