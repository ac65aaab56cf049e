/**
 * @file troupe/version.h
 * @brief The version of Troupe: of the headers at compile time, and of the library at run time.
 *
 * The macros describe the headers that a program was compiled with, troupe_version() the library
 * that it runs with. Before 1.0.0, a program needs a library of the same major and minor version.
 */
#ifndef TROUPE_VERSION_H
#define TROUPE_VERSION_H

#include "troupe/export.h"

/* CMakeLists.txt reads these three from here, so that the version is written once. */

/** From 1.0.0 on, changes with every incompatible change. */
#define TROUPE_VERSION_MAJOR 0
/** Changes with every addition and, before 1.0.0, with every incompatible change. */
#define TROUPE_VERSION_MINOR 1
/** Changes with every correction. */
#define TROUPE_VERSION_PATCH 0

/** A version as one number, which can be compared: TROUPE_MAKE_VERSION(1, 2, 3) is 10203. */
#define TROUPE_MAKE_VERSION(major, minor, patch) ((major)*10000 + (minor)*100 + (patch))

/** The version of the headers, as in `#if TROUPE_VERSION >= TROUPE_MAKE_VERSION(0, 2, 0)`. */
#define TROUPE_VERSION \
    TROUPE_MAKE_VERSION(TROUPE_VERSION_MAJOR, TROUPE_VERSION_MINOR, TROUPE_VERSION_PATCH)

/** @cond */
#define TROUPE_VERSION_QUOTE(number) #number
#define TROUPE_VERSION_JOIN(major, minor, patch) \
    TROUPE_VERSION_QUOTE(major) "." TROUPE_VERSION_QUOTE(minor) "." TROUPE_VERSION_QUOTE(patch)
/** @endcond */

/** The version of the headers as text: "MAJOR.MINOR.PATCH". */
#define TROUPE_VERSION_STRING \
    TROUPE_VERSION_JOIN(TROUPE_VERSION_MAJOR, TROUPE_VERSION_MINOR, TROUPE_VERSION_PATCH)

/**
 * Get the version of the library that the program runs with.
 *
 * @return "MAJOR.MINOR.PATCH"; equals ::TROUPE_VERSION_STRING where headers and library match.
 *
 * @owns    The library keeps the text.
 * @threads any
 * @blocks  never
 */
TROUPE_API const char *troupe_version(void);

#endif
