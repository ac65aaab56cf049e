/*
 * The keeper has a talker in each slot, another when one has ended; it lets all know of all, has them speak
 * or be silent, and hears of every end. It lives on the program's own thread, and so main.c looks into it.
 */
#include "chaos.h"
#include "unit/chance.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

uint64_t chaos_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void chaos_parse_error(struct chaos_keeper *keeper, const char *format, ...)
{
    if (keeper->flaws++ < CHAOS_FLAWS_MAX) {
        va_list args;
        va_start(args, format);
        (void)fputs("chaos: FLAW: ", keeper->say);
        (void)vfprintf(keeper->say, format, args);
        (void)fputc('\n', keeper->say);
        va_end(args);
    }
}

/* Lives. --------------------------------------------------------------------------------------- */

struct chaos_life *chaos_life_of(struct chaos_keeper *keeper, uint32_t slot)
{
    return &keeper->lives[keeper->seats[slot].life];
}

/** @return the life that @p ref names; the latest first, for those are asked for. */
static struct chaos_life *keeper_find(struct chaos_keeper *keeper, troupe_ref_t ref)
{
    for (uint32_t i = keeper->life_count; i > 0; i--) {
        if (troupe_ref_equal(keeper->lives[i - 1].ref, ref)) {
            return &keeper->lives[i - 1];
        }
    }
    return NULL;
}

const struct chaos_life *chaos_struck_with(
    const struct chaos_keeper *keeper, const struct chaos_life *life)
{
    for (uint32_t i = keeper->life_count; i > 0; i--) {
        const struct chaos_life *other = &keeper->lives[i - 1];
        if (other->ref.executor == life->ref.executor && other->way != CHAOS_ALIVE) {
            return other;
        }
    }
    return NULL;
}

bool chaos_is_target(const struct chaos_keeper *keeper, const struct chaos_life *life)
{
    return life->pid != 0 && life->told == 0 && chaos_struck_with(keeper, life) == NULL;
}

static bool keeper_is_ready(struct chaos_keeper *keeper, uint32_t slot)
{
    const struct chaos_life *life = chaos_life_of(keeper, slot);
    return life->pid != 0 && life->told == 0;
}

/** Begin a life in a slot, and watch it. */
static void keeper_spawn(troupe_context_t *ctx, struct chaos_keeper *keeper, uint32_t slot)
{
    static const char *const alone[] = {"process", "process+ipc", "process+tcp"};
    static const char *const pooled[] = {"process:2", "process:2+ipc", "process:2"};
    struct chance chance = {.state = keeper->random};
    const struct chaos_talker_args args = {
        .keeper = keeper->ref, .slot = slot, .is_eager = chance_one_in(&chance, 4)};
    const char *place = (slot < CHAOS_ALONE ? alone : pooled)[chance_below(&chance, 3)];
    keeper->random = chance.state;
    const struct troupe_spawn_options options = {
        .behaviour = &chaos_talker,
        .args = &args,
        .args_bytes = sizeof(args),
        .place = slot < CHAOS_PROCESSES ? place : "thread",
    };
    if (keeper->life_count == keeper->life_max) {
        chaos_parse_error(keeper, "more lives than kills");
        return;
    }
    struct chaos_life *life = &keeper->lives[keeper->life_count];
    *life = (struct chaos_life){.slot = slot};
    if (troupe_spawn(ctx, &options, &life->ref) != TROUPE_OK ||
        troupe_monitor(ctx, life->ref, &life->monitor) != TROUPE_OK) {
        chaos_parse_error(
            keeper, "no successor in slot %u: %s", (unsigned)slot, troupe_error_detail());
        return;
    }
    keeper->seats[slot] = (struct chaos_slot){.life = keeper->life_count, .state = CHAOS_PAUSED};
    keeper->life_count++;
}

/* What is to be done. -------------------------------------------------------------------------- */

/** @return whether @p slot is to be told who is in @p other. */
static bool keeper_owes_news(struct chaos_keeper *keeper, uint32_t slot, uint32_t other)
{
    const struct chaos_slot *seat = &keeper->seats[slot];
    return slot != other && seat->known[other] != keeper->seats[other].life + 1 &&
           keeper_is_ready(keeper, other);
}

/** @return whether @p slot is to be asked for another state. */
static bool keeper_owes_order(struct chaos_keeper *keeper, uint32_t slot)
{
    const struct chaos_slot *seat = &keeper->seats[slot];
    if (seat->asked || seat->state == (uint32_t)keeper->want) {
        return false;
    }
    return keeper->want != CHAOS_PAUSED || seat->state == CHAOS_GOING;
}

static bool keeper_owes(struct chaos_keeper *keeper, uint32_t slot)
{
    bool owes = keeper_owes_order(keeper, slot);
    for (uint32_t other = 0; other < CHAOS_TALKERS; other++) {
        owes |= keeper_owes_news(keeper, slot, other);
    }
    return owes && keeper_is_ready(keeper, slot);
}

bool chaos_keeper_is_due(struct chaos_keeper *keeper)
{
    for (uint32_t slot = 0; slot < CHAOS_TALKERS; slot++) {
        if (keeper->life_count < CHAOS_TALKERS || keeper_owes(keeper, slot)) {
            return true;
        }
    }
    return false;
}

bool chaos_keeper_is_settled(struct chaos_keeper *keeper)
{
    if (chaos_keeper_is_due(keeper)) {
        return false;
    }
    for (uint32_t slot = 0; slot < CHAOS_TALKERS; slot++) {
        if (!keeper_is_ready(keeper, slot) || keeper->seats[slot].asked) {
            return false;
        }
    }
    return true;
}

static void keeper_on_report(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *answer)
{
    (void)ctx;
    struct chaos_keeper *keeper = *(struct chaos_keeper **)state;
    struct chaos_life *life = &keeper->lives[tag / 4];
    struct chaos_slot *seat = &keeper->seats[life->slot];
    if (seat->life != tag / 4) {
        return; // another is there by now
    }
    seat->asked = false;
    if (err != TROUPE_OK) {
        return; // it is asked again, or has ended
    }
    const struct chaos_report *report = TROUPE_BODY(answer, struct chaos_report);
    seat->state = (uint32_t)(tag % 4);
    if (report == NULL) {
        return;
    }
    seat->report = *report;
    for (uint32_t i = 0; i < CHAOS_WATCHES; i++) {
        const struct chaos_watch *watch = &report->watches[i];
        bool is_new = watch->told > 0 && watch->is_reported == 0;
        keeper->told += is_new;
        keeper->told_unknown += is_new && watch->reason == TROUPE_EXIT_UNKNOWN;
    }
}

static void keeper_order(troupe_context_t *ctx, struct chaos_keeper *keeper, uint32_t slot)
{
    struct chaos_slot *seat = &keeper->seats[slot];
    troupe_ref_t to = chaos_life_of(keeper, slot)->ref;
    if (keeper->want == CHAOS_GOING) {
        bool sent = troupe_send(ctx, to, CHAOS_GO, NULL, 0) == TROUPE_OK;
        seat->state = sent ? CHAOS_GOING : seat->state;
        return;
    }
    const struct troupe_outgoing pause = {
        .to = to, .type = keeper->want == CHAOS_PAUSED ? CHAOS_PAUSE : CHAOS_ACCOUNT};
    uint64_t tag = (uint64_t)seat->life * 4 + (uint64_t)keeper->want;
    seat->asked =
        troupe_ask(
            ctx,
            &pause,
            &(const struct troupe_ask_options){.on_reply = keeper_on_report, .tag = tag}) ==
        TROUPE_OK;
}

static void keeper_tend_slot(troupe_context_t *ctx, struct chaos_keeper *keeper, uint32_t slot)
{
    struct chaos_slot *seat = &keeper->seats[slot];
    troupe_ref_t to = chaos_life_of(keeper, slot)->ref;
    for (uint32_t other = 0; other < CHAOS_TALKERS; other++) {
        if (keeper_owes_news(keeper, slot, other)) {
            const struct chaos_new news = {.ref = chaos_life_of(keeper, other)->ref, .slot = other};
            if (TROUPE_SEND(ctx, to, CHAOS_NEW, &news) == TROUPE_OK) {
                seat->known[other] = keeper->seats[other].life + 1;
            }
        }
    }
    if (keeper_owes_order(keeper, slot)) {
        keeper_order(ctx, keeper, slot);
    }
}

static void keeper_tend(troupe_context_t *ctx, struct chaos_keeper *keeper)
{
    keeper->ref = troupe_self(ctx);
    for (uint32_t slot = 0; keeper->life_count < CHAOS_TALKERS && slot < CHAOS_TALKERS; slot++) {
        keeper_spawn(ctx, keeper, slot);
    }
    for (uint32_t slot = 0; slot < CHAOS_TALKERS; slot++) {
        if (keeper_is_ready(keeper, slot)) {
            keeper_tend_slot(ctx, keeper, slot);
        }
    }
}

/* What is heard. ------------------------------------------------------------------------------- */

static bool is_exit_of(enum chaos_way way, uint32_t reason, int code)
{
    return way == CHAOS_SEGV ? reason == TROUPE_EXIT_CRASHED && code == SIGSEGV
                             : way != CHAOS_ALIVE && reason == TROUPE_EXIT_KILLED;
}

static void keeper_meet_down(
    troupe_context_t *ctx, struct chaos_keeper *keeper, const struct troupe_down *down)
{
    struct chaos_life *life = keeper_find(keeper, down->actor);
    if (keeper->stopping) {
        return;
    }
    if (life == NULL || life->monitor != down->monitor || life->told > 0) {
        chaos_parse_error(keeper, "an end that was told already, or of nobody");
        return;
    }
    const struct chaos_life *struck = chaos_struck_with(keeper, life);
    life->way = struck != NULL ? struck->way : CHAOS_ALIVE;
    life->ended_ns = struck != NULL ? struck->ended_ns : 0;
    life->told++;
    life->told_ns = chaos_now_ns();
    life->exit = down->exit;
    if (life->ended_ns == 0 || life->told_ns < life->ended_ns ||
        !is_exit_of(life->way, down->exit.reason, down->exit.code)) {
        chaos_parse_error(
            keeper,
            "executor %u (process %d), way %d: told '%s', code %d, '%s'",
            (unsigned)life->ref.executor,
            (int)life->pid,
            (int)life->way,
            troupe_exit_reason_text(down->exit.reason),
            down->exit.code,
            down->exit.text);
    }
    keeper_spawn(ctx, keeper, life->slot);
}

static void keeper_hear(
    troupe_context_t *ctx, struct chaos_keeper *keeper, const troupe_message_t *message)
{
    struct chaos_life *life = keeper_find(keeper, troupe_message_sender(message));
    if (life == NULL || life->told > 0) {
        chaos_parse_error(
            keeper,
            "a message of type %u after its sender's end was told",
            (unsigned)troupe_message_type(message));
        return;
    }
    if (troupe_message_type(message) == CHAOS_READY) {
        life->pid = *TROUPE_BODY(message, pid_t);
        return;
    }
    struct chaos_word word;
    memcpy(&word, troupe_message_body(message), sizeof(word));
    enum chaos_sound sound = chaos_ear_hear(&keeper->ear, life->ref, &word);
    if (sound != CHAOS_IN_ORDER) {
        chaos_parse_error(
            keeper,
            "word %llu of executor %u %s",
            (unsigned long long)word.number,
            (unsigned)life->ref.executor,
            sound == CHAOS_TWICE ? "came twice" : "came too early");
    }
    if (troupe_message_type(message) == CHAOS_QUESTION) {
        (void)troupe_reply(ctx, message, CHAOS_ANSWER, NULL, 0);
    }
}

static enum troupe_err keeper_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    memcpy(state, args, args_bytes);
    return TROUPE_OK;
}

static void keeper_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct chaos_keeper *keeper = *(struct chaos_keeper **)state;
    switch (troupe_message_type(message)) {
    case CHAOS_TEND:
        keeper_tend(ctx, keeper);
        return;
    case TROUPE_MESSAGE_DOWN:
        keeper_meet_down(ctx, keeper, TROUPE_BODY(message, struct troupe_down));
        return;
    case TROUPE_MESSAGE_ROOM:
        return; // it is tried again with the next TEND
    default:
        keeper_hear(ctx, keeper, message);
    }
}

const struct troupe_behaviour chaos_keeper = {
    .name = "keeper",
    .state_bytes = sizeof(struct chaos_keeper *),
    .init = keeper_init,
    .receive = keeper_receive,
};

/* Comparing. ----------------------------------------------------------------------------------- */

/** @return whether a talker still has to be told of an end. */
static bool is_untold(struct chaos_keeper *keeper, const struct chaos_watch *watch)
{
    const struct chaos_life *life = keeper_find(keeper, watch->actor);
    bool is_sure = watch->is_passive == 0 || watch->is_firm != 0;
    return watch->told == 0 && is_sure && life != NULL && life->told_ns > keeper->checked_ns;
}

/** @return the first end that a talker still has to be told of; NULL: none. */
static const struct chaos_watch *keeper_find_untold(struct chaos_keeper *keeper, uint32_t slot)
{
    const struct chaos_watch *watches = keeper->seats[slot].report.watches;
    for (uint32_t i = 0; i < CHAOS_WATCHES; i++) {
        if (!troupe_ref_is_none(watches[i].actor) && is_untold(keeper, &watches[i])) {
            return &watches[i];
        }
    }
    return NULL;
}

bool chaos_keeper_is_untold(struct chaos_keeper *keeper, uint32_t slot)
{
    return keeper_find_untold(keeper, slot) != NULL;
}

/** Compare what a talker was told of an end with what is so. */
static void check_watch(struct chaos_keeper *keeper, uint32_t slot, const struct chaos_watch *watch)
{
    const struct chaos_life *life = keeper_find(keeper, watch->actor);
    if (life == NULL || watch->told > life->told) {
        chaos_parse_error(
            keeper,
            "slot %u was told %u times of executor %u, which %s",
            (unsigned)slot,
            (unsigned)watch->told,
            (unsigned)watch->actor.executor,
            life == NULL     ? "nobody knows"
            : life->told > 0 ? "has ended"
                             : "lives");
    } else if (
        watch->told > 0 && watch->reason != TROUPE_EXIT_UNKNOWN &&
        !is_exit_of(life->way, watch->reason, watch->code)) {
        chaos_parse_error(
            keeper,
            "slot %u was told '%s', code %d, of a way %d",
            (unsigned)slot,
            troupe_exit_reason_text((enum troupe_exit_reason)watch->reason),
            (int)watch->code,
            (int)life->way);
    }
}

void chaos_keeper_check(struct chaos_keeper *keeper)
{
    for (uint32_t slot = 0; slot < CHAOS_TALKERS; slot++) {
        const struct chaos_report *report = &keeper->seats[slot].report;
        if (report->twice != 0 || report->missing != 0 || report->after_end != 0) {
            chaos_parse_error(
                keeper,
                "slot %u met %llu words twice, missed some %llu times, and met %llu after their "
                "end",
                (unsigned)slot,
                (unsigned long long)report->twice,
                (unsigned long long)report->missing,
                (unsigned long long)report->after_end);
        }
        for (uint32_t i = 0; i < CHAOS_WATCHES; i++) {
            if (!troupe_ref_is_none(report->watches[i].actor)) {
                check_watch(keeper, slot, &report->watches[i]);
            }
        }
    }
    keeper->checked_ns = chaos_now_ns();
}

/** @return by which way a slot is to be told of an end. */
static const char *keeper_way(
    struct chaos_keeper *keeper, uint32_t slot, const struct chaos_watch *watch)
{
    const struct chaos_life *life = keeper_find(keeper, watch->actor);
    if (watch->is_passive) {
        return "its link";
    }
    return life != NULL && chaos_is_linked(slot, life->slot) ? "a link to it" : "a monitor";
}

/** Say what the last report of a slot lacks. */
static void keeper_print_report(struct chaos_keeper *keeper, uint32_t slot)
{
    const struct chaos_report *report = &keeper->seats[slot].report;
    const struct chaos_watch *untold = keeper_find_untold(keeper, slot);
    (void)fprintf(
        keeper->say,
        "; %llu of %llu asks over",
        (unsigned long long)report->asks_over,
        (unsigned long long)report->asks);
    if (untold != NULL) {
        char ref[TROUPE_REF_TEXT_BYTES];
        const char *way = keeper_way(keeper, slot, untold);
        (void)fprintf(
            keeper->say, ", not told of %s by %s", troupe_ref_print(untold->actor, ref), way);
    }
    (void)fprintf(keeper->say, "\n");
}

void chaos_keeper_print(struct chaos_keeper *keeper)
{
    for (uint32_t slot = 0; keeper->life_count > 0 && slot < CHAOS_TALKERS; slot++) {
        const struct chaos_slot *seat = &keeper->seats[slot];
        const struct chaos_life *life = chaos_life_of(keeper, slot);
        uint32_t unknown = 0;
        for (uint32_t other = 0; other < CHAOS_TALKERS; other++) {
            unknown += keeper_owes_news(keeper, slot, other);
        }
        (void)fprintf(
            keeper->say,
            "slot %u: executor %u, process %d, way %d, told %u, state %u of %d%s, knows not %u",
            (unsigned)slot,
            (unsigned)life->ref.executor,
            (int)life->pid,
            (int)life->way,
            (unsigned)life->told,
            (unsigned)seat->state,
            (int)keeper->want,
            seat->asked ? ", asked" : "",
            (unsigned)unknown);
        keeper_print_report(keeper, slot);
    }
}
