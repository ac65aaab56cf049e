/**
 * @file receive_frame.h
 * @brief Receiving frames, and handling the messages and commands in them.
 */
#ifndef TRP_RECEIVE_FRAME_H
#define TRP_RECEIVE_FRAME_H

#include "actor/executor.h"

/** Receive and handle one frame of a peer. @return whether there was one. */
bool trp_executor_receive(struct troupe_executor *executor);

/** Receive and handle the frames that the executor has sent to itself. */
void trp_executor_receive_own(struct troupe_executor *executor);

/** Receive and handle up to 64 frames that came by ipc or tcp. @return whether there were any. */
bool trp_executor_receive_remote(struct troupe_executor *executor);

/** @return whether a turn is to end between two frames: it has reached handled_limit, or its deadline. */
bool trp_executor_is_spent(const struct troupe_executor *executor);

/** Return the credit that is owed to peers, if one waits for it or much is owed. */
void trp_executor_settle_credit(struct troupe_executor *executor);

#endif
