/*
 * The controller keeps a worker in each slot and starts a successor when one has ended; it announces all workers to each
 * other, has them send or be silent, and monitors each. It runs on the program's own thread, so main.c reads its state.
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

void chaos_add_error(struct chaos_controller *controller, const char *format, ...)
{
    if (controller->errors++ < CHAOS_ERRORS_MAX) {
        va_list args;
        va_start(args, format);
        (void)fputs("chaos: FLAW: ", controller->out);
        (void)vfprintf(controller->out, format, args);
        (void)fputc('\n', controller->out);
        va_end(args);
    }
}

/* Instances. ----------------------------------------------------------------------------------- */

struct chaos_instance *chaos_instance_of(struct chaos_controller *controller, uint32_t slot)
{
    return &controller->instances[controller->slots[slot].instance];
}

/** @return the life that @p ref names; the latest first, for those are asked for. */
static struct chaos_instance *controller_find(struct chaos_controller *controller, troupe_ref_t ref)
{
    for (uint32_t i = controller->instance_count; i > 0; i--) {
        if (troupe_ref_equal(controller->instances[i - 1].ref, ref)) {
            return &controller->instances[i - 1];
        }
    }
    return NULL;
}

const struct chaos_instance *chaos_killed_with(
    const struct chaos_controller *controller, const struct chaos_instance *instance)
{
    for (uint32_t i = controller->instance_count; i > 0; i--) {
        const struct chaos_instance *other = &controller->instances[i - 1];
        if (other->ref.executor == instance->ref.executor && other->way != CHAOS_ALIVE) {
            return other;
        }
    }
    return NULL;
}

bool chaos_is_target(
    const struct chaos_controller *controller, const struct chaos_instance *instance)
{
    return instance->pid != 0 && instance->reported == 0 &&
           chaos_killed_with(controller, instance) == NULL;
}

static bool controller_is_ready(struct chaos_controller *controller, uint32_t slot)
{
    const struct chaos_instance *instance = chaos_instance_of(controller, slot);
    return instance->pid != 0 && instance->reported == 0;
}

/** Start an instance in a slot, and monitor it. */
static void controller_spawn(
    troupe_context_t *ctx, struct chaos_controller *controller, uint32_t slot)
{
    static const char *const alone[] = {"process", "process+ipc", "process+tcp"};
    static const char *const pooled[] = {"process:2", "process:2+ipc", "process:2"};
    struct chance chance = {.state = controller->random};
    const struct chaos_worker_args args = {
        .controller = controller->ref, .slot = slot, .is_eager = chance_one_in(&chance, 4)};
    const char *place = (slot < CHAOS_ALONE ? alone : pooled)[chance_below(&chance, 3)];
    controller->random = chance.state;
    const struct troupe_spawn_options options = {
        .behaviour = &chaos_worker,
        .args = &args,
        .args_bytes = sizeof(args),
        .place = slot < CHAOS_PROCESSES ? place : "thread",
    };
    if (controller->instance_count == controller->instance_max) {
        chaos_add_error(controller, "more instances than kills");
        return;
    }
    struct chaos_instance *instance = &controller->instances[controller->instance_count];
    *instance = (struct chaos_instance){.slot = slot};
    if (troupe_spawn(ctx, &options, &instance->ref) != TROUPE_OK ||
        troupe_monitor(ctx, instance->ref, &instance->monitor) != TROUPE_OK) {
        chaos_add_error(
            controller, "no successor in slot %u: %s", (unsigned)slot, troupe_error_detail());
        return;
    }
    controller->slots[slot] =
        (struct chaos_slot){.instance = controller->instance_count, .state = CHAOS_PAUSED};
    controller->instance_count++;
}

/* What is to be done. -------------------------------------------------------------------------- */

/** @return whether the instance in @p other is to be announced to @p slot. */
static bool controller_must_announce(
    struct chaos_controller *controller, uint32_t slot, uint32_t other)
{
    const struct chaos_slot *entry = &controller->slots[slot];
    return slot != other && entry->known[other] != controller->slots[other].instance + 1 &&
           controller_is_ready(controller, other);
}

/** @return whether @p slot is to be asked for another state. */
static bool controller_must_request(struct chaos_controller *controller, uint32_t slot)
{
    const struct chaos_slot *entry = &controller->slots[slot];
    if (entry->asked || entry->state == (uint32_t)controller->want) {
        return false;
    }
    return controller->want != CHAOS_PAUSED || entry->state == CHAOS_GOING;
}

static bool controller_must_act(struct chaos_controller *controller, uint32_t slot)
{
    bool must_act = controller_must_request(controller, slot);
    for (uint32_t other = 0; other < CHAOS_WORKERS; other++) {
        must_act |= controller_must_announce(controller, slot, other);
    }
    return must_act && controller_is_ready(controller, slot);
}

bool chaos_controller_is_due(struct chaos_controller *controller)
{
    for (uint32_t slot = 0; slot < CHAOS_WORKERS; slot++) {
        if (controller->instance_count < CHAOS_WORKERS || controller_must_act(controller, slot)) {
            return true;
        }
    }
    return false;
}

bool chaos_controller_is_settled(struct chaos_controller *controller)
{
    if (chaos_controller_is_due(controller)) {
        return false;
    }
    for (uint32_t slot = 0; slot < CHAOS_WORKERS; slot++) {
        if (!controller_is_ready(controller, slot) || controller->slots[slot].asked) {
            return false;
        }
    }
    return true;
}

static void controller_on_report(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    (void)ctx;
    struct chaos_controller *controller = *(struct chaos_controller **)state;
    struct chaos_instance *instance = &controller->instances[tag / 4];
    struct chaos_slot *entry = &controller->slots[instance->slot];
    if (entry->instance != tag / 4) {
        return; // another is there by now
    }
    entry->asked = false;
    if (err != TROUPE_OK) {
        return; // it is asked again, or has ended
    }
    const struct chaos_report *report = TROUPE_BODY(reply, struct chaos_report);
    entry->state = (uint32_t)(tag % 4);
    if (report == NULL) {
        return;
    }
    entry->report = *report;
    for (uint32_t i = 0; i < CHAOS_RECORDS; i++) {
        const struct chaos_record *record = &report->records[i];
        bool is_new = record->reported > 0 && record->is_reported == 0;
        controller->reported += is_new;
        controller->reported_unknown += is_new && record->reason == TROUPE_EXIT_UNKNOWN;
    }
}

static void controller_request(
    troupe_context_t *ctx, struct chaos_controller *controller, uint32_t slot)
{
    struct chaos_slot *entry = &controller->slots[slot];
    troupe_ref_t to = chaos_instance_of(controller, slot)->ref;
    if (controller->want == CHAOS_GOING) {
        bool sent = troupe_send(ctx, to, CHAOS_GO, NULL, 0) == TROUPE_OK;
        entry->state = sent ? CHAOS_GOING : entry->state;
        return;
    }
    const struct troupe_outgoing pause = {
        .to = to, .type = controller->want == CHAOS_PAUSED ? CHAOS_PAUSE : CHAOS_ACCOUNT};
    uint64_t tag = (uint64_t)entry->instance * 4 + (uint64_t)controller->want;
    entry->asked =
        troupe_ask(
            ctx,
            &pause,
            &(const struct troupe_ask_options){.on_reply = controller_on_report, .tag = tag}) ==
        TROUPE_OK;
}

static void controller_run_slot(
    troupe_context_t *ctx, struct chaos_controller *controller, uint32_t slot)
{
    struct chaos_slot *entry = &controller->slots[slot];
    troupe_ref_t to = chaos_instance_of(controller, slot)->ref;
    for (uint32_t other = 0; other < CHAOS_WORKERS; other++) {
        if (controller_must_announce(controller, slot, other)) {
            const struct chaos_new news = {
                .ref = chaos_instance_of(controller, other)->ref, .slot = other};
            if (TROUPE_SEND(ctx, to, CHAOS_NEW, &news) == TROUPE_OK) {
                entry->known[other] = controller->slots[other].instance + 1;
            }
        }
    }
    if (controller_must_request(controller, slot)) {
        controller_request(ctx, controller, slot);
    }
}

static void controller_run(troupe_context_t *ctx, struct chaos_controller *controller)
{
    controller->ref = troupe_self(ctx);
    for (uint32_t slot = 0; controller->instance_count < CHAOS_WORKERS && slot < CHAOS_WORKERS;
         slot++) {
        controller_spawn(ctx, controller, slot);
    }
    for (uint32_t slot = 0; slot < CHAOS_WORKERS; slot++) {
        if (controller_is_ready(controller, slot)) {
            controller_run_slot(ctx, controller, slot);
        }
    }
}

/* What it receives. ---------------------------------------------------------------------------- */

static bool is_exit_of(enum chaos_way way, uint32_t reason, int code)
{
    return way == CHAOS_SEGV ? reason == TROUPE_EXIT_CRASHED && code == SIGSEGV
                             : way != CHAOS_ALIVE && reason == TROUPE_EXIT_KILLED;
}

static void controller_on_down(
    troupe_context_t *ctx, struct chaos_controller *controller, const struct troupe_down *down)
{
    struct chaos_instance *instance = controller_find(controller, down->actor);
    if (controller->stopping) {
        return;
    }
    if (instance == NULL || instance->monitor != down->monitor || instance->reported > 0) {
        chaos_add_error(controller, "a DOWN that came twice, or of no instance");
        return;
    }
    const struct chaos_instance *killed = chaos_killed_with(controller, instance);
    instance->way = killed != NULL ? killed->way : CHAOS_ALIVE;
    instance->ended_ns = killed != NULL ? killed->ended_ns : 0;
    instance->reported++;
    instance->reported_ns = chaos_now_ns();
    instance->exit = down->exit;
    if (instance->ended_ns == 0 || instance->reported_ns < instance->ended_ns ||
        !is_exit_of(instance->way, down->exit.reason, down->exit.code)) {
        chaos_add_error(
            controller,
            "executor %u (process %d), way %d: reported '%s', code %d, '%s'",
            (unsigned)instance->ref.executor,
            (int)instance->pid,
            (int)instance->way,
            troupe_exit_reason_text(down->exit.reason),
            down->exit.code,
            down->exit.text);
    }
    controller_spawn(ctx, controller, instance->slot);
}

static void controller_on_message(
    troupe_context_t *ctx, struct chaos_controller *controller, const troupe_message_t *message)
{
    struct chaos_instance *instance = controller_find(controller, troupe_message_sender(message));
    if (instance == NULL || instance->reported > 0) {
        chaos_add_error(
            controller,
            "a message of type %u after its sender's exit was reported",
            (unsigned)troupe_message_type(message));
        return;
    }
    if (troupe_message_type(message) == CHAOS_READY) {
        instance->pid = *TROUPE_BODY(message, pid_t);
        return;
    }
    struct chaos_numbered numbered;
    memcpy(&numbered, troupe_message_body(message), sizeof(numbered));
    enum chaos_order order = chaos_sequence_check(&controller->sequence, instance->ref, &numbered);
    if (order != CHAOS_IN_ORDER) {
        chaos_add_error(
            controller,
            "message %llu of executor %u %s",
            (unsigned long long)numbered.number,
            (unsigned)instance->ref.executor,
            order == CHAOS_DUPLICATE ? "came twice" : "came too early");
    }
    if (troupe_message_type(message) == CHAOS_QUESTION) {
        (void)troupe_reply(ctx, message, CHAOS_REPLY, NULL, 0);
    }
}

static enum troupe_err controller_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx;
    memcpy(state, args, args_bytes);
    return TROUPE_OK;
}

static void controller_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct chaos_controller *controller = *(struct chaos_controller **)state;
    switch (troupe_message_type(message)) {
    case CHAOS_CHECK:
        controller_run(ctx, controller);
        return;
    case TROUPE_MESSAGE_DOWN:
        controller_on_down(ctx, controller, TROUPE_BODY(message, struct troupe_down));
        return;
    case TROUPE_MESSAGE_ROOM:
        return; // it is tried again with the next TEND
    default:
        controller_on_message(ctx, controller, message);
    }
}

const struct troupe_behaviour chaos_controller = {
    .name = "controller",
    .state_bytes = sizeof(struct chaos_controller *),
    .init = controller_init,
    .receive = controller_receive,
};

/* Comparing. ----------------------------------------------------------------------------------- */

/** @return whether a worker still waits for the report of an exit. */
static bool is_unreported(struct chaos_controller *controller, const struct chaos_record *record)
{
    const struct chaos_instance *instance = controller_find(controller, record->actor);
    bool is_sure = record->is_passive == 0 || record->is_confirmed != 0;
    return record->reported == 0 && is_sure && instance != NULL &&
           instance->reported_ns > controller->checked_ns;
}

/** @return the first exit whose report a worker still waits for; NULL: none. */
static const struct chaos_record *controller_find_unreported(
    struct chaos_controller *controller, uint32_t slot)
{
    const struct chaos_record *records = controller->slots[slot].report.records;
    for (uint32_t i = 0; i < CHAOS_RECORDS; i++) {
        if (!troupe_ref_is_none(records[i].actor) && is_unreported(controller, &records[i])) {
            return &records[i];
        }
    }
    return NULL;
}

bool chaos_controller_is_unreported(struct chaos_controller *controller, uint32_t slot)
{
    return controller_find_unreported(controller, slot) != NULL;
}

/** Compare the record that a worker has of an exit with the truth. */
static void check_record(
    struct chaos_controller *controller, uint32_t slot, const struct chaos_record *record)
{
    const struct chaos_instance *instance = controller_find(controller, record->actor);
    if (instance == NULL || record->reported > instance->reported) {
        chaos_add_error(
            controller,
            "slot %u got %u reports of executor %u, which %s",
            (unsigned)slot,
            (unsigned)record->reported,
            (unsigned)record->actor.executor,
            instance == NULL         ? "is unknown"
            : instance->reported > 0 ? "has ended"
                                     : "runs");
    } else if (
        record->reported > 0 && record->reason != TROUPE_EXIT_UNKNOWN &&
        !is_exit_of(instance->way, record->reason, record->code)) {
        chaos_add_error(
            controller,
            "slot %u got '%s', code %d, for way %d",
            (unsigned)slot,
            troupe_exit_reason_text((enum troupe_exit_reason)record->reason),
            (int)record->code,
            (int)instance->way);
    }
}

void chaos_controller_check(struct chaos_controller *controller)
{
    for (uint32_t slot = 0; slot < CHAOS_WORKERS; slot++) {
        const struct chaos_report *report = &controller->slots[slot].report;
        if (report->duplicates != 0 || report->missing != 0 || report->after_end != 0) {
            chaos_add_error(
                controller,
                "slot %u got %llu messages twice, missed some %llu times, and got %llu after their "
                "exit",
                (unsigned)slot,
                (unsigned long long)report->duplicates,
                (unsigned long long)report->missing,
                (unsigned long long)report->after_end);
        }
        for (uint32_t i = 0; i < CHAOS_RECORDS; i++) {
            if (!troupe_ref_is_none(report->records[i].actor)) {
                check_record(controller, slot, &report->records[i]);
            }
        }
    }
    controller->checked_ns = chaos_now_ns();
}

/** @return how a slot gets the report of an exit. */
static const char *controller_way(
    struct chaos_controller *controller, uint32_t slot, const struct chaos_record *record)
{
    const struct chaos_instance *instance = controller_find(controller, record->actor);
    if (record->is_passive) {
        return "its link";
    }
    return instance != NULL && chaos_is_linked(slot, instance->slot) ? "a link to it" : "a monitor";
}

/** Print what is missing in the last report of a slot. */
static void controller_print_report(struct chaos_controller *controller, uint32_t slot)
{
    const struct chaos_report *report = &controller->slots[slot].report;
    const struct chaos_record *unreported = controller_find_unreported(controller, slot);
    (void)fprintf(
        controller->out,
        "; %llu of %llu asks over",
        (unsigned long long)report->asks_over,
        (unsigned long long)report->asks);
    if (unreported != NULL) {
        char ref[TROUPE_REF_TEXT_BYTES];
        const char *way = controller_way(controller, slot, unreported);
        (void)fprintf(
            controller->out,
            ", no report of %s by %s",
            troupe_ref_print(unreported->actor, ref),
            way);
    }
    (void)fprintf(controller->out, "\n");
}

void chaos_controller_print(struct chaos_controller *controller)
{
    for (uint32_t slot = 0; controller->instance_count > 0 && slot < CHAOS_WORKERS; slot++) {
        const struct chaos_slot *entry = &controller->slots[slot];
        const struct chaos_instance *instance = chaos_instance_of(controller, slot);
        uint32_t unknown = 0;
        for (uint32_t other = 0; other < CHAOS_WORKERS; other++) {
            unknown += controller_must_announce(controller, slot, other);
        }
        (void)fprintf(
            controller->out,
            "slot %u: executor %u, process %d, way %d, reported %u, state %u of %d%s, %u not "
            "announced",
            (unsigned)slot,
            (unsigned)instance->ref.executor,
            (int)instance->pid,
            (int)instance->way,
            (unsigned)instance->reported,
            (unsigned)entry->state,
            (int)controller->want,
            entry->asked ? ", asked" : "",
            (unsigned)unknown);
        controller_print_report(controller, slot);
    }
}
