/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

static const struct cli_option *find(const struct cli_option *options, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (mu_span_is(mu_span_of(word), options[i].name))
            return &options[i];
    return NULL;
}

static bool give(const struct cli_option *o, const char *value)
{
    if (o->text) {
        *o->text = value;
        return true;
    }
    if (o->values->count == CLI_VALUES_MAX) {
        cli_usage("%s may be given %d times", o->name, CLI_VALUES_MAX);
        return false;
    }
    o->values->at[o->values->count++] = value;
    return true;
}

bool cli_take_options(struct cli *cli, const char *verb, const struct cli_option *options, size_t count)
{
    int kept = 0;
    bool over = false;
    for (int i = 0; i < cli->argc; i++) {
        const char *word = cli->argv[i];
        const struct cli_option *o = over ? NULL : find(options, count, word);
        if (!over && mu_span_is(mu_span_of(word), "--")) {
            over = true;
        } else if (!o && (over || word[0] != '-' || !word[1])) {
            cli->argv[kept++] = cli->argv[i];
        } else if (!o) {
            cli_usage("%s: unknown option \"%s\"; see muster %s --help", verb, word, verb);
            return false;
        } else if (o->flag) {
            *o->flag = true;
        } else if (i + 1 == cli->argc) {
            cli_usage("%s: %s needs a value", verb, word);
            return false;
        } else if (!give(o, cli->argv[++i])) {
            return false;
        }
    }
    cli->argc = kept;
    return true;
}
