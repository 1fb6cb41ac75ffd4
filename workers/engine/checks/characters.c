/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/checks/characters.h"

size_t mu_alphanumeric_prefix(struct mu_span text)
{
    size_t i = 0;
    while (i < text.len && mu_is_alphanumeric(text.at[i]))
        i++;
    return i;
}

unsigned mu_mod97(unsigned before, struct mu_span text)
{
    uint64_t n = before;
    for (size_t i = 0; i < text.len; i++) {
        unsigned v = mu_value36(text.at[i]);
        n = v < 10 ? n * 10 + v : n * 100 + v;
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
