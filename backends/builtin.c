#include "config/builtin.h"

#include "ecs/ecs.h"
#include "process/process.h"
#include "thread/thread.h"

#include <stddef.h>

const struct troupe_backend_ops *const trp_backends_builtin[] = {
    &trp_backend_ecs,
    &trp_backend_thread,
    &trp_backend_process,
    NULL,
};
