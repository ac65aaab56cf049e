#include "warden.h"

#include "system.h"

bool trp_warden_runs(struct troupe_system *system) { (void)system; return false; }
void trp_warden_poke(struct troupe_system *system, uint32_t node) { (void)system; (void)node; }
