/**
 * @file receive_frame.h
 * @brief Receiving frames, and delivering what is in them.
 */
#ifndef TRP_RECEIVE_FRAME_H
#define TRP_RECEIVE_FRAME_H

#include "actor/executor.h"

/** Receive one frame of a peer, and deliver its messages. @return whether there was one. */
bool trp_executor_receive(struct troupe_executor *executor);

/** Receive the executor's own frames that are there. */
void trp_executor_receive_own(struct troupe_executor *executor);

/** Receive some frames that came by ipc or tcp. @return whether there were any. */
bool trp_executor_receive_remote(struct troupe_executor *executor);

/** @return whether the budget of a turn says to end it between two frames. */
bool trp_executor_is_spent(const struct troupe_executor *executor);

/** Return credit that is owed, when it is worth it. */
void trp_executor_settle_credit(struct troupe_executor *executor);

#endif
