# SPDX-License-Identifier: Apache-2.0
"""Bad input: each kind has its exact code at the door or its exact reason in the outcome, and nothing is half-stored."""
import os

from harness import wait_until
from marks import own_site

SITE = {"task__ack_wait": "2s", "task__record_bytes": "64KiB"}
GOOD = "US0378331005"


def prepare(site):
    site.all(workers=1)


def _refused(site, body, code, pointer=None):
    before = site.value("select count(*) from muster.job")
    answer = site.api("submit", body)
    assert answer["ok"] is False and answer["error"]["code"] == code, answer
    if pointer is not None:
        assert answer["error"]["pointer"] == pointer, answer
    assert answer["error"]["message"]
    assert site.value("select count(*) from muster.job") == before


def _outcome(site, source, want_result, want_reason):
    job = site.submit({"pack": "identifiers@1.0.0", "source": source})["job_id"]
    status = site.done(job)
    rows = site.sql(f"select result, coalesce(reason, '') from report.task_history where job_id = '{job}'")
    assert rows == [[want_result, want_reason]], (rows, status)
    return job


def malformed_json_is_refused(site):
    _refused(site, '{"pack":', "malformed")
    _refused(site, '{"pack":"identifiers@1.0.0","pack":"identifiers@1.0.0","records":[]}', "malformed")
    _refused(site, b'{"pack":"identifiers@1.0.0","records":[{"isin":"\xff"}]}', "malformed")
    _refused(site, '{"pack":"identifiers@1.0.0","records":[{"isin":"a\\u0000b"}]}', "malformed")
    _refused(site, "[" * 40 + "]" * 40, "malformed")
    _refused(site, "", "malformed")


def wrong_types_are_refused_with_their_place(site):
    _refused(site, {"pack": 7, "records": [{"isin": GOOD}]}, "invalid", "/pack")
    _refused(site, {"pack": "identifiers@1.0.0", "records": [{"isin": 5}]}, "invalid", "/records/0/isin")
    _refused(site, {"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}], "nosuch": 1}, "invalid")
    _refused(site, {"pack": "identifiers@1.0.0"}, "invalid")
    _refused(site, {"pack": "identifiers@1.0.0", "source": {"name": "x"}}, "invalid")
    _refused(site, {"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}], "priority": "urgent"}, "invalid", "/priority")
    _refused(site, {"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}], "as_of": "2026-02-30"}, "invalid", "/as_of")


def unknown_packs_columns_and_queues_are_refused(site):
    _refused(site, {"pack": "nosuch@1", "records": [{"isin": GOOD}]}, "unknown_pack", "/pack")
    _refused(site, {"pack": "identifiers@9", "records": [{"isin": GOOD}]}, "unknown_pack", "/pack")
    _refused(site, {"pack": "identifiers@1.0.0", "records": [{"isim": GOOD}]}, "invalid", "/records/0/isim")
    _refused(site, {"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}], "queue": "nosuch"}, "unknown_queue", "/queue")


def a_path_outside_the_roots_is_refused(site):
    _refused(site, {"pack": "identifiers@1.0.0", "source": {"uri": "file:../../etc/passwd"}}, "path_refused", "/source/uri")
    os.symlink("/etc/passwd", os.path.join(site.sources, "link.csv"))
    _outcome(site, {"uri": "file:link.csv", "format": "csv"}, "rejected", "path_refused")
    _outcome(site, {"uri": "file:/etc/passwd", "format": "csv"}, "rejected", "path_refused")


def an_oversized_body_is_refused(site):
    records = [{"isin": GOOD}] * 12000
    _refused(site, {"pack": "identifiers@1.0.0", "records": records}, "too_large")


def a_task_that_no_queue_message_could_carry_is_refused(site):
    rules = {"muster_pack": 1, "pack": "large", "version": "1.0.0", "title": "x", "columns": {"isin": {"type": "text"}},
             "rules": [{"id": f"L.R{i}", "title": "y" * 190, "severity": "high", "check": "not_null", "with": {"column": "isin"}}
                       for i in range(500)]}
    records = [{"isin": GOOD}] * 7000
    _refused(site, {"rules": rules, "records": records}, "too_large", "/rules")
    rules["rules"] = rules["rules"][:200]
    job = site.submit({"rules": rules, "records": records})["job_id"]
    assert site.done(job)["result"] == "pass"


def a_missing_file_a_directory_and_an_unreadable_file_have_their_reasons(site):
    _outcome(site, {"uri": "file:none.csv"}, "error", "source_missing")
    os.mkdir(os.path.join(site.sources, "folder.csv"))
    _outcome(site, {"uri": "file:folder.csv"}, "error", "source_not_file")
    if os.geteuid() == 0:
        return  # root reads everything; the unit test of the source runs as another user
    os.chmod(site.write("locked.csv", "isin\n"), 0)
    _outcome(site, {"uri": "file:locked.csv"}, "error", "source_unreadable")


def an_empty_file_and_a_header_alone_are_never_a_pass(site):
    site.write("empty.csv", "")
    _outcome(site, {"uri": "file:empty.csv"}, "not_evaluated", "")
    site.write("header.csv", "isin,lei\n")
    _outcome(site, {"uri": "file:header.csv"}, "not_evaluated", "")


def nul_bytes_and_invalid_utf8_are_bad_records_with_their_place(site):
    site.write("bytes.csv", b"isin\n" + GOOD.encode() + b"\nUS03\x0078331005\nUS\xff0378331005\n" + GOOD.encode() + b"\n")
    job = _outcome(site, {"uri": "file:bytes.csv"}, "fail", "")
    rows = site.sql(f"select rule, record_no, byte_off from report.finding where job_id = '{job}' order by record_no")
    assert rows == [["DQ.RECORD", "2", "18"], ["DQ.RECORD", "3", "32"]], rows
    assert site.value(f"select records_bad from report.job_status where job_id = '{job}'") == "2"


def a_line_without_end_is_stopped_by_the_limit(site):
    path = site.write("long.csv", "isin\n")
    with open(path, "ab") as f:
        f.truncate(1 << 30)  # a sparse gigabyte of NUL bytes and no line end
    _outcome(site, {"uri": "file:long.csv"}, "error", "limit_record_bytes")
    os.unlink(path)


def an_unknown_format_is_refused_at_the_door(site):
    _refused(site, {"pack": "identifiers@1.0.0", "source": {"uri": "file:data.parquet", "format": "parquet"}}, "invalid")
    _refused(site, {"pack": "identifiers@1.0.0", "source": {"uri": "file:data"}}, "invalid")


def what_is_wrong_at_the_stream_door_becomes_a_row(site):
    site.nats.publish_stream("muster.intake", b'{"pack":"nosuch@1","records":[{"isin":"x"}]}')
    wait_until(lambda: site.value("select code from muster.rejection where code = 'unknown_pack' limit 1") == "unknown_pack")


def a_login_in_what_is_refused_stands_in_no_row(site):
    site.nats.publish_stream("muster.intake", b'{"pack":"identifiers@1.0.0","source":{"uri":"https://ann:secret@host/a.csv"}}')
    body = wait_until(lambda: site.value("select convert_from(body, 'UTF8') from muster.rejection where code = 'path_refused' limit 1"))
    assert "secret" not in body and "https://**********@host/a.csv" in body, body
    assert site.value("select count(*) from muster.outbox where convert_from(bytes, 'UTF8') like '%secret%'") == "0"


@own_site(worker__read_limit="1MiB", task__ack_wait="2s")
def a_file_that_changes_while_it_is_read_is_an_error(site):
    site.all(workers=1)
    path = site.write("changing.csv", "isin\n" + (GOOD + "\n") * 300000)
    job = site.submit({"pack": "identifiers@1.0.0", "source": {"uri": "file:changing.csv"}})["job_id"]
    wait_until(lambda: site.nats.kv("muster_state", job), what="a checkpoint: the file is being read")
    with open(path, "ab") as f:
        f.write(GOOD.encode() + b"\n")
    assert site.done(job)["result"] == "error"
    assert site.sql(f"select result, reason from report.task_history where job_id = '{job}'") == [["error", "source_changed"]]
    assert site.value("select count(*) from report.finding where not is_partial") == "0"


def nothing_is_left_in_quarantine(site):
    assert site.value("select count(*) from muster.quarantine") == "0"
    assert site.value("select count(*) from muster.outcome_conflict") == "0"
