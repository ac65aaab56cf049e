/*
 * The root actor: whose end is noted, and when the system is told to stop.
 */
#include "shared/shared.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <unistd.h>

TestSuite(root, .timeout = 30);

static struct trp_shared *shared;
static struct trp_slot *slot;
static const troupe_ref_t actor = {2, 7, 3, 4};
static const struct troupe_exit failed = {.reason = TROUPE_EXIT_ERROR, .code = 5};

static void open_slot(void)
{
    int fd = -1;
    cr_assert(trp_shared_new(&shared, &fd) == TROUPE_OK);
    (void)close(fd);
    slot = trp_slot_take(shared, 7, 2, 2, "seven");
}

Test(root, has_no_exit_before_it_ended)
{
    struct troupe_exit exit;
    open_slot();

    cr_expect(not(trp_root_exit(shared, &exit)));
    cr_expect(not(trp_root_set(shared, actor)));
    cr_expect(not(trp_root_exit(shared, &exit)));
}

Test(root, is_one_actor_and_not_the_next_in_its_row)
{
    struct troupe_exit exit = {0};
    troupe_ref_t next = actor;
    next.generation++;
    open_slot();
    (void)trp_root_set(shared, actor);

    cr_expect(not(trp_root_note_exit(shared, next, &failed)));
    cr_expect(trp_root_note_exit(shared, actor, &failed));

    cr_expect(trp_root_exit(shared, &exit));
    cr_expect(eq(int, exit.code, 5));
}

Test(root, ends_with_its_process_unless_it_has_ended_before)
{
    struct troupe_exit exit = {0};
    const struct troupe_exit killed = {.reason = TROUPE_EXIT_KILLED};
    open_slot();
    (void)trp_root_set(shared, actor);

    cr_expect(not(trp_root_note_process_exit(shared, 1, &killed)), "another's process");
    cr_expect(trp_root_note_process_exit(shared, 2, &killed));
    cr_expect(not(trp_root_note_process_exit(shared, 2, &failed)), "again");

    cr_expect(trp_root_exit(shared, &exit));
    cr_expect(eq(int, exit.reason, TROUPE_EXIT_KILLED));
}

Test(root, has_ended_when_its_process_died_before_it_was_set)
{
    struct troupe_exit exit = {0};
    open_slot();
    slot->failed = true;
    atomic_store(&slot->state, TRP_SLOT_DEAD);

    cr_expect(trp_root_set(shared, actor));

    cr_expect(trp_root_exit(shared, &exit));
    cr_expect(eq(int, exit.reason, TROUPE_EXIT_INIT_FAILED));
}
