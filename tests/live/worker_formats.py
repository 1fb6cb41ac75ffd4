#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stories of agents and formats: `tests/live/worker_formats.py [STORY...]`. The same records in every format, whole, in two
and in seven shards, and with an agent that dies on the way, have the same findings to the byte. Prints TAP."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from worker_rig import determined, run_in_shards, tell, wait_until  # noqa: E402

COUNT = 4000
PACK = {"muster_pack": 1, "pack": "formats", "version": "1.0.0", "title": "t", "identity": ["id"], "let": {"large": "amount > 95"},
        "columns": {"id": {"type": "text"}, "lei": {"type": "text"}, "amount": {"type": "decimal"}, "day": {"type": "date"}},
        "rules": [{"id": "F.LEI", "severity": "high", "where": "not is_missing(lei)", "expr": "lei_valid(lei)"},
                  {"id": "F.LARGE", "severity": "low", "expr": "not large", "evidence": {"over": "amount - 95"}, "message": "{over} too much"},
                  {"id": "F.DAY", "severity": "low", "expr": "day < date '2026-03-01' + 300d"}]}


def record(i):
    out = {"id": f"r{i:06d}", "lei": "5493001KJTIIGC8Y1R13" if i % 101 == 0 else "5493001KJTIIGC8Y1R12", "amount": f"{i % 97}.{i % 10}",
           "day": f"2026-{i % 12 + 1:02d}-{i % 28 + 1:02d}"}
    if i % 13 == 0:
        del out["lei"]
    return out


def renderings():
    records = [record(i) for i in range(COUNT)]
    columns = ("id", "lei", "amount", "day")
    yield "csv", {}, ",".join(columns) + "\n" + "".join(",".join(r.get(c, "") for c in columns) + "\n" for r in records)
    yield "jsonl", {}, "".join(json.dumps(r) + "\n" for r in records)
    yield "json", {"record": "/data"}, json.dumps({"data": records})
    yield "xml", {"record": "t"}, "<d>" + "".join("<t>" + "".join(f"<{k}>{v}</{k}>" for k, v in r.items()) + "</t>\n" for r in records) + "</d>"


def whole(rig, data, source, fail=None, **sets):
    """Outcome and findings of one task over all of it."""
    task = rig.task(uri=source["uri"], source=source)
    agent = rig.agent("one", fail=fail, **sets)
    rig.publish(task)
    if fail:
        wait_until(lambda: not agent.alive(), what="a crash")
        agent = rig.agent("other")
    outcome = rig.outcome(task)
    wait_until(rig.queue_empty)
    assert agent.stop() == 0, agent.tail()
    assert not fail or outcome["resumes"][0]["record_no"] > 1, outcome
    return determined(outcome), rig.findings(task)


def each(rig, pack=PACK):
    rig.pack = rig.put_pack(pack)
    for name, options, text in renderings():
        data = text.encode()
        yield data, dict(options, uri=rig.source("data." + name, data), name="sample", format=name)


def a_source_of_any_format_finds_the_same_in_one_two_and_seven_shards(rig):
    for data, source in each(rig):
        want = whole(rig, data, source)
        assert want[0]["records"] == COUNT and want[0]["findings_total"] > 100, want[0]
        rig.agent("a1")
        rig.agent("a2")
        for shards in (2, 7):
            plan, outcomes, found = run_in_shards(rig, data, source, -(-len(data) // shards))
            assert len(plan["shards"]) == shards, (source["format"], len(plan["shards"]), shards)
            assert sum(o["records"] for o in outcomes) == COUNT and found == want[1], source["format"]
        for agent in rig.agents[-2:]:
            assert agent.stop() == 0, agent.tail()


def a_source_of_any_format_is_gone_on_with_where_its_agent_died(rig):
    for data, source in each(rig):
        want = whole(rig, data, source)
        again = whole(rig, data, source, fail="worker.checkpoint:3=crash", worker__read_limit="256KiB")
        assert again == want, source["format"]


if __name__ == "__main__":
    sys.exit(tell(globals(), sys.argv[1:]))
