/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/checks/characters.h"

const uint8_t mu_values36[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    ['G'] = 17, ['H'] = 18, ['I'] = 19, ['J'] = 20, ['K'] = 21, ['L'] = 22, ['M'] = 23, ['N'] = 24,
    ['O'] = 25, ['P'] = 26, ['Q'] = 27, ['R'] = 28, ['S'] = 29, ['T'] = 30, ['U'] = 31, ['V'] = 32,
    ['W'] = 33, ['X'] = 34, ['Y'] = 35, ['Z'] = 36,
};

size_t mu_alphanumeric_prefix(struct mu_span text)
{
    size_t i = 0;
    while (i < text.len && mu_is_alphanumeric(text.at[i]))
        i++;
    return i;
}

unsigned mu_mod97(unsigned before, struct mu_span text)
{
    static const uint64_t factor[] = {10, 100};
    uint64_t n = before;
    for (size_t i = 0; i < text.len; i++) {
        unsigned v = mu_value36(text.at[i]);
        n = n * factor[v >= 10] + v;
        if (n >= 100000000000000000) /* two more digits would still fit: divide as rarely as that allows */
            n %= 97;
    }
    return (unsigned)(n % 97);
}

unsigned mu_double_add_digit(const uint8_t *values, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned v = i % 2 ? values[i] * 2u : values[i];
        sum += v / 10 + v % 10;
    }
    return (10 - sum % 10) % 10;
}
