/*
 * Promise 6, bounded, in a crowd: however many were refused, each of them gets its room, and who waits for it
 * is not passed for ever by those who talk meanwhile.
 */
#include "support/fixture.h"

#include <string.h>

enum {
    BEG = 1, // to a beggar: troupe_ref_t, whom it is to beg
    PLEA,    // from a beggar
    SPIN,    // to a spinner: troupe_ref_t, with whom
    TOKEN,   // between spinners
    WAIT,    // to a patient: troupe_ref_t, for whose room
    DONE,    // from a patient, once it had its rooms
};

enum {
    BOUND = 32,
    CROWD = 12,
    PLEAS = 5,
    ALL_PLEAS = CROWD * PLEAS,
    TOKENS = 2 * BOUND,
    FLOODS = 5
};

static struct fixture *open_bounded(
    const struct fixture_placement *placement, const struct troupe_behaviour *const *behaviours)
{
    struct fixture_options options = {.behaviours = behaviours, .mailbox_messages = BOUND};
    return fixture_open(placement, &options);
}

/** Send until one is refused; the rest is owed. */
static void send_owed(troupe_context_t *ctx, troupe_ref_t to, uint32_t type, uint32_t *owed)
{
    enum troupe_err err = TROUPE_OK;
    while (*owed > 0 && err == TROUPE_OK) {
        err = troupe_send(ctx, to, type, NULL, 0);
        MUST_BE(err == TROUPE_OK || err == TROUPE_ERR_FULL);
        *owed -= err == TROUPE_OK;
    }
}

/* A crowd. ------------------------------------------------------------------------------------- */

struct beggar {
    troupe_ref_t slow;
    uint32_t owed;
};

static void beggar_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct beggar *beggar = state;
    if (troupe_message_type(message) == BEG) {
        beggar->slow = *TROUPE_BODY(message, troupe_ref_t);
        beggar->owed = PLEAS;
    }
    send_owed(ctx, beggar->slow, PLEA, &beggar->owed);
}

static const struct troupe_behaviour beggar = {
    .name = "beggar", .state_bytes = sizeof(struct beggar), .receive = beggar_receive};

BACKEND_TEST(rooms, in_a_crowd_of_refused_everybody_gets_through_in_the_end)
{
    struct fixture *fixture = open_bounded(placement, TROUPE_BEHAVIOURS(&fixture_slow, &beggar));
    troupe_ref_t slow = fixture_spawn(fixture, &fixture_slow);
    troupe_ref_t crowd[CROWD];
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = fixture_spawn(fixture, &beggar);
    }

    for (int i = 0; i < CROWD; i++) {
        fixture_send(fixture, crowd[i], BEG, &slow, sizeof(slow));
    }

    while (fixture_count(fixture, slow) < ALL_PLEAS) { // the last are on their way
    }
    cr_expect(eq(u64, fixture_count(fixture, slow), ALL_PLEAS));
    struct troupe_stats stats = fixture_close(&fixture);
    cr_expect(eq(u64, stats.dead, 0));
}

/* Two who never pause. ------------------------------------------------------------------------- */

struct spinner {
    troupe_ref_t other;
    uint32_t owed;
};

static void spinner_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct spinner *spinner = state;
    if (troupe_message_type(message) == SPIN) {
        spinner->other = *TROUPE_BODY(message, troupe_ref_t);
        spinner->owed = TOKENS;
    } else if (troupe_message_type(message) == TOKEN) {
        spinner->other = troupe_message_sender(message);
        spinner->owed++;
    }
    if (!troupe_ref_is_none(spinner->other)) {
        send_owed(ctx, spinner->other, TOKEN, &spinner->owed);
    }
}

static const struct troupe_behaviour spinner = {
    .name = "spinner", .state_bytes = sizeof(struct spinner), .receive = spinner_receive};

/** Who sends until it is refused, and waits for its ROOM, FLOODS times. */
struct patient {
    troupe_ref_t scenario;
    troupe_ref_t whom;
    uint32_t rooms;
    uint32_t owed; // the word that it is done
};

static enum troupe_err patient_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    struct patient *patient = state;
    MUST_BE(args_bytes == sizeof(patient->scenario));
    memcpy(&patient->scenario, args, args_bytes);
    return TROUPE_OK;
}

static void patient_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct patient *patient = state;
    if (troupe_message_type(message) == WAIT) {
        patient->whom = *TROUPE_BODY(message, troupe_ref_t);
    } else if (patient->rooms < FLOODS) {
        patient->rooms++;
        patient->owed = patient->rooms == FLOODS ? 1 : 0;
    }
    uint32_t more = patient->rooms < FLOODS ? UINT32_MAX : 0;
    send_owed(ctx, patient->whom, FIXTURE_DROP, &more);
    send_owed(ctx, patient->scenario, DONE, &patient->owed);
}

static const struct troupe_behaviour patient = {
    .name = "patient",
    .state_bytes = sizeof(struct patient),
    .init = patient_init,
    .receive = patient_receive,
};

struct cast {
    troupe_ref_t one;
    troupe_ref_t other;
    troupe_ref_t patient;
};

/** In one callback: once the two spin, who stands outside of the world finds no room there. */
static void begin(troupe_context_t *ctx, void *data)
{
    const struct cast *cast = data;
    MUST(TROUPE_SEND(ctx, cast->one, SPIN, &cast->other));
    MUST(TROUPE_SEND(ctx, cast->patient, WAIT, &cast->one));
}

BACKEND_TEST(rooms, who_waits_is_not_passed_for_ever_by_those_who_talk_meanwhile)
{
    struct fixture *fixture = open_bounded(placement, TROUPE_BEHAVIOURS(&spinner, &patient));
    struct cast cast = {
        .one = fixture_spawn(fixture, &spinner),
        .other = fixture_spawn(fixture, &spinner),
        .patient = fixture_spawn_reporter(fixture, &patient),
    };

    fixture_call(fixture, begin, &cast);

    (void)fixture_receive(fixture, DONE);
    fixture_close(&fixture);
}

SUBJECTS(&fixture_slow, &beggar, &spinner, &patient);
