# SPDX-License-Identifier: Apache-2.0
"""`muster report`: questions that lie ready, answered in every format for a login that may read the report schema and
nothing else; and that a question can do no more than read. (What each one answers is in tests/sql/promises_examples.py.)"""
import csv
import glob
import html.parser
import io
import json
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

from harness import ROOT

GOOD, BAD = "US0378331005", "US0378331006"
NAMES = sorted(os.path.basename(p)[:-4] for p in glob.glob(os.path.join(ROOT, "sql", "examples", "*.sql")))
HOSTILE = ["<script>alert('1')</script>", 'a "quoted", value', "two\r\nlines", "\u202egnp.exe", "tab\there", " edge ", "", "'; drop table x --",
           "</td></table><img src=x onerror=alert(1)>", "Gr\u00fc\u00dfe \u65e5\u672c \U0001f600", "=1+1", "&amp;&lt;", "\x1b[2J\u200b"]
HEAD = "-- title: {title}\n-- question: What is there?\n{more}--\n"


def prepare(site):
    site.all()
    for role, member in (("analyst", "muster_reporter"), ("inspector", "muster_auditor"), ("stranger", "pg_signal_backend")):
        site.sql(f"create role {role} login in role {member}")
    site.job = site.submit({"id": "eod-1", "pack": "identifiers@1.0.0", "records": [{"isin": BAD}, {"isin": GOOD}, {"isin": BAD}]})["job_id"]
    site.done(site.job)
    later = site.submit({"id": "eod-2", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]})["job_id"]
    site.done(later)


def _report(site, *words, user="analyst", **env):
    conninfo = site.conninfo.replace("user=muster", "user=" + user)
    return site.cli("report", *words, env=dict({"MUSTER_POSTGRES_CONNINFO": conninfo}, **env))


def _own(site, query, title="My own", more=""):
    path = os.path.join(site.dir, "own.sql")
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(HEAD.format(title=title, more=more) + query)
    return path


def _good(got):
    assert got.returncode == 0 and not got.stderr, got
    return got.stdout


def _csv(text):
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    return [dict(zip(rows[0], row)) for row in rows[1:]], rows[0]


class Page(html.parser.HTMLParser):
    """Tables, and whatever a page might reach for."""

    VOID = {"meta", "img", "link", "input", "br", "hr", "base"}

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.rows, self.tags, self.attributes, self.open, self.cell = [], [], [], [], None
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.cell = ""

    def handle_startendtag(self, tag, attributes):  # of svg
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.open)
        if tag in ("td", "th"):
            self.rows[-1].append(self.cell)
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data


def _page(text):
    """A page that needs nothing else and runs nothing; its pictures are well-formed."""
    page = Page(text)
    assert text.startswith("<!doctype html>") and not {"script", "link", "img", "iframe", "object", "base", "form"} & set(page.tags), page.tags
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    names = {name for name, _ in page.attributes}
    assert not {n for n in names if n.startswith("on")} and not names & {"src", "href", "style", "srcset", "data", "xlink:href"}, names
    style = re.search(r"<style>(.*?)</style>", text, re.S).group(1)
    assert "url(" not in style and "@import" not in style and "://" not in re.sub(r"<td.*?</td>", "", text, flags=re.S)
    page.pictures = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.S)]
    for picture in page.pictures:
        assert picture.get("role") == "img" and picture.find("title").text and picture.find("desc").text
        assert picture.get("aria-labelledby") == f"{picture.find('title').get('id')} {picture.find('desc').get('id')}"
    return page


# ---- the shelf ----

def alone_it_lists_every_report_with_its_title(site):
    listed = _good(site.cli("report")).splitlines()[1:]
    assert [line.split()[0] for line in listed] == NAMES and all(len(line.split()) > 2 for line in listed)
    assert [(r["name"], bool(r["title"] and r["question"])) for r in json.loads(_good(site.cli("report", "-o", "json")))] == [(n, True) for n in NAMES]
    assert _good(site.cli("report", "-q")).split() == NAMES
    assert site.cli("report", "-o", "csv").returncode == 2


def what_a_report_takes_is_told_without_a_database(site):
    got = _good(site.cli("report", "job-findings", "--help", env={"MUSTER_POSTGRES_CONNINFO": "host=/nowhere"}))
    assert "where in its source" in got and "job=…  job: id or key of the job (required)" in got and "(default: %)" in got, got
    assert "muster report" in _good(site.cli("report", "--help"))


def a_report_that_is_not_there_is_status_3_with_the_nearest_name(site):
    got = _report(site, "opne-failures")
    assert got.returncode == 3 and "did you mean open-failures?" in got.stderr, got
    got = _report(site, "xyzzy")
    assert got.returncode == 3 and "`muster report` shows all" in got.stderr and "did you mean" not in got.stderr, got
    got = _report(site, "", MUSTER_DATA_EXAMPLES="/nowhere")
    assert got.returncode == 3 and "data.examples" in got.stderr, got
    assert _report(site, "../examples/open-failures.sql").returncode == 3


def a_wrong_parameter_is_status_2_and_the_report_says_what_it_takes(site):
    for words, says in ((("open-failures", "dya=today"), 'no parameter "dya", did you mean day?'), (("open-failures", "x=1"), 'no parameter "x"'),
                        (("open-failures", "day=soon"), 'day wants a day (2026-11-24, today, yesterday, 30 days ago), not "soon"'),
                        (("open-failures", "day=2026-02-30"), "day wants a day"), (("open-failures", "today"), 'not "today"'),
                        (("job-findings",), "job is missing: the id or the key of a job"), (("job-findings", "job="), "job is missing")):
        got = _report(site, *words)
        assert got.returncode == 2 and says in got.stderr and "it takes:" in got.stderr and not got.stdout, (words, got)
    got = _report(site, "job-findings", "job=nosuch")
    assert got.returncode == 3 and 'no job "nosuch"' in got.stderr, got
    assert _report(site, "job-findings", "job=eod-1", "--max", "0").returncode == 2
    path = _own(site, "select report.parameter('n', '5')::int + 1 as n", more="-- parameter: n  whole  default 5  a number\n")
    assert _csv(_good(_report(site, path, "n=41", "-o", "csv")))[0] == [{"n": "42"}] and _csv(_good(_report(site, path, "-o", "csv")))[0] == [{"n": "6"}]
    assert 'n wants a whole number, not "1.5"' in _report(site, path, "n=1.5").stderr


def a_parameter_is_a_value_and_never_part_of_the_text(site):
    path = _own(site, "select report.parameter('t') as t", more="-- parameter: t  text  optional  any text\n")
    for value in HOSTILE + ["a=b", "$1", "%s", "\\"]:
        if value:
            assert json.loads(_good(_report(site, path, "t=" + value, "-o", "json"))) == [{"t": value}], value


# ---- formats ----

def every_report_answers_a_reporter_in_every_format(site):
    for name in NAMES:
        with open(os.path.join(ROOT, "sql", "examples", name + ".sql"), encoding="utf-8") as f:
            words = [name] + (["job=eod-1"] if re.search(r"^-- parameter: job  +job  +required", f.read(), re.M) else [])
        of_csv, columns = _csv(_good(_report(site, *words, "-o", "csv")))
        of_json = json.loads(_good(_report(site, *words, "-o", "json")))
        of_lines = [json.loads(line) for line in _good(_report(site, *words, "-o", "jsonl")).splitlines()]
        assert of_json == of_lines and len(of_json) == len(of_csv), name
        for a, b in zip(of_csv, of_json):
            assert list(a) == list(b), name
            assert all(v is None or isinstance(v, (dict, list)) or a[k] == (str(v).lower() if isinstance(v, bool) else str(v)) for k, v in b.items()
                       if not isinstance(v, float)), (name, a, b)
        table = _good(_report(site, *words)).splitlines()
        assert len(table) == len(of_csv) + 1 and table[0].split() == " ".join(columns).upper().replace("_", " ").split(), (name, table[0])
        page = _page(_good(_report(site, *words, "-o", "html")))
        assert len(page.rows) == (len(of_csv) + 1 if of_csv else 0), name
        if of_csv:
            assert page.rows[0] == [c.replace("_", " ") for c in columns]


def findings_of_a_job_come_with_their_place(site):
    rows = json.loads(_good(_report(site, "job-findings", "job=eod-1", "-o", "json")))
    assert [(r["rule"], r["record_no"]) for r in rows if r["rule"] == "ID.ISIN"] == [("ID.ISIN", 1), ("ID.ISIN", 3)], rows
    assert all(r["evidence"]["columns"]["isin"] == BAD for r in rows if r["rule"] == "ID.ISIN")
    page = _page(_good(_report(site, "job-findings", "job=eod-1", "-o", "html")))
    tips = [t.text for t in page.pictures[0].iter("title")]
    assert "ID.ISIN: 2" in tips, tips


def _hostile(site):
    # psql's own quoting is no witness here: hexadecimal is
    rows = ", ".join(f"({i}, convert_from('\\x{v.encode().hex()}', 'UTF8'))" for i, v in enumerate(HOSTILE))
    return _own(site, f"select n, t, null::text as nothing from (values {rows}) as v (n, t) order by n;\n", title="<b>Hostile</b> & \"odd\"",
                more="-- chart: bar x=t y=n  Values & <b>names</b>\n")


def csv_comes_back_as_it_was(site):
    words = site.cli("report", _hostile(site), "-o", "csv").args
    data = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout  # as bytes: RFC 4180 has line ends of its own
    assert data.startswith(b"n,t,nothing\r\n") and b'"two\r\nlines"' in data and b'6,"",\r\n' in data, "an empty text is quoted, null is not"
    assert [r[1] for r in csv.reader(io.StringIO(data.decode(), newline=""), strict=True)][1:] == HOSTILE


def json_comes_back_as_it_was(site):
    for form in ("json", "jsonl"):
        text = _good(_report(site, _hostile(site), "-o", form))
        rows = json.loads(text) if form == "json" else [json.loads(line) for line in text.split("\n") if line]
        assert rows == [{"n": i, "t": v, "nothing": None} for i, v in enumerate(HOSTILE)], rows


def a_page_and_a_table_show_what_would_hide_or_act(site):
    got = _good(_report(site, _hostile(site), "-o", "html"))
    page = _page(got)
    shown = {int(r[0]): r[1] for r in page.rows[1:]}
    assert shown[0] == HOSTILE[0] and shown[8] == HOSTILE[8] and shown[1] == HOSTILE[1] and shown[9] == HOSTILE[9] and shown[11] == "&amp;&lt;", shown
    assert shown[2] == "two⟨U+000D⟩⏎lines" and shown[3] == "⟨U+202E⟩gnp.exe" and shown[12] == "⟨U+001B⟩[2J⟨U+200B⟩", shown
    assert "&lt;b&gt;Hostile&lt;/b&gt;" in got and "<b>" not in got and page.pictures[0].find("title").text == "Values & <b>names</b>"
    table = _good(_report(site, _hostile(site)))
    assert len(table.splitlines()) == len(HOSTILE) + 1 and not re.search("[\x00-\x09\x0b-\x1f\u200b\u202e]", table) and "⟨U+202E⟩gnp" in table


def numbers_are_exact(site):
    path = _own(site, "select 9223372036854775807 as whole, 12345678901234567.89::numeric as amount, 0.1::float8 as float, 'NaN'::float8 as nan, true as yes, "
                      "timestamptz '2026-11-24 10:00:00.25+02' as at, date '2026-11-24' as day, '[1, {\"a\": null}]'::jsonb as doc, "
                      "'2026-11-24 10:00'::timestamptz - '1 day'::interval as earlier, null::numeric as nothing")
    line = _good(_report(site, path, "-o", "jsonl"))
    assert line.strip() == ('{"whole":9223372036854775807,"amount":"12345678901234567.89","float":0.1,"nan":"NaN","yes":true,"at":"2026-11-24T08:00:00.25Z",'
                            '"day":"2026-11-24","doc":[1, {"a": null}],"earlier":"2026-11-23T10:00:00Z","nothing":null}'), line
    assert _good(_report(site, path, "-o", "csv")).splitlines()[1] == (
        '9223372036854775807,12345678901234567.89,0.1,NaN,true,2026-11-24T08:00:00.25Z,2026-11-24,"[1, {""a"": null}]",2026-11-23T10:00:00Z,')
    shown = _page(_good(_report(site, path, "-o", "html"))).rows[1]
    assert shown[:3] == ["9,223,372,036,854,775,807", "12,345,678,901,234,567.89", "0.1"] and shown[4:6] == ["yes", "2026-11-24 08:00:00"], shown
    assert "NULL" not in _good(_report(site, path))


def a_page_leaves_rows_out_and_says_how_many(site):
    path = _own(site, "select i, i % 7 as part from generate_series(1, 12345) as i", more="-- chart: bar x=part y=*  Rows\n")
    got = _good(_report(site, path, "-o", "html"))
    page = _page(got)
    assert len(page.rows) == 10001 and "2,345 further rows are left out" in got and "12,345 rows" in got
    assert "0: 1,763" in [t.text for t in page.pictures[0].iter("title")], "the picture counts them all"
    assert len(_page(_good(_report(site, path, "-o", "html", "--max", "5"))).rows) == 6
    assert len(_csv(_good(_report(site, path, "-o", "csv")))[0]) == 12345
    table = _good(_report(site, path)).splitlines()
    assert len(table) == 12346 and table[:2] == ["   I  PART", "   1     1"] and table[-1] == "12345     4", "as wide as the first 1,000"


def a_page_says_where_from_and_nothing_secret(site):
    got = _good(_report(site, "open-failures", "day=yesterday", "-o", "html", MUSTER_POSTGRES_CONNINFO=site.conninfo.replace("user=muster", "user=analyst")
                        + " password=s3cret"))
    day = site.value("select (now() at time zone 'UTC')::date - 1")
    assert f"<dt>day</dt><dd>{day}<small>" in got and "<dt>database</dt><dd>postgres</dd>" in got and re.search(r"\d\d:\d\d:\d\d UTC", got)
    assert "s3cret" not in got and site.dir not in got and "analyst" not in got and "muster 0." in got


def a_chart_of_a_column_that_is_not_there_is_told(site):
    path = _own(site, "select 1 as a", more="-- chart: bar x=a y=b  B\n")
    got = _report(site, path, "-o", "html")
    assert got.returncode == 4 and 'a chart wants a column "b"' in got.stderr and not got.stdout, got


# ---- it only reads ----

def a_report_can_only_read(site):
    site.sql("create table public.kept (n int); insert into public.kept values (1)")
    site.sql("create function public.sly() returns int language sql volatile security definer as 'delete from public.kept returning n'")
    for query, says in (("delete from public.kept returning n", "only reads"), ("select public.sly()", "only reads"),
                        ("with d as (delete from public.kept returning n) select * from d", "only reads"), ("drop table public.kept", "gives no rows"),
                        ("select 1; drop table public.kept", "multiple commands"), ("commit; drop table public.kept", "multiple commands"),
                        ("select set_config('transaction_read_only', 'off', false)", "only reads"), ("create table public.x as select 1", "gives no rows"),
                        ("copy (select 1) to stdout", "gives no rows"), ("set session characteristics as transaction read write", "gives no rows"),
                        ("select\n\n nosuch from public.kept", "line 6: column"), ("select 1 from", "syntax error"), ("", "gives no rows")):
        got = _report(site, _own(site, query), user="muster")  # who may do all that
        assert got.returncode == 4 and says in got.stderr and not got.stdout, (query, got)
        assert site.value("select count(*) from public.kept") == "1" and site.value("select to_regclass('public.x') is null") == "t", query
    assert _report(site, _own(site, "select lo_create(424242)"), user="muster").returncode in (0, 4)
    assert site.value("select count(*) from pg_largeobject_metadata") == "0", "nothing is committed"


def a_report_that_takes_too_long_is_ended(site):
    path = _own(site, "select i, pg_sleep(20)::text from generate_series(1, 2) as i")
    for form in ("table", "csv", "html"):
        got = _report(site, path, "-o", form, "--timeout", "300ms")
        assert got.returncode == 6 and "--timeout" in got.stderr and "57014" in got.stderr, got
    assert site.value("select count(*) from pg_stat_activity where query like '%pg_sleep(20)%' and state = 'active' and pid <> pg_backend_pid()") == "0"


def what_a_login_may_not_see_is_status_7(site):
    got = _report(site, "open-failures", user="stranger")
    assert got.returncode == 7 and "muster_reporter" in got.stderr, got
    got = _report(site, _own(site, "select * from muster.job"))
    assert got.returncode == 7 and "permission denied" in got.stderr, got
    assert _report(site, "open-failures", user="inspector").returncode == 0
    got = _report(site, "open-failures", MUSTER_POSTGRES_CONNINFO="host=/nowhere user=x")
    assert got.returncode == 5, got
    got = site.cli("--set", "postgres.conninfo=", "report", "open-failures")
    assert got.returncode == 2 and "postgres.conninfo" in got.stderr, got


def a_login_that_can_never_write_is_good_enough(site):
    site.sql("alter role analyst set default_transaction_read_only = on")
    site.sql("alter role analyst set timezone = 'Asia/Tokyo'")
    site.sql("alter role analyst set datestyle = 'German, DMY'")
    try:
        path = _own(site, "select timestamptz '2026-11-24 10:00+00' as at, date '2026-11-24' as day")
        assert json.loads(_good(_report(site, path, "-o", "json"))) == [{"at": "2026-11-24T10:00:00Z", "day": "2026-11-24"}]
    finally:
        site.sql("alter role analyst reset all")


def a_file_that_is_no_report_is_status_4_with_its_line(site):
    path = os.path.join(site.dir, "odd.sql")
    for text, says in (("select 1", "it has no title"), ("-- title: T\n-- question: Q\n-- parm: x\nselect 1", "line 3:"), ("\x00", "no text")):
        with open(path, "w") as f:
            f.write(text)
        got = _report(site, path)
        assert got.returncode == 4 and says in got.stderr and "odd.sql" in got.stderr, got
    for words in (("status", "x", "-o", "html"), ("check", "x", "-o", "html"), ("report", "open-failures", "-o", "pdf")):
        assert site.cli(*words).returncode == 2, words
