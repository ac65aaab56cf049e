/**
 * @file inbox_mail.h
 * @brief An inbox, and the messages that wait in it.
 *
 * An inbox has no loop that would handle a CLOSE_REQUEST, so an executor that ends closes the inbox's channel to it
 * itself: that, and nothing else, is what `lock` is for. It is held while channels or mail are touched, and never
 * while waiting.
 */
#ifndef TRP_INBOX_MAIL_H
#define TRP_INBOX_MAIL_H

#include "actor/executor.h"
#include "troupe/inbox.h"

#include <pthread.h>

/** A message that waits to be received. The message is first: freeing it frees all. */
struct trp_inbox_mail {
    struct troupe_message message;
    struct troupe_body content;
    struct trp_inbox_mail *next;
    uint32_t peer_id;
    bool counted;
    bool metered;
    bool provisional;
    uint64_t expires_ns; // see trp_item_expiry()
    _Alignas(8) uint8_t body[];
};

struct troupe_inbox {
    struct troupe_executor *executor;
    pthread_mutex_t lock;
    struct trp_inbox_mail *first; // guarded by `lock`
    struct trp_inbox_mail *last;  // guarded by `lock`
    uint64_t ask;                 // the ask that waits; 0: none
    uint64_t ask_count;           // ever
    troupe_message_t *reply;
    enum troupe_err failure;       // of the ask that waits
    struct trp_ask_failure failed; // why
    _Atomic uint32_t pins;         // executors that are closing a channel of this inbox's
};

/** Take the lock of an inbox. */
void trp_inbox_lock(struct troupe_inbox *inbox);

/** Undo trp_inbox_lock(). */
void trp_inbox_unlock(struct troupe_inbox *inbox);

/** Account for a message that is done with: on its channel, if that is still open, and on the inbox. */
void trp_inbox_settle(
    struct troupe_executor *executor, const struct trp_inbox_mail *mail, bool handled);

/** Make a dead letter of mail, and free it. */
void trp_inbox_dead_letter(
    struct troupe_executor *executor, struct trp_inbox_mail *mail, enum troupe_dead_reason reason);

/** Deliver the messages of an item to an inbox. */
void trp_inbox_deliver(
    struct troupe_executor *executor, struct trp_channel *channel, const struct trp_item *item);

/** Put a notice into an inbox. @return false: no memory. */
bool trp_inbox_notice(
    struct troupe_executor *executor, uint32_t type, const void *body, size_t body_bytes);

#endif
