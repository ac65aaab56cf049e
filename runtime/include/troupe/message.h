/**
 * @file troupe/message.h
 * @brief Messages: a type and a body of bytes, from one actor to another.
 *
 * On the road a message is an envelope and a body:
 *
 *     envelope  24 bytes, little-endian   to:8 | from:8 | type:4 | size and flags:4
 *     body      the bytes, padded to 8, meaning known to `type` alone
 *
 * A body starts at an address that is a multiple of 8, on every backend, so a struct can be read in
 * place. Unless a function says otherwise, it is called by the actor that meets the message, within
 * the callback, and never blocks; a message that came out of a port is its holder's until destroyed.
 */
#ifndef TROUPE_MESSAGE_H
#define TROUPE_MESSAGE_H

#include "troupe/error.h"
#include "troupe/export.h"
#include "troupe/ref.h"

#include <stddef.h>
#include <stdint.h>

/** Types from here up are the runtime's own; a user's message carries a smaller one. */
#define TROUPE_MESSAGE_RESERVED UINT32_C(0x7FFFFF00)

/** Messages that the runtime itself sends to an actor. Their sender is nobody. */
enum troupe_notice {
    /**
     * There is room again where a send was refused with ::TROUPE_ERR_FULL. Body: struct troupe_room.
     * Comes once for each receiver that refused, however often it refused until then. Those who
     * share an executor are told in turn; the room is kept for an actor while it meets the notice. If it
     * sends nothing then, what room there is is anybody's.
     */
    TROUPE_MESSAGE_ROOM = 0x7FFFFF01,

    /** A message found nobody. Body: struct troupe_dead_letter. For subscribers only. */
    TROUPE_MESSAGE_DEAD_LETTER = 0x7FFFFF02,

    /** The answer of troupe_await_name(). Body: the troupe_ref_t that goes by the name now. */
    TROUPE_MESSAGE_NAME = 0x7FFFFF03,

    /** A monitored actor has ended. Body: struct troupe_down. See troupe_monitor(). */
    TROUPE_MESSAGE_DOWN = 0x7FFFFF04,

    /** A linked actor has ended. Body: struct troupe_down. See troupe_trap_exit(). */
    TROUPE_MESSAGE_EXIT = 0x7FFFFF05,
};

/** Body of ::TROUPE_MESSAGE_ROOM. */
struct troupe_room {
    troupe_ref_t to; /**< The receiver that refused and has room again. */
};

/** Why a message found nobody. Numbers are part of the wire format. */
enum troupe_dead_reason {
    TROUPE_DEAD_NO_SUCH_ACTOR = 0, /**< The reference never named an actor. */
    TROUPE_DEAD_STOPPED = 1,       /**< Its actor had ended. */
    /**
     * A mailbox was full, and its policy was to drop. None does so far: a full mailbox refuses the send
     * with ::TROUPE_ERR_FULL, and what was never accepted is no dead letter.
     */
    TROUPE_DEAD_OVERFLOW = 2,
    TROUPE_DEAD_EXPIRED = 3,       /**< Its time to live had passed. */
    TROUPE_DEAD_UNDECODABLE = 4,   /**< The frame that carried it was damaged. */
    TROUPE_DEAD_PEER_DOWN = 5,     /**< The receiving process died before it was begun. */
    TROUPE_DEAD_SENDER_DOWN = 6,   /**< The sending process died before it was sent. */
    TROUPE_DEAD_LATE_REPLY = 7,    /**< An answer to an ask that was over already. */
    TROUPE_DEAD_UNDELIVERABLE = 8, /**< Its actor's `init` failed, or it could not be reached. */
    /**
     * It ended its receiver more often than allowed. For supervisors to say; none does so far.
     */
    TROUPE_DEAD_POISON = 9,
    TROUPE_DEAD_REASON_COUNT = 10, /**< How many reasons there are. */
};

/** @return a static name such as "stopped"; "unknown" for a number that is no reason. Any thread. */
TROUPE_API const char *troupe_dead_reason_text(enum troupe_dead_reason reason);

/** Body of ::TROUPE_MESSAGE_DEAD_LETTER: the envelope of what found nobody. */
struct troupe_dead_letter {
    troupe_ref_t to;     /**< Whom it was for. */
    troupe_ref_t from;   /**< Who sent it. */
    uint32_t type;       /**< Its type. */
    uint32_t reason;     /**< An ::troupe_dead_reason. */
    uint64_t body_bytes; /**< Size of its body; the body itself is gone. */

    /**
     * How many messages: 1. More, or where `to.generation` is 0, they went from one executor to
     * another, in a frame that was damaged or that a dying process never sent, and no more is known of
     * them than that: `type`, `body_bytes` and the rest of the references are 0.
     */
    uint64_t count;
};

/** A message, seen by the actor that meets it or held by the one who took it from a port. */
typedef struct troupe_message troupe_message_t;

/** @return what the body means, as the sender said. */
TROUPE_API uint32_t troupe_message_type(const troupe_message_t *message);

/** @return the bytes, aligned to 8, good as long as the message; NULL when there are none. */
TROUPE_API const void *troupe_message_body(const troupe_message_t *message);

/** @return the size of the body in bytes. */
TROUPE_API size_t troupe_message_body_bytes(const troupe_message_t *message);

/** @return who sent it; ::TROUPE_REF_NONE for a notice, and for what the main program sent. */
TROUPE_API troupe_ref_t troupe_message_sender(const troupe_message_t *message);

/** @return the body when it has exactly @p body_bytes bytes, else NULL: a guard for reading structs. */
TROUPE_API const void *troupe_message_body_sized(
    const troupe_message_t *message, size_t body_bytes);

/** The body as a `const struct_type *`, or NULL when its size is another. */
#define TROUPE_BODY(message, struct_type) \
    ((const struct_type *)troupe_message_body_sized((message), sizeof(struct_type)))

/** Frees a body that was given away. Called once, on any thread, maybe long after the send. */
typedef void troupe_free_fn(void *data, void *free_data);

/**
 * Bytes with an owner, to be given away with troupe_send_body() without a copy.
 *
 * Fill it with memory of your own and its free function, or let troupe_body_new() make it.
 */
struct troupe_body {
    void *data;           /**< The bytes, aligned to 8. */
    size_t bytes;         /**< How many. */
    troupe_free_fn *free; /**< Frees @ref data; NULL when nothing needs to be freed. */
    void *free_data;      /**< Handed to @ref free as it is. */
};

/**
 * Make a body of @p bytes zeroed bytes.
 *
 * @retval TROUPE_OK        *out_body is set.
 * @retval TROUPE_ERR_NOMEM no memory for it.
 *
 * @owns    The caller owns *out_body until troupe_send_body() takes it or troupe_body_free() ends it.
 * @threads any
 * @blocks  never
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_body_new(
    size_t bytes, struct troupe_body *out_body);

/**
 * Free what @p body holds and zero it. Does nothing when it is zero already.
 *
 * @owns    Takes what @p body holds.
 * @threads any, as long as one thread holds the body
 * @blocks  never
 */
TROUPE_API void troupe_body_free(struct troupe_body *body);

/**
 * Take the body out of a message, to keep it or give it on. A body that was given away changes hands
 * without a copy; one that was copied into the message is copied out.
 *
 * @retval TROUPE_OK        *out_body is set; the message's body is empty from here on.
 * @retval TROUPE_ERR_NOMEM no memory for the copy; the message is as before.
 *
 * @owns    The caller owns *out_body.
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_message_take_body(
    const troupe_message_t *message, struct troupe_body *out_body);

/** Whom to answer: enough of an ask to reply to it after the callback that met it. A value. */
struct troupe_reply_to {
    troupe_ref_t ref; /**< Who asked. */
    uint64_t ask;     /**< Which of its asks; 0 when it was a plain send. */
};

/** @return whom troupe_reply_later() has to answer, for a reply later than this callback. */
TROUPE_API struct troupe_reply_to troupe_message_reply_to(const troupe_message_t *message);

/**
 * Free a message that a port handed out, and set *message_p to NULL. Does nothing when it is NULL.
 *
 * @owns    Takes *message_p. Never called on a message that a callback meets.
 * @threads any, as long as one thread holds the message
 * @blocks  never
 */
TROUPE_API void troupe_message_destroy(troupe_message_t **message_p);

#endif
