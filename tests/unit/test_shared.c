/*
 * The lock of shared memory, when the process that has it dies or is stopped.
 */
#include "shared/shared.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

Test(shared, the_lock_of_a_process_that_died_is_taken_over)
{
    struct trp_shared *shared = NULL;
    int fd = -1;
    cr_assert(trp_shared_new(&shared, &fd) == TROUPE_OK);
    for (int i = 0; i < 3; i++) { // also the second time, and the third
        pid_t pid = fork();
        cr_assert(pid >= 0);
        if (pid == 0) {
            trp_shared_lock(shared);
            _exit(0);
        }
        cr_assert(waitpid(pid, NULL, 0) == pid);
        trp_shared_lock(shared);
        trp_shared_unlock(shared);
    }
    cr_expect(trp_slot_take(shared, 1, 1, 1, "one") != NULL, "and shared memory works");
    trp_shared_close(&shared);
    (void)close(fd);
}

Test(shared, a_child_that_is_stopped_with_the_lock_is_killed, .timeout = 30)
{
    struct trp_shared *shared = NULL;
    int fd = -1;
    int status = 0;
    cr_assert(trp_shared_new(&shared, &fd) == TROUPE_OK);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        trp_shared_lock(shared);
        (void)raise(SIGSTOP);
        _exit(0);
    }
    cr_assert(waitpid(pid, &status, WUNTRACED) == pid);
    trp_shared_lock(shared);
    trp_shared_unlock(shared);
    cr_assert(waitpid(pid, &status, 0) == pid);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    cr_expect(killed, "it did not end by itself");
    trp_shared_close(&shared);
    (void)close(fd);
}

Test(shared, a_ledger_that_was_half_opened_is_repaired_when_the_lock_is_taken_over)
{
    struct trp_shared *shared = NULL;
    int fd = -1;
    cr_assert(trp_shared_new(&shared, &fd) == TROUPE_OK);
    struct trp_slot *one = trp_slot_take(shared, 1, 1, 1, "one");
    struct trp_slot *two = trp_slot_take(shared, 2, 2, 1, "two");
    struct trp_ledger *ledger = NULL;
    struct trp_slot *slot = NULL;
    cr_assert(trp_ledger_open(shared, one, 2, &ledger, &slot) == TROUPE_OK);
    cr_assert(slot == two);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) { // it dies when it has opened another by half
        trp_shared_lock(shared);
        atomic_fetch_add(&one->out_open_count, 1);
        atomic_fetch_add(&two->in_open_count, 1);
        two->first_in = 0;
        _exit(0);
    }
    cr_assert(waitpid(pid, NULL, 0) == pid);
    trp_shared_lock(shared);
    trp_shared_unlock(shared);
    cr_expect(eq(u32, atomic_load(&one->out_open_count), 1));
    cr_expect(eq(u32, atomic_load(&two->in_open_count), 1));
    cr_expect(trp_ledger_claim(shared, two, 1, &slot) == ledger);
    trp_shared_close(&shared);
    (void)close(fd);
}

Test(shared, a_thread_that_waits_for_the_lock_gets_it_when_its_holder_dies)
{
    struct trp_shared *shared = NULL;
    int fd = -1;
    int ends[2];
    cr_assert(trp_shared_new(&shared, &fd) == TROUPE_OK);
    cr_assert(pipe(ends) == 0);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        trp_shared_lock(shared);
        bool said = write(ends[1], "", 1) == 1;
        _exit(said ? 0 : 1);
    }
    char byte = 0;
    cr_assert(read(ends[0], &byte, 1) == 1);
    trp_shared_lock(shared);
    trp_shared_unlock(shared);
    cr_assert(waitpid(pid, NULL, 0) == pid);
    (void)close(ends[0]);
    (void)close(ends[1]);
    trp_shared_close(&shared);
    (void)close(fd);
}
