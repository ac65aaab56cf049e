/*
 * Actors that wait for one answer: other mail is deferred and not lost, and circles are found. Asks that
 * are cancelled, forwarded and delegated.
 */
#include "support/fixture.h"
#include "support/measure.h"

#include <stdlib.h>
#include <string.h>

enum {
    GO = 1,     // to a waiter: struct order, ask and wait
    NUMBER,     // to a waiter: uint64_t
    WAITED,     // from a waiter: struct outcome of its wait
    NUMBERED,   // from a waiter: the uint64_t of a NUMBER
    QUESTION,   // to an oracle: answered when it is told to
    TELL,       // to an oracle: answer all questions, these and later ones
    ANSWER,     // from an oracle: uint64_t
    DROP_ASK,   // to a waiter: cancel what it waits for
    DROPPED,    // done
    PASS,       // to a clerk: forward each QUESTION to the troupe_ref_t in the body
    PASS_LATER, // likewise, but delegate it at the next TELL
    CIRCLE,     // to a waiter: an ask that it answers once it was answered itself
    COUNT,      // to a waiter: an ask, answered by COUNT with a uint64_t
    PEER,       // to a waiter: struct order, whom to ask when it is asked CIRCLE
};

enum { THE_ANSWER = 42, NUMBERS = 50, QUESTIONS_MAX = 64, TEXT_BYTES = 200 };

struct order {
    troupe_ref_t whom;
    troupe_ref_t report;
    uint64_t timeout_ns;
    uint32_t type;
    uint32_t plain; // by troupe_ask(), without waiting
    uint32_t quiet; // do not report numbers, but count them
};

struct outcome {
    int32_t err;
    uint32_t answer;
    char detail[TEXT_BYTES];
};

/* Waiters ask and wait. ------------------------------------------------------------------------ */

struct waiter {
    struct order order;
    struct troupe_reply_to asker; // whom to answer once it was answered itself
    uint64_t count;               // of numbers
    bool was_asked;
};

static void waiter_meet_answer(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *answer)
{
    struct waiter *waiter = state;
    MUST_BE(tag == THE_ANSWER);
    struct outcome outcome = {.err = (int32_t)err};
    if (err == TROUPE_OK) {
        outcome.answer = (uint32_t)*TROUPE_BODY(answer, uint64_t);
    } else {
        strncpy(outcome.detail, troupe_error_detail(), sizeof(outcome.detail) - 1);
    }
    MUST(TROUPE_SEND(ctx, waiter->order.report, WAITED, &outcome));
    if (!troupe_ref_is_none(waiter->asker.ref)) {
        uint64_t number = THE_ANSWER;
        MUST(troupe_reply_later(ctx, waiter->asker, ANSWER, &number, sizeof(number)));
        waiter->asker = (struct troupe_reply_to){0};
    }
}

static void waiter_ask(troupe_context_t *ctx, struct waiter *waiter)
{
    const struct troupe_outgoing letter = {.to = waiter->order.whom, .type = waiter->order.type};
    enum troupe_err err = waiter->order.plain ? troupe_ask(
                                                    ctx,
                                                    &letter,
                                                    &(const struct troupe_ask_options){
                                                        .timeout_ns = waiter->order.timeout_ns,
                                                        .on_reply = waiter_meet_answer,
                                                        .tag = THE_ANSWER})
                                              : troupe_ask(
                                                    ctx,
                                                    &letter,
                                                    &(const struct troupe_ask_options){
                                                        .timeout_ns = waiter->order.timeout_ns,
                                                        .on_reply = waiter_meet_answer,
                                                        .tag = THE_ANSWER,
                                                        .exclusive = true});
    if (err != TROUPE_OK) {
        waiter_meet_answer(ctx, waiter, THE_ANSWER, err, NULL);
    }
}

/** Asked for the first time, ask the next one before answering; later answer at once. */
static void waiter_meet_circle(
    troupe_context_t *ctx, struct waiter *waiter, const troupe_message_t *message)
{
    uint64_t number = THE_ANSWER;
    if (waiter->was_asked) {
        REPORT(ctx, message, ANSWER, &number);
        return;
    }
    waiter->was_asked = true;
    waiter->asker = troupe_message_reply_to(message);
    waiter_ask(ctx, waiter);
}

static void waiter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct waiter *waiter = state;
    switch (troupe_message_type(message)) {
    case GO:
        waiter->order = *TROUPE_BODY(message, struct order);
        waiter_ask(ctx, waiter);
        break;
    case PEER:
        waiter->order = *TROUPE_BODY(message, struct order);
        MUST(troupe_reply(ctx, message, DROPPED, NULL, 0));
        break;
    case CIRCLE:
        waiter_meet_circle(ctx, waiter, message);
        break;
    case COUNT:
        REPORT(ctx, message, COUNT, &waiter->count);
        break;
    case NUMBER:
        waiter->count++;
        if (waiter->order.quiet) {
            break;
        }
        MUST(TROUPE_SEND(ctx, waiter->order.report, NUMBERED, TROUPE_BODY(message, uint64_t)));
        break;
    case DROP_ASK:
        MUST(troupe_ask_cancel(ctx, THE_ANSWER));
        MUST_BE(troupe_ask_cancel(ctx, THE_ANSWER) == TROUPE_ERR_NOENT);
        MUST(troupe_reply(ctx, message, DROPPED, NULL, 0));
        break;
    default:
        break;
    }
}

static const struct troupe_behaviour waiter = {
    .name = "waiter", .state_bytes = sizeof(struct waiter), .receive = waiter_receive};

/* Oracles answer when they are told to. -------------------------------------------------------- */

struct oracle {
    struct troupe_reply_to askers[QUESTIONS_MAX]; // who wait for its answer
    uint32_t count;
    bool tells;
};

static void oracle_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct oracle *oracle = state;
    const uint64_t answer = THE_ANSWER;
    if (troupe_message_type(message) == QUESTION) {
        MUST_BE(oracle->count < QUESTIONS_MAX);
        oracle->askers[oracle->count++] = troupe_message_reply_to(message);
    } else if (troupe_message_type(message) == TELL) {
        oracle->tells = true;
    }
    while (oracle->tells && oracle->count > 0) {
        struct troupe_reply_to asker = oracle->askers[--oracle->count];
        MUST(troupe_reply_later(ctx, asker, ANSWER, &answer, sizeof(answer)));
    }
}

static const struct troupe_behaviour oracle = {
    .name = "oracle", .state_bytes = sizeof(struct oracle), .receive = oracle_receive};

/* Clerks pass on what they are asked. ---------------------------------------------------------- */

struct clerk {
    troupe_ref_t to;
    uint32_t how;                 // PASS or PASS_LATER
    struct troupe_reply_to asker; // kept until the next message
};

static void clerk_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct clerk *clerk = state;
    const struct troupe_outgoing question = {
        .to = clerk->to,
        .type = QUESTION,
        .on_behalf_of = clerk->asker,
    };
    switch (troupe_message_type(message)) {
    case PASS:
    case PASS_LATER:
        clerk->to = *TROUPE_BODY(message, troupe_ref_t);
        clerk->how = troupe_message_type(message);
        MUST(troupe_reply(ctx, message, DROPPED, NULL, 0));
        break;
    case QUESTION:
        if (clerk->how == PASS) {
            MUST(troupe_forward(ctx, message, clerk->to));
        } else {
            clerk->asker = troupe_message_reply_to(message);
        }
        break;
    case TELL:
        MUST(troupe_send_message(ctx, &question));
        break;
    default:
        break;
    }
}

static const struct troupe_behaviour clerk = {
    .name = "clerk", .state_bytes = sizeof(struct clerk), .receive = clerk_receive};

/* What the scenario does. ---------------------------------------------------------------------- */

static struct fixture *waits_open(const struct fixture_placement *placement)
{
    return fixture_open(
        placement,
        &(struct fixture_options){.behaviours = TROUPE_BEHAVIOURS(&waiter, &oracle, &clerk)});
}

static struct order order_of(struct fixture *fixture, troupe_ref_t whom)
{
    return (struct order){
        .whom = whom,
        .report = fixture_scenario(fixture),
        .type = QUESTION,
        .timeout_ns = FIXTURE_DEADLINE_NS,
    };
}

static void tell_number(struct fixture *fixture, troupe_ref_t to, uint64_t number)
{
    fixture_tell(fixture, to, NUMBER, &number, sizeof(number));
}

static void hear_numbers(struct fixture *fixture, uint64_t count)
{
    for (uint64_t n = 0; n < count; n++) {
        const struct heard *heard = fixture_hear_any(fixture);
        cr_assert(eq(u32, heard->type, NUMBERED));
        cr_assert(eq(u64, *(const uint64_t *)heard->body, n));
    }
}

static void have_pass_to(
    struct fixture *fixture, troupe_ref_t clerk_ref, troupe_ref_t to, uint32_t how)
{
    fixture_tell(fixture, clerk_ref, how, &to, sizeof(to));
    (void)fixture_hear(fixture, DROPPED);
}

static void have_peer(struct fixture *fixture, troupe_ref_t who, troupe_ref_t whom)
{
    struct order order = order_of(fixture, whom);
    order.type = CIRCLE;
    fixture_tell(fixture, who, PEER, &order, sizeof(order));
    (void)fixture_hear(fixture, DROPPED);
}

/* Deferred mail. ------------------------------------------------------------------------------- */

BACKEND_TEST(waits, mail_is_deferred_in_order_until_the_answer)
{
    struct fixture *fixture = waits_open(placement);
    troupe_ref_t oracle_ref = fixture_spawn(fixture, &oracle);
    troupe_ref_t who = fixture_spawn(fixture, &waiter);
    struct order order = order_of(fixture, oracle_ref);
    fixture_tell(fixture, who, GO, &order, sizeof(order));
    for (uint64_t n = 0; n < NUMBERS; n++) {
        tell_number(fixture, who, n);
    }
    fixture_tell(fixture, oracle_ref, TELL, NULL, 0);
    const struct heard *heard = fixture_hear_any(fixture);
    cr_assert(eq(u32, heard->type, WAITED));
    cr_expect(eq(int, ((const struct outcome *)heard->body)->err, TROUPE_OK));
    hear_numbers(fixture, NUMBERS);
    (void)fixture_close(&fixture);
}

BACKEND_TEST(waits, a_wait_ends_at_its_deadline_and_the_mail_is_met)
{
    struct fixture *fixture = waits_open(placement);
    troupe_ref_t who = fixture_spawn(fixture, &waiter);
    struct order order = order_of(fixture, fixture_spawn(fixture, &oracle));
    order.timeout_ns = 20000000;
    fixture_tell(fixture, who, GO, &order, sizeof(order));
    tell_number(fixture, who, 0);
    const struct heard *heard = fixture_hear_any(fixture);
    cr_assert(eq(u32, heard->type, WAITED));
    cr_expect(eq(int, ((const struct outcome *)heard->body)->err, TROUPE_ERR_TIMEDOUT));
    hear_numbers(fixture, 1);
    (void)fixture_close(&fixture);
}

BACKEND_TEST(waits, a_wait_for_one_who_is_gone_ends_at_once)
{
    struct fixture *fixture = waits_open(placement);
    troupe_ref_t who = fixture_spawn(fixture, &waiter);
    troupe_ref_t gone = fixture_scenario(fixture);
    gone.index += 1000;
    struct order order = order_of(fixture, gone);
    fixture_tell(fixture, who, GO, &order, sizeof(order));
    const struct outcome *outcome = FIXTURE_HEAR(fixture, WAITED, struct outcome);
    cr_expect(eq(int, outcome->err, TROUPE_ERR_NOENT));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(waits, what_was_deferred_for_one_who_is_stopped_is_dead)
{
    struct fixture *fixture = fixture_open(
        placement,
        &(struct fixture_options){
            .behaviours = TROUPE_BEHAVIOURS(&waiter, &oracle, &clerk),
            .stop_timeout_ns =
                measure_is_sanitized() ? 0 : UINT64_C(2000000000), // half of it to drain
        });
    troupe_ref_t who = fixture_spawn(fixture, &waiter);
    struct order order = order_of(fixture, fixture_spawn(fixture, &oracle));
    fixture_tell(fixture, who, GO, &order, sizeof(order));
    for (uint64_t n = 0; n < NUMBERS; n++) {
        tell_number(fixture, who, n);
    }
    // The end of the system finds it waiting.
    troupe_system_stop(fixture_system(fixture));
    fixture_run(fixture);
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(ge(u64, stats.dead, NUMBERS));
}

struct flood_order {
    troupe_ref_t to;
    uint32_t accepted;
};

static void act_flood(troupe_context_t *ctx, void *data)
{
    struct flood_order *order = data;
    uint64_t number = 0;
    while (troupe_send(ctx, order->to, NUMBER, &number, sizeof(number)) == TROUPE_OK) {
        order->accepted++;
        number++;
    }
}

BACKEND_TEST(waits, deferred_mail_keeps_its_room_in_the_mailbox)
{
    struct fixture *fixture = fixture_open(
        placement,
        &(struct fixture_options){
            .behaviours = TROUPE_BEHAVIOURS(&waiter, &oracle, &clerk),
            .mailbox_messages = 64,
        });
    troupe_ref_t oracle_ref = fixture_spawn(fixture, &oracle);
    troupe_ref_t who = fixture_spawn(fixture, &waiter);
    struct order order = order_of(fixture, oracle_ref);
    order.quiet = 1;
    fixture_tell(fixture, who, GO, &order, sizeof(order));
    struct flood_order flood = {.to = who};
    fixture_act(fixture, act_flood, &flood);
    cr_expect(le(u32, flood.accepted, 64 + 16));
    fixture_tell(fixture, oracle_ref, TELL, NULL, 0);
    (void)fixture_hear(fixture, WAITED);
    fixture_ask(fixture, who, COUNT, NULL, 0);
    cr_expect(eq(u64, *FIXTURE_HEAR(fixture, COUNT, uint64_t), flood.accepted));
    (void)fixture_close(&fixture);
}

/* Circles. ------------------------------------------------------------------------------------- */

/** Have actors ask each other in a circle, and hear how their waits ended. @return who was told of it. */
static uint32_t play_circle(const struct fixture_placement *placement, uint32_t count)
{
    struct fixture *fixture = waits_open(placement);
    troupe_ref_t circle[8];
    for (uint32_t i = 0; i < count; i++) {
        circle[i] = fixture_spawn(fixture, &waiter);
    }
    for (uint32_t i = 0; i < count; i++) {
        have_peer(fixture, circle[i], circle[(i + 1) % count]);
    }
    fixture_ask(fixture, circle[0], CIRCLE, NULL, 0);
    uint32_t told = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct outcome *outcome = FIXTURE_HEAR(fixture, WAITED, struct outcome);
        if (outcome->err == TROUPE_ERR_DEADLOCK) {
            told++;
            cr_expect(strstr(outcome->detail, "'waiter'") != NULL, "%s", outcome->detail);
            cr_expect(strstr(outcome->detail, " waits for ") != NULL, "%s", outcome->detail);
        } else {
            cr_expect(eq(int, outcome->err, TROUPE_OK));
        }
    }
    // The one who asked from outside gets an answer, too.
    (void)fixture_hear(fixture, ANSWER);
    (void)fixture_close(&fixture);
    return told;
}

BACKEND_TEST(waits, two_who_wait_for_each_other_are_told)
{
    cr_expect(ge(u32, play_circle(placement, 2), 1));
}

BACKEND_TEST(waits, five_who_wait_in_a_circle_are_told)
{
    cr_expect(ge(u32, play_circle(placement, 5), 1));
}

BACKEND_TEST(waits, a_chain_of_waits_is_no_circle)
{
    struct fixture *fixture = waits_open(placement);
    troupe_ref_t oracle_ref = fixture_spawn(fixture, &oracle);
    troupe_ref_t first = fixture_spawn(fixture, &waiter);
    troupe_ref_t second = fixture_spawn(fixture, &waiter);
    have_peer(fixture, first, second);
    struct order order = order_of(fixture, oracle_ref);
    fixture_tell(fixture, second, PEER, &order, sizeof(order));
    (void)fixture_hear(fixture, DROPPED);
    fixture_ask(fixture, first, CIRCLE, NULL, 0);
    fixture_tell(fixture, oracle_ref, TELL, NULL, 0);
    (void)fixture_hear(fixture, ANSWER);
    for (int i = 0; i < 2; i++) {
        const struct outcome *outcome = FIXTURE_HEAR(fixture, WAITED, struct outcome);
        cr_expect(eq(int, outcome->err, TROUPE_OK));
    }
    (void)fixture_close(&fixture);
}

/* Cancelling, forwarding, delegating. ----------------------------------------------------------- */

static void subscribe(troupe_context_t *ctx, void *data)
{
    (void)data;
    MUST(troupe_dead_letters_subscribe(ctx, true));
}

BACKEND_TEST(waits, the_answer_of_a_cancelled_ask_is_a_late_reply)
{
    struct fixture *fixture = waits_open(placement);
    troupe_ref_t oracle_ref = fixture_spawn(fixture, &oracle);
    troupe_ref_t who = fixture_spawn(fixture, &waiter);
    struct order order = order_of(fixture, oracle_ref);
    order.plain = 1;
    fixture_act(fixture, subscribe, NULL);
    fixture_tell(fixture, who, GO, &order, sizeof(order));
    fixture_tell(fixture, who, DROP_ASK, NULL, 0);
    (void)fixture_hear(fixture, DROPPED);

    fixture_tell(fixture, oracle_ref, TELL, NULL, 0);

    const struct troupe_dead_letter *late =
        FIXTURE_HEAR(fixture, TROUPE_MESSAGE_DEAD_LETTER, struct troupe_dead_letter);
    cr_expect(eq(u32, late->reason, TROUPE_DEAD_LATE_REPLY));
    cr_expect(troupe_ref_equal(late->to, who));
    tell_number(fixture, who, 0);
    (void)fixture_hear(fixture, NUMBERED);
    cr_expect(eq(u32, fixture_unheard(fixture, WAITED), 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_LATE_REPLY], 1));
}

/** Ask a clerk, who has the oracle answer. @param how  PASS or PASS_LATER. */
static void expect_the_oracles_answer(const struct fixture_placement *placement, uint32_t how)
{
    struct fixture *fixture = waits_open(placement);
    troupe_ref_t oracle_ref = fixture_spawn(fixture, &oracle);
    troupe_ref_t clerk_ref = fixture_spawn(fixture, &clerk);
    have_pass_to(fixture, clerk_ref, oracle_ref, how);
    fixture_tell(fixture, oracle_ref, TELL, NULL, 0);
    fixture_ask(fixture, clerk_ref, QUESTION, NULL, 0);
    if (how == PASS_LATER) {
        fixture_tell(fixture, clerk_ref, TELL, NULL, 0);
    }
    const struct heard *heard = fixture_hear(fixture, ANSWER);
    cr_expect(heard->is_reply);
    cr_expect(troupe_ref_equal(heard->from, oracle_ref));
    (void)fixture_close(&fixture);
}

BACKEND_TEST(waits, who_gets_a_forwarded_ask_answers_the_one_who_asked)
{
    expect_the_oracles_answer(placement, PASS);
}

BACKEND_TEST(waits, an_ask_can_be_delegated_later)
{
    expect_the_oracles_answer(placement, PASS_LATER);
}

SUBJECTS(&waiter, &oracle, &clerk);
