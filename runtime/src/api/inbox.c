#include "actor/executor.h"
#include "base/clock.h"
#include "base/memory.h"
#include "channel/channel.h"
#include "node/system.h"
#include "troupe/port.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/*
 * A port: an executor whose turns are taken by whoever receives.
 *
 * It has no loop that would meet a GONE, so an executor that ends closes the port's link to it itself:
 * that, and nothing else, is what `lock` is for. It is held while links or mail are touched, and never
 * while waiting.
 */

enum { AGAIN_NS = 1000000 }; // how soon is tried again what there was no memory for

/** A message that waits to be received. The message is first: freeing it frees all. */
struct port_mail {
    struct troupe_message message;
    struct troupe_body content;
    struct port_mail *next;
    uint32_t peer_id;
    bool counted;
    bool metered;
    bool provisional;
    uint64_t expires_ns; // see trp_item_expiry()
    _Alignas(8) uint8_t body[];
};

struct troupe_port {
    struct troupe_executor *executor;
    pthread_mutex_t lock;
    struct port_mail *first; // guarded by `lock`
    struct port_mail *last;  // guarded by `lock`
    uint64_t ask;            // the ask that waits; 0: none
    uint64_t ask_count;      // ever
    troupe_message_t *answer;
    enum troupe_err failure;       // of the ask that waits
    struct trp_ask_failure failed; // why
    _Atomic uint32_t pins;         // executors that are closing a link of this port's
};

static bool port_is_mine(const troupe_port_t *port)
{
    return pthread_equal(port->executor->owner, pthread_self()) != 0;
}

static enum troupe_err port_check(const troupe_port_t *port)
{
    if (port_is_mine(port)) {
        return TROUPE_OK;
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_THREAD, "a port is used on the thread that opened it; open another one here");
}

enum troupe_err troupe_port_new(troupe_system_t *system, troupe_port_t **out_port)
{
    if (atomic_load_explicit(&system->stop_asked, memory_order_acquire)) {
        return TRP_EXPLAIN(TROUPE_ERR_CLOSED, "the system is stopping and opens no port");
    }
    if (!trp_system_has_descriptors(0)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "fewer than %d descriptors are free: no port; close some, or raise the limit of open "
            "files",
            TRP_DESCRIPTORS_FREE_MIN);
    }
    troupe_port_t *port = calloc(1, sizeof(*port));
    if (port == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a port");
    }
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    // A dead letter that is found under the lock is posted under it.
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&port->lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    enum troupe_err err = trp_system_add_port(system, port, &port->executor);
    if (err != TROUPE_OK) {
        (void)pthread_mutex_destroy(&port->lock);
        free(port);
        return err;
    }
    *out_port = port;
    return TROUPE_OK;
}

troupe_context_t *troupe_port_context(troupe_port_t *port)
{
    return port_check(port) == TROUPE_OK ? &port->executor->context : NULL;
}

void trp_port_lock(troupe_port_t *port)
{
    (void)pthread_mutex_lock(&port->lock);
}

void trp_port_unlock(troupe_port_t *port)
{
    (void)pthread_mutex_unlock(&port->lock);
}

/* Mail that comes. ------------------------------------------------------------------------------ */

static struct port_mail *port_mail_new(
    uint32_t type, troupe_ref_t sender, const void *body, size_t body_bytes)
{
    struct port_mail *mail = calloc(1, sizeof(*mail) + body_bytes);
    if (mail == NULL) {
        return NULL;
    }
    mail->message = (struct troupe_message){
        .type = type,
        .owned = true,
        .sender = sender,
        .body = &mail->content,
    };
    mail->content.data = body_bytes != 0 ? mail->body : NULL;
    mail->content.bytes = body_bytes;
    mail->expires_ns = UINT64_MAX;
    if (body_bytes != 0) {
        memcpy(mail->body, body, body_bytes);
    }
    return mail;
}

/** Make mail of one message of an item. */
static struct port_mail *port_mail_of(const struct trp_item *item, uint32_t which)
{
    const uint8_t *body = item->body + which * trp_pad8(item->body_bytes);
    struct port_mail *mail = port_mail_new(
        item->envelope->type,
        trp_item_sender(item),
        body,
        item->given != NULL ? 0 : item->body_bytes);
    if (mail != NULL) {
        mail->message.ask = item->kind == TRP_KIND_USER ? item->ask : 0;
        mail->message.expires_ns = item->expires_ns;
        mail->counted = trp_kind_is_counted(item->kind);
        mail->provisional = (item->flags & TRP_FLAG_PROVISIONAL) != 0;
        mail->metered = item->kind == TRP_KIND_USER && (item->flags & TRP_FLAG_UNMETERED) == 0;
        if (item->given != NULL) {
            mail->content = trp_item_body(item, 0);
            mail->message.given = true;
        }
    }
    return mail;
}

static void port_append(troupe_port_t *port, struct port_mail *mail)
{
    if (port->last != NULL) {
        port->last->next = mail;
    } else {
        port->first = mail;
    }
    port->last = mail;
}

/** Account for a message that is done with: on its link, if that is still open, and on the port. */
static void port_settle(
    struct troupe_executor *executor, const struct port_mail *mail, bool handled)
{
    if (!mail->counted) {
        return;
    }
    if (handled) {
        trp_count(&executor->loop->ledger->handled, 1);
    }
    struct trp_link *link = mail->peer_id == executor->id
                                ? executor->loop
                                : trp_idmap_find(&executor->links, mail->peer_id);
    if (mail->provisional) {
        atomic_fetch_add_explicit(&executor->gate->reserve_messages, 1, memory_order_relaxed);
    }
    if (link == NULL || (!link->in_open && !link->is_loop)) {
        if (mail->metered &&
            !mail->provisional) { // its link is gone, its credit is still ours to free
            trp_gate_give(executor->gate, 1, (int64_t)troupe_message_body_bytes(&mail->message));
        }
        return;
    }
    if (mail->provisional) {
        atomic_fetch_sub_explicit(&link->in_ledger->reserve_messages, 1, memory_order_relaxed);
    }
    if (mail->metered && !mail->provisional) {
        trp_link_owe(executor, link, 1, (int64_t)troupe_message_body_bytes(&mail->message));
    }
}

/** Make a dead letter of mail, and free it. */
static void port_bury(
    struct troupe_executor *executor, struct port_mail *mail, enum troupe_dead_reason reason)
{
    if (mail->counted) {
        const struct trp_dead dead = {
            .ledger = executor->loop->ledger,
            .to = trp_actor_ref(executor, 0, 1),
            .from = mail->message.sender,
            .type = mail->message.type,
            .reason = reason,
            .body_bytes = troupe_message_body_bytes(&mail->message),
            .ask = mail->message.ask,
        };
        trp_dead_letter(executor, &dead);
        port_settle(executor, mail, false);
    }
    troupe_message_t *message = &mail->message;
    troupe_message_destroy(&message);
}

/** Take what answers the ask that waits. @return false: it is no answer, or a late one. */
static bool port_take_answer(
    troupe_port_t *port, const struct trp_item *item, struct port_mail *mail)
{
    if (item->ask != port->ask || port->ask == 0) {
        return false;
    }
    port->ask = 0;
    if ((item->flags & TRP_FLAG_FAILED) != 0) {
        port->failure = (enum troupe_err)item->envelope->type;
        port->failed = trp_item_failure(item);
        troupe_message_t *message = &mail->message;
        troupe_message_destroy(&message);
    } else {
        port_settle(port->executor, mail, true);
        port->answer = &mail->message;
    }
    return true;
}

/** There is no memory for a message: it is a dead letter, and its credit and body go back. */
static void port_lose(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_item *item)
{
    struct troupe_body content = trp_item_body(item, 0);
    struct port_mail lost = {
        .message = {.type = item->envelope->type, .body = &content},
        .peer_id = link->peer_id,
        .counted = trp_kind_is_counted(item->kind),
        .metered = item->kind == TRP_KIND_USER && (item->flags & TRP_FLAG_UNMETERED) == 0,
        .provisional = (item->flags & TRP_FLAG_PROVISIONAL) != 0,
    };
    if (lost.counted) {
        const struct trp_dead dead = {
            .ledger = executor->loop->ledger,
            .to = trp_actor_ref(executor, 0, 1),
            .from = trp_item_sender(item),
            .type = item->envelope->type,
            .reason = TROUPE_DEAD_REFUSED,
            .body_bytes = content.bytes,
            .ask = item->kind == TRP_KIND_USER ? item->ask : 0,
        };
        trp_dead_letter(executor, &dead);
        port_settle(executor, &lost, false);
    }
    if (item->given != NULL) {
        troupe_body_free(&content);
    }
}

void trp_port_meet(
    struct troupe_executor *executor, struct trp_link *link, const struct trp_item *item)
{
    troupe_port_t *port = executor->port;
    if (trp_kind_is_counted(item->kind)) {
        // The port sends it on to itself: it may be received after its link has ended.
        trp_count(&executor->loop->ledger->accepted, item->count);
        trp_count(&link->in_ledger->moved, item->count);
    }
    for (uint32_t i = 0; i < item->count; i++) {
        struct port_mail *mail = port_mail_of(item, i);
        uint64_t since_ns = 0;
        while (mail == NULL && item->kind == TRP_KIND_NOTICE) {
            trp_memory_wait(&since_ns); // nobody counts notices: one that is lost is never missed
            mail = port_mail_of(item, i);
        }
        if (mail == NULL) {
            port_lose(executor, link, item);
            continue;
        }
        mail->peer_id = link->peer_id;
        mail->expires_ns = trp_item_expiry(executor, item);
        bool is_answer =
            item->kind == TRP_KIND_REPLY || (item->kind == TRP_KIND_NOTICE && item->ask != 0);
        if (is_answer) {
            if (!port_take_answer(port, item, mail)) {
                port_bury(executor, mail, TROUPE_DEAD_LATE_REPLY);
            }
        } else if (item->envelope->to_index != 0 || item->envelope->to_generation != 1) {
            port_bury(executor, mail, TROUPE_DEAD_NO_SUCH_ACTOR);
        } else if (executor->ending) {
            port_bury(executor, mail, TROUPE_DEAD_STOPPED);
        } else {
            port_append(port, mail);
        }
    }
}

bool trp_port_notice(
    struct troupe_executor *executor, uint32_t type, const void *body, size_t body_bytes)
{
    struct port_mail *mail = port_mail_new(type, TROUPE_REF_NONE, body, body_bytes);
    if (mail != NULL) {
        port_append(executor->port, mail);
    }
    return mail != NULL;
}

/* Receiving. ------------------------------------------------------------------------------------ */

/** Do what is at hand, or wait for something. */
static void port_step(troupe_port_t *port, uint64_t timeout_ns)
{
    struct troupe_executor *executor = port->executor;
    trp_port_lock(port);
    trp_executor_listen(executor);
    trp_links_meet_words(executor);
    bool worked = trp_executor_turn(executor);
    trp_links_settle(executor, true); // there is no later for a port
    bool again = executor->rooms_late || executor->dirty != NULL;
    timeout_ns = again && timeout_ns > AGAIN_NS ? AGAIN_NS : timeout_ns;
    trp_port_unlock(port);
    if (worked || timeout_ns == 0 || trp_mailbox_spin(&executor->mailbox, timeout_ns) ||
        trp_mailbox_look(&executor->mailbox)) {
        return;
    }
    trp_mailbox_sleep(&executor->mailbox, timeout_ns);
}

static uint64_t port_deadline_ns(uint64_t timeout_ns)
{
    uint64_t now_ns = trp_clock_monotonic(NULL);
    return timeout_ns < UINT64_MAX - now_ns ? now_ns + timeout_ns : UINT64_MAX;
}

/** @return whether the time to live has passed of mail that has one. */
static bool port_is_expired(const troupe_port_t *port, const struct port_mail *mail)
{
    return mail->expires_ns != UINT64_MAX && trp_executor_now(port->executor) >= mail->expires_ns;
}

static struct port_mail *port_take_first(troupe_port_t *port)
{
    trp_port_lock(port);
    struct port_mail *mail = NULL;
    while (mail == NULL && port->first != NULL) {
        mail = port->first;
        port->first = mail->next;
        port->last = port->first == NULL ? NULL : port->last;
        if (port_is_expired(port, mail)) {
            port_bury(port->executor, mail, TROUPE_DEAD_EXPIRED);
            mail = NULL;
        } else {
            port_settle(port->executor, mail, true);
        }
    }
    trp_port_unlock(port);
    return mail;
}

enum troupe_err troupe_port_receive(
    troupe_port_t *port, uint64_t timeout_ns, troupe_message_t **out_message)
{
    enum troupe_err err = port_check(port);
    if (err != TROUPE_OK) {
        return err;
    }
    uint64_t deadline_ns = port_deadline_ns(timeout_ns);
    bool looked = false;
    for (;;) {
        struct port_mail *mail = port_take_first(port);
        if (mail != NULL) {
            *out_message = &mail->message;
            return TROUPE_OK;
        }
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (looked && now_ns >= deadline_ns) {
            return TRP_EXPLAIN(TROUPE_ERR_TIMEDOUT, "no message came to the port in time");
        }
        port_step(port, now_ns < deadline_ns ? deadline_ns - now_ns : 0);
        looked = true;
    }
}

enum troupe_err troupe_port_ask(
    troupe_port_t *port,
    const struct troupe_letter *letter,
    uint64_t timeout_ns,
    troupe_message_t **out_answer)
{
    enum troupe_err err = port_check(port);
    if (err == TROUPE_OK) {
        err = trp_port_send_ask(&port->executor->context, letter, ++port->ask_count);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    port->ask = port->ask_count;
    port->failure = TROUPE_OK;
    port->answer = NULL;
    uint64_t deadline_ns =
        port_deadline_ns(timeout_ns == 0 ? TROUPE_ASK_TIMEOUT_DEFAULT_NS : timeout_ns);
    while (port->ask != 0) {
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (now_ns >= deadline_ns) {
            port->ask = 0;
            return TRP_EXPLAIN(TROUPE_ERR_TIMEDOUT, "no answer came to the port in time");
        }
        port_step(port, deadline_ns - now_ns);
    }
    if (port->failure != TROUPE_OK) {
        return trp_ask_explain(port->failure, &port->failed);
    }
    *out_answer = port->answer;
    return TROUPE_OK;
}

/* The end. -------------------------------------------------------------------------------------- */

/** Help the owner's world along, if this is its thread: it would not run while we wait here. */
static void port_run_world(troupe_port_t *port)
{
    troupe_system_t *system = port->executor->system;
    struct troupe_executor *world = system->executor;
    if (!system->stopped && pthread_equal(world->owner, pthread_self()) && !world->in_turn) {
        (void)trp_executor_turn(world);
        (void)trp_mailbox_look(&world->mailbox);
    }
}

static void port_bury_all(troupe_port_t *port)
{
    while (port->first != NULL) {
        struct port_mail *mail = port->first;
        port->first = mail->next;
        port_bury(port->executor, mail, TROUPE_DEAD_STOPPED);
    }
    port->last = NULL;
}

static void port_close(troupe_port_t *port)
{
    const uint64_t step_ns = 1000000;
    struct troupe_executor *executor = port->executor;
    trp_port_lock(port);
    executor->ending = true;
    trp_executor_say_gone(executor);
    trp_port_unlock(port);
    while (trp_executor_has_peers(executor)) {
        port_run_world(port);
        trp_port_lock(port);
        trp_links_meet_words(executor);
        trp_port_unlock(port);
        port_step(port, step_ns);
    }
    trp_port_lock(port);
    port_bury_all(port);
    trp_executor_finish(executor);
    port_bury_all(port); // ROOMs that came of finishing
    trp_port_unlock(port);
    while (trp_links_reap(executor)) { // what went by ipc or tcp is to arrive
        port_step(port, step_ns);
    }
}

enum troupe_err troupe_port_destroy(troupe_port_t **port_p)
{
    troupe_port_t *port = *port_p;
    if (port == NULL) {
        return TROUPE_OK;
    }
    enum troupe_err err = port_check(port);
    if (err != TROUPE_OK) {
        return err;
    }
    port_close(port);
    trp_system_remove_port(port->executor->system, port->executor);
    while (atomic_load_explicit(&port->pins, memory_order_acquire) != 0) {
        (void)sched_yield(); // an executor is between finding this port and leaving it
    }
    trp_executor_free(&port->executor);
    (void)pthread_mutex_destroy(&port->lock);
    free(port);
    *port_p = NULL;
    return TROUPE_OK;
}

bool trp_port_detach(troupe_system_t *system, uint32_t peer_id, uint32_t executor_id)
{
    troupe_port_t *port = NULL;
    (void)pthread_mutex_lock(&system->lock);
    struct troupe_executor *executor = trp_idmap_find(&system->executors, peer_id);
    if (executor != NULL && executor->port != NULL) {
        port = executor->port;
        atomic_fetch_add_explicit(&port->pins, 1, memory_order_acquire);
    }
    (void)pthread_mutex_unlock(&system->lock);
    if (port == NULL) {
        return false;
    }
    trp_port_lock(port);
    struct trp_link *link = trp_idmap_find(&port->executor->links, executor_id);
    if (link != NULL && link->out_open) {
        trp_link_finish(port->executor, link);
    }
    trp_port_unlock(port);
    // Release: pairs with the acquire in troupe_port_destroy(): all that was done here was done.
    atomic_fetch_sub_explicit(&port->pins, 1, memory_order_release);
    return true;
}
