/**
 * @file name_lists.h
 * @brief The lists of names.h: names by hash, names by owner, waits by name. All of it holds shared memory's lock.
 */
#ifndef TRP_NAME_LISTS_H
#define TRP_NAME_LISTS_H

#include "shared/names.h"

/** @return the place of an entry, counted from 1. */
uint32_t trp_name_index(const struct trp_shared *shared, const struct trp_name *entry);

/** @return the entry of a name, or NULL. */
struct trp_name *trp_name_find(struct trp_shared *shared, const char *name);

/** Find an entry, or make it. @return NULL: all are taken. */
struct trp_name *trp_name_make(struct trp_shared *shared, const char *name);

/** Free an entry, unless it has an owner or an ask waits for it. */
void trp_name_tidy(struct trp_shared *shared, struct trp_name *entry);

/** @return the list of the names whose owners have the hash of @p owner. */
uint32_t trp_name_owner_hash(troupe_ref_t owner);

/** Put an entry on the list of its owner. */
void trp_name_enlist(struct trp_shared *shared, struct trp_name *entry);

/** Unregister the owner of a name. */
void trp_name_disown(struct trp_shared *shared, struct trp_name *entry);

/** @return the place of a free wait, counted from 1; 0: all are taken. */
uint32_t trp_name_take_wait(struct trp_shared *shared);

/** Put a wait on the list of its name. */
void trp_name_link_wait(struct trp_shared *shared, uint32_t index);

/** Free a wait. */
void trp_name_free_wait(struct trp_shared *shared, uint32_t index);

/** Make all lists again from the entries: a process died while it changed some. */
void trp_names_repair(struct trp_shared *shared);

#endif
