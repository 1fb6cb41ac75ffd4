/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a file of trades that looks like a day of a broker, and a truth file: which faults were put into which
 * records. Seeded: the same arguments give the same bytes. Its check digits are computed here, on their own, so that
 * what the checks find is compared with something that does not share their code.
 *
 *   muster-generate --rows N [--seed S] [--faults PER_10000] [--bytes B] DATA.csv [TRUTH.csv]
 *
 * --bytes: stop at the first row end behind that size, whatever --rows says. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

/* splitmix64 (Vigna, public domain description): one multiplication chain, good enough for test data */
static uint64_t draw(void)
{
    uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static unsigned below(unsigned bound)
{
    return (unsigned)(((draw() >> 32) * bound) >> 32);
}

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char alphanumeric[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

static void fill(char *to, size_t count, const char *from, unsigned kinds)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[below(kinds)];
    to[count] = '\0';
}

static unsigned value_of(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'A' + 10);
}

/* Remainder by 97 of the number that the characters spell, letters as 10..35. */
static unsigned mod97(const char *text, unsigned so_far)
{
    for (; *text; text++) {
        unsigned v = value_of(*text);
        so_far = (so_far * (v > 9 ? 100 : 10) + v) % 97;
    }
    return so_far;
}

static void make_isin(char out[13])
{
    static const char *const prefixes[] = {"US", "GB", "DE", "FR", "XS", "NL", "JP", "CH", "IE", "SE"};
    memcpy(out, prefixes[below(10)], 2);
    fill(out + 2, 9, alphanumeric, 36);
    /* Luhn over the digits, from the right, where the check digit will stand behind them */
    unsigned digits[22], count = 0, sum = 0;
    for (int i = 0; i < 11; i++) {
        unsigned v = value_of(out[i]);
        if (v > 9)
            digits[count++] = v / 10;
        digits[count++] = v % 10;
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned d = digits[count - 1 - i] * (i % 2 ? 1 : 2);
        sum += d / 10 + d % 10;
    }
    out[11] = (char)('0' + (10 - sum % 10) % 10);
    out[12] = '\0';
}

static void make_lei(char out[21])
{
    fill(out, 18, alphanumeric, 36);
    unsigned check = 98 - mod97("00", mod97(out, 0));
    out[18] = (char)('0' + check / 10);
    out[19] = (char)('0' + check % 10);
    out[20] = '\0';
}

/* Countries whose accounts have a simple structure: letters of the bank (n) and digits behind them. */
static void make_iban(char out[35])
{
    static const struct { const char *country; unsigned bank, digits; } kinds[] = {
        {"DE", 0, 18}, {"GB", 4, 14}, {"NL", 4, 10}, {"AT", 0, 16}, {"DK", 0, 14}, {"IE", 4, 14}};
    unsigned k = below(6);
    char body[32], turned[40];
    fill(body, kinds[k].bank, letters, 26);
    fill(body + kinds[k].bank, kinds[k].digits, alphanumeric, 10);
    snprintf(turned, sizeof(turned), "%s%s00", body, kinds[k].country);
    snprintf(out, 35, "%s%02u%s", kinds[k].country, (98 - mod97(turned, 0)) % 100, body);
}

static void make_bic(char out[12])
{
    static const char *const countries[] = {"DE", "GB", "FR", "US", "NL", "CH"};
    fill(out, 4, letters, 26);
    memcpy(out + 4, countries[below(6)], 2);
    fill(out + 6, 2, alphanumeric, 36);
    if (below(2))
        fill(out + 8, 3, alphanumeric, 36);
}

enum fault { NONE, ISIN, LEI, IBAN, BIC, MIC, CURRENCY, COUNTRY, RAGGED, FAULTS };
static const char *const fault_names[FAULTS] = {"",    "isin",     "lei",     "iban",  "bic",
                                                "mic", "currency", "country", "ragged"};

/* Another digit than the one that stands there: no check digit scheme lets that pass. */
static void spoil_digit(char *at)
{
    *at = (char)('0' + (*at - '0' + 1 + (int)below(9)) % 10);
}

struct trade {
    char isin[13], lei[21], iban[35], bic[12];
    const char *mic, *currency, *country;
};

static void make_trade(struct trade *t)
{
    static const char *const mics[] = {"XLON", "XPAR", "XETR", "XNYS", "XNAS", "XAMS", "XMIL", "XSWX"};
    static const char *const currencies[] = {"EUR", "USD", "GBP", "CHF", "JPY", "SEK"};
    static const char *const countries[] = {"DE", "GB", "FR", "US", "NL", "CH", "NA", "SE"};
    make_isin(t->isin);
    make_lei(t->lei);
    make_iban(t->iban);
    make_bic(t->bic);
    t->mic = mics[below(8)];
    t->currency = currencies[below(6)];
    t->country = countries[below(8)];
}

static void put_in(struct trade *t, enum fault fault)
{
    switch (fault) {
    case ISIN:
        spoil_digit(&t->isin[11]);
        break;
    case LEI:
        spoil_digit(&t->lei[19]);
        break;
    case IBAN:
        spoil_digit(&t->iban[3]);
        break;
    case BIC:
        memcpy(t->bic + 4, "ZZ", 2); /* no country of ISO 3166 */
        break;
    case MIC:
        t->mic = "XQQQ";
        break;
    case CURRENCY:
        t->currency = "XQQ";
        break;
    case COUNTRY:
        t->country = "QQ"; /* user-assigned: no country */
        break;
    case NONE:
    case RAGGED:
    case FAULTS:
        break;
    }
}

/* Names as they are: with commas, quotes and line breaks now and then. */
static const char *make_name(void)
{
    static const char *const names[] = {"Nordwind Capital", "\"Harrow, Finch & Co\"", "Alder Securities",
                                        "\"The \"\"Blue\"\" Fund\"", "Meridian Trust", "\"Ostsee Bank\nFiliale Kiel\""};
    unsigned n = below(200);
    return names[n < 190 ? (n % 3) * 2 : n % 6];
}

static void write_row(FILE *data, uint64_t row, const struct trade *t, enum fault fault)
{
    unsigned second = (unsigned)(row % 36000);
    fprintf(data, "T%010" PRIu64 ",2026-11-20T%02u:%02u:%02uZ,%s,%s,%s,%u,%u.%04u,%s,%s,%s,%s,%s%s\n", row, 8 + second / 3600,
            second / 60 % 60, second % 60, t->isin, t->mic, t->currency, 1 + below(5000), 1 + below(900), below(10000),
            t->lei, t->iban, t->bic, t->country, make_name(), fault == RAGGED ? ",surplus" : "");
}

static int generate(FILE *data, FILE *truth, uint64_t rows, uint64_t bytes, unsigned faults)
{
    fputs("trade_id,traded_at,isin,mic,currency,quantity,price,lei,iban,bic,country_code,counterparty\n", data);
    if (truth)
        fputs("record_no,fault\n", truth);
    for (uint64_t row = 1; row <= rows; row++) {
        struct trade t;
        make_trade(&t);
        enum fault fault = below(10000) < faults ? (enum fault)(1 + below(FAULTS - 1)) : NONE;
        put_in(&t, fault);
        write_row(data, row, &t, fault);
        if (fault && truth)
            fprintf(truth, "%" PRIu64 ",%s\n", row, fault_names[fault]);
        if (bytes && row % 1024 == 0 && (uint64_t)ftello(data) >= bytes)
            break;
    }
    return ferror(data) || (truth && ferror(truth)) ? 1 : 0;
}

int main(int argc, char **argv)
{
    uint64_t rows = 500000, bytes = 0, seed = 1;
    unsigned faults = 20;
    const char *paths[2] = {NULL, NULL};
    int count = 0;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool option = argv[i][0] == '-' && value;
        if (option && !strcmp(argv[i], "--rows"))
            rows = strtoull(argv[++i], NULL, 10);
        else if (option && !strcmp(argv[i], "--bytes"))
            bytes = strtoull(argv[++i], NULL, 10), rows = UINT64_MAX;
        else if (option && !strcmp(argv[i], "--seed"))
            seed = strtoull(argv[++i], NULL, 10);
        else if (option && !strcmp(argv[i], "--faults"))
            faults = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (argv[i][0] != '-' && count < 2)
            paths[count++] = argv[i];
        else
            count = 3;
    }
    if (count < 1 || count > 2) {
        fputs("usage: muster-generate [--rows N | --bytes B] [--seed S] [--faults PER_10000] DATA.csv [TRUTH.csv]\n", stderr);
        return 2;
    }
    state = seed;
    FILE *data = fopen(paths[0], "w"), *truth = paths[1] ? fopen(paths[1], "w") : NULL;
    if (!data || (paths[1] && !truth)) {
        perror("muster-generate: could not open the output");
        return 1;
    }
    setvbuf(data, NULL, _IOFBF, 1 << 20);
    int status = generate(data, truth, rows, bytes, faults);
    if (fclose(data) != 0 || (truth && fclose(truth) != 0) || status) {
        perror("muster-generate: could not write the output");
        return 1;
    }
    return 0;
}
