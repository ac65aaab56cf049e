/**
 * @file process.h
 * @brief The backend `process`: a child process for each executor.
 */
#ifndef TRP_BACKEND_PROCESS_H
#define TRP_BACKEND_PROCESS_H

#include "troupe/backend.h"

extern const struct troupe_backend_ops trp_backend_process;

#endif
