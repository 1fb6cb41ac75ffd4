# SPDX-License-Identifier: Apache-2.0
"""Findings of a pack by another hand: oracle/<name>.sql over the CSV file in a scratch PostgreSQL, and python3-stdnum for
identifiers. Both answer {rule: record numbers | lists of key values}, sorted; a verdict on the whole has the key [].

    with Oracle() as oracle:
        found = oracle.findings("rts22-core", "reports.csv")
        oracle.last.rows("select ...")  # more about the same file

In a .sql file `-- rule ID` stands before a query for record numbers, `-- keys ID` before one for group keys in the order
of their names, `-- verdict ID` before one that has a row if the whole fails; what comes before the first makes tables."""
import csv
import os
import re
import subprocess

import reference_data as data
from cluster import Cluster

HERE = os.path.dirname(os.path.abspath(__file__))
LISTS = ("cfi", "gb", "iso3166", "iso4217", "isin-prefix", "mic", "target", "us-fed")
AS_OF = "2026-11-20"  # the day that made inputs are about
SECTION = re.compile(r"^-- (rule|keys|verdict) ([A-Z0-9._]+)$", re.M)


def quoted(name):
    return '"%s"' % name.lower()


class Oracle:
    def __init__(self, as_of=AS_OF):
        self.as_of, self.cluster, self.databases, self.last = as_of, None, 0, None

    def __enter__(self):
        self.cluster = Cluster()
        try:
            self.admin = self.cluster.session()
            self.admin.rows("create database common")
            for name in LISTS:
                self.load("common", "list_" + name.replace("-", "_"), data.find(name))
            with open(os.path.join(HERE, "oracle", "common.sql"), encoding="utf-8") as f:
                self.psql("common", f.read())
        except BaseException:
            self.cluster.close()
            raise
        return self

    def __exit__(self, *what):
        self.cluster.close()

    def psql(self, database, script):
        done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.cluster.socket, "-U", "postgres",
                               "-d", database],
                              input=script, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=dict(os.environ, PGOPTIONS="-c timezone=UTC -c client_min_messages=warning"))
        if done.returncode:
            raise AssertionError(done.stdout)

    def load(self, database, table, path, columns=None):
        """All cells as text; nothing between two commas is null. Columns get the names of the header, or those given."""
        with open(path, encoding="utf-8", newline="") as f:
            lines = f.read()
        while lines.startswith("#"):
            lines = lines[lines.index("\n") + 1:]
        header, _, body = lines.partition("\n")
        names = columns or next(csv.reader([header.rstrip("\r")]))
        create = ", ".join("%s text" % quoted(name) for name in names)
        if body.rstrip():
            plain = os.path.join(self.cluster.dir, "load.csv")
            with open(plain, "w", encoding="utf-8", newline="") as f:
                f.write(body.replace("\r\n", "\n"))
            copy = "\\copy %s (%s) from '%s' with (format csv)\n" % (table, ", ".join(map(quoted, names)), plain)
        else:
            copy = ""
        number = "record_no bigint generated always as identity, " if table == "input" else ""
        self.psql(database, "create table %s (%s%s);\n%sanalyze %s;\n" % (table, number, create, copy, table))

    def findings(self, name, path, columns=None):
        self.databases += 1
        database = "d%d" % self.databases
        self.admin.rows("create database %s template common" % database)
        self.load(database, "input", path, columns)
        with open(os.path.join(HERE, "oracle", name + ".sql"), encoding="utf-8") as f:
            parts = SECTION.split(f.read().replace(":as_of", "'%s'" % self.as_of))
        self.psql(database, parts[0])
        session, out = self.cluster.session(database), {}
        self.last = session
        for kind, rule, query in zip(parts[1::3], parts[2::3], parts[3::3]):
            rows = session.rows(re.sub(r"--[^\n]*", "", query))
            out[rule] = sorted(int(row[0])
                               for row in rows) if kind == "rule" else sorted(rows) if kind == "keys" else [[]] * bool(rows)
        return out


def identifiers(records):
    """The pack identifiers by python3-stdnum; codes without check digits by the lists. None: stdnum is not installed."""
    try:
        from stdnum import bic, cfi, cusip, figi, iban, isin, lei
        from stdnum.gb import sedol
    except ImportError:
        return None
    tests = {"ID.ISIN": ("isin", isin.is_valid), "ID.CUSIP": ("cusip", cusip.is_valid),
             "ID.SEDOL": ("sedol", sedol.is_valid), "ID.FIGI": ("figi", figi.is_valid),
             "ID.FIGI.COMPOSITE": ("composite_figi", figi.is_valid),
             "ID.FIGI.SHARECLASS": ("shareclass_figi", figi.is_valid), "ID.LEI": ("lei", lei.is_valid),
             "ID.IBAN": ("iban", iban.is_valid),
             "ID.BIC": ("bic", lambda t: bic.is_valid(t) and t[4:6] in data.by_key("iso3166")),
             "ID.CFI": ("cfi", cfi.is_valid),
             "ID.MIC": ("mic", data.by_key("mic").__contains__),
             "ID.CCY": ("currency", data.by_key("iso4217").__contains__),
             "ID.COUNTRY": ("country_code", data.by_key("iso3166").__contains__)}
    numbered = list(enumerate(records, 1))
    out = {rule: [n for n, r in numbered if r.get(column) and not test(r[column])] for rule,
           (column, test) in tests.items()}
    out["ID.CUSIP.AGREES"] = [n for n, r in numbered if r.get("isin", "")[:2] in ("US", "CA") and r.get("cusip")
                              and (r["isin"][2:11] != r["cusip"] or not cusip.is_valid(r["cusip"]))]
    count = {}
    for _, r in numbered:
        if r.get("isin"):
            count[r["isin"]] = count.get(r["isin"], 0) + 1
    out["DQ.ISIN.REPEATED"] = sorted([code] for code, n in count.items() if n > 1)
    out["ID.ISIN.KNOWN"] = [[]] if sum(count.values()) * 100 < 30 * len(numbered) else []
    out["ID.ISIN.PREFIX"] = [n for n, r in numbered if r.get("isin") and r["isin"][:2] not in data.by_key("isin-prefix")]
    return out
