/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/names.h"
#include "base/base64.h"

#include <assert.h>
#include <stdarg.h>

static const char *const priority_names[MU_PRIORITIES] = {"high", "normal", "low"};

const char *mu_priority_name(enum mu_priority p)
{
    assert(p < MU_PRIORITIES);
    return priority_names[p];
}

bool mu_priority_parse(struct mu_span name, enum mu_priority *out)
{
    for (int p = 0; p < MU_PRIORITIES; p++) {
        if (mu_span_is(name, priority_names[p])) {
            *out = (enum mu_priority)p;
            return true;
        }
    }
    return false;
}

static bool token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool mu_token_valid(struct mu_span token)
{
    if (!token.len || token.len >= MU_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < token.len; i++)
        if (!token_char(token.at[i]))
            return false;
    return true;
}

void mu_token_from(const char *text, char out[MU_TOKEN_MAX])
{
    size_t len = 0;
    for (; text[len] && len < MU_TOKEN_MAX - 1; len++)
        out[len] = token_char(text[len]) ? text[len] : '_';
    if (!len)
        out[len++] = '_';
    out[len] = '\0';
}

static void fill(char *out, const char *fmt, ...) MU_PRINTF(2, 3);
static void fill(char *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(out, MU_SUBJECT_MAX, fmt, args);
    va_end(args);
    assert(len > 0 && len < MU_SUBJECT_MAX); /* tokens and ids are bounded where they enter */
}

void mu_subject_task(char *out, const char *queue, enum mu_priority p, const char *ride_id)
{
    fill(out, "muster.task.%s.%s.%s", queue, mu_priority_name(p), ride_id);
}

void mu_subject_result(char *out, const char *queue, const char *ride_id)
{
    fill(out, "muster.result.%s.%s", queue, ride_id);
}

void mu_subject_finding(char *out, const char *queue, const char *task_id)
{
    fill(out, "muster.finding.%s.%s", queue, task_id);
}

void mu_subject_control(char *out, const char *agent)
{
    fill(out, "muster.control.%s", agent);
}

void mu_inbox_of(char *out, const char *role)
{
    fill(out, "_INBOX_%s", role);
}

void mu_subject_state(char *out, const char *job_id, unsigned place, const char *task_id)
{
    fill(out, "muster.partial.%s.state-%u.%s", job_id, place, task_id);
}

void mu_subject_event(char *out, const char *what)
{
    fill(out, "muster.event.%s", what);
}

void mu_consumer_task(char *out, const char *queue, enum mu_priority p)
{
    fill(out, "w-%s-%s", queue, mu_priority_name(p));
}

void mu_filter_task(char *out, const char *queue, enum mu_priority p)
{
    fill(out, "muster.task.%s.%s.>", queue, mu_priority_name(p));
}

void mu_stream_of_bucket(char *out, const char *bucket)
{
    fill(out, "KV_%s", bucket);
}

void mu_subject_of_key(char *out, const char *bucket, const char *key)
{
    fill(out, "$KV.%s.%s", bucket, key);
}

void mu_stream_of_objects(char *out, const char *bucket)
{
    fill(out, "OBJ_%s", bucket);
}

void mu_subject_of_chunks(char *out, const char *bucket, const char *nuid)
{
    fill(out, "$O.%s.C.%s", bucket, nuid);
}

bool mu_subject_of_object(char out[MU_OBJECT_SUBJECT_MAX], const char *bucket, struct mu_span name)
{
    char encoded[MU_BASE64_SIZE(MU_OBJECT_NAME_MAX)];
    if (!name.len || name.len >= MU_OBJECT_NAME_MAX || !mu_base64url_format(name, encoded, sizeof(encoded)))
        return false;
    int len = snprintf(out, MU_OBJECT_SUBJECT_MAX, "$O.%s.M.%s", bucket, encoded);
    assert(len > 0 && len < MU_OBJECT_SUBJECT_MAX);
    return true;
}

void mu_api_prefix(char out[MU_API_MAX], const char *domain)
{
    snprintf(out, MU_API_MAX, "$JS.%s%sAPI", domain, domain[0] ? "." : "");
}

void mu_subject_of_put(char *out, const char *domain, const char *bucket, const char *key)
{
    fill(out, "%s%s%s$KV.%s.%s", domain[0] ? "$JS." : "", domain, domain[0] ? ".API." : "", bucket, key);
}

/* Splits at dots into at most `most` tokens; how many there are, or 0 if there are more or an empty one. */
static size_t split(const char *subject, struct mu_span *tokens, size_t most)
{
    size_t count = 0;
    for (const char *at = subject;; at++) {
        const char *dot = strchr(at, '.');
        size_t len = dot ? (size_t)(dot - at) : strlen(at);
        if (!len || count == most)
            return 0;
        tokens[count++] = mu_span(at, len);
        if (!dot)
            return count;
        at = dot;
    }
}

bool mu_subject_parse_task(const char *subject, struct mu_task_subject *out)
{
    struct mu_span t[5];
    struct mu_task_subject s;
    if (split(subject, t, MU_COUNT(t)) != 5 || !mu_span_is(t[0], "muster") || !mu_span_is(t[1], "task"))
        return false;
    if (!mu_token_valid(t[2]) || !mu_token_valid(t[4]) || !mu_priority_parse(t[3], &s.priority))
        return false;
    if (!mu_copy_text(s.queue, sizeof(s.queue), t[2]) || !mu_copy_text(s.ride_id, sizeof(s.ride_id), t[4]))
        return false;
    *out = s;
    return true;
}

bool mu_subject_parse_result(const char *subject, struct mu_result_subject *out)
{
    struct mu_span t[4];
    struct mu_result_subject s;
    if (split(subject, t, MU_COUNT(t)) != 4 || !mu_span_is(t[0], "muster"))
        return false;
    s.finding = mu_span_is(t[1], "finding");
    if (!s.finding && !mu_span_is(t[1], "result"))
        return false;
    if (!mu_token_valid(t[2]) || !mu_token_valid(t[3]))
        return false;
    if (!mu_copy_text(s.queue, sizeof(s.queue), t[2]) || !mu_copy_text(s.id, sizeof(s.id), t[3]))
        return false;
    *out = s;
    return true;
}
