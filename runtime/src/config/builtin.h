/**
 * @file builtin.h
 * @brief The backends that come with the library. Only backends/ knows which they are.
 */
#ifndef TRP_BUILTIN_H
#define TRP_BUILTIN_H

#include "troupe/backend.h"

/** Most backends that a process may know, built-in and registered. */
#define TRP_BACKEND_COUNT_MAX 16

/** Ended by NULL. The first one is the default, and has ::TROUPE_TRAIT_CALLERS_THREAD. */
extern const struct troupe_backend_ops *const trp_backends_builtin[];

#endif
