/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192

static struct {
    const char *program;
    atomic_int least;
    bool json;
    bool journal;
} logger = {.program = "muster", .least = MU_INFO};

static _Thread_local char task_of_thread[40], job_of_thread[40];

static const char *const level_names[] = {"debug", "info", "warning", "error"};

/* systemd says which device and inode the journal's socket has; stderr may have been redirected since. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char own[64];
    if (!stream || fstat(STDERR_FILENO, &st) != 0)
        return false;
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return mu_span_is(mu_span_of(stream), own);
}

void mu_log_open(const char *program, enum mu_level least, const char *format)
{
    logger.program = program;
    atomic_store(&logger.least, (int)least);
    logger.journal = stderr_is_journal();
    if (format && mu_span_is(mu_span_of(format), "text"))
        logger.json = false;
    else if (format && mu_span_is(mu_span_of(format), "json"))
        logger.json = true;
    else
        logger.json = !isatty(STDERR_FILENO);
}

void mu_log_level(enum mu_level least)
{
    atomic_store(&logger.least, (int)least);
}

bool mu_log_parse_level(const char *name, enum mu_level *out)
{
    for (size_t i = 0; i < MU_COUNT(level_names); i++) {
        if (mu_span_is(mu_span_of(name), level_names[i])) {
            *out = (enum mu_level)i;
            return true;
        }
    }
    return false;
}

static void add_json_fields(struct mu_text *line, const struct mu_field *fields)
{
    for (; fields && fields->name; fields++) {
        mu_text_putc(line, ',');
        mu_text_add_json(line, mu_span_of(fields->name));
        mu_text_putc(line, ':');
        if (fields->text)
            mu_text_add_json(line, mu_span_of(fields->text));
        else
            mu_text_add_i64(line, fields->number);
    }
}

static void add_text_fields(struct mu_text *line, const struct mu_field *fields)
{
    for (; fields && fields->name; fields++) {
        if (fields->text && !fields->text[0])
            continue;
        mu_text_addf(line, " %s=", fields->name);
        if (fields->text && strpbrk(fields->text, " \"\n\t="))
            mu_text_add_json(line, mu_span_of(fields->text));
        else if (fields->text)
            mu_text_puts(line, fields->text);
        else
            mu_text_add_i64(line, fields->number);
    }
}

void mu_log_fields(enum mu_level level, const char *sentence, const struct mu_field *fields)
{
    static const char priorities[] = "7643";
    if ((int)level < atomic_load(&logger.least))
        return;
    const struct mu_field task[] = {
        MU_F("task_id", task_of_thread), MU_F("job_id", job_of_thread), {0}};
    const struct mu_field *identity = task_of_thread[0] ? task : NULL;
    char time[MU_RFC3339_MAX];
    mu_rfc3339_format(mu_wall_us(), time);

    MU_AUTO(mu_text_free) struct mu_text line = MU_TEXT(LINE_MAX_BYTES);
    if (logger.journal)
        mu_text_addf(&line, "<%c>", priorities[level]);
    if (logger.json) {
        mu_text_addf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":", time, level_names[level]);
        mu_text_add_json(&line, mu_span_of(logger.program));
        mu_text_puts(&line, ",\"message\":");
        mu_text_add_json(&line, mu_span_of(sentence));
        add_json_fields(&line, identity);
        add_json_fields(&line, fields);
        mu_text_putc(&line, '}');
    } else {
        mu_text_addf(&line, "%s %s %s: %s", time, logger.program, level_names[level], sentence);
        add_text_fields(&line, identity);
        add_text_fields(&line, fields);
    }
    mu_text_putc(&line, '\n');
    if (line.failed) {
        static const char cut[] = "muster: a log line was too long and is left out\n";
        (void)!write(STDERR_FILENO, cut, sizeof(cut) - 1);
        return;
    }
    (void)!write(STDERR_FILENO, line.at, line.len); /* a lost log line must not stop the work */
}

void mu_log_failure(enum mu_level level, const struct mu_error *err, const char *next)
{
    char sentence[sizeof(err->text) + 200];
    snprintf(sentence, sizeof(sentence), "%s%s%s", err->text, next && next[0] ? ", " : "", next ? next : "");
    mu_log(level, sentence, MU_F("fault", mu_fault_name(err->fault)), MU_F("code", err->code),
           MU_F("pointer", err->pointer), MU_F("hint", err->hint));
}

void mu_log_task(const char *task_id, const char *job_id)
{
    snprintf(task_of_thread, sizeof(task_of_thread), "%s", task_id);
    snprintf(job_of_thread, sizeof(job_of_thread), "%s", job_id);
}

void mu_log_no_task(void)
{
    task_of_thread[0] = job_of_thread[0] = '\0';
}
