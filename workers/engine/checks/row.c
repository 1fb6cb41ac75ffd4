/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/checks/row.h"

#include <stdarg.h>

bool mu_operand_configure(struct mu_operand *out, struct mu_env *env, const json_t *params,
                          struct mu_error *err)
{
    static const char *const cases[] = {"strict", "fold", NULL};
    static const char *const separators[] = {"reject", "strip", NULL};
    return mu_param_column(&out->column, env, params, "column", err) &&
           mu_param_word(&out->fold, params, "case", cases, err) &&
           mu_param_word(&out->strip, params, "separators", separators, err);
}

bool mu_operand_only(void **conf, struct mu_env *env, const json_t *params, struct mu_error *err)
{
    static const char *const known[] = {MU_OPERAND_PARAMS, NULL};
    struct mu_operand *o = mu_row_get(env, sizeof *o, err);
    if (!o || !mu_params_known(params, known, err) || !mu_operand_configure(o, env, params, err))
        return false;
    *conf = o;
    return true;
}

bool mu_row_value(int column, const struct mu_record *rec, struct mu_sink *sink, struct mu_span *out)
{
    const struct mu_value *value = &rec->values[column];
    switch (value->state) {
    case MU_VALUE_TEXT:
        *out = value->text;
        return true;
    case MU_VALUE_MISSING:
        mu_row_not_evaluated(sink);
        return false;
    case MU_VALUE_INVALID:
        mu_row_error(sink, "the value is not readable as its type");
        return false;
    }
    return false;
}

bool mu_operand_read(const struct mu_operand *o, const struct mu_record *rec, struct mu_sink *sink,
                     char form[MU_OPERAND_MAX], struct mu_span *out)
{
    struct mu_span text;
    if (!mu_row_value(o->column, rec, sink, &text))
        return false;
    if (o->fold || o->strip) {
        size_t n = 0;
        for (size_t i = 0; i < text.len && n < MU_OPERAND_MAX; i++) {
            char c = text.at[i];
            if (o->strip && c == ' ')
                continue;
            form[n++] = o->fold && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        }
        text = mu_span(form, n);
    }
    if (text.len >= MU_OPERAND_MAX) {
        mu_row_fail(sink, "longer than %d characters", MU_OPERAND_MAX - 1);
        return false;
    }
    *out = text;
    return true;
}

bool mu_row_pass(struct mu_sink *sink)
{
    sink->verdict(sink, MU_V_PASS, mu_span(NULL, 0));
    return true;
}

MU_PRINTF(3, 0)
static bool say(struct mu_sink *sink, enum mu_verdict verdict, const char *fmt, va_list args)
{
    char text[200];
    vsnprintf(text, sizeof text, fmt, args);
    mu_text_reset(sink->scratch);
    mu_text_puts(sink->scratch, text);
    sink->verdict(sink, verdict, mu_text_span(sink->scratch));
    return true;
}

bool mu_row_fail(struct mu_sink *sink, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(sink, MU_V_FAIL, fmt, args);
    va_end(args);
    return true;
}

bool mu_row_error(struct mu_sink *sink, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(sink, MU_V_ERROR, fmt, args);
    va_end(args);
    return true;
}

bool mu_row_not_evaluated(struct mu_sink *sink)
{
    sink->verdict(sink, MU_V_NOT_EVALUATED, mu_span(NULL, 0));
    return true;
}

void *mu_row_get(struct mu_env *env, size_t size, struct mu_error *err)
{
    void *p = mu_pool_get(env->pool, size);
    if (!p)
        mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
    return p;
}

bool mu_row_begin(void **state, struct mu_env *env, const void *conf, struct mu_error *err)
{
    struct mu_row *row = mu_row_get(env, sizeof *row, err);
    if (!row)
        return false;
    row->conf = conf;
    *state = row;
    return true;
}

bool mu_row_merge(void *into, const void *other, struct mu_error *err)
{
    (void)into;
    (void)other;
    (void)err;
    return true;
}

bool mu_row_save(const void *state, struct mu_text *out, struct mu_error *err)
{
    (void)state;
    return mu_text_ok(out, err);
}

bool mu_row_restore(void *state, struct mu_span saved, struct mu_error *err)
{
    (void)state;
    if (saved.len)
        return mu_reject(err, "invalid", "",
                         "a check that keeps nothing was given a saved state of %zu bytes", saved.len);
    return true;
}

bool mu_row_finish(void *state, struct mu_sink *out, struct mu_error *err)
{
    (void)state;
    (void)out;
    (void)err;
    return true;
}
