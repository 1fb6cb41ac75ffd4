# SPDX-License-Identifier: Apache-2.0
"""Programs behind a leaf nats-server without JetStream, whose hub has it in a domain: they work as beside it, and a hub that
is gone, which does not disconnect them, is noticed in time and waited for. The hub's link goes through a relay that can be
cut."""
import json
import os
import shutil
import subprocess
import time

from brokers import Broker, Relay, free_port
from harness import wait_until
from marks import Skip, own_site
from natsclient import Nats
from objects import make_bucket, put_object

SITE = {"task__ack_wait": "1s", "dispatcher__reconcile": "200ms", "worker__heartbeat": "500ms", "task__shard_bytes": "64KiB",
        "nats__jetstream_domain": "hub", "worker__checkpoint": "50ms"}
GOOD, BAD = "US0378331005", "US0378331006"
NOTICED_S = 15
AWAY = ("pulling from", "nothing heard", "nobody answers", "no PubAck", "no stream takes it", "no answer from")


class Leaf:
    """A hub, a link through a relay, and a leaf that the programs are connected to."""

    def __init__(self, site):
        port = free_port()
        self.relay = Relay(port)  # advertised, else the leaf would learn the way around it
        self.hub = Broker(site, "hub", f'jetstream {{ store_dir: "{site.dir}/hub-store", max_file_store: 16GB, domain: hub }}\n'
                                       f'leafnodes {{ listen: 127.0.0.1:{port}, advertise: "127.0.0.1:{self.relay.port}" }}')
        self.leaf = Broker(site, "leaf", f'leafnodes {{ reconnect: 1, remotes: [{{ url: "nats://127.0.0.1:{self.relay.port}" }}] }}')
        wait_until(self.linked, 20, "a link between hub and leaf")

    def linked(self):
        """Does the hub's JetStream answer at the leaf?"""
        try:
            with Nats(self.leaf.url) as nats:
                return b"account_info" in nats.request("$JS.hub.API.INFO", timeout=1).body
        except (OSError, RuntimeError):
            return False

    def wait(self):
        wait_until(self.linked, 30, "the link again")


def _run(site, leaf, workers=1):
    at = {"nats.url": leaf.leaf.url}
    return [site.run("dispatcher", "muster-dispatcher", at), site.run("recorder", "muster-recorder", at),
            *(site.run(f"a{i + 1}", "muster-worker", {**at, "agent.id": f"a{i + 1}"}) for i in range(workers))]


def _cli(site, leaf, *words):
    return site.cli("-s", leaf.leaf.url, "--js-domain", "hub", "--set", "task.ack_wait=1s", *words)


def _submit(site, leaf, tag, count):
    """Through the leaf, until it is accepted: the same keys are sent again."""
    body = "\n".join(json.dumps({"id": f"{tag}-{i}", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}) for i in range(count))

    def accepted():
        try:
            with Nats(leaf.leaf.url) as nats:
                answer = nats.request("muster.api.submit", body, timeout=3)
                return answer.body and answer.json()["ok"]
        except (TimeoutError, OSError):
            return False
    wait_until(accepted, 30, "a receipt")


def _done(site, tag, count):
    query = f"select count(*) from report.job_status where job_key like '{tag}-%' and result = 'pass'"
    wait_until(lambda: site.value(query) == str(count), 90, f"the outcomes of {tag}")


def _nothing_lost(site, leaf):
    assert site.value("select count(*) from muster.job j where not exists (select from muster.outcome o where o.task_id = j.job_id)") == "0"
    for table in ("outcome_conflict", "quarantine"):
        assert site.value(f"select count(*) from muster.{table}") == "0", table
    assert site.sql("select * from report.reconciliation where not balanced") == []

    def empty():
        with Nats(leaf.hub.url) as nats:
            return nats.stream("MUSTER_TASKS")["messages"] == 0
    wait_until(empty, 30, "an empty queue")


def _noticed(programs, marks, why):
    """Each program's log tells within time that the hub is silent."""
    def told(p):
        with open(p.log_path, errors="replace") as log:
            log.seek(marks[p.name])
            said = log.read()
        return any(word in said for word in AWAY)
    began = time.monotonic()
    for p in programs:
        wait_until(lambda p=p: told(p), NOTICED_S - (time.monotonic() - began), f"{why} in the log of {p.name}")
        assert p.alive(), p.name


def _marks(programs):
    return {p.name: os.path.getsize(p.log_path) for p in programs}


@own_site
def every_program_works_behind_a_leaf_as_beside_the_hub(site):
    leaf = Leaf(site)
    programs = _run(site, leaf, workers=2)
    assert "(leaf)" in programs[0].tail(), programs[0].tail()
    site.write("trades.csv", "symbol,isin\n" + "".join(f"S{i},{BAD if i % 100 == 7 else GOOD}\n" for i in range(20000)))
    got = _cli(site, leaf, "submit", "--pack", "identifiers@1.0.0", "--source", "file:trades.csv", "--id", "plan", "--wait")
    assert got.returncode == 1 and "result fail" in got.stdout, got
    status = site.sql("select tasks, records, findings from report.job_status where job_key = 'plan'")[0]
    assert int(status[0]) > 3 and status[1:] == ["20000", "200"], status
    with open(os.path.join(site.sources, "trades.csv"), "rb") as f, Nats(leaf.hub.url) as nats:
        make_bucket(nats, "muster_sources")
        put_object(nats, "muster_sources", "trades.csv", f.read())
    got = _cli(site, leaf, "submit", "--pack", "identifiers@1.0.0", "--source", "object:muster_sources/trades.csv", "--id", "object", "--wait")
    assert got.returncode == 1 and "result fail" in got.stdout, got
    assert site.sql("select tasks, records, findings from report.job_status where job_key = 'object'")[0] == status
    _submit(site, leaf, "small", 50)
    with Nats(leaf.leaf.url) as nats:
        ack = nats.publish_stream("muster.intake", json.dumps({"id": "small-50", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}))
        assert ack["domain"] == "hub", ack
    _done(site, "small", 51)
    got = _cli(site, leaf, "agents")
    assert got.returncode == 0 and "a1" in got.stdout and "a2" in got.stdout, got
    got = _cli(site, leaf, "setup", "--check")
    assert got.returncode == 0, got
    # the next agent goes on from the checkpoint of one that is killed, and a drained one hands back
    for worker in programs[2:]:
        assert worker.stop() == 0
    slow = site.run("slow", "muster-worker", {"nats.url": leaf.leaf.url, "agent.id": "slow", "worker.read_limit": "16KiB"})
    site.write("trades.csv", "symbol,isin\n" + "".join(f"T{i},{BAD if i % 100 == 7 else GOOD}\n" for i in range(3000)))
    assert _cli(site, leaf, "submit", "--pack", "identifiers@1.0.0", "--source", "file:trades.csv", "--id", "moved").returncode == 0
    with Nats(leaf.hub.url) as nats:
        wait_until(lambda: any(b'"checkpoint":{' in m[3] for m in nats.messages("KV_muster_state")), 30, "a checkpoint")
    slow.kill9()
    site.run("next", "muster-worker", {"nats.url": leaf.leaf.url, "agent.id": "next"})
    wait_until(lambda: site.value("select findings from report.job_status where job_key = 'moved' and result = 'fail'") == "30", 60, "its end")
    assert site.value("select count(*) from report.task_history where resumes > 0") != "0"
    _nothing_lost(site, leaf)
    for program in reversed(site.programs[2:]):
        assert not program.alive() or program.stop() == 0, program.tail()


@own_site
def a_hub_that_is_killed_is_noticed_and_comes_back_without_anybodys_hand(site):
    leaf = Leaf(site)
    programs = _run(site, leaf)
    _submit(site, leaf, "before", 30)
    _done(site, "before", 30)
    marks = _marks(programs)
    leaf.hub.kill9()
    _noticed(programs, marks, "a dead hub")
    assert leaf.leaf.alive()
    _submit(site, leaf, "meanwhile", 20)  # the dispatcher answers through the leaf, PostgreSQL has it
    leaf.hub.start()
    leaf.wait()
    _submit(site, leaf, "after", 30)
    for tag, count in (("before", 30), ("meanwhile", 20), ("after", 30)):
        _done(site, tag, count)
    _nothing_lost(site, leaf)
    assert all(p.alive() for p in programs)


@own_site
def a_link_that_is_cut_and_mended_loses_nothing(site):
    leaf = Leaf(site)
    programs = _run(site, leaf)
    _submit(site, leaf, "before", 30)
    _done(site, "before", 30)
    for turn in range(2):
        marks = _marks(programs)
        leaf.relay.cut()
        _noticed(programs, marks, "a link that is cut")
        _submit(site, leaf, f"cut{turn}", 20)
        leaf.relay.open()
        leaf.wait()
        _done(site, f"cut{turn}", 20)
    _nothing_lost(site, leaf)
    assert all(p.alive() for p in programs)


@own_site
def without_the_domain_a_program_says_what_to_set(site):
    leaf = Leaf(site)
    got = site.cli("-s", leaf.leaf.url, "agents")
    assert got.returncode == 5 and "nats.jetstream_domain" in got.stderr, got
    got = site.cli("-s", leaf.leaf.url, "--js-domain", "h.b", "agents")
    assert got.returncode == 4 and "no token" in got.stderr, got
    # the domain is right beside the hub, too
    site.run("dispatcher", "muster-dispatcher", {"nats.url": leaf.hub.url})
    got = site.cli("-s", leaf.hub.url, "--js-domain", "hub", "agents")
    assert got.returncode == 0, got


@own_site
def the_rights_of_each_role_fit_a_leaf_with_the_hubs_domain(site):
    if not shutil.which("nats"):
        raise Skip("the nats command line is not installed")
    leaf = Leaf(site)
    _run(site, leaf)
    _submit(site, leaf, "seen", 3)
    _done(site, "seen", 3)
    got = subprocess.run(["nats", "-s", leaf.leaf.url, "--js-domain", "hub", "kv", "get", "muster_agents", "a1", "--raw"],
                         capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL, env=dict(os.environ, HOME=site.dir))
    assert got.returncode == 0 and json.loads(got.stdout)["agent"] == "a1", got
