#include "shared/damage.h"

#include <stdatomic.h>
#include <stdio.h>

static _Atomic(trp_damage_fn *) damage_handler;
static _Atomic bool damage_found;

void trp_damage_set_handler(trp_damage_fn *handler)
{
    atomic_store(&damage_handler, handler);
}

bool trp_damage_was_found(void)
{
    return atomic_load(&damage_found);
}

uint32_t trp_damage_report(
    const struct trp_shared *shared, const char *what, uint32_t value, uint32_t most)
{
    if (atomic_exchange(&damage_found, true)) {
        return 0;
    }
    (void)fprintf(
        stderr,
        "troupe: the memory that the processes of the system share is damaged: %s is %u, and %u is "
        "the most there can be. A process has written where it must not; the system stops\n",
        what,
        value,
        most);
    trp_damage_fn *handler = atomic_load(&damage_handler);
    if (handler != NULL) {
        handler(shared);
    }
    return 0;
}
