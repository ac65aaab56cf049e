/*
 * A talker speaks to all others, and hears of their ends. It says what it knows when it is asked to pause.
 */
#include "chaos.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PERIOD_NS = 1000000,
    BURST_EAGER = 4, // words at a time
    BURST = 40,
    REST_BYTES_MAX = 200, // behind a word
    GIFT_BYTES_MAX = 1 << 16,
    ASK_NS = 200000000,
};

struct talker_peer {
    troupe_ref_t ref;
    uint64_t next; // number of the next word
};

struct talker {
    struct chaos_talker_args args;
    struct talker_peer peers[CHAOS_SLOTS];
    struct chaos_ear ear;
    struct chaos_report report;
    uint32_t watch_next; // where the next watch goes
    bool going;
    bool spinning; // a SPIN is in its mail
    bool stalled;  // it had no room
    bool greeted;  // it told the keeper that it is there
    troupe_timer_t timer;
};

/** What a talker cannot go on without. */
static void talker_need(bool condition, const char *what)
{
    if (!condition) {
        (void)fprintf(stderr, "talker: %s: %s\n", what, troupe_error_detail());
        abort();
    }
}

/** The mailbox may be full, or its owner be gone: only other errors are mistakes. */
static bool talker_sent(enum troupe_err err)
{
    talker_need(err == TROUPE_OK || err == TROUPE_ERR_FULL || err == TROUPE_ERR_NOENT, "send");
    return err == TROUPE_OK;
}

/** Who shares a process may find no room for it, and does it at the ROOM. */
static void talker_greet(troupe_context_t *ctx, struct talker *talker)
{
    pid_t pid = getpid();
    talker->greeted = talker_sent(TROUPE_SEND(ctx, talker->args.keeper, CHAOS_READY, &pid));
}

static enum troupe_err talker_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct talker *talker = state;
    talker_need(args_bytes == sizeof(talker->args), "arguments");
    memcpy(&talker->args, args, args_bytes);
    talker->peers[CHAOS_KEEPER].ref = talker->args.keeper;
    troupe_trap_exit(ctx, true);
#if defined(__SANITIZE_ADDRESS__)
    if (talker->args.slot < CHAOS_PROCESSES) {
        (void)signal(SIGSEGV, SIG_DFL); // a sanitizer would make an exit of it
    }
#endif
    talker_greet(ctx, talker);
    return TROUPE_OK;
}

/* Speaking. ------------------------------------------------------------------------------------ */

static void talker_on_answer(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *answer)
{
    (void)ctx, (void)tag, (void)answer;
    struct talker *talker = state;
    talker->report.asks_over++;
    talker->report.asks_late += err == TROUPE_ERR_TIMEDOUT;
    talker_need(err == TROUPE_OK || err == TROUPE_ERR_NOENT || err == TROUPE_ERR_TIMEDOUT, "ask");
}

static bool talker_give(troupe_context_t *ctx, troupe_ref_t to, const struct chaos_word *word)
{
    struct troupe_body gift;
    size_t bytes = sizeof(*word) + troupe_random(ctx) % GIFT_BYTES_MAX;
    talker_need(troupe_body_new(bytes, &gift) == TROUPE_OK, "memory");
    memcpy(gift.data, word, sizeof(*word));
    bool sent = talker_sent(troupe_send_body(ctx, to, CHAOS_WORD, &gift));
    troupe_body_free(&gift);
    return sent;
}

static bool talker_ask(
    troupe_context_t *ctx, struct talker *talker, troupe_ref_t to, const struct chaos_word *word)
{
    const struct troupe_outgoing letter = {
        .to = to, .type = CHAOS_QUESTION, .body = word, .body_bytes = sizeof(*word)};
    bool sent = talker_sent(troupe_ask(
        ctx,
        &letter,
        &(const struct troupe_ask_options){.timeout_ns = ASK_NS, .on_reply = talker_on_answer}));
    talker->report.asks += sent;
    return sent;
}

/** Say a word to somebody, in some way. */
static void talker_speak(troupe_context_t *ctx, struct talker *talker)
{
    uint64_t bits = troupe_random(ctx);
    struct talker_peer *peer = &talker->peers[(bits >> 32) % CHAOS_SLOTS];
    if (troupe_ref_is_none(peer->ref)) {
        return;
    }
    unsigned char body[sizeof(struct chaos_word) + REST_BYTES_MAX] = {0};
    const struct chaos_word word = {.slot = talker->args.slot, .number = peer->next};
    memcpy(body, &word, sizeof(word));
    bool sent = false;
    if (bits % 64 == 0) {
        sent = talker_give(ctx, peer->ref, &word);
    } else if (bits % 16 == 1) {
        sent = talker_ask(ctx, talker, peer->ref, &word);
    } else {
        size_t bytes = sizeof(word) + bits / 64 % REST_BYTES_MAX;
        sent = talker_sent(troupe_send(ctx, peer->ref, CHAOS_WORD, body, bytes));
    }
    peer->next += sent;
}

/** Go on by a message to itself. */
static void talker_spin(troupe_context_t *ctx, struct talker *talker)
{
    talker->spinning = talker_sent(troupe_send(ctx, troupe_self(ctx), CHAOS_SPIN, NULL, 0));
    talker->stalled = !talker->spinning;
}

static void talker_go(troupe_context_t *ctx, struct talker *talker)
{
    if (talker->going) {
        return;
    }
    talker->going = true;
    if (talker->args.is_eager != 0) {
        if (!talker->spinning) {
            talker_spin(ctx, talker);
        }
        return;
    }
    const struct troupe_outgoing tick = {.to = troupe_self(ctx), .type = CHAOS_SPIN};
    talker_need(troupe_send_every(ctx, PERIOD_NS, &tick, &talker->timer) == TROUPE_OK, "timer");
}

static void talker_on_spin(troupe_context_t *ctx, struct talker *talker)
{
    bool is_eager = talker->args.is_eager != 0;
    talker->spinning = false;
    if (!talker->going) {
        return;
    }
    for (int i = 0; i < (is_eager ? BURST_EAGER : BURST); i++) {
        talker_speak(ctx, talker);
    }
    if (is_eager) {
        talker_spin(ctx, talker);
    }
}

/* Hearing of others. --------------------------------------------------------------------------- */

static struct chaos_watch *talker_find_watch(struct talker *talker, troupe_ref_t actor)
{
    for (uint32_t i = 0; i < CHAOS_WATCHES; i++) {
        if (troupe_ref_equal(talker->report.watches[i].actor, actor)) {
            return &talker->report.watches[i];
        }
    }
    return NULL;
}

/** Remember somebody whose end is to be told, in place of who is over and done with. */
static struct chaos_watch *talker_add_watch(struct talker *talker, troupe_ref_t actor)
{
    struct chaos_watch *watch = talker_find_watch(talker, actor);
    for (uint32_t i = 0; watch == NULL && i < CHAOS_WATCHES; i++) {
        struct chaos_watch *at = &talker->report.watches[talker->watch_next++ % CHAOS_WATCHES];
        if (troupe_ref_is_none(at->actor) || at->is_reported != 0) {
            watch = at;
            *watch = (struct chaos_watch){.actor = actor};
        }
    }
    talker_need(watch != NULL, "room for a watch");
    return watch;
}

static void talker_meet_new(
    troupe_context_t *ctx, struct talker *talker, const struct chaos_new *newcomer)
{
    uint32_t slot = newcomer->slot;
    talker->peers[slot] = (struct talker_peer){.ref = newcomer->ref};
    struct chaos_watch *watch = talker_add_watch(talker, newcomer->ref);
    if (!chaos_is_linked(talker->args.slot, slot)) {
        talker_need(troupe_monitor(ctx, newcomer->ref, NULL) == TROUPE_OK, "monitor");
    } else if (talker->args.slot < slot) {
        talker_need(troupe_link(ctx, newcomer->ref) == TROUPE_OK, "link");
    } else {
        watch->is_passive = 1;
    }
}

static void talker_meet_end(struct talker *talker, const struct troupe_down *down)
{
    struct chaos_watch *watch = talker_add_watch(talker, down->actor);
    watch->told++;
    watch->reason = down->exit.reason;
    watch->code = down->exit.code;
    watch->is_reported = 0;
}

static void talker_hear(
    troupe_context_t *ctx, struct talker *talker, const troupe_message_t *message)
{
    struct chaos_report *report = &talker->report;
    troupe_ref_t from = troupe_message_sender(message);
    struct chaos_word word;
    talker_need(troupe_message_body_bytes(message) >= sizeof(word), "a word");
    memcpy(&word, troupe_message_body(message), sizeof(word));
    enum chaos_sound sound = chaos_ear_hear(&talker->ear, from, &word);
    struct chaos_watch *watch = talker_find_watch(talker, from);
    report->heard++;
    report->twice += sound == CHAOS_TWICE;
    report->missing += sound == CHAOS_MISSING;
    if (watch != NULL) {
        report->after_end += watch->told > 0;
        watch->is_firm = 1;
    }
    if (troupe_message_type(message) == CHAOS_QUESTION) {
        (void)talker_sent(troupe_reply(ctx, message, CHAOS_ANSWER, NULL, 0));
    }
}

/** @return whether somebody is the present one of some slot. */
static bool talker_is_present(const struct talker *talker, troupe_ref_t actor)
{
    for (uint32_t slot = 0; slot < CHAOS_SLOTS; slot++) {
        if (troupe_ref_equal(talker->peers[slot].ref, actor)) {
            return true;
        }
    }
    return false;
}

static void talker_pause(
    troupe_context_t *ctx, struct talker *talker, const troupe_message_t *message)
{
    if (talker->going && talker->args.is_eager == 0) {
        (void)troupe_timer_cancel(ctx, talker->timer);
    }
    talker->going = false;
    (void)talker_sent(troupe_reply(ctx, message, CHAOS_REPORT, NULL, 0));
}

static void talker_account(
    troupe_context_t *ctx, struct talker *talker, const troupe_message_t *message)
{
    struct chaos_report *report = &talker->report;
    if (!talker_sent(troupe_reply(ctx, message, CHAOS_REPORT, report, sizeof(*report)))) {
        return;
    }
    for (uint32_t i = 0; i < CHAOS_WATCHES; i++) {
        struct chaos_watch *watch = &report->watches[i];
        watch->is_reported = watch->told > 0 || !talker_is_present(talker, watch->actor);
    }
}

static void talker_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct talker *talker = state;
    switch (troupe_message_type(message)) {
    case CHAOS_WORD:
    case CHAOS_QUESTION:
        talker_hear(ctx, talker, message);
        return;
    case CHAOS_SPIN:
        talker_on_spin(ctx, talker);
        return;
    case TROUPE_MESSAGE_ROOM:
        if (!talker->greeted) {
            talker_greet(ctx, talker);
        }
        if (talker->stalled && talker->going) {
            talker_spin(ctx, talker);
        }
        return;
    case CHAOS_NEW:
        talker_meet_new(ctx, talker, TROUPE_BODY(message, struct chaos_new));
        return;
    case TROUPE_MESSAGE_DOWN:
    case TROUPE_MESSAGE_EXIT:
        talker_meet_end(talker, TROUPE_BODY(message, struct troupe_down));
        return;
    case CHAOS_GO:
        talker_go(ctx, talker);
        return;
    case CHAOS_PAUSE:
        talker_pause(ctx, talker, message);
        return;
    case CHAOS_ACCOUNT:
        talker_account(ctx, talker, message);
        return;
    default:
        talker_need(false, "known message");
    }
}

const struct troupe_behaviour chaos_talker = {
    .name = "talker",
    .state_bytes = sizeof(struct talker),
    .init = talker_init,
    .receive = talker_receive,
};
