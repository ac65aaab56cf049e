/*
 * The list of programs without SUBJECTS(). In a file of its own: where a compiler sees the list that
 * is to be replaced, it may well use it.
 */
#include "subjects.h"

__attribute__((weak)) const struct troupe_behaviour *const *const subjects =
    TROUPE_BEHAVIOURS(NULL);
