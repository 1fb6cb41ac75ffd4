/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `muster report` share: the reports of a directory, and one that is being run. */
#ifndef MU_CLI_REPORT_H
#define MU_CLI_REPORT_H

#include "cli.h"
#include "format/report.h"
#include "outside/query.h"

#define REPORT_NAME_MAX 64
#define REPORT_PAGE_ROWS 10000 /* most rows of a page, unless --max says otherwise */

/* ---- report_shelf.c: reports as files ---- */

struct report_file {
    char name[REPORT_NAME_MAX];
    struct mu_text text; /* ends in NUL, as it is sent */
    struct mu_report header;
};
struct report_shelf {
    char (*names)[REPORT_NAME_MAX]; /* ascending */
    size_t count;
};
MU_MUST bool report_shelf_open(struct report_shelf *out, const char *directory, struct mu_error *err);
void report_shelf_free(struct report_shelf *s);
MU_DEFINE_AUTO_VALUE(struct report_shelf, report_shelf_free)
/* By name, or by the path of a file if the word has a slash or ends in .sql. MU_REJECTED with code "not_found" and the name
 * that is nearest in spelling. */
MU_MUST bool report_file_open(struct report_file *out, const char *directory, const char *word, struct mu_error *err);
void report_file_free(struct report_file *f);
MU_DEFINE_AUTO_VALUE(struct report_file, report_file_free)
/* Is `word` a slip of `name`? The smaller, the more alike; above 3: no. */
int report_distance(const char *word, const char *name);

/* ---- a run ---- */

struct report_run {
    const struct cli *cli;
    const struct report_file *file;
    char values[MU_REPORT_PARAMETERS_MAX][100]; /* of the parameters, as the server understood them */
    char database[64], at[24]; /* its name, and its time in UTC */
    int64_t max_rows;          /* of a page */
};

/* ---- report_rows.c: table, csv, json, jsonl ---- */
MU_MUST bool report_write_rows(const struct report_run *run, struct mu_query *q, struct mu_error *err);
/* A value as people read it: times to the second, yes and no. Text that is not ours is made visible by whoever shows it. */
void report_plain(enum mu_cell kind, struct mu_span value, struct mu_text *out);
bool report_is_number(enum mu_cell kind);

/* ---- report_page.c: html ---- */
MU_MUST bool report_write_page(const struct report_run *run, struct mu_query *q, struct mu_error *err);

#endif
