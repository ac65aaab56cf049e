/**
 * @file audit.h
 * @brief The law, at the end of a test: `accepted = handled + dead + unknown + waiting`.
 */
#ifndef TROUPE_TESTS_AUDIT_H
#define TROUPE_TESTS_AUDIT_H

#include <troupe/troupe.h>

#include <stdbool.h>

/** @return what troupe_system_audit() says; if it does not close, where is on standard error. Owner's thread. */
bool audit_balances(troupe_system_t *system);

/** See that the law closes, and free the system; else the process stops and says where. Owner's thread. */
void audit_and_destroy(troupe_system_t **system_p);

#endif
