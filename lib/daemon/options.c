/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/options.h"
#include "base/log.h"
#include "daemon/daemon.h"

#include <getopt.h>

static void help(const char *program, const char *summary)
{
    printf("usage: %s [OPTION…]\n%s\n\n"
           "  -c, --config FILE     libconfig file (default: none)\n"
           "      --set KEY=VALUE   one setting, over file and environment\n"
           "      --check-config    print every setting with its origin, and end\n"
           "      --help-config     the table of settings\n"
           "      --log-level L     debug, info, warning, error\n"
           "      --log-format F    auto, text, json\n"
           "      --help, --version\n\n"
           "Settings may also come from the environment: MUSTER_NATS_URL is nats.url. Exit status: 0 stopped as asked,\n"
           "1 fault, 2 usage, 3 configuration.\n",
           program, summary);
}

static void help_config(void)
{
    MU_AUTO(mu_text_free) struct mu_text text = {0};
    mu_config_help(&text);
    fwrite(text.at ? text.at : "", 1, text.len, stdout);
}

bool mu_options_parse(struct mu_options *out, int argc, char **argv, const char *program, const char *summary,
                      int *status)
{
    enum { SET = 256, CHECK, HELP_CONFIG, LEVEL, FORMAT, HELP, VERSION };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},   {"set", required_argument, NULL, SET},
        {"check-config", no_argument, NULL, CHECK}, {"help-config", no_argument, NULL, HELP_CONFIG},
        {"log-level", required_argument, NULL, LEVEL}, {"log-format", required_argument, NULL, FORMAT},
        {"help", no_argument, NULL, HELP},          {"version", no_argument, NULL, VERSION},
        {0}};
    static char level[64], format[64];
    *out = (struct mu_options){0};
    for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        const char *set = NULL;
        switch (option) {
        case 'c':
            out->config = optarg;
            break;
        case SET:
            set = optarg;
            break;
        case LEVEL:
            snprintf(level, sizeof(level), "log.level=%s", optarg);
            set = level;
            break;
        case FORMAT:
            snprintf(format, sizeof(format), "log.format=%s", optarg);
            set = format;
            break;
        case CHECK:
            out->check_only = true;
            break;
        case HELP_CONFIG:
            help_config();
            *status = MU_EXIT_OK;
            return false;
        case HELP:
            help(program, summary);
            *status = MU_EXIT_OK;
            return false;
        case VERSION:
            printf("%s %s\n", program, MUSTER_VERSION);
            *status = MU_EXIT_OK;
            return false;
        default: /* getopt has said what is wrong, in one line */
            *status = MU_EXIT_USAGE;
            return false;
        }
        if (set && out->set_count == MU_SETS_MAX) {
            fprintf(stderr, "%s: more than %d settings on the command line\n", program, MU_SETS_MAX);
            *status = MU_EXIT_USAGE;
            return false;
        }
        if (set)
            out->sets[out->set_count++] = set;
    }
    if (optind < argc) {
        fprintf(stderr, "%s: do not know what to do with \"%s\"; see --help\n", program, argv[optind]);
        *status = MU_EXIT_USAGE;
        return false;
    }
    return true;
}

bool mu_options_configure(const struct mu_options *o, const char *program, struct mu_config *config, int *status)
{
    struct mu_error err = {0};
    enum mu_level level = MU_INFO;
    if (!mu_config_load(config, o->config, o->sets, o->set_count, &err)) {
        fprintf(stderr, "%s: %s%s%s\n", program, err.text, err.hint[0] ? "; " : "", err.hint);
        *status = MU_EXIT_CONFIG;
        return false;
    }
    if (config->log_level && !mu_log_parse_level(config->log_level, &level)) {
        fprintf(stderr, "%s: log.level is \"%s\"; want debug, info, warning or error\n", program, config->log_level);
        mu_config_fini(config);
        *status = MU_EXIT_CONFIG;
        return false;
    }
    mu_log_open(program, level, config->log_format);
    if (!o->check_only)
        return true;
    MU_AUTO(mu_text_free) struct mu_text text = {0};
    mu_config_show(config, &text);
    fwrite(text.at ? text.at : "", 1, text.len, stdout);
    puts("configuration is fine");
    mu_config_fini(config);
    *status = MU_EXIT_OK;
    return false;
}
