#include "audit.h"

#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

bool audit_balances(troupe_system_t *system)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    if (file == NULL) {
        return troupe_system_audit(system, stderr);
    }
    bool closes = troupe_system_audit(system, file);
    (void)fclose(file);
    if (!closes) {
        (void)fputs(text, stderr);
    }
    free(text);
    return closes;
}

void audit_and_destroy(troupe_system_t **system_p)
{
    MUST_BE(audit_balances(*system_p));
    MUST(troupe_system_destroy(system_p));
}
