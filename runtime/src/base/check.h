/**
 * @file check.h
 * @brief Stating what must be true: our own mistakes, never the user's.
 *
 * TRP_CHECK stays on in release builds, off the hot road. TRP_DCHECK is for the hot road and for
 * checks that walk a structure; it is on in debug and sanitizer builds.
 */
#ifndef TRP_CHECK_H
#define TRP_CHECK_H

/** Print what should have been true, and where, and abort. */
_Noreturn void trp_check_failed(const char *file, int line, const char *condition);

#define TRP_CHECK(condition) \
    ((condition) ? (void)0 : trp_check_failed(__FILE__, __LINE__, #condition))

#ifdef TROUPE_DCHECK_ENABLED
#    define TRP_DCHECK(condition) TRP_CHECK(condition)
#else
#    define TRP_DCHECK(condition) ((void)0)
#endif

#define TRP_LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define TRP_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/** For what each message passes through: there a call costs as much as what it does. */
#define TRP_INLINE static inline __attribute__((always_inline))

#endif
