/**
 * @file message.h
 * @brief What is behind a ::troupe_message_t.
 */
#ifndef TRP_MESSAGE_H
#define TRP_MESSAGE_H

#include "troupe/message.h"

#include <stdbool.h>
#include <stdint.h>

/** A message, as a callback receives it or an inbox hands it out. */
struct troupe_message {
    uint32_t type;
    bool owned;          // an inbox handed it out: troupe_message_destroy() frees it
    bool given;          // its body was given away by the sender, and is not part of a frame
    uint64_t ask;        // the number of the ask; 0: it is none
    uint64_t expires_ns; // by the clock of the system; 0: never
    troupe_ref_t sender;
    struct troupe_body *body; // zeroed by troupe_message_take_body()
};

#endif
