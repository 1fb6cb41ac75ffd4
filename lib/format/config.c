/* SPDX-License-Identifier: Apache-2.0 */
#include "format/config.h"
#include "format/config_keys.h"

#include <ctype.h>
#include <errno.h>
#include <libconfig.h>

const char *mu_key_type_name(enum mu_key_type type)
{
    switch (type) {
    case MU_KEY_BOOL:
        return "boolean";
    case MU_KEY_DURATION:
        return "duration";
    case MU_KEY_INT:
        return "number";
    case MU_KEY_LIST:
        return "list";
    case MU_KEY_SECRET:
        return "secret";
    case MU_KEY_SIZE:
        return "size";
    case MU_KEY_TEXT:
        return "text";
    }
    return "";
}

static void *place(struct mu_config *c, const struct mu_key *key)
{
    return (char *)c + key->offset;
}

static void free_list(struct mu_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->at[i]);
    list->count = 0;
}

/* A number with one of the units behind it. */
static bool parse_unit(struct mu_span text, enum mu_key_type type, int64_t *out)
{
    static const struct { const char *name; enum mu_key_type type; int64_t factor; } units[] = {
        {"ms", MU_KEY_DURATION, 1}, {"s", MU_KEY_DURATION, 1000}, {"m", MU_KEY_DURATION, 60000},
        {"h", MU_KEY_DURATION, 3600000}, {"d", MU_KEY_DURATION, 86400000},
        {"w", MU_KEY_DURATION, 604800000}, {"y", MU_KEY_DURATION, INT64_C(31622400000)}, {"", MU_KEY_SIZE, 1},
        {"KiB", MU_KEY_SIZE, 1024}, {"MiB", MU_KEY_SIZE, 1048576}, {"GiB", MU_KEY_SIZE, 1073741824},
        {"TiB", MU_KEY_SIZE, INT64_C(1099511627776)},
    };
    size_t digits = 0;
    int64_t number;
    while (digits < text.len && isdigit((unsigned char)text.at[digits]))
        digits++;
    if (!mu_parse_i64(mu_span(text.at, digits), 0, INT64_MAX, &number))
        return false;
    struct mu_span unit = mu_span(text.at + digits, text.len - digits);
    if (digits && !number && !unit.len) /* of nothing it does not matter what */
        return *out = 0, true;
    for (size_t i = 0; i < MU_COUNT(units); i++)
        if (units[i].type == type && mu_span_is(unit, units[i].name))
            return !__builtin_mul_overflow(number, units[i].factor, out);
    return false;
}

static bool wrong(const struct mu_key *key, struct mu_span text, const char *want, struct mu_error *err)
{
    if (key->type == MU_KEY_SECRET)
        return mu_reject(err, "invalid", "", "%s: %s", key->name, want);
    return mu_reject(err, "invalid", "", "%s: %s, got \"%.*s\"", key->name, want, (int)text.len, text.at);
}

static bool set_number(struct mu_config *c, const struct mu_key *key, struct mu_span text, struct mu_error *err)
{
    int64_t value;
    char want[160];
    bool readable = key->type == MU_KEY_INT ? mu_parse_i64(text, INT64_MIN, INT64_MAX, &value)
                                            : parse_unit(text, key->type, &value);
    if (!readable)
        return wrong(key, text, key->type == MU_KEY_INT ? "want a whole number"
                                : key->type == MU_KEY_SIZE ? "want a size like 64KiB, 8MiB or 4GiB"
                                                           : "want a time like 500ms, 10s, 5m, 1h, 90d or 7y", err);
    if (value < key->least || value > key->most) {
        snprintf(want, sizeof(want), "want %lld to %lld%s", (long long)key->least, (long long)key->most,
                 key->type == MU_KEY_SIZE ? " bytes" : key->type == MU_KEY_DURATION ? " ms" : "");
        return wrong(key, text, want, err);
    }
    *(int64_t *)place(c, key) = value;
    return true;
}

static bool set_text(struct mu_config *c, const struct mu_key *key, struct mu_span text, struct mu_error *err)
{
    char want[80];
    if ((int64_t)text.len < key->least || (int64_t)text.len > key->most) {
        snprintf(want, sizeof(want), "want %lld to %lld characters", (long long)key->least, (long long)key->most);
        return wrong(key, text, want, err);
    }
    char *copy = strndup(text.at, text.len);
    if (!copy)
        return mu_fail(err, MU_BROKEN, "out of memory");
    char **to = place(c, key);
    free(*to);
    *to = copy;
    return true;
}

static bool add_to_list(struct mu_list *list, const struct mu_key *key, struct mu_span text, struct mu_error *err)
{
    if (!text.len || (key->most && (int64_t)text.len > key->most))
        return wrong(key, text, "an element is empty or too long", err);
    if (list->count == MU_QUEUES_MAX)
        return mu_reject(err, "invalid", "", "%s: more than %d elements", key->name, MU_QUEUES_MAX);
    char *copy = strndup(text.at, text.len);
    if (!copy)
        return mu_fail(err, MU_BROKEN, "out of memory");
    list->at[list->count++] = copy;
    return true;
}

/* "a,b,c" of the environment and of options. */
static bool set_list(struct mu_config *c, const struct mu_key *key, struct mu_span text, struct mu_error *err)
{
    struct mu_list list = {.count = 0}, *to = place(c, key);
    while (text.len) {
        const char *comma = memchr(text.at, ',', text.len);
        size_t len = comma ? (size_t)(comma - text.at) : text.len;
        if (!add_to_list(&list, key, mu_span(text.at, len), err)) {
            free_list(&list);
            return false;
        }
        text = mu_span(text.at + len + (comma != NULL), text.len - len - (comma != NULL));
    }
    free_list(to);
    *to = list;
    return true;
}

static bool set_value(struct mu_config *c, const struct mu_key *key, struct mu_span text, const char *origin,
                      struct mu_error *err)
{
    bool done = false;
    switch (key->type) {
    case MU_KEY_BOOL:
        if (!mu_span_is(text, "true") && !mu_span_is(text, "false"))
            return wrong(key, text, "want true or false", err);
        *(bool *)place(c, key) = mu_span_is(text, "true");
        done = true;
        break;
    case MU_KEY_DURATION:
    case MU_KEY_INT:
    case MU_KEY_SIZE:
        done = set_number(c, key, text, err);
        break;
    case MU_KEY_LIST:
        done = set_list(c, key, text, err);
        break;
    case MU_KEY_SECRET:
    case MU_KEY_TEXT:
        done = set_text(c, key, text, err);
        break;
    }
    if (done)
        c->origin[key - mu_config_keys] = origin;
    return done;
}

static const struct mu_key *find_key(struct mu_span name)
{
    for (size_t i = 0; i < mu_config_key_count; i++)
        if (mu_span_is(name, mu_config_keys[i].name))
            return &mu_config_keys[i];
    return NULL;
}

/* A setting of the file as text, so that all sources share one parser. */
static bool set_from_file(struct mu_config *c, const struct mu_key *key, const config_setting_t *setting,
                          struct mu_error *err)
{
    char number[32];
    const char *text = number;
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        snprintf(number, sizeof(number), "%lld", config_setting_get_int64(setting));
        break;
    case CONFIG_TYPE_BOOL:
        text = config_setting_get_bool(setting) ? "true" : "false";
        break;
    case CONFIG_TYPE_STRING:
        text = config_setting_get_string(setting);
        break;
    case CONFIG_TYPE_ARRAY:
    case CONFIG_TYPE_LIST: {
        struct mu_list list = {.count = 0}, *to = place(c, key);
        if (key->type != MU_KEY_LIST)
            return mu_reject(err, "invalid", "", "%s: want one %s, got a list", key->name, mu_key_type_name(key->type));
        for (int i = 0; i < config_setting_length(setting); i++) {
            const char *element = config_setting_get_string_elem(setting, i);
            if (!element || !add_to_list(&list, key, mu_span_of(element), err)) {
                free_list(&list);
                return mu_reject(err, "invalid", "", "%s: want a list of texts", key->name);
            }
        }
        free_list(to);
        *to = list;
        c->origin[key - mu_config_keys] = "file";
        return true;
    }
    default:
        return mu_reject(err, "invalid", "", "%s: want a %s", key->name, mu_key_type_name(key->type));
    }
    return set_value(c, key, mu_span_of(text), "file", err);
}

/* The key that is nearest in spelling, for the hint. */
static const char *similar(const char *name)
{
    const char *best = NULL;
    size_t most = 3;
    for (size_t i = 0; i < mu_config_key_count; i++) {
        size_t same = 0;
        while (name[same] && name[same] == mu_config_keys[i].name[same])
            same++;
        if (same > most) {
            most = same;
            best = mu_config_keys[i].name;
        }
    }
    return best;
}

static bool unknown(const char *name, struct mu_error *err)
{
    const char *near = similar(name);
    mu_reject(err, "invalid", "", "unknown setting %s", name);
    return near ? mu_hint(err, "is %s meant? --help-config shows all", near) : mu_hint(err, "--help-config shows all");
}

static bool read_section(struct mu_config *c, const config_setting_t *section, struct mu_error *err)
{
    const char *name = config_setting_name(section);
    if (config_setting_type(section) != CONFIG_TYPE_GROUP)
        return unknown(name, err);
    for (int i = 0; i < config_setting_length(section); i++) {
        const config_setting_t *setting = config_setting_get_elem(section, (unsigned)i);
        char full[128];
        snprintf(full, sizeof(full), "%s.%s", name, config_setting_name(setting));
        const struct mu_key *key = find_key(mu_span_of(full));
        if (key ? !set_from_file(c, key, setting, err) : !unknown(full, err))
            return mu_while(err, "line %d", config_setting_source_line(setting));
    }
    return true;
}

static bool read_file(struct mu_config *c, const char *path, struct mu_error *err)
{
    config_t file;
    FILE *in = fopen(path, "r");
    if (!in)
        return mu_reject(err, "not_found", "", "could not open the configuration %s: %s", path, strerror(errno));
    config_init(&file);
    bool done = config_read(&file, in) == CONFIG_TRUE;
    fclose(in);
    if (!done) {
        mu_reject(err, "malformed", "", "%s: line %d: %s", path, config_error_line(&file), config_error_text(&file));
    } else {
        const config_setting_t *root = config_root_setting(&file);
        for (int i = 0; done && i < config_setting_length(root); i++)
            done = read_section(c, config_setting_get_elem(root, (unsigned)i), err);
        if (!done)
            mu_while(err, "%s", path);
    }
    config_destroy(&file);
    return done;
}

static void environment_name(const struct mu_key *key, char out[80])
{
    size_t len = (size_t)snprintf(out, 80, "MUSTER_%s", key->name);
    for (size_t i = 0; i < len; i++)
        out[i] = out[i] == '.' ? '_' : (char)toupper((unsigned char)out[i]);
}

static bool read_environment(struct mu_config *c, struct mu_error *err)
{
    for (size_t i = 0; i < mu_config_key_count; i++) {
        char name[80];
        environment_name(&mu_config_keys[i], name);
        const char *text = getenv(name);
        if (text && !set_value(c, &mu_config_keys[i], mu_span_of(text), "environment", err))
            return mu_while(err, "%s", name);
    }
    return true;
}

/* The variables of the nats command line stand below ours; a login is taken whole or not at all. */
static bool read_nats_environment(struct mu_config *c, struct mu_error *err)
{
    static const struct { const char *variable, *key; } logins[] = {
        {"NATS_CREDS", "nats.creds"}, {"NATS_NKEY", "nats.nkey"}, {"NATS_TOKEN", "nats.token"},
        {"NATS_USER", "nats.user"}, {"NATS_PASSWORD", "nats.password"}};
    const char *url = getenv("NATS_URL");
    if (url && url[0] && !set_value(c, find_key(mu_span_of("nats.url")), mu_span_of(url), "NATS_URL", err))
        return mu_while(err, "NATS_URL");
    for (size_t i = 0; i < MU_COUNT(logins); i++) {
        const char *value = getenv(logins[i].variable);
        if (!value || !value[0])
            continue;
        if (!set_value(c, find_key(mu_span_of(logins[i].key)), mu_span_of(value), logins[i].variable, err))
            return mu_while(err, "%s", logins[i].variable);
        if (i < 3)
            break;
    }
    return true;
}

static bool read_option(struct mu_config *c, const char *option, struct mu_error *err)
{
    const char *equals = strchr(option, '=');
    if (!equals)
        return mu_reject(err, "invalid", "", "--set %s: want KEY=VALUE", option);
    const struct mu_key *key = find_key(mu_span(option, (size_t)(equals - option)));
    if (!key) {
        char name[128];
        snprintf(name, sizeof(name), "%.*s", (int)(equals - option), option);
        return unknown(name, err);
    }
    return set_value(c, key, mu_span_of(equals + 1), "option", err);
}

bool mu_config_load(struct mu_config *out, const char *file, const char *const *argv_sets, size_t set_count,
                    struct mu_error *err)
{
    struct mu_config c;
    memset(&c, 0, sizeof(c));
    bool done = true;
    for (size_t i = 0; done && i < mu_config_key_count; i++)
        done = set_value(&c, &mu_config_keys[i], mu_span_of(mu_config_keys[i].otherwise), "default", err);
    done = done && (!file || !file[0] || read_file(&c, file, err)) && read_nats_environment(&c, err) &&
           read_environment(&c, err);
    for (size_t i = 0; done && i < set_count; i++)
        done = read_option(&c, argv_sets[i], err);
    if (!done) {
        mu_config_fini(&c);
        return false;
    }
    *out = c;
    return true;
}

void mu_config_fini(struct mu_config *c)
{
    for (size_t i = 0; i < mu_config_key_count; i++) {
        const struct mu_key *key = &mu_config_keys[i];
        char **text = place(c, key);
        if (key->type == MU_KEY_LIST) {
            free_list(place(c, key));
        } else if (key->type == MU_KEY_TEXT || key->type == MU_KEY_SECRET) {
            free(*text);
            *text = NULL;
        }
    }
}

/* A limit in the unit in which people write it. */
static void add_limit(struct mu_text *out, const struct mu_key *key, int64_t value)
{
    static const struct { int64_t factor; const char *unit; } sizes[] = {
        {INT64_C(1099511627776), "TiB"}, {1073741824, "GiB"}, {1048576, "MiB"}, {1024, "KiB"}, {1, ""}};
    static const struct { int64_t factor; const char *unit; } times[] = {
        {INT64_C(31622400000), "y"}, {86400000, "d"}, {3600000, "h"}, {1000, "s"}, {1, "ms"}};
    if (key->type == MU_KEY_SIZE && value)
        for (size_t i = 0; i < MU_COUNT(sizes); i++)
            if (value % sizes[i].factor == 0) {
                mu_text_addf(out, "%lld%s", (long long)(value / sizes[i].factor), sizes[i].unit);
                return;
            }
    if (key->type == MU_KEY_DURATION && value)
        for (size_t i = 0; i < MU_COUNT(times); i++)
            if (value % times[i].factor == 0) {
                mu_text_addf(out, "%lld%s", (long long)(value / times[i].factor), times[i].unit);
                return;
            }
    mu_text_add_i64(out, value);
}

static void add_limits(struct mu_text *out, const struct mu_key *key)
{
    if (key->type == MU_KEY_BOOL || key->type == MU_KEY_LIST || key->type == MU_KEY_SECRET || key->type == MU_KEY_TEXT) {
        mu_text_puts(out, mu_key_type_name(key->type));
        return;
    }
    add_limit(out, key, key->least);
    mu_text_puts(out, "..");
    add_limit(out, key, key->most);
}

void mu_config_help(struct mu_text *out)
{
    for (size_t i = 0; i < mu_config_key_count; i++) {
        const struct mu_key *key = &mu_config_keys[i];
        MU_AUTO(mu_text_free) struct mu_text limits = {0};
        add_limits(&limits, key);
        mu_text_addf(out, "%-26s %-20s %-22s %s\n", key->name, key->otherwise[0] ? key->otherwise : "-", limits.at,
                     key->sentence);
    }
}

void mu_config_markdown(struct mu_text *out)
{
    mu_text_puts(out, "| setting | default | limits | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < mu_config_key_count; i++) {
        const struct mu_key *key = &mu_config_keys[i];
        const char *otherwise = key->otherwise;
        size_t prefix = strlen(MUSTER_DATADIR);
        mu_text_addf(out, "| `%s` | ", key->name);
        if (strncmp(otherwise, MUSTER_DATADIR, prefix) == 0)
            mu_text_addf(out, "`DATADIR%s`", otherwise + prefix);
        else if (otherwise[0])
            mu_text_addf(out, "`%s`", otherwise);
        mu_text_puts(out, " | ");
        add_limits(out, key);
        mu_text_addf(out, " | %s |\n", key->sentence);
    }
}

void mu_config_show(const struct mu_config *c, struct mu_text *out)
{
    struct mu_config *values;
    memcpy(&values, &c, sizeof(values)); /* place() serves readers and writers */
    for (size_t i = 0; i < mu_config_key_count; i++) {
        const struct mu_key *key = &mu_config_keys[i];
        const void *at = place(values, key);
        mu_text_addf(out, "%-26s ", key->name);
        switch (key->type) {
        case MU_KEY_BOOL:
            mu_text_puts(out, *(const bool *)at ? "true" : "false");
            break;
        case MU_KEY_DURATION:
        case MU_KEY_INT:
        case MU_KEY_SIZE:
            add_limit(out, key, *(const int64_t *)at);
            break;
        case MU_KEY_LIST:
            for (size_t k = 0; k < ((const struct mu_list *)at)->count; k++)
                mu_text_addf(out, "%s%s", k ? "," : "", ((const struct mu_list *)at)->at[k]);
            break;
        case MU_KEY_SECRET:
            mu_text_puts(out, (*(char *const *)at)[0] ? "(set, not shown)" : "");
            break;
        case MU_KEY_TEXT:
            mu_text_puts(out, *(char *const *)at);
            break;
        }
        mu_text_addf(out, " (%s)\n", c->origin[i]);
    }
}
