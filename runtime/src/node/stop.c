#include "node/stop.h"

#include "actor/runtime.h"
#include "node/control_socket.h"
#include "node/system.h"
#include "observe/crash.h"

void trp_stop_note(troupe_system_t *system)
{
    if (!atomic_exchange_explicit(&system->runtime.stop_asked, true, memory_order_acq_rel)) {
        trp_crash_set_overdue(system->executor, system->stop_timeout_ns);
    }
}

void troupe_system_stop(troupe_system_t *system)
{
    trp_stop_note(system);
    // Pairs with the acquire in trp_refresh_own(), which each process calls once it is notified.
    atomic_store_explicit(&system->runtime.shared->stop_asked, true, memory_order_release);
    if (!trp_system_is_first(system)) {
        trp_control_notify_first(system);
    }
    trp_runtime_wake(&system->runtime);
}
