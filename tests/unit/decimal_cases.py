# SPDX-License-Identifier: Apache-2.0
"""Writes arithmetic on decimals with its result ("refused" where it does not fit): python's integers and fractions
are the independent computation. One case a line: operation, operands, result."""
import random
from fractions import Fraction

LIMIT = 10 ** 38


def text(coefficient, scale):
    sign, digits = ("-" if coefficient < 0 else ""), str(abs(coefficient)).rjust(scale + 1, "0")
    return sign + (digits if scale == 0 else digits[:-scale] + "." + digits[-scale:])


def canonical(value):
    """The shortest exact form of a fraction, or refused: no finite one with 38 digits, 37 after the point."""
    for scale in range(38):
        scaled = value * 10 ** scale
        if scaled.denominator == 1:
            return text(scaled.numerator, scale) if abs(scaled.numerator) < LIMIT else "refused"
    return "refused"


def rounded(value):
    scaled = abs(value) * 10 ** 18
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Fraction(whole if value >= 0 else -whole, 10 ** 18)


def operand(rng):
    kind = rng.randrange(8)
    digits = rng.choice((1, 2, 5, 18, 19, 20, 37, 38))
    coefficient = rng.randrange(10 ** digits)
    if kind == 0:
        coefficient = rng.choice((0, 1, 5, LIMIT - 1, LIMIT // 2, 5 ** 54, 2 ** 126, 10 ** 37))
    elif kind == 1:
        coefficient = 2 ** rng.randrange(126)
    elif kind == 2:
        coefficient = 5 ** rng.randrange(54)
    return rng.choice((1, -1)) * coefficient, rng.choice((0, 0, 1, 2, 5, 18, 36, 37))


def main():
    rng = random.Random(20261124)
    for _ in range(8000):
        (a, s), (b, t) = operand(rng), operand(rng)
        if rng.randrange(6) == 0:  # near to one another: sums that cancel, equal values of unequal scale
            b, t = max(1 - LIMIT, min(LIMIT - 1, -a + rng.randrange(-1, 2))), s
        x, y, left = Fraction(a, 10 ** s), Fraction(b, 10 ** t), (text(a, s), text(b, t))
        print("compare", *left, (x > y) - (x < y))
        print("add", *left, canonical(x + y))
        print("subtract", *left, canonical(x - y))
        print("multiply", *left, canonical(x * y))
        if b == 0:
            print("divide", *left, "refused")
            print("remainder", *left, "refused")
            continue
        print("divide", *left, canonical(rounded(x / y)))
        quotient = abs(x) // abs(y)
        rest = abs(x) - quotient * abs(y)
        print("remainder", *left, canonical(rest if x >= 0 else -rest))


main()
