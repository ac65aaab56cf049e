/*
 * The table of registered names in shared memory, without any executor.
 */
#include "shared/name_lists.h"
#include "shared/shared.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(names, .timeout = 30);

static struct trp_shared *shared;
static struct trp_slot *slot;
static const troupe_ref_t alto = {1, 7, 0, 1};
static const troupe_ref_t bass = {1, 7, 1, 1};

static void open_table(void)
{
    int fd = -1;
    cr_assert(trp_shared_new(&shared, &fd) == TROUPE_OK);
    (void)close(fd);
    slot = trp_slot_take(shared, 7, 1, 1, "seven");
    cr_assert(slot != NULL);
}

/** Register a name that no ask waits for. */
static enum troupe_err add(const char *name, troupe_ref_t owner)
{
    struct trp_name_waiter *waiters = NULL;
    enum troupe_err err = trp_names_add(shared, name, owner, &waiters);
    cr_expect(waiters == NULL);
    return err;
}

static bool is_owner(const char *name, troupe_ref_t owner)
{
    return troupe_ref_equal(trp_names_find(shared, name), owner);
}

Test(names, belong_to_one_actor_at_a_time)
{
    open_table();

    cr_expect(eq(int, add("choir", alto), TROUPE_OK));
    cr_expect(eq(int, add("choir", alto), TROUPE_OK), "again, as it is its own");
    cr_expect(eq(int, add("choir", bass), TROUPE_ERR_EXISTS));

    cr_expect(is_owner("choir", alto));
    cr_expect(is_owner("solo", TROUPE_REF_NONE));
}

Test(names, are_free_once_their_owner_gives_them_up)
{
    open_table();
    (void)add("choir", alto);

    cr_expect(eq(int, trp_names_remove(shared, "choir", bass), TROUPE_ERR_NOENT));
    cr_expect(eq(int, trp_names_remove(shared, "choir", alto), TROUPE_OK));

    cr_expect(is_owner("choir", TROUPE_REF_NONE));
    cr_expect(eq(int, add("choir", bass), TROUPE_OK));
}

Test(names, of_an_actor_are_removed_together_and_others_stay)
{
    open_table();
    (void)add("first", alto);
    (void)add("other", bass);
    (void)add("second", alto);

    cr_expect(strcmp(trp_names_of(shared, alto), "first") == 0);
    trp_names_remove_actor(shared, alto);

    cr_expect(trp_names_of(shared, alto) == NULL);
    cr_expect(is_owner("first", TROUPE_REF_NONE));
    cr_expect(is_owner("second", TROUPE_REF_NONE));
    cr_expect(is_owner("other", bass));
}

Test(names, of_an_executor_are_removed_together)
{
    open_table();
    (void)add("first", alto);
    (void)add("other", bass);

    trp_shared_lock(shared);
    trp_names_remove_process(shared, 1);
    trp_shared_unlock(shared);

    cr_expect(is_owner("first", TROUPE_REF_NONE));
    cr_expect(is_owner("other", TROUPE_REF_NONE));
}

Test(names, hand_their_new_owner_the_asks_that_wait)
{
    open_table();
    troupe_ref_t owner = TROUPE_REF_NONE;
    uint32_t waits[2];
    cr_expect(eq(int, trp_names_wait(shared, "choir", bass, 41, &owner, &waits[0]), TROUPE_OK));
    cr_expect(eq(int, trp_names_wait(shared, "choir", bass, 42, &owner, &waits[1]), TROUPE_OK));
    cr_expect(troupe_ref_is_none(owner), "they wait");
    trp_names_forget(shared, waits[0], bass, 41);
    trp_names_forget(shared, waits[1], bass, 41); // not that ask's any more

    struct trp_name_waiter *waiters = NULL;
    cr_expect(eq(int, trp_names_add(shared, "choir", alto, &waiters), TROUPE_OK));

    cr_assert(waiters != NULL);
    cr_expect(eq(u64, waiters->ask, 42));
    cr_expect(troupe_ref_equal(waiters->ref, bass));
    cr_expect(waiters->next == NULL, "the other was forgotten");
    free(waiters);
}

Test(names, need_no_wait_where_an_actor_is_registered)
{
    open_table();
    (void)add("choir", alto);

    troupe_ref_t owner = TROUPE_REF_NONE;
    uint32_t wait = 7;
    cr_expect(eq(int, trp_names_wait(shared, "choir", bass, 41, &owner, &wait), TROUPE_OK));

    cr_expect(troupe_ref_equal(owner, alto));
    cr_expect(eq(u32, wait, 0));
}

/** Wait for one name each until there is no room. @return how many wait. */
static uint32_t fill_waits(troupe_ref_t waiter)
{
    char name[24];
    troupe_ref_t owner = TROUPE_REF_NONE;
    uint32_t count = 0;
    uint32_t wait = 0;
    do {
        (void)snprintf(name, sizeof(name), "wait-%u", count);
        count++;
    } while (trp_names_wait(shared, name, waiter, count, &owner, &wait) == TROUPE_OK);
    return count - 1;
}

Test(names, that_a_dead_process_waited_for_make_room_for_others)
{
    open_table();
    const troupe_ref_t dead = {9, 7, 0, 1};

    for (int round = 0; round < 3; round++) {
        cr_expect(eq(u32, fill_waits(dead), TRP_SHARED_WAITERS));
        trp_shared_lock(shared);
        trp_names_remove_process(shared, dead.node);
        trp_shared_unlock(shared);
    }

    cr_expect(eq(int, add("room", alto), TROUPE_OK));
}

/** Have each list begin with an entry of its own kind that is not what it was, as a kill in a change may leave it. */
static void break_lists(void)
{
    memset(shared->buckets, 0, sizeof(shared->buckets));
    memset(shared->owner_buckets, 0, sizeof(shared->owner_buckets));
    shared->name_free = shared->waiter_free = 1;
}

Test(names, are_found_again_after_a_repair)
{
    open_table();
    troupe_ref_t owner = TROUPE_REF_NONE;
    uint32_t wait = 0;
    (void)add("choir", alto);
    (void)add("solo", alto);
    (void)add("choir of the other", bass);
    (void)trp_names_wait(shared, "late", bass, 41, &owner, &wait);
    (void)trp_names_remove(shared, "solo", alto);

    break_lists();
    trp_shared_lock(shared);
    trp_names_repair(shared);
    trp_shared_unlock(shared);

    cr_expect(is_owner("choir", alto));
    cr_expect(is_owner("choir of the other", bass));
    cr_expect(eq(int, add("solo", bass), TROUPE_OK));
    struct trp_name_waiter *waiters = NULL;
    cr_expect(eq(int, trp_names_add(shared, "late", alto, &waiters), TROUPE_OK));
    cr_assert(ne(ptr, waiters, NULL));
    cr_expect(eq(u64, waiters->ask, 41));
    free(waiters);
    trp_names_remove_actor(shared, alto);
    cr_expect(is_owner("choir", TROUPE_REF_NONE));
    cr_expect(is_owner("late", TROUPE_REF_NONE));
    cr_expect(is_owner("solo", bass));
}

Test(names, half_made_by_a_process_that_died_are_free_after_a_repair)
{
    open_table();
    (void)add("choir", alto);
    shared->name_high += 2; // taken, and nothing or not yet an owner written
    memcpy(shared->names[shared->name_high - 1].text, "half", 5);
    shared->waiter_high++; // taken, and no ask written

    trp_shared_lock(shared);
    trp_names_repair(shared);
    trp_shared_unlock(shared);

    cr_expect(eq(int, add("half", bass), TROUPE_OK));
    cr_expect(is_owner("choir", alto));
}

Test(names, that_were_freed_make_room_for_new_ones)
{
    open_table();
    char name[24];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < TRP_SHARED_NAMES; i++) {
            (void)snprintf(name, sizeof(name), "%d-%d", round, i);
            cr_assert(eq(int, add(name, alto), TROUPE_OK), "%s", name);
        }
        cr_expect(eq(int, add("one more", alto), TROUPE_ERR_LIMIT));
        trp_names_remove_actor(shared, alto);
    }
}

Test(names, that_were_freed_are_not_back_after_a_repair)
{
    open_table();
    (void)add("choir", alto);
    (void)add("solo", bass);
    (void)trp_names_remove(shared, "choir", alto);
    shared->names[0].owner =
        alto; // as it may look where the kill came before the owner was cleared

    trp_shared_lock(shared);
    trp_names_repair(shared);
    trp_shared_unlock(shared);

    cr_expect(is_owner("choir", TROUPE_REF_NONE));
    cr_expect(is_owner("solo", bass));
}
