/* SPDX-License-Identifier: Apache-2.0 */
/* The characters and check digits that identifiers share. ASCII only and independent of any locale. */
#ifndef MU_CHARACTERS_H
#define MU_CHARACTERS_H

#include "base/base.h"

static inline bool mu_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool mu_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* Numbers and codes that must not spell words have no vowels. */
static inline bool mu_is_vowel(char c)
{
    return c == 'A' || c == 'E' || c == 'I' || c == 'O' || c == 'U';
}

/* By byte: 1 + the value of a digit (0..9) or capital letter (A = 10 .. Z = 35), 0 for all else. A table,
 * because identifiers mix the two at random, which branches guess wrong. */
extern const uint8_t mu_values36[256];

static inline bool mu_is_alphanumeric(char c)
{
    return mu_values36[(uint8_t)c] != 0;
}

static inline unsigned mu_value36(char c) /* of a digit or capital letter */
{
    return mu_values36[(uint8_t)c] - 1u;
}

/* The place of the first character that is no capital letter or digit; its length if there is none. */
size_t mu_alphanumeric_prefix(struct mu_span text);
/* Each character (a capital letter or digit) as its decimal number, one after the other: that number mod 97,
 * begun at `before` (ISO 7064 MOD 97-10). */
unsigned mu_mod97(unsigned before, struct mu_span text);
/* The check digit that follows these values when every second one (from the second on) is doubled and the
 * decimal digits are added up: CUSIP and FIGI. */
unsigned mu_double_add_digit(const uint8_t *values, size_t count);

#endif
