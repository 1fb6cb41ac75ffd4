# SPDX-License-Identifier: Apache-2.0
"""The case `scan` of ./run bench: how fast one core reads each format under rules, in one process and without a broker;
and beside it, on the same data, what one would use today: DuckDB with SQL, Python with stdnum, xmllint."""
import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from xml.sax.saxutils import escape

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BYTES = int(os.environ.get("MUSTER_BENCH_BYTES", str(10 ** 9)))
PART = min(BYTES, 200 * 10 ** 6)  # of the CSV that is written in the other formats, and given to the others
REPORTS = 5000                    # generated transaction reports, which are then repeated
THREE = {"muster_pack": 1, "pack": "three", "version": "1.0.0", "title": "three identifier rules",
         "columns": {c: {"type": "text"} for c in ("isin", "lei", "mic")}, "lists": {"isin": "isin-prefix@2024.1", "mic": "mic"},
         "rules": [{"id": f"T.{c.upper()}", "severity": "high", "check": c, "with": {"column": c}} for c in ("isin", "lei", "mic")]}

# The same three rules in DuckDB's SQL: form and check digits, and the list of markets.
DUCKDB = """
const { DuckDBInstance } = require('@duckdb/node-api');
(async () => {
  const [data, mics] = process.argv.slice(2);
  const db = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
  await db.run(`create macro value36(c) as case when c between '0' and '9' then cast(c as int) else ascii(c) - 55 end`);
  await db.run(`create macro digits(t) as array_to_string(list_transform(range(1, len(t) + 1), i -> cast(value36(substr(t, i, 1)) as varchar)), '')`);
  await db.run(`create macro luhn(s) as list_sum(list_transform(range(0, len(s)), i -> case when i % 2 = 1
      then (2 * cast(substr(s, len(s) - i, 1) as int)) % 10 + (2 * cast(substr(s, len(s) - i, 1) as int)) // 10
      else cast(substr(s, len(s) - i, 1) as int) end)) % 10`);
  await db.run(`create table mics as select mic from read_csv('${mics}', skip = 3, header = true, all_varchar = true, quote = '"')`);
  const begin = process.hrtime.bigint();
  const got = await db.runAndReadAll(`with t as materialized (select isin, lei, mic, digits(isin) as isin_digits
      from read_csv('${data}', header = true, all_varchar = true, ignore_errors = true, quote = '"')) select count(*),
      count(*) filter (where not coalesce(regexp_full_match(isin, '[A-Z]{2}[A-Z0-9]{9}[0-9]') and luhn(isin_digits) = 0, true)),
      count(*) filter (where not coalesce(regexp_full_match(lei, '[A-Z0-9]{18}[0-9]{2}') and list_reduce(list_transform(range(1, 21),
          i -> value36(substr(lei, i, 1))), (a, b) -> (a * case when b > 9 then 100 else 10 end + b) % 97) = 1, true)),
      count(*) filter (where mic is not null and mic not in (select mic from mics))
      from t`);
  console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - begin) / 1e9, rows: got.getRows()[0].map(String) }));
})();
"""


def measure(build, note, data, pack, what):
    """Of our own scan; MB/s with the digest over the bytes."""
    got = subprocess.run([os.path.join(build, "tests", "bench-scan"), data, pack, os.path.join(build, "workers", "lists"), "3"],
                         capture_output=True, text=True)
    if got.returncode:
        sys.exit(f"bench-scan: {got.stderr}")
    figures = json.loads(got.stdout.splitlines()[-1])
    note("scan", f"{what}, {figures['rules']} rules", figures["scan_mb_s"], "MB/s")
    note("scan", f"{what}, without the digest", figures["scan_without_hash_mb_s"], "MB/s")
    note("scan", f"{what}, boundaries alone (plan)", figures["plan_mb_s"], "MB/s")
    return figures["scan_mb_s"]


def part_of(data, folder):
    """A copy of the beginning of the CSV, up to a row end."""
    part = os.path.join(folder, "part.csv")
    with open(data, "rb") as f, open(part, "wb") as out:
        left = PART
        for line in f:
            out.write(line)
            left -= len(line)
            if left < 0 and line.count(b'"') % 2 == 0:
                break
    return part


def render(part, folder):
    """The same records as JSON Lines and as XML."""
    lines, tree = os.path.join(folder, "part.jsonl"), os.path.join(folder, "part.xml")
    with open(part, newline="", encoding="utf-8") as f, open(lines, "w", encoding="utf-8") as j, open(tree, "w", encoding="utf-8") as x:
        reader = csv.reader(f)
        names = next(reader)
        x.write("<trades>\n")
        for row in reader:
            if len(row) != len(names):
                continue
            j.write(json.dumps(dict(zip(names, row)), ensure_ascii=False, separators=(",", ":")) + "\n")
            x.write("<trade>" + "".join(f"<{n}>{escape(v)}</{n}>" for n, v in zip(names, row)) + "</trade>\n")
        x.write("</trades>\n")
    return lines, tree


def reports(folder):
    """Transaction reports with 1 % faults, as many as make a good measure."""
    subprocess.run([sys.executable, os.path.join(ROOT, "tests", "packs", "generate.py"), "rts22-core", str(REPORTS), "7", folder],
                   check=True, stdout=subprocess.DEVNULL)
    data = os.path.join(folder, "rts22-core.csv")
    with open(data, "rb") as f:
        header, body = f.readline(), f.read()
    with open(data, "wb") as f:
        f.write(header + body * max(1, PART // len(body)))
    return data


def user_seconds(command, **more):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    got = subprocess.run(command, capture_output=True, text=True, **more)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return got, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def duckdb(build, part, folder):
    """MB/s of one thread, or None where it cannot be had."""
    home = os.path.join(build, "duckdb")
    if not shutil.which("npm"):
        return None
    if not os.path.isdir(os.path.join(home, "node_modules", "@duckdb")):
        os.makedirs(home, exist_ok=True)
        if subprocess.run(["npm", "install", "--silent", "--no-audit", "--prefix", home, "@duckdb/node-api@1.5.6-r.1"], capture_output=True).returncode:
            return None
    script = os.path.join(home, "three.js")
    with open(script, "w") as f:
        f.write(DUCKDB)
    mics = [f for f in os.listdir(os.path.join(build, "workers", "lists")) if f.startswith("mic@")][0]
    got = subprocess.run(["node", script, part, os.path.join(build, "workers", "lists", mics)], capture_output=True, text=True)
    if got.returncode:
        print(f"# duckdb: {got.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    return os.path.getsize(part) / 1e6 / json.loads(got.stdout)["seconds"]


def python_sample(data):
    """What one would write in an hour: csv and stdnum over 20,000 rows. None without it."""
    script = ("import csv,sys,time\nfrom stdnum import isin,lei\nb=time.process_time()\nn=0\n"
              "with open(sys.argv[1],newline='') as f:\n r=csv.DictReader(f)\n for i,row in enumerate(r):\n"
              "  isin.is_valid(row['isin']); lei.is_valid(row['lei']); row['mic'] in {'XLON'}; n+=sum(map(len,filter(None,row.values())))+12\n"
              "  if i==20000: break\nprint(n/1e6/(time.process_time()-b))")
    got = subprocess.run(["/usr/bin/python3", "-c", script, data], capture_output=True, text=True)
    return float(got.stdout) if got.returncode == 0 else None


def xmllint(tree):
    """Well-formedness alone, streamed: it knows no rules."""
    if not shutil.which("xmllint"):
        return None
    got, seconds = user_seconds(["xmllint", "--stream", "--noout", tree])
    return os.path.getsize(tree) / 1e6 / seconds if got.returncode == 0 else None


def peak_memory(build, data, pack):
    """Of `muster check` over the whole file, in MiB."""
    script = ("import resource,subprocess,sys\nsubprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL)\n"
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    command = [os.path.join(build, "cli", "muster"), "check", data, "--pack", pack, "--lists", os.path.join(build, "workers", "lists"), "-o", "jsonl"]
    got = subprocess.run([sys.executable, "-c", script] + command, capture_output=True, text=True, check=True)
    return int(got.stdout) / 1024


def scan(build, note):
    with tempfile.TemporaryDirectory(prefix="mu-scan-") as folder:
        data, pack = os.path.join(folder, "scan.csv"), os.path.join(folder, "three.json")
        subprocess.run([os.path.join(build, "tests", "muster-generate"), "--bytes", str(BYTES), data], check=True)
        with open(pack, "w") as f:
            json.dump(THREE, f)
        ours = measure(build, note, data, pack, "CSV")
        note("scan", "CSV, peak memory of muster check", peak_memory(build, data, pack), "MiB")
        part = part_of(data, folder)
        began = time.monotonic()
        subprocess.run(["wc", "-l", data], check=True, stdout=subprocess.DEVNULL)
        against("wc -l of the same file", os.path.getsize(data) / 1e6 / (time.monotonic() - began), ours, note)
        os.unlink(data)
        against("duckdb, the same three rules in SQL", duckdb(build, part, folder), ours, note)
        against("python3 with csv and stdnum, 20,000 rows", python_sample(part), ours, note)
        lines, tree = render(part, folder)
        measure(build, note, lines, pack, "JSON Lines")
        xml = measure(build, note, tree, pack, "XML")
        against("xmllint --stream, no rules", xmllint(tree), xml, note)
        for file in (lines, tree, part):
            os.unlink(file)
        measure(build, note, reports(folder), os.path.join(ROOT, "workers", "packs", "rts22-core@1.0.0.json"), "CSV, rts22-core")


def against(what, value, ours, note):
    if value:
        note("scan", what, value, "MB/s", value / ours)
    else:
        print(f"{'scan':10} {what}: not to be had here", flush=True)
