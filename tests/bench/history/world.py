# SPDX-License-Identifier: Apache-2.0
"""What a made-up house looks like over the years: its packs and lists with their editions, its feeds, its agents, its
working days. All of it follows from the seed and the sizes, so that each quarter can be made alone and in any order."""
import datetime
import hashlib
import json
import random

DAY = datetime.timedelta(days=1)
UTC = datetime.timezone.utc
HOURS = [1, 1, 1, 1, 2, 4, 12, 25, 40, 48, 50, 46, 40, 44, 50, 48, 42, 30, 18, 10, 6, 4, 2, 1]  # of record jobs, by hour
PACK_NAMES = ["trades-eu", "identifiers", "kyc", "positions", "payments", "reference", "collateral", "prices"]
QUEUE_NAMES = ["default", "regulatory", "intraday", "bulk", "night", "research"]
LIST_EVERY = {"sanctions": 7, "iso4217": 180, "mic": 30, "iso3166": 365, "holidays": 365, "lei": 91}  # days between editions
RULE_WORDS = ["FORMAT", "PRESENT", "KNOWN", "RANGE", "AGREES", "SANCTIONED", "STALE", "TWICE", "LIMIT", "CURRENCY"]
SEVERITIES = ["info", "low", "medium", "high", "critical"]
TENANTS = ["alpha", "beta", "gamma", "delta"]
DESKS = ["fx", "rates", "equity", "credit", "operations"]


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def uuid_text(h):
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def derived(ms, digest):
    """UUID version 8, as muster.derive_id: time bits, then those of a digest (its hex)."""
    return uuid_text(f"{ms:012x}8{digest[1:4]}{int(digest[4:6], 16) & 63 | 128:02x}{digest[6:20]}")


def millis(moment):
    return int(moment.timestamp() * 1000)


class Rule:
    def __init__(self, pack, word, rng):
        self.id = f"{pack.split('-')[0].upper()}.{word}"
        self.severity = rng.choices(SEVERITIES, [1, 3, 6, 7, 2])[0]
        self.weight = rng.paretovariate(1.2)  # a few rules find most
        self.head = {"rule": self.id, "severity": self.severity}
        if rng.random() < 0.08:
            self.head["mode"] = "shadow"
        if rng.random() < 0.3:
            self.head["min_coverage"] = "0"
        self.message = f"{word.lower()}: the value does not hold"
        self.missing = rng.random() < 0.15  # its column is seldom there


class Edition:
    """One version of a pack, from a day on."""

    def __init__(self, pack, version, since, rules):
        self.pack, self.version, self.since, self.rules = pack, version, since, rules
        self.name = f"{pack}@{version}"
        self.document = json.dumps({
            "muster_pack": 1, "pack": pack, "version": version, "title": f"Rules of {pack}", "columns": {"id": {"type": "text"}},
            "identity": ["id"], "rules": [dict(r.head, id=r.id, expr="not is_missing(id)") for r in rules]}, separators=(",", ":"))
        self.digest = sha(self.document)
        self.active = [r for r in rules if "mode" not in r.head]
        self.tallies = {}

    def tally(self, records, fails):
        """Counters of a task: its text, digest and result. fails: {rule id: count}."""
        key = (records, fails)
        known = self.tallies.get(key)
        if known is None:
            rows = []
            for r in self.rules:
                failed = dict(fails).get(r.id, 0)
                row = dict(r.head)
                if failed:
                    row["fail"] = failed
                if records > failed:
                    row["not_evaluated" if r.missing else "pass"] = records - failed
                rows.append(row)
            text = json.dumps(rows, separators=(",", ":"))
            active = any(i in {r.id for r in self.active} for i, _ in fails)
            result = "fail" if active else "not_evaluated" if not records else "pass"
            known = (text, sha(text), result)
            if len(self.tallies) > 20000:
                self.tallies.clear()
            self.tallies[key] = known
        return known


class Feed:
    """A file that comes on working days: when, how large, what is wrong in it and for how long."""

    def __init__(self, number, world, rng):
        self.number = number
        pack = world.packs[number % len(world.packs)]
        self.pack, self.name = pack, f"{pack}-{DESKS[number % len(DESKS)]}-{number:03d}"
        self.queue = world.queues[number % len(world.queues)]
        self.priority = rng.choices(["high", "normal", "low"], [2, 6, 2])[0]
        self.tenant, self.desk = TENANTS[number % len(TENANTS)], DESKS[number % len(DESKS)]
        self.hour = rng.choice([5, 6, 6, 7, 7, 18, 19, 20, 21])
        self.minute = rng.randrange(60)
        self.shards = rng.choice([4, 6, 8, 12]) if number % 7 == 0 else 0
        self.records = int(rng.lognormvariate(8, 1)) + 200
        if self.shards:
            self.records = self.shards * 60000
        self.deadline = number % 3 == 0
        self.pinned = number % 11 == 5  # says an exact version, and is late to move on
        self.flaws = []  # (from working day, to working day, rule number, key), in the order of their beginning

    def break_things(self, rng, days, per_day):
        """Flaws that come, stay a while and go; some come back."""
        mean = 8.0
        at = -20.0
        while per_day > 0:
            at += rng.expovariate(per_day / mean)
            if at >= days:
                break
            lasts = max(1, int(rng.expovariate(1 / mean) + 0.5))
            flaw = (rng.random(), rng.getrandbits(40))
            self.flaws.append((int(at), int(at) + lasts) + flaw)
            if rng.random() < 0.1:
                again = int(at) + lasts + rng.randrange(3, 40)
                self.flaws.append((again, again + rng.randrange(1, 6)) + flaw)
        self.flaws.sort()


class World:
    def __init__(self, seed, outcomes, findings, years, sources, packs, queues, until):
        rng = random.Random(f"{seed} world")
        self.seed, self.until = seed, until
        self.since = until.replace(year=until.year - years, day=min(until.day, 28))
        self.packs, self.queues = PACK_NAMES[:packs], QUEUE_NAMES[:queues]
        self.agents = [f"worker-{i + 1}" for i in range(24)]
        self.days = [self.since + i * DAY for i in range((until - self.since).days)]
        self.holidays = {d for d in self.days if (d.month, d.day) in ((1, 1), (5, 1), (12, 25), (12, 26))}
        self.working = [d for d in self.days if d.weekday() < 5 and d not in self.holidays]
        self.working_no = {d: i for i, d in enumerate(self.working)}
        self.editions = {p: self._editions(p, rng) for p in self.packs}
        self.lists = {name: self._list(name, every, rng) for name, every in LIST_EVERY.items()}
        self.feeds = [Feed(i, self, rng) for i in range(sources)]
        # how many jobs each day has: the house grows, weekends are quiet, ends of months are not
        self.weights = {d: self._weight(d) for d in self.days}
        total = sum(self.weights.values())
        file_tasks = len(self.working) * sum(1 + f.shards for f in self.feeds)
        self.share = max(0, outcomes - file_tasks) / total
        self.fail_rate = 0.03
        from_records = max(0, outcomes - file_tasks) * self.fail_rate * 1.25
        per_day = max(0, findings - from_records) / max(1, len(self.working) * sources)
        for f in self.feeds:
            f.break_things(random.Random(f"{seed} feed {f.number}"), len(self.working), per_day / 1.09)

    def _weight(self, d):
        age = (d - self.since).days / max(1, len(self.days))
        w = 0.6 + 0.8 * age
        if d.weekday() >= 5 or d in self.holidays:
            w *= 0.1
        elif (d + 3 * DAY).month != d.month:
            w *= 1.4
        return w

    def _editions(self, pack, rng):
        rules = [Rule(pack, w, rng) for w in RULE_WORDS[:rng.randrange(5, 8)]]
        made, major, minor, at = [], 1, 0, self.since - 30 * DAY
        while at < self.until:
            made.append(Edition(pack, f"{major}.{minor}.0", at, list(rules)))
            at += datetime.timedelta(days=rng.randrange(70, 260))
            if rng.random() < 0.15:
                major, minor = major + 1, 0
            else:
                minor += 1
                if len(rules) < len(RULE_WORDS) and rng.random() < 0.5:
                    rules.append(Rule(pack, RULE_WORDS[len(rules)], rng))
        return made

    def _list(self, name, every, rng):
        made, at = [], self.since - datetime.timedelta(days=every + rng.randrange(30))
        while at < self.until:
            version = f"{at.year}.{at.timetuple().tm_yday}"
            made.append((at, version, sha(f"{self.seed} list {name} {version}")))
            at += datetime.timedelta(days=every)
        return made

    def edition(self, pack, day, pinned=False):
        current = [e for e in self.editions[pack] if e.since <= day]
        return current[-2] if pinned and len(current) > 1 else current[-1]

    def terms(self, edition, day):
        """What the dispatcher writes for jobs of a pack on a day."""
        names = list(LIST_EVERY)
        first = PACK_NAMES.index(edition.pack) % 3
        pins = {}
        for name in names[first:first + 3]:
            at, version, digest = [v for v in self.lists[name] if v[0] <= day][-1]
            pins[name] = {"name": name, "version": version, "digest": digest}
        return json.dumps({
            "pack": {"name": edition.pack, "version": edition.version, "digest": edition.digest}, "lists": pins, "params": {},
            "as_of": day.date().isoformat(), "shard_bytes": 67108864, "buckets": 16,
            "limits": {"record_bytes": 1048576, "fields": 4096}}, separators=(",", ":"))

    def quarters(self):
        """The days of each quarter (UTC), the oldest first: what a partition holds, and one process makes at a time."""
        made = {}
        for d in self.days:
            made.setdefault(f"{d.year}q{(d.month + 2) // 3}", []).append(d)
        return list(made.items())
