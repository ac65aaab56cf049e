/**
 * @file thread.h
 * @brief The backend `thread`: a pthread for each executor.
 */
#ifndef TRP_THREAD_H
#define TRP_THREAD_H

#include "troupe/backend.h"

extern const struct troupe_backend_ops trp_backend_thread;

#endif
