#include "actor/actor_name.h"

#include "actor/actor_table.h"
#include "shared/names.h"
#include "shared/shared.h"
#include "shared/slot.h"

#include <stdio.h>

/** Print the name of an actor of this executor, if the reference is to one. @return false: its name is not known. */
static bool actor_name_print_own(
    const struct troupe_executor *executor, troupe_ref_t ref, char name[TRP_DEAD_COUNTS_NAME_BYTES])
{
    bool may_be_here = ref.executor == executor->id && ref.generation != 0 &&
                       executor->mode != TRP_MODE_INBOX && ref.index < UINT32_MAX / 2;
    const struct trp_actor *row =
        may_be_here ? trp_actor_table_try_row(&executor->actors, ref.index) : NULL;
    // A free row keeps the behaviour of its last actor.
    if (row == NULL || row->generation != ref.generation || row->behaviour == NULL) {
        return false;
    }
    (void)snprintf(name, TRP_DEAD_COUNTS_NAME_BYTES, " '%.48s'", trp_actor_name(row));
    return true;
}

void trp_actor_name_print(
    struct troupe_executor *executor,
    troupe_ref_t ref,
    char name[static TRP_DEAD_COUNTS_NAME_BYTES])
{
    name[0] = '\0';
    if (actor_name_print_own(executor, ref, name)) {
        return;
    }
    struct trp_shared *shared = executor->runtime->shared;
    trp_shared_lock(shared);
    const struct trp_slot *slot = trp_shared_find_slot(shared, ref.executor);
    if (slot != NULL && slot->node == ref.node) {
        (void)snprintf(name, TRP_DEAD_COUNTS_NAME_BYTES, " on '%s'", slot->name);
        const char *known = ref.generation == 0 ? NULL : trp_names_of(shared, ref);
        if (known != NULL) {
            (void)snprintf(name, TRP_DEAD_COUNTS_NAME_BYTES, " '%.48s'", known);
        }
    }
    trp_shared_unlock(shared);
}
