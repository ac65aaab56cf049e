/**
 * @file troupe/message.h
 * @brief Messages: a type and a body of bytes, from one actor to another.
 *
 * A message is sent as an envelope and a body:
 *
 *     envelope  24 bytes, little-endian   to:8 | from:8 | type:4 | size and flags:4
 *     body      the bytes, padded to a multiple of 8; `type` says what they mean
 *
 * A body starts at an address that is a multiple of 8, on every backend, so that a struct can be
 * read in place. Unless a function says otherwise, the actor that receives the message calls it
 * within the callback, and it never blocks. A message that an inbox handed out belongs to the
 * thread that took it, until troupe_message_destroy().
 */
#ifndef TROUPE_MESSAGE_H
#define TROUPE_MESSAGE_H

#include "troupe/error.h"
#include "troupe/export.h"
#include "troupe/ref.h"

#include <stddef.h>
#include <stdint.h>

/** Types from here on are reserved for the runtime; the type of a user's message is smaller. */
#define TROUPE_MESSAGE_RESERVED UINT32_C(0x7FFFFF00)

/** Types of the messages that the runtime sends to actors. Their sender is ::TROUPE_REF_NONE. */
enum troupe_notice {
    /**
     * There is room again in a mailbox that refused a message with ::TROUPE_ERR_FULL. Body: struct
     * troupe_room. It comes once for each receiver that refused, however often that did. Actors
     * that share an executor are notified in turn, and the room is reserved for an actor during its
     * callback for the notice. What it does not use then is available to all.
     */
    TROUPE_MESSAGE_ROOM = 0x7FFFFF01,

    /** A message could not be delivered. Body: struct troupe_dead_letter. For subscribers only. */
    TROUPE_MESSAGE_DEAD_LETTER = 0x7FFFFF02,

    /**
     * The reply to troupe_await_name(). Body: the troupe_ref_t that is registered under the name.
     */
    TROUPE_MESSAGE_NAME = 0x7FFFFF03,

    /** A monitored actor has ended. Body: struct troupe_down. See troupe_monitor(). */
    TROUPE_MESSAGE_DOWN = 0x7FFFFF04,

    /** A linked actor has ended. Body: struct troupe_down. See troupe_trap_exit(). */
    TROUPE_MESSAGE_EXIT = 0x7FFFFF05,
};

/** Body of ::TROUPE_MESSAGE_ROOM. */
struct troupe_room {
    troupe_ref_t to; /**< The receiver that refused, and has room again. */
};

/** Why a message was not delivered. Numbers are part of the wire format. */
enum troupe_dead_reason {
    TROUPE_DEAD_NO_SUCH_ACTOR = 0, /**< The reference never identified an actor. */
    TROUPE_DEAD_STOPPED = 1,       /**< The receiver had ended. */
    /**
     * The mailbox was full, and its policy is to drop. No mailbox has this policy so far: a full
     * one refuses the send with ::TROUPE_ERR_FULL, and a message that was not accepted is no dead
     * letter.
     */
    TROUPE_DEAD_OVERFLOW = 2,
    TROUPE_DEAD_EXPIRED = 3,       /**< Its time to live had passed. */
    TROUPE_DEAD_UNDECODABLE = 4,   /**< The frame that carried it was damaged. */
    TROUPE_DEAD_PEER_DOWN = 5,     /**< The receiving process died before handling began. */
    TROUPE_DEAD_SENDER_DOWN = 6,   /**< The sending process died before transmission. */
    TROUPE_DEAD_LATE_REPLY = 7,    /**< A reply to an ask that had ended already. */
    TROUPE_DEAD_UNDELIVERABLE = 8, /**< The receiver's `init` failed, or it could not be reached. */
    /**
     * It made its receiver fail more often than allowed. For supervisors; none uses it so far.
     */
    TROUPE_DEAD_POISON = 9,
    TROUPE_DEAD_REASON_COUNT = 10, /**< How many reasons there are. */
};

/**
 * @return a static name such as "stopped"; "unknown" for a number that is no reason. Any thread.
 */
TROUPE_API const char *troupe_dead_reason_text(enum troupe_dead_reason reason);

/** Body of ::TROUPE_MESSAGE_DEAD_LETTER: the envelope of a message that was not delivered. */
struct troupe_dead_letter {
    troupe_ref_t to;     /**< The receiver. */
    troupe_ref_t from;   /**< The sender. */
    uint32_t type;       /**< Its type. */
    uint32_t reason;     /**< An ::troupe_dead_reason. */
    uint64_t body_bytes; /**< Size of its body; the body itself is gone. */

    /**
     * How many messages: 1, or any number if `to.generation` is 0. These were lost together, in a
     * frame that was damaged or that a dying process did not transmit, and only the two executors
     * are known: `type`, `body_bytes`, and `index` and `generation` of the references are 0.
     */
    uint64_t count;
};

/** A message, as an actor receives it or an inbox hands it out. */
typedef struct troupe_message troupe_message_t;

/** @return the type, as the sender set it: it says what the body means. */
TROUPE_API uint32_t troupe_message_type(const troupe_message_t *message);

/** @return the body, aligned to 8 and valid as long as the message; NULL if it is empty. */
TROUPE_API const void *troupe_message_body(const troupe_message_t *message);

/** @return the size of the body in bytes. */
TROUPE_API size_t troupe_message_body_bytes(const troupe_message_t *message);

/** @return the sender; ::TROUPE_REF_NONE for a notice, and for a message of the main program. */
TROUPE_API troupe_ref_t troupe_message_sender(const troupe_message_t *message);

/**
 * @return the body if it has exactly @p body_bytes bytes, else NULL: a check before reading a
 *         struct.
 */
TROUPE_API const void *troupe_message_body_sized(
    const troupe_message_t *message, size_t body_bytes);

/** The body as a `const struct_type *`; NULL if it has another size. */
#define TROUPE_BODY(message, struct_type) \
    ((const struct_type *)troupe_message_body_sized((message), sizeof(struct_type)))

/** Frees a body that was given away. Called once, on any thread, possibly long after the send. */
typedef void troupe_free_fn(void *data, void *free_data);

/**
 * A body with an owner, which troupe_send_body() gives away without a copy.
 *
 * Fill it in with memory of your own and a function that frees it, or call troupe_body_new().
 */
struct troupe_body {
    void *data;           /**< The bytes, aligned to 8. */
    size_t bytes;         /**< How many. */
    troupe_free_fn *free; /**< Frees @ref data; NULL when nothing needs to be freed. */
    void *free_data;      /**< Passed to @ref free. */
};

/**
 * Make a body of @p bytes zeroed bytes.
 *
 * @retval TROUPE_OK        *out_body is set.
 * @retval TROUPE_ERR_NOMEM no memory for it.
 *
 * @owns    The caller owns *out_body until troupe_send_body() takes it or troupe_body_free() frees
 *          it.
 * @threads any
 * @blocks  never
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_body_new(
    size_t bytes, struct troupe_body *out_body);

/**
 * Free what @p body holds, and zero it. Does nothing if it is zero already.
 *
 * @owns    Takes what @p body holds.
 * @threads any, one at a time
 * @blocks  never
 */
TROUPE_API void troupe_body_free(struct troupe_body *body);

/**
 * Take the body out of a message, to keep it or to give it away. A body that the sender gave away
 * changes its owner without a copy; one that was copied into the message is copied again.
 *
 * @retval TROUPE_OK        *out_body is set, and the message's body is empty.
 * @retval TROUPE_ERR_NOMEM no memory for the copy; the message is unchanged.
 *
 * @owns    The caller owns *out_body.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_message_take_body(
    const troupe_message_t *message, struct troupe_body *out_body);

/** Identifies an ask, so that it can be replied to after the callback that received it. A value. */
struct troupe_reply_to {
    troupe_ref_t ref; /**< The actor that asked. */
    uint64_t ask;     /**< Which of its asks; 0: the message was sent without an ask. */
};

/** @return what troupe_reply_later() needs to reply to this message after the callback. */
TROUPE_API struct troupe_reply_to troupe_message_reply_to(const troupe_message_t *message);

/**
 * Free a message that an inbox handed out, and set *message_p to NULL. Does nothing if it is NULL.
 *
 * @owns    Takes *message_p. Do not call it for a message that a callback received.
 * @threads any, one at a time
 * @blocks  never
 */
TROUPE_API void troupe_message_destroy(troupe_message_t **message_p);

#endif
