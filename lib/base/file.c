/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>

bool mu_file_read(const char *path, size_t max_bytes, struct mu_text *out, struct mu_error *err)
{
    char part[65536];
    size_t got;
    FILE *f = fopen(path, "r");
    if (!f)
        return mu_reject(err, "not_found", "", "could not open %s: %s", path, strerror(errno));
    out->ceiling = max_bytes;
    while ((got = fread(part, 1, sizeof(part), f)) > 0)
        mu_text_add(out, mu_span(part, got));
    bool good = !ferror(f);
    fclose(f);
    if (!good)
        return mu_fail(err, MU_BROKEN, "could not read %s", path);
    return mu_text_ok(out, err) || mu_while(err, "%s", path);
}
