/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/finding.h"

#include <inttypes.h>

#define EVIDENCE_BYTES 1024
#define MESSAGE_BYTES 1024
#define SUBJECT_BYTES 2048
#define NUMBER_MAX 24

void finding_writer_init(struct finding_writer *w, const struct finding_setup *setup)
{
    *w = (struct finding_writer){.with = *setup, .value = MU_TEXT(0)};
}

void finding_writer_fini(struct finding_writer *w)
{
    mu_text_free(&w->value);
}

/* What all findings have in common. */
static void begin(struct finding_writer *w)
{
    char hex[MU_DIGEST_HEX];
    if (w->begun)
        return;
    w->begun = true;
    mu_digest_format(w->with.source_digest, w->source_hex);
    mu_sha_init(&w->id_begin);
    mu_sha_member(&w->id_begin, mu_span_of(w->with.task->id_text));
    mu_digest_format(&w->with.ready->pack->digest, hex);
    mu_sha_member(&w->id_begin, mu_span_of(hex));
    mu_digest_format(&w->with.ready->params_digest, hex);
    mu_sha_member(&w->id_begin, mu_span_of(hex));
}

static struct mu_span number(int64_t value, char buf[NUMBER_MAX])
{
    return mu_span(buf, (size_t)snprintf(buf, NUMBER_MAX, "%" PRId64, value));
}

/* CHECKS.md part 1: (task, pack, params, rule, source, subject, part); the subject of a row is its number. */
static void write_id(const struct finding_writer *w, struct mu_text *out, const char *rule,
                     struct mu_span subject)
{
    struct mu_sha sha = w->id_begin;
    mu_sha_member(&sha, mu_span_of(rule));
    mu_sha_member(&sha, mu_span_of(w->source_hex));
    mu_sha_member(&sha, subject);
    mu_sha_member(&sha, mu_span("", 0));
    const struct mu_digest digest = mu_sha_end(&sha);
    char text[MU_ID_MAX];
    mu_id_format(mu_id_derive(w->with.task->task_id, &digest), text);
    mu_text_puts(out, "{\"finding_id\":\"");
    mu_text_puts(out, text);
}

/* (pack, rule, source name, subject) so far. */
static struct mu_sha begin_fingerprint(const struct finding_writer *w, const char *rule)
{
    struct mu_sha sha;
    mu_sha_init(&sha);
    mu_sha_member(&sha, mu_span_of(w->with.ready->pack->name));
    mu_sha_member(&sha, mu_span_of(rule));
    mu_sha_member(&sha, mu_span_of(w->with.task->source_name));
    return sha;
}

static void end_fingerprint(const struct mu_sha *sha, struct mu_text *out)
{
    char hex[MU_DIGEST_HEX];
    const struct mu_digest digest = mu_sha_end(sha);
    mu_digest_format(&digest, hex);
    mu_text_puts(out, "\",\"fingerprint\":\"");
    mu_text_puts(out, hex);
    mu_text_puts(out, "\",");
}

/* The subject of a record is the pack's identity, or else source and record. */
static void write_fingerprint(const struct finding_writer *w, struct mu_text *out, const char *rule,
                              const struct mu_record *rec, struct mu_span record_no)
{
    const struct mu_pack *pack = w->with.ready->pack;
    struct mu_sha sha = begin_fingerprint(w, rule);
    if (pack->identity_count && !rec->bad) {
        for (size_t i = 0; i < pack->identity_count; i++)
            mu_sha_member(&sha, rec->values[w->with.ready->identity[i]].text);
    } else {
        mu_sha_member(&sha, mu_span_of(w->source_hex));
        mu_sha_member(&sha, record_no);
    }
    end_fingerprint(&sha, out);
}

static void write_begin(struct finding_writer *w, struct mu_text *out, const char *rule,
                        const struct mu_record *rec, const char *head, bool warn, bool shadow)
{
    char buf[NUMBER_MAX];
    const struct mu_span record_no = number(rec->at.record_no, buf);
    begin(w);
    if (out->len)
        mu_text_putc(out, ',');
    write_id(w, out, rule, record_no);
    write_fingerprint(w, out, rule, rec, record_no);
    mu_text_puts(out, head);
    mu_text_puts(out, warn ? ",\"outcome\":\"warn\"" : ",\"outcome\":\"fail\"");
    if (shadow)
        mu_text_puts(out, ",\"shadow\":true");
    mu_text_puts(out, ",\"record_no\":");
    mu_text_add(out, record_no);
    mu_text_puts(out, ",\"byte_off\":");
    mu_text_add_i64(out, rec->at.byte_off);
    mu_text_puts(out, ",\"length\":");
    mu_text_add_i64(out, rec->at.length);
    mu_text_puts(out, ",\"line\":");
    mu_text_add_i64(out, rec->at.line);
    mu_text_puts(out, ",\"message\":");
}

/* At most `most` bytes of a text, and no half character at its end. */
static struct mu_span cut_to(struct mu_span text, size_t most, bool *cut)
{
    if (text.len <= most)
        return text;
    while (most > 0 && ((unsigned char)text.at[most] & 0xC0) == 0x80)
        most--;
    *cut = true;
    return mu_span(text.at, most);
}

static size_t last_characters(struct mu_span text, size_t count)
{
    size_t at = text.len;
    for (; at > 0 && count > 0; count--)
        for (at--; at > 0 && ((unsigned char)text.at[at] & 0xC0) == 0x80;)
            at--;
    return at;
}

/* A value as it may be told. False: not at all. */
static bool shown(enum mu_mask mask, struct mu_span value, struct mu_text *out)
{
    struct mu_digest digest;
    size_t from;
    switch (mask) {
    case MU_MASK_NONE:
        mu_text_add(out, value);
        return true;
    case MU_MASK_HASH:
        digest = mu_digest_of(value);
        mu_text_puts(out, "sha256:");
        mu_text_add_hex(out, digest.b, sizeof(digest.b));
        return true;
    case MU_MASK_LAST4:
        from = last_characters(value, 4);
        mu_text_puts(out, "****");
        if (from >= 4) /* of a short value four characters would be most of it */
            mu_text_add(out, mu_span(value.at + from, value.len - from));
        return true;
    case MU_MASK_DROP:
        return false;
    }
    return false;
}

static void write_columns(struct finding_writer *w, struct mu_text *out, const struct ready_rule *rule,
                          const struct mu_record *rec)
{
    bool cut = false, first = true;
    mu_text_puts(out, ",\"evidence\":{\"columns\":{");
    for (size_t i = 0; i < rule->column_count; i++) {
        const struct mu_column *column = &w->with.ready->pack->columns[rule->columns[i]];
        const struct mu_value *value = &rec->values[rule->columns[i]];
        mu_text_reset(w->with.message);
        if (value->text.at && !shown(column->mask, value->text, w->with.message))
            continue;
        if (!first)
            mu_text_putc(out, ',');
        first = false;
        mu_text_add_json(out, mu_span_of(column->name));
        mu_text_putc(out, ':');
        if (value->text.at)
            mu_text_add_json(out, cut_to(mu_text_span(w->with.message), EVIDENCE_BYTES, &cut));
        else
            mu_text_puts(out, "null");
    }
    mu_text_putc(out, '}');
    if (cut)
        mu_text_puts(out, ",\"cut\":true");
}

/* Of formats whose records lie in a tree. */
static void write_path(struct finding_writer *w, struct mu_text *out, const struct mu_record *rec)
{
    mu_text_reset(w->with.message);
    mu_reader_path(w->with.reader, rec, w->with.message);
    if (!w->with.message->len)
        return;
    mu_text_puts(out, ",\"path\":");
    mu_text_add_json(out, mu_text_span(w->with.message));
}

/* A computed value as it may be told: null if it is missing. False: not at all. */
static bool write_value(struct finding_writer *w, struct mu_text *out, enum mu_type type, const struct mu_xvalue *v,
                        enum mu_mask mask, bool *cut)
{
    if (v->state == MU_VALUE_MISSING)
        mu_text_puts(out, "null");
    if (v->state == MU_VALUE_INVALID)
        mu_text_puts(out, "{\"invalid\":true}");
    if (v->state != MU_VALUE_TEXT)
        return true;
    mu_text_reset(&w->value);
    mu_xvalue_format(type, v, &w->value);
    mu_text_reset(w->with.message);
    if (!shown(mask, mu_text_span(&w->value), w->with.message))
        return false;
    mu_text_add_json(out, cut_to(mu_text_span(w->with.message), EVIDENCE_BYTES, cut));
    return true;
}

/* "name":value for each that may be told; true if there were any. */
static void write_values(struct finding_writer *w, struct mu_text *out, const struct ready_rule *rule)
{
    bool cut = false, first = true;
    if (!rule->rule->evidence_count)
        return;
    mu_text_puts(out, ",\"values\":{");
    for (size_t i = 0; i < rule->rule->evidence_count; i++) {
        const struct mu_named_expr *named = &rule->rule->evidence[i];
        const size_t before = out->len;
        if (!first)
            mu_text_putc(out, ',');
        mu_text_add_json(out, mu_span_of(named->name));
        mu_text_putc(out, ':');
        if (write_value(w, out, named->expr->type, mu_eval(rule->evidence[i], w->with.frame), rule->evidence_masks[i], &cut))
            first = false;
        else
            mu_text_cut(out, before);
    }
    mu_text_putc(out, '}');
    if (cut)
        mu_text_puts(out, ",\"values_cut\":true");
}

/* Adds what {name} stands for to the message, masked as it must be. */
static void add_masked(struct finding_writer *w, enum mu_type type, const struct mu_xvalue *v, enum mu_mask mask)
{
    mu_text_reset(&w->value);
    if (v->state == MU_VALUE_TEXT)
        mu_xvalue_format(type, v, &w->value);
    else
        mu_text_puts(&w->value, v->state == MU_VALUE_MISSING ? "(missing)" : "(invalid)");
    if (!shown(v->state == MU_VALUE_TEXT ? mask : MU_MASK_NONE, mu_text_span(&w->value), w->with.message))
        mu_text_puts(w->with.message, "****");
}

/* The text that {name} of a rule's message stands for: evidence, a key of the group at hand, a column, or a
 * parameter. */
static bool add_named(struct finding_writer *w, const struct ready_rule *rule, const struct mu_record *rec,
                      const struct mu_xvalue *keys, struct mu_span name)
{
    const struct mu_pack *pack = w->with.ready->pack;
    for (size_t i = 0; i < rule->rule->evidence_count; i++) {
        const struct mu_named_expr *named = &rule->rule->evidence[i];
        if (!mu_span_is(name, named->name))
            continue;
        add_masked(w, named->expr->type, mu_eval(rule->evidence[i], w->with.frame), rule->evidence_masks[i]);
        return true;
    }
    for (size_t i = 0; keys && i < rule->rule->group->key_count; i++) {
        const struct mu_named_expr *key = &rule->rule->group->keys[i];
        if (!mu_span_is(name, key->name))
            continue;
        add_masked(w, key->expr->type, &keys[i], rule->key_masks[i]);
        return true;
    }
    const int column = rec ? mu_pack_column(pack, name) : -1;
    if (column >= 0) {
        if (!shown(pack->columns[column].mask, rec->values[column].text, w->with.message))
            mu_text_puts(w->with.message, "****");
        return true;
    }
    char key[64];
    const json_t *param =
        mu_copy_text(key, sizeof(key), name) ? json_object_get(w->with.ready->params, key) : NULL;
    if (param)
        mu_text_puts(w->with.message, json_string_value(param));
    return param != NULL;
}

static struct mu_span fill_template(struct finding_writer *w, const struct ready_rule *rule,
                                    const struct mu_record *rec, const struct mu_xvalue *keys)
{
    mu_text_reset(w->with.message);
    for (const char *at = rule->rule->message; *at;) {
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        if (end && add_named(w, rule, rec, keys, mu_span(at + 1, (size_t)(end - at - 1)))) {
            at = end + 1;
            continue;
        }
        mu_text_putc(w->with.message, *at++);
    }
    return mu_text_span(w->with.message);
}

/* For rules that say nothing of their own. */
static struct mu_span usual_message(struct finding_writer *w, const struct ready_rule *rule)
{
    if (rule->rule->title)
        return mu_span_of(rule->rule->title);
    if (!rule->rule->expr_text)
        return mu_span_of(rule->rule->check->title);
    mu_text_reset(w->with.message);
    mu_text_puts(w->with.message, "expected: ");
    mu_text_puts(w->with.message, rule->rule->expr_text);
    return mu_text_span(w->with.message);
}

/* The check's own sentence may quote the value, so it is not told of columns that are masked. */
static struct mu_span message_of(struct finding_writer *w, const struct ready_rule *rule,
                                 const struct mu_record *rec, const struct mu_xvalue *keys, struct mu_span message)
{
    if (rule->rule->message)
        return fill_template(w, rule, rec, keys);
    return message.len && !rule->masked ? message : usual_message(w, rule);
}

static void write_lists(struct mu_text *out, const struct ready_rule *rule)
{
    if (!rule->lists_json)
        return;
    mu_text_puts(out, ",\"lists\":");
    mu_text_puts(out, rule->lists_json);
}

void finding_write(struct finding_writer *w, struct mu_text *out, const struct ready_rule *rule,
                   bool warn, const struct mu_record *rec, struct mu_span message)
{
    bool cut = false;
    write_begin(w, out, rule->rule->id, rec, rule->head, warn, rule->rule->mode == MU_MODE_SHADOW);
    mu_text_add_json(out, cut_to(message_of(w, rule, rec, NULL, message), MESSAGE_BYTES, &cut));
    write_columns(w, out, rule, rec);
    write_path(w, out, rec);
    write_values(w, out, rule);
    write_lists(out, rule);
    mu_text_puts(out, "}}");
}

/* The key as it may be told: {"day":"2026-03-02","person":"sha256:…"}. */
static void write_keys(struct finding_writer *w, struct mu_text *out, const struct ready_rule *rule,
                       const struct mu_xvalue *keys)
{
    const struct mu_group_rule *group = rule->rule->group;
    bool cut = false, first = true;
    mu_text_puts(out, "\"key\":{");
    for (size_t i = 0; i < group->key_count; i++) {
        const size_t before = out->len;
        if (!first)
            mu_text_putc(out, ',');
        mu_text_add_json(out, mu_span_of(group->keys[i].name));
        mu_text_putc(out, ':');
        if (write_value(w, out, group->keys[i].expr->type, &keys[i], rule->key_masks[i], &cut))
            first = false;
        else
            mu_text_cut(out, before);
    }
    mu_text_puts(out, "},");
}

static bool is_masked_key(const struct ready_rule *rule)
{
    for (size_t i = 0; rule->rule->group && i < rule->rule->group->key_count; i++)
        if (rule->key_masks[i] != MU_MASK_NONE)
            return true;
    return false;
}

/* A subject with a key that must not be told is told by its digest. */
static void write_subject(struct mu_text *out, const struct ready_rule *rule, struct mu_span subject)
{
    char hex[MU_DIGEST_HEX], masked[MU_DIGEST_HEX + 8];
    bool cut = false;
    mu_text_puts(out, ",\"subject\":");
    if (is_masked_key(rule)) {
        const struct mu_digest digest = mu_digest_of(subject);
        mu_digest_format(&digest, hex);
        (void)snprintf(masked, sizeof(masked), "sha256:%s", hex);
        subject = mu_span_of(masked);
    }
    mu_text_add_json(out, cut_to(subject, SUBJECT_BYTES, &cut));
}

static void write_samples(struct mu_text *out, const struct mu_found *found)
{
    mu_text_puts(out, "\"records\":");
    mu_text_add_i64(out, found->records);
    mu_text_puts(out, ",\"first\":[");
    for (size_t i = 0; i < found->sample_count; i++) {
        const struct mu_sample *s = &found->samples[i];
        mu_text_addf(out, "%s{\"record_no\":%" PRId64 ",\"byte_off\":%" PRId64 ",\"length\":%" PRId64
                          ",\"line\":%" PRId64 "}",
                     i ? "," : "", s->record_no, s->byte_off, s->length, s->line);
    }
    mu_text_putc(out, ']');
}

static void write_group_evidence(struct finding_writer *w, struct mu_text *out, const struct ready_rule *rule,
                                 const struct mu_found *found)
{
    mu_text_puts(out, ",\"evidence\":{");
    if (found->keys && rule->rule->group->key_count)
        write_keys(w, out, rule, found->keys);
    if (found->to.at) {
        mu_text_puts(out, "\"window\":{\"from\":");
        mu_text_add_json(out, found->from);
        mu_text_puts(out, ",\"to\":");
        mu_text_add_json(out, found->to);
        mu_text_puts(out, "},");
    }
    write_samples(out, found);
    if (found->missing || found->invalid)
        mu_text_addf(out, ",\"skipped\":{\"missing\":%" PRId64 ",\"invalid\":%" PRId64 "}", found->missing,
                     found->invalid);
    if (found->at_least)
        mu_text_puts(out, ",\"at_least\":true");
    if (found->keys)
        write_values(w, out, rule);
    if (rule->rule->has_mostly) {
        mu_text_addf(out, ",\"pass\":%" PRId64 ",\"fail\":%" PRId64 ",\"mostly\":", found->records - found->failed,
                     found->failed);
        mu_text_add_json(out, mu_span_of(rule->rule->mostly_text));
    }
    write_lists(out, rule);
    mu_text_puts(out, "}}");
}

static struct mu_span message_about(struct finding_writer *w, const struct ready_rule *rule,
                                    const struct mu_found *found)
{
    if (rule->rule->message && found->keys)
        return fill_template(w, rule, NULL, found->keys);
    if (rule->rule->has_mostly) {
        mu_text_reset(w->with.message);
        mu_text_addf(w->with.message, "%" PRId64 " of %" PRId64 " records pass, at least %s of them should: %s",
                     found->records - found->failed, found->records, rule->rule->mostly_text,
                     rule->rule->title ? rule->rule->title : rule->rule->expr_text ? rule->rule->expr_text
                                                                                  : rule->rule->check->title);
        return mu_text_span(w->with.message);
    }
    return usual_message(w, rule);
}

void finding_write_found(struct finding_writer *w, struct mu_text *out, const struct ready_rule *rule,
                         const struct mu_found *found)
{
    bool cut = false;
    begin(w);
    if (out->len)
        mu_text_putc(out, ',');
    write_id(w, out, rule->rule->id, found->subject);
    struct mu_sha sha = begin_fingerprint(w, rule->rule->id);
    mu_sha_member(&sha, found->subject);
    end_fingerprint(&sha, out);
    mu_text_puts(out, "\"rule\":");
    mu_text_add_json(out, mu_span_of(rule->rule->id));
    mu_text_puts(out, ",\"severity\":");
    mu_text_add_json(out, mu_span_of(found->severity ? found->severity : rule->rule->severity));
    mu_text_puts(out, found->verdict == MU_V_WARN ? ",\"outcome\":\"warn\"" : ",\"outcome\":\"fail\"");
    if (rule->rule->mode == MU_MODE_SHADOW)
        mu_text_puts(out, ",\"shadow\":true");
    write_subject(out, rule, found->subject);
    mu_text_puts(out, ",\"message\":");
    mu_text_add_json(out, cut_to(message_about(w, rule, found), MESSAGE_BYTES, &cut));
    write_group_evidence(w, out, rule, found);
}

void finding_write_bad_record(struct finding_writer *w, struct mu_text *out,
                              const struct mu_record *rec)
{
    static const char head[] =
        "\"rule\":\"" MU_BAD_RECORD_RULE "\",\"severity\":\"" MU_BAD_RECORD_SEVERITY "\"";
    write_begin(w, out, MU_BAD_RECORD_RULE, rec, head, false, false);
    mu_text_reset(w->with.message);
    mu_text_addf(w->with.message, "%s (line %" PRId64 ", byte %" PRId64 ")", rec->bad, rec->at.line, rec->bad_at);
    mu_text_add_json(out, mu_text_span(w->with.message));
    mu_text_puts(out, ",\"evidence\":{\"columns\":{}");
    write_path(w, out, rec);
    mu_text_puts(out, "}}");
}
