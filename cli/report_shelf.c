/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>

#define FILE_BYTES_MAX ((size_t)256 << 10)

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

bool report_shelf_open(struct report_shelf *out, const char *directory, struct mu_error *err)
{
    MU_AUTO(report_shelf_free) struct report_shelf s = {0};
    DIR *dir = opendir(directory);
    if (!dir) {
        mu_reject(err, "not_found", "", "no reports in %s: %s", directory, strerror(errno));
        return mu_hint(err, "data.examples names their directory");
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t len = strlen(entry->d_name);
        if (len < 5 || len - 4 >= REPORT_NAME_MAX || strcmp(entry->d_name + len - 4, ".sql") != 0 || entry->d_name[0] == '.')
            continue;
        void *grown = realloc(s.names, (s.count + 1) * sizeof(*s.names));
        if (!grown) {
            closedir(dir);
            return mu_fail(err, MU_BROKEN, "out of memory");
        }
        s.names = grown;
        (void)snprintf(s.names[s.count++], REPORT_NAME_MAX, "%.*s", (int)len - 4, entry->d_name);
    }
    closedir(dir);
    if (s.count)
        qsort(s.names, s.count, sizeof(*s.names), by_name);
    *out = s;
    s = (struct report_shelf){0};
    return true;
}

void report_shelf_free(struct report_shelf *s)
{
    free(s->names);
    *s = (struct report_shelf){0};
}

void report_file_free(struct report_file *f)
{
    mu_text_free(&f->text);
}

int report_distance(const char *word, const char *name)
{
    size_t len = strlen(name), rows = strlen(word);
    int row[REPORT_NAME_MAX + 1];
    if (len > REPORT_NAME_MAX || rows > REPORT_NAME_MAX)
        return 99;
    if (rows >= 4 && strncmp(word, name, rows) == 0)
        return 1; /* its beginning */
    for (size_t j = 0; j <= len; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= rows; i++) {
        int corner = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= len; j++) {
            int change = corner + (word[i - 1] != name[j - 1]), gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            corner = row[j];
            row[j] = change < gap ? change : gap;
        }
    }
    return row[len];
}

static bool not_found(const char *directory, const char *word, struct mu_error *err)
{
    MU_AUTO(report_shelf_free) struct report_shelf shelf = {0};
    const char *near = NULL;
    int least = 4;
    if (!report_shelf_open(&shelf, directory, err))
        return false;
    for (size_t i = 0; i < shelf.count; i++) {
        int distance = report_distance(word, shelf.names[i]);
        if (distance < least) {
            least = distance;
            near = shelf.names[i];
        }
    }
    mu_reject(err, "not_found", "", "there is no report \"%s\" in %s", word, directory);
    if (near)
        return mu_hint(err, "did you mean %s? `muster report` shows all", near);
    return mu_hint(err, "`muster report` shows all");
}

bool report_file_open(struct report_file *out, const char *directory, const char *word, struct mu_error *err)
{
    size_t len = strlen(word);
    bool is_path = strchr(word, '/') || (len > 4 && strcmp(word + len - 4, ".sql") == 0);
    const char *slash = strrchr(word, '/'), *base = is_path && slash ? slash + 1 : word;
    size_t base_len = strlen(base);
    if (is_path && base_len > 4 && strcmp(base + base_len - 4, ".sql") == 0)
        base_len -= 4;
    MU_AUTO(report_file_free) struct report_file f = {.text = MU_TEXT(FILE_BYTES_MAX)};
    MU_AUTO(mu_text_free) struct mu_text path = MU_TEXT(0);
    struct mu_error why = {0};
    if (is_path)
        mu_text_puts(&path, word);
    else
        mu_text_addf(&path, "%s/%s.sql", directory, word);
    if (!mu_text_ok(&path, err))
        return false;
    if (!mu_copy_text(f.name, sizeof(f.name), mu_span(base, base_len)) || !mu_file_read(path.at, FILE_BYTES_MAX, &f.text, &why)) {
        if (!is_path && (!f.name[0] || mu_span_is(mu_span_of(why.code), "not_found")))
            return not_found(directory, word, err);
        *err = why;
        return false;
    }
    if (memchr(f.text.at, '\0', f.text.len))
        return mu_reject(err, "invalid", "", "%s: it is no text", path.at);
    if (!mu_report_parse(&f.header, mu_text_span(&f.text), err))
        return mu_while(err, "%s", path.at);
    *out = f;
    f.text = (struct mu_text){0};
    return true;
}
