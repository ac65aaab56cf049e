/**
 * @file audit.h
 * @brief The balance of the counters at the end of a test: `accepted = handled + dead + unknown + waiting`.
 */
#ifndef TROUPE_TESTS_AUDIT_H
#define TROUPE_TESTS_AUDIT_H

#include <troupe/troupe.h>

#include <stdbool.h>

/** @return troupe_system_audit(); if the counters do not balance, standard error says where. Owner's thread. */
bool audit_balances(troupe_system_t *system);

/** Check that the counters balance, and free the system; else the process stops and says where. Owner's thread. */
void audit_and_destroy(troupe_system_t **system_p);

#endif
