/**
 * @file retry.h
 * @brief A system call, or one of ZeroMQ, again as long as a signal interrupts it.
 *
 * Not for close(): the descriptor is closed all the same, and its number may be another's already.
 */
#ifndef TRP_RETRY_H
#define TRP_RETRY_H

#include <errno.h>

/** @return what @p call, an expression of a signed type, returns once it is not -1 with EINTR. */
#define TRP_RETRY(call)                                                  \
    __extension__({                                                      \
        __typeof__(call) trp_result = 0;                                 \
        do {                                                             \
            trp_result = (call);                                         \
        } while (__builtin_expect(trp_result < 0, 0) && errno == EINTR); \
        trp_result;                                                      \
    })

#endif
