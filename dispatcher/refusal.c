/* SPDX-License-Identifier: Apache-2.0 */
#include "refusal.h"

void refusal_write_error(struct mu_text *out, const struct mu_error *e)
{
    mu_text_putc(out, '{');
    mu_json_put_text(out, "code", e->code[0] ? e->code : "internal");
    mu_json_put_text(out, "message", e->text);
    if (e->pointer[0])
        mu_json_put_text(out, "pointer", e->pointer);
    if (e->hint[0])
        mu_json_put_text(out, "hint", e->hint);
    mu_text_putc(out, '}');
}

void refusal_write(struct mu_text *out, const struct mu_error *e)
{
    mu_text_puts(out, "{\"ok\":false,\"error\":");
    refusal_write_error(out, e);
    mu_text_putc(out, '}');
}
