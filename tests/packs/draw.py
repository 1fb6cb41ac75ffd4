# SPDX-License-Identifier: Apache-2.0
"""What made-up records are made of: a random sequence of its own (the same on every machine and version), identifiers
with right check digits, days and instants. Nothing stands for a person or firm that exists."""
import datetime
import zoneinfo

import reference_data as data

LETTERS, DIGITS, CONSONANTS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "BCDFGHJKLMNPQRSTVWXYZ"
MASK = (1 << 64) - 1
FIRST_NAMES = ("ANNA", "BRUNO", "CLARA", "DAVID", "EMMA", "FELIX")
SURNAMES = ("EXAMPLE", "SAMPLE", "MUSTER", "SPECIMEN", "PLACEHOLDER")


class Draw:
    """splitmix64: one number for one state."""

    def __init__(self, seed):
        self.state = seed

    def number(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, bound):
        return ((self.number() >> 32) * bound) >> 32

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def one(self, choices):
        return choices[self.below(len(choices))]

    def chance(self, per_cent):
        return self.below(100) < per_cent

    def some(self, alphabet, n):
        return "".join(self.one(alphabet) for _ in range(n))

    def amount(self, low, high, decimals=2):
        """Text with exactly so many decimals, from low to high."""
        scale = 10 ** decimals
        whole, part = divmod(self.between(low * scale, high * scale), scale)
        return "%d.%0*d" % (whole, decimals, part) if decimals else str(whole)

    # --- identifiers ---

    def isin(self, prefix=None):
        body = (prefix or self.one(("GB", "DE", "FR", "XS", "NL", "JP", "CH", "IE", "SE"))) + self.some(LETTERS + DIGITS,
                                                                                                        9)
        return body + str(-data.luhn_sum(data.spelled(body)) % 10)

    def cusip(self):
        body = self.some(DIGITS, 6) + self.some(LETTERS + DIGITS, 2)
        return body + str(data.doubled(body, lambda c: int(c, 36)))

    def isin_of(self, cusip):
        body = "US" + cusip
        return body + str(-data.luhn_sum(data.spelled(body)) % 10)

    def sedol(self):
        body = self.one(CONSONANTS) + self.some(CONSONANTS + DIGITS, 5)
        return body + str(-sum(w * int(c, 36) for w, c in zip((1, 3, 1, 7, 3, 9), body)) % 10)

    def figi(self):
        body = "BBG" + self.some(CONSONANTS + DIGITS, 8)
        return body + str(data.doubled(body, lambda c: int(c, 36)))

    def lei(self):
        body = self.some(DIGITS, 4) + "00" + self.some(LETTERS + DIGITS, 12)
        return body + "%02d" % (98 - int(data.spelled(body + "00")) % 97)

    def iban(self):
        country, bank, digits = self.one((("DE", 0, 18), ("GB", 4, 14), ("NL", 4, 10), ("AT", 0, 16), ("DK", 0, 14),
                                          ("IE", 4, 14)))
        body = self.some(LETTERS, bank) + self.some(DIGITS, digits)
        return "%s%02d%s" % (country, 98 - int(data.spelled(body + country + "00")) % 97, body)

    def bic(self):
        return self.some(LETTERS, 4) + self.one(("DE", "GB", "FR", "NL", "CH")) + self.some(LETTERS + DIGITS,
                                                                                            2) + self.one(("", "XYZ"))

    # --- days ---

    def business_day(self, calendar, first, last):
        while True:
            day = first + datetime.timedelta(self.below((last - first).days + 1))
            if calendar.open_on(day):
                return day


def another_digit(draw, text):
    """The last digit becomes another one: no scheme of check digits lets that pass."""
    return text[:-1] + str((int(text[-1]) + draw.between(1, 9)) % 10)


def local(zone, day, hour=0, minute=0, second=0):
    """The instant at which clocks of the zone show that."""
    return datetime.datetime(day.year, day.month, day.day, hour, minute, second,
                             tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(datetime.timezone.utc)


def midnight_after(zone, day):
    return local(zone, day + datetime.timedelta(1))


def stamp(moment):
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return text + ((".%06d" % moment.microsecond).rstrip("0") if moment.microsecond else "") + "Z"
