/*
 * Credit of links: taking it, running out of it, and giving it back.
 *
 *     sender    refill from the peer's gate -- none free --> refused, WANT
 *     receiver  owe --> settle: back to the gate, and CREDIT to the hungry, first come first served
 *     sender    CREDIT --> a ROOM for everyone who was refused
 */
#include "actor/executor.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "node/system.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK_SHARE = 16, // a link takes this share of the bound at a time
    FIRST_CHUNK_MESSAGES = 16,
    CHUNK_BODY_BYTES = 1024, // that go with the credit of a message, if they are not needed now
    GRANT_SHARE = 4,         // the hungry get this share at most
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
 * How many messages' credit a link takes at a time: as many as it ever sent, for many links that send
 * little would else hold most of a mailbox between them. A port, without a loop to give back what it does
 * not spend, takes one.
 */
static int64_t credit_chunk(const struct troupe_executor *executor, const struct trp_link *link)
{
    if (executor->manner == TRP_MANNER_PORT) {
        return 1;
    }
    int64_t most = credit_share(link->gate->bound_messages, CHUNK_SHARE);
    int64_t sent = (int64_t)trp_counted(&link->ledger->accepted) + FIRST_CHUNK_MESSAGES;
    return sent < most ? sent : most;
}

/** @return what of the credit that was taken did not come back. */
static int64_t credit_held(const _Atomic int64_t *taken, const _Atomic int64_t *returned)
{
    return atomic_load_explicit(taken, memory_order_relaxed) -
           atomic_load_explicit(returned, memory_order_relaxed);
}

/** Give unspent credit back to the gate it came from. */
static void credit_give_back(struct trp_link *link, int64_t messages, int64_t bytes)
{
    link->credit_messages -= messages;
    link->credit_bytes -= bytes;
    atomic_fetch_add_explicit(&link->ledger->returned_messages, messages, memory_order_relaxed);
    atomic_fetch_add_explicit(&link->ledger->returned_bytes, bytes, memory_order_relaxed);
    trp_gate_give(link->gate, messages, bytes);
}

void trp_link_return_credit(
    struct troupe_executor *executor,
    struct trp_link *link,
    const struct trp_item *item,
    uint32_t count)
{
    if ((item->flags & TRP_FLAG_PROVISIONAL) != 0) {
        atomic_fetch_add_explicit(
            &executor->gate->reserve_messages, (int32_t)count, memory_order_relaxed);
        atomic_fetch_sub_explicit(
            &link->in_ledger->reserve_messages, (int32_t)count, memory_order_relaxed);
    } else if ((item->flags & TRP_FLAG_UNMETERED) == 0 && item->kind == TRP_KIND_USER) {
        int64_t bytes = (int64_t)count * (int64_t)trp_item_bytes(item);
        trp_link_owe(executor, link, count, bytes);
    }
}

void trp_link_return_all(struct trp_link *link)
{
    link->credit_messages += link->parked_messages;
    link->credit_bytes += link->parked_bytes;
    link->parked_messages = 0;
    link->parked_bytes = 0;
    credit_give_back(link, link->credit_messages, link->credit_bytes);
}

void trp_link_reclaim(struct troupe_executor *executor, struct trp_link *link)
{
    const struct trp_ledger *ledger = link->in_ledger;
    trp_gate_give(
        executor->gate,
        credit_held(&ledger->taken_messages, &ledger->returned_messages),
        credit_held(&ledger->taken_bytes, &ledger->returned_bytes));
    atomic_fetch_add_explicit(
        &executor->gate->reserve_messages,
        atomic_load_explicit(&ledger->reserve_messages, memory_order_relaxed),
        memory_order_relaxed);
    if (!link->wants && atomic_load_explicit(&ledger->is_hungry, memory_order_relaxed)) {
        atomic_fetch_sub_explicit(&executor->gate->hungry_count, 1, memory_order_relaxed);
    }
}

/** Give back all unspent credit of a link, and wake who waits for some there. */
static void credit_give_all_back(struct troupe_executor *executor, struct trp_link *link)
{
    if (link->credit_messages == 0 && link->credit_bytes == 0) {
        return;
    }
    credit_give_back(link, link->credit_messages, link->credit_bytes);
    if (!link->is_loop &&
        atomic_load_explicit(&link->gate->hungry_count, memory_order_relaxed) > 0) {
        (void)trp_link_command(executor, link, TRP_KIND_NUDGE, NULL, 0);
    }
}

static bool credit_refill_messages(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_gate *gate = link->gate;
    int64_t held = credit_held(&link->ledger->taken_messages, &link->ledger->returned_messages);
    int64_t taken = trp_gate_take(&gate->free_messages, held, 1, credit_chunk(executor, link));
    link->credit_messages += taken;
    atomic_fetch_add_explicit(&link->ledger->taken_messages, taken, memory_order_relaxed);
    return taken > 0;
}

static bool credit_refill_bytes(
    struct troupe_executor *executor, struct trp_link *link, int64_t need)
{
    struct trp_gate *gate = link->gate;
    int64_t held = credit_held(&link->ledger->taken_bytes, &link->ledger->returned_bytes);
    int64_t chunk = credit_chunk(executor, link) * CHUNK_BODY_BYTES;
    int64_t most = credit_share(gate->bound_bytes, CHUNK_SHARE);
    chunk = chunk < most ? chunk : most;
    int64_t taken = trp_gate_take(&gate->free_bytes, held, need, chunk > need ? chunk : need);
    link->credit_bytes += taken;
    atomic_fetch_add_explicit(&link->ledger->taken_bytes, taken, memory_order_relaxed);
    return taken >= need;
}

bool trp_link_refill(struct troupe_executor *executor, struct trp_link *link, size_t body_bytes)
{
    // Nobody passes those who wait.
    if (link->is_hungry || trp_refusals_called(&link->refusals) > 0 ||
        atomic_load_explicit(&link->gate->hungry_count, memory_order_relaxed) > 0) {
        return false;
    }
    if (link->credit_messages < 1 && !credit_refill_messages(executor, link)) {
        return false;
    }
    int64_t need = (int64_t)body_bytes - link->credit_bytes;
    if (need > 0 && !credit_refill_bytes(executor, link, need)) {
        return false;
    }
    link->was_granted = true;
    return true;
}

bool trp_link_take_provisional(struct trp_link *link, size_t body_bytes)
{
    if (link->was_granted || link->provisional_count == TRP_PROVISIONAL_MESSAGES ||
        body_bytes > TRP_PROVISIONAL_BYTES_MAX || !trp_gate_take_reserve(link->gate)) {
        return false;
    }
    link->provisional_count++;
    atomic_fetch_add_explicit(&link->ledger->reserve_messages, 1, memory_order_relaxed);
    return true;
}

/** Note that somebody waits for a ROOM, once for each receiver. @return false: no memory. */
static bool credit_note_refused(
    struct troupe_executor *executor, struct trp_link *link, troupe_ref_t to, size_t body_bytes)
{
    struct trp_actor *actor = executor->context.actor;
    bool is_port = executor->manner == TRP_MANNER_PORT;
    if (actor == NULL && !is_port) {
        return true; // the main program asks again by itself: a notice would reach nobody
    }
    const struct trp_refused refused = {
        .index = actor != NULL ? trp_context_index(&executor->context) : 0,
        .generation = actor != NULL ? actor->generation : 1,
        .to = to,
        .bytes = (int64_t)body_bytes,
    };
    // Who asked again while its ROOM is on its way would else get another, and if it goes on after that
    // one only, for ever.
    bool maybe_noted = is_port || (actor->flags & TRP_ACTOR_REFUSED) != 0;
    if (maybe_noted && trp_refusals_have(&link->refusals, &refused)) {
        return true;
    }
    if (actor != NULL) {
        actor->flags |= TRP_ACTOR_REFUSED;
    }
    return trp_refusals_add(&link->refusals, &refused);
}

/**
 * Say how many messages of a loop may take the place of those that were met, in the same turn: while somebody
 * waits for room, as many as the bound. More, and a token that goes round would starve them; none, and
 * whoever answers would be refused because of one who sent too much.
 */
static void credit_let_pass(struct trp_link *link)
{
    if (link->is_loop) {
        bool waits = link->is_hungry || trp_refusals_called(&link->refusals) > 0;
        link->pass_messages = waits ? link->gate->bound_messages : INT64_MAX;
    }
}

/** Ask the receiver for credit. @return false: no memory. */
static bool credit_want(struct troupe_executor *executor, struct trp_link *link, int64_t body_bytes)
{
    if (link->is_hungry) {
        return true;
    }
    // What is left is too little for who was refused, and would be granted again with more.
    credit_give_back(link, link->credit_messages, link->credit_bytes);
    int64_t most = credit_share(
        link->gate->bound_messages, link->is_remote ? GRANT_SHARE_REMOTE : GRANT_SHARE);
    const struct trp_want want = {
        .messages = executor->manner == TRP_MANNER_PORT ? 1 : most,
        .bytes = body_bytes,
    };
    atomic_store_explicit(&link->ledger->is_hungry, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&link->gate->hungry_count, 1, memory_order_relaxed);
    link->is_hungry = true;
    credit_let_pass(link);
    if (link->is_loop) {
        trp_link_meet_want(executor, link, &want);
    } else if (trp_link_command(executor, link, TRP_KIND_WANT, &want, sizeof(want)) != TROUPE_OK) {
        atomic_fetch_sub_explicit(&link->gate->hungry_count, 1, memory_order_relaxed);
        atomic_store_explicit(&link->ledger->is_hungry, false, memory_order_relaxed);
        link->is_hungry = false;
        return false;
    }
    return true;
}

bool trp_link_refuse(
    struct troupe_executor *executor, struct trp_link *link, troupe_ref_t to, size_t body_bytes)
{
    if (!credit_note_refused(executor, link, to, body_bytes)) {
        return false;
    }
    if (link->in_room) { // it takes all it gets: one at a time, or the others would get too little
        link->in_room = false;
        link->rooms_bits = 0;
    }
    // While others before it get their ROOMs, its turn comes without asking.
    return trp_refusals_called(&link->refusals) > 0 ||
           credit_want(executor, link, (int64_t)body_bytes);
}

/** Send who is next of the refused its ROOM. @return false: there is none to send to. */
static bool credit_send_room(struct troupe_executor *executor, struct trp_link *link)
{
    const struct trp_refused *next = NULL;
    while ((next = trp_refusals_next(&link->refusals)) != NULL) {
        if (executor->manner != TRP_MANNER_PORT &&
            trp_world_find(&executor->world, next->index, next->generation) == NULL) {
            trp_refusals_drop(&link->refusals); // ended meanwhile
            continue;
        }
        const struct troupe_room room = {.to = next->to};
        troupe_ref_t to = trp_actor_ref(executor, next->index, next->generation);
        if (!trp_post_notice(executor, to, TROUPE_MESSAGE_ROOM, &room, sizeof(room))) {
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
static bool credit_call_some(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_refusals *refusals = &link->refusals;
    uint32_t most = 1u << link->rooms_bits;
    while (trp_refusals_called(refusals) < most && credit_send_room(executor, link)) {
        trp_refusals_call(refusals);
        const struct trp_refused *next = trp_refusals_next(refusals);
        if (next == NULL || trp_refusals_called(refusals) >= link->parked_messages ||
            refusals->called_bytes + next->bytes > link->parked_bytes) {
            break;
        }
    }
    return trp_refusals_called(refusals) > 0;
}

/** Let what is parked be spent, but for what those need who are called, or did not use it yet. */
static void credit_unpark(struct trp_link *link)
{
    int64_t messages = (int64_t)trp_refusals_called(&link->refusals) + link->rooms_unspent;
    int64_t bytes = link->refusals.called_bytes;
    messages = messages < link->parked_messages ? messages : link->parked_messages;
    bytes = bytes < link->parked_bytes ? bytes : link->parked_bytes;
    link->credit_messages += link->parked_messages - messages;
    link->credit_bytes += link->parked_bytes - bytes;
    link->parked_messages = messages;
    link->parked_bytes = bytes;
}

/** Keep what is left for those who wait. */
static void credit_park(struct trp_link *link)
{
    link->parked_messages += link->credit_messages;
    link->parked_bytes += link->credit_bytes;
    link->credit_messages = 0;
    link->credit_bytes = 0;
}

void trp_link_send_rooms(struct troupe_executor *executor, struct trp_link *link)
{
    while (credit_send_room(executor, link)) {
        trp_refusals_drop(&link->refusals);
    }
}

void trp_link_send_last_rooms(struct troupe_executor *executor, struct trp_link *link)
{
    trp_link_send_rooms(executor, link);
    uint64_t since_ns = 0;
    while (trp_refusals_wait(&link->refusals) && trp_system_has_descriptors(0)) {
        trp_memory_wait(&since_ns);
        trp_link_send_rooms(executor, link);
    }
}

/** Go on with what is parked: the next ROOM, or a WANT for more, or anybody's. */
static void credit_serve_refused(struct troupe_executor *executor, struct trp_link *link)
{
    bool waiting = trp_refusals_wait(&link->refusals);
    if (waiting && link->parked_messages <= 0) {
        executor->rooms_late |= !credit_want(executor, link, 0);
        return;
    }
    if (executor->manner != TRP_MANNER_PORT && waiting && credit_call_some(executor, link)) {
        return;
    }
    trp_link_send_rooms(executor, link); // a port's; it runs no callbacks
    credit_unpark(link);
}

/** Serve those who wait for room on a link from where it had to be left. */
static void credit_serve_again(struct troupe_executor *executor, struct trp_link *link)
{
    if (trp_refusals_called(&link->refusals) == 0 && !link->is_hungry) {
        credit_serve_refused(executor, link);
    }
}

void trp_link_meet_credit(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_credit *credit)
{
    credit_park(link);
    link->parked_messages += credit->messages;
    link->parked_bytes += credit->bytes;
    link->is_hungry = false;
    link->was_granted = true;
    link->was_used = true; // who gets the ROOM has its 10 ms
    if (trp_refusals_called(&link->refusals) == 0) {
        credit_serve_refused(executor, link);
    }
    credit_let_pass(link);
}

void trp_link_begin_room(struct troupe_executor *executor, uint32_t peer_id)
{
    struct trp_link *link = trp_link_to(executor, peer_id);
    if (link != NULL && trp_refusals_called(&link->refusals) > 0) {
        trp_refusals_meet(&link->refusals);
        credit_unpark(link);
        link->room_credit = link->credit_messages;
        link->in_room = true;
    }
}

/** All who were called have met their ROOMs: go on with the next ones. */
static void credit_end_rooms(struct troupe_executor *executor, struct trp_link *link, bool unspent)
{
    credit_unpark(link);
    if (!trp_refusals_wait(&link->refusals)) {
        return;
    }
    if (link->is_hungry) {
        credit_give_all_back(executor, link); // its WANT will be answered with more
    } else if (unspent) {
        // Who sends later than in its notice would else find it parked for the next, round and round.
        trp_link_send_rooms(executor, link);
    } else {
        credit_park(link);
        credit_serve_refused(executor, link);
    }
}

void trp_link_end_room(struct troupe_executor *executor, uint32_t peer_id)
{
    struct trp_link *link = trp_link_to(executor, peer_id);
    if (link == NULL || !link->out_open) {
        return;
    }
    bool modest = link->in_room;
    link->in_room = false;
    link->rooms_unspent += link->credit_messages == link->room_credit;
    if (trp_refusals_called(&link->refusals) > 0) {
        credit_park(link); // for those who were called as well
        return;
    }
    if (modest && link->rooms_bits < ROOMS_BITS_MAX) {
        link->rooms_bits++;
    }
    bool unspent = link->rooms_unspent > 0;
    link->rooms_unspent = 0;
    credit_end_rooms(executor, link, unspent);
    credit_let_pass(link);
}

void trp_link_meet_want(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_want *want)
{
    if (link->wants) {
        return;
    }
    link->wants = true;
    link->want = *want;
    link->next_hungry = NULL;
    if (executor->hungry_last != NULL) {
        executor->hungry_last->next_hungry = link;
    } else {
        executor->hungry_first = link;
    }
    executor->hungry_last = link;
}

void trp_link_forget_want(struct troupe_executor *executor, struct trp_link *link)
{
    struct trp_link *previous = NULL;
    for (struct trp_link *at = executor->hungry_first; at != link; at = at->next_hungry) {
        previous = at;
    }
    if (previous == NULL) {
        executor->hungry_first = link->next_hungry;
    } else {
        previous->next_hungry = link->next_hungry;
    }
    if (executor->hungry_last == link) {
        executor->hungry_last = previous;
    }
    link->wants = false;
    atomic_store_explicit(&link->in_ledger->is_hungry, false, memory_order_relaxed);
    atomic_fetch_sub_explicit(&executor->gate->hungry_count, 1, memory_order_relaxed);
}

void trp_link_owe_later(
    struct troupe_executor *executor, struct trp_link *link, int64_t messages, int64_t bytes)
{
    link->owed_messages += messages;
    link->owed_bytes += bytes;
    executor->owed_messages += messages;
    executor->owed_bytes += bytes;
    if (!link->owes) {
        link->owes = true;
        link->next_owed = executor->owed;
        executor->owed = link;
    }
}

/** What came back to the loop above its share is for others to have; all of it when somebody waits. */
static void credit_settle_loop(struct troupe_executor *executor)
{
    struct trp_link *loop = executor->loop;
    bool wanted = executor->hungry_first != NULL;
    int64_t keep_messages = wanted ? 0 : credit_share(executor->gate->bound_messages, GRANT_SHARE);
    int64_t keep_bytes = wanted ? 0 : credit_share(executor->gate->bound_bytes, GRANT_SHARE);
    int64_t messages = loop->credit_messages - keep_messages;
    int64_t bytes = loop->credit_bytes - keep_bytes;
    if (messages > 0 || bytes > 0) {
        credit_give_back(loop, messages > 0 ? messages : 0, bytes > 0 ? bytes : 0);
    }
}

/** Take what a hungry link may have. @return false: not enough is free for it yet. */
static bool credit_take_grant(
    struct troupe_executor *executor,
    const struct trp_link *link,
    bool idle,
    struct trp_credit *out_credit)
{
    struct trp_gate *gate = executor->gate;
    const struct trp_want *want = &link->want;
    const struct trp_ledger *ledger = link->in_ledger;
    int64_t held_messages = credit_held(&ledger->taken_messages, &ledger->returned_messages);
    int64_t held_bytes = credit_held(&ledger->taken_bytes, &ledger->returned_bytes);
    int64_t share = ledger->is_remote ? RESUME_SHARE_REMOTE : RESUME_SHARE;
    int64_t least = idle ? 1 : credit_share(gate->bound_messages, share);
    if (least > want->messages) {
        least = want->messages;
    }
    struct trp_credit credit = {0};
    credit.messages = trp_gate_take(&gate->free_messages, held_messages, least, want->messages);
    if (credit.messages < least) {
        trp_gate_give(gate, credit.messages, 0);
        return false;
    }
    int64_t chunk = credit_share(gate->bound_bytes, CHUNK_SHARE);
    int64_t wish = chunk > want->bytes ? chunk : want->bytes;
    credit.bytes = trp_gate_take(&gate->free_bytes, held_bytes, want->bytes, wish);
    if (credit.bytes < want->bytes) {
        trp_gate_give(gate, credit.messages, credit.bytes);
        return false;
    }
    // Taken for the link from here on, so that what it holds is known should its process die.
    atomic_fetch_add_explicit(
        &link->in_ledger->taken_messages, credit.messages, memory_order_relaxed);
    atomic_fetch_add_explicit(&link->in_ledger->taken_bytes, credit.bytes, memory_order_relaxed);
    *out_credit = credit;
    return true;
}

/** Undo credit_take_grant(). */
static void credit_return_grant(
    struct troupe_executor *executor, const struct trp_link *link, const struct trp_credit *credit)
{
    atomic_fetch_sub_explicit(
        &link->in_ledger->taken_messages, credit->messages, memory_order_relaxed);
    atomic_fetch_sub_explicit(&link->in_ledger->taken_bytes, credit->bytes, memory_order_relaxed);
    trp_gate_give(executor->gate, credit->messages, credit->bytes);
}

/** Grant a hungry link what it may have. @return false: not yet. */
static bool credit_feed(struct troupe_executor *executor, struct trp_link *link, bool idle)
{
    struct trp_credit credit;
    if (!credit_take_grant(executor, link, idle, &credit)) {
        return false;
    }
    if (link->is_loop) {
        trp_link_forget_want(executor, link);
        trp_link_meet_credit(executor, link, &credit);
        return true;
    }
    struct trp_link *back = NULL;
    if (trp_link_open(executor, link->peer_id, &back) != TROUPE_OK ||
        trp_link_command(executor, back, TRP_KIND_CREDIT, &credit, sizeof(credit)) != TROUPE_OK) {
        credit_return_grant(executor, link, &credit);
        return false;
    }
    trp_link_forget_want(executor, link);
    return true;
}

/** Ask again for those who wait for a ROOM, and for whom there was no memory. */
static void credit_serve_late(struct troupe_executor *executor)
{
    executor->rooms_late = false;
    if (trp_refusals_wait(&executor->loop->refusals)) {
        credit_serve_again(executor, executor->loop);
    }
    for (uint32_t i = 0; i < executor->links.slot_count; i++) {
        struct trp_link *link = executor->links.slots[i].value;
        if (link != NULL && link->out_open && trp_refusals_wait(&link->refusals)) {
            credit_serve_again(executor, link);
        }
    }
}

void trp_links_settle(struct troupe_executor *executor, bool idle)
{
    if (TRP_UNLIKELY(executor->rooms_late)) {
        credit_serve_late(executor);
    }
    while (executor->owed != NULL) {
        struct trp_link *link = executor->owed;
        executor->owed = link->next_owed;
        link->owes = false;
        atomic_fetch_add_explicit(
            &link->in_ledger->returned_messages, link->owed_messages, memory_order_relaxed);
        atomic_fetch_add_explicit(
            &link->in_ledger->returned_bytes, link->owed_bytes, memory_order_relaxed);
        trp_gate_give(executor->gate, link->owed_messages, link->owed_bytes);
        link->owed_messages = 0;
        link->owed_bytes = 0;
    }
    executor->owed_messages = 0;
    executor->owed_bytes = 0;
    credit_settle_loop(executor);
    while (executor->hungry_first != NULL && credit_feed(executor, executor->hungry_first, idle)) {
    }
}

/** @return the open link in a slot of the table that holds unspent credit of a peer's; or NULL. */
static struct trp_link *credit_unspent(const struct troupe_executor *executor, uint32_t slot)
{
    struct trp_link *link = executor->links.slots[slot].value;
    bool unspent = link != NULL && link->out_open && !link->is_loop &&
                   (link->credit_messages != 0 || link->credit_bytes != 0);
    return unspent ? link : NULL;
}

void trp_links_return_credit(struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->links.slot_count; i++) {
        struct trp_link *link = credit_unspent(executor, i);
        if (link != NULL && !link->was_used) {
            credit_give_all_back(executor, link);
        } else if (link != NULL) {
            link->was_used = false;
        }
    }
}

bool trp_links_have_unspent(const struct troupe_executor *executor)
{
    for (uint32_t i = 0; i < executor->links.slot_count; i++) {
        if (credit_unspent(executor, i) != NULL) {
            return true;
        }
    }
    return false;
}
