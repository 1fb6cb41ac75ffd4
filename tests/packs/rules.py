# SPDX-License-Identifier: Apache-2.0
"""Rules of a pack over records, after CHECKS: outcomes, groups, windows, bands, `mostly`, and the cases inside."""
import collections
import datetime
import json
import os

import evaluate
import language
import reference_data as data
from language import INVALID, MISSING, canonical, no_value

PACK_FOLDER = os.path.join(data.ROOT, "workers", "packs")
COUNTS = ("pass", "warn", "fail", "error", "not_evaluated", "out_of_scope")
# the column of a plugin that is an identifier, and how it is judged without the plugin
PLUGINS = {name: test for name, test in data.IDENTIFIERS.items()}
PLUGINS.update(mic=lambda t: data.active_on(t, "mic", DAY), currency=lambda t: data.active_on(t, "iso4217", DAY),
               country=lambda t: data.active_on(t, "iso3166", DAY),
               isin=lambda t: data.isin(t) and t[:2] in data.by_key("isin-prefix"))
DAY = datetime.date(2026, 11, 20)  # as of, where nobody says


def unique_keys(pairs):
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key occurs twice: %s" % [k for k, _ in pairs])
    return out


def newest(pack):
    """name@version of the last version that is shipped."""
    names = [n[:-5] for n in os.listdir(PACK_FOLDER) if n.startswith(pack + "@") and n.endswith(".json")]
    return max(names, key=lambda n: [int(part) for part in n.split("@")[1].split(".")])


def load(name, folder=None):
    with open(os.path.join(folder or PACK_FOLDER, name + ".json"), encoding="utf-8") as f:
        return Pack(json.load(f, object_pairs_hook=unique_keys))


class Group:
    """The records of one group, and what its aggregates met."""

    def __init__(self, pack, records):
        self.pack, self.records, self.skipped = pack, records, []

    def aggregate(self, name, arguments):
        if name == "count" and not arguments:
            return language.decimal.Decimal(len(self.records))
        values = []
        for record in self.records:
            row = [record.value(node) for node in arguments]
            bad = language.worst(row)
            if bad is not None:
                self.skipped.append(bad)
            else:
                values.append(row)
        number = language.decimal.Decimal
        if name in ("count_if", "sum_if"):
            kept = [row for row in values if row[-1]]
            if name == "count_if":
                return number(len(kept))
            return sum((row[0] for row in kept), number(0)) if values else MISSING
        plain = [row[0] for row in values]
        if name == "count":
            return number(len(plain))
        if name == "count_distinct":
            return number(len({canonical(v) for v in plain}))
        if not plain:
            return MISSING
        if name == "avg":
            return language.arithmetic("/", sum(plain, number(0)), number(len(plain)))
        return {"sum": lambda: sum(plain, number(0)), "min": lambda: min(plain), "max": lambda: max(plain),
                "first": lambda: plain[0], "last": lambda: plain[-1]}[name]()


class Pack:
    def __init__(self, doc):
        self.doc, self.rules = doc, {rule["id"]: rule for rule in doc["rules"]}
        if len(self.rules) != len(doc["rules"]):
            raise language.Wrong("a rule occurs twice")
        self.columns = {name: column["type"] for name, column in doc["columns"].items()}
        self.lists = doc.get("lists", {})
        self.param_kinds = {name: p["type"] for name, p in doc.get("params", {}).items()}
        self.parsed = {}
        bare = evaluate.Scope(self.columns, self.param_kinds, self.lists)
        self.let = {name: self.node(text) for name, text in doc.get("let", {}).items()}
        names = dict(self.columns, **{name: bare.kind(node) for name, node in self.let.items()})
        self.scope = evaluate.Scope(names, self.param_kinds, self.lists)
        self.check()

    def node(self, text):
        if text not in self.parsed:
            self.parsed[text] = language.parse(text)
        return self.parsed[text]

    def check(self):
        """Every expression is one, and of the right type."""
        for rule in self.doc["rules"]:
            try:
                self.check_rule(rule)
            except language.Wrong as wrong:
                raise language.Wrong("%s: %s" % (rule["id"], wrong)) from None

    def check_rule(self, rule):
        if sum(key in rule for key in ("expr", "having", "value", "check")) != 1:
            raise language.Wrong("it wants exactly one of expr, having, value, check")
        for key in ("where", "expr"):
            if key in rule and self.scope.kind(self.node(rule[key])) != "bool":
                raise language.Wrong("%s is no condition" % key)
        keys = {name: self.scope.kind(self.node(text)) for name, text in rule.get("group_by", {}).items()}
        grouped = evaluate.Scope(keys, self.param_kinds, self.lists, self.scope)
        if "having" in rule and grouped.kind(self.node(rule["having"])) != "bool":
            raise language.Wrong("having is no condition")
        if "value" in rule and grouped.kind(self.node(rule["value"])) != "decimal":
            raise language.Wrong("value is no number")
        scope = grouped if "having" in rule or "value" in rule else self.scope
        for text in rule.get("evidence", {}).values():
            scope.kind(self.node(text))
        shown = set(rule.get("evidence", {})) | set(keys) | set(self.param_kinds)
        for name in evaluate.re.findall(r"\{([^}]*)\}", rule.get("message", "")):
            if name not in shown:
                raise language.Wrong("the message names %s, which it does not see" % name)

    def context(self, record, params, as_of):
        """Of one record: its columns by type, `let` when asked for."""
        known = {}

        def value(name):
            if name not in known:
                known[name] = own.value(self.let[name]) if name in self.let else \
                    language.read(self.columns[name], record.get(name))
            return known[name]

        own = evaluate.Context(value, params, as_of, self.lists)
        own.record_no = None
        return own

    def run(self, records, params=None, as_of=DAY, only=None):
        """{rule: {"counts": .., "findings": record numbers or keys}}"""
        given = {name: language.read(p["type"], (params or {}).get(name, p.get("default")))
                 for name, p in self.doc.get("params", {}).items()}
        contexts = []
        for number, record in enumerate(records, 1):
            contexts.append(self.context(record, given, as_of))
            contexts[-1].record_no = number
        return {rule["id"]: Run(self, rule, given, as_of).over(contexts) for rule in self.doc["rules"]
                if only in (None, rule["id"])}


class Run:
    """One rule over all records."""

    def __init__(self, pack, rule, params, as_of):
        self.pack, self.rule, self.params, self.as_of = pack, rule, params, as_of
        self.counts, self.findings = collections.Counter(), []

    def over(self, contexts):
        begin, end = (datetime.date.fromisoformat(d) if d else None for d in self.rule.get("effective", [None, None]))
        if (begin and self.as_of < begin) or (end and self.as_of >= end):
            self.counts["not_evaluated"] += len(contexts)
            return self.result()
        inside = [c for c in contexts if self.in_scope(c)]
        if "expr" in self.rule or "check" in self.rule:
            self.rows(inside)
        else:
            self.groups(inside)
        return self.result()

    def result(self):
        return {"counts": {k: v for k, v in self.counts.items() if v}, "findings": self.findings}

    def in_scope(self, context):
        if "where" not in self.rule:
            return True
        verdict = context.value(self.pack.node(self.rule["where"]))
        if verdict is not True:
            self.counts["out_of_scope" if verdict is False else "error" if verdict is INVALID else "not_evaluated"] += 1
        return verdict is True

    def judge(self, context):
        if "expr" in self.rule:
            return context.value(self.pack.node(self.rule["expr"]))
        value = context.names(self.rule["with"]["column"])
        return value if no_value(value) else PLUGINS[self.rule["check"]](value)

    def rows(self, contexts):
        failed = []
        for context in contexts:
            verdict = self.judge(context)
            if verdict is False:
                failed.append(context.record_no)
            self.counts[{True: "pass", False: "fail"}.get(verdict)
                        or ("error" if verdict is INVALID else "not_evaluated")] += 1
        if "mostly" not in self.rule:
            self.findings = failed
            return
        good, bad = self.counts["pass"], self.counts["fail"]
        if good < language.decimal.Decimal(self.rule["mostly"]) * (good + bad):
            self.findings, verdict = [[]], "fail"
        elif self.counts["error"]:
            verdict = "error"
        else:
            verdict = "pass" if good + bad and not self.counts["not_evaluated"] else "not_evaluated"
        self.counts.clear()
        self.counts[verdict] = 1

    def groups(self, contexts):
        keys, groups = sorted(self.rule.get("group_by", {})), {}
        for context in contexts:
            values = [context.value(self.pack.node(self.rule["group_by"][name])) for name in keys]
            bad = language.worst(values)
            if bad is not None:
                self.counts["error" if bad is INVALID else "not_evaluated"] += 1
            else:
                groups.setdefault(tuple(canonical(v) for v in values), (values, []))[1].append(context)
        if not keys:
            groups.setdefault((), ([], []))
        windows = self.windows(keys, groups) if "window" in self.rule else None
        for key, (values, records) in sorted(groups.items(), key=lambda g: [k.encode() for k in g[0]]):
            self.group(keys, key, values, windows[key] if windows else records)

    def windows(self, keys, groups):
        """Key -> the records of all groups with the same other keys that lie in its window."""
        on, size = keys.index(self.rule["window"]["on"]), language.parse(self.rule["window"]["size"])[2]
        others, out = {}, {}
        for key, (values, records) in groups.items():
            others.setdefault(key[:on] + key[on + 1:], []).append((values[on], records))
        for key, (values, _) in groups.items():
            end = values[on]
            begin = language.arithmetic("-", end, size)
            inside = [c for at, records in others[key[:on] + key[on + 1:]] if begin < at <= end for c in records]
            out[key] = sorted(inside, key=lambda context: context.record_no)
        return out

    def group(self, keys, key, values, records):
        group, named = Group(self.pack, records), dict(zip(keys, values))
        context = evaluate.Context(named.__getitem__, self.params, self.as_of, self.pack.lists, group.aggregate)
        outcome = self.verdict(context)
        if outcome == "pass" and group.skipped:
            outcome = "error" if INVALID in [s for s in group.skipped if s is INVALID] else "not_evaluated"
        self.counts[outcome] += 1
        if outcome in ("fail", "warn"):
            self.findings.append(list(key))

    def verdict(self, context):
        value = context.value(self.pack.node(self.rule.get("having") or self.rule["value"]))
        if no_value(value):
            return "error" if value is INVALID else "not_evaluated"
        if "having" in self.rule:
            return "fail" if value else "pass"
        for band in self.rule["bands"]:
            if "lt" not in band or value < language.decimal.Decimal(band["lt"]):
                return band["outcome"]
        raise AssertionError("bands without an end")


def differences(pack, rule):
    """What the cases of a rule expect and do not get."""
    for number, case in enumerate(rule.get("cases", []), 1):
        rows = [dict(rule.get("given", {}), **row) for row in case["rows"]]
        unknown = {name for row in rows for name in row} - set(pack.columns)
        if unknown:
            yield "%s, case %d: no column %s" % (rule["id"], number, sorted(unknown))
            continue
        first = (rule.get("effective") or [None])[0]
        as_of = case.get("as_of") or first
        got = pack.run(rows, case.get("params"), datetime.date.fromisoformat(as_of) if as_of else DAY,
                       rule["id"])[rule["id"]]
        want = {k: v for k, v in case["expect"].items() if k in COUNTS and v}
        if got["counts"] != want:
            yield "%s, case %s: %s, expected %s" % (rule["id"], case.get("name", number), got["counts"], want)
        if "keys" in case["expect"] and got["findings"] != case["expect"]["keys"]:
            yield "%s, case %s: %s, expected %s" % (rule["id"], case.get("name", number), got["findings"],
                                                    case["expect"]["keys"])
