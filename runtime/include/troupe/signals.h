/**
 * @file troupe/signals.h
 * @brief Signals as messages: an actor asks for one, and gets a notice each time it comes.
 *
 *     block SIGHUP --> make the system --> troupe_signals_subscribe(ctx, SIGHUP) --> TROUPE_MESSAGE_SIGNAL
 *
 * The kernel hands a signal to a reader only while no thread takes it, so it is blocked before there
 * are threads: by the option `signals` of troupe_system_new(), or by the program itself in the first
 * lines of its main(), before troupe_main(). What nobody asks for stays as it was.
 */
#ifndef TROUPE_SIGNALS_H
#define TROUPE_SIGNALS_H

#include "troupe/behaviour.h"
#include "troupe/error.h"
#include "troupe/export.h"

#include <stdint.h>

/**
 * A signal came to the process that made the system. Body: struct troupe_signal. For subscribers only;
 * its sender is nobody.
 */
#define TROUPE_MESSAGE_SIGNAL UINT32_C(0x7FFFFF06)

/** Body of ::TROUPE_MESSAGE_SIGNAL. */
struct troupe_signal {
    int32_t number; /**< Which, as in <signal.h>. */
    int32_t pid;    /**< The process that sent it; 0: the kernel did. */
    uint32_t uid;   /**< Whose that is. */
    int32_t value;  /**< What sigqueue() sent with it; else 0. */
};

/**
 * Send the running actor a ::TROUPE_MESSAGE_SIGNAL for each signal @p number that comes to the process
 * which made the system, until it ends or unsubscribes. Signals of one number that come faster than
 * they are read are one, but for real-time ones; they pass through executor 0, after its callback.
 *
 * While somebody asks for a signal nobody else gets it: of SIGINT and SIGTERM under troupe_main() the
 * actor then decides whether the program ends.
 *
 * @retval TROUPE_OK         Subscribed; twice is once.
 * @retval TROUPE_ERR_INVAL  no actor runs in this context; or it was not blocked in the thread that
 *                           made the system, when it did; or it is a signal that no program can
 *                           take, or that tells of a mistake, such as SIGSEGV.
 * @retval TROUPE_ERR_LIMIT  64 actors are subscribed; or the thread that reads them cannot be had.
 *
 * @source signalfd(2).
 */
TROUPE_API TROUPE_MUST_USE enum troupe_err troupe_signals_subscribe(
    troupe_context_t *ctx, int number);

/** Undo all troupe_signals_subscribe() of this actor. Does nothing when there was none. */
TROUPE_API void troupe_signals_unsubscribe(troupe_context_t *ctx);

#endif
