# SPDX-License-Identifier: Apache-2.0
"""A broker and agents, nothing else: tasks are published by hand, with the bytes that a dispatcher would send, and what
the agents say is read from MUSTER_RESULTS. Standard library only; python3-jsonschema is used where it is there."""
import hashlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from marks import Skip
from natsclient import Nats

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MUSTER_BUILD", os.path.join(ROOT, "build"))
PACK = {"muster_pack": 1, "pack": "sample", "version": "1.0.0", "title": "A sample",
        "columns": {"id": {"type": "text"}, "v": {"type": "text"}}, "identity": ["id"],
        "rules": [{"id": "S.V", "title": "v is a or b", "severity": "high", "check": "in_set",
                   "with": {"column": "v", "values": ["a", "b"]}}]}
SECOND = 1000000000
THREADS = "TSAN_OPTIONS" in os.environ  # the suite `thread`: programs are built with ThreadSanitizer


def sha(data):
    return hashlib.sha256(data).hexdigest()


def compact(document):
    return json.dumps(document, separators=(",", ":")).encode()


def new_id():
    """A UUIDv7."""
    number = (int(time.time() * 1000) << 80) | random.getrandbits(80)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{'89ab'[random.randrange(4)]}{text[17:20]}-{text[20:]}"


def wait_until(condition, timeout=20, what="the condition"):
    until = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not come true within {timeout} s")
        select.select([], [], [], 0.01)  # between two questions


class Agent:
    def __init__(self, rig, name, fail=None, **sets):
        self.rig, self.name = rig, name
        settings = dict(rig.settings, **{"agent.id": name}, **{k.replace("__", "."): v for k, v in sets.items()})
        command = [os.path.join(BUILD, "workers", "muster-worker"), "--log-format", "text"]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        self.log_path = os.path.join(rig.dir, f"{name}-{os.urandom(2).hex()}.log")
        self.log = open(self.log_path, "wb")
        env = dict(os.environ, MUSTER_FAIL=fail or "")
        if not fail:
            del env["MUSTER_FAIL"]
        if THREADS:  # reports go to files, because an agent that is killed has no status to tell of them
            env["TSAN_OPTIONS"] += ":log_path=" + os.path.join(rig.dir, "race")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=env)
        rig.agents.append(self)

    def tail(self):
        with open(self.log_path, errors="replace") as log:
            return "".join(log.readlines()[-15:])

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        os.kill(self.process.pid, number)

    def ended(self, timeout=20):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end:\n{self.tail()}") from None

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.ended()

    def ready(self):
        wait_until(lambda: self.rig.nats.kv("muster_agents", self.name), 10, f"the entry of {self.name}")
        return self

    def close(self):
        if self.alive():
            self.signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)
        self.log.close()


class Rig:
    def __init__(self, ack_wait=1.0, **sets):
        self.dir = tempfile.mkdtemp(prefix="mu-worker-")
        self.sources = os.path.join(self.dir, "sources")
        os.mkdir(self.sources)
        self.agents, self.ack_wait = [], ack_wait
        self.terms = {}  # by digest
        self.start_broker()
        self.settings = {"nats.url": self.url, "worker.roots": self.sources, "task.ack_wait": f"{int(ack_wait * 1000)}ms",
                         "worker.heartbeat": "200ms", "worker.checkpoint": "50ms", "worker.queues": "default",
                         "data.lists": os.path.join(BUILD, "workers", "lists")}
        self.settings.update({k.replace("__", "."): v for k, v in sets.items()})
        self.create()
        self.pack = self.put_pack(PACK)

    def start_broker(self, port=-1):
        """The port is the kernel's choice; the broker writes it down."""
        self.broker = subprocess.Popen(["nats-server", "-js", "-sd", os.path.join(self.dir, "js"), "-a", "127.0.0.1", "-p", str(port),
                                        "--ports_file_dir", self.dir, "-l", os.path.join(self.dir, "nats.log")])
        ports = os.path.join(self.dir, f"nats-server_{self.broker.pid}.ports")

        def url():
            try:
                with open(ports) as f:
                    return json.load(f)["nats"][0]
            except (OSError, ValueError):
                return None
        self.url = wait_until(url, 10, "the broker's ports file")
        self.nats = Nats(self.url)
        wait_until(lambda: "error" not in self.nats.api("INFO"), 10, "JetStream")

    def restart_broker(self):
        """kill -9, and the same store on the same port again."""
        self.broker.kill()
        self.broker.wait(10)
        self.nats.close()
        self.start_broker(int(self.url.rsplit(":", 1)[1]))

    def create(self):
        def stream(name, subjects, **more):
            got = self.nats.api("STREAM.CREATE." + name, dict({"name": name, "subjects": subjects, "storage": "file",
                                                               "max_bytes": 64 << 20, "discard": "new",
                                                               "allow_direct": True}, **more))
            assert "error" not in got, got
        stream("MUSTER_TASKS", ["muster.task.>"], retention="workqueue")
        stream("MUSTER_RESULTS", ["muster.result.>", "muster.finding.>"])
        stream("MUSTER_PARTIALS", ["muster.partial.>"], allow_rollup_hdrs=True)
        stream("MUSTER_EVENTS", ["muster.event.>"], discard="old")
        for bucket in ("state", "agents", "packs", "policy"):
            stream(f"KV_muster_{bucket}", [f"$KV.muster_{bucket}.>"], max_msgs_per_subject=1, allow_rollup_hdrs=True,
                   deny_delete=True)
        for priority in ("high", "normal", "low"):
            name = f"w-default-{priority}"
            got = self.nats.api(f"CONSUMER.CREATE.MUSTER_TASKS.{name}.muster.task.default.{priority}.>", {
                "stream_name": "MUSTER_TASKS", "action": "create", "config": {
                    "durable_name": name, "name": name, "ack_policy": "explicit", "ack_wait": int(self.ack_wait * SECOND),
                    "max_deliver": -1, "max_ack_pending": 20000, "filter_subject": f"muster.task.default.{priority}.>"}})
            assert "error" not in got, got

    def put_pack(self, pack):
        data = json.dumps(pack).encode()
        self.nats.publish_stream(f"$KV.muster_packs.{pack['pack']}.{pack['version']}", data)
        return {"name": pack["pack"], "version": pack["version"], "digest": sha(data)}

    def source(self, name, data):
        with open(os.path.join(self.sources, name), "wb") as f:
            f.write(data)
        return f"file:{name}"

    def task(self, uri=None, records=None, **more):
        """A task as its bytes; a source is opened by its plan task."""
        task_id = new_id()
        terms = {"pack": self.pack, "lists": {}, "params": {}, "as_of": "2026-11-24", "shard_bytes": 64 << 20, "buckets": 16,
                 "limits": {"record_bytes": 1 << 20, "fields": 4096}}
        terms.update({key: more.pop(key) for key in list(more) if key in terms})
        digest = sha(compact(terms))
        self.terms[digest] = terms
        task = {"v": 1, "task_id": task_id, "job_id": task_id, "stage": "plan" if uri else "scan", "attempt": 1, "terms": digest}
        if uri:
            task["source"] = {"uri": uri, "name": "sample", "format": "csv"}
        else:
            task["records"] = records
        task.update(more)
        return task

    def publish(self, tasks, n=1, fresh=False, ride_id=None, priority="normal", terms=None):
        tasks = tasks if isinstance(tasks, list) else [tasks]
        ride_id = ride_id or (tasks[0]["task_id"] if len(tasks) == 1 else new_id())
        ride = {"v": 1, "ride_id": ride_id, "n": n}
        if fresh:
            ride["fresh"] = True
        ride.update(queue="default", priority=priority, terms=terms or self.terms[tasks[0]["terms"]], tasks=tasks)
        self.nats.publish_stream(f"muster.task.default.{priority}.{ride_id}", compact(ride),
                                 {"Nats-Msg-Id": f"{ride_id}:{n}"})
        return ride_id

    # ---- what came of it ----
    def results(self):
        """(outcomes, findings, deferred) of everything in MUSTER_RESULTS, each message checked against its schema."""
        outcomes, findings, deferred = [], [], []
        for _, subject, _, body in self.nats.messages("MUSTER_RESULTS"):
            message = json.loads(body)
            if subject.startswith("muster.finding."):
                check_schema("findings", message)
                findings += [dict(f, task_id=message["task_id"]) for f in message["findings"]]
                continue
            check_schema("result", message)
            deferred += message.get("deferred", [])
            for outcome in message.get("outcomes", []):
                outcome = {"job_id": outcome["task_id"], "n": 1, "delivery": 1, "bad": 0, "skipped": 0, "findings_total": 0, **outcome}
                outcome["rules"] = message["tallies"][outcome["tally"]] if "tally" in outcome else []
                outcomes.append(outcome)
                findings += [dict(f, task_id=outcome["task_id"]) for f in outcome.get("findings", [])]
        return outcomes, findings, deferred

    def outcomes(self, task):
        return [o for o in self.results()[0] if o["task_id"] == task["task_id"]]

    def outcome(self, task, timeout=20):
        return wait_until(lambda: self.outcomes(task), timeout, "an outcome")[0]

    def findings(self, task):
        """Distinct findings by id, without what names the task."""
        found = {f["finding_id"]: f for f in self.results()[1] if f["task_id"] == task["task_id"]}
        return sorted(((f["record_no"], f["rule"], f["fingerprint"], f["message"], json.dumps(f["evidence"]))
                       for f in found.values()))

    def state(self, task):
        return self.nats.kv("muster_state", task["task_id"])

    def queue_empty(self):
        return self.nats.stream("MUSTER_TASKS")["messages"] == 0

    def agent(self, name="a1", fail=None, **sets):
        return Agent(self, name, fail, **sets)

    def races(self):
        """What ThreadSanitizer reported; agents that still run are asked to end first, so that this is seen too."""
        if not THREADS:
            return ""
        for agent in self.agents:
            if agent.alive():
                agent.signal(signal.SIGCONT)
                agent.signal(signal.SIGTERM)
                agent.ended()
        reports = []
        for name in sorted(os.listdir(self.dir)):
            if name.startswith("race."):
                with open(os.path.join(self.dir, name), errors="replace") as f:
                    reports.append(f.read())
        return "".join(reports)

    def close(self):
        for agent in self.agents:
            agent.close()
        self.nats.close()
        self.broker.terminate()
        self.broker.wait(10)
        shutil.rmtree(self.dir)


_validators = {}


def check_schema(name, document):
    try:
        import jsonschema
    except ImportError:
        return
    if not _validators:
        store = {}
        folder = os.path.join(ROOT, "schemas")
        for file in os.listdir(folder):
            if file.endswith(".json"):
                with open(os.path.join(folder, file)) as f:
                    store[file] = json.load(f)
        for file, schema in store.items():
            resolver = jsonschema.RefResolver(base_uri=file, referrer=schema, store=store)
            _validators[file[:-5]] = jsonschema.Draft7Validator(schema, resolver=resolver)
    errors = [f"{list(e.path)}: {e.message}" for e in _validators[name].iter_errors(document)]
    assert not errors, (name, errors[:3])


def determined(outcome):
    """What every run of a task must agree on."""
    keys = ("result", "reason", "input_digest", "records", "bad", "skipped", "bytes", "findings_total", "rules", "plan")
    return {k: outcome.get(k) for k in keys}


def rows(count=20000, wrong=97):
    return ("id,v\n" + "".join(f"row-{i:08d},{'x' if i % wrong == 0 else 'a'}\n" for i in range(count))).encode()


def undisturbed(rig, data):
    """Outcome and findings of a run that nothing happens to."""
    task = rig.task(uri=rig.source("undisturbed.csv", data))
    agent = rig.agent("calm")
    rig.publish(task)
    outcome = rig.outcome(task)
    wait_until(rig.queue_empty)
    assert agent.stop() == 0, agent.tail()
    return determined(outcome), rig.findings(task)


def agrees(rig, task, want):
    """One content of its outcomes, and the findings of an undisturbed run."""
    outcomes = rig.outcomes(task)
    assert outcomes and all(determined(o) == want[0] for o in outcomes), (want[0], [determined(o) for o in outcomes])
    got = rig.findings(task)
    assert got == want[1], (len(got), len(want[1]))


def run_in_shards(rig, data, source, shard_bytes):
    """Plans a source, runs the scans as PostgreSQL would make them: (plan, outcomes, findings of all without their ids)."""
    plan_task = rig.task(uri=source["uri"], shard_bytes=shard_bytes, source=source)
    rig.publish(plan_task)
    outcome = rig.outcome(plan_task)
    assert outcome["result"] == "planned", outcome
    plan, scans = outcome["plan"], []
    assert plan["size"] == len(data) and plan["digest"] == sha(data), plan
    for index, shard in enumerate(plan["shards"]):
        assert sha(data[shard["from"]:shard["to"]]) == shard["digest"]
        scans.append(rig.task(uri=source["uri"], source=source, job_id=plan_task["task_id"], stage="scan", shard_bytes=shard_bytes,
                              input={"size": plan["size"], "digest": plan["digest"]},
                              shard=dict(shard, index=index, count=len(plan["shards"])), plan_task_id=plan_task["task_id"]))
        rig.publish(scans[-1])
    return plan, [rig.outcome(s) for s in scans], sorted(f for s in scans for f in rig.findings(s))


def tell(namespace, words):
    """Runs the stories of a program: its functions of one argument `rig`. Prints TAP."""
    if not shutil.which("nats-server"):
        print("1..0 # SKIP nats-server is not installed")
        return 0
    if THREADS:
        with open(os.path.join(BUILD, "workers", "muster-worker"), "rb") as f:
            assert b"__tsan_init" in f.read(), "this build is without ThreadSanitizer and would prove nothing"
    stories = [f for f in list(namespace.values()) if callable(f) and getattr(f, "__module__", "") == "__main__"
               and f.__code__.co_varnames[:f.__code__.co_argcount] == ("rig",)]
    stories = [s for s in stories if not words or s.__name__ in words]
    print(f"1..{len(stories)}", flush=True)
    failed = 0
    for number, story in enumerate(stories, 1):
        rig = Rig()
        try:
            story(rig)
            races = rig.races()
            assert not races, races
            print(f"ok {number} - {story.__name__}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {story.__name__} # SKIP {reason}", flush=True)
        except Exception:  # the others go on
            failed += 1
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            for agent in rig.agents:
                print(f"# --- {agent.name}")
                for line in agent.tail().splitlines():
                    print("# " + line)
            print(f"not ok {number} - {story.__name__}", flush=True)
        finally:
            rig.close()
    return 1 if failed else 0
