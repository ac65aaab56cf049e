/*
 * Waiting for memory: without end where nobody said otherwise, else until the patience is over.
 */
#include "support/fixture.h"

#include "base/memory.h"

enum { MANY = 1000 };

static void note_end(void *data)
{
    ++*(int *)data;
}

Test(memory, a_wait_begins_when_it_is_first_asked_for)
{
    uint64_t since_ns = 0;

    trp_memory_wait(&since_ns);

    uint64_t began_ns = since_ns;
    cr_assert(began_ns != 0);
    trp_memory_wait(&since_ns);
    cr_expect(since_ns == began_ns);
}

Test(memory, nobody_is_ended_where_nobody_said_so)
{
    uint64_t since_ns = 1; // long ago

    for (int i = 0; i < MANY; i++) {
        trp_memory_wait(&since_ns);
    }
}

Test(memory, who_waited_in_vain_for_long_is_ended)
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
