/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/finding.h"

#include <inttypes.h>

#define EVIDENCE_BYTES 1024
#define MESSAGE_BYTES 1024
#define NUMBER_MAX 24

void finding_writer_init(struct finding_writer *w, const struct mu_ready *ready, const struct mu_task *task,
                         const struct mu_digest *source_digest, struct mu_text *message)
{
    *w = (struct finding_writer){.ready = ready, .task = task, .source_digest = source_digest, .message = message};
}

/* What all findings have in common. */
static void begin(struct finding_writer *w)
{
    char hex[MU_DIGEST_HEX];
    if (w->begun)
        return;
    w->begun = true;
    mu_digest_format(w->source_digest, w->source_hex);
    mu_sha_init(&w->id_begin);
    mu_sha_member(&w->id_begin, mu_span_of(w->task->id_text));
    mu_digest_format(&w->ready->pack->digest, hex);
    mu_sha_member(&w->id_begin, mu_span_of(hex));
    mu_digest_format(&w->ready->params_digest, hex);
    mu_sha_member(&w->id_begin, mu_span_of(hex));
}

static struct mu_span number(int64_t value, char buf[NUMBER_MAX])
{
    return mu_span(buf, (size_t)snprintf(buf, NUMBER_MAX, "%" PRId64, value));
}

/* CHECKS.md part 1: (task, pack, params, rule, source, subject, part); the subject of a row is its number. */
static void write_id(const struct finding_writer *w, struct mu_text *out, const char *rule,
                     struct mu_span record_no)
{
    struct mu_sha sha = w->id_begin;
    mu_sha_member(&sha, mu_span_of(rule));
    mu_sha_member(&sha, mu_span_of(w->source_hex));
    mu_sha_member(&sha, record_no);
    mu_sha_member(&sha, mu_span("", 0));
    const struct mu_digest digest = mu_sha_end(&sha);
    char text[MU_ID_MAX];
    mu_id_format(mu_id_derive(w->task->task_id, &digest), text);
    mu_text_puts(out, "{\"finding_id\":\"");
    mu_text_puts(out, text);
}

/* (pack, rule, source name, subject); the subject is the pack's identity, or else source and record. */
static void write_fingerprint(const struct finding_writer *w, struct mu_text *out, const char *rule,
                              const struct mu_record *rec, struct mu_span record_no)
{
    const struct mu_pack *pack = w->ready->pack;
    struct mu_sha sha;
    char hex[MU_DIGEST_HEX];
    mu_sha_init(&sha);
    mu_sha_member(&sha, mu_span_of(pack->name));
    mu_sha_member(&sha, mu_span_of(rule));
    mu_sha_member(&sha, mu_span_of(w->task->source_name));
    if (pack->identity_count && !rec->bad) {
        for (size_t i = 0; i < pack->identity_count; i++)
            mu_sha_member(&sha, rec->values[w->ready->identity[i]].text);
    } else {
        mu_sha_member(&sha, mu_span_of(w->source_hex));
        mu_sha_member(&sha, record_no);
    }
    const struct mu_digest digest = mu_sha_end(&sha);
    mu_digest_format(&digest, hex);
    mu_text_puts(out, "\",\"fingerprint\":\"");
    mu_text_puts(out, hex);
    mu_text_puts(out, "\",");
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

static void write_columns(const struct finding_writer *w, struct mu_text *out, const struct ready_rule *rule,
                          const struct mu_record *rec)
{
    bool cut = false, first = true;
    mu_text_puts(out, ",\"evidence\":{\"columns\":{");
    for (size_t i = 0; i < rule->column_count; i++) {
        const struct mu_column *column = &w->ready->pack->columns[rule->columns[i]];
        const struct mu_value *value = &rec->values[rule->columns[i]];
        mu_text_reset(w->message);
        if (value->text.at && !shown(column->mask, value->text, w->message))
            continue;
        if (!first)
            mu_text_putc(out, ',');
        first = false;
        mu_text_add_json(out, mu_span_of(column->name));
        mu_text_putc(out, ':');
        if (value->text.at)
            mu_text_add_json(out, cut_to(mu_text_span(w->message), EVIDENCE_BYTES, &cut));
        else
            mu_text_puts(out, "null");
    }
    mu_text_putc(out, '}');
    if (cut)
        mu_text_puts(out, ",\"cut\":true");
}

/* The text that {name} of a rule's message stands for: a column that the rule reads, or a parameter. */
static bool add_named(const struct finding_writer *w, const struct ready_rule *rule,
                      const struct mu_record *rec, struct mu_span name)
{
    for (size_t i = 0; i < rule->column_count; i++) {
        const struct mu_column *column = &w->ready->pack->columns[rule->columns[i]];
        if (!mu_span_is(name, column->name))
            continue;
        if (!shown(column->mask, rec->values[rule->columns[i]].text, w->message))
            mu_text_puts(w->message, "****");
        return true;
    }
    char key[64];
    const json_t *param =
        mu_copy_text(key, sizeof(key), name) ? json_object_get(w->ready->params, key) : NULL;
    if (param)
        mu_text_puts(w->message, json_string_value(param));
    return param != NULL;
}

static struct mu_span fill_template(const struct finding_writer *w, const struct ready_rule *rule,
                                    const struct mu_record *rec)
{
    mu_text_reset(w->message);
    for (const char *at = rule->rule->message; *at;) {
        const char *end = *at == '{' ? strchr(at, '}') : NULL;
        if (end && add_named(w, rule, rec, mu_span(at + 1, (size_t)(end - at - 1)))) {
            at = end + 1;
            continue;
        }
        mu_text_putc(w->message, *at++);
    }
    return mu_text_span(w->message);
}

/* The check's own sentence may quote the value, so it is not told of columns that are masked. */
static struct mu_span message_of(const struct finding_writer *w, const struct ready_rule *rule,
                                 const struct mu_record *rec, struct mu_span message)
{
    if (rule->rule->message)
        return fill_template(w, rule, rec);
    if (message.len && !rule->masked)
        return message;
    return mu_span_of(rule->rule->title ? rule->rule->title : rule->rule->check->title);
}

void finding_write(struct finding_writer *w, struct mu_text *out, const struct ready_rule *rule,
                   bool warn, const struct mu_record *rec, struct mu_span message)
{
    bool cut = false;
    write_begin(w, out, rule->rule->id, rec, rule->head, warn, rule->rule->mode == MU_MODE_SHADOW);
    mu_text_add_json(out, cut_to(message_of(w, rule, rec, message), MESSAGE_BYTES, &cut));
    write_columns(w, out, rule, rec);
    if (rule->lists_json) {
        mu_text_puts(out, ",\"lists\":");
        mu_text_puts(out, rule->lists_json);
    }
    mu_text_puts(out, "}}");
}

void finding_write_bad_record(struct finding_writer *w, struct mu_text *out,
                              const struct mu_record *rec)
{
    static const char head[] =
        "\"rule\":\"" MU_BAD_RECORD_RULE "\",\"severity\":\"" MU_BAD_RECORD_SEVERITY "\"";
    write_begin(w, out, MU_BAD_RECORD_RULE, rec, head, false, false);
    mu_text_reset(w->message);
    mu_text_addf(w->message, "%s (line %" PRId64 ", byte %" PRId64 ")", rec->bad, rec->at.line, rec->bad_at);
    mu_text_add_json(out, mu_text_span(w->message));
    mu_text_puts(out, ",\"evidence\":{\"columns\":{}}}");
}
