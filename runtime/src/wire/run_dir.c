/*
 * Run directories are made and swept without blocking.
 *
 * A system makes its directory, then the file `lock` in it, then locks that file. Another system
 * may sweep between any two of these steps, and takes a directory that is not locked for that of a
 * dead system. So the maker checks, once it has the lock, that the locked file still has a name,
 * and if not starts over under another name. The sweeper removes
 *
 *     a directory without a lock file      only if it is empty;
 *     a directory whose lock it can take   while it holds the lock, and the lock file last;
 *
 * and so never a directory whose maker has made its check. No one else makes or removes files here,
 * as the base directory is accessible to this user only.
 */
#include "wire/run_dir.h"

#include "base/check.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "lock"

enum {
    DIRECTORY_MODE = 0700,
    LOCK_MODE = 0600,
    OTHERS_MODE = 077,
    OTHERS_WRITE_MODE = 022,
    ID_BYTES = 32,       // with its NUL: "PID-" and 16 digits
    ID_LENGTH_MAX = 24,  // Linux has process ids of up to 7 digits
    ATTEMPT_COUNT = 100, // to make a directory that is not swept before it is locked
};

/** The directory that contains the run directories, and its parent. */
struct run_dir_base {
    char parent[TRP_RUN_DIR_PATH_BYTES];
    char path[TRP_RUN_DIR_PATH_BYTES];
};

static const char *run_dir_errno_text(void)
{
    return strerror(errno); // NOLINT(concurrency-mt-unsafe): glibc's is safe for known errors
}

/** Explain by errno why a call failed. */
static enum troupe_err run_dir_explain(const char *what, const char *path)
{
    bool full = errno == EMFILE || errno == ENFILE;
    return TRP_EXPLAIN(
        full ? TROUPE_ERR_LIMIT : TROUPE_ERR_SYSTEM,
        "run directory: cannot %s %s: %s; %s",
        what,
        path,
        run_dir_errno_text(),
        full ? "close some descriptors or raise RLIMIT_NOFILE"
             : "set XDG_RUNTIME_DIR to a directory of yours that can be written");
}

/* The base. ------------------------------------------------------------------------------------ */

/** @return whether a directory of that name exists, or may exist where we cannot see it. */
static bool run_dir_may_exist(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static void run_dir_choose_base(struct run_dir_base *base)
{
    const char *parent = getenv("XDG_RUNTIME_DIR"); // NOLINT(concurrency-mt-unsafe)
    const size_t parent_length_max =
        sizeof(base->path) - sizeof("/troupe") - (sizeof("/") - 1) - ID_LENGTH_MAX;
    if (parent != NULL && parent[0] == '/' && strlen(parent) <= parent_length_max &&
        run_dir_may_exist(parent)) {
        (void)snprintf(base->parent, sizeof(base->parent), "%.*s", (int)parent_length_max, parent);
        (void)snprintf(
            base->path, sizeof(base->path), "%.*s/troupe", (int)parent_length_max, parent);
    } else {
        (void)snprintf(base->parent, sizeof(base->parent), "/tmp");
        (void)snprintf(base->path, sizeof(base->path), "/tmp/troupe-%u", (unsigned)geteuid());
    }
}

/** Check that no other user can replace our directory by another one. */
static enum troupe_err run_dir_check_parent(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return run_dir_explain("look at", path);
    }
    if (!S_ISDIR(status.st_mode)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "run directory: %s is no directory; set XDG_RUNTIME_DIR to one of yours",
            path);
    }
    if (status.st_uid != geteuid() && status.st_uid != 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "run directory: %s belongs to user %u, and you are %u; unset XDG_RUNTIME_DIR or set it "
            "to a directory of yours",
            path,
            (unsigned)status.st_uid,
            (unsigned)geteuid());
    }
    if ((status.st_mode & OTHERS_WRITE_MODE) != 0 && (status.st_mode & S_ISVTX) == 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "run directory: others may write to %s (mode %04o); 'chmod go-w' it, or set "
            "XDG_RUNTIME_DIR to a directory of yours",
            path,
            (unsigned)(status.st_mode & 07777));
    }
    return TROUPE_OK;
}

/** Check that the base, whose status this is, belongs to this user and is closed to others. */
static enum troupe_err run_dir_check_base(const char *path, const struct stat *status)
{
    if (S_ISLNK(status->st_mode)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "run directory: %s is a symbolic link, which is not followed; remove it, or set "
            "XDG_RUNTIME_DIR to another directory of yours",
            path);
    }
    if (!S_ISDIR(status->st_mode)) {
        return TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "run directory: %s is no directory; remove it, or set XDG_RUNTIME_DIR to another "
            "directory of yours",
            path);
    }
    if (status->st_uid != geteuid()) {
        return TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "run directory: %s belongs to user %u, and you are %u; set XDG_RUNTIME_DIR to a "
            "directory of yours",
            path,
            (unsigned)status->st_uid,
            (unsigned)geteuid());
    }
    if ((status->st_mode & OTHERS_MODE) != 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "run directory: %s is open to others (mode %04o); check that no other user has put "
            "files there, then 'chmod 0700' it",
            path,
            (unsigned)(status->st_mode & 07777));
    }
    return TROUPE_OK;
}

/** Make the base if it does not exist, check it, and open it. */
static enum troupe_err run_dir_open_base(const struct run_dir_base *base, int *out_fd)
{
    enum troupe_err err = run_dir_check_parent(base->parent);
    if (err != TROUPE_OK) {
        return err;
    }
    if (mkdir(base->path, DIRECTORY_MODE) != 0 && errno != EEXIST) {
        return run_dir_explain("make", base->path);
    }
    // Opened first and then checked, so that what was checked is what is used.
    int fd = open(base->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return run_dir_explain("open", base->path);
    }
    struct stat status;
    err = fstat(fd, &status) != 0 ? run_dir_explain("look at", base->path)
                                  : run_dir_check_base(base->path, &status);
    if (err != TROUPE_OK) {
        (void)close(fd);
        return err;
    }
    *out_fd = fd;
    return TROUPE_OK;
}

/* Removing. ------------------------------------------------------------------------------------ */

/** Open a directory to list its files. @return NULL: it cannot be opened */
static DIR *run_dir_list(int parent_fd, const char *name)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && list == NULL) {
        (void)close(fd);
    }
    return list;
}

/** Remove a regular file or a socket. @return false: it is something else, or cannot be removed */
static bool run_dir_remove_file(int directory_fd, const char *name)
{
    struct stat status;
    return fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           (S_ISREG(status.st_mode) || S_ISSOCK(status.st_mode)) &&
           unlinkat(directory_fd, name, 0) == 0;
}

/** Remove all files but the lock. @return whether the lock alone is left */
static bool run_dir_remove_files(DIR *list)
{
    bool removed = true;
    bool empty = true;
    while (removed) { // again, since a listing may miss files while others are removed
        removed = false;
        empty = true;
        rewinddir(list);
        const struct dirent *entry = NULL;
        while ((entry = readdir(list)) != NULL) { // NOLINT(concurrency-mt-unsafe): the list is ours
            const char *name = entry->d_name;
            if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, LOCK_NAME) != 0) {
                removed = run_dir_remove_file(dirfd(list), name) || removed;
                empty = false;
            }
        }
    }
    return empty;
}

/** Remove the files of a locked directory, the lock file last, and the directory. */
static void run_dir_remove(int base_fd, const char *id, DIR *list)
{
    // If something cannot be removed, the lock file stays, so that the next sweep tries again.
    if (run_dir_remove_files(list)) {
        (void)run_dir_remove_file(dirfd(list), LOCK_NAME);
        (void)unlinkat(base_fd, id, AT_REMOVEDIR);
    }
}

/** Remove a run directory if its system is dead. */
static void run_dir_sweep_one(int base_fd, const char *id)
{
    DIR *list = run_dir_list(base_fd, id);
    if (list == NULL) {
        return;
    }
    struct stat status;
    // O_NONBLOCK, so that open() does not block on a FIFO of that name.
    int lock_fd = openat(dirfd(list), LOCK_NAME, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (lock_fd < 0 && errno == ENOENT) {
        (void)unlinkat(base_fd, id, AT_REMOVEDIR);
    } else if (
        lock_fd >= 0 && fstat(lock_fd, &status) == 0 && S_ISREG(status.st_mode) &&
        flock(lock_fd, LOCK_EX | LOCK_NB) == 0) {
        run_dir_remove(base_fd, id, list);
    }
    if (lock_fd >= 0) {
        (void)close(lock_fd);
    }
    (void)closedir(list);
}

/** @return whether @p name has the form of a run directory: PID-, and 16 hexadecimal digits. */
static bool run_dir_is_id(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits > 0 && name[digits] == '-' && strlen(name + digits) == 1 + 16 &&
           strspn(name + digits + 1, "0123456789abcdef") == 16;
}

/** Remove the run directories of dead systems. What cannot be removed does no harm. */
static void run_dir_sweep(int base_fd)
{
    DIR *list = run_dir_list(base_fd, ".");
    const struct dirent *entry = NULL;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread has it
    while (list != NULL && (entry = readdir(list)) != NULL) {
        if (run_dir_is_id(entry->d_name)) {
            run_dir_sweep_one(base_fd, entry->d_name);
        }
    }
    if (list != NULL) {
        (void)closedir(list);
    }
}

/* Making. -------------------------------------------------------------------------------------- */

/** The result of making a lock or a directory. */
enum run_dir_making { RUN_DIR_MADE, RUN_DIR_SWEPT, RUN_DIR_FAILED };

/** Make the lock file and lock it. @return SWEPT: another system is sweeping the directory */
static enum run_dir_making run_dir_lock(int directory_fd, int *out_lock_fd)
{
    struct stat status;
    int fd = openat(
        directory_fd, LOCK_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, LOCK_MODE);
    if (fd < 0) {
        return errno == ENOENT ? RUN_DIR_SWEPT : RUN_DIR_FAILED;
    }
    enum run_dir_making making = RUN_DIR_MADE;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        making = errno == EWOULDBLOCK ? RUN_DIR_SWEPT : RUN_DIR_FAILED;
    } else if (fstat(fd, &status) != 0) {
        making = RUN_DIR_FAILED;
    } else if (status.st_nlink == 0) {
        making = RUN_DIR_SWEPT;
    }
    if (making != RUN_DIR_MADE) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return making;
    }
    *out_lock_fd = fd;
    return RUN_DIR_MADE;
}

/** Make and lock a directory. @return FAILED: errno says why; SWEPT: try another name */
static enum run_dir_making run_dir_make(int base_fd, const char *id, int *out_lock_fd)
{
    if (mkdirat(base_fd, id, DIRECTORY_MODE) != 0) {
        return errno == EEXIST ? RUN_DIR_SWEPT : RUN_DIR_FAILED;
    }
    int fd = openat(base_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    enum run_dir_making making = RUN_DIR_FAILED;
    if (fd >= 0) {
        making = run_dir_lock(fd, out_lock_fd);
    } else if (errno == ENOENT) {
        making = RUN_DIR_SWEPT;
    }
    int error = errno;
    if (fd >= 0) {
        if (making == RUN_DIR_FAILED) {
            (void)unlinkat(fd, LOCK_NAME, 0);
        }
        (void)close(fd);
    }
    if (making == RUN_DIR_FAILED) {
        (void)unlinkat(base_fd, id, AT_REMOVEDIR);
    }
    errno = error;
    return making;
}

static bool run_dir_make_id(char id[ID_BYTES])
{
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits)) {
        return false;
    }
    (void)snprintf(id, ID_BYTES, "%ld-%016" PRIx64, (long)getpid(), bits);
    return true;
}

/** Make and lock a directory in the base; try again if another system sweeps it meanwhile. */
static enum troupe_err run_dir_make_one(
    struct trp_run_dir *run_dir, int base_fd, const struct run_dir_base *base)
{
    char id[ID_BYTES];
    int lock_fd = -1;
    enum run_dir_making making = RUN_DIR_SWEPT;
    for (int i = 0; i < ATTEMPT_COUNT && making == RUN_DIR_SWEPT; i++) {
        if (!run_dir_make_id(id)) {
            return run_dir_explain("choose a name in", base->path);
        }
        making = run_dir_make(base_fd, id, &lock_fd);
    }
    if (making == RUN_DIR_FAILED) {
        return run_dir_explain("make a directory in", base->path);
    }
    if (making == RUN_DIR_SWEPT) {
        return TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "run directory: %d that were made in %s were removed at once; find out by which "
            "program, or "
            "set XDG_RUNTIME_DIR to another directory of yours",
            ATTEMPT_COUNT,
            base->path);
    }
    int length = snprintf(run_dir->path, sizeof(run_dir->path), "%s/%s", base->path, id);
    TRP_CHECK(length > 0 && (size_t)length < sizeof(run_dir->path));
    run_dir->lock_fd = lock_fd;
    return TROUPE_OK;
}

/* Opening and closing. ------------------------------------------------------------------------- */

enum troupe_err trp_run_dir_open(struct trp_run_dir *run_dir)
{
    *run_dir = (struct trp_run_dir){.lock_fd = -1};
    struct run_dir_base base;
    int base_fd = -1;
    run_dir_choose_base(&base);
    enum troupe_err err = run_dir_open_base(&base, &base_fd);
    if (err == TROUPE_OK) {
        run_dir_sweep(base_fd); // first, since that may free space
        err = run_dir_make_one(run_dir, base_fd, &base);
        (void)close(base_fd);
    }
    return err;
}

void trp_run_dir_close(struct trp_run_dir *run_dir)
{
    if (run_dir->lock_fd < 0) {
        return;
    }
    char *slash = strrchr(run_dir->path, '/');
    TRP_CHECK(slash != NULL);
    *slash = '\0';
    int base_fd = open(run_dir->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = base_fd < 0 ? NULL : run_dir_list(base_fd, slash + 1);
    if (list != NULL) {
        run_dir_remove(base_fd, slash + 1, list);
        (void)closedir(list);
    }
    if (base_fd >= 0) {
        (void)close(base_fd);
    }
    (void)close(run_dir->lock_fd); // last: until here no other system sweeps it
    *run_dir = (struct trp_run_dir){.lock_fd = -1};
}

void trp_run_dir_endpoint(
    const char *run_dir_path, uint32_t executor_id, char *out, size_t out_bytes)
{
    int length = snprintf(out, out_bytes, "%s/e-%" PRIu32 ".ipc", run_dir_path, executor_id);
    TRP_CHECK(length > 0 && (size_t)length < out_bytes);
}
