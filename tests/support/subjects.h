/**
 * @file subjects.h
 * @brief The behaviours of a test program that may live in another process.
 *
 *     SUBJECTS(&consumer, &producer);
 *
 * stands once in each file of tests that places actors. A process actor runs in the test's own
 * program, started again: it takes over before main(), and finds its behaviour here by name.
 *
 * So a subject follows the rules of an actor in another process:
 *
 *  - it reports by messages alone, and neither these nor its arguments hold pointers;
 *  - it shares no variable with the test; a file does (struct fixture_latch, struct fixture_journal);
 *  - no two subjects of a program share a name.
 *
 * A behaviour that is to be unknown in another process is not listed.
 */
#ifndef TROUPE_TESTS_SUBJECTS_H
#define TROUPE_TESTS_SUBJECTS_H

#include <troupe/behaviour.h>

/** All of them, ended by NULL; none in a program without SUBJECTS(). */
extern const struct troupe_behaviour *const *const subjects;

/** List them, at the end of the file. */
#define SUBJECTS(...) \
    const struct troupe_behaviour *const *const subjects = TROUPE_BEHAVIOURS(__VA_ARGS__)

/** Fail the test unless each of @p behaviours, a list ended by NULL, is one of them. */
void subjects_check(const struct troupe_behaviour *const *behaviours);

#endif
