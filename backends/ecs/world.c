#include "world.h"

#include "base/error.h"

enum troupe_err trp_ecs_refuse(const troupe_ecs_t *ecs)
{
    if (ecs == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_UNSUPPORTED,
            "there is no world here: troupe_ecs_world() is NULL for an actor on a thread or in "
            "another "
            "process; place it on 'ecs'");
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_THREAD,
        "the world may be used only on the thread that made the system; send a message to an actor "
        "there");
}
