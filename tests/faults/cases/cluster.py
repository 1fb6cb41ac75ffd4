# SPDX-License-Identifier: Apache-2.0
"""Three nats-servers with streams of three replicas: case 29."""
import signal
import time

from cluster_site import ClusterSite
from rounds import Broken, case, last, wait_until

LEADERS = ["MUSTER_TASKS", "MUSTER_RESULTS", "KV_muster_state"]
MEMORY = 3 * 1024 * 1024  # KiB that must be free: three servers, their caches, a database


def little_memory():
    with open("/proc/meminfo") as f:
        free = next(int(line.split()[1]) for line in f if line.startswith("MemAvailable:"))
    return None if free > MEMORY else f"{free // 1024} MiB of memory are available, {MEMORY // 1024} are needed for three servers"


@case(29, "a cluster of three: leaders killed, two of three killed, one stopped, one cut off, all restarted", site=ClusterSite, short=False,
      start={"dispatchers": 2, "recorders": 2}, needs=little_memory)
def cluster(r):
    """503s and time-outs are ridden out; with two of three dead submissions by request go on and results wait."""
    pids = {p.name: p.pid for p in r.site.ours()}
    r.site.await_whole()
    r.begin()
    deeds = [lambda s=stream: _leader_killed(r, s) for stream in LEADERS]
    deeds += [lambda: _two_killed(r), lambda: _one_stopped(r), lambda: _one_cut_off(r), lambda: _restarted_in_turn(r)]
    r.rng.shuffle(deeds)
    for deed in deeds:
        r.fault()
        deed()
        r.over()
        last(1)
    r.finish(timeout=180)
    if pids != {p.name: p.pid for p in r.site.ours()}:
        raise Broken("a program ended while the cluster was in trouble")


def _note(r, what, seconds):
    name = "longest " + what
    r.figures[name] = f"{max(seconds, float(r.figures.get(name, '0 s').split()[0])):.1f} s"


def _healed(r, what):
    """Time until outcomes come again, then until the replicas have caught up."""
    began, moment = time.monotonic(), time.time()
    wait_until(lambda: int(r.site.value(f"select count(*) from muster.outcome where recorded_at > to_timestamp({moment})")) > 0, 60,
               f"outcomes after {what}")
    _note(r, "pause after " + what, time.monotonic() - began)
    r.site.await_whole()


def _leader_killed(r, stream):
    server = r.site.leader(stream)
    print(f"# the leader of {stream}, {server.name}, is killed", flush=True)
    server.end(signal.SIGKILL)
    r.count_kill("brokers")
    r.site._forget_nats()
    began, moment = time.monotonic(), time.time()
    wait_until(lambda: int(r.site.value(f"select count(*) from muster.outcome where recorded_at > to_timestamp({moment})")) > 0, 60,
               f"outcomes after the leader of {stream} was killed")
    _note(r, "pause after a leader was killed", time.monotonic() - began)
    server.start()
    _healed(r, "a leader came back")


def _two_killed(r):
    two = r.rng.sample(r.site.servers, 2)
    print(f"# {two[0].name} and {two[1].name} are killed", flush=True)
    for server in two:
        server.end(signal.SIGKILL)
        r.count_kill("brokers")
    r.site._forget_nats()
    last(3)  # clients find the one that is left
    before = len(r.load.answers.acknowledged)
    wait_until(lambda: len(r.load.answers.acknowledged) > before, 30, "a receipt while two of three servers are dead")
    for server in two:
        server.start()
    _healed(r, "two of three were killed")


def _one_stopped(r):
    server = r.rng.choice(r.site.servers)
    print(f"# {server.name} is stopped", flush=True)
    server.stop(True)
    r.site._forget_nats()
    last(r.rng.uniform(4, 12))
    server.stop(False)
    _healed(r, "one was stopped")


def _one_cut_off(r):
    server = r.rng.choice(r.site.servers)
    print(f"# {server.name} is cut off from the others, its clients stay", flush=True)
    r.site.cut_off(server, True)
    last(r.rng.uniform(5, 12))
    r.site.cut_off(server, False)
    _healed(r, "one was cut off")


def _restarted_in_turn(r):
    print("# all are restarted, one after the other", flush=True)
    for server in r.site.servers:
        server.end(signal.SIGTERM)
        r.site._forget_nats()
        server.start()
        r.site.await_whole()
    _healed(r, "all were restarted in turn")
