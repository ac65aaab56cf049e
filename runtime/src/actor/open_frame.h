/**
 * @file open_frame.h
 * @brief Appending messages to the open frame of a channel.
 *
 *     inline      small bodies, copied into the frame
 *     separate    large or given bodies: inside a process a handle in the frame, by ipc and tcp a part that follows it
 */
#ifndef TRP_OPEN_FRAME_H
#define TRP_OPEN_FRAME_H

#include "actor/send.h"
#include "channel/channel.h"

/**
 * Append a message to the open frame of a channel. A body that was given is taken on success.
 *
 * @return false: no memory; nothing was appended.
 */
bool trp_open_frame_append(
    struct troupe_executor *executor, struct trp_channel *channel, struct trp_outgoing *outgoing);

/** A message was appended to the open frame of a channel to a peer: make sure that it leaves. */
void trp_open_frame_mark(struct troupe_executor *executor, struct trp_channel *channel);

#endif
