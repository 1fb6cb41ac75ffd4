/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as an expression over the columns of tests/unit/expr_rig.h. It is refused with its place, what was
 * expected and an example, or comes to a value of its type, the same however often and in whatever company it
 * is asked for. */
#include "../unit/expr_rig.h"

#include "fuzz.h"

#define SLOTS 8192

static struct rig rig;

/* What an expression comes to, in a program of its own; "" if it is refused. */
static void compute(struct mu_span text, enum mu_type want, enum mu_type *type, struct mu_text *out)
{
    MU_AUTO(mu_pool_free) struct mu_pool *pool = mu_pool_new(64 << 20);
    MU_AUTO(mu_linker_free) struct mu_linker *linker = NULL;
    struct mu_env env = rig.env;
    struct mu_error err = {0};
    struct mu_frame frame;
    const struct mu_expr *e;
    const struct mu_op *op, *again;
    size_t bad;
    const struct mu_scope scope = {.pool = pool, .pack = rig.pack, .columns = true, .lets = true};
    const struct mu_link_setup setup = {rig.pack, (const struct mu_list_data *const *)rig.lists, rig.params,
                                        &env};
    env.pool = pool;
    FUZZ_HOLDS(pool && mu_linker_new(&linker, &setup, &err), "%s", err.text);
    if (!mu_expr_parse(&e, &scope, text, want, "/expr", &err) || !mu_link(&op, linker, e, "/expr", &err)) {
        fuzz_refusal(&err, "the expression");
        FUZZ_HOLDS(strcmp(err.pointer, "/expr") == 0, "%s at %s", err.text, err.pointer);
        FUZZ_HOLDS(!mu_utf8_valid(text, &bad) || mu_utf8_valid(mu_span_of(err.text), &bad),
                   "half a character: %s", err.text);
        return;
    }
    *type = e->type;
    FUZZ_HOLDS(want == MU_TYPE_MISSING || e->type == want || e->type == MU_TYPE_MISSING,
               "asked for %s, got %s", mu_type_name(want), mu_type_name(e->type));
    FUZZ_HOLDS(mu_link(&again, linker, e, "/expr", &err) && (again == op || !op->slot),
               "an equal expression is not shared");
    FUZZ_HOLDS(mu_linker_slots(linker) < SLOTS && mu_frame_init(&frame, mu_linker_slots(linker), &err),
               "%zu slots", mu_linker_slots(linker));
    for (int i = 0; i < 2; i++) {
        MU_AUTO(mu_text_free) struct mu_text value = MU_TEXT(0);
        mu_frame_record(&frame, &rig.record);
        const struct mu_xvalue *v = mu_eval(op, &frame);
        if (v->state == MU_VALUE_TEXT)
            mu_xvalue_format(e->type, v, &value);
        else
            mu_text_puts(&value, v->state == MU_VALUE_MISSING ? "missing" : "invalid");
        FUZZ_HOLDS(e->type != MU_TYPE_MISSING || v->state == MU_VALUE_MISSING, "nothing is something: %.*s",
                   FUZZ_SHOW(text));
        FUZZ_HOLDS(i == 0 || mu_span_equal(mu_text_span(&value), mu_text_span(out)),
                   "\"%.*s\" the second time, \"%.*s\" the first", FUZZ_SHOW(value), FUZZ_SHOW(*out));
        if (i == 0)
            mu_text_add(out, mu_text_span(&value));
        struct mu_xvalue back;
        const bool readable = v->state == MU_VALUE_TEXT && e->type != MU_TYPE_DURATION;
        FUZZ_HOLDS(!readable || (mu_xvalue_parse(e->type, mu_text_span(&value), &back) &&
                                 mu_xvalue_compare(e->type, v, &back) == 0),
                   "%s %.*s cannot be read again", mu_type_name(e->type), FUZZ_SHOW(value));
    }
    mu_frame_fini(&frame);
    if (!out->len)
        mu_text_puts(out, "''");
}

/* The same value when something stands around it that changes nothing. */
static void compare(struct mu_span text, const struct mu_text *value, const char *before, const char *behind)
{
    MU_AUTO(mu_text_free) struct mu_text wrapped = MU_TEXT(0), got = MU_TEXT(0);
    enum mu_type type;
    mu_text_puts(&wrapped, before);
    mu_text_add(&wrapped, text);
    mu_text_puts(&wrapped, behind);
    compute(mu_text_span(&wrapped), MU_TYPE_MISSING, &type, &got);
    FUZZ_HOLDS(!got.len || mu_span_equal(mu_text_span(&got), mu_text_span(value)),
               "%.*s comes to \"%.*s\", bare to \"%.*s\"", FUZZ_SHOW(wrapped), FUZZ_SHOW(got),
               FUZZ_SHOW(*value));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    FUZZ_HOLDS(rig_open(&rig) && !tap_failures, "the rig (is MUSTER_BUILD set?)");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu_span text = mu_span((const char *)data, size);
    const struct fuzz_choices choices = fuzz_choices(&text);
    MU_AUTO(mu_text_free) struct mu_text value = MU_TEXT(0), wanted = MU_TEXT(0);
    enum mu_type type = MU_TYPE_MISSING, same;
    compute(text, MU_TYPE_MISSING, &type, &value);
    compute(text, (enum mu_type)(choices.at[0] % (MU_TYPE_MISSING + 1)), &same, &wanted);
    FUZZ_HOLDS(!wanted.len || mu_span_equal(mu_text_span(&wanted), mu_text_span(&value)),
               "\"%.*s\" or \"%.*s\"", FUZZ_SHOW(wanted), FUZZ_SHOW(value));
    if (!value.len)
        return 0;
    compare(text, &value, "(", ")");
    compare(text, &value, "coalesce(", ")");
    compare(text, &value, "if(1 = 1, ", ", missing)");
    if (type == MU_TYPE_BOOL)
        compare(text, &value, "not (not (", "))");
    return 0;
}

const char *fuzz_make(size_t index, struct mu_text *out)
{
    static const struct {
        const char *name, *begin, *again, *end;
        int times;
    } made[] = {
        {"a hundred thousand parentheses", "", "(", "", 100000},
        {"as many parentheses as fit", "", "(", "1", 4095},
        {"as many signs as fit", "", "-", "1", 4095},
        {"as many denials as fit", "", "not ", "b", 1023},
        {"as many calls as fit", "", "abs(", "1", 1000},
        {"a sum as long as fits", "1", "+1", "", 2047},
        {"a sum that is longer", "1", "+1", "", 2048},
        {"a set as large as fits", "n in (1", ",1", ")", 2040},
        {"a pattern that backtracks", "matches('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab', '(a*)*",
         "(a*)*", "c')", 20},
        {"a product beyond what fits", "10", "*10", "", 1000},
        {"a text as long as fits", "len('", "x", "')", 4088},
    };
    if (index >= MU_COUNT(made))
        return NULL;
    mu_text_puts(out, made[index].begin);
    for (int i = 0; i < made[index].times; i++)
        mu_text_puts(out, made[index].again);
    mu_text_puts(out, made[index].end);
    return made[index].name;
}
