/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical bytes of a row are what lib/domain/seal.h says: the digest below was computed with Python's hashlib over bytes
 * that were put together there. That muster.seal says the same is what every verification of a trail shows. */
#include "domain/seal.h"
#include "tap.h"

#define TIME_US INT64_C(1795737600000001) /* 2026-11-27T00:00:00.000001Z */

TAP_TEST(a_seal_is_the_digest_of_its_canonical_bytes)
{
    struct mu_seal s;
    struct mu_id id;
    char x[600], hex[MU_DIGEST_HEX];
    for (size_t i = 0; i < sizeof(id.b); i++)
        id.b[i] = (uint8_t)i;
    memset(x, 'x', sizeof(x)); /* longer than what is kept back */
    mu_seal_begin(&s);
    mu_seal_id(&s, id);
    mu_seal_i64(&s, -2);
    mu_seal_time_us(&s, TIME_US);
    mu_seal_field(&s, mu_span_of("pass"));
    mu_seal_null(&s);
    mu_seal_field(&s, mu_span(x, sizeof(x)));
    struct mu_seal_time at = mu_seal_time_of(TIME_US);
    mu_seal_field(&s, mu_span(at.b, sizeof(at.b)));
    mu_seal_field(&s, mu_span_of(""));
    struct mu_digest d = mu_seal_end(&s);
    mu_digest_format(&d, hex);
    CHECK_TEXT(hex, "0018e537aa599e138ff557f4247ef7174face744a943f5756dd78cbef033cda5");
}

TAP_TEST(nothing_and_an_empty_field_are_two_things)
{
    struct mu_seal one, other;
    mu_seal_begin(&one);
    mu_seal_null(&one);
    mu_seal_begin(&other);
    mu_seal_field(&other, mu_span_of(""));
    struct mu_digest a = mu_seal_end(&one), b = mu_seal_end(&other);
    CHECK(!mu_digest_equal(&a, &b));
}

int main(void)
{
    return tap_run();
}
