/**
 * @file run_dir.h
 * @brief The run directory of a system: it has the sockets by which its processes reach each other.
 *
 *     $XDG_RUNTIME_DIR/troupe/    the base, 0700; or /tmp/troupe-UID
 *         4711-9f0c…/             a run directory, 0700: a process id and 64 random bits
 *             lock                locked with flock() as long as the system lives
 *             e-3.ipc             the mailbox of executor 3
 *
 * A name is never used again, so no system finds the files of another. Each system that opens a run
 * directory removes those of dead systems first: however a process dies, the kernel releases its
 * lock.
 */
#ifndef TRP_RUN_DIR_H
#define TRP_RUN_DIR_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/** The longest path of a socket, with its NUL: the size of `sun_path`. */
enum { TRP_RUN_DIR_ENDPOINT_BYTES = 108 };

/** The longest path of a run directory, with its NUL: it leaves room for "/e-4294967295.ipc". */
enum { TRP_RUN_DIR_PATH_BYTES = TRP_RUN_DIR_ENDPOINT_BYTES - 17 };

/** A run directory. Before it is opened: `{.lock_fd = -1}`. */
struct trp_run_dir {
    char path[TRP_RUN_DIR_PATH_BYTES];
    int lock_fd; // -1: not open. Close-on-exec; a child that does not exec shares the lock
};

/**
 * Remove the directories of dead systems, and make and lock one for this system.
 *
 * The base is in `XDG_RUNTIME_DIR`, unless that is unset, not absolute, does not exist, or is too
 * long for the path of a socket; then it is in /tmp. A base that other users may write to is an
 * error, as they may have put it there.
 *
 * @retval TROUPE_OK          *run_dir is set.
 * @retval TROUPE_ERR_SYSTEM  it cannot be made; the detail has the path and the remedy.
 * @retval TROUPE_ERR_LIMIT   no descriptor is free.
 *
 * @owns    The caller closes it with trp_run_dir_close().
 * @threads any, as long as no thread changes the environment
 * @blocks  never
 */
enum troupe_err trp_run_dir_open(struct trp_run_dir *run_dir);

/**
 * Remove the directory with its files, and release the lock. Does nothing if it is not open.
 *
 * The directory may have been removed already. What is neither a regular file nor a socket stays,
 * as Troupe did not make it.
 *
 * @threads any; after a fork, only in the process that opened it
 * @blocks  never
 */
void trp_run_dir_close(struct trp_run_dir *run_dir);

/**
 * Print the path of the socket of an executor: "PATH/e-ID.ipc".
 *
 * @param out_bytes  Room at @p out; ::TRP_RUN_DIR_ENDPOINT_BYTES is enough.
 */
void trp_run_dir_endpoint(
    const char *run_dir_path, uint32_t executor_id, char *out, size_t out_bytes);

#endif
