/**
 * @file audit.h
 * @brief The check at the end of a test that the counters balance: `accepted = handled + dead + unknown + waiting`.
 */
#ifndef TROUPE_TESTS_AUDIT_H
#define TROUPE_TESTS_AUDIT_H

#include <troupe/troupe.h>

#include <stdbool.h>

/** @return what troupe_system_audit() returns; where the counters do not balance it prints them. Owner's thread. */
bool audit_balances(troupe_system_t *system);

/** Require that the counters balance, and free the system; else print them and abort. @threads the owner's */
void audit_and_destroy(troupe_system_t **system_p);

#endif
