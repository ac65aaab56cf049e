/*
 * Waiting for memory: a wait lasts for ever unless a maximum was set, and then calls the given
 * function.
 */
#include "support/fixture.h"

#include "base/memory.h"

enum { MANY = 1000 };

static void note_end(void *data)
{
    ++*(int *)data;
}

Test(memory, a_wait_begins_with_its_first_call)
{
    uint64_t since_ns = 0;

    trp_memory_wait(&since_ns);

    uint64_t began_ns = since_ns;
    cr_assert(began_ns != 0);
    trp_memory_wait(&since_ns);
    cr_expect(since_ns == began_ns);
}

Test(memory, a_wait_has_no_end_unless_a_maximum_is_set)
{
    uint64_t since_ns = 1; // long ago

    for (int i = 0; i < MANY; i++) {
        trp_memory_wait(&since_ns);
    }
}

Test(memory, a_wait_over_the_maximum_calls_the_function)
{
    int ends = 0;
    uint64_t since_ns = 0;
    trp_memory_on_shortage(note_end, &ends, FIXTURE_DEADLINE_NS);

    trp_memory_wait(&since_ns);
    cr_expect(eq(int, ends, 0), "it has just begun");
    since_ns = 1;
    trp_memory_wait(&since_ns);

    cr_expect(eq(int, ends, 1));
}
