/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#define COLUMNS_MAX 12

struct cli_table {
    size_t columns, rows;
    int width[COLUMNS_MAX];
    char **cells; /* row by row, the headings first */
};

int cli_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

struct cli_table *cli_table_new(const char *const *headings, size_t columns)
{
    struct cli_table *t = columns <= COLUMNS_MAX ? calloc(1, sizeof(*t)) : NULL;
    if (!t)
        return NULL;
    t->columns = columns;
    cli_table_add(t, headings);
    return t;
}

void cli_table_add(struct cli_table *t, const char *const *cells)
{
    char **grown = t ? realloc(t->cells, (t->rows + 1) * t->columns * sizeof(*grown)) : NULL;
    if (!grown)
        return;
    t->cells = grown;
    for (size_t i = 0; i < t->columns; i++) {
        char *copy = strdup(cells[i] ? cells[i] : "");
        t->cells[t->rows * t->columns + i] = copy;
        int width = copy ? cli_width(copy) : 0;
        if (width > t->width[i])
            t->width[i] = width;
    }
    t->rows++;
}

void cli_table_print(const struct cli_table *t)
{
    cli_table_write(t, stdout);
}

void cli_table_write(const struct cli_table *t, FILE *to)
{
    for (size_t row = 0; t && row < t->rows; row++) {
        for (size_t i = 0; i < t->columns; i++) {
            const char *cell = t->cells[row * t->columns + i];
            int pad = i + 1 < t->columns ? t->width[i] - cli_width(cell ? cell : "") + 2 : 0;
            fprintf(to, "%s%*s", cell ? cell : "", pad, "");
        }
        fputc('\n', to);
    }
}

void cli_table_free(struct cli_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->rows * t->columns; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

const char *cli_thousands(int64_t value, char out[32])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)value);
    int to = 0;
    for (int i = 0; i < len; i++) {
        if (i && digits[i - 1] != '-' && (len - i) % 3 == 0)
            out[to++] = ',';
        out[to++] = digits[i];
    }
    out[to] = '\0';
    return out;
}

const char *cli_duration(int64_t ms, char out[32])
{
    if (ms < 1000)
        snprintf(out, 32, "%lld ms", (long long)ms);
    else if (ms < 120000)
        snprintf(out, 32, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
    else
        snprintf(out, 32, "%lld min %lld s", (long long)(ms / 60000), (long long)(ms / 1000 % 60));
    return out;
}
