/*
 * The table of registered names in shared memory, without any executor.
 */
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

    cr_expect(strcmp(trp_names_of(shared, slot, alto), "first") == 0);
    trp_names_remove_actor(shared, alto);

    cr_expect(trp_names_of(shared, slot, alto) == NULL);
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
    trp_names_remove_all(shared, slot);
    trp_shared_unlock(shared);

    cr_expect(is_owner("first", TROUPE_REF_NONE));
    cr_expect(is_owner("other", TROUPE_REF_NONE));
    cr_expect(eq(u32, slot->first_name, 0));
}

Test(names, hand_their_new_owner_the_asks_that_wait)
{
    open_table();
    troupe_ref_t owner = TROUPE_REF_NONE;
    cr_expect(eq(int, trp_names_wait(shared, "choir", bass, 41, &owner), TROUPE_OK));
    cr_expect(eq(int, trp_names_wait(shared, "choir", bass, 42, &owner), TROUPE_OK));
    cr_expect(troupe_ref_is_none(owner), "they wait");
    trp_names_forget(shared, bass, 41);

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
    cr_expect(eq(int, trp_names_wait(shared, "choir", bass, 41, &owner), TROUPE_OK));

    cr_expect(troupe_ref_equal(owner, alto));
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
