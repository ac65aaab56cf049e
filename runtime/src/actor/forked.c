#include "actor/forked.h"

#include "actor/executor.h"
#include "actor/runtime.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

int32_t trp_forked_pid;

static pthread_once_t forked_once = PTHREAD_ONCE_INIT;
static _Thread_local struct troupe_executor *forked_executor;

/** In the copy, before fork() returns there: have the callback that called it end in trp_forked_end_copy(). */
static void forked_on_fork(void)
{
    trp_forked_pid = getpid();
    if (forked_executor != NULL && forked_executor->context.actor != NULL) {
        forked_executor->stop_count = UINT32_MAX;
    }
}

static void forked_register(void)
{
    (void)pthread_atfork(NULL, NULL, forked_on_fork);
}

void trp_forked_install(void)
{
    trp_forked_pid = getpid();
    (void)pthread_once(&forked_once, forked_register);
}

struct troupe_executor *trp_forked_enter(struct troupe_executor *executor)
{
    struct troupe_executor *before = forked_executor;
    forked_executor = executor;
    return before;
}

struct troupe_executor *trp_forked_current(void)
{
    return forked_executor;
}

enum troupe_err trp_forked_explain(void)
{
    return TRP_EXPLAIN(
        TROUPE_ERR_INVAL,
        "this process is a copy, by fork(), of the one that made the system, and has none of its "
        "threads; call fork() or daemon() before the system is made, or exec() after it");
}

void trp_forked_end_copy(const struct troupe_executor *executor)
{
    if (executor->runtime->pid == trp_forked_pid) {
        return;
    }
    static const char text[] =
        "troupe: a copy of a process, made by fork() in a callback, ends where the callback "
        "returned; have it call exec() or _exit() before\n";
    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(EXIT_FAILURE);
}
