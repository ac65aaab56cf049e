/*
 * Asks: one answer, or a word about why there is none, exactly once, on the actor that asked.
 */
#include "support/fixture.h"
#include "support/measure.h"

#include <string.h>

enum {
    BEGIN = 1,    // to the asker: ask of the scenario, struct begin; answered by ENDED
    ENDED,        // struct ended
    DOUBLE,       // to the oracle: uint64_t; it answers with DOUBLED at once
    DOUBLED,      // uint64_t
    KEEP,         // to the oracle: uint64_t; it answers when it is told to
    ANSWER_ALL,   // to the oracle: answer what you kept, the latest first; asks for ALL_ANSWERED
    ALL_ANSWERED, // uint64_t, how many it had kept
    TWICE,        // to the oracle: answer twice
    LEAVE,        // to the oracle: stop yourself
    IGNORE,       // to the oracle: no answer at all
    ABANDON,      // to the asker: struct begin; ask, and stop
};

/* The oracle. ---------------------------------------------------------------------------------- */

enum { KEPT_MAX = 1000 };

struct oracle {
    uint32_t retained_count;
    struct {
        struct troupe_reply_to asker;
        uint64_t number;
    } kept[KEPT_MAX];
};

static void oracle_keep(struct oracle *oracle, const troupe_message_t *message)
{
    MUST_BE(oracle->retained_count < KEPT_MAX);
    oracle->kept[oracle->retained_count].asker = troupe_message_reply_to(message);
    oracle->kept[oracle->retained_count].number = *TROUPE_BODY(message, uint64_t);
    oracle->retained_count++;
}

static void oracle_answer_all(
    troupe_context_t *ctx, struct oracle *oracle, const troupe_message_t *message)
{
    uint64_t count = oracle->retained_count;
    while (oracle->retained_count > 0) {
        oracle->retained_count--;
        uint64_t doubled = 2 * oracle->kept[oracle->retained_count].number;
        MUST(troupe_reply_later(
            ctx, oracle->kept[oracle->retained_count].asker, DOUBLED, &doubled, sizeof(doubled)));
    }
    REPORT(ctx, message, ALL_ANSWERED, &count);
}

static void oracle_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct oracle *oracle = state;
    uint32_t type = troupe_message_type(message);
    if (type == DOUBLE || type == TWICE) {
        uint64_t doubled = 2 * *TROUPE_BODY(message, uint64_t);
        REPORT(ctx, message, DOUBLED, &doubled);
        if (type == TWICE) {
            REPORT(ctx, message, DOUBLED, &doubled);
        }
    } else if (type == KEEP) {
        oracle_keep(oracle, message);
    } else if (type == ANSWER_ALL) {
        oracle_answer_all(ctx, oracle, message);
    } else if (type == LEAVE) {
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour oracle = {
    .name = "oracle", .state_bytes = sizeof(struct oracle), .receive = oracle_receive};

/* The asker asks the oracle, as the test says, and tells what came of it. ---------------------- */

struct begin {
    troupe_ref_t oracle;
    uint32_t type;
    uint32_t count;      // asks at once
    uint32_t rounds;     // each asked from the answer of the one before
    uint32_t also_leave; // send the oracle LEAVE before the first ask
    uint64_t timeout_ns;
};

struct ended {
    uint32_t by_err[TROUPE_ERR_EXISTS + 1];
    uint32_t wrong_answers;
    uint32_t wrong_senders;
    uint32_t repeated_tags;
    uint32_t with_no_answer; // calls with an error and no message
    uint64_t elapsed_ns;
};

struct asker {
    struct troupe_reply_to scenario;
    struct begin begin;
    struct ended ended;
    uint32_t pending;
    uint64_t start_ns;
    uint8_t has_tag[KEPT_MAX];
};

static void asker_ask(troupe_context_t *ctx, struct asker *asker);

static void asker_check(struct asker *asker, uint64_t tag, const troupe_message_t *answer)
{
    const uint64_t *doubled = TROUPE_BODY(answer, uint64_t);
    bool is_right =
        troupe_message_type(answer) == DOUBLED && doubled != NULL && *doubled == 2 * tag;
    asker->ended.wrong_answers += is_right ? 0 : 1;
    asker->ended.wrong_senders +=
        troupe_ref_equal(troupe_message_sender(answer), asker->begin.oracle) ? 0 : 1;
}

static void asker_on_answer(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *answer)
{
    struct asker *asker = state;
    MUST_BE(tag < KEPT_MAX);
    asker->ended.by_err[err]++;
    asker->ended.repeated_tags += asker->begin.rounds == 0 && asker->has_tag[tag] != 0 ? 1 : 0;
    asker->has_tag[tag] = 1;
    asker->pending--;
    if (answer != NULL) {
        asker_check(asker, tag, answer);
    } else {
        asker->ended.with_no_answer++;
    }
    if (asker->begin.rounds > 0) {
        asker->begin.rounds--;
        asker_ask(ctx, asker);
    }
    if (asker->pending == 0) {
        asker->ended.elapsed_ns = troupe_now(ctx) - asker->start_ns;
        MUST(troupe_reply_later(ctx, asker->scenario, ENDED, &asker->ended, sizeof(asker->ended)));
    }
}

static void asker_ask(troupe_context_t *ctx, struct asker *asker)
{
    for (uint64_t tag = 0; tag < asker->begin.count; tag++) {
        struct troupe_outgoing letter = {
            .to = asker->begin.oracle,
            .type = asker->begin.type,
            .body = &tag,
            .body_bytes = sizeof(tag),
        };
        MUST(troupe_ask(
            ctx,
            &letter,
            &(const struct troupe_ask_options){
                .timeout_ns = asker->begin.timeout_ns, .on_reply = asker_on_answer, .tag = tag}));
        asker->pending++;
    }
}

static void asker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct asker *asker = state;
    asker->scenario = troupe_message_reply_to(message);
    asker->begin = *TROUPE_BODY(message, struct begin);
    asker->start_ns = troupe_now(ctx);
    if (asker->begin.also_leave != 0) {
        MUST(troupe_send(ctx, asker->begin.oracle, LEAVE, NULL, 0));
    }
    asker_ask(ctx, asker);
    if (troupe_message_type(message) == ABANDON) {
        MUST(troupe_reply(ctx, message, ENDED, &asker->ended, sizeof(asker->ended)));
        troupe_stop(ctx);
    }
}

static const struct troupe_behaviour asker = {
    .name = "asker", .state_bytes = sizeof(struct asker), .receive = asker_receive};

/** An hour: whatever ends before the fixture's deadline did not end by this. */
#define NEVER_NS UINT64_C(3600000000000)

static struct fixture *open_with_oracle(
    const struct fixture_placement *placement, troupe_ref_t *out_asker, troupe_ref_t *out_oracle)
{
    struct fixture_options options = {.behaviours = TROUPE_BEHAVIOURS(&asker, &oracle)};
    struct fixture *fixture = fixture_open(placement, &options);
    *out_asker = fixture_spawn(fixture, &asker);
    *out_oracle = fixture_spawn(fixture, &oracle);
    return fixture;
}

/** Have the oracle answer until it has answered @p count asks, which may still be on their way. */
static void answer_all(struct fixture *fixture, troupe_ref_t oracle_ref, uint64_t count)
{
    uint64_t deadline_ns = measure_now_ns() + FIXTURE_DEADLINE_NS;
    uint64_t answered = 0;
    while (answered < count) {
        cr_assert(lt(u64, measure_now_ns(), deadline_ns), "the oracle never got all asks");
        fixture_ask(fixture, oracle_ref, ANSWER_ALL, NULL, 0);
        answered += *FIXTURE_HEAR(fixture, ALL_ANSWERED, uint64_t);
    }
}

BACKEND_TEST(asks, an_answer_is_met_once_by_who_asked)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = DOUBLE, .count = 1, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &begin.oracle);

    fixture_ask(fixture, asker_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_OK], 1));
    cr_expect(eq(u32, ended->wrong_answers, 0));
    cr_expect(eq(u32, ended->wrong_senders, 0));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

BACKEND_TEST(asks, an_answer_can_be_met_with_the_next_ask)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = DOUBLE, .count = 1, .rounds = 100, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &begin.oracle);

    fixture_ask(fixture, asker_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_OK], 101));
    cr_expect(eq(u32, ended->wrong_answers, 0));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, a_thousand_asks_are_told_apart_by_their_tags)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = KEEP, .count = 1000, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &begin.oracle);
    fixture_ask(fixture, asker_ref, BEGIN, &begin, sizeof(begin));

    answer_all(fixture, begin.oracle, begin.count);

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_OK], 1000));
    cr_expect(eq(u32, ended->wrong_answers, 0));
    cr_expect(eq(u32, ended->repeated_tags, 0));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, an_answer_may_come_from_a_later_callback)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = KEEP, .count = 1, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &begin.oracle);
    uint64_t number = 21;
    fixture_ask(fixture, begin.oracle, KEEP, &number, sizeof(number));

    answer_all(fixture, begin.oracle, 1);

    const struct heard *heard = fixture_hear(fixture, DOUBLED);
    cr_expect(heard->is_reply);
    cr_expect(eq(u64, *(const uint64_t *)heard->body, 42));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, an_ask_without_an_answer_times_out_and_not_before)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = IGNORE, .count = 3, .timeout_ns = 5000000};
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &begin.oracle);

    fixture_ask(fixture, asker_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_ERR_TIMEDOUT], 3));
    cr_expect(eq(u32, ended->with_no_answer, 3));
    cr_expect(ge(u64, ended->elapsed_ns, begin.timeout_ns));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, an_answer_that_comes_late_is_a_dead_letter)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = KEEP, .count = 1, .timeout_ns = 2000000};
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &begin.oracle);
    fixture_ask(fixture, asker_ref, BEGIN, &begin, sizeof(begin));
    (void)fixture_hear(fixture, ENDED);

    answer_all(fixture, begin.oracle, 1);

    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_LATE_REPLY], 1));
    cr_expect(eq(u64, stats.dead, 1));
}

BACKEND_TEST(asks, a_second_answer_is_a_dead_letter)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = TWICE, .count = 1, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &begin.oracle);

    fixture_ask(fixture, asker_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_OK], 1));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_LATE_REPLY], 1));
}

BACKEND_TEST(asks, an_ask_of_the_dead_is_told_at_once)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = DOUBLE, .count = 1, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &begin.oracle);
    fixture_tell(fixture, begin.oracle, LEAVE, NULL, 0);
    fixture_ask(fixture, begin.oracle, DOUBLE, &begin.timeout_ns, sizeof(begin.timeout_ns));
    cr_expect(eq(int, fixture_hear(fixture, FIXTURE_NO_ANSWER)->err, TROUPE_ERR_NOENT));

    fixture_ask(fixture, asker_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_ERR_NOENT], 1));
    cr_expect(eq(u32, ended->with_no_answer, 1));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead_by_reason[TROUPE_DEAD_STOPPED], 2)); // the two asks
}

BACKEND_TEST(asks, an_ask_that_waits_when_its_receiver_stops_is_told)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = DOUBLE, .count = 10, .also_leave = 1, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &begin.oracle);

    fixture_ask(fixture, asker_ref, BEGIN, &begin, sizeof(begin));

    const struct ended *ended = FIXTURE_HEAR(fixture, ENDED, struct ended);
    cr_expect(eq(u32, ended->by_err[TROUPE_ERR_NOENT], 10));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, an_answer_for_an_asker_that_ended_is_a_dead_letter)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    struct begin begin = {.type = KEEP, .count = 5, .timeout_ns = NEVER_NS};
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &begin.oracle);
    fixture_ask(fixture, asker_ref, ABANDON, &begin, sizeof(begin));
    (void)fixture_hear(fixture, ENDED);
    fixture_ask(fixture, asker_ref, BEGIN, &begin, sizeof(begin)); // it is gone
    cr_expect(eq(int, fixture_hear(fixture, FIXTURE_NO_ANSWER)->err, TROUPE_ERR_NOENT));

    answer_all(fixture, begin.oracle, begin.count);

    struct troupe_stats stats = fixture_close(&fixture);
    // Five answers and one ask of the dead.
    cr_expect(
        eq(u64,
           stats.dead_by_reason[TROUPE_DEAD_LATE_REPLY] + stats.dead_by_reason[TROUPE_DEAD_STOPPED],
           6));
    cr_expect(eq(u64, stats.dead, 6));
}

BACKEND_TEST(asks, a_plain_send_is_replied_to_as_a_plain_send)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    troupe_ref_t oracle_ref = TROUPE_REF_NONE;
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &oracle_ref);
    uint64_t number = 21;

    fixture_tell(fixture, oracle_ref, DOUBLE, &number, sizeof(number));

    const struct heard *heard = fixture_hear(fixture, DOUBLED);
    cr_expect(not(heard->is_reply));
    cr_expect(eq(u64, *(const uint64_t *)heard->body, 42));
    fixture_close(&fixture);
}

BACKEND_TEST(asks, the_main_program_cannot_ask)
{
    troupe_ref_t asker_ref = TROUPE_REF_NONE;
    struct troupe_outgoing letter = {.type = DOUBLE};
    struct fixture *fixture = open_with_oracle(placement, &asker_ref, &letter.to);

    enum troupe_err err = troupe_ask(
        troupe_system_context(fixture_system(fixture)),
        &letter,
        &(const struct troupe_ask_options){.on_reply = asker_on_answer});

    cr_expect(eq(int, err, TROUPE_ERR_UNSUPPORTED));
    fixture_close(&fixture);
}

SUBJECTS(&asker, &oracle);
