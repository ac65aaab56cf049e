/**
 * @file inbox_mail.h
 * @brief An inbox, and the messages in it that wait to be received.
 *
 * A thread that receives runs the turns of the inbox's executor itself. Between those calls nothing would handle a
 * CLOSE_REQUEST, so an executor that ends closes the inbox's channel to it from its own thread. Nor would anything
 * receive its FIN, which it waits for by ipc and tcp: it takes the turn of an idle inbox as well. `lock` exists for
 * these cases: it is held while the channels or the messages of the inbox are used, and never while waiting.
 */
#ifndef TRP_INBOX_MAIL_H
#define TRP_INBOX_MAIL_H

#include "actor/executor.h"
#include "troupe/inbox.h"

#include <pthread.h>

/** A message in an inbox. Its struct troupe_message is first, so that freeing that frees all. */
struct trp_inbox_mail {
    struct troupe_message message;
    struct troupe_body content;
    struct trp_inbox_mail *next;
    uint32_t peer_id;
    bool counted;        // it is in the ledgers
    bool metered;        // it used credit of its channel
    bool provisional;    // it used the reserve instead
    uint64_t expires_ns; // see trp_item_expiry()
    _Alignas(8) uint8_t body[];
};

struct troupe_inbox {
    struct troupe_executor *executor;
    pthread_mutex_t lock;
    struct trp_inbox_mail *first; // guarded by `lock`
    struct trp_inbox_mail *last;  // guarded by `lock`
    uint64_t ask;                 // the pending ask; 0: none
    uint64_t ask_count;           // numbers of asks that were used
    troupe_message_t *reply;
    enum troupe_err failure;       // of the latest ask; TROUPE_OK: it has `reply`
    struct trp_ask_failure failed; // why it failed
    _Atomic uint32_t pins; // threads that use this inbox and are not its owner: it may not be freed
    _Atomic bool
        is_attended; // its owner takes turns, and waits between them without the lock. The owner's
};

/** Take the lock of an inbox. */
void trp_inbox_lock(struct troupe_inbox *inbox);

/** Take the lock of an inbox, if no thread has it. @return whether it was taken */
bool trp_inbox_try_lock(struct troupe_inbox *inbox);

/** Undo trp_inbox_lock(). */
void trp_inbox_unlock(struct troupe_inbox *inbox);

/** Return the credit of a message that left the inbox, on its channel if that is open, and count it if @p handled. */
void trp_inbox_settle(
    struct troupe_executor *executor, const struct trp_inbox_mail *mail, bool handled);

/** Make a dead letter of mail, and free it. */
void trp_inbox_dead_letter(
    struct troupe_executor *executor, struct trp_inbox_mail *mail, enum troupe_dead_reason reason);

/** Deliver the messages of an item to an inbox. */
void trp_inbox_deliver(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item);

/** Append a notice to an inbox. @return false: no memory. */
bool trp_inbox_notice(
    struct troupe_executor *executor, uint32_t type, const void *body, size_t body_bytes);

#endif
