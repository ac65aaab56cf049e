/**
 * @file backend_clone.h
 * @brief A backend from outside the library: a thread of C11 for each executor.
 *
 * It includes nothing of Troupe but troupe/backend.h, so it is also the shortest example of a
 * backend. The conformance suite runs on it as it does on the built-in ones.
 */
#ifndef TROUPE_TESTS_BACKEND_CLONE_H
#define TROUPE_TESTS_BACKEND_CLONE_H

#include <troupe/backend.h>

/** Place actors here with `clone` or `clone:COUNT`, once it is registered. */
extern const struct troupe_backend_ops backend_clone;

#endif
