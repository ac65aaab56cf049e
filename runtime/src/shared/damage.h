/**
 * @file damage.h
 * @brief Noticing that shared memory holds what no process has written on purpose.
 *
 * Isolation is against crashes, not malice: a process can write anything to the shared memory. But a stray write is to
 * be found and named, and not followed. So sizes of tables and indices of lists are compared with their maximum as they
 * are read. What is over it counts as empty, or as the end of a list; it is reported once, and the system is stopped in
 * order.
 */
#ifndef TRP_DAMAGE_H
#define TRP_DAMAGE_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

struct trp_shared;

/** Have a system stop. It may hold shared memory's lock. @threads any */
typedef void trp_damage_fn(const struct trp_shared *shared);

/** Set what is called when damage is found for the first time. @threads any */
void trp_damage_set_handler(trp_damage_fn *handler);

/** @return whether this process has found damage. @threads any */
bool trp_damage_was_found(void);

/** Report that @p what is @p value, which is over @p most. @return 0 */
uint32_t trp_damage_report(
    const struct trp_shared *shared, const char *what, uint32_t value, uint32_t most);

/** @return @p value, or 0 if it is over @p most, which is reported. */
static inline uint32_t trp_damage_check(
    const struct trp_shared *shared, const char *what, uint32_t value, uint32_t most)
{
    return TRP_LIKELY(value <= most) ? value : trp_damage_report(shared, what, value, most);
}

#endif
