#include "wire/reaped.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    YIELDS = 50,      // before it sleeps: mostly the other thread takes 20 µs
    SLEEPS_MAX = 200, // 10 ms and more; then it goes on without
    SLEEP_NS = 50000,
};

/** @return the number of an eventfd that no other has had; 0: unknown. */
static uint64_t reaped_read_id(int fd)
{
    char path[32];
    char text[256] = "";
    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    int info = open(path, O_RDONLY | O_CLOEXEC);
    if (info < 0) {
        return 0;
    }
    (void)!read(info, text, sizeof(text) - 1);
    (void)close(info);
    const char *at = strstr(text, "eventfd-id:");
    return at == NULL ? 0 : strtoull(at + sizeof("eventfd-id:") - 1, NULL, 10);
}

struct trp_reaped trp_reaped_of(int fd)
{
    return (struct trp_reaped){.fd = fd, .id = reaped_read_id(fd)};
}

/** @return whether the eventfd is open; where the kernel does not say, whether any is that has its number. */
static bool reaped_is_open(const struct trp_reaped *reaped)
{
    return fcntl(reaped->fd, F_GETFD) >= 0 && reaped_read_id(reaped->fd) == reaped->id;
}

void trp_reaped_wait(const struct trp_reaped *reaped)
{
    const struct timespec pause = {.tv_nsec = SLEEP_NS};
    for (int i = 0; i < YIELDS + SLEEPS_MAX && reaped_is_open(reaped); i++) {
        if (i < YIELDS) {
            (void)sched_yield();
        } else {
            (void)nanosleep(&pause, NULL);
        }
    }
}
