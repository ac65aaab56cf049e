#include "audit.h"

#include <stdio.h>
#include <stdlib.h>

bool audit_closes(troupe_system_t *system)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    if (file == NULL) {
        return troupe_audit(system, stderr);
    }
    bool closes = troupe_audit(system, file);
    (void)fclose(file);
    if (!closes) {
        (void)fputs(text, stderr);
    }
    free(text);
    return closes;
}
