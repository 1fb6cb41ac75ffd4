/* SPDX-License-Identifier: Apache-2.0 */
/* Texts. Counting is in code points; upper and lower change ASCII letters alone, so that no locale or edition of
 * Unicode has a say. A text that would grow beyond 1 MiB is invalid. */
#include "engine/checks/pattern.h"
#include "engine/expr/function.h"
#include "engine/jaro_winkler.h"

#define COUNT_MAX 1000000000

/* Gives a text that was made in scratch. */
static void give_piece(struct mu_xvalue *out, const struct mu_text *piece)
{
    if (!piece || piece->failed)
        out->state = MU_VALUE_INVALID;
    else
        out->text = mu_text_span(piece);
}

void mu_run_join(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return;
    struct mu_text *piece = mu_frame_piece(f);
    if (piece) {
        mu_text_add(piece, a[0]->text);
        mu_text_add(piece, a[1]->text);
    }
    give_piece(out, piece);
}

static void change_case(const struct mu_op *op, struct mu_frame *f, char from, char to, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return;
    struct mu_text *piece = mu_frame_piece(f);
    if (piece)
        mu_text_add(piece, a[0]->text);
    for (size_t i = 0; piece && i < piece->len; i++)
        if (piece->at[i] >= from && piece->at[i] <= from + 25)
            piece->at[i] = (char)(piece->at[i] - from + to);
    give_piece(out, piece);
}

void mu_run_upper(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    change_case(op, f, 'a', 'A', out);
}

void mu_run_lower(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    change_case(op, f, 'A', 'a', out);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void mu_run_trim(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return;
    struct mu_span text = a[0]->text;
    for (; text.len && is_blank(text.at[0]); text.at++)
        text.len--;
    while (text.len && is_blank(text.at[text.len - 1]))
        text.len--;
    out->text = text;
}

/* Bytes of the code point at the beginning of a text that is UTF-8. */
static size_t point_length(struct mu_span text)
{
    size_t len = 1;
    while (len < text.len && ((unsigned char)text.at[len] & 0xC0) == 0x80)
        len++;
    return len;
}

static bool has_point(struct mu_span set, struct mu_span point)
{
    for (size_t at = 0, len; at < set.len; at += len) {
        len = point_length(mu_span(set.at + at, set.len - at));
        if (mu_span_equal(mu_span(set.at + at, len), point))
            return true;
    }
    return false;
}

void mu_run_strip(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return;
    struct mu_text *piece = mu_frame_piece(f);
    const struct mu_span text = a[0]->text;
    for (size_t at = 0, len; piece && at < text.len; at += len) {
        len = point_length(mu_span(text.at + at, text.len - at));
        if (!has_point(a[1]->text, mu_span(text.at + at, len)))
            mu_text_add(piece, mu_span(text.at + at, len));
    }
    give_piece(out, piece);
}

void mu_run_substr(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    int64_t from, count;
    if (!mu_operands(op, f, a, out))
        return;
    if (!mu_decimal_whole(a[1]->decimal, 1, COUNT_MAX, &from) ||
        !mu_decimal_whole(a[2]->decimal, 0, COUNT_MAX, &count)) {
        out->state = MU_VALUE_INVALID;
        return;
    }
    struct mu_span rest = a[0]->text;
    for (; from > 1 && rest.len; from--) {
        const size_t len = point_length(rest);
        rest = mu_span(rest.at + len, rest.len - len);
    }
    out->text = mu_span(rest.at, 0);
    for (; count > 0 && rest.len; count--) {
        const size_t len = point_length(rest);
        out->text.len += len;
        rest = mu_span(rest.at + len, rest.len - len);
    }
}

static bool begins(struct mu_span text, struct mu_span part)
{
    return text.len >= part.len && mu_span_equal(mu_span(text.at, part.len), part);
}

void mu_run_starts_with(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out))
        out->truth = begins(a[0]->text, a[1]->text);
}

void mu_run_ends_with(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return;
    const struct mu_span text = a[0]->text, part = a[1]->text;
    out->truth = text.len >= part.len &&
                 mu_span_equal(mu_span(text.at + text.len - part.len, part.len), part);
}

void mu_run_contains(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (!mu_operands(op, f, a, out))
        return;
    const struct mu_span text = a[0]->text, part = a[1]->text;
    out->truth = !part.len || (text.len && memmem(text.at, text.len, part.at, part.len) != NULL);
}

/* A match that hits its limit has no answer: never a pass. */
void mu_run_matches(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *text = mu_eval(op->args[0], f);
    out->state = text->state;
    if (text->state != MU_VALUE_TEXT)
        return;
    const enum mu_match match = mu_pattern_match(op->pattern, text->text);
    if (match == MU_MATCH_YES || match == MU_MATCH_NO)
        out->truth = match == MU_MATCH_YES;
    else
        out->state = MU_VALUE_INVALID;
}

void mu_run_jaro_winkler(const struct mu_op *op, struct mu_frame *f, struct mu_xvalue *out)
{
    const struct mu_xvalue *a[MU_OPERANDS_MAX];
    if (mu_operands(op, f, a, out) && !mu_jaro_winkler(a[0]->text, a[1]->text, &out->decimal))
        out->state = MU_VALUE_INVALID;
}
