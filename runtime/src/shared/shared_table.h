/**
 * @file shared_table.h
 * @brief Reading sizes and indices of shared memory's tables, none of which leads out of them.
 *
 * An index is that of an entry, + 1; 0 is the end of a list. See damage.h.
 */
#ifndef TRP_SHARED_TABLE_H
#define TRP_SHARED_TABLE_H

#include "shared/damage.h"
#include "shared/shared.h"

#include <stdatomic.h>
#include <stdint.h>

/** @return how many slots were ever used. */
static inline uint32_t trp_shared_slot_count(const struct trp_shared *shared)
{
    uint32_t high = atomic_load_explicit(&shared->slot_high, memory_order_acquire);
    return trp_damage_check(shared, "the number of slots", high, TRP_SHARED_SLOTS);
}

/** @return how many ledgers were ever used. */
static inline uint32_t trp_shared_ledger_count(const struct trp_shared *shared)
{
    uint32_t high = atomic_load_explicit(&shared->ledger_high, memory_order_acquire);
    return trp_damage_check(shared, "the number of ledgers", high, TRP_SHARED_LEDGERS);
}

/** @return an index of a list of ledgers. */
static inline uint32_t trp_shared_ledger_index(const struct trp_shared *shared, uint32_t index)
{
    return trp_damage_check(shared, "an index of ledgers", index, TRP_SHARED_LEDGERS);
}

/** As trp_shared_ledger_index(), in a list of which @p steps were taken: a list that ends nowhere is damage, too. */
static inline uint32_t trp_shared_ledger_step(
    const struct trp_shared *shared, uint32_t index, uint32_t *steps)
{
    *steps += 1;
    return *steps > TRP_SHARED_LEDGERS
               ? trp_damage_report(shared, "a list of ledgers", *steps, TRP_SHARED_LEDGERS)
               : trp_shared_ledger_index(shared, index);
}

/** @return an index of a list of free slots. */
static inline uint32_t trp_shared_slot_index(const struct trp_shared *shared, uint32_t index)
{
    return trp_damage_check(shared, "an index of slots", index, TRP_SHARED_SLOTS);
}

/** @return an index of a list of names. */
static inline uint32_t trp_shared_name_index(const struct trp_shared *shared, uint32_t index)
{
    return trp_damage_check(shared, "an index of names", index, TRP_SHARED_NAMES);
}

/** @return an index of a list of waits for names. */
static inline uint32_t trp_shared_waiter_index(const struct trp_shared *shared, uint32_t index)
{
    return trp_damage_check(shared, "an index of waits", index, TRP_SHARED_WAITERS);
}

#endif
