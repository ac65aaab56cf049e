/*
 * Credit of channels: taking it, running out of it, and giving it back.
 *
 *     sender    refill from the peer's pool -- none free --> refused, CREDIT_REQUEST
 *     receiver  owe --> settle: back to the pool, and CREDIT_GRANT to the waiting, first come first served
 *     sender    CREDIT_GRANT --> a ROOM for everyone who was refused
 */
#include "actor/executor.h"
#include "base/descriptors.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "node/system.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_SHARE = 16, // a channel takes this share of the bound at a time
    FIRST_CHUNK_MESSAGES = 16,
    CHUNK_BODY_BYTES = 1024, // that go with the credit of a message, if they are not needed now
    GRANT_SHARE = 4,         // the waiting get this share at most
    RESUME_SHARE = 8, // and are fed when they may have this share, so that it is worth a wake-up
    GRANT_SHARE_REMOTE = 2, // likewise by ipc and tcp, where asking costs more
    RESUME_SHARE_REMOTE = 4,
    ROOMS_BITS_MAX = 10, // so many are called at once: two to the power of this
};

static int64_t credit_share(int64_t bound, int64_t share)
{
    return bound >= share ? bound / share : 1;
}

/**
 * How many messages' credit a channel takes at a time: as many as it ever sent, for many channels that send
 * little would else hold most of a mailbox between them. A inbox, without a loop to give back what it does
 * not spend, takes one.
 */
static int64_t credit_chunk(
    const struct troupe_executor *executor, const struct trp_channel *channel)
{
    if (executor->mode == TRP_MODE_INBOX) {
        return 1;
    }
    int64_t most = credit_share(channel->slot->pool.bound_messages, CHUNK_SHARE);
    int64_t sent = (int64_t)trp_counted(&channel->ledger->accepted) + FIRST_CHUNK_MESSAGES;
    return sent < most ? sent : most;
}

/** @return what of the credit that was taken did not come back. */
static int64_t credit_outstanding(const _Atomic int64_t *taken, const _Atomic int64_t *returned)
{
    return atomic_load_explicit(taken, memory_order_relaxed) -
           atomic_load_explicit(returned, memory_order_relaxed);
}

/** Give unspent credit back to the pool it came from. */
static void credit_give_back(struct trp_channel *channel, int64_t messages, int64_t bytes)
{
    channel->credit_messages -= messages;
    channel->credit_bytes -= bytes;
    atomic_fetch_add_explicit(&channel->ledger->returned_messages, messages, memory_order_relaxed);
    atomic_fetch_add_explicit(&channel->ledger->returned_bytes, bytes, memory_order_relaxed);
    trp_credit_pool_give(&channel->slot->pool, messages, bytes);
}

void trp_channel_return_credit(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_item *item,
    uint32_t count)
{
    if ((item->flags & TRP_FLAG_PROVISIONAL) != 0) {
        atomic_fetch_add_explicit(
            &executor->slot->pool.reserve_messages, (int32_t)count, memory_order_relaxed);
        atomic_fetch_sub_explicit(
            &channel->in_ledger->reserve_messages, (int32_t)count, memory_order_relaxed);
    } else if ((item->flags & TRP_FLAG_UNMETERED) == 0 && item->kind == TRP_KIND_USER) {
        int64_t bytes = (int64_t)count * (int64_t)trp_item_bytes(item);
        trp_channel_owe(executor, channel, count, bytes);
    }
}

void trp_channel_return_all(struct trp_channel *channel)
{
    channel->credit_messages += channel->reserved_messages;
    channel->credit_bytes += channel->reserved_bytes;
    channel->reserved_messages = 0;
    channel->reserved_bytes = 0;
    credit_give_back(channel, channel->credit_messages, channel->credit_bytes);
}

void trp_channel_reclaim(struct troupe_executor *executor, struct trp_channel *channel)
{
    const struct trp_ledger *ledger = channel->in_ledger;
    trp_credit_pool_give(
        &executor->slot->pool,
        credit_outstanding(&ledger->taken_messages, &ledger->returned_messages),
        credit_outstanding(&ledger->taken_bytes, &ledger->returned_bytes));
    atomic_fetch_add_explicit(
        &executor->slot->pool.reserve_messages,
        atomic_load_explicit(&ledger->reserve_messages, memory_order_relaxed),
        memory_order_relaxed);
    if (!channel->has_request && atomic_load_explicit(&ledger->is_waiting, memory_order_relaxed)) {
        atomic_fetch_sub_explicit(&executor->slot->pool.waiting_count, 1, memory_order_relaxed);
    }
}

/** Give back all unspent credit of a channel, and wake who waits for some there. */
static void credit_give_all_back(struct troupe_executor *executor, struct trp_channel *channel)
{
    if (channel->credit_messages == 0 && channel->credit_bytes == 0) {
        return;
    }
    credit_give_back(channel, channel->credit_messages, channel->credit_bytes);
    if (!channel->is_loop &&
        atomic_load_explicit(&channel->slot->pool.waiting_count, memory_order_relaxed) > 0) {
        (void)trp_channel_command(executor, channel, TRP_KIND_WAKE, NULL, 0);
    }
}

static bool credit_refill_messages(struct troupe_executor *executor, struct trp_channel *channel)
{
    struct trp_credit_pool *pool = &channel->slot->pool;
    int64_t stash =
        credit_outstanding(&channel->ledger->taken_messages, &channel->ledger->returned_messages);
    int64_t taken =
        trp_credit_pool_take(&pool->free_messages, stash, 1, credit_chunk(executor, channel));
    channel->credit_messages += taken;
    atomic_fetch_add_explicit(&channel->ledger->taken_messages, taken, memory_order_relaxed);
    return taken > 0;
}

static bool credit_refill_bytes(
    struct troupe_executor *executor, struct trp_channel *channel, int64_t need)
{
    struct trp_credit_pool *pool = &channel->slot->pool;
    int64_t stash =
        credit_outstanding(&channel->ledger->taken_bytes, &channel->ledger->returned_bytes);
    int64_t chunk = credit_chunk(executor, channel) * CHUNK_BODY_BYTES;
    int64_t most = credit_share(pool->bound_bytes, CHUNK_SHARE);
    chunk = chunk < most ? chunk : most;
    int64_t taken =
        trp_credit_pool_take(&pool->free_bytes, stash, need, chunk > need ? chunk : need);
    channel->credit_bytes += taken;
    atomic_fetch_add_explicit(&channel->ledger->taken_bytes, taken, memory_order_relaxed);
    return taken >= need;
}

bool trp_channel_refill(
    struct troupe_executor *executor, struct trp_channel *channel, size_t body_bytes)
{
    // Nobody passes those who wait.
    if (channel->is_waiting || trp_blocked_called(&channel->blocked) > 0 ||
        atomic_load_explicit(&channel->slot->pool.waiting_count, memory_order_relaxed) > 0) {
        return false;
    }
    if (channel->credit_messages < 1 && !credit_refill_messages(executor, channel)) {
        return false;
    }
    int64_t need = (int64_t)body_bytes - channel->credit_bytes;
    if (need > 0 && !credit_refill_bytes(executor, channel, need)) {
        return false;
    }
    channel->was_granted = true;
    return true;
}

bool trp_channel_take_provisional(struct trp_channel *channel, size_t body_bytes)
{
    if (channel->was_granted || channel->provisional_count == TRP_PROVISIONAL_MESSAGES ||
        body_bytes > TRP_PROVISIONAL_BYTES_MAX ||
        !trp_credit_pool_take_reserve(&channel->slot->pool)) {
        return false;
    }
    channel->provisional_count++;
    atomic_fetch_add_explicit(&channel->ledger->reserve_messages, 1, memory_order_relaxed);
    return true;
}

/** Note that somebody waits for a ROOM, once for each receiver. @return false: no memory. */
static bool credit_note_blocked(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    troupe_ref_t to,
    size_t body_bytes)
{
    struct trp_actor *actor = executor->context.actor;
    bool is_inbox = executor->mode == TRP_MODE_INBOX;
    if (actor == NULL && !is_inbox) {
        return true; // the main program asks again by itself: a notice would reach nobody
    }
    const struct trp_blocked_sender refused = {
        .index = actor != NULL ? trp_context_index(&executor->context) : 0,
        .generation = actor != NULL ? actor->generation : 1,
        .to = to,
        .bytes = (int64_t)body_bytes,
    };
    // Who asked again while its ROOM is on its way would else get another, and if it goes on after that
    // one only, for ever.
    bool maybe_noted = is_inbox || (actor->flags & TRP_ACTOR_REFUSED) != 0;
    if (maybe_noted && trp_blocked_have(&channel->blocked, &refused)) {
        return true;
    }
    if (actor != NULL) {
        actor->flags |= TRP_ACTOR_REFUSED;
    }
    return trp_blocked_add(&channel->blocked, &refused);
}

/**
 * Say how many messages of a loop may take the place of those that were met, in the same turn: while somebody
 * waits for room, as many as the bound. More, and a token that goes round would starve them; none, and
 * whoever answers would be refused because of one who sent too much.
 */
static void credit_let_pass(struct trp_channel *channel)
{
    if (channel->is_loop) {
        bool waits = channel->is_waiting || trp_blocked_called(&channel->blocked) > 0;
        channel->loop_allowance = waits ? channel->slot->pool.bound_messages : INT64_MAX;
    }
}

/** Ask the receiver for credit. @return false: no memory. */
static bool credit_request(
    struct troupe_executor *executor, struct trp_channel *channel, int64_t body_bytes)
{
    if (channel->is_waiting) {
        return true;
    }
    // What is left is too little for who was refused, and would be granted again with more.
    credit_give_back(channel, channel->credit_messages, channel->credit_bytes);
    int64_t most = credit_share(
        channel->slot->pool.bound_messages, channel->is_remote ? GRANT_SHARE_REMOTE : GRANT_SHARE);
    const struct trp_credit_request request = {
        .messages = executor->mode == TRP_MODE_INBOX ? 1 : most,
        .bytes = body_bytes,
    };
    atomic_store_explicit(&channel->ledger->is_waiting, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&channel->slot->pool.waiting_count, 1, memory_order_relaxed);
    channel->is_waiting = true;
    credit_let_pass(channel);
    if (channel->is_loop) {
        trp_channel_handle_credit_request(executor, channel, &request);
    } else if (
        trp_channel_command(
            executor, channel, TRP_KIND_CREDIT_REQUEST, &request, sizeof(request)) != TROUPE_OK) {
        atomic_fetch_sub_explicit(&channel->slot->pool.waiting_count, 1, memory_order_relaxed);
        atomic_store_explicit(&channel->ledger->is_waiting, false, memory_order_relaxed);
        channel->is_waiting = false;
        return false;
    }
    return true;
}

bool trp_channel_block(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    troupe_ref_t to,
    size_t body_bytes)
{
    if (!credit_note_blocked(executor, channel, to, body_bytes)) {
        return false;
    }
    if (channel
            ->in_room) { // it takes all it gets: one at a time, or the others would get too little
        channel->in_room = false;
        channel->rooms_bits = 0;
    }
    // While others before it get their ROOMs, its turn comes without asking.
    return trp_blocked_called(&channel->blocked) > 0 ||
           credit_request(executor, channel, (int64_t)body_bytes);
}

/** Send who is next of the refused its ROOM. @return false: there is none to send to. */
static bool credit_send_room(struct troupe_executor *executor, struct trp_channel *channel)
{
    const struct trp_blocked_sender *next = NULL;
    while ((next = trp_blocked_next(&channel->blocked)) != NULL) {
        if (executor->mode != TRP_MODE_INBOX &&
            trp_actor_table_find(&executor->actors, next->index, next->generation) == NULL) {
            trp_blocked_drop(&channel->blocked); // ended meanwhile
            continue;
        }
        const struct troupe_room room = {.to = next->to};
        troupe_ref_t to = trp_actor_ref(executor, next->index, next->generation);
        if (!trp_send_notice(executor, to, TROUPE_MESSAGE_ROOM, &room, sizeof(room))) {
            executor->rooms_late = true; // no memory for it, or no descriptor
            return false;
        }
        trp_count(&executor->counters->rooms, 1);
        return true;
    }
    return false;
}

/**
 * Call so many of the refused that there is credit for what each of them was refused; the first may have
 * all the rest. One of them, unless those before did not spend all they got.
 *
 * @return false: there is none to call.
 */
static bool credit_call_some(struct troupe_executor *executor, struct trp_channel *channel)
{
    struct trp_blocked *blocked = &channel->blocked;
    uint32_t most = 1u << channel->rooms_bits;
    while (trp_blocked_called(blocked) < most && credit_send_room(executor, channel)) {
        trp_blocked_call(blocked);
        const struct trp_blocked_sender *next = trp_blocked_next(blocked);
        if (next == NULL || trp_blocked_called(blocked) >= channel->reserved_messages ||
            blocked->called_bytes + next->bytes > channel->reserved_bytes) {
            break;
        }
    }
    return trp_blocked_called(blocked) > 0;
}

/** Let what is parked be spent, but for what those need who are called, or did not use it yet. */
static void credit_unreserve(struct trp_channel *channel)
{
    int64_t messages = (int64_t)trp_blocked_called(&channel->blocked) + channel->rooms_unspent;
    int64_t bytes = channel->blocked.called_bytes;
    messages = messages < channel->reserved_messages ? messages : channel->reserved_messages;
    bytes = bytes < channel->reserved_bytes ? bytes : channel->reserved_bytes;
    channel->credit_messages += channel->reserved_messages - messages;
    channel->credit_bytes += channel->reserved_bytes - bytes;
    channel->reserved_messages = messages;
    channel->reserved_bytes = bytes;
}

/** Keep what is left for those who wait. */
static void credit_reserve(struct trp_channel *channel)
{
    channel->reserved_messages += channel->credit_messages;
    channel->reserved_bytes += channel->credit_bytes;
    channel->credit_messages = 0;
    channel->credit_bytes = 0;
}

void trp_channel_send_rooms(struct troupe_executor *executor, struct trp_channel *channel)
{
    while (credit_send_room(executor, channel)) {
        trp_blocked_drop(&channel->blocked);
    }
}

void trp_channel_send_last_rooms(struct troupe_executor *executor, struct trp_channel *channel)
{
    trp_channel_send_rooms(executor, channel);
    uint64_t since_ns = 0;
    while (trp_blocked_wait(&channel->blocked) && trp_descriptors_are_free(0)) {
        trp_memory_wait(&since_ns);
        trp_channel_send_rooms(executor, channel);
    }
}

/** Go on with what is parked: the next ROOM, or a CREDIT_REQUEST for more, or anybody's. */
static void credit_serve_blocked(struct troupe_executor *executor, struct trp_channel *channel)
{
    bool waiting = trp_blocked_wait(&channel->blocked);
    if (waiting && channel->reserved_messages <= 0) {
        executor->rooms_late |= !credit_request(executor, channel, 0);
        return;
    }
    if (executor->mode != TRP_MODE_INBOX && waiting && credit_call_some(executor, channel)) {
        return;
    }
    trp_channel_send_rooms(executor, channel); // a inbox's; it runs no callbacks
    credit_unreserve(channel);
}

/** Serve those who wait for room on a channel from where it had to be left. */
static void credit_serve_again(struct troupe_executor *executor, struct trp_channel *channel)
{
    if (trp_blocked_called(&channel->blocked) == 0 && !channel->is_waiting) {
        credit_serve_blocked(executor, channel);
    }
}

void trp_channel_handle_credit_grant(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_credit_grant *credit)
{
    credit_reserve(channel);
    channel->reserved_messages += credit->messages;
    channel->reserved_bytes += credit->bytes;
    channel->is_waiting = false;
    channel->was_granted = true;
    channel->was_used = true; // who gets the ROOM has its 10 ms
    if (trp_blocked_called(&channel->blocked) == 0) {
        credit_serve_blocked(executor, channel);
    }
    credit_let_pass(channel);
}

void trp_channel_begin_room(struct troupe_executor *executor, uint32_t peer_id)
{
    struct trp_channel *channel = trp_channel_to(executor, peer_id);
    if (channel != NULL && trp_blocked_called(&channel->blocked) > 0) {
        trp_blocked_meet(&channel->blocked);
        credit_unreserve(channel);
        channel->room_credit = channel->credit_messages;
        channel->in_room = true;
    }
}

/** All who were called have met their ROOMs: go on with the next ones. */
static void credit_end_rooms(
    struct troupe_executor *executor, struct trp_channel *channel, bool unspent)
{
    credit_unreserve(channel);
    if (!trp_blocked_wait(&channel->blocked)) {
        return;
    }
    if (channel->is_waiting) {
        credit_give_all_back(executor, channel); // its CREDIT_REQUEST will be answered with more
    } else if (unspent) {
        // Who sends later than in its notice would else find it parked for the next, round and round.
        trp_channel_send_rooms(executor, channel);
    } else {
        credit_reserve(channel);
        credit_serve_blocked(executor, channel);
    }
}

void trp_channel_end_room(struct troupe_executor *executor, uint32_t peer_id)
{
    struct trp_channel *channel = trp_channel_to(executor, peer_id);
    if (channel == NULL || !channel->out_open) {
        return;
    }
    bool modest = channel->in_room;
    channel->in_room = false;
    channel->rooms_unspent += channel->credit_messages == channel->room_credit;
    if (trp_blocked_called(&channel->blocked) > 0) {
        credit_reserve(channel); // for those who were called as well
        return;
    }
    if (modest && channel->rooms_bits < ROOMS_BITS_MAX) {
        channel->rooms_bits++;
    }
    bool unspent = channel->rooms_unspent > 0;
    channel->rooms_unspent = 0;
    credit_end_rooms(executor, channel, unspent);
    credit_let_pass(channel);
}

void trp_channel_handle_credit_request(
    struct troupe_executor *executor,
    struct trp_channel *channel,
    const struct trp_credit_request *request)
{
    if (channel->has_request) {
        return;
    }
    channel->has_request = true;
    channel->request = *request;
    channel->next_waiting = NULL;
    if (executor->waiting_last != NULL) {
        executor->waiting_last->next_waiting = channel;
    } else {
        executor->waiting_first = channel;
    }
    executor->waiting_last = channel;
}

void trp_channel_forget_credit_request(
    struct troupe_executor *executor, struct trp_channel *channel)
{
    struct trp_channel *previous = NULL;
    for (struct trp_channel *at = executor->waiting_first; at != channel; at = at->next_waiting) {
        previous = at;
    }
    if (previous == NULL) {
        executor->waiting_first = channel->next_waiting;
    } else {
        previous->next_waiting = channel->next_waiting;
    }
    if (executor->waiting_last == channel) {
        executor->waiting_last = previous;
    }
    channel->has_request = false;
    atomic_store_explicit(&channel->in_ledger->is_waiting, false, memory_order_relaxed);
    atomic_fetch_sub_explicit(&executor->slot->pool.waiting_count, 1, memory_order_relaxed);
}

void trp_channel_owe_later(
    struct troupe_executor *executor, struct trp_channel *channel, int64_t messages, int64_t bytes)
{
    channel->owed_messages += messages;
    channel->owed_bytes += bytes;
    executor->owed_messages += messages;
    executor->owed_bytes += bytes;
    if (!channel->owes) {
        channel->owes = true;
        channel->next_owed = executor->owed;
        executor->owed = channel;
    }
}

/** What came back to the loop above its share is for others to have; all of it when somebody waits. */
static void credit_settle_loop(struct troupe_executor *executor)
{
    struct trp_channel *loop = executor->loop;
    bool wanted = executor->waiting_first != NULL;
    int64_t keep_messages =
        wanted ? 0 : credit_share(executor->slot->pool.bound_messages, GRANT_SHARE);
    int64_t keep_bytes = wanted ? 0 : credit_share(executor->slot->pool.bound_bytes, GRANT_SHARE);
    int64_t messages = loop->credit_messages - keep_messages;
    int64_t bytes = loop->credit_bytes - keep_bytes;
    if (messages > 0 || bytes > 0) {
        credit_give_back(loop, messages > 0 ? messages : 0, bytes > 0 ? bytes : 0);
    }
}

/** Take what a waiting channel may have. @return false: not enough is free for it yet. */
static bool credit_take_grant(
    struct troupe_executor *executor,
    const struct trp_channel *channel,
    bool idle,
    struct trp_credit_grant *out_credit)
{
    struct trp_credit_pool *pool = &executor->slot->pool;
    const struct trp_credit_request *request = &channel->request;
    const struct trp_ledger *ledger = channel->in_ledger;
    int64_t held_messages = credit_outstanding(&ledger->taken_messages, &ledger->returned_messages);
    int64_t held_bytes = credit_outstanding(&ledger->taken_bytes, &ledger->returned_bytes);
    int64_t share = ledger->is_remote ? RESUME_SHARE_REMOTE : RESUME_SHARE;
    int64_t least = idle ? 1 : credit_share(pool->bound_messages, share);
    if (least > request->messages) {
        least = request->messages;
    }
    struct trp_credit_grant credit = {0};
    credit.messages =
        trp_credit_pool_take(&pool->free_messages, held_messages, least, request->messages);
    if (credit.messages < least) {
        trp_credit_pool_give(pool, credit.messages, 0);
        return false;
    }
    int64_t chunk = credit_share(pool->bound_bytes, CHUNK_SHARE);
    int64_t wish = chunk > request->bytes ? chunk : request->bytes;
    credit.bytes = trp_credit_pool_take(&pool->free_bytes, held_bytes, request->bytes, wish);
    if (credit.bytes < request->bytes) {
        trp_credit_pool_give(pool, credit.messages, credit.bytes);
        return false;
    }
    // Taken for the channel from here on, so that what it holds is known should its process die.
    atomic_fetch_add_explicit(
        &channel->in_ledger->taken_messages, credit.messages, memory_order_relaxed);
    atomic_fetch_add_explicit(&channel->in_ledger->taken_bytes, credit.bytes, memory_order_relaxed);
    *out_credit = credit;
    return true;
}

/** Undo credit_take_grant(). */
static void credit_return_grant(
    struct troupe_executor *executor,
    const struct trp_channel *channel,
    const struct trp_credit_grant *credit)
{
    atomic_fetch_sub_explicit(
        &channel->in_ledger->taken_messages, credit->messages, memory_order_relaxed);
    atomic_fetch_sub_explicit(
        &channel->in_ledger->taken_bytes, credit->bytes, memory_order_relaxed);
    trp_credit_pool_give(&executor->slot->pool, credit->messages, credit->bytes);
}

/** Grant a waiting channel what it may have. @return false: not yet. */
static bool credit_feed(struct troupe_executor *executor, struct trp_channel *channel, bool idle)
{
    struct trp_credit_grant credit;
    if (!credit_take_grant(executor, channel, idle, &credit)) {
        return false;
    }
    if (channel->is_loop) {
        trp_channel_forget_credit_request(executor, channel);
        trp_channel_handle_credit_grant(executor, channel, &credit);
        return true;
    }
    struct trp_channel *back = NULL;
    if (trp_channel_open(executor, channel->peer_id, &back) != TROUPE_OK ||
        trp_channel_command(executor, back, TRP_KIND_CREDIT_GRANT, &credit, sizeof(credit)) !=
            TROUPE_OK) {
        credit_return_grant(executor, channel, &credit);
        return false;
    }
    trp_channel_forget_credit_request(executor, channel);
    return true;
}

/** Ask again for those who wait for a ROOM, and for whom there was no memory. */
static void credit_serve_late(struct troupe_executor *executor)
{
    executor->rooms_late = false;
    if (trp_blocked_wait(&executor->loop->blocked)) {
        credit_serve_again(executor, executor->loop);
    }
    for (uint32_t i = 0; i < executor->channels.slot_count; i++) {
        struct trp_channel *channel = executor->channels.slots[i].value;
        if (channel != NULL && channel->out_open && trp_blocked_wait(&channel->blocked)) {
            credit_serve_again(executor, channel);
        }
    }
}

void trp_channels_settle(struct troupe_executor *executor, bool idle)
{
    if (TRP_UNLIKELY(executor->rooms_late)) {
        credit_serve_late(executor);
    }
    while (executor->owed != NULL) {
        struct trp_channel *channel = executor->owed;
        executor->owed = channel->next_owed;
        channel->owes = false;
        atomic_fetch_add_explicit(
            &channel->in_ledger->returned_messages, channel->owed_messages, memory_order_relaxed);
        atomic_fetch_add_explicit(
            &channel->in_ledger->returned_bytes, channel->owed_bytes, memory_order_relaxed);
        trp_credit_pool_give(&executor->slot->pool, channel->owed_messages, channel->owed_bytes);
        channel->owed_messages = 0;
        channel->owed_bytes = 0;
    }
    executor->owed_messages = 0;
    executor->owed_bytes = 0;
    credit_settle_loop(executor);
    while (executor->waiting_first != NULL &&
           credit_feed(executor, executor->waiting_first, idle)) {
    }
}

/** @return the open channel in a slot of the table that holds unspent credit of a peer's; or NULL. */
static struct trp_channel *credit_unspent(const struct troupe_executor *executor, uint32_t slot)
{
    struct trp_channel *channel = executor->channels.slots[slot].value;
    bool unspent = channel != NULL && channel->out_open && !channel->is_loop &&
                   (channel->credit_messages != 0 || channel->credit_bytes != 0);
    return unspent ? channel : NULL;
}

void trp_channels_return_credit(struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->channels.slot_count; i++) {
        struct trp_channel *channel = credit_unspent(executor, i);
        if (channel != NULL && !channel->was_used) {
            credit_give_all_back(executor, channel);
        } else if (channel != NULL) {
            channel->was_used = false;
        }
    }
}

bool trp_channels_have_unspent(const struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->channels.slot_count; i++) {
        if (credit_unspent(executor, i) != NULL) {
            return true;
        }
    }
    return false;
}
