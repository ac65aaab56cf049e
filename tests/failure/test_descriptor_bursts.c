// ctest: serial
/*
 * Descriptors that are taken later than they were asked for, by others, or by their low numbers: bursts of processes,
 * connections of other programs, standard descriptors that are closed. Nothing aborts, and what runs goes on.
 */
#include "support/child.h"
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(descriptor_bursts, .timeout = 100);

/* Bursts of processes. -------------------------------------------------------------------------- */

enum { BURST = 150 };

/** Spawn many processes before the first of them runs, then ask each. */
static int spawn_a_burst(void *data)
{
    const rlim_t *limit = data;
    child_limit(RLIMIT_NOFILE, *limit);
    static troupe_ref_t refs[BURST];
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    size_t count = 0;
    enum troupe_err err = TROUPE_OK;
    while (count < BURST && err == TROUPE_OK) {
        err = echo_spawn(troupe_inbox_context(inbox), "process", &refs[count]);
        count += err == TROUPE_OK ? 1 : 0;
    }
    if (err != TROUPE_OK) {
        MUST_BE(err == TROUPE_ERR_LIMIT);
        MUST_BE(strstr(troupe_error_detail(), "raise the limit of open files") != NULL);
    }
    for (size_t i = 0; i < count; i++) {
        MUST(echo_ask(inbox, refs[i], i));
    }
    (void)fprintf(
        stderr, "%zu processes with %llu descriptors\n", count, (unsigned long long)*limit);
    echo_system_end(&system, &inbox);
    return count > 0 ? 0 : 1;
}

Test(descriptor_bursts, a_burst_of_processes_is_started_or_refused_and_all_of_them_reply)
{
    static const rlim_t limits[] = {400, 512, 1024};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        rlim_t limit = limits[i];
        child_succeeds(spawn_a_burst, &limit);
    }
}

/* Connections of others. ------------------------------------------------------------------------ */

enum { STRANGERS = 40 };

/** @return the path of the newest ipc listener of this process: that of executor 0, the first, waits for it to run. */
static struct sockaddr_un find_listener(int below)
{
    struct sockaddr_un address;
    for (int fd = below - 1; fd >= 3; fd--) {
        socklen_t bytes = sizeof(address);
        int listens = 0;
        socklen_t size = sizeof(listens);
        memset(&address, 0, sizeof(address));
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0 &&
            getsockname(fd, (struct sockaddr *)&address, &bytes) == 0 &&
            address.sun_family == AF_UNIX && address.sun_path[0] == '/') {
            return address;
        }
    }
    MUST_BE(!"this process has a listener");
    return address;
}

/** Use up all descriptors while others connect. */
static int meet_strangers(void *data)
{
    (void)data;
    child_limit(RLIMIT_NOFILE, 600);
    int strangers[STRANGERS];
    static struct child_hoard hoard;
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t near = TROUPE_REF_NONE;
    troupe_ref_t far = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(inbox), "thread+ipc", &near));
    MUST(echo_spawn(troupe_inbox_context(inbox), "process", &far));
    MUST(echo_ask(inbox, near, 1));
    MUST(echo_ask(inbox, far, 1));
    struct sockaddr_un listener = find_listener(600);
    for (int i = 0; i < STRANGERS; i++) {
        strangers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        MUST_BE(strangers[i] >= 0);
    }
    child_hoard_take(&hoard);
    for (int i = 0; i < STRANGERS; i++) {
        MUST_BE(connect(strangers[i], (const struct sockaddr *)&listener, sizeof(listener)) == 0);
        MUST(echo_ask(inbox, near, 2));
        MUST(echo_ask(inbox, far, 2));
    }
    for (int i = 0; i < STRANGERS; i++) {
        char byte = 0;
        MUST_BE(recv(strangers[i], &byte, 1, 0) <= 0); // it was closed
        (void)close(strangers[i]);
    }
    child_hoard_give(&hoard);
    troupe_ref_t late = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(inbox), "thread+ipc", &late));
    MUST(echo_ask(inbox, late, 3));
    echo_system_end(&system, &inbox);
    return 0;
}

Test(descriptor_bursts, connections_without_a_descriptor_for_them_are_closed)
{
    child_succeeds(meet_strangers, NULL);
}

/* Standard descriptors that are closed. --------------------------------------------------------- */

static int start_without(void *data)
{
    const unsigned *closed = data;
    for (int fd = 0; fd < 3; fd++) {
        if ((*closed >> fd & 1U) != 0) {
            (void)close(fd);
        }
    }
    troupe_system_t *system = echo_system_new();
    for (int fd = 0; fd < 3; fd++) {
        char link[32];
        char path[PATH_MAX] = "";
        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        MUST_BE(readlink(link, path, sizeof(path) - 1) > 0);
        MUST_BE((*closed >> fd & 1U) == 0 || strcmp(path, "/dev/null") == 0);
    }
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST(echo_spawn(troupe_inbox_context(inbox), "process", &ref));
    (void)printf("noise\n");
    (void)fprintf(stderr, "noise\n");
    (void)fflush(NULL);
    MUST(echo_ask(inbox, ref, 1));
    echo_system_end(&system, &inbox);
    return 0;
}

Test(descriptor_bursts, a_program_without_standard_descriptors_works_and_gets_them)
{
    for (unsigned closed = 1; closed < 8; closed++) {
        struct child_end end = child_run(start_without, &closed);
        cr_expect(eq(int, end.status, 0), "without %u: %s", closed, end.err);
    }
}

SUBJECTS(&echo_behaviour);
