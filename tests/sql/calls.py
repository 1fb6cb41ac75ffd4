# SPDX-License-Identifier: Apache-2.0
"""The functions of schema muster as Python calls: jobs, result messages, rows. Ids and digests are made here, by
another hand than the SQL."""
import hashlib
import json
import os
import time
import uuid


def uuid7(ms=None):
    ms = time.time_ns() // 1_000_000 if ms is None else ms
    b = bytearray(ms.to_bytes(6, "big") + os.urandom(10))
    b[6] = b[6] & 15 | 0x70
    b[8] = b[8] & 63 | 0x80
    return str(uuid.UUID(bytes=bytes(b)))


def derive(origin, *members):
    """UUID version 8 as PROTOCOL §1: time bits of the origin, then SHA-256 over the members."""
    text = b"".join(b"%d:" % len(m.encode()) + m.encode() for m in members)
    b = bytearray(uuid.UUID(origin).bytes[:6] + hashlib.sha256(text).digest()[:10])
    b[6] = b[6] & 15 | 0x80
    b[8] = b[8] & 63 | 0x80
    return str(uuid.UUID(bytes=bytes(b)))


def sha(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).digest()


def literal(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, bytes):
        return "'\\x" + value.hex() + "'"
    return "'" + str(value).replace("'", "''") + "'"


def array(kind, values):
    return "array[" + ",".join(literal(v) for v in values) + f"]::{kind}[]"


class Job:
    """A submission as the dispatcher makes it."""

    def __init__(self, stage="scan", queue="default", priority="normal", key=None, pack="identifiers@1.0.0", ms=None, **more):
        self.id, self.stage, self.queue, self.priority, self.key, self.pack = uuid7(ms), stage, queue, priority, key, pack
        self.labels = more.get("labels")
        self.source, self.as_of = more.get("source", "trades"), more.get("as_of", "2026-11-24")
        terms = {"pack": {"name": pack.split("@")[0], "version": pack.split("@")[1], "digest": sha(pack).hex()}, "lists": more.get("lists", {}),
                 "params": {}, "as_of": "2026-11-24", "shard_bytes": 67108864, "buckets": 16,
                 "limits": {"record_bytes": 1048576, "fields": 4096}}
        if more.get("document"):
            terms["pack"]["document"] = more["document"]
        self.terms = json.dumps(terms, separators=(",", ":")).encode()
        task = {"v": 1, "task_id": self.id, "job_id": self.id, "stage": stage, "attempt": 1, "terms": sha(self.terms).hex()}
        if stage == "plan":
            task["source"] = {"uri": "file:trades.csv", "name": "trades", "format": "csv"}
        else:
            task["records"] = [{"isin": "US0378331006"}]
        self.body = json.dumps(task, separators=(",", ":")).encode()
        self.digest = sha(self.body)

    def ride(self):
        return (f'{{"v":1,"ride_id":"{self.id}","n":1,"queue":"{self.queue}","priority":"{self.priority}","terms":'
                .encode() + self.terms + b',"tasks":[' + self.body + b"]}")

    def subject(self):
        return f"muster.task.{self.queue}.{self.priority}.{self.id}"


ACCEPT = (("uuid", lambda j: j.id), ("text", lambda j: j.key), ("bytea", lambda j: j.body), ("bytea", lambda j: j.digest),
          ("text", lambda j: j.stage), ("text", lambda j: j.queue), ("text", lambda j: j.priority), ("text", lambda j: j.pack),
          ("bytea", lambda j: sha(j.terms)), ("text", lambda j: j.source), ("text", lambda j: j.as_of),
          ("timestamptz", lambda j: None), ("text", lambda j: j.labels), ("text", lambda j: None))


def accept(db, *jobs, bundle=None, event=False):
    """Stores jobs; each rides alone, or all in the bundle of that id."""
    if bundle:
        rides = [(bundle, f"muster.task.{jobs[0].queue}.{jobs[0].priority}.{bundle}", b"bundle")]
        numbers = [1] * len(jobs)
    else:
        rides = [(j.id, j.subject(), j.ride()) for j in jobs]
        numbers = list(range(1, len(jobs) + 1))
    values = [array(kind, [of(j) for j in jobs]) for kind, of in ACCEPT]
    values += [array("int", numbers), array("uuid", [r[0] for r in rides]), array("text", [r[1] for r in rides]),
               array("bytea", [r[2] for r in rides]), array("bytea", [sha(j.terms) for j in jobs]),
               array("bytea", [j.terms for j in jobs])]
    values += [array("uuid", [uuid7()] if event else []), literal("muster.event.job.accepted"),
               array("bytea", [b"{}"] if event else []), "'test'"]
    db.rows("select muster.accept_jobs(" + ", ".join(values) + ")")
    return jobs[0] if len(jobs) == 1 else jobs


TODAY = uuid7(time.time_ns() // 1_000_000 // 86_400_000 * 86_400_000)
INPUT = sha("the input")
STAMP = "2026-11-24T10:00:00Z"
OUTCOME = dict(task="uuid", job="uuid", ride="uuid", n="int", delivery="int", queue="text", task_digest="bytea",
               input_digest="bytea", result="text", reason="text", message="text", records="bigint", bad="bigint",
               skipped="bigint", bytes="bigint", findings="bigint", riding="bigint", plan="text", resumes="text",
               crashes="int", agent="text", incarnation="uuid", started="timestamptz", finished="timestamptz",
               determined="bytea", computed="boolean", seq="bigint", at="timestamptz", index="int")
FINDING = dict(id="uuid", task="uuid", job="uuid", queue="text", task_digest="bytea", input_digest="bytea",
               fingerprint="bytea", rule="text", severity="text", outcome="text", shadow="boolean", record="bigint",
               byte="bigint", length="bigint", line="bigint", subject="text", part="text", message="text", evidence="text",
               seq="bigint", at="timestamptz", index="int")
DEFERRED = {"task": "uuid", "n": "int", "class": "text", "reason": "text", "message": "text"}
QUARANTINE = dict(subject="text", reason="text", bytes="bytea", seq="bigint", at="timestamptz", index="int")
PASS = [{"rule": "ISIN", "severity": "high", "pass": 1}]
FAIL = [{"rule": "ISIN", "severity": "high", "fail": 1}]
COUNTERS = ("outcomes", "findings", "repeats", "late", "conflicts", "quarantined", "incomplete", "deferred", "planned",
            "finished")


class Stream:
    """MUSTER_RESULTS as the recorder sees it: sequences and time stamps are given out here."""

    def __init__(self, created="2026-11-24T00:00:00Z"):
        self.created, self.seq = created, 0

    def next(self):
        self.seq += 1
        return self.seq

    def at(self, seq):
        return f"2026-11-24T10:00:00.{seq:06d}Z"

    def outcome(self, task, **more):
        o = dict(task=task.id, job=getattr(task, "job", task.id), ride=task.id, n=1, delivery=1, queue=task.queue,
                 task_digest=task.digest, input_digest=INPUT, result="pass", reason=None, message=None, records=1, bad=0,
                 skipped=0, bytes=10, findings=0, riding=0, rules=PASS, plan=None, resumes=None, crashes=0, agent="a1",
                 incarnation=uuid7(), started=STAMP, finished=STAMP, seq=self.next(), index=0)
        o.update(more)
        o["at"] = self.at(o["seq"])
        if "computed" not in more:
            o["computed"] = (o["result"] in ("pass", "warn", "fail", "not_evaluated", "planned")
                             or (o["reason"] or "").startswith("limit_"))
        if "determined" not in more:
            o["determined"] = sha(json.dumps([o["result"], o["reason"], o["records"], o["bad"], o["findings"],
                                              o["rules"], o["plan"], (o["input_digest"] or b"").hex()], sort_keys=True))
        for key in ("plan", "resumes"):
            if o[key] is not None:
                o[key] = json.dumps(o[key])
        return o

    def finding(self, task, record=1, **more):
        f = dict(task=task.id, job=getattr(task, "job", task.id), queue=task.queue, task_digest=task.digest,
                 input_digest=INPUT, fingerprint=sha(f"fp {record}"), rule="ISIN", severity="high", outcome="fail",
                 shadow=False, record=record, byte=0, length=10, line=record, subject=str(record), part=None,
                 message="check digit 6, expected 5", evidence='{"columns":{"isin":"US0378331006"},"lists":{}}',
                 seq=self.next(), index=0)
        f.update(more)
        f.setdefault("id", derive(task.id, task.id, f["rule"], str(record)))
        f["at"] = self.at(f["seq"])
        return f

    def call(self, outcomes=(), findings=(), deferred=(), quarantine=()):
        parts = [f"stream_created => {literal(self.created)}", f"last_sequence => {self.seq}",
                 f"last_stored => {literal(self.at(self.seq))}"]
        for prefix, columns, rows in (("o", OUTCOME, outcomes), ("f", FINDING, findings), ("d", DEFERRED, deferred),
                                      ("q", QUARANTINE, quarantine)):
            parts += [f"{prefix}_{name} => {array(kind, [r[name] for r in rows])}" for name, kind in columns.items()]
        tallies = []
        for o in outcomes:
            text = json.dumps(o["rules"])
            if o["rules"] and text not in tallies:
                tallies.append(text)
        places = [tallies.index(json.dumps(o["rules"])) + 1 if o["rules"] else None for o in outcomes]
        parts += [f"o_tally => {array('int', places)}", f"t_rules => {array('text', tallies)}",
                  f"t_id => {array('uuid', [derive(TODAY, t) for t in tallies])}"]
        return f"select {', '.join(COUNTERS)} from muster.record_batch({', '.join(parts)})"

    def record(self, db, outcomes=(), findings=(), deferred=(), quarantine=()):
        """One batch; its counters by name, zero ones left out."""
        row = db.rows(self.call(outcomes, findings, deferred, quarantine))[0]
        return {name: int(value) for name, value in zip(COUNTERS, row) if int(value)}


class Task:
    """A task made by the database, as a worker would know it from its message."""

    def __init__(self, row):
        self.id, self.job, self.queue = row[0], row[1], row[2]
        self.body = bytes.fromhex(row[3][2:])
        self.digest = sha(self.body)
        self.index = None if row[4] is None else int(row[4])


def tasks_of(db, job):
    return [Task(r) for r in db.rows(
        f"select task_id, job_id, queue, body, shard_index from muster.task where job_id = '{job.id}' order by shard_index")]


def plan_of(shards, records_each=10, digest="whole"):
    return {"size": shards * 100, "digest": sha(digest).hex(), "records": shards * records_each, "shard_bytes": 100,
            "shards": [{"from": i * 100, "to": (i + 1) * 100, "first_record": i * records_each + 1, "first_line": i * records_each + 2,
                        "records": records_each, "digest": sha(f"shard {i}").hex()} for i in range(shards)]}


def _micros(stamp):
    """What PostgreSQL sends for a time stamp: microseconds since 2000, 8 bytes."""
    return int(stamp).to_bytes(8, "big", signed=True)


def link_hash(previous, link):
    """The hash of an audit link as its documentation says it, by another hand than the SQL."""
    data = previous + link["seq"].to_bytes(8, "big") + _micros(link["at"]) + _micros(link["began_at"])
    for text in (link["actor"], link["action"], link["reason"], link["body"]):
        data += b"" if text is None else b"%d:" % len(text.encode()) + text.encode()
    return sha(data + link["packed"])


def trail(db, where="true"):
    """Links of the audit trail; times as microseconds since 2000."""
    micros = "(extract(epoch from {} - '2000-01-01 00:00:00+00') * 1000000)::bigint"
    rows = db.rows(f"""select seq, {micros.format("at")}, {micros.format("began_at")}, actor, action, reason, body,
                       encode(packed, 'hex'), encode(previous, 'hex'), encode(hash, 'hex') from muster.audit where {where} order by seq""")
    return [{"seq": int(r[0]), "at": int(r[1]), "began_at": int(r[2]), "actor": r[3], "action": r[4], "reason": r[5], "body": r[6],
             "packed": bytes.fromhex(r[7]), "previous": bytes.fromhex(r[8]), "hash": bytes.fromhex(r[9])} for r in rows]
