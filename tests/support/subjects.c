/*
 * How a test program carries process actors.
 *
 *     test --spawn--> /proc/self/exe: constructor --troupe_run_if_child--> carries actors, exits
 *                                         |
 *                                         +-- in any other process: returns, and main() follows
 *
 * It is a constructor since main() belongs to Criterion: that runs each test in the program started again,
 * whose main() it replaces wherever the environment has its BXFI_MAP, which children of a test inherit. The
 * constructor of a program runs after those of its libraries, so all of them are ready.
 */
#include "subjects.h"

#include <troupe/main.h>

#include <criterion/criterion.h>

#include <stdbool.h>
#include <string.h>

__attribute__((constructor)) static void subjects_enter(void)
{
    troupe_run_if_child(subjects);
}

static void subjects_check_names(void)
{
    for (size_t i = 0; subjects[i] != NULL; i++) {
        for (size_t before = 0; before < i; before++) {
            cr_assert(
                strcmp(subjects[before]->name, subjects[i]->name) != 0,
                "two of SUBJECTS() go by the name '%s': rename one",
                subjects[i]->name);
        }
    }
}

static bool subjects_have(const struct troupe_behaviour *behaviour)
{
    for (size_t i = 0; subjects[i] != NULL; i++) {
        if (subjects[i] == behaviour) {
            return true;
        }
    }
    return false;
}

void subjects_check(const struct troupe_behaviour *const *behaviours)
{
    subjects_check_names();
    for (size_t i = 0; behaviours[i] != NULL; i++) {
        cr_assert(
            subjects_have(behaviours[i]),
            "no other process would find the behaviour '%s': add it to the SUBJECTS() of this file",
            behaviours[i]->name);
    }
}
