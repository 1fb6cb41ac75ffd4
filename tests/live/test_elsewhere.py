# SPDX-License-Identifier: Apache-2.0
"""Sources that lie elsewhere than below a data root, and compressed ones: a job over them ends as over the file."""
import gzip
import json
import shutil
import subprocess

from harness import wait_until
from marks import own_site
from objects import make_bucket, put_object, replace_object
from web import Web

SITE = {"task__ack_wait": "1s", "task__shard_bytes": "64KiB", "worker__checkpoint": "50ms", "dispatcher__reconcile": "200ms"}
GOOD, BAD = "US0378331005", "US0378331006"
BUCKET = "muster_sources"
ROWS = 20000


def _trades(wrong=97):
    return ("symbol,isin\n" + "".join(f"S{i},{BAD if i % wrong == 7 else GOOD}\n" for i in range(ROWS))).encode()


def _submit(site, uri, **source):
    return site.submit({"pack": "identifiers@1.0.0", "source": dict({"uri": uri}, **source)})["job_id"]


def _findings(site, job):
    return site.sql("select rule, record_no, line, fingerprint, message, evidence from report.finding "
                    f"where job_id = '{job}' order by record_no, rule")


def _counts(site, job):
    return site.sql(f"select rule, status, pass, fail, not_evaluated from report.check_result where job_id = '{job}' order by rule")


def _tasks(site, job):
    return int(site.value(f"select tasks from report.job_status where job_id = '{job}'"))


def a_job_finds_the_same_wherever_its_source_lies(site):
    data, web = _trades(), Web()
    site.dispatcher()
    site.recorder()
    for name in ("a1", "a2"):
        site.worker(name, **web.settings)
    make_bucket(site.nats, BUCKET)
    put_object(site.nats, BUCKET, "eod/trades.csv", data)
    put_object(site.nats, BUCKET, "eod/trades.csv.gz", gzip.compress(data))
    site.write("trades.csv", data)
    site.write("trades.csv.gz", gzip.compress(data))
    whole = [f"object:{BUCKET}/eod/trades.csv", web.put("eod/trades.csv", data) + "?signature=abc"]
    packed = ["file:trades.csv.gz", f"object:{BUCKET}/eod/trades.csv.gz", web.put("eod/trades.csv.gz", gzip.compress(data))]
    if shutil.which("zstd"):
        site.write("trades.csv.zst", subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout)
        packed.append("file:trades.csv.zst")
    web.files["eod/trades.csv?signature=abc"] = data
    want = _submit(site, "file:trades.csv")
    jobs = {uri: _submit(site, uri) for uri in whole + packed}
    assert site.done(want)["result"] == "fail" and _tasks(site, want) > 4
    findings, counts = _findings(site, want), _counts(site, want)
    assert len(findings) == sum(i % 97 == 7 for i in range(ROWS)), len(findings)
    for uri, job in jobs.items():
        assert site.done(job)["result"] == "fail", (uri, site.status(job))
        assert _findings(site, job) == findings and _counts(site, job) == counts, uri
        assert _tasks(site, job) == (_tasks(site, want) if uri in whole else 1), uri
    assert site.sql("select * from report.reconciliation where not balanced") == []
    web.close()


def names_that_cannot_be_read_are_refused_at_the_door(site):
    for uri, code in (("http://user:hunter2@127.0.0.1/a.csv", "path_refused"), ("https://h/a.csv#part", "path_refused"),
                      ("http:a.csv", "path_refused"), ("file:../a.csv", "path_refused"), ("ftp://h/a.csv", "invalid"),
                      ("object:b/a.dat", "invalid"), ("http://h/a", "invalid")):
        answer = site.api("submit", {"pack": "identifiers@1.0.0", "source": {"uri": uri}})
        assert answer["ok"] is False and answer["error"]["code"] == code, (uri, answer)
        assert "hunter2" not in json.dumps(answer)
    answer = site.api("submit", {"pack": "identifiers@1.0.0", "source": {"uri": "file:a.csv", "compression": "rar"}})
    assert answer["error"]["code"] == "invalid" and answer["error"]["pointer"] == "/source/compression", answer


@own_site
def an_object_that_is_replaced_between_plan_and_scan_is_source_changed(site):
    site.dispatcher()
    site.recorder()
    make_bucket(site.nats, BUCKET)
    nuid = put_object(site.nats, BUCKET, "trades.csv", _trades())
    planner = site.worker("planner", fail="worker.after_ack=crash")
    job = _submit(site, f"object:{BUCKET}/trades.csv")
    wait_until(lambda: not planner.alive(), 30, "the end of the agent that planned")
    replace_object(site.nats, BUCKET, "trades.csv", nuid, _trades(wrong=96))
    site.worker("a1")
    assert site.done(job)["state"] == "failed"
    rows = site.sql(f"select distinct stage, result, reason from report.task_history where job_id = '{job}' order by stage")
    assert rows == [["plan", "planned", ""], ["scan", "error", "source_changed"]], rows


@own_site
def a_job_over_a_compressed_page_survives_kill_9(site):
    data, web = _trades(), Web()
    site.dispatcher()
    site.recorder()
    first = site.worker("a1", worker__read_limit="1MiB", **web.settings)
    job = _submit(site, web.put("trades.csv.gz", gzip.compress(data)))
    wait_until(lambda: (site.nats.kv("muster_state", job) or {}).get("checkpoint"), 30, "a checkpoint")
    first.kill9()
    site.worker("a2", **web.settings)
    assert site.done(job)["result"] == "fail"
    assert site.value(f"select count(*) from report.task_history where job_id = '{job}' and resumes > 0") == "1"
    assert len(_findings(site, job)) == sum(i % 97 == 7 for i in range(ROWS))
    web.close()
