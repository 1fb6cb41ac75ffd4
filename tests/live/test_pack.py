# SPDX-License-Identifier: Apache-2.0
"""What people who write rules do: lint, test, show, compare, run over files without any server; load, and put into the
bucket by hand."""
import csv
import io
import json
import os
import subprocess

from harness import BUILD, ROOT, program_path, wait_until

LISTS = os.path.join(BUILD, "workers", "lists")
PACKS = os.path.join(ROOT, "workers", "packs")
CORPUS = os.path.join(ROOT, "tests", "corpus", "packs")
GOOD, BAD = "US0378331005", "US0378331006"
RULE = {"id": "T.ISIN", "severity": "high", "expr": "isin_valid(isin)",
        "cases": [{"name": "check digit", "rows": [{"isin": GOOD}, {"isin": BAD}], "expect": {"pass": 1, "fail": 1}}]}
PACK = {"muster_pack": 1, "pack": "trades", "version": "1.0.0", "title": "Trades",
        "columns": {"symbol": {"type": "text"}, "isin": {"type": "text"}, "amount": {"type": "decimal"}}, "identity": ["symbol"],
        "params": {"limit": {"type": "decimal", "default": "100.00"}},
        "rules": [RULE, {"id": "T.LIMIT", "severity": "low", "mode": "shadow", "expr": "amount <= :limit"},
                  {"id": "T.TWICE", "severity": "medium", "group_by": {"isin": "isin"}, "having": "count() > 2",
                   "evidence": {"n": "count()"}, "message": "{n} times"}]}
ROWS = f"symbol,isin,amount\nA,{GOOD},1\nB,{BAD},100.01\nC,{GOOD},5\nD,{GOOD},7\n"


def _alone(*words, stdin=None, **more):
    """The command line without any server: one that it asked would not be there."""
    env = dict(os.environ, NATS_URL="nats://127.0.0.1:1", MUSTER_NATS_URL="nats://127.0.0.1:1", MUSTER_POSTGRES_CONNINFO="host=/nowhere")
    return subprocess.run([program_path("muster"), "--config", "", *words], capture_output=True, input=stdin, text=True, timeout=60,
                          env=env, **more)


def _write(site, name, document):
    path = os.path.join(site.dir, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(document if isinstance(document, str) else json.dumps(document, indent=1))
    return path


def _with(**changes):
    return dict(PACK, **changes)


def _check(site, *words, rows=ROWS, pack=PACK, stdin=None):
    source = _write(site, "trades.csv", rows)
    return _alone("check", "-" if stdin else source, "--pack", _write(site, "trades.json", pack), "--lists", LISTS, *words, stdin=stdin)


# ---- lint and cases ----

def lint_tells_all_mistakes_with_their_places_and_what_would_be_right(site):
    wrong = _write(site, "wrong.json", _with(rules=[dict(RULE, expr="isn = 'A'", cases=[]), dict(RULE, id="T.B", expr="isin = 1", cases=[])]))
    got = _alone("pack", "lint", wrong, "--lists", LISTS)
    lines = got.stdout.splitlines()
    assert got.returncode == 4 and len(lines) == 2, got
    assert lines[0].startswith(f'{wrong}:/rules/0/expr: error: character 1, at "isn"') and "names: symbol isin amount" in lines[0]
    assert lines[1].startswith(f"{wrong}:/rules/1/expr: error:") and "; example: side = 'BUY'" in lines[1]
    documents = [json.loads(line) for line in _alone("pack", "lint", wrong, "--lists", LISTS, "-o", "json").stdout.splitlines()]
    assert [d["pointer"] for d in documents] == ["/rules/0/expr", "/rules/1/expr"] and all(d["message"] and d["hint"] for d in documents)
    assert _alone("pack", "lint", os.path.join(site.dir, "nowhere.json")).returncode == 3


def warnings_are_mistakes_for_who_is_strict(site):
    unused = os.path.join(CORPUS, "invalid", "warn_unused_let", "input.json")
    got = _alone("pack", "lint", unused, "--lists", LISTS)
    assert got.returncode == 0 and "/let/known: warning:" in got.stdout, got
    got = _alone("pack", "lint", "--strict", unused, "--lists", LISTS)
    assert got.returncode == 4 and "/let/known: error:" in got.stdout, got


def cases_run_and_a_failing_one_shows_what_came_of_each_row(site):
    good = _write(site, "good.json", PACK)
    got = _alone("pack", "test", good, "--lists", LISTS)
    assert got.returncode == 0 and got.stdout == "ok      T.ISIN: check digit\n" and "1 of 1 cases hold" in got.stderr, got
    rule = dict(RULE, cases=[dict(RULE["cases"][0], expect={"pass": 2})])
    got = _alone("pack", "test", _write(site, "bad.json", _with(rules=[rule])), "--lists", LISTS)
    assert got.returncode == 1, got
    assert "not ok  T.ISIN: check digit" in got.stdout and "expected 2 pass; found 1 pass, 1 fail; row 1 pass, row 2 fail" in got.stdout, got
    assert "/rules/0/cases/0/expect" in got.stdout


def what_is_shipped_has_nothing_against_it(site):
    for name in sorted(os.listdir(PACKS)):
        if name.endswith(".json") and "@" in name:
            got = _alone("pack", "lint", os.path.join(PACKS, name), "--lists", LISTS)
            assert got.returncode == 0, got


# ---- show and diff ----

def a_pack_is_shown_as_people_read_it(site):
    got = _alone("pack", "show", "identifiers@1.0.0", "--packs", PACKS, "--lists", LISTS)
    assert got.returncode == 0 and "identifiers@1.0.0" in got.stdout and "ID.ISIN  (high)" in got.stdout, got
    assert "isin-prefix@2024.1  sha256:" in got.stdout
    file = _write(site, "trades.json", PACK)
    got = _alone("pack", "show", file, "T.ISIN")
    assert got.returncode == 0 and "case 1: check digit" in got.stdout and "isin_valid(isin)" in got.stdout, got
    assert json.loads(_alone("pack", "show", file, "-o", "json").stdout) == PACK
    assert json.loads(_alone("pack", "show", file, "T.LIMIT", "-o", "json").stdout) == PACK["rules"][1]
    assert _alone("pack", "show", file, "T.NONE").returncode == 3


def a_difference_says_what_changed_and_what_that_means(site):
    a = _write(site, "a.json", PACK)
    rules = [dict(RULE, severity="low"), PACK["rules"][2], {"id": "T.NEW", "severity": "info", "expr": "not is_missing(isin)"}]
    b = _write(site, "b.json", _with(version="1.1.0", rules=rules, params={"limit": {"type": "decimal", "default": "200.00"}}))
    got = _alone("pack", "diff", a, b)
    assert got.returncode == 1, got
    for line in ("changed rule T.ISIN: severity  (findings are ranked anew)", "    - high", "    + low", "removed rule T.LIMIT", "added rule T.NEW",
                 "changed params limit", "    - 1.0.0", "    + 1.1.0"):
        assert line in got.stdout, (line, got.stdout)
    changes = [json.loads(line) for line in _alone("pack", "diff", a, b, "-o", "json").stdout.splitlines()]
    assert {(c["change"], c["what"]) for c in changes} == {("changed", "version"), ("changed", "params limit"), ("changed", "rule T.ISIN"),
                                                           ("removed", "rule T.LIMIT"), ("added", "rule T.NEW")}
    assert _alone("pack", "diff", a, a).returncode == 0


# ---- check ----

def a_file_is_checked_without_any_server(site):
    got = _check(site)
    assert got.returncode == 1, got
    rows = got.stdout.splitlines()
    assert rows[0].split() == ["RULE", "SEVERITY", "OUTCOME", "RECORD", "LINE", "MESSAGE"]
    assert [r.split()[:5] for r in rows[1:]] == [["T.ISIN", "high", "fail", "2", "3"], ["T.LIMIT", "low", "shadow", "2", "3"],
                                                ["T.TWICE", "medium", "fail", "-", "-"]]
    assert rows[3].endswith(f"{GOOD} 3 times")
    summary = {line.split()[0]: line.split()[2:] for line in got.stderr.splitlines() if line.startswith("T.")}
    assert summary["T.ISIN"][:3] == ["3", "0", "1"] and "4 records, 3 findings: fail (trades@1.0.0" in got.stderr, got.stderr


def findings_have_the_form_of_the_wire_and_are_the_same_each_time(site):
    got = _check(site, "-o", "jsonl", "--as-of", "2026-03-31")
    findings = [json.loads(line) for line in got.stdout.splitlines()]
    assert [f["rule"] for f in findings] == ["T.ISIN", "T.LIMIT", "T.TWICE"] and findings[1]["shadow"] is True
    assert findings[0]["record_no"] == 2 and findings[0]["line"] == 3 and findings[0]["evidence"]["columns"] == {"isin": BAD}
    assert _check(site, "-o", "jsonl", "--as-of", "2026-03-31").stdout == got.stdout
    # through a pipe the same: only the name of the source, which is part of fingerprints, is another one
    piped = _check(site, "-o", "jsonl", "--as-of", "2026-03-31", "--format", "csv", "--source", '{"name":"trades"}', stdin=ROWS)
    assert piped.stdout == got.stdout and piped.returncode == 1, piped


def a_local_finding_has_the_fingerprint_that_a_job_gives_it(site):
    _programs(site)
    pack = _with(pack="prints")
    assert site.api("load", {"pack": pack, "actor": "test"})["ok"]
    site.write("trades.csv", ROWS)
    job = site.submit({"pack": "prints@1.0.0", "source": {"uri": "file:trades.csv"}})["job_id"]
    assert site.done(job)["result"] == "fail"
    local = {json.loads(line)["fingerprint"] for line in _check(site, "-o", "jsonl", pack=pack).stdout.splitlines()}
    assert local == {r[0] for r in site.sql(f"select encode(fingerprint, 'hex') from report.finding where job_id = '{job}'")}


def findings_can_be_read_by_a_spreadsheet(site):
    rows = list(csv.DictReader(io.StringIO(_check(site, "-o", "csv").stdout, newline="")))
    assert [r["rule"] for r in rows] == ["T.ISIN", "T.LIMIT", "T.TWICE"] and rows[0]["record_no"] == "2" and rows[2]["record_no"] == ""
    assert json.loads(rows[0]["evidence"])["columns"] == {"isin": BAD}


def rules_parameters_and_the_number_shown_can_be_chosen(site):
    got = _check(site, "--rule", "T.LIMIT")
    assert got.returncode == 0 and "shadow" in got.stdout and "T.ISIN" not in got.stderr, got
    got = _check(site, "--rule", "T.LIMIT", "--param", "limit=4.00", "--max", "1", "-o", "jsonl")
    assert len(got.stdout.splitlines()) == 1 and "3 findings" in got.stderr and "2 findings are not shown" in got.stderr, got
    got = _check(site, "--source", '{"delimiter":";","columns":{"isin":"ISIN Code"}}', "--rule", "T.ISIN",
                 rows=f"ISIN Code;amount\n{GOOD};1\n{GOOD};2\n")
    assert got.returncode == 0 and "2 records, 0 findings: pass" in got.stderr, got


def what_is_wrong_with_a_check_has_its_own_status(site):
    file = _write(site, "trades.json", PACK)
    data = _write(site, "trades.csv", ROWS)
    nowhere = os.path.join(site.dir, "nowhere.csv")
    for status, says, words in (
            (2, "wants a file", ["check", "--pack", file]),
            (2, "add --format", ["check", "-", "--pack", file, "--lists", LISTS]),
            (2, "unknown option", ["check", data, "--pack", file, "--colour"]),
            (3, "could not open it", ["check", nowhere, "--pack", file, "--lists", LISTS]),
            (3, "there is no pack nosuch@1", ["check", data, "--pack", "nosuch@1", "--packs", PACKS]),
            (3, "has no rule T.NONE", ["check", data, "--pack", file, "--lists", LISTS, "--rule", "T.NONE"]),
            (4, "there is no list", ["check", data, "--pack", file, "--lists", site.dir]),
            (4, "no parameter", ["check", data, "--pack", file, "--lists", LISTS, "--param", "colour=1"]),
            (4, "expected a decimal, found \"x\"", ["check", data, "--pack", file, "--lists", LISTS, "--param", "limit=x"]),
            (4, "cannot read --as-of", ["check", data, "--pack", file, "--lists", LISTS, "--as-of", "today"]),
            (4, "at /source/delimiter", ["check", data, "--pack", file, "--lists", LISTS, "--source", '{"delimiter":5}']),
            (4, "at /source/columns/isn", ["check", data, "--pack", file, "--lists", LISTS, "--source", '{"columns":{"isn":"x"}}']),
            (4, "compressed", ["check", _write(site, "trades.csv.gz", ""), "--pack", file, "--lists", LISTS]),
            (4, "does not say which format", ["check", _write(site, "trades.dat", ""), "--pack", file, "--lists", LISTS]),
            (2, "does not print csv", ["status", "x", "-o", "csv"])):
        got = _alone(*words)
        assert got.returncode == status and says in got.stderr and got.stderr.count("\n") == 1, (words, got)


def a_limit_ends_the_run_and_findings_before_it_stand(site):
    got = _alone("--set", "task.record_bytes=1KiB", "check", _write(site, "long.csv", ROWS + "X," + "9" * 5000 + ",1\n"), "--pack",
                 _write(site, "trades.json", PACK), "--lists", LISTS, "--rule", "T.ISIN", "-o", "jsonl")
    assert got.returncode == 4 and len(got.stdout.splitlines()) == 1, got
    assert "long.csv" in got.stderr and "the 1 findings before that stand" in got.stderr, got


def memory_does_not_grow_with_the_file(site):
    path = os.path.join(site.dir, "large.csv")
    block = "".join(f"S{i},{BAD if i % 50 == 0 else GOOD},1\n" for i in range(50000))
    with open(path, "w", encoding="utf-8") as f:
        f.write("symbol,isin,amount\n")
        for _ in range(100):
            f.write(block)
    assert os.path.getsize(path) > 100 << 20
    command = [program_path("muster"), "--config", "", "check", path, "--pack", _write(site, "rows.json", _with(rules=[RULE])), "--lists", LISTS,
               "-o", "jsonl", "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        lines = sum(1 for _ in process.stdout)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    os.unlink(path)
    assert process.returncode == 1 and lines == 100000, (process.returncode, lines)
    sanitized = b"__asan_init" in open(program_path("muster"), "rb").read()
    assert sanitized or used.ru_maxrss < 64 << 10, used.ru_maxrss


# ---- load ----

def _programs(site):
    if not site.programs:
        site.all()


def a_pack_is_loaded_and_jobs_name_it_at_once(site):
    _programs(site)
    file = _write(site, "loaded.json", _with(pack="loaded"))
    got = site.cli("pack", "load", file, "--lists", LISTS, "--dry-run")
    assert got.returncode == 0 and "would be loaded" in got.stdout, got
    assert site.api("submit", {"pack": "loaded@1", "records": [{"isin": GOOD}]})["error"]["code"] == "unknown_pack"
    got = site.cli("pack", "load", file, "--lists", LISTS, "--actor", "ann", "--reason", "a new desk")
    assert got.returncode == 0 and got.stdout == "loaded@1.0.0  loaded\n", got
    assert site.done(site.submit({"pack": "loaded@1", "records": [{"isin": BAD}]})["job_id"])["result"] == "fail"
    assert site.value("select count(*) from muster.audit where actor = 'ann' and action = 'pack load' and reason = 'a new desk'") == "1"
    got = site.cli("pack", "load", file, "--lists", LISTS, "-o", "json")
    assert got.returncode == 0 and json.loads(got.stdout)["duplicate"] is True, got
    # other white space is no change; another word is
    assert site.api("load", {"pack": _with(pack="loaded"), "actor": "ann"})["duplicate"] is True
    changed = _write(site, "changed.json", _with(pack="loaded", title="Changed"))
    got = site.cli("pack", "load", changed, "--lists", LISTS)
    assert got.returncode == 4 and "conflict" in got.stderr and "raise \"version\"" in got.stderr, got
    assert site.cli("pack", "show", "loaded@1.0.0", "--broker", "--lists", LISTS).stdout.startswith("loaded@1.0.0  Trades\n")
    got = site.cli("pack", "diff", "loaded@1.0.0", changed, "--broker", "--lists", LISTS)
    assert got.returncode == 1 and got.stdout == "changed title  (its name for people)\n    - Trades\n    + Changed\n", got


def a_bad_pack_is_refused_with_all_its_mistakes(site):
    _programs(site)
    answer = site.api("load", {"pack": _with(rules=[dict(RULE, expr="isn = 'A'"), dict(RULE, id="T.B", expr="isin = 1")]), "actor": "ann"})
    assert answer["ok"] is False and answer["error"]["pointer"] == "/pack/rules/0/expr", answer
    assert [e["pointer"] for e in answer["errors"]] == ["/pack/rules/0/expr", "/pack/rules/1/expr"]
    answer = site.api("load", {"pack": _with(lists={"x": "nosuch"}), "actor": "ann"})
    assert answer["error"]["code"] == "unknown_list" and answer["error"]["pointer"] == "/pack/lists/x", answer
    assert site.api("load", {"pack": PACK})["error"]["code"] == "invalid"  # nobody
    assert site.value("select count(*) from muster.pack where name = 'trades'") == "0"


def a_pack_put_into_the_bucket_by_hand_is_checked_and_in_force(site):
    _programs(site)
    site.nats.publish_stream("$KV.muster_packs.byhand.1.0.0", json.dumps(_with(pack="byhand")))
    wait_until(lambda: site.value("select actor from muster.pack where name = 'byhand'") == "bucket", 20, "a pack in the table")
    assert site.done(site.submit({"pack": "byhand@1", "records": [{"isin": BAD}]})["job_id"])["result"] == "fail"


def what_is_wrong_in_the_bucket_is_taken_away_and_told(site):
    _programs(site)
    refused = lambda key: site.sql(f"select code, pointer, message from muster.rejection where subject = '$KV.muster_packs.{key}'")
    events = site.nats.subscribe("muster.event.operator.pack_refused")
    bad = json.dumps(_with(pack="wrong", rules=[dict(RULE, expr="isn = 'A'")]))
    site.nats.publish_stream("$KV.muster_packs.wrong.1.0.0", bad)
    wait_until(lambda: refused("wrong.1.0.0"), 20, "a row for what was refused")
    code, pointer, message = refused("wrong.1.0.0")[0]
    assert (code, pointer) == ("invalid", "/rules/0/expr") and 'at "isn"' in message
    wait_until(lambda: not site.nats.kv("muster_packs", "wrong.1.0.0"), 20, "the key taken away")
    assert site.nats.next(events).json()["events"][0]["key"] == "wrong.1.0.0"
    site.nats.publish_stream("$KV.muster_packs.another.1.0.0", json.dumps(_with(pack="wrong")))
    wait_until(lambda: refused("another.1.0.0"), 20, "a row for a key that is another pack's")
    # one in force cannot be changed: it is put back
    site.nats.publish_stream("$KV.muster_packs.identifiers.1.0.0", json.dumps(_with(pack="identifiers")))
    wait_until(lambda: refused("identifiers.1.0.0"), 20, "a row for a changed version")
    assert refused("identifiers.1.0.0")[0][0] == "conflict"
    wait_until(lambda: (site.nats.kv("muster_packs", "identifiers.1.0.0") or {}).get("title") != "Trades", 20, "the pack put back")
    assert site.value("select min(seq) from report.audit_verify()") == ""
