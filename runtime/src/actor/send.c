/*
 * The road of a message, from a callback to the open frame.
 *
 *     find the link --> have credit --> append to the open frame --> (full? flush)
 *        | peer is gone     | none
 *        v                  v
 *     dead letter        refuse, and note who waits for room
 */
#include "actor/send.h"

#include "actor/executor.h"
#include "base/clock.h"
#include "channel/channel.h"
#include "node/system.h"

#include <stdlib.h>

static troupe_ref_t post_sender(
    const struct troupe_executor *executor, const struct trp_letter *letter)
{
    troupe_ref_t sender = trp_actor_ref(executor, letter->from_index, letter->from_generation);
    if (letter->from_node != 0) {
        sender.node = letter->from_node;
        sender.executor = letter->from_executor;
    }
    return sender;
}

/** Accept a message whose receiver's executor is gone: a dead letter at once. */
static enum troupe_err post_dead(
    struct troupe_executor *executor,
    const struct trp_letter *letter,
    enum troupe_dead_reason reason)
{
    if (!trp_kind_is_counted(letter->kind)) {
        return TROUPE_OK; // notices and commands for the gone are nobody's loss
    }
    // It never gets a link: the one of the sender to itself counts it.
    trp_count(&executor->loop->ledger->accepted, 1);
    const struct trp_dead dead = {
        .ledger = executor->loop->ledger,
        .to = letter->to,
        .from = post_sender(executor, letter),
        .type = letter->type,
        .reason = reason,
        .body_bytes = letter->given != NULL ? letter->given->bytes : letter->body_bytes,
        .ask = letter->kind == TRP_KIND_USER ? letter->ask : 0,
    };
    trp_dead_letter(executor, &dead);
    if (letter->given != NULL) {
        troupe_body_free(letter->given);
    }
    return TROUPE_OK;
}

enum troupe_err trp_post_open_loop(struct troupe_executor *executor)
{
    if (executor->mailbox.loop_in == NULL && !trp_system_has_descriptors(0)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "fewer than %d descriptors are free: executor %u could not send to itself; close some, "
            "or "
            "raise the limit of open files",
            TRP_DESCRIPTORS_FREE_MIN,
            executor->id);
    }
    return trp_mailbox_open_loop(&executor->mailbox);
}

static enum troupe_err post_find_loop(struct troupe_executor *executor, struct trp_link **out_link)
{
    if (executor->closed_out) {
        return TROUPE_ERR_NOENT;
    }
    *out_link = executor->loop;
    return trp_post_open_loop(executor);
}

/** Find the link to the receiver's executor, or open it. */
static enum troupe_err post_find_link(
    struct troupe_executor *executor, troupe_ref_t to, struct trp_link **out_link)
{
    bool own = to.executor == executor->id && !trp_executor_mails_itself(executor);
    enum troupe_err err =
        own ? post_find_loop(executor, out_link) : trp_link_open(executor, to.executor, out_link);
    if (err == TROUPE_OK) {
        trp_executor_aim(executor, *out_link);
    }
    return err;
}

/**
 * Get credit for a letter: from the link, from the gate, from the reserve.
 *
 * @return TROUPE_OK, with the flag to post in *flags; or TROUPE_ERR_FULL, noted; or no memory.
 */
static enum troupe_err post_take_credit(
    struct troupe_executor *executor,
    struct trp_link *link,
    troupe_ref_t to,
    size_t bytes,
    uint32_t *flags)
{
    if ((int64_t)bytes > link->gate->bound_bytes) {
        return TRP_EXPLAIN(
            TROUPE_ERR_TOOBIG,
            "a body of %zu bytes is over the mailbox's bound of %lld; split it, or send the name "
            "of a file",
            bytes,
            (long long)link->gate->bound_bytes);
    }
    if (trp_link_refill(executor, link, bytes)) {
        link->credit_messages--;
        link->credit_bytes -= (int64_t)bytes;
        return TROUPE_OK;
    }
    if (trp_link_take_provisional(link, bytes)) {
        *flags |= TRP_FLAG_PROVISIONAL;
        return TROUPE_OK;
    }
    trp_count(&executor->counters->refused, 1);
    if (!trp_link_refuse(executor, link, to, bytes)) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory to wait for room in a full mailbox");
    }
    return trp_error_full(to.executor);
}

static void post_give_credit_back(struct trp_link *link, size_t bytes, uint32_t flags)
{
    if ((flags & TRP_FLAG_PROVISIONAL) != 0) {
        atomic_fetch_add_explicit(&link->gate->reserve_messages, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&link->ledger->reserve_messages, 1, memory_order_relaxed);
        link->provisional_count--;
    } else {
        link->credit_messages++;
        link->credit_bytes += (int64_t)bytes;
    }
}

static bool post_is_metered(const struct trp_letter *letter)
{
    return letter->kind == TRP_KIND_USER && (letter->flags & TRP_FLAG_UNMETERED) == 0;
}

void trp_post_mark(struct troupe_executor *executor, struct trp_link *link)
{
    if (!link->dirty) {
        link->dirty = true;
        link->next_dirty = executor->dirty;
        executor->dirty = link;
        link->frame_cycles = trp_cycles();
    }
    if (link->frame.messages >= link->frame_messages_max ||
        link->given_bytes >= TRP_FRAME_BYTES_MAX_LOCAL) {
        trp_link_flush(executor, link);
    }
    if (TRP_UNLIKELY(!executor->in_turn)) {
        trp_links_flush(executor); // no turn's end will
    }
}

/** Put a post into the open frame, and that frame on its way when it is time. */
static bool post_append(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_post *post)
{
    if (!trp_outframe_put(&link->frame, post)) {
        // Envelope, sender, ask, expiry, and what a body or a given body needs: at least what the post needs.
        size_t need = sizeof(struct trp_envelope) + 24 + sizeof(struct trp_given) +
                      trp_pad8(trp_tag_size(post->tag));
        if (!trp_link_make_room(executor, link, (uint32_t)need) ||
            !trp_outframe_put(&link->frame, post)) {
            return false;
        }
    }
    if (trp_kind_is_counted(trp_tag_kind(post->tag))) {
        trp_post_account(link);
    }
    if (!link->is_loop) {
        trp_post_mark(executor, link);
    } else if (!executor->in_turn) {
        trp_system_mind(executor->system); // the main program's: a foreign loop has to come round
    }
    return true;
}

bool trp_post_plain(
    struct troupe_executor *executor,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes)
{
    const struct troupe_context *ctx = &executor->context;
    if (ctx->place == 0) {
        return false; // and a port's links are looked at under its lock only
    }
    struct trp_link *link = executor->last_out;
    if (link == NULL || link->peer_id != to.executor || link->peer_node != to.node ||
        body_bytes > TRP_RUN_BODY_BYTES_MAX || link->credit_messages <= 0 ||
        link->credit_bytes < (int64_t)body_bytes ||
        TRP_UNLIKELY(!trp_outframe_put_plain(
            &link->frame,
            trp_place(to.index, to.generation),
            ctx->place,
            type,
            body,
            (uint32_t)body_bytes))) {
        return false;
    }
    link->credit_messages--;
    link->credit_bytes -= (int64_t)body_bytes;
    trp_post_account(link);
    if (!link->is_loop) {
        trp_post_mark(executor, link);
    }
    return true;
}

/** Get the body that travels without a copy; copy first one that is only large. */
static bool post_take_body(const struct trp_letter *letter, struct troupe_body *out_body)
{
    if (letter->given != NULL) {
        *out_body = *letter->given;
        return true;
    }
    if (troupe_body_new(letter->body_bytes, out_body) != TROUPE_OK) {
        return false;
    }
    memcpy(out_body->data, letter->body, letter->body_bytes);
    return true;
}

/** Put a body on the list of those that follow the open frame by ipc or tcp. */
static bool post_add_part(
    struct troupe_executor *executor,
    struct trp_link *link,
    const struct troupe_body *body,
    struct trp_given *given)
{
    // Room first: the number of the part is that in the frame which takes the envelope.
    const uint32_t need = sizeof(struct trp_envelope) + 24 + sizeof(struct trp_given);
    if (link->given_count == TRP_PARTS_MAX) {
        trp_link_flush(executor, link);
    }
    if (link->given_count == TRP_PARTS_MAX || !trp_link_make_room(executor, link, need)) {
        return false;
    }
    if (link->given == NULL) {
        link->given = calloc(TRP_PARTS_MAX, sizeof(*link->given));
        if (link->given == NULL) {
            return false;
        }
    }
    union {
        uintptr_t number;
        void *data;
    } part = {.number = link->given_count};
    *given = (struct trp_given){.data = part.data, .bytes = body->bytes};
    link->given[link->given_count++] = *body;
    link->given_bytes += body->bytes;
    return true;
}

/** Post with a body that has an owner of its own. */
static bool post_append_given(
    struct troupe_executor *executor,
    struct trp_link *link,
    const struct trp_letter *letter,
    const struct trp_post *post)
{
    struct troupe_body body;
    if (!post_take_body(letter, &body)) {
        return false;
    }
    struct trp_given given = {body.data, body.bytes, body.free, body.free_data};
    struct trp_post with_owner = *post;
    with_owner.given = &given;
    with_owner.tag |= (uint32_t)TRP_FLAG_GIVEN << 20;
    bool added = !link->is_remote || post_add_part(executor, link, &body, &given);
    if (added && post_append(executor, link, &with_owner)) {
        if (letter->given != NULL) {
            *letter->given = (struct troupe_body){0};
        }
        return true;
    }
    if (link->is_remote && added) {
        link->given_count--;
        link->given_bytes -= body.bytes;
    }
    if (letter->given == NULL) {
        troupe_body_free(&body);
    }
    return false;
}

/** @return whether the body of a letter travels by itself, and not within the frame. */
static bool post_has_owner(const struct trp_link *link, const struct trp_letter *letter)
{
    if (letter->given != NULL) {
        return !link->is_remote || letter->given->bytes > TRP_INLINE_BYTES_MAX;
    }
    return letter->body_bytes > TRP_INLINE_BYTES_MAX && letter->kind != TRP_KIND_START;
}

static enum troupe_err post_letter(
    struct troupe_executor *executor, const struct trp_letter *letter)
{
    struct trp_link *link = executor->last_out;
    if (TRP_UNLIKELY(link == NULL || link->peer_id != letter->to.executor)) {
        enum troupe_err err = post_find_link(executor, letter->to, &link);
        if (err == TROUPE_ERR_NOENT) {
            return post_dead(
                executor, letter, trp_system_why_dead(executor->system, letter->to.executor));
        }
        if (err != TROUPE_OK) {
            return err;
        }
    }
    if (TRP_UNLIKELY(letter->to.node != link->peer_node)) {
        return post_dead(executor, letter, TROUPE_DEAD_NO_SUCH_ACTOR);
    }
    size_t bytes = letter->given != NULL ? letter->given->bytes : letter->body_bytes;
    uint32_t flags = letter->flags | (letter->from_node != 0 ? TRP_FLAG_SENDER : 0);
    bool metered = post_is_metered(letter);
    if (metered) {
        if (TRP_LIKELY(link->credit_messages > 0 && link->credit_bytes >= (int64_t)bytes)) {
            link->credit_messages--;
            link->credit_bytes -= (int64_t)bytes;
        } else {
            enum troupe_err err = post_take_credit(executor, link, letter->to, bytes, &flags);
            if (err != TROUPE_OK) {
                return err;
            }
        }
    }
    bool has_owner = post_has_owner(link, letter);
    struct trp_post post = {
        .to_index = letter->to.index,
        .to_generation = letter->to.generation,
        .from_index = letter->from_index,
        .from_generation = letter->from_generation,
        .type = letter->type,
        .tag = trp_tag(letter->kind, flags, has_owner ? 0 : (uint32_t)bytes),
        .body = letter->given != NULL ? letter->given->data : letter->body,
        .sender_node = letter->from_node,
        .sender_executor = letter->from_executor,
        .ask = letter->ask,
        .expires_ns = letter->expires_ns,
    };
    bool posted = TRP_UNLIKELY(has_owner) ? post_append_given(executor, link, letter, &post)
                                          : post_append(executor, link, &post);
    if (TRP_UNLIKELY(!posted)) {
        if (metered) {
            post_give_credit_back(link, bytes, flags);
        }
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a message of %zu bytes", bytes);
    }
    if (TRP_UNLIKELY(letter->given != NULL && !has_owner)) {
        troupe_body_free(letter->given); // it was copied
    }
    return TROUPE_OK;
}

void trp_letter_expire_at(
    const struct troupe_executor *executor, uint64_t expires_ns, struct trp_letter *letter)
{
    // A clock of the program's own means nothing to other processes: there it would never expire, or
    // at once.
    bool is_far = letter->to.node != executor->node && !executor->system->clock_is_real;
    if (expires_ns != 0 && !is_far) {
        letter->flags |= TRP_FLAG_EXPIRES;
        letter->expires_ns = expires_ns;
    }
}

void trp_letter_expire(
    const struct troupe_executor *executor, uint64_t ttl_ns, struct trp_letter *letter)
{
    if (ttl_ns != 0) {
        uint64_t now_ns = trp_executor_now(executor);
        uint64_t expires_ns = ttl_ns < UINT64_MAX - now_ns ? now_ns + ttl_ns : UINT64_MAX;
        trp_letter_expire_at(executor, expires_ns, letter);
    }
}

uint64_t trp_item_expiry(const struct troupe_executor *executor, const struct trp_item *item)
{
    bool is_far = item->sender_node != executor->node && !executor->system->clock_is_real;
    return item->expires_ns == 0 || is_far ? UINT64_MAX : item->expires_ns;
}

enum troupe_err trp_post_letter(struct troupe_executor *executor, const struct trp_letter *letter)
{
    if (TRP_LIKELY(executor->port == NULL)) {
        return post_letter(executor, letter);
    }
    trp_port_lock(executor->port);
    enum troupe_err err = post_letter(executor, letter);
    trp_port_unlock(executor->port);
    return err;
}

bool trp_post_notice(
    struct troupe_executor *executor,
    troupe_ref_t to,
    uint32_t type,
    const void *body,
    size_t body_bytes)
{
    if (executor->manner == TRP_MANNER_PORT && to.executor == executor->id) {
        return trp_port_notice(executor, type, body, body_bytes);
    }
    const struct trp_letter letter = {
        .to = to,
        .type = type,
        .kind = TRP_KIND_NOTICE,
        .flags = TRP_FLAG_UNMETERED,
        .body = body,
        .body_bytes = body_bytes,
    };
    return trp_post_letter(executor, &letter) == TROUPE_OK;
}
