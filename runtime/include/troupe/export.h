/**
 * @file troupe/export.h
 * @brief Attributes of public functions: visibility, and results that must be used.
 */
#ifndef TROUPE_EXPORT_H
#define TROUPE_EXPORT_H

#ifdef __cplusplus
#    define TROUPE_EXTERN_C extern "C"
#else
#    define TROUPE_EXTERN_C
#endif

/** Exports a function from the library; functions without it are hidden. */
#define TROUPE_API TROUPE_EXTERN_C __attribute__((visibility("default")))

/** Makes the compiler warn if the result is not used. */
#define TROUPE_MUST_USE __attribute__((warn_unused_result))

#endif
