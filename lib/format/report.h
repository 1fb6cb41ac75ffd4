/* SPDX-License-Identifier: Apache-2.0 */
/* A report: a question in a file, one query, and above it in comments what people are told of it. psql sees comments,
 * `muster report` a title, parameters and charts. The form is fixed, so that a slip is an error with its line and no
 * remark that nobody reads; fields of a parameter, and the caption of a chart, stand behind two spaces or more:
 *
 *   -- title: Findings since a day
 *   -- question: What was found since a day, and by which rule? A line that is indented
 *   --   goes on with the one above it.
 *   -- parameter: since  day  default 30 days ago  first day of submission, UTC
 *   -- parameter: job  job  required  id or key of the job (where there is no default: required, or optional)
 *   -- chart: bar x=rule y=findings  Findings by rule
 *   -- chart: bar x=source y=*  How many rows each source has
 *   -- chart: line x=hour y=p50,p95 series=queue  Seconds of waiting
 *   --
 *   -- Other remarks, which are not read.
 *
 * The header ends at a line that is no comment, or an empty one. To change the form: the examples of sql/examples are
 * its only files of ours, but people keep their own; old headers must go on to be read. */
#ifndef MU_REPORT_H
#define MU_REPORT_H

#include "base/error.h"
#include "base/text.h"

#define MU_REPORT_PARAMETERS_MAX 8
#define MU_REPORT_CHARTS_MAX 4
#define MU_REPORT_Y_MAX 8
#define MU_REPORT_WORD_MAX 64 /* of PostgreSQL's names, with its NUL */

enum mu_parameter_kind { MU_PARAMETER_DAY, MU_PARAMETER_WHOLE, MU_PARAMETER_TEXT, MU_PARAMETER_JOB };

struct mu_parameter {
    char name[MU_REPORT_WORD_MAX];
    enum mu_parameter_kind kind;
    bool required;
    char fallback[80]; /* what holds if it is not given; the query says the same; "": nothing */
    char meaning[200];
};

struct mu_chart_plan {
    bool line; /* else bars */
    char x[MU_REPORT_WORD_MAX], series[MU_REPORT_WORD_MAX]; /* columns; no series: "" */
    char y[MU_REPORT_Y_MAX][MU_REPORT_WORD_MAX]; /* "*": each row is one */
    size_t y_count;
    char caption[160];
};

struct mu_report {
    char title[160], question[800];
    struct mu_parameter parameters[MU_REPORT_PARAMETERS_MAX];
    size_t parameter_count;
    struct mu_chart_plan charts[MU_REPORT_CHARTS_MAX];
    size_t chart_count;
};

/* Reads the header of a report's file. MU_REJECTED (invalid) with the line. *out is written on success only. */
MU_MUST bool mu_report_parse(struct mu_report *out, struct mu_span file, struct mu_error *err);
const struct mu_parameter *mu_report_parameter(const struct mu_report *r, struct mu_span name); /* NULL: it takes none */
const char *mu_parameter_kind_name(enum mu_parameter_kind kind); /* "day" */
const char *mu_parameter_kind_wants(enum mu_parameter_kind kind); /* what it takes, for people */

#endif
