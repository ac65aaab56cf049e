/*
 * Credit under pressure: many senders, one small mailbox. A sender that is refused waits for its ROOM and goes on;
 * no message is lost, and those of each sender are received in order.
 */
#include "race.h"

enum { NUMBER = 1 };
enum { SENDERS = 6, NUMBERS = 1500, BOUND_MESSAGES = 16, BOUND_BYTES = 4096, BODY_MAX = 700 };

/** Body of a message. Every fifth one is longer than this. */
struct number {
    uint32_t sender;
    uint32_t number;
};

struct sender {
    troupe_ref_t to;
    uint32_t index;
    uint32_t next;
    uint32_t chance;
};

struct sender_args {
    troupe_ref_t to;
    uint64_t index;
};

static void sender_continue(troupe_context_t *ctx, struct sender *sender)
{
    _Alignas(8) uint8_t body[BODY_MAX] = {0};
    while (sender->next < NUMBERS) {
        const struct number number = {.sender = sender->index, .number = sender->next};
        size_t extra = sender->next % 5 == 0 ? race_next(&sender->chance) % 600 : 0;
        memcpy(body, &number, sizeof(number));
        enum troupe_err err = troupe_send(ctx, sender->to, NUMBER, body, sizeof(number) + extra);
        if (err == TROUPE_ERR_FULL) {
            return; // until its ROOM
        }
        RACE_OK(err);
        sender->next++;
    }
    troupe_stop(ctx);
}

static enum troupe_err sender_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct sender *sender = state;
    const struct sender_args *sender_args = args;
    RACE_CHECK(args_bytes == sizeof(*sender_args));
    *sender = (struct sender){
        .to = sender_args->to,
        .index = (uint32_t)sender_args->index,
        .chance = (uint32_t)troupe_random(ctx),
    };
    sender_continue(ctx, sender);
    return TROUPE_OK;
}

static void sender_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    RACE_CHECK(troupe_message_type(message) == TROUPE_MESSAGE_ROOM);
    sender_continue(ctx, state);
}

static const struct troupe_behaviour sender = {
    .name = "sender",
    .state_bytes = sizeof(struct sender),
    .init = sender_init,
    .receive = sender_receive,
};

struct receiver {
    uint32_t next[SENDERS];
    uint32_t done;
};

static void receiver_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct receiver *receiver = state;
    RACE_CHECK(troupe_message_body_bytes(message) >= sizeof(struct number));
    const struct number *number = troupe_message_body(message);
    RACE_CHECK(number->sender < SENDERS);
    RACE_CHECK(number->number == receiver->next[number->sender]++);
    if (receiver->next[number->sender] == NUMBERS && ++receiver->done == SENDERS) {
        troupe_shutdown(ctx);
    }
}

static const struct troupe_behaviour receiver = {
    .name = "receiver",
    .state_bytes = sizeof(struct receiver),
    .receive = receiver_receive,
};

/** Run all senders against a receiver at @p place. */
static void run(const char *place)
{
    // Two share an executor, one runs on the main thread, the others each on a thread of their own.
    static const char *const places[SENDERS] = {
        "ecs", "thread:1", "thread:1", "thread", "thread", "thread"};
    const struct troupe_system_options options = {
        .behaviours = TROUPE_BEHAVIOURS(&receiver, &sender),
        .mailbox_messages = BOUND_MESSAGES,
        .mailbox_bytes = BOUND_BYTES,
    };
    troupe_system_t *system = race_open(&options);
    troupe_context_t *ctx = troupe_system_context(system);
    struct sender_args args = {.to = race_spawn(ctx, &receiver, place, NULL, 0)};
    for (; args.index < SENDERS; args.index++) {
        (void)race_spawn(ctx, &sender, places[args.index], &args, sizeof(args));
    }
    struct troupe_stats stats = race_close(&system, place);
    RACE_CHECK(stats.handled == SENDERS * NUMBERS);
    RACE_CHECK(stats.dead == 0);
    RACE_CHECK(stats.refused > 0 && stats.rooms > 0);
}

int main(void)
{
    run("thread");
    run("ecs");
    return 0;
}
