/**
 * @file format.h
 * @brief The wire format: what the bytes of a frame mean.
 *
 * A frame is one ZeroMQ message, and holds any number of envelopes:
 *
 *     frame of an executor to itself   envelope, envelope, ...
 *     frame between executors          header, envelope, envelope, ...
 *
 *     envelope, 24 bytes   to_index:4 to_generation:4 from_index:4 from_generation:4
 *                          type:4 kind:4bit flags:8bit size:20bit
 *     extensions           those that the flags announce, in this order:
 *                          sender 8 | ask 8 | expiry 8 | run count 8
 *     body                 padded to a multiple of 8; a run has as many as it counts, of one size;
 *                          a given body is a struct trp_given, 32 bytes
 *
 * All numbers are little-endian, and all parts start at a multiple of 8. An envelope names two
 * actors by row and generation only. Their executors follow from the frame: `to` is on the
 * receiving executor, `from` on the one that the header names, unless ::TRP_FLAG_SENDER says
 * otherwise.
 */
#ifndef TRP_FORMAT_H
#define TRP_FORMAT_H

#include "troupe/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are written in this machine's byte order");

#define TRP_FRAME_VERSION 1u

/** A frame within a process is sent when it holds this many bytes. */
#define TRP_FRAME_BYTES_MAX_LOCAL 65536u

/** A frame between executors of a process is sent when it holds this many messages. */
#define TRP_FRAME_MESSAGES_MAX 1024u

/** The same by ipc and tcp, whose system calls are worth larger frames. No frame has more bytes. */
#define TRP_FRAME_BYTES_MAX           131072u
#define TRP_FRAME_MESSAGES_MAX_REMOTE 2048u

/** Largest body that is copied into a frame; a larger one travels as a given body. */
#define TRP_INLINE_BYTES_MAX 16384u

/** Largest body that an envelope may have, including that of a START. */
#define TRP_BODY_BYTES_MAX 49152u

/** Longest run. It bounds runs of empty bodies, which take no room in the frame. */
#define TRP_RUN_COUNT_MAX 65536u

/** What an envelope is. Numbers are part of the wire format. */
enum trp_kind {
    TRP_KIND_USER = 0,           // a message for an actor
    TRP_KIND_REPLY = 1,          // the reply to an ask
    TRP_KIND_NOTICE = 2,         // a message of the runtime for an actor; not counted
    TRP_KIND_START = 3,          // start an actor in a reserved row; body: struct trp_start
    TRP_KIND_STOP = 4,           // ask an actor to stop
    TRP_KIND_CREDIT_REQUEST = 5, // the sending channel is out of credit
    TRP_KIND_CREDIT_GRANT = 6,   // the receiving channel gets credit
    TRP_KIND_WAKE = 7,           // credit came back: serve the channels that wait for it
    TRP_KIND_STOP_EXECUTOR = 8,  // end the executor
    TRP_KIND_CLOSE_REQUEST = 9,  // the sender takes no more messages: close your channel to it
    TRP_KIND_FIN = 10,           // the last frame on this lane of this channel
    TRP_KIND_CHECK_ALIVE = 11,   // report the end of this actor if it has ended: it became the root
    TRP_KIND_MONITOR = 12,       // between monitors and links, in order with the actors' messages
    TRP_KIND_COUNT = 13,
};

/** What an envelope carries, and how it was accounted for. */
enum trp_flag {
    TRP_FLAG_SENDER = 1 << 0, // carries node and executor of `from`, which differ from the frame's
    TRP_FLAG_ASK = 1 << 1,    // carries the number of an ask
    TRP_FLAG_RUN = 1 << 2,    // carries a count, and that many bodies
    TRP_FLAG_GIVEN = 1 << 3,  // the body is a struct trp_given
    TRP_FLAG_UNMETERED = 1 << 4,   // took no credit: a reply, a timer
    TRP_FLAG_PROVISIONAL = 1 << 5, // took its credit from the reserve of a new channel
    TRP_FLAG_FAILED = 1 << 6,      // a reply that the ask failed; `type` is the enum troupe_err
    TRP_FLAG_EXPIRES = 1 << 7,     // carries the time at which it expires
};

struct trp_envelope {
    uint32_t to_index;
    uint32_t to_generation;
    uint32_t from_index;
    uint32_t from_generation;
    uint32_t type;
    uint32_t tag; // kind, flags and size, as trp_tag() packs them
};
_Static_assert(sizeof(struct trp_envelope) == 24, "the envelope has 24 bytes");

/**
 * A body that changes its owner instead of being copied. By ipc and tcp it follows the frame as a
 * part.
 */
struct trp_given {
    void *data; // within a process, the bytes; by ipc and tcp, the number of the part
    uint64_t bytes;
    troupe_free_fn *free;
    void *free_data;
};
_Static_assert(sizeof(struct trp_given) == 32, "a given body takes 32 bytes in the frame");

/**
 * The two pipes of a channel. Commands have a pipe of their own, so they overtake user messages.
 */
enum trp_lane { TRP_LANE_USER = 0, TRP_LANE_COMMAND = 1 };

/** Properties of a whole frame, in its header. */
enum trp_mark {
    TRP_MARK_RUNG = 1 << 0, // the sender rang the receiver's doorbell for it
    TRP_MARK_COUNTED =
        1 << 1, // a command the receiver counts, so that it handles it before later messages
};

struct trp_header {
    uint8_t version;
    uint8_t lane;
    uint16_t marks;           // of enum trp_mark
    uint32_t count;           // counted messages in the frame
    uint64_t cookie;          // of the channel, in this direction: proves who the sender is
    uint64_t first_sequence;  // counted messages sent on the channel before this frame
    uint64_t acknowledged;    // counted messages of the other direction that have an outcome
    uint32_t credit_messages; // granted to the other direction
    uint32_t credit_bytes;
    uint32_t node; // of the sending executor
    uint32_t executor;
};
_Static_assert(sizeof(struct trp_header) == 48, "the header has 48 bytes");

/**
 * Start of the body of a START. Name and behaviour's name, each padded to 8, and arguments follow.
 */
struct trp_start {
    uint32_t behaviour_index;
    uint32_t name_bytes; // 0: the actor is named after its behaviour
    uint32_t args_bytes;
    uint32_t behaviour_bytes; // 0: the START stays in its process, where the index says which
    uint32_t reservation;     // its place in shared memory: see reservations.h; 0: none
    uint32_t unused;          // what follows starts at a multiple of 8
};

/** Body of a NOTICE that fails an ask. */
struct trp_ask_failure {
    uint32_t reason; // an enum troupe_dead_reason
    uint32_t type;   // of the message that asked
};

static inline uint32_t trp_tag(enum trp_kind kind, uint32_t flags, uint32_t size)
{
    return (uint32_t)kind << 28 | flags << 20 | size;
}

static inline enum trp_kind trp_tag_kind(uint32_t tag)
{
    return (enum trp_kind)(tag >> 28);
}

static inline uint32_t trp_tag_flags(uint32_t tag)
{
    return tag >> 20 & 0xFF;
}

static inline uint32_t trp_tag_size(uint32_t tag)
{
    return tag & 0xFFFFF;
}

static inline size_t trp_pad8(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

/**
 * @return whether the ledger of a channel counts it: as accepted, and later as handled, dead or
 *         unknown.
 */
static inline bool trp_kind_is_counted(enum trp_kind kind)
{
    return kind == TRP_KIND_USER || kind == TRP_KIND_REPLY;
}

/** @return an actor's row and generation as one number, laid out as in an envelope. */
static inline uint64_t trp_actor_key(uint32_t index, uint32_t generation)
{
    return (uint64_t)generation << 32 | index;
}

#endif
