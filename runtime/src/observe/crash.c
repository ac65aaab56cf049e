#include "observe/crash.h"

#include "actor/executor.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/sigsafe.h"
#include "shared/activity.h"
#include "shared/ledger.h"
#include "shared/process.h"
#include "shared/shared.h"
#include "shared/slot.h"

#include <errno.h>
#include <execinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    STACK_BYTES = 1 << 16, // of the stack of a handler: the thread's own may be used up
    FRAMES_MAX = 64,
    FRAMES_OURS = 2, // stack frames of the handler itself
    OVERDUE_STEP_NS = 20000000,
    OTHER_NS = 20000000,  // how long another executor may take to print its stack
    OTHERS_NS = 50000000, // how long all of them may take
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define CRASH_IS_SANITIZED 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define CRASH_IS_SANITIZED 1
#    endif
#endif
#ifndef CRASH_IS_SANITIZED
#    define CRASH_IS_SANITIZED 0
#endif

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};

enum { CRASH_SIGNALS = sizeof(crash_signals) / sizeof(crash_signals[0]) };

static _Atomic bool crash_installed;
static _Atomic int32_t crash_thread; // that received a fatal signal first; 0: none

/** Where a process notes what ends it; NULL: nowhere. */
static _Atomic uint32_t *crash_words;

/** What the handlers know of the system and its owner's thread; const once it is set. */
static const struct trp_shared *crash_shared;
static const struct troupe_executor *crash_owner; // NULL: there is no timer
static timer_t crash_timer;
static uint64_t crash_owner_callback; // of the owner's thread: its callback when the time was over

// In this TLS model the first access from a handler allocates nothing.
static _Thread_local struct troupe_executor *crash_executor
    __attribute__((tls_model("initial-exec")));
static _Thread_local void *crash_stack __attribute__((tls_model("initial-exec")));

static int32_t crash_gettid(void)
{
    return (int32_t)syscall(SYS_gettid);
}

static int crash_trace_signal(void)
{
    return SIGRTMAX - 2; // the last ones are what debuggers take
}

/** Add the executor of this thread, and the callback it is in. */
static void crash_add_executor(struct trp_sigsafe *sigsafe, const struct troupe_executor *executor)
{
    const struct trp_actor *actor = executor->context.actor;
    if (actor != NULL) {
        char callback[TRP_CALLBACK_TEXT_BYTES];
        uint32_t type = atomic_load_explicit(&executor->slot->callback_type, memory_order_relaxed);
        trp_callback_print(type, callback);
        trp_sigsafe_text(sigsafe, "actor '");
        trp_sigsafe_text(sigsafe, actor->name != NULL ? actor->name : actor->behaviour->name);
        trp_sigsafe_text(sigsafe, "' (row ");
        trp_sigsafe_number(sigsafe, trp_context_index(&executor->context));
        trp_sigsafe_text(sigsafe, ", behaviour '");
        trp_sigsafe_text(sigsafe, actor->behaviour->name);
        trp_sigsafe_text(sigsafe, "') in a callback (");
        trp_sigsafe_text(sigsafe, callback);
        trp_sigsafe_text(sigsafe, ")");
    } else {
        trp_sigsafe_text(sigsafe, "no actor's callback");
    }
    trp_sigsafe_text(sigsafe, ", on executor ");
    trp_sigsafe_number(sigsafe, executor->id);
    trp_sigsafe_text(sigsafe, " '");
    trp_sigsafe_text(sigsafe, executor->slot->name);
    trp_sigsafe_text(sigsafe, "' (");
    trp_sigsafe_text(sigsafe, executor->slot->backend);
    trp_sigsafe_text(sigsafe, ")");
}

static void crash_write_stack(void)
{
    void *frames[FRAMES_MAX];
    int count = backtrace(frames, FRAMES_MAX);
    if (count > FRAMES_OURS) {
        backtrace_symbols_fd(frames + FRAMES_OURS, count - FRAMES_OURS, STDERR_FILENO);
    }
}

/** Write one line about this thread, and its stack below. */
static void crash_write(struct trp_sigsafe *sigsafe)
{
    if (crash_executor != NULL) {
        crash_add_executor(sigsafe, crash_executor);
    } else {
        trp_sigsafe_text(sigsafe, "a thread that runs no executor");
    }
    trp_sigsafe_write(sigsafe, STDERR_FILENO);
    crash_write_stack();
}

/* A fatal signal. ------------------------------------------------------------------------------- */

static void crash_add_cause(struct trp_sigsafe *sigsafe, int number, const siginfo_t *info)
{
    const char *name = sigabbrev_np(number);
    trp_sigsafe_text(sigsafe, "troupe: process ");
    trp_sigsafe_number(sigsafe, (uint64_t)getpid());
    trp_sigsafe_text(sigsafe, " is terminated by SIG");
    trp_sigsafe_text(sigsafe, name != NULL ? name : "?");
    if (info->si_code <= 0) {
        trp_sigsafe_text(sigsafe, ", sent by process ");
        trp_sigsafe_number(sigsafe, (uint64_t)info->si_pid);
    } else if (number != SIGABRT) {
        trp_sigsafe_text(sigsafe, " at address 0x");
        trp_sigsafe_hex(sigsafe, (uint64_t)(uintptr_t)info->si_addr);
    }
    trp_sigsafe_text(sigsafe, ", in ");
}

static void crash_on_fatal(int number, siginfo_t *info, void *context)
{
    (void)context;
    int32_t first = 0;
    int32_t self = crash_gettid();
    if (atomic_compare_exchange_strong(&crash_thread, &first, self)) {
        if (crash_words != NULL) {
            atomic_store_explicit(crash_words, trp_process_signalled(number), memory_order_release);
        }
        struct trp_sigsafe sigsafe = {.used = 0};
        crash_add_cause(&sigsafe, number, info);
        crash_write(&sigsafe);
    } else if (first != self) {
        for (;;) {
            (void)pause(); // another thread is about to end the process
        }
    }
    // With its default effect the signal comes again when this returns, so a core shows where it came from.
    struct sigaction action = {.sa_handler = SIG_DFL};
    (void)sigaction(number, &action, NULL);
    (void)syscall(SYS_tgkill, getpid(), self, number);
}

/* Traces. ---------------------------------------------------------------------------------------- */

enum trp_crash_trace trp_crash_trace(const struct trp_slot *slot, uint64_t timeout_ns)
{
    pid_t thread = atomic_load_explicit(&slot->thread, memory_order_acquire);
    pid_t process = atomic_load_explicit(&slot->process, memory_order_relaxed);
    uint32_t before = atomic_load_explicit(&slot->trace_count, memory_order_acquire);
    if (thread == 0 || syscall(SYS_tgkill, process, thread, crash_trace_signal()) != 0) {
        return TRP_TRACE_IMPOSSIBLE;
    }
    uint64_t deadline_ns = trp_clock_monotonic(NULL) + timeout_ns;
    while (atomic_load_explicit(&slot->trace_count, memory_order_acquire) == before) {
        if (trp_clock_monotonic(NULL) >= deadline_ns) {
            return TRP_TRACE_SILENT;
        }
        (void)poll(NULL, 0, 1);
    }
    return TRP_TRACE_PRINTED;
}

/** Print who else is in a callback, in any process. Without shared memory's lock, so it may be outdated. */
static void crash_print_others(void)
{
    const struct trp_shared *shared = crash_shared;
    uint64_t deadline_ns = trp_clock_monotonic(NULL) + OTHERS_NS;
    uint32_t high = atomic_load_explicit(&shared->slot_high, memory_order_acquire);
    for (uint32_t i = 0; i < high && i < TRP_SHARED_SLOTS; i++) {
        const struct trp_slot *slot = &shared->slots[i];
        if (!trp_slot_is_there(slot) || slot == crash_owner->slot ||
            trp_counted(&slot->callback) == 0) {
            continue;
        }
        if (trp_clock_monotonic(NULL) < deadline_ns &&
            trp_crash_trace(slot, OTHER_NS) == TRP_TRACE_PRINTED) {
            continue;
        }
        struct trp_sigsafe sigsafe = {.used = 0};
        trp_sigsafe_text(&sigsafe, "troupe: executor ");
        trp_sigsafe_number(&sigsafe, slot->id);
        trp_sigsafe_text(&sigsafe, " '");
        trp_sigsafe_text(&sigsafe, slot->name);
        trp_sigsafe_text(&sigsafe, "' is in a callback, too, and did not print its stack");
        trp_sigsafe_write(&sigsafe, STDERR_FILENO);
    }
}

/** The time to stop is over: if the owner's thread does not return from a callback, the system cannot end. */
static void crash_handle_overdue(void)
{
    uint64_t callback = trp_counted(&crash_owner->slot->callback);
    if (callback == 0 || callback != crash_owner_callback) {
        crash_owner_callback = callback;
        trp_crash_set_overdue(crash_owner, OVERDUE_STEP_NS);
        return;
    }
    struct trp_sigsafe sigsafe = {.used = 0};
    trp_sigsafe_text(&sigsafe, "troupe: still running when the time to stop was over: ");
    crash_write(&sigsafe);
    crash_print_others();
    _exit(EXIT_FAILURE);
}

static void crash_on_trace(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    int saved = errno;
    const struct troupe_executor *executor = crash_executor;
    if (info->si_code == SI_TIMER && executor != NULL && executor == crash_owner) {
        crash_handle_overdue();
    } else if (info->si_code != SI_TIMER && executor != NULL) {
        struct trp_sigsafe sigsafe = {.used = 0};
        trp_sigsafe_text(&sigsafe, "troupe: stack of ");
        crash_write(&sigsafe);
        atomic_fetch_add_explicit(&executor->slot->trace_count, 1, memory_order_release);
    }
    errno = saved;
}

void trp_crash_set_overdue(const struct troupe_executor *executor, uint64_t ns)
{
    if (crash_owner == NULL || executor != crash_owner) {
        return;
    }
    const struct itimerspec when = {
        .it_value = {(time_t)(ns / UINT64_C(1000000000)), (long)(ns % UINT64_C(1000000000))},
    };
    (void)timer_settime(crash_timer, 0, &when, NULL);
}

/* Installing. ----------------------------------------------------------------------------------- */

/** Put the signals of this file into a set. */
static void crash_fill(sigset_t *set)
{
    (void)sigemptyset(set);
    for (int i = 0; i < CRASH_SIGNALS; i++) {
        (void)sigaddset(set, crash_signals[i]);
    }
    (void)sigaddset(set, crash_trace_signal());
}

void trp_crash_install(const struct trp_shared *shared, const struct troupe_executor *owner)
{
    if (atomic_exchange(&crash_installed, true)) {
        return;
    }
    crash_shared = shared;
    void *frame = NULL;
    (void)backtrace(&frame, 1); // the first call loads a library
    struct sigaction action = {.sa_sigaction = crash_on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    (void)sigfillset(&action.sa_mask); // block all but those that a handler itself might raise
    for (int i = 0; i < CRASH_SIGNALS; i++) {
        (void)sigdelset(&action.sa_mask, crash_signals[i]);
    }
    for (int i = 0; i < CRASH_SIGNALS && !CRASH_IS_SANITIZED; i++) {
        (void)sigaction(crash_signals[i], &action, NULL);
    }
    action.sa_sigaction = crash_on_trace;
    action.sa_flags |= SA_RESTART;
    (void)sigaction(crash_trace_signal(), &action, NULL);
    if (owner == NULL) {
        return;
    }
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD_ID,
        .sigev_signo = crash_trace_signal(),
    };
    event._sigev_un._tid = crash_gettid();
    crash_owner = timer_create(CLOCK_MONOTONIC, &event, &crash_timer) == 0 ? owner : NULL;
}

void trp_crash_note_in(_Atomic uint32_t *out_words)
{
    crash_words = out_words;
}

/** Give this thread a stack for its handlers, unless it has one. */
static void crash_take_stack(void)
{
    stack_t stack;
    if (sigaltstack(NULL, &stack) != 0 || (stack.ss_flags & SS_DISABLE) == 0) {
        return;
    }
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *memory = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED) {
        return; // handlers then run on the thread's stack
    }
    stack = (stack_t){.ss_sp = memory, .ss_size = STACK_BYTES};
    if (sigaltstack(&stack, NULL) != 0) {
        (void)munmap(memory, STACK_BYTES);
        return;
    }
    crash_stack = memory;
}

void trp_crash_enter(struct troupe_executor *executor)
{
    if (!atomic_load_explicit(&crash_installed, memory_order_relaxed)) {
        return;
    }
    crash_take_stack();
    crash_executor = executor;
    sigset_t ours;
    crash_fill(&ours);
    (void)pthread_sigmask(
        SIG_UNBLOCK, &ours, NULL); // the runtime's threads have all signals blocked
    atomic_store_explicit(&executor->slot->process, getpid(), memory_order_relaxed);
    atomic_store_explicit(&executor->slot->thread, crash_gettid(), memory_order_release);
}

void trp_crash_leave(void)
{
    if (crash_executor != NULL) {
        atomic_store_explicit(&crash_executor->slot->thread, 0, memory_order_release);
        crash_executor = NULL;
    }
    if (crash_stack != NULL) {
        const stack_t none = {.ss_flags = SS_DISABLE};
        (void)sigaltstack(&none, NULL);
        (void)munmap(crash_stack, STACK_BYTES);
        crash_stack = NULL;
    }
}
