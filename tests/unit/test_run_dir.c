/*
 * The run directory of a system, in a real file system: which base is accepted, what of dead
 * systems is removed, and that nothing of a living system is.
 *
 * Every test has an `XDG_RUNTIME_DIR` of its own under /tmp, and removes it.
 */
#include "support/child.h"
#include "support/fixture.h"

#include "wire/run_dir.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char home[64]; // the value of XDG_RUNTIME_DIR
static char base[80]; // contains the run directories
static struct trp_run_dir run_dir;

static void make_home(void)
{
    (void)snprintf(home, sizeof(home), "/tmp/troupe-test-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(home), NULL));
    (void)snprintf(base, sizeof(base), "%s/troupe", home);
    cr_assert(eq(int, setenv("XDG_RUNTIME_DIR", home, 1), 0));
    run_dir = (struct trp_run_dir){.lock_fd = -1};
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    (void)status;
    (void)flag;
    (void)walk;
    return remove(path);
}

static void remove_home(void)
{
    trp_run_dir_close(&run_dir);
    (void)nftw(home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(run_dir, .init = make_home, .fini = remove_home, .timeout = 60);

/* Helpers. ------------------------------------------------------------------------------------- */

/** @return a path, valid until the eighth call after this one. */
__attribute__((format(printf, 1, 2))) static const char *path_of(const char *format, ...)
{
    static char paths[8][512];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(path, sizeof(paths[0]), format, arguments);
    va_end(arguments);
    return path;
}

static bool exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static void make_directory(const char *path, mode_t mode)
{
    cr_assert(mkdir(path, mode) == 0, "mkdir %s: %s", path, strerror(errno));
    cr_assert(chmod(path, mode) == 0); // independent of the umask
}

static void make_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    cr_assert(fd >= 0, "open %s: %s", path, strerror(errno));
    (void)close(fd);
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cr_assert(le(sz, strlen(path), sizeof(address.sun_path)));
    memcpy(address.sun_path, path, strlen(path)); // sun_path needs no NUL if it is full
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(fd >= 0);
    cr_assert(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0,
        "bind %s: %s",
        path,
        strerror(errno));
    (void)close(fd);
}

static void open_ok(struct trp_run_dir *one)
{
    cr_assert(eq(int, trp_run_dir_open(one), TROUPE_OK), "%s", troupe_error_detail());
}

/** Open one and release its lock, as if its process had died. */
static struct trp_run_dir open_and_die(void)
{
    struct trp_run_dir dead;
    open_ok(&dead);
    (void)close(dead.lock_fd);
    dead.lock_fd = -1;
    return dead;
}

/** Check that opening fails with a detail that contains these texts. */
static void expect_refused(const char *what, const char *remedy)
{
    cr_expect(eq(int, trp_run_dir_open(&run_dir), TROUPE_ERR_SYSTEM));
    const char *detail = troupe_error_detail();
    cr_expect(strstr(detail, home) != NULL, "'%s' should name the place", detail);
    cr_expect(strstr(detail, what) != NULL, "'%s' should say '%s'", detail, what);
    cr_expect(strstr(detail, remedy) != NULL, "'%s' should say '%s'", detail, remedy);
    cr_expect(eq(int, run_dir.lock_fd, -1));
    cr_expect(eq(sz, strlen(run_dir.path), 0));
}

/** @return how many entries a directory has. */
static unsigned count_entries(const char *path)
{
    DIR *list = opendir(path);
    cr_assert(ne(ptr, list, NULL));
    unsigned count = 0;
    for (const struct dirent *entry = NULL; (entry = readdir(list)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    (void)closedir(list);
    return count;
}

/* Opening and closing. ------------------------------------------------------------------------- */

Test(run_dir, is_made_under_xdg_runtime_dir_for_its_owner_alone)
{
    open_ok(&run_dir);

    struct stat status;
    cr_expect(strncmp(run_dir.path, base, strlen(base)) == 0, "%s", run_dir.path);
    cr_assert(eq(int, stat(run_dir.path, &status), 0));
    cr_expect(eq(u32, status.st_mode & (S_IFMT | 0777), S_IFDIR | 0700));
    cr_assert(eq(int, stat(base, &status), 0));
    cr_expect(eq(u32, status.st_mode & 0777, 0700));
}

Test(run_dir, is_locked_until_it_is_closed)
{
    open_ok(&run_dir);

    int fd = open(path_of("%s/lock", run_dir.path), O_RDWR | O_CLOEXEC);
    cr_assert(fd >= 0);
    cr_expect(eq(int, flock(fd, LOCK_EX | LOCK_NB), -1));
    cr_expect(eq(int, errno, EWOULDBLOCK));
    trp_run_dir_close(&run_dir);
    cr_expect(eq(int, flock(fd, LOCK_EX | LOCK_NB), 0));
    (void)close(fd);
}

Test(run_dir, keeps_its_lock_from_programs_it_starts)
{
    open_ok(&run_dir);

    cr_expect(eq(int, fcntl(run_dir.lock_fd, F_GETFD), FD_CLOEXEC));
}

Test(run_dir, is_removed_with_all_its_files_when_closed)
{
    open_ok(&run_dir);
    const char *path = path_of("%s", run_dir.path);
    char endpoint[TRP_RUN_DIR_ENDPOINT_BYTES];
    trp_run_dir_endpoint(run_dir.path, 3, endpoint, sizeof(endpoint));
    make_socket(endpoint);
    make_file(path_of("%s/e-3.tcp", run_dir.path));

    trp_run_dir_close(&run_dir);

    cr_expect(not(exists(path)));
    cr_expect(eq(int, run_dir.lock_fd, -1));
    cr_expect(eq(u32, count_entries(base), 0));
}

Test(run_dir, may_be_closed_twice_and_unopened)
{
    trp_run_dir_close(&run_dir);
    open_ok(&run_dir);
    trp_run_dir_close(&run_dir);
    trp_run_dir_close(&run_dir);
}

Test(run_dir, may_be_closed_after_it_was_removed_by_hand)
{
    open_ok(&run_dir);
    (void)nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);

    trp_run_dir_close(&run_dir);

    cr_expect(eq(int, run_dir.lock_fd, -1));
    open_ok(&run_dir); // the next one is made again
}

Test(run_dir, has_a_name_of_its_own_each_time)
{
    struct trp_run_dir other;
    open_ok(&run_dir);
    open_ok(&other);

    cr_expect(strcmp(run_dir.path, other.path) != 0);
    cr_expect(exists(run_dir.path)); // it is not swept, also within one process

    trp_run_dir_close(&other);
}

Test(run_dir, has_room_for_the_socket_of_the_last_executor)
{
    char endpoint[TRP_RUN_DIR_ENDPOINT_BYTES];
    open_ok(&run_dir);

    trp_run_dir_endpoint(run_dir.path, UINT32_MAX, endpoint, sizeof(endpoint));

    cr_expect(
        strcmp(endpoint, path_of("%s/e-4294967295.ipc", run_dir.path)) == 0, "it is %s", endpoint);
    cr_expect(le(sz, strlen(endpoint), 107));
    make_socket(endpoint);
}

Test(run_dir, leaks_no_descriptor)
{
    open_ok(&run_dir);
    trp_run_dir_close(&run_dir);
    unsigned before = count_entries("/proc/self/fd");
    for (int i = 0; i < 10; i++) {
        (void)open_and_die();
        open_ok(&run_dir);
        trp_run_dir_close(&run_dir);
    }
    make_directory(path_of("%s/1-0123456789abcdef", base), 0700);
    cr_expect(eq(int, chmod(base, 0755), 0));
    cr_expect(eq(int, trp_run_dir_open(&run_dir), TROUPE_ERR_SYSTEM));

    cr_expect(eq(u32, count_entries("/proc/self/fd"), before));
}

/* Without a usable XDG_RUNTIME_DIR. ------------------------------------------------------------ */

static void expect_in_tmp(void)
{
    const char *start = path_of("/tmp/troupe-%u/", (unsigned)geteuid());
    open_ok(&run_dir);
    cr_expect(strncmp(run_dir.path, start, strlen(start)) == 0, "%s", run_dir.path);
    trp_run_dir_close(&run_dir);
}

Test(run_dir, is_made_in_tmp_when_xdg_runtime_dir_is_not_set)
{
    cr_assert(eq(int, unsetenv("XDG_RUNTIME_DIR"), 0));
    expect_in_tmp();
}

Test(run_dir, is_made_in_tmp_when_xdg_runtime_dir_is_no_absolute_path)
{
    cr_assert(eq(int, setenv("XDG_RUNTIME_DIR", "", 1), 0));
    expect_in_tmp();
    cr_assert(eq(int, setenv("XDG_RUNTIME_DIR", "run", 1), 0));
    expect_in_tmp();
}

Test(run_dir, is_made_in_tmp_when_xdg_runtime_dir_does_not_exist)
{
    cr_assert(eq(int, setenv("XDG_RUNTIME_DIR", path_of("%s/none", home), 1), 0));
    expect_in_tmp();
}

Test(run_dir, is_made_in_tmp_when_the_path_of_a_socket_would_be_too_long)
{
    // The longest value that fits, padded with slashes, which have no effect.
    char longest[128];
    const size_t length = 107 - strlen("/e-4294967295.ipc") - 24 - 1 - strlen("/troupe");
    (void)snprintf(longest, sizeof(longest), "%s", home);
    memset(longest + strlen(home), '/', length - strlen(home));
    longest[length] = '\0';

    cr_assert(eq(int, setenv("XDG_RUNTIME_DIR", longest, 1), 0));
    open_ok(&run_dir);
    cr_expect(strncmp(run_dir.path, longest, length) == 0, "%s", run_dir.path);
    trp_run_dir_close(&run_dir);

    cr_assert(eq(int, setenv("XDG_RUNTIME_DIR", path_of("%s/", longest), 1), 0));
    expect_in_tmp();
}

Test(run_dir, is_made_in_tmp_when_xdg_runtime_dir_is_far_too_long)
{
    static char path[8192];
    memset(path, '/', sizeof(path) - 1);
    cr_assert(eq(int, setenv("XDG_RUNTIME_DIR", path, 1), 0));
    expect_in_tmp();
}

/* A base that is refused. ---------------------------------------------------------------------- */

Test(run_dir, refuses_a_base_that_others_may_read_or_write)
{
    static const mode_t modes[] = {0770, 0720, 0701, 0750, 0777, 01777};
    make_directory(base, 0700);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        cr_assert(eq(int, chmod(base, modes[i]), 0));
        expect_refused("is open to others", "chmod 0700");
    }
    cr_assert(eq(int, chmod(base, 0700), 0));
    open_ok(&run_dir); // what the detail recommends works
}

Test(run_dir, refuses_a_base_that_is_a_symbolic_link)
{
    const char *target = path_of("%s/elsewhere", home);
    make_directory(target, 0700);
    cr_assert(eq(int, symlink(target, base), 0));

    expect_refused("is a symbolic link", "remove it");

    cr_expect(eq(u32, count_entries(target), 0));
}

Test(run_dir, refuses_a_base_that_is_a_link_to_nowhere)
{
    cr_assert(eq(int, symlink("nowhere", base), 0));
    expect_refused("is a symbolic link", "remove it");
}

Test(run_dir, refuses_a_base_that_is_a_file)
{
    make_file(base);
    expect_refused("is no directory", "remove it");
}

Test(run_dir, refuses_a_base_of_another_user)
{
    if (geteuid() != 0) {
        cr_skip("only root can give a directory away");
    }
    make_directory(base, 0700);
    cr_assert(eq(int, chown(base, 65534, 65534), 0));
    expect_refused("belongs to user 65534", "set XDG_RUNTIME_DIR");
}

Test(run_dir, refuses_a_parent_of_another_user)
{
    if (geteuid() != 0) {
        cr_skip("only root can give a directory away");
    }
    cr_assert(eq(int, chown(home, 65534, 65534), 0));
    expect_refused("belongs to user 65534", "unset XDG_RUNTIME_DIR");
    cr_expect(eq(u32, count_entries(home), 0));
    cr_assert(eq(int, chown(home, geteuid(), getegid()), 0)); // so that it can be removed
}

Test(run_dir, refuses_a_parent_that_others_may_write)
{
    cr_assert(eq(int, chmod(home, 0770), 0));
    expect_refused("others may write", "chmod go-w");
    cr_assert(eq(int, chmod(home, 01777), 0));
    open_ok(&run_dir); // as in /tmp, where others cannot replace our directory
}

Test(run_dir, refuses_an_xdg_runtime_dir_that_is_a_file)
{
    const char *file = path_of("%s/file", home);
    make_file(file);
    cr_assert(eq(int, setenv("XDG_RUNTIME_DIR", file, 1), 0));
    expect_refused("is no directory", "set XDG_RUNTIME_DIR");
}

static int open_where_nobody_may_write(void *data)
{
    (void)data;
    child_drop_root();
    struct trp_run_dir denied;
    MUST_BE(trp_run_dir_open(&denied) == TROUPE_ERR_SYSTEM);
    MUST_BE(strstr(troupe_error_detail(), "cannot make") != NULL);
    MUST_BE(strstr(troupe_error_detail(), home) != NULL);
    MUST_BE(strstr(troupe_error_detail(), "Permission denied") != NULL);
    MUST_BE(strstr(troupe_error_detail(), "set XDG_RUNTIME_DIR") != NULL);
    return 0;
}

Test(run_dir, names_the_directory_that_cannot_be_written)
{
    cr_assert(eq(int, chmod(home, 0555), 0));
    child_succeeds(open_where_nobody_may_write, NULL);
    cr_assert(eq(int, chmod(home, 0700), 0));

    make_directory(base, 0500);
    if (geteuid() == 0) {
        cr_assert(eq(int, chown(base, 65534, 65534), 0));
        cr_assert(eq(int, chmod(home, 0755), 0));
    }
    child_succeeds(open_where_nobody_may_write, NULL);
}

static int open_without_descriptors(void *data)
{
    (void)data;
    static struct child_hoard hoard;
    struct trp_run_dir one;
    child_limit_softly(RLIMIT_NOFILE, 64);
    child_hoard_take(&hoard);
    enum troupe_err err = TROUPE_ERR_LIMIT;
    for (uint32_t spare = 0; err != TROUPE_OK; spare++) {
        err = trp_run_dir_open(&one);
        MUST_BE(err == TROUPE_OK || err == TROUPE_ERR_LIMIT);
        MUST_BE(err == TROUPE_OK || strstr(troupe_error_detail(), "RLIMIT_NOFILE") != NULL);
        MUST_BE(hoard.count > 0);
        (void)close(hoard.fds[--hoard.count]);
    }
    trp_run_dir_close(&one);
    child_hoard_give(&hoard);
    return 0;
}

Test(run_dir, reports_that_no_descriptor_is_free_and_leaves_nothing)
{
    child_succeeds(open_without_descriptors, NULL);
    cr_expect(eq(u32, count_entries(base), 0));
}

/* Sweeping. ------------------------------------------------------------------------------------ */

Test(run_dir, removes_what_a_dead_system_left)
{
    struct trp_run_dir dead = open_and_die();
    make_socket(path_of("%s/e-1.ipc", dead.path));
    make_file(path_of("%s/e-1.tcp", dead.path));

    open_ok(&run_dir);

    cr_expect(not(exists(dead.path)));
    cr_expect(exists(run_dir.path));
}

Test(run_dir, removes_files_with_any_name)
{
    static const char *const names[] = {
        ".hidden",
        " ",
        "-rf",
        "*",
        "a\nb",
        "\xFF\xFE",
        "lock ",
        "lock.",
        "..lock",
        "e-1.ipc",
    };
    struct trp_run_dir dead = open_and_die();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        make_file(path_of("%s/%s", dead.path, names[i]));
    }
    char long_name[256];
    memset(long_name, 'x', 255);
    long_name[255] = '\0';
    make_file(path_of("%s/%s", dead.path, long_name));

    open_ok(&run_dir);

    cr_expect(not(exists(dead.path)));
}

Test(run_dir, removes_thousands_of_files)
{
    struct trp_run_dir dead = open_and_die();
    for (int i = 0; i < 3000; i++) {
        make_file(path_of("%s/e-%d.ipc", dead.path, i));
    }

    open_ok(&run_dir);

    cr_expect(not(exists(dead.path)));
}

Test(run_dir, removes_what_has_no_lock_yet_and_is_empty)
{
    make_directory(base, 0700);
    const char *early = path_of("%s/1-0123456789abcdef", base);
    make_directory(early, 0700);

    open_ok(&run_dir);

    cr_expect(not(exists(early)));
}

Test(run_dir, leaves_what_is_no_run_directory)
{
    static const char *const names[] = {
        "mine",
        "1-0123456789abcde",
        "1-0123456789abcdef0",
        "1-0123456789ABCDEF",
        "-0123456789abcdef",
        "1_0123456789abcdef",
    };
    make_directory(base, 0700);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        make_directory(path_of("%s/%s", base, names[i]), 0700);
    }
    make_file(path_of("%s/2-0123456789abcdef", base)); // a file with such a name

    open_ok(&run_dir);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cr_expect(exists(path_of("%s/%s", base, names[i])), "%s", names[i]);
    }
    cr_expect(exists(path_of("%s/2-0123456789abcdef", base)));
}

Test(run_dir, neither_follows_nor_removes_links_and_directories)
{
    struct trp_run_dir dead = open_and_die();
    const char *outside = path_of("%s/outside", home);
    make_file(outside);
    cr_assert(eq(int, symlink(outside, path_of("%s/link", dead.path)), 0));
    make_directory(path_of("%s/folder", dead.path), 0700);
    make_file(path_of("%s/folder/file", dead.path));
    make_file(path_of("%s/e-1.ipc", dead.path));

    open_ok(&run_dir);

    cr_expect(exists(outside));
    cr_expect(exists(path_of("%s/link", dead.path)));
    cr_expect(exists(path_of("%s/folder/file", dead.path)));
    cr_expect(not(exists(path_of("%s/e-1.ipc", dead.path))));
    cr_expect(exists(path_of("%s/lock", dead.path))); // so that the next sweep tries again
}

Test(run_dir, does_not_sweep_through_a_link)
{
    struct trp_run_dir dead = open_and_die();
    const char *moved = path_of("%s/moved", home);
    cr_assert(eq(int, rename(dead.path, moved), 0));
    cr_assert(eq(int, symlink(moved, dead.path), 0));

    open_ok(&run_dir);

    cr_expect(exists(path_of("%s/lock", moved)));
}

Test(run_dir, does_not_block_on_a_lock_that_is_no_file)
{
    struct trp_run_dir dead = open_and_die();
    const char *lock = path_of("%s/lock", dead.path);
    cr_assert(eq(int, unlink(lock), 0));
    cr_assert(eq(int, mkfifo(lock, 0600), 0));

    open_ok(&run_dir);

    cr_expect(exists(lock));
}

/* With other processes. ------------------------------------------------------------------------ */

/** Open one, report it, and wait to be killed. */
static int live(void *data)
{
    (void)data;
    struct trp_run_dir living;
    MUST_BE(trp_run_dir_open(&living) == TROUPE_OK);
    child_say(living.path);
    child_say("\n");
    (void)pause();
    return 1;
}

/** @return the one directory in the base. */
static const char *only_directory(void)
{
    DIR *list = opendir(base);
    cr_assert(ne(ptr, list, NULL));
    const char *path = NULL;
    for (const struct dirent *entry = NULL; (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] != '.') {
            cr_assert(path == NULL, "there is more than one");
            path = path_of("%s/%s", base, entry->d_name);
        }
    }
    (void)closedir(list);
    cr_assert(path != NULL, "there is none");
    return path;
}

Test(run_dir, leaves_a_living_system_alone_and_removes_it_once_it_is_dead)
{
    struct child *child = child_start(live, NULL);
    child_wait_for(child, "\n");
    char living[TRP_RUN_DIR_PATH_BYTES];
    (void)snprintf(living, sizeof(living), "%s", only_directory());
    make_socket(path_of("%s/e-1.ipc", living));

    open_ok(&run_dir);
    cr_expect(exists(path_of("%s/e-1.ipc", living)));
    trp_run_dir_close(&run_dir);
    cr_expect(exists(path_of("%s/e-1.ipc", living)));

    child_signal(child, SIGKILL);
    cr_expect(eq(int, child_end(&child).signal, SIGKILL));
    cr_expect(exists(living));
    open_ok(&run_dir);
    cr_expect(not(exists(living)));
}

static int stop_line[2]; // closed: the children stop

/** Check that the directory exists, and is locked. */
static void check_alive(const struct trp_run_dir *one)
{
    struct stat held;
    struct stat there;
    char lock[TRP_RUN_DIR_PATH_BYTES + 8];
    (void)snprintf(lock, sizeof(lock), "%s/lock", one->path);
    MUST_BE(fstat(one->lock_fd, &held) == 0);
    MUST_BE(stat(lock, &there) == 0);
    MUST_BE(held.st_ino == there.st_ino);
}

/**
 * Open repeatedly, closing it or leaving it as a death does, by turns; then keep one until stopped.
 */
static int open_many(void *data)
{
    (void)data;
    (void)close(stop_line[1]);
    struct trp_run_dir one = {.lock_fd = -1};
    for (int i = 0; i < 300; i++) {
        MUST(trp_run_dir_open(&one));
        check_alive(&one);
        if (i % 2 == 0) {
            trp_run_dir_close(&one);
        } else {
            MUST_BE(close(one.lock_fd) == 0); // as if the process had died
        }
    }
    MUST(trp_run_dir_open(&one));
    child_say("ready\n");
    char byte = 0;
    MUST_BE(read(stop_line[0], &byte, 1) == 0);
    check_alive(&one);
    trp_run_dir_close(&one);
    return 0;
}

Test(run_dir, opens_for_eight_at_a_time_and_removes_none_of_them)
{
    enum { CHILDREN = 8 };
    struct child *children[CHILDREN];
    cr_assert(eq(int, pipe2(stop_line, O_CLOEXEC), 0));
    for (int i = 0; i < CHILDREN; i++) {
        children[i] = child_start(open_many, NULL);
    }
    for (int i = 0; i < CHILDREN; i++) {
        child_wait_for(children[i], "ready");
    }

    open_ok(&run_dir);
    cr_expect(eq(u32, count_entries(base), CHILDREN + 1)); // none of a dead one
    (void)close(stop_line[1]);

    for (int i = 0; i < CHILDREN; i++) {
        struct child_end end = child_end(&children[i]);
        cr_expect(eq(int, end.status, 0), "%s", end.err);
    }
    cr_expect(eq(u32, count_entries(base), 1));
}
