#include "base/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    SOCKET_COUNT_MIN = 1023,  // libzmq's default
    SOCKET_COUNT_MAX = 65535, // libzmq's maximum
};

static _Atomic uint32_t descriptors_promised;

static rlim_t descriptors_limit(void)
{
    struct rlimit limit = {0};
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : SOCKET_COUNT_MIN;
}

/** @return how many descriptors are open; RLIM_INFINITY if /proc cannot be read. */
static rlim_t descriptors_count_open(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        return RLIM_INFINITY;
    }
    rlim_t count = 0;
    while (readdir(directory) != NULL) { // NOLINT(concurrency-mt-unsafe): no other thread has it
        count++;
    }
    (void)closedir(directory);
    return count;
}

bool trp_descriptors_are_free(uint32_t more)
{
    const rlim_t wanted = TRP_DESCRIPTORS_FREE_MIN + more +
                          atomic_load_explicit(&descriptors_promised, memory_order_relaxed);
    rlim_t limit = descriptors_limit();
    if (limit == RLIM_INFINITY) {
        return true;
    }
    // The kernel hands out the lowest free number. If the lowest one is low, and one of the highest
    // `wanted` is free, then most of the numbers between are free, too. Only otherwise are they
    // counted.
    int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (lowest < 0 && errno == EBADF) {
        lowest = eventfd(0, EFD_CLOEXEC); // a program without standard error
    }
    if (lowest < 0 || (rlim_t)lowest + wanted >= limit) {
        (void)close(lowest);
        return false;
    }
    int high = fcntl(lowest, F_DUPFD_CLOEXEC, (int)(limit - wanted));
    (void)close(lowest);
    (void)close(high);
    return high >= 0 || descriptors_count_open() + wanted < limit;
}

bool trp_descriptors_promise(uint32_t more, uint32_t count)
{
    (void)atomic_fetch_add_explicit(&descriptors_promised, count, memory_order_relaxed);
    if (trp_descriptors_are_free(more)) {
        return true;
    }
    trp_descriptors_keep_promise(count);
    return false;
}

void trp_descriptors_keep_promise(uint32_t count)
{
    (void)atomic_fetch_sub_explicit(&descriptors_promised, count, memory_order_relaxed);
}

void trp_descriptors_fill_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            int opened =
                open("/dev/null", O_RDWR); // NOLINT(android-cloexec-open): for children as well
            if (opened != fd && opened >= 0) {
                (void)dup2(opened, fd);
                (void)close(opened);
            }
        }
    }
}

void trp_descriptors_raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); // if that fails, the lower limit holds
    }
}

int trp_descriptors_socket_count_max(void)
{
    rlim_t limit = descriptors_limit();
    if (limit < SOCKET_COUNT_MIN) {
        return SOCKET_COUNT_MIN;
    }
    return limit > SOCKET_COUNT_MAX ? SOCKET_COUNT_MAX : (int)limit;
}
