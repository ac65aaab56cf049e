#include "node/damage_stop.h"

#include "node/stop.h"
#include "shared/damage.h"

#include <pthread.h>

static pthread_mutex_t damage_stop_lock = PTHREAD_MUTEX_INITIALIZER; // innermost
static troupe_system_t *damage_stop_first;                           // guarded by it

static void damage_stop_found(const struct trp_shared *shared)
{
    (void)pthread_mutex_lock(&damage_stop_lock);
    for (troupe_system_t *at = damage_stop_first; at != NULL; at = at->next_system) {
        if (at->runtime.shared == shared) {
            atomic_store_explicit(&at->runtime.shared->is_damaged, true, memory_order_release);
            troupe_system_stop(at); // takes no lock
        }
    }
    (void)pthread_mutex_unlock(&damage_stop_lock);
}

void trp_damage_stop_add(troupe_system_t *system)
{
    trp_damage_set_handler(damage_stop_found);
    (void)pthread_mutex_lock(&damage_stop_lock);
    system->next_system = damage_stop_first;
    damage_stop_first = system;
    (void)pthread_mutex_unlock(&damage_stop_lock);
}

void trp_damage_stop_remove(troupe_system_t *system)
{
    (void)pthread_mutex_lock(&damage_stop_lock);
    troupe_system_t **at = &damage_stop_first;
    while (*at != NULL && *at != system) {
        at = &(*at)->next_system;
    }
    if (*at != NULL) {
        *at = system->next_system;
    }
    (void)pthread_mutex_unlock(&damage_stop_lock);
}
