/*
 * Messages that cannot be sent, or have no receiver: each with its code and text, and the system goes on.
 */
#include "support/echo_system.h"
#include "support/fixture.h"

#include <string.h>

enum { BOUND_BYTES = 65536 };

static struct fixture *open_small(const struct fixture_placement *placement, troupe_ref_t *out_echo)
{
    struct fixture *fixture = fixture_open(
        placement,
        &(struct fixture_options){
            .behaviours = TROUPE_BEHAVIOURS(&echo_behaviour), .mailbox_bytes = BOUND_BYTES});
    *out_echo = fixture_spawn(fixture, &echo_behaviour);
    return fixture;
}

/** It still replies, so what failed before did no harm. */
static void expect_unharmed(struct fixture *fixture, troupe_ref_t echo)
{
    uint64_t number = 99;
    fixture_ask(fixture, echo, ECHO_REQUEST, &number, sizeof(number));
    cr_expect(eq(u64, *FIXTURE_RECEIVE(fixture, ECHO_REPLY, uint64_t), number));
}

static void expect_text(const char *text)
{
    cr_expect(
        strstr(troupe_error_detail(), text) != NULL, "no '%s' in: %s", text, troupe_error_detail());
}

static void on_no_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx, (void)state, (void)tag, (void)err, (void)reply;
    cr_fatal("an ask that was refused has no reply");
}

/** Send a message in every way; all must fail alike. */
static void send_in_every_way(
    troupe_context_t *ctx, const struct troupe_outgoing *outgoing, enum troupe_err err)
{
    static _Alignas(8) char bytes[BOUND_BYTES + 1];
    struct troupe_outgoing whole = *outgoing;
    whole.body = bytes;
    cr_expect(eq(int, troupe_send(ctx, whole.to, whole.type, bytes, whole.body_bytes), err));
    cr_expect(
        eq(int,
           troupe_ask(ctx, &whole, &(const struct troupe_ask_options){.on_reply = on_no_reply}),
           err));
    cr_expect(eq(int, troupe_send_after(ctx, 1, &whole, NULL), err));
    cr_expect(eq(int, troupe_send_every(ctx, 1, &whole, NULL), err));
    struct troupe_body body = {.data = bytes, .bytes = whole.body_bytes};
    cr_expect(eq(int, troupe_send_body(ctx, whole.to, whole.type, &body), err));
    cr_expect(eq(ptr, body.data, bytes), "a refused body is still the sender's");
}

static void send_too_much(troupe_context_t *ctx, void *data)
{
    const troupe_ref_t *echo = data;
    struct troupe_outgoing outgoing = {
        .to = *echo, .type = ECHO_REQUEST, .body_bytes = BOUND_BYTES + 1};
    send_in_every_way(ctx, &outgoing, TROUPE_ERR_TOOBIG);
    expect_text("65537");
}

BACKEND_TEST(send_failure, a_body_over_the_bound_is_refused_in_every_way_of_sending)
{
    troupe_ref_t echo = TROUPE_REF_NONE;
    struct fixture *fixture = open_small(placement, &echo);

    fixture_call(fixture, send_too_much, &echo);

    expect_unharmed(fixture, echo);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

static void send_a_negative_size(troupe_context_t *ctx, void *data)
{
    const troupe_ref_t *echo = data;
    struct troupe_outgoing outgoing = {.to = *echo, .type = ECHO_REQUEST, .body_bytes = (size_t)-1};
    send_in_every_way(ctx, &outgoing, TROUPE_ERR_TOOBIG);
    expect_text("was a size negative?");
}

BACKEND_TEST(send_failure, a_size_that_was_negative_is_refused_in_every_way_of_sending)
{
    troupe_ref_t echo = TROUPE_REF_NONE;
    struct fixture *fixture = open_small(placement, &echo);

    fixture_call(fixture, send_a_negative_size, &echo);

    expect_unharmed(fixture, echo);
    (void)fixture_close(&fixture);
}

static void send_reserved(troupe_context_t *ctx, void *data)
{
    const troupe_ref_t *echo = data;
    static const uint32_t types[] = {
        TROUPE_MESSAGE_RESERVED,
        TROUPE_MESSAGE_ROOM,
        TROUPE_MESSAGE_DEAD_LETTER,
        UINT32_C(0x80000000),
        UINT32_MAX,
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct troupe_outgoing outgoing = {.to = *echo, .type = types[i], .body_bytes = 8};
        send_in_every_way(ctx, &outgoing, TROUPE_ERR_INVAL);
        expect_text("type");
    }
    cr_expect(
        eq(int, troupe_send(ctx, *echo, TROUPE_MESSAGE_RESERVED - 1, NULL, 0), TROUPE_OK),
        "the last type that is free");
}

BACKEND_TEST(send_failure, a_reserved_type_is_refused_in_every_way_of_sending)
{
    troupe_ref_t echo = TROUPE_REF_NONE;
    struct fixture *fixture = open_small(placement, &echo);

    fixture_call(fixture, send_reserved, &echo);

    expect_unharmed(fixture, echo);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

static void send_to_none(troupe_context_t *ctx, void *data)
{
    (void)data;
    struct troupe_outgoing outgoing = {
        .to = TROUPE_REF_NONE, .type = ECHO_REQUEST, .body_bytes = 8};
    send_in_every_way(ctx, &outgoing, TROUPE_ERR_INVAL);
    expect_text("has no receiver");
    cr_expect(eq(int, troupe_stop_actor(ctx, TROUPE_REF_NONE), TROUPE_ERR_INVAL));
}

BACKEND_TEST(send_failure, a_send_to_no_reference_is_refused)
{
    troupe_ref_t echo = TROUPE_REF_NONE;
    struct fixture *fixture = open_small(placement, &echo);

    fixture_call(fixture, send_to_none, NULL);

    expect_unharmed(fixture, echo);
    fixture_close(&fixture);
}

static void send_bytes_that_are_not_there(troupe_context_t *ctx, void *data)
{
    const troupe_ref_t *echo = data;
    cr_expect(eq(int, troupe_send(ctx, *echo, ECHO_REQUEST, NULL, 8), TROUPE_ERR_INVAL));
    expect_text("body is NULL");
    _Alignas(8) char bytes[16];
    struct troupe_body crooked = {.data = bytes + 1, .bytes = 8};
    cr_expect(eq(int, troupe_send_body(ctx, *echo, ECHO_REQUEST, &crooked), TROUPE_ERR_INVAL));
    expect_text("multiple of 8");
}

BACKEND_TEST(send_failure, a_null_body_with_a_size_is_refused)
{
    troupe_ref_t echo = TROUPE_REF_NONE;
    struct fixture *fixture = open_small(placement, &echo);

    fixture_call(fixture, send_bytes_that_are_not_there, &echo);

    expect_unharmed(fixture, echo);
    fixture_close(&fixture);
}

BACKEND_TEST(send_failure, a_message_to_an_unused_reference_is_a_dead_letter_and_its_ask_fails)
{
    troupe_ref_t echo = TROUPE_REF_NONE;
    struct fixture *fixture = open_small(placement, &echo);
    const troupe_ref_t none[] = {
        {echo.node, echo.executor, 4711, 1},
        {echo.node, echo.executor, UINT32_MAX, UINT32_MAX},
        {echo.node, echo.executor, echo.index, echo.generation + 7},
        {echo.node, echo.executor, echo.index, 0},
        {echo.node, 4711, 0, 1},
        {echo.node, UINT32_MAX, UINT32_MAX, UINT32_MAX},
        {4711, echo.executor, echo.index, echo.generation},
    };
    const uint64_t count = sizeof(none) / sizeof(none[0]);

    for (size_t i = 0; i < count; i++) {
        fixture_send(fixture, none[i], ECHO_REQUEST, &i, sizeof(i));
        fixture_ask(fixture, none[i], ECHO_REQUEST, &i, sizeof(i));
        const struct received *received = fixture_receive_any(fixture);
        cr_expect(eq(u32, received->type, FIXTURE_NO_REPLY), "reference %zu", i);
        cr_expect(eq(int, received->err, TROUPE_ERR_NOENT), "reference %zu", i);
    }

    expect_unharmed(fixture, echo);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 2 * count));
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_NO_SUCH_ACTOR], 2 * count));
}

BACKEND_TEST(send_failure, a_message_to_an_ended_actor_is_a_dead_letter_and_its_ask_fails)
{
    troupe_ref_t echo = TROUPE_REF_NONE;
    struct fixture *fixture = open_small(placement, &echo);
    troupe_ref_t stale = fixture_spawn(fixture, &echo_behaviour);
    uint64_t number = 5;
    fixture_send(fixture, stale, ECHO_STOP, NULL, 0);

    for (int round = 0; round < 3; round++) {
        fixture_ask(fixture, stale, ECHO_REQUEST, &number, sizeof(number));
        const struct received *received = fixture_receive_any(fixture);
        cr_expect(eq(u32, received->type, FIXTURE_NO_REPLY));
        cr_expect(eq(int, received->err, TROUPE_ERR_NOENT));
        (void)fixture_spawn(
            fixture, &echo_behaviour); // which may reuse its row, and gets none of its messages
    }

    expect_unharmed(fixture, echo);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 3));
}

SUBJECTS(&echo_behaviour);
