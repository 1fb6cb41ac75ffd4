# SPDX-License-Identifier: Apache-2.0
"""The rights that `muster permissions` prints: with them every program does its work and the broker has nothing to refuse,
and without a right it is refused, which the program's log tells with the subject."""
import json
import os
import re
import shutil
import socket
import subprocess

from brokers import Broker
from harness import BUILD, ROOT, wait_until
from marks import Skip, own_site
from natsclient import Nats
from objects import make_bucket, put_object

SITE = {"task__ack_wait": "1s", "dispatcher__reconcile": "200ms", "worker__heartbeat": "500ms", "task__shard_bytes": "64KiB",
        "worker__checkpoint": "50ms"}
GOOD, BAD = "US0378331005", "US0378331006"
AGENTS = ("a1", "a2")
LOGINS = ("dispatcher", "observer", "operator", "provisioner", "recorder", "submitter", *("worker_" + a for a in AGENTS))


def _words(site, *more):
    return ["permissions", *(w for a in AGENTS for w in ("--agent", a)), *more]


def _rights(site):
    """login -> (subjects it may publish, subjects it may subscribe)"""
    lines = site.cli(*_words(site), "-o", "json").stdout.splitlines()
    return {d["login"]: (d["publish"], d["subscribe"]) for d in map(json.loads, lines)}


def _broker(site, edit=lambda text: text, sets=()):
    got = site.cli(*sets, *_words(site))
    assert got.returncode == 0, got
    path = os.path.join(site.dir, "permissions.conf")
    with open(path, "w") as f:
        f.write(edit(got.stdout))
    env = {"MUSTER_PASSWORD_" + login.upper().replace("-", "_"): "pw-" + login for login in LOGINS}
    store = os.path.join(site.dir, "store-" + os.urandom(3).hex())
    return Broker(site, "guarded", f'jetstream {{ store_dir: "{store}", max_file_store: 16GB }}\ninclude "../permissions.conf"', env)


def _as(broker, login):
    return {"nats.url": broker.url, "nats.user": login, "nats.password": "pw-" + login}


def _cli(site, broker, login, *words, **sets):
    options = [w for k, v in {**_as(broker, login), **sets}.items() for w in ("--set", f"{k}={v}")]
    return site.cli(*options, *words)


class Client(Nats):
    """The test's own connection with a login, that keeps what it is refused."""

    def __init__(self, broker, login):
        self.refused, self.login = [], login
        super().__init__(broker.url)

    def _send(self, data):
        if data.startswith(b"CONNECT "):
            data = data.replace(b'"name":"test"', f'"name":"test","user":"{self.login}","pass":"pw-{self.login}"'.encode())
        super()._send(data)

    def _read_one(self, until):
        try:
            super()._read_one(until)
        except RuntimeError as error:
            self.refused.append(str(error))


def _violations(broker):
    return [line for line in broker.log().splitlines() if "iolation" in line]


def _program(site, broker, name, binary, login, **more):
    return site.run(name, binary, {**_as(broker, login), **more})


def _site(site, broker):
    _program(site, broker, "dispatcher", "muster-dispatcher", "dispatcher")
    _program(site, broker, "recorder", "muster-recorder", "recorder")
    return [_program(site, broker, a, "muster-worker", "worker_" + a, **{"agent.id": a}) for a in AGENTS]


def _trades(site, rows):
    site.write("trades.csv", "symbol,isin\n" + "".join(f"S{i},{BAD if i % 100 == 7 else GOOD}\n" for i in range(rows)))


def _done(site, key, result):
    wait_until(lambda: site.value(f"select result from report.job_status where job_key = '{key}'") == result, 60, f"{key}: {result}")


def _no_publish_of(subject):
    """The permissions without one line."""
    def edit(text):
        assert f'"{subject}"' in text
        return text.replace(f'                "{subject}"\n', "")
    return edit


@own_site
def with_the_rights_of_their_roles_programs_do_all_their_work(site):
    broker = _broker(site, lambda text: text.replace("users = [", 'users = [\n        { user: "admin", password: "pw-admin" }', 1))
    workers = _site(site, broker)
    # submitted by every door
    _trades(site, 20000)
    got = _cli(site, broker, "submitter", "submit", "--pack", "identifiers@1.0.0", "--source", "file:trades.csv", "--id", "plan", "--wait")
    assert got.returncode == 1 and "result fail" in got.stdout, got
    got = _cli(site, broker, "submitter", "submit", "--wait", json.dumps({"id": "small", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}))
    assert got.returncode == 0, got
    assert int(site.value("select tasks from report.job_status where job_key = 'plan'")) > 3
    admin = Client(broker, "admin")
    make_bucket(admin, "muster_sources")
    with open(os.path.join(site.sources, "trades.csv"), "rb") as f:
        put_object(admin, "muster_sources", "trades.csv", f.read())
    admin.close()
    for key, name, result in (("object", "trades.csv", "fail"), ("no-object", "absent.csv", "error")):
        _cli(site, broker, "submitter", "submit", "--pack", "identifiers@1.0.0", "--source", f"object:muster_sources/{name}", "--id", key)
        _done(site, key, result)
    if shutil.which("nats"):
        for words in (["req", "muster.api.status", '{"id":"plan"}'],
                      ["pub", "-J", "muster.intake", json.dumps({"id": "door", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]})]):
            got = subprocess.run(["nats", "-s", broker.url, "--user", "submitter", "--password", "pw-submitter", "--inbox-prefix",
                                  "_INBOX_submitter", *words], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
                                 env=dict(os.environ, HOME=site.dir))
            assert got.returncode == 0 and "error" not in got.stdout.lower(), got
        _done(site, "door", "pass")
    # looked at
    got = _cli(site, broker, "observer", "agents")
    assert got.returncode == 0 and "a1" in got.stdout and "a2" in got.stdout, got
    got = _cli(site, broker, "provisioner", "--set", "task.ack_wait=1s", "setup", "--check")
    assert got.returncode == 0, got
    # a killed agent, whose task goes on elsewhere from its checkpoint; then a drained one
    slow = _program(site, broker, "a1-slow", "muster-worker", "worker_a1", **{"agent.id": "a1", "worker.read_limit": "16KiB"}) \
        if workers[0].stop() == 0 and workers[1].stop() == 0 else None
    _trades(site, 3000)
    got = _cli(site, broker, "submitter", "submit", "--pack", "identifiers@1.0.0", "--source", "file:trades.csv", "--id", "moved")
    assert got.returncode == 0, got
    wait_until(lambda: re.search(rb"muster_state", _state_keys(broker)), 30, "a checkpoint")
    slow.kill9()
    _program(site, broker, "a2-again", "muster-worker", "worker_a2", **{"agent.id": "a2"})
    _done(site, "moved", "fail")
    wait_until(lambda: site.value("select count(*) from report.task_history where resumes > 0") != "0", 10, "a resumed task")
    operator = Client(broker, "operator")
    inbox = operator.subscribe("_INBOX_operator.answer")
    operator.publish("muster.control.a2", "drain", reply="_INBOX_operator.answer")
    assert operator.next(inbox).json()["draining"] is True
    wait_until(lambda: not site.programs[-1].alive(), 20, "a drained agent")
    assert operator.refused == []
    got = _cli(site, broker, "operator", "db", "resubmit", "--dry-run")
    assert got.returncode == 0, got
    # packs: loaded by request, put into the bucket by hand, and one taken away that is bad
    pack = {"muster_pack": 1, "pack": "mine", "version": "1.0.0", "title": "Mine", "columns": {"isin": {"type": "text"}},
            "rules": [{"id": "M.ISIN", "severity": "low", "expr": "not is_missing(isin)"}]}
    with open(os.path.join(site.dir, "mine.json"), "w", encoding="utf-8") as f:
        json.dump(pack, f)
    got = _cli(site, broker, "operator", "pack", "load", os.path.join(site.dir, "mine.json"))
    assert got.returncode == 0 and "loaded" in got.stdout, got
    operator.publish("$KV.muster_packs.byhand.1.0.0", json.dumps(dict(pack, pack="byhand")))
    operator.publish("$KV.muster_packs.bad.1.0.0", json.dumps(dict(pack, pack="bad", rules=[])))
    wait_until(lambda: site.value("select count(*) from muster.pack where name in ('mine', 'byhand')") == "2", 20, "two packs")
    wait_until(lambda: site.value("select code from muster.rejection where source = 'packs'") == "invalid", 20, "a pack that is refused")
    assert _cli(site, broker, "operator", "pack", "show", "byhand@1", "--broker").returncode == 0
    # repaired: a message that vanished, a consumer that is gone, a checkpoint of a task that is done
    _cli(site, broker, "submitter", "submit", json.dumps({"id": "lost", "pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}))
    wait_until(lambda: site.value("select count(*) from muster.outbox where kind = 'task' and published_at is not null") == "1")
    dispatcher = Client(broker, "dispatcher")
    sequence = site.value("select sequence from muster.outbox where kind = 'task'")
    dispatcher.publish("$JS.API.STREAM.MSG.DELETE.MUSTER_TASKS", json.dumps({"seq": int(sequence)}))
    done = site.value("select job_id from report.job_status where job_key = 'small'")
    dispatcher.publish(f"$KV.muster_state.{done}", "{}")
    dispatcher.publish("$JS.API.CONSUMER.DELETE.MUSTER_TASKS.w-default-low")
    dispatcher.flush()
    told = lambda: {e for r in site.sql("select action from muster.audit where actor = 'reconciler'") for e in r}
    wait_until(lambda: "republish" in told(), 30, "a task that is published again")
    stats = dispatcher.subscribe("_INBOX_dispatcher.stats")

    def repairs():
        operator.publish("$SRV.STATS.muster", reply="_INBOX_operator.answer")
        data = next(e["data"] for e in operator.next(inbox).json()["endpoints"] if "data" in e)
        return data["repairs"]["topology_made"] and data["repairs"]["checkpoints_purged"]
    assert stats and wait_until(repairs, 30, "a consumer made again and a checkpoint purged")
    _program(site, broker, "a1-last", "muster-worker", "worker_a1", **{"agent.id": "a1"})
    _done(site, "lost", "pass")
    for client in (operator, dispatcher):
        assert client.refused == []
        client.close()
    for program in reversed(site.programs[1:]):
        if program.alive():
            assert program.stop() == 0, program.tail()
    assert _violations(broker) == [], _violations(broker)
    broker.close()


def _state_keys(broker):
    client = Client(broker, "operator")
    inbox = client.subscribe("_INBOX_operator.keys")
    client.publish("$JS.API.DIRECT.GET.KV_muster_state", '{"last_by_subj":"$KV.muster_state.>"}', reply="_INBOX_operator.keys")
    answer = client.next(inbox)
    client.close()
    return answer.headers.get("Nats-Subject", "").encode() if b'"checkpoint":{' in answer.body else b""


def _covers(pattern, subject):
    p, s = pattern.split("."), subject.split(".")
    for i, token in enumerate(p):
        if token == ">":
            return len(s) > i
        if i >= len(s) or (token != "*" and token != s[i]) or (token == "*" and s[i] == ">"):
            return False
    return len(p) == len(s)


def what_others_may_each_role_may_not(site):
    rights = _rights(site)
    assert sorted(rights) == sorted(LOGINS), sorted(rights)
    broker = _broker(site)
    concrete = lambda pattern: pattern.replace("*", "x").replace(">", "x.y")
    tried = 0
    for login, (publish, subscribe) in rights.items():
        client = Client(broker, login)
        others = [r for other, r in rights.items() if other != login]
        for subject in sorted({concrete(p) for r in others for p in r[0]}):
            if any(_covers(p, subject) for p in publish):
                continue
            client.publish(subject, "{}")
            client.flush()
            assert [r for r in client.refused if f'"{subject}"' in r and "Permissions Violation for Publish" in r], (login, subject)
            tried += 1
        for pattern in sorted({p for r in others for p in r[1]} | {"_INBOX.>", "_INBOX_*.>", ">", "muster.>", "$JS.>", "$KV.>"}):
            if any(_covers(p, pattern) for p in subscribe):
                continue
            client.subscribe(pattern)
            assert [r for r in client.refused if f'"{pattern}"' in r and "Permissions Violation for Subscription" in r], (login, pattern)
            tried += 1
        client.close()
    assert tried > 400, tried
    assert len(_violations(broker)) == tried
    broker.close()


def nobody_gets_in_without_a_login(site):
    broker = _broker(site)
    for login, password in (("", ""), ("recorder", "pw-dispatcher"), ("nobody", "pw-nobody")):
        got = _cli(site, broker, login, "status", "x", **{"nats.password": password})
        assert got.returncode == 7 and "Violation" in got.stderr and "running there" not in got.stderr, got
    broker.close()


@own_site
def a_program_that_is_refused_says_which_subject(site):
    site.run("maker", "muster-dispatcher", {})  # the schema's packs
    site.programs[-1].stop()
    wanted = {
        "dispatcher": ("$JS.API.STREAM.MSG.GET.MUSTER_TASKS", "muster-dispatcher", {}),
        "recorder": ("$JS.API.CONSUMER.MSG.NEXT.MUSTER_RESULTS.recorder", "muster-recorder", {}),
        "worker_a1": ("$JS.API.CONSUMER.MSG.NEXT.MUSTER_TASKS.w-default-low", "muster-worker", {"agent.id": "a1"}),
    }

    def edit(text):
        for subject, _, _ in wanted.values():
            text = _no_publish_of(subject)(text)
        return _no_publish_of("muster.api.status")(text)
    broker = _broker(site, edit)
    for login, (_, binary, more) in wanted.items():
        _program(site, broker, login, binary, login, **more)
    got = _cli(site, broker, "submitter", "submit", json.dumps({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}))
    assert got.returncode == 0, got
    for program, (subject, _, _) in zip(site.programs[-3:], wanted.values()):
        wait_until(lambda: "the broker refused what this login may not" in program.tail(200) and f'"{subject}' in program.tail(200).replace("\\", ""),
                   30, f"{subject} in the log of {program.name}")
    got = _cli(site, broker, "submitter", "status", "x")
    assert got.returncode == 7 and "muster.api.status" in got.stderr, got
    broker.close()


@own_site
def without_leave_to_make_streams_the_dispatcher_takes_those_that_setup_made(site):
    broker = _broker(site, sets=("--set", "dispatcher.provision=false"))
    got = _cli(site, broker, "provisioner", "--set", "task.ack_wait=1s", "setup")
    assert got.returncode == 0, got
    _program(site, broker, "dispatcher", "muster-dispatcher", "dispatcher", **{"dispatcher.provision": "false"})
    _program(site, broker, "recorder", "muster-recorder", "recorder")
    _program(site, broker, "a1", "muster-worker", "worker_a1", **{"agent.id": "a1"})
    got = _cli(site, broker, "submitter", "submit", "--wait", json.dumps({"pack": "identifiers@1.0.0", "records": [{"isin": GOOD}]}))
    assert got.returncode == 0 and _violations(broker) == [], (got, _violations(broker))
    broker.close()


def names_and_keys_are_taken_from_the_arguments(site):
    key = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
    got = site.cli("permissions", "--role", "worker", "--agent", "vm-7", "--queue", "aml", "--queue", "kyc", "--domain", "hub",
                   "--nkey", "worker_vm-7=" + key)
    assert got.returncode == 0 and f"nkey: {key}" in got.stdout and "password" not in got.stdout.split("authorization")[1], got
    for subject in ("$JS.hub.API.CONSUMER.MSG.NEXT.MUSTER_TASKS.w-kyc-low", "$JS.hub.API.$KV.muster_state.*", "muster.result.aml.*",
                    "$JS.hub.API.DIRECT.GET.KV_muster_state.$KV.muster_state.*", "_INBOX_worker_vm-7.>", "muster.control.vm-7"):
        assert f'"{subject}"' in got.stdout, subject
    assert '"$KV.' not in got.stdout and '"$JS.API' not in got.stdout
    for words, buckets in (((), ["muster_sources"]), (("--bucket", "one", "--bucket", "two"), ["one", "two"]),
                           (("--set", "source.buckets="), [])):
        options = words if words[:1] == ("--set",) else ()
        got = site.cli(*options, "permissions", "--role", "worker", *(words if not options else ()), "-o", "json")
        told = [s for s in json.loads(got.stdout)["publish"] if "OBJ_" in s]
        assert told == [f"$JS.API.{call}.OBJ_{b}" for call in ("DIRECT.GET", "STREAM.MSG.GET") for b in buckets], told
    got = site.cli("permissions", "--role", "recorder", "--user", "recorder=rec1")
    assert 'user: "rec1", password: $MUSTER_PASSWORD_RECORDER' in got.stdout, got
    for words in (("--role", "king"), ("--agent", "a.b"), ("--nkey", "recorder=SUAAA"), ("--queue",), ("--user", "recorder")):
        assert site.cli("permissions", *words).returncode == 2, words


def the_file_that_is_installed_is_what_it_prints(site):
    with open(os.path.join(BUILD, "cli", "permissions.conf"), encoding="utf-8") as f:
        assert f.read() == site.cli("permissions").stdout
