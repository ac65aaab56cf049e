#include "config/watchdog_setting.h"

#include "base/units.h"

#include <stdio.h>
#include <string.h>

bool trp_watchdog_parse(const char *text, uint64_t *out_ns, bool *out_kills)
{
    size_t at = 0;
    uint64_t ns = 0;
    if (!trp_time_parse(text, &at, INT64_MAX, &ns) || ns == 0) {
        return false;
    }
    bool kills = strcmp(text + at, ",kill") == 0;
    if (!kills && text[at] != '\0') {
        return false;
    }
    *out_ns = ns;
    *out_kills = kills;
    return true;
}

void trp_watchdog_print(uint64_t ns, bool kills, char *text, size_t bytes)
{
    char time[TRP_UNITS_BYTES];
    trp_time_print(ns, time);
    (void)snprintf(text, bytes, "%s%s", time, kills ? ",kill" : "");
}
