/**
 * @file ecs.h
 * @brief The backend `ecs`: one world on the thread that owns the system.
 */
#ifndef TRP_ECS_H
#define TRP_ECS_H

#include "troupe/backend.h"

extern const struct troupe_backend_ops trp_backend_ecs;

#endif
