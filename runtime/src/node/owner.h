/**
 * @file owner.h
 * @brief Whether the owner of a system may run or end it now.
 */
#ifndef TRP_OWNER_H
#define TRP_OWNER_H

#include "node/system.h"

/**
 * @return TROUPE_OK on the owner's thread, outside of callbacks. TROUPE_ERR_THREAD or TROUPE_ERR_INVAL else, with
 *         a detail that names the function, @p what.
 */
enum troupe_err trp_owner_check(const troupe_system_t *system, const char *what);

#endif
