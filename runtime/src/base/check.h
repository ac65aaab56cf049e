/**
 * @file check.h
 * @brief Assertions. They find mistakes in Troupe itself, never those of a user.
 *
 * TRP_CHECK is on in all builds. TRP_DCHECK is on in debug and sanitizer builds only: it is for
 * code that every message runs through, and for checks that walk a structure.
 */
#ifndef TRP_CHECK_H
#define TRP_CHECK_H

/** Print the place and the condition that does not hold, and abort. */
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

/**
 * For functions that every message runs through, where a call would cost as much as the function.
 */
#define TRP_INLINE static inline __attribute__((always_inline))

#endif
