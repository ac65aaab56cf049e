/**
 * @file faults.h
 * @brief Faults of the operating system and of the allocator, in a process that carries an actor.
 *
 * The functions below stand in this program before those of libc, so that libzmq comes here, too. They do
 * what libc does until a fault is armed; then they fail as it says. What libc itself calls, such as a
 * thread's clone3(), is failed by the kernel, by a filter of system calls.
 *
 *     socket once 3          the third call fails, and none after it
 *     socket from 3          the third call fails, and all after it
 *     malloc chance 50 7     each fails with a chance of 1 in 50; 7 starts the chances
 *     clone3 kernel          the kernel refuses all of them
 *
 * One program includes this.
 */
#ifndef TROUPE_TESTS_FAULTS_H
#define TROUPE_TESTS_FAULTS_H

#include "../unit/chance.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum fault_kind {
    FAULT_SOCKET,
    FAULT_EVENTFD,
    FAULT_EPOLL_CREATE,
    FAULT_EPOLL_CTL,
    FAULT_ACCEPT,
    FAULT_BIND,
    FAULT_MMAP,
    FAULT_CLONE,
    FAULT_MALLOC,
    FAULT_KIND_COUNT,
    FAULT_NONE = FAULT_KIND_COUNT,
};

/** What fails, and how it reports that. */
static const struct fault_what {
    const char *name;
    long call; // -1: none of the kernel's
    int error;
} fault_whats[FAULT_KIND_COUNT] = {
    [FAULT_SOCKET] = {"socket", SYS_socket, EMFILE},
    [FAULT_EVENTFD] = {"eventfd2", SYS_eventfd2, EMFILE},
    [FAULT_EPOLL_CREATE] = {"epoll_create1", SYS_epoll_create1, EMFILE},
    [FAULT_EPOLL_CTL] = {"epoll_ctl", SYS_epoll_ctl, ENOMEM},
    [FAULT_ACCEPT] = {"accept4", SYS_accept4, EMFILE},
    [FAULT_BIND] = {"bind", SYS_bind, ENOMEM},
    [FAULT_MMAP] = {"mmap", SYS_mmap, ENOMEM},
    [FAULT_CLONE] = {"clone3", SYS_clone3, EAGAIN},
    [FAULT_MALLOC] = {"malloc", -1, ENOMEM},
};

/** The fault of this process. Written before it is armed. */
static struct {
    uint64_t first;
    uint64_t last;
    uint32_t one_in; // 0: it counts
    _Atomic uint64_t count;
    _Atomic uint64_t state; // of the chances
    _Atomic uint32_t kind;
} fault = {.kind = FAULT_NONE};

/** @return whether this call of @p kind fails; errno says why. */
static bool fault_hits(enum fault_kind kind)
{
    if (atomic_load_explicit(&fault.kind, memory_order_acquire) != (uint32_t)kind) {
        return false;
    }
    bool hits = false;
    if (fault.one_in != 0) {
        struct chance chance = {
            .state = atomic_fetch_add(&fault.state, UINT64_C(0x9E3779B97F4A7C15))};
        hits = chance_one_in(&chance, fault.one_in);
    } else {
        uint64_t number = atomic_fetch_add(&fault.count, 1) + 1;
        hits = number >= fault.first && number <= fault.last;
    }
    if (hits) {
        errno = fault_whats[kind].error;
    }
    return hits;
}

/** Have the kernel refuse a system call, to all threads of this process. @return false: it does not. */
static bool fault_filter(const struct fault_what *what)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)what->call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((uint32_t)what->error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

/** Arm the fault that @p text says. @return false: it says none. */
static bool fault_arm(const char *text)
{
    char name[16] = "";
    char how[16] = "";
    unsigned long long number = 0;
    unsigned long long seed = 0;
    if (sscanf(text, "%15s %15s %llu %llu", name, how, &number, &seed) < 2) {
        return false;
    }
    uint32_t kind = 0;
    while (kind < FAULT_KIND_COUNT && strcmp(fault_whats[kind].name, name) != 0) {
        kind++;
    }
    if (kind == FAULT_KIND_COUNT) {
        return false;
    }
    if (strcmp(how, "kernel") == 0) {
        return fault_filter(&fault_whats[kind]);
    }
    fault.first = number;
    fault.last = strcmp(how, "from") == 0 ? UINT64_MAX : number;
    fault.one_in = strcmp(how, "chance") == 0 ? (uint32_t)number : 0;
    atomic_store(&fault.state, seed);
    atomic_store_explicit(&fault.kind, kind, memory_order_release);
    return true;
}

/* What stands before libc. --------------------------------------------------------------------- */

#define FAULT_VISIBLE __attribute__((visibility("default")))

FAULT_VISIBLE int socket(int domain, int type, int protocol)
{
    return fault_hits(FAULT_SOCKET) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

FAULT_VISIBLE int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t bytes)
{
    return fault_hits(FAULT_BIND) ? -1 : (int)syscall(SYS_bind, fd, address.__sockaddr__, bytes);
}

FAULT_VISIBLE int accept4(int fd, __SOCKADDR_ARG address, socklen_t *bytes, int flags)
{
    return fault_hits(FAULT_ACCEPT)
               ? -1
               : (int)syscall(SYS_accept4, fd, address.__sockaddr__, bytes, flags);
}

FAULT_VISIBLE int eventfd(unsigned count, int flags)
{
    return fault_hits(FAULT_EVENTFD) ? -1 : (int)syscall(SYS_eventfd2, count, flags);
}

FAULT_VISIBLE int epoll_create1(int flags)
{
    return fault_hits(FAULT_EPOLL_CREATE) ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

FAULT_VISIBLE int epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
    return fault_hits(FAULT_EPOLL_CTL) ? -1 : (int)syscall(SYS_epoll_ctl, epoll_fd, op, fd, event);
}

// A sanitizer has an allocator of its own, and none may stand before that.
#ifndef __SANITIZE_ADDRESS__

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *at, size_t bytes);

FAULT_VISIBLE void *malloc(size_t bytes)
{
    return fault_hits(FAULT_MALLOC) ? NULL : __libc_malloc(bytes);
}

FAULT_VISIBLE void *calloc(size_t count, size_t bytes)
{
    return fault_hits(FAULT_MALLOC) ? NULL : __libc_calloc(count, bytes);
}

FAULT_VISIBLE void *realloc(void *at, size_t bytes)
{
    return fault_hits(FAULT_MALLOC) ? NULL : __libc_realloc(at, bytes);
}

#    define FAULT_HAS_MALLOC true
#else
#    define FAULT_HAS_MALLOC false
#endif

#endif
