/* SPDX-License-Identifier: Apache-2.0 */
#include "workload.h"

#include "database.h"

#include "format/json.h"
#include "outside/bus.h"

#include "daemon/daemon.h"

#include <errno.h>
#include <sys/stat.h>

struct template templates[TEMPLATES_MAX];
size_t template_count;
struct outcome_sum *golden;
struct submission submissions[SUBMISSIONS_MAX];
size_t submission_count;

#define SMALL 24
#define LONG_RECORDS 420
#define PLANNED_RECORDS 1250

static const char pack[] =
    "{\"muster_pack\":1,\"pack\":\"sim\",\"version\":\"1.0.0\",\"title\":\"Rules of the simulation\",\"columns\":{\"id\":{\"type\":\"text\"},"
    "\"lei\":{\"type\":\"text\"},\"name\":{\"type\":\"text\"}},\"identity\":[\"id\"],\"rules\":["
    "{\"id\":\"SIM.ID\",\"title\":\"Every record has an id\",\"severity\":\"critical\",\"check\":\"not_null\",\"with\":{\"column\":\"id\"}},"
    "{\"id\":\"SIM.LEI\",\"title\":\"LEI with its check digits\",\"severity\":\"high\",\"min_coverage\":\"0\",\"check\":\"lei\",\"with\":{\"column\":\"lei\"}},"
    "{\"id\":\"SIM.NAME\",\"title\":\"A name has 2 to 12 characters\",\"severity\":\"low\",\"min_coverage\":\"0\",\"check\":\"length\","
    "\"with\":{\"column\":\"name\",\"min\":2,\"max\":12}}]}";

/* ---- records ---- */

/* An identifier with its check digits (ISO 7064, 97-10), or with wrong ones. */
static void make_lei(char out[21], uint32_t number, bool right)
{
    unsigned rest = 0;
    snprintf(out, 21, "529900T8BM49A%05u", number % 100000);
    for (int i = 0; i < 18; i++) {
        unsigned digit = out[i] <= '9' ? (unsigned)(out[i] - '0') : (unsigned)(out[i] - 'A' + 10);
        rest = digit > 9 ? (rest * 100 + digit) % 97 : (rest * 10 + digit) % 97;
    }
    unsigned check = 98 - rest * 100 % 97;
    if (!right)
        check = check % 90 + 3; /* never the same */
    snprintf(out + 18, 3, "%02u", check);
}

static bool is_right(uint32_t i)
{
    return i % 7 != 3 && i % 11 != 5;
}

static const char *name_of(uint32_t i)
{
    static const char *const names[] = {"Alpha", "Beta Works", "", "A name that is too long", "Delta", "E"};
    return names[i % MU_COUNT(names)];
}

static struct template *add_template(enum template_kind kind, const char *name)
{
    struct template *t = &templates[template_count++];
    *t = (struct template){.kind = kind};
    snprintf(t->name, sizeof(t->name), "%s", name);
    return t;
}

static void make_records(uint32_t number)
{
    char name[24], lei[21];
    static const char *const priorities[] = {"normal", "high", "normal", "low"};
    MU_AUTO(mu_text_free) struct mu_text t = {0};
    snprintf(name, sizeof(name), "records-%u", number);
    struct template *of = add_template(JOB_RECORDS, name);
    mu_text_addf(&t, "\"pack\":\"sim@1\",\"as_of\":\"2026-11-20\",\"priority\":\"%s\",\"records\":[", priorities[number / 6 % 4]);
    for (uint32_t i = 0; i < 1 + number % 5; i++) {
        uint32_t k = number * 13 + i;
        make_lei(lei, k, is_right(k));
        of->wrong += !is_right(k);
        mu_text_addf(&t, "%s{\"id\":\"r%u\",\"lei\":\"%s\",\"name\":\"%s\"}", i ? "," : "", k, lei, name_of(k));
    }
    mu_text_putc(&t, ']');
    of->body = strdup(t.at);
}

static bool write_file(const char *folder, const char *name, struct mu_span bytes, struct mu_error *err)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (!f)
        return mu_fail(err, MU_BROKEN, "could not write %s: %s", path, strerror(errno));
    bool done = fwrite(bytes.at, 1, bytes.len, f) == bytes.len;
    return (fclose(f) == 0 && done) || mu_fail(err, MU_BROKEN, "could not write %s", path);
}

static bool make_file(const char *folder, enum template_kind kind, const char *name, uint32_t records, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text t = {0};
    char file[60], lei[21], body[200];
    struct template *of = add_template(kind, name);
    mu_text_puts(&t, "id,lei,name\n");
    for (uint32_t i = 0; i < records; i++) {
        bool quoted = i % 17 == 9; /* a line end inside quotes is no boundary */
        make_lei(lei, i, i % 29 != 3);
        of->wrong += i % 29 == 3;
        mu_text_addf(&t, "row-%06u,%s,%s%s%s\n", i, lei, quoted ? "\"with\n" : "", i % 31 == 7 ? "x" : "Some name", quoted ? "\"" : "");
    }
    snprintf(file, sizeof(file), "data/%s.csv", name);
    snprintf(body, sizeof(body), "\"pack\":\"sim@1\",\"as_of\":\"2026-11-20\",\"source\":{\"uri\":\"file:%s.csv\"}", name);
    of->body = strdup(body);
    return write_file(folder, file, mu_text_span(&t), err);
}

bool workload_make(const char *folder, struct mu_error *err)
{
    static const char *const below[] = {"lists", "packs", "data"};
    char path[600];
    for (size_t i = 0; i < MU_COUNT(below); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, below[i]);
        if (mkdir(path, 0700) != 0)
            return mu_fail(err, MU_BROKEN, "could not make %s: %s", path, strerror(errno));
    }
    for (uint32_t i = 0; i < SMALL; i++)
        make_records(i);
    if (!write_file(folder, "packs/sim@1.0.0.json", mu_span_of(pack), err) ||
        !make_file(folder, JOB_LONG, "long", LONG_RECORDS, err) || !make_file(folder, JOB_PLANNED, "planned", PLANNED_RECORDS, err))
        return false;
    add_template(JOB_MISSING, "missing")->body = strdup("\"pack\":\"sim@1\",\"as_of\":\"2026-11-20\",\"source\":{\"uri\":\"file:not-there.csv\"}");
    add_template(JOB_POISON, "poison")->body =
        strdup("\"pack\":\"sim@1\",\"as_of\":\"2026-11-20\",\"records\":[{\"id\":\"POISON\",\"lei\":\"\",\"name\":\"\"}]");
    return true;
}

size_t template_find(const char *name)
{
    size_t i = 0;
    while (i < template_count && strcmp(templates[i].name, name) != 0)
        i++;
    return i < template_count ? i : (abort(), 0);
}

size_t template_any(enum template_kind kind)
{
    size_t matching[TEMPLATES_MAX], count = 0;
    for (size_t i = 0; i < template_count; i++)
        if (templates[i].kind == kind)
            matching[count++] = i;
    return matching[chance_below((uint32_t)count)];
}

/* ---- submissions ---- */

void workload_begin(void)
{
    memset(submissions, 0, sizeof(submissions));
    submission_count = 0;
}

struct submission *workload_add(enum door door, int64_t at_us)
{
    if (submission_count == SUBMISSIONS_MAX)
        abort();
    struct submission *s = &submissions[submission_count++];
    *s = (struct submission){.door = door, .at_us = world_now() + at_us};
    return s;
}

void workload_put(struct submission *s, size_t template)
{
    if (s->count == MEMBERS_MAX)
        return;
    snprintf(s->keys[s->count], sizeof(s->keys[0]), "key-%zu-%zu", (size_t)(s - submissions), s->count);
    s->template[s->count++] = template;
}

bool workload_all_acknowledged(void)
{
    for (size_t i = 0; i < submission_count; i++)
        if (!submissions[i].acknowledged)
            return false;
    return true;
}

/* ---- the submitter: each submission is a fibre of its process, with a bus of its own ---- */

struct sending {
    struct submission *s;
    struct mu_bus *bus;
};

static void write_body(const struct submission *s, struct mu_text *t)
{
    if (s->door == DOOR_ARRAY)
        mu_text_putc(t, '[');
    for (size_t i = 0; i < s->count; i++) {
        mu_text_addf(t, "%s{\"id\":\"%s\",%s%s}", i ? "," : "", s->keys[i], templates[s->template[i]].body, s->invalid ? ",\"nonsense\":1" : "");
    }
    if (s->door == DOOR_ARRAY)
        mu_text_putc(t, ']');
}

static void note_job(struct submission *s, size_t i, struct mu_span id)
{
    char text[MU_ID_MAX];
    if (i >= s->count || !mu_copy_text(text, sizeof(text), id)) {
        broken("a receipt has an id too many");
        return;
    }
    if (s->job_ids[i][0] && strcmp(s->job_ids[i], text) != 0 && !database_last_restore())
        broken("key %s was answered with job %s and with job %s", s->keys[i], s->job_ids[i], text);
    snprintf(s->job_ids[i], sizeof(s->job_ids[i]), "%s", text);
}

/* Did it go well? What is refused for another reason than an absent service breaks a promise. */
static bool read_receipt(struct submission *s, struct mu_span body)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    size_t i;
    json_t *id;
    if (!mu_json_parse(&doc, body, 1 << 20, NULL)) {
        broken("a receipt is no JSON: %.*s", (int)body.len, body.at);
        return false;
    }
    if (!mu_json_bool(doc, "ok", false) || (s->door == DOOR_ARRAY && mu_json_int(doc, "rejected", 0))) {
        const json_t *error = json_object_get(doc, "error");
        const char *code = mu_json_text(error, "code");
        if (code && strcmp(code, "unavailable") == 0) {
            const char *hint = mu_json_text(error, "hint");
            s->denials += hint && strstr(hint, "nothing is stored");
            return false;
        }
        broken("a good submission was refused: %.*s", (int)body.len, body.at);
        return false;
    }
    if (s->door != DOOR_ARRAY) {
        note_job(s, 0, mu_json_span(doc, "job_id"));
        return true;
    }
    json_array_foreach(json_object_get(doc, "job_ids"), i, id)
        note_job(s, i, mu_span(json_string_value(id), json_string_length(id)));
    return true;
}

static bool send_once(struct sending *x)
{
    struct submission *s = x->s;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text body = {0};
    write_body(s, &body);
    if (!s->sent_us)
        s->sent_us = world_now();
    if (s->door == DOOR_INTAKE) {
        struct mu_puback ack;
        return mu_bus_publish(x->bus, MU_STREAM_INTAKE, MU_SUBJECT_INTAKE, s->keys[0], mu_text_span(&body), NULL, 0, 3000, &ack, &err);
    }
    MU_AUTO(mu_message_free) struct mu_message *answer = NULL;
    return mu_bus_request(x->bus, MU_SUBJECT_API "submit", mu_text_span(&body), NULL, 0, 4000, &answer, &err) && read_receipt(s, answer->body);
}

static void send_until_acknowledged(struct sending *x)
{
    while (!send_once(x))
        (void)fibre_wait(world_now() + chance_between(150000, 1200000));
}

static void run_sending(void *ctx)
{
    struct sending *x = ctx;
    struct submission *s = x->s;
    const struct mu_bus_options options = {.url = "simulated", .role = "submitter", .name = "submitter"};
    struct mu_error err = {0};
    (void)fibre_wait(s->at_us);
    while (!mu_bus_open(&x->bus, &options, &err)) {
        mu_error_clear(&err);
        (void)fibre_wait(world_now() + 500000);
    }
    send_until_acknowledged(x);
    s->acknowledged = true;
    s->acknowledged_us = world_now();
    trace("submission %zu is acknowledged", (size_t)(s - submissions));
    if (s->again) {
        (void)fibre_wait(world_now() + chance_between(10000, 4000000));
        send_until_acknowledged(x);
    }
}

int run_submitter(struct process *p)
{
    for (size_t i = 0; i < submission_count; i++) {
        struct sending *x = world_alloc(sizeof(*x));
        x->s = &submissions[i];
        fibre_new(p, run_sending, x);
    }
    (void)fibre_wait(NEVER);
    return 0;
}
