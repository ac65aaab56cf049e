/**
 * @file troupe/export.h
 * @brief Marks on public functions: what the library shows, and which results must be looked at.
 */
#ifndef TROUPE_EXPORT_H
#define TROUPE_EXPORT_H

#ifdef __cplusplus
#    define TROUPE_EXTERN_C extern "C"
#else
#    define TROUPE_EXTERN_C
#endif

/** Shown by the library; everything without it is hidden. */
#define TROUPE_API TROUPE_EXTERN_C __attribute__((visibility("default")))

/** The compiler warns where the result is dropped. */
#define TROUPE_MUST_USE __attribute__((warn_unused_result))

#endif
