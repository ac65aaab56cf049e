/**
 * @file troupe/signals.h
 * @brief Signals as messages: an actor subscribes to a signal and gets a notice each time it comes.
 *
 *     block SIGHUP --> make the system --> troupe_signals_subscribe(ctx, SIGHUP, true) --> TROUPE_MESSAGE_SIGNAL
 *
 * The kernel gives a signal to the runtime only while every thread blocks it, so it must be blocked before there
 * are threads: by the option `signals` of troupe_system_new(), or by the program itself in the first lines of
 * its main(), before troupe_main(). A signal that no actor is subscribed to does what it always did.
 */
#ifndef TROUPE_SIGNALS_H
#define TROUPE_SIGNALS_H

#include "troupe/behaviour.h"
#include "troupe/error.h"
#include "troupe/export.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Notice: a signal came to the process that made the system. Body: struct troupe_signal. Only subscribers get it;
 * it has no sender.
 */
#define TROUPE_MESSAGE_SIGNAL UINT32_C(0x7FFFFF06)

/** Body of ::TROUPE_MESSAGE_SIGNAL. */
struct troupe_signal {
    int32_t number; /**< As in <signal.h>. */
    int32_t pid;    /**< The process that sent it; 0: the kernel. */
    uint32_t uid;   /**< The user of that process. */
    int32_t value;  /**< The value that sigqueue() sent with it; else 0. */
};

/**
 * Subscribe the running actor to a signal of the process that made the system, or undo that.
 *
 * A subscriber gets one ::TROUPE_MESSAGE_SIGNAL for each signal, until it unsubscribes or ends; subscribing twice
 * is as once. Signals of one number that come faster than they are read are one, except for real-time
 * signals. They pass through executor 0, between its callbacks: one that does not return holds them up.
 *
 * While an actor is subscribed to a signal, the signal has no other effect: with SIGINT and SIGTERM under
 * troupe_main(), it is then the actor that decides whether the program ends.
 *
 * @param number  As in <signal.h>. 0 with @p on false: every signal that the actor is subscribed to.
 * @param on      true: subscribe; false: unsubscribe, which does nothing without a subscription.
 *
 * @retval TROUPE_OK          Done.
 * @retval TROUPE_ERR_INVAL   no actor runs in this context; or the thread that made the system did not block the
 *                            signal when it did; or no program can take the signal, or it reports a
 *                            fault, such as SIGSEGV; or @p number is 0 with @p on true.
 * @retval TROUPE_ERR_LIMIT   64 actors are subscribed already: have one of them forward signals. Or the thread that
 *                            reads signals cannot be had: raise the limit of processes or of open files.
 *                            The actor is not subscribed to @p number.
 * @retval TROUPE_ERR_NOMEM   no memory for that thread.
 * @retval TROUPE_ERR_THREAD  called from another thread than the context's; checked in debug builds.
 *
 * @threads the one that owns @p ctx
 * @blocks  never
 * @source  signalfd(2).
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_signals_subscribe(
    troupe_context_t *ctx, int number, bool on);

#endif
