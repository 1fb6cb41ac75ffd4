/* SPDX-License-Identifier: Apache-2.0 */
/* Reference lists, and the checks of identifiers as functions of one text. */
#include "engine/check.h"
#include "engine/checks/validity.h"
#include "engine/expr/bound.h"
#include "engine/expr/function.h"
#include "format/json.h"

static int by_text(const void *a, const void *b)
{
    return mu_span_compare(*(const struct mu_span *)a, *(const struct mu_span *)b);
}

const struct mu_list_index *mu_list_index_new(struct mu_pool *pool, const struct mu_list_data *list, int column)
{
    const size_t rows = mu_list_rows(list);
    struct mu_list_index *index = mu_pool_get(pool, sizeof(*index) + rows * sizeof(index->values[0]));
    if (!index)
        return NULL;
    index->count = rows;
    for (size_t i = 0; i < rows; i++)
        index->values[i] = mu_list_value(list, i, column);
    qsort(index->values, rows, sizeof(index->values[0]), by_text);
    return index;
}

void mu_run_in_list(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a = mu_eval(op->args[0], f);
    out->state = a->state;
    if (a->state != MU_VALUE_TEXT)
        return;
    if (op->by_column)
        out->truth = bsearch(&a->text, op->by_column->values, op->by_column->count, sizeof(a->text), by_text) != NULL;
    else
        out->truth = mu_list_find(op->list, a->text) >= 0;
}

/* Of several rows the first. */
void mu_run_list_value(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a = mu_eval(op->args[0], f);
    out->state = a->state;
    if (a->state != MU_VALUE_TEXT)
        return;
    const int64_t row = mu_list_find(op->list, a->text);
    out->text = row < 0 ? mu_span(NULL, 0) : mu_list_value(op->list, (size_t)row, op->list_column);
    if (!out->text.len)
        out->state = MU_VALUE_MISSING;
}

void mu_run_active_on(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out))
        out->truth = mu_validity_find(op->validity, a[0]->text, a[1]->day) >= 0;
}

struct listening {
    struct mu_sink sink;
    enum mu_verdict verdict;
};

static void note_verdict(struct mu_sink *sink, enum mu_verdict verdict, struct mu_span message)
{
    (void)message;
    ((struct listening *)(void *)sink)->verdict = verdict;
}

static int only_column(struct mu_env *env, const char *name)
{
    (void)env;
    (void)name;
    return 0;
}

const struct mu_called_check *mu_called_check_new(struct mu_env *env, const struct mu_check *check,
                                                  struct mu_error *err)
{
    struct mu_called_check *c = mu_pool_get(env->pool, sizeof(*c));
    MU_AUTO(mu_json_free) json_t *with = json_pack("{s:s}", "column", "x");
    struct mu_env own = *env;
    void *conf = NULL, *state = NULL;
    own.column = only_column;
    if (!c || !with) {
        mu_fail(err, MU_BROKEN, "no memory left for the rules of the pack");
        return NULL;
    }
    if (!check->configure(&conf, &own, with, err) || !check->begin(&state, &own, conf, err))
        return NULL;
    *c = (struct mu_called_check){check, state};
    return c;
}

/* What the check of that name says of a record that has nothing but this value. */
void mu_run_check(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a = mu_eval(op->args[0], f);
    out->state = a->state;
    if (a->state != MU_VALUE_TEXT)
        return;
    const struct mu_value value = {MU_VALUE_TEXT, a->text};
    const struct mu_record record = {.values = &value, .count = 1};
    struct listening l = {.sink = {.verdict = note_verdict, .scratch = mu_frame_piece(f)}, .verdict = MU_V_ERROR};
    struct mu_error err = {0};
    if (l.sink.scratch && op->check->check->record(op->check->state, &record, &l.sink, &err) &&
        (l.verdict == MU_V_PASS || l.verdict == MU_V_FAIL))
        out->truth = l.verdict == MU_V_PASS;
    else
        out->state = MU_VALUE_INVALID;
}
