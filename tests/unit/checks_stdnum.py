# SPDX-License-Identifier: Apache-2.0
"""Identifiers, good and mutated, with what python-stdnum says of them: check, value, 1 or 0, a tab between. Compared
with case fold and separators strip, which is what stdnum does. Left out is what differs by registry, not by rule."""
import random
import sys

try:
    from stdnum import cfi, cusip, figi, iban, isin, lei
    from stdnum.gb import sedol
except ImportError:
    sys.exit(3)

LETTERS, DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
CONSONANTS = "BCDFGHJKLMNPQRSTVWXYZ"


def some(rng, alphabet, n):
    return "".join(rng.choice(alphabet) for _ in range(n))


def make_isin(rng):
    body = rng.choice(("US", "DE", "GB", "FR", "XS", "JP", "CA", "KY")) + some(rng, LETTERS + DIGITS, 9)
    return body + isin.calc_check_digit(body)


def make_lei(rng):
    body = some(rng, LETTERS + DIGITS, 18)
    return body + "%02d" % (98 - int("".join(str(int(c, 36)) for c in body + "00")) % 97)


def make_cusip(rng):
    body = some(rng, LETTERS + DIGITS + "*@#", 8)
    return body + cusip.calc_check_digit(body)


def make_sedol(rng):
    body = some(rng, DIGITS, 6) if rng.random() < 0.4 else rng.choice(CONSONANTS) + some(rng, CONSONANTS + DIGITS, 5)
    return body + sedol.calc_check_digit(body)


def make_figi(rng):
    body = some(rng, CONSONANTS, 2) + "G" + some(rng, CONSONANTS + DIGITS, 8)
    return body + figi.calc_check_digit(body)


# no country whose national check digits stdnum verifies, nor one that its registry lacks
SHAPES = {"DE": "n18", "AT": "n16", "NL": "a4n10", "GB": "a4n14", "LU": "n3c13", "CH": "n5c12", "MT": "a4n5c18",
          "PL": "n24", "SE": "n20", "DK": "n14", "AE": "n19", "KW": "a4c22"}


def make_iban(rng):
    country = rng.choice(sorted(SHAPES))
    shape, body, i = SHAPES[country], "", 0
    while i < len(shape):
        j = i + 1
        while j < len(shape) and shape[j].isdigit():
            j += 1
        alphabet = {"n": DIGITS, "a": LETTERS, "c": LETTERS + DIGITS}[shape[i]]
        body, i = body + some(rng, alphabet, int(shape[i + 1:j])), j
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    return "%s%02d%s" % (country, 98 - number % 97, body)


def make_cfi(rng):
    return rng.choice(("ES", "EP", "DB", "FF", "OC", "OP", "RW", "SR", "CI", "CE", "TT", "TC", "JE", "LL", "HC", "ED")) + some(rng, "XXXABCDEFGIMNPRSTUV", 4)


def mutate(rng, value):
    kind, at = rng.randrange(8), rng.randrange(len(value))
    if kind < 2:
        return value
    if kind < 4:
        return value[:at] + rng.choice(LETTERS + DIGITS) + value[at + 1:]
    if kind == 4 and at:
        return value[:at - 1] + value[at] + value[at - 1] + value[at + 1:]
    if kind == 5:
        return value[:at] + value[at + 1:]
    if kind == 6:
        return value[:at] + " " + value[at:].lower()
    return value[:at] + rng.choice(LETTERS + DIGITS + "*.?") + value[at:]


def comparable(name, value):
    value = value.replace(" ", "").upper()
    if name == "figi":
        return value[:2] not in ("GH", "KY")
    if name == "iban":
        return value[:2] in SHAPES and value[2:4].isdigit() and "." not in value  # stdnum strips points
    if name == "lei":
        return len(value) == 20 and value[18:].isdigit()  # stdnum looks at neither
    if name == "isin":
        return value[:2] in ("US", "DE", "GB", "FR", "XS", "JP", "CA", "KY")
    return True


def main():
    rng = random.Random(17442)
    table = (("isin", make_isin, isin), ("lei", make_lei, lei), ("cusip", make_cusip, cusip),
             ("sedol", make_sedol, sedol), ("figi", make_figi, figi), ("iban", make_iban, iban),
             ("cfi", make_cfi, cfi))
    for name, make, module in table:
        for _ in range(20000):
            value = mutate(rng, make(rng))
            if comparable(name, value):
                print(name, value, int(module.is_valid(value)), sep="\t")


main()
