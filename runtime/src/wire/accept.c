#include "wire/accept.h"

#include "base/retry.h"
#include "troupe/export.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static pthread_mutex_t accept_lock = PTHREAD_MUTEX_INITIALIZER;
static int accept_reserve = -1; // guarded by `accept_lock`
static char accept_directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; // likewise

static void accept_open_reserve(void)
{
    if (accept_reserve < 0) {
        accept_reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

void trp_accept_reserve(void)
{
    (void)pthread_mutex_lock(&accept_lock);
    accept_open_reserve();
    (void)pthread_mutex_unlock(&accept_lock);
}

void trp_accept_note_listener(const char *path)
{
    (void)pthread_mutex_lock(&accept_lock);
    (void)snprintf(accept_directory, sizeof(accept_directory), "%s", path);
    for (int i = 0; i < 2; i++) { // its name, and the directory of its system
        char *slash = strrchr(accept_directory, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
    }
    (void)pthread_mutex_unlock(&accept_lock);
}

/** @return whether a listener is one of ours: it has its place in our directory. @threads holding `accept_lock` */
static bool accept_is_ours(int listener)
{
    struct sockaddr_un address = {0};
    socklen_t bytes = sizeof(address);
    size_t length = strlen(accept_directory);
    return length > 0 && getsockname(listener, (struct sockaddr *)&address, &bytes) == 0 &&
           address.sun_family == AF_UNIX &&
           strncmp(address.sun_path, accept_directory, length) == 0 &&
           address.sun_path[length] == '/';
}

static int accept_call(int listener, struct sockaddr *address, socklen_t *bytes, int flags)
{
    return (int)syscall(SYS_accept4, listener, address, bytes, flags);
}

/** Take one connection with the descriptor in reserve, and close it. */
static void accept_refuse(int listener)
{
    if (accept_reserve >= 0) {
        (void)close(accept_reserve);
        accept_reserve = -1;
    }
    int refused = TRP_RETRY(accept_call(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (refused >= 0) {
        (void)close(refused);
    }
    accept_open_reserve();
}

/** As accept4(2), under its name, which the C library declares with types of its own; weak: a program may have another. */
TROUPE_API __attribute__((weak)) int trp_accept4(
    int listener, struct sockaddr *address, socklen_t *bytes, int flags) __asm__("accept4");

TROUPE_API __attribute__((weak)) int trp_accept4(
    int listener, struct sockaddr *address, socklen_t *bytes, int flags)
{
    int fd = accept_call(listener, address, bytes, flags);
    if (fd >= 0 || (errno != EMFILE && errno != ENFILE)) {
        return fd;
    }
    int error = errno;
    (void)pthread_mutex_lock(&accept_lock);
    if (accept_is_ours(listener)) {
        accept_refuse(listener);
        error = ECONNABORTED;
    }
    (void)pthread_mutex_unlock(&accept_lock);
    errno = error;
    return -1;
}
