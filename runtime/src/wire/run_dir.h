/**
 * @file rundir.h
 * @brief The run directory of a system: where the sockets and words of its processes lie.
 *
 *     $XDG_RUNTIME_DIR/troupe/    the base, 0700; or /tmp/troupe-UID
 *         4711-9f0c…/             a run directory, 0700: a process id and 64 random bits
 *             lock                held with flock() for as long as its system lives
 *             e-3.ipc             the mailbox of executor 3
 *
 * Its name is never used again, so nobody meets the files of another system. What a dead one left there
 * is swept by the next that opens: the kernel lets go of a lock whatever its holder died of.
 */
#ifndef TRP_RUN_DIR_H
#define TRP_RUN_DIR_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/** The longest path of a socket, with its NUL: what `sun_path` holds. */
enum { TRP_RUN_DIR_ENDPOINT_BYTES = 108 };

/** The longest path of a run directory, with its NUL: as much as leaves room for "/e-4294967295.ipc". */
enum { TRP_RUN_DIR_PATH_BYTES = TRP_RUN_DIR_ENDPOINT_BYTES - 17 };

/** A run directory. Before it is opened: `{.lock_fd = -1}`. */
struct trp_run_dir {
    char path[TRP_RUN_DIR_PATH_BYTES];
    int lock_fd; // -1: not open. Close-on-exec; who forks without exec shares the lock
};

/**
 * Sweep the directories of dead systems, and make and lock one for this.
 *
 * The base is under `XDG_RUNTIME_DIR`, unless that is not set, not absolute, not there, or too long for
 * the path of a socket. A base that is no directory of ours alone is refused rather than passed over:
 * somebody may have put it there.
 *
 * @retval TROUPE_OK          *rundir is set.
 * @retval TROUPE_ERR_SYSTEM  no place for it; the detail has the path and the remedy.
 * @retval TROUPE_ERR_LIMIT   no descriptor is free.
 *
 * @owns    The caller ends it with trp_run_dir_close().
 * @threads any, as long as nobody changes the environment
 * @blocks  never
 */
enum troupe_err trp_run_dir_open(struct trp_run_dir *run_dir);

/**
 * Remove its files and itself, and let go of the lock. Does nothing when it is not open.
 *
 * It may be gone already, and what is neither a plain file nor a socket stays: it is not from us.
 *
 * @threads any; of a process that shares it after a fork, the one that opened it
 * @blocks  never
 */
void trp_run_dir_close(struct trp_run_dir *run_dir);

/**
 * Name the socket of an executor: "PATH/e-ID.ipc".
 *
 * @param out_bytes  Room at @p out; ::TRP_RUN_DIR_ENDPOINT_BYTES is enough.
 */
void trp_run_dir_endpoint(
    const char *run_dir_path, uint32_t executor_id, char *out, size_t out_bytes);

#endif
