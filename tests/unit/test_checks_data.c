/* SPDX-License-Identifier: Apache-2.0 */
/* The checks over public files, with the numbers that were counted by other means, and against python-stdnum.
 * The files are no part of the tree: MUSTER_TEST_DATA says where they are. */
#include "check_rig.h"

#include <unistd.h>

struct tally {
    const char *label;
    int want_valid, want_other; /* as counted elsewhere */
    int valid, other;
};

static struct tally tallies[] = {
    {"equities_LSE isin", 1016, 0, 0, 0},
    {"equities_LSE cusip", 587, 0, 0, 0},
    {"equities_LSE figi", 759, 0, 0, 0},
    {"equities_LSE composite_figi", 851, 0, 0, 0},
    {"equities_LSE shareclass_figi", 2023, 0, 0, 0},
    {"equities_LSE currency", 3364, 0, 0, 0},
    {"equities_LSE mic", 3391, 0, 0, 0},
    {"equities_PAR isin", 245, 0, 0, 0},
    {"equities_PAR cusip", 39, 0, 0, 0},
    {"equities_PAR figi", 530, 0, 0, 0},
    {"equities_PAR composite_figi", 536, 0, 0, 0},
    {"equities_PAR shareclass_figi", 542, 0, 0, 0},
    {"equities_PAR currency", 960, 0, 0, 0},
    {"equities_PAR mic", 976, 0, 0, 0},
    {"etfs_LSE isin", 1478, 0, 0, 0},
    {"2025-09 lei", 2144, 0, 0, 0},
    {"2025-10 lei", 2149, 0, 0, 0},
    {"13f cusip", 255, 0, 0, 0},
    {"nport isin", 919, 0, 0, 0},
    {"nport lei", 1588, 0, 0, 0},
    {"nport cusip", 890, 0, 0, 0},
    {"iban registry", 89, 0, 0, 0},
};

static const char *data_folder(void)
{
    static char path[600];
    const char *given = getenv("MUSTER_TEST_DATA"), *source = getenv("MUSTER_SOURCE");
    if (given)
        return given;
    snprintf(path, sizeof path, "%s/../shared/data", source ? source : ".");
    return path;
}

static FILE *script(const char *python, const char *name, const char *arguments)
{
    char command[1400];
    const char *source = getenv("MUSTER_SOURCE");
    snprintf(command, sizeof command, "%s '%s/tests/unit/%s' %s", python, source ? source : ".", name,
             arguments);
    return popen(command, "r");
}

/* A rig per check, opened when first asked for. */
static struct rig *rig_for(struct rig *rigs, size_t count, const char *check, const char *params)
{
    for (size_t i = 0; i < count; i++) {
        if (rigs[i].check && strcmp(rigs[i].check->name, check) == 0)
            return &rigs[i];
        if (!rigs[i].check && rig_open(&rigs[i], check, "x", params, "2025-09-30"))
            return &rigs[i];
        if (!rigs[i].check)
            break;
    }
    TAP_FAIL("no rig for %s", check);
    return NULL;
}

static bool split_line(char *line, char *part[3])
{
    line[strcspn(line, "\n")] = '\0';
    part[0] = line;
    part[1] = strchr(line, '\t');
    part[2] = part[1] ? strchr(part[1] + 1, '\t') : NULL;
    if (!part[2])
        return false;
    *part[1]++ = '\0';
    *part[2]++ = '\0';
    return true;
}

static void count(const char *label, bool valid, const char *value, const char *got)
{
    for (size_t i = 0; i < MU_COUNT(tallies); i++) {
        if (strcmp(tallies[i].label, label) == 0) {
            *(valid ? &tallies[i].valid : &tallies[i].other) += 1;
            if (!valid)
                printf("# %s %s: %s\n", label, value, got);
        }
    }
}

TAP_TEST(the_identifiers_of_public_files_are_valid_as_counted)
{
    char arguments[700], line[2000], *part[3];
    struct rig rigs[8] = {0}, strict;
    int ok = 0, country = 0, structure = 0, character = 0, ibans = 0, strict_ok = 0, placeholders = 0;
    if (access(data_folder(), R_OK) != 0)
        TAP_SKIP("the folder of test data is not there (MUSTER_TEST_DATA)");
    CHECK(rig_open(&strict, "iban", "x", "{\"column\": \"x\"}", "2025-09-30"));
    snprintf(arguments, sizeof arguments, "'%s' values", data_folder());
    FILE *values = script("python3", "checks_data.py", arguments);
    while (values && fgets(line, sizeof line, values)) {
        if (!split_line(line, part)) {
            TAP_FAIL("not a value: %s", line);
            continue;
        }
        bool print_form = strcmp(part[0], "ibans") == 0;
        struct rig *r =
            rig_for(rigs, MU_COUNT(rigs), part[1],
                    strcmp(part[1], "iban") == 0 ? "{\"column\": \"x\", \"separators\": \"strip\"}"
                                                 : "{\"column\": \"x\"}");
        if (!r)
            break;
        const char *got = rig_value(r, part[2]);
        if (print_form) {
            ibans++;
            ok += strcmp(got, "pass") == 0;
            country += strncmp(got, "fail: country", 13) == 0;
            structure += strncmp(got, "fail: structure", 15) == 0;
            character += strncmp(got, "fail: character", 15) == 0;
            strict_ok += strcmp(rig_value(&strict, part[2]), "pass") == 0;
        }
        placeholders += strcmp(part[0], "nport cusip placeholder") == 0;
        count(part[0], strcmp(got, "pass") == 0, part[2], got);
    }
    CHECK(values && pclose(values) == 0);
    for (size_t i = 0; i < MU_COUNT(tallies); i++) {
        const struct tally *t = &tallies[i];
        if (t->valid != t->want_valid || t->other != t->want_other)
            TAP_FAIL("%s: %d valid and %d not, want %d and %d", t->label, t->valid, t->other, t->want_valid,
                     t->want_other);
    }
    CHECK_INT(ibans, 83);
    CHECK_INT(ok, 67);
    CHECK_INT(country, 12);
    CHECK_INT(structure, 3);
    CHECK_INT(character, 1);
    CHECK_INT(strict_ok, 0);
    CHECK_INT(placeholders, 795);
    rig_close(&strict);
    for (size_t i = 0; i < MU_COUNT(rigs) && rigs[i].check; i++)
        rig_close(&rigs[i]);
}

enum { DIGIT_FOR_DIGIT, LETTER_FOR_LETTER, ACROSS, SWAP_OF_DIGITS, SWAP_OF_LETTERS, SWAP_ACROSS, KINDS };

struct misses {
    int tried[KINDS], missed[KINDS];
};

static int kind_of(char a, char b, int first)
{
    bool x = a >= '0' && a <= '9', y = b >= '0' && b <= '9';
    return first + (x && y ? 0 : x || y ? 2 : 1);
}

static void try_one(struct rig *r, struct misses *m, int kind, const char *mutant)
{
    m->tried[kind]++;
    m->missed[kind] += strcmp(rig_value(r, mutant), "pass") == 0;
}

/* Every change of one character to another, and every swap of unequal neighbours, that the places allow:
 * `letters` places at the beginning hold letters only, `digits` at the end digits only. */
static void mutate(struct rig *r, struct misses *m, const char *value, size_t letters, size_t digits)
{
    static const char all[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char mutant[40];
    size_t len = strlen(value);
    snprintf(mutant, sizeof mutant, "%s", value);
    for (size_t i = 0; i < len; i++) {
        for (size_t k = i < letters ? 10 : 0; k < (i >= len - digits ? 10u : 36u); k++) {
            mutant[i] = all[k];
            if (all[k] != value[i])
                try_one(r, m, kind_of(value[i], all[k], DIGIT_FOR_DIGIT), mutant);
        }
        mutant[i] = value[i];
    }
    for (size_t i = 0; i + 1 < len; i++) {
        mutant[i] = value[i + 1];
        mutant[i + 1] = value[i];
        bool fits = (i + 1 != letters || value[i + 1] >= 'A') && (i + 1 != len - digits || value[i] <= '9');
        if (value[i] != value[i + 1] && fits)
            try_one(r, m, kind_of(value[i], value[i + 1], SWAP_OF_DIGITS), mutant);
        mutant[i] = value[i];
        mutant[i + 1] = value[i + 1];
    }
}

/* All pairs of letters: the check digit alone, without the list of prefixes. */
static struct mu_list_data *any_prefix(void)
{
    struct mu_list_data *list = NULL;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    mu_text_puts(&bytes, "# muster-list 1 any 1 key=prefix\nprefix\n");
    for (int i = 0; i < 26 * 26; i++)
        mu_text_addf(&bytes, "%c%c\n", 'A' + i / 26, 'A' + i % 26);
    CHECK(mu_list_parse(&list, mu_text_span(&bytes), &err));
    return list;
}

TAP_TEST(check_digits_miss_as_many_mutations_as_they_must)
{
    static const int isins_tried[KINDS] = {151632, 213600, 426152, 9733, 4291, 4026};
    static const int isins_missed[KINDS] = {0, 14335, 43303, 330, 4291, 1631};
    char arguments[700], line[200], *part[3];
    struct misses of_isins = {{0}, {0}}, of_leis = {{0}, {0}};
    struct rig isin, lei;
    if (access(data_folder(), R_OK) != 0)
        TAP_SKIP("the folder of test data is not there (MUSTER_TEST_DATA)");
    rig_add_list("any", any_prefix());
    CHECK(rig_open(&isin, "isin", "x", "{\"column\": \"x\", \"registry\": \"any\"}", "2025-09-30"));
    CHECK(rig_open(&lei, "lei", "x", "{\"column\": \"x\"}", "2025-09-30"));
    snprintf(arguments, sizeof arguments, "'%s' distinct", data_folder());
    FILE *values = script("python3", "checks_data.py", arguments);
    while (values && fgets(line, sizeof line, values)) {
        if (!split_line(line, part))
            TAP_FAIL("not a value: %s", line);
        else if (strcmp(part[0], "isin") == 0)
            mutate(&isin, &of_isins, part[1], 2, 1);
        else
            mutate(&lei, &of_leis, part[1], 0, 2);
    }
    CHECK(values && pclose(values) == 0);
    for (int k = 0; k < KINDS; k++) {
        CHECK_INT(of_isins.tried[k], isins_tried[k]);
        CHECK_INT(of_isins.missed[k], isins_missed[k]);
    }
    /* digits among themselves and letters among themselves were counted together */
    CHECK_INT(of_leis.tried[DIGIT_FOR_DIGIT] + of_leis.tried[LETTER_FOR_LETTER], 341548);
    CHECK_INT(of_leis.missed[DIGIT_FOR_DIGIT] + of_leis.missed[LETTER_FOR_LETTER], 0);
    CHECK_INT(of_leis.tried[ACROSS], 331724);
    CHECK_INT(of_leis.missed[ACROSS], 2954);
    CHECK_INT(of_leis.tried[SWAP_OF_DIGITS] + of_leis.tried[SWAP_OF_LETTERS], 11954);
    CHECK_INT(of_leis.missed[SWAP_OF_DIGITS] + of_leis.missed[SWAP_OF_LETTERS], 0);
    CHECK_INT(of_leis.tried[SWAP_ACROSS], 5549);
    CHECK_INT(of_leis.missed[SWAP_ACROSS], 63);
    rig_close(&isin);
    rig_close(&lei);
}

static struct mu_list_data *full_mic_list(const char *file, const char *version)
{
    char arguments[800], part[8192];
    size_t n;
    struct mu_list_data *list = NULL;
    struct mu_error err = {0};
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    snprintf(arguments, sizeof arguments, "'%s' mics %s %s", data_folder(), file, version);
    FILE *f = script("python3", "checks_data.py", arguments);
    while (f && (n = fread(part, 1, sizeof part, f)) > 0)
        mu_text_add(&bytes, mu_span(part, n));
    CHECK(f && pclose(f) == 0);
    if (!mu_list_parse(&list, mu_text_span(&bytes), &err))
        TAP_FAIL("%s: %s", file, err.text);
    return list;
}

TAP_TEST(full_mic_lists_are_loaded_and_their_markets_checked)
{
    static const struct {
        const char *file, *version;
        size_t rows;
        int expired;
    } lists[] = {{"ISO10383_MIC_2025-09-08.xml", "2025.9.8", 2796, 519},
                 {"ISO10383_MIC_2025-10-13.xml", "2025.10.13", 2798, 528}};
    if (access(data_folder(), R_OK) != 0)
        TAP_SKIP("the folder of test data is not there (MUSTER_TEST_DATA)");
    const struct mu_list_data *shipped = rig_list(NULL, "mic");
    for (size_t i = 0; i < MU_COUNT(lists); i++) {
        struct mu_list_data *list = full_mic_list(lists[i].file, lists[i].version);
        struct rig r;
        int pass = 0, expired = 0;
        if (!list)
            continue;
        rig_add_list("full", list);
        CHECK_INT(mu_list_rows(list), lists[i].rows);
        CHECK(rig_open(&r, "mic", "x", "{\"column\": \"x\", \"registry\": \"full\"}", "2026-11-24"));
        for (size_t row = 0; r.state && row < mu_list_rows(list); row++) {
            char mic[8];
            struct mu_span key = mu_list_key(list, row);
            snprintf(mic, sizeof mic, "%.*s", (int)key.len, key.at);
            const char *got = rig_value(&r, mic);
            pass += strcmp(got, "pass") == 0;
            expired += strncmp(got, "fail: expired on", 16) == 0;
        }
        CHECK_INT(expired, lists[i].expired);
        CHECK_INT(pass, (int)lists[i].rows - lists[i].expired);
        /* and the list of main venues says the same of each */
        int operating = mu_list_column(list, "operating"), ours = mu_list_column(shipped, "operating");
        for (size_t row = 0; row < mu_list_rows(shipped); row++) {
            int64_t found = mu_list_find(list, mu_list_key(shipped, row));
            CHECK(found >= 0);
            if (found >= 0)
                CHECK_SPAN(mu_list_value(shipped, row, ours), mu_list_value(list, (size_t)found, operating));
        }
        rig_close(&r);
    }
}

TAP_TEST(verdicts_agree_with_stdnum)
{
    char line[400], *part[3];
    struct rig rigs[8] = {0};
    int compared = 0, valid = 0;
    if (access("/usr/bin/python3", X_OK) != 0)
        TAP_SKIP("there is no /usr/bin/python3");
    FILE *cases = script("/usr/bin/python3", "checks_stdnum.py", "");
    while (cases && fgets(line, sizeof line, cases)) {
        if (!split_line(line, part)) {
            TAP_FAIL("not a case: %s", line);
            continue;
        }
        struct rig *r = rig_for(rigs, MU_COUNT(rigs), part[0],
                                "{\"column\": \"x\", \"case\": \"fold\", \"separators\": \"strip\"}");
        if (!r)
            break;
        const char *got = rig_value(r, part[1]);
        bool passes = strcmp(got, "pass") == 0;
        if (passes != (part[2][0] == '1'))
            TAP_FAIL("%s %s: \"%s\", stdnum says %s", part[0], part[1], got, part[2]);
        compared++;
        valid += passes;
    }
    int status = cases ? pclose(cases) : -1;
    for (size_t i = 0; i < MU_COUNT(rigs) && rigs[i].check; i++)
        rig_close(&rigs[i]);
    if (compared == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 3)
        TAP_SKIP("python3-stdnum is not installed");
    CHECK_INT(status, 0);
    CHECK(compared > 100000 && valid > 20000);
    printf("# %d compared, %d of them valid\n", compared, valid);
}

int main(void)
{
    rig_load_lists();
    int status = tap_run();
    rig_free_lists();
    return status;
}
