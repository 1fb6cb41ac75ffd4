# SPDX-License-Identifier: Apache-2.0
"""A site on three nats-servers, each with its own store, streams with three replicas. Routes go through a relay, so that one
server can be cut off from the other two while its clients stay connected. `muster dev` gives the database; its broker is halted."""
import os
import signal
import socket
import subprocess
import sys

from fault_site import FaultSite, wait_until
from natsclient import Nats

HERE = os.path.dirname(os.path.abspath(__file__))
COUNT = 3
STREAMS = ["MUSTER_TASKS", "MUSTER_RESULTS", "MUSTER_INTAKE", "MUSTER_EVENTS", "MUSTER_PARTIALS", "KV_muster_state", "KV_muster_agents",
           "KV_muster_packs", "KV_muster_policy"]
CONF = """server_name: n{i}
listen: 127.0.0.1:{client}
max_payload: 1MB
ping_interval: "20s"
ping_max: 2
write_deadline: "10s"
jetstream {{ store_dir: "{store}", max_file_store: 16GB, max_memory_store: 64MB{sync} }}
cluster {{ name: sandbox, listen: 127.0.0.1:{route}, advertise: "127.0.0.1:{gossip}", no_advertise: true, routes: [{routes}] }}
"""


def free_ports(count):
    """Below the ephemeral range, where a connect to an unused port can meet itself."""
    found = []
    while len(found) < count:
        port = 15000 + int.from_bytes(os.urandom(2), "big") % 15000
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


class Server:
    def __init__(self, program, name, conf, log, client):
        self.program, self.name, self.conf, self.log, self.client = program, name, conf, log, client
        self.process, self.stopped = None, False

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.program, "-c", self.conf], stdout=log, stderr=log, start_new_session=True)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def end(self, number):
        if self.alive():
            os.kill(self.process.pid, signal.SIGCONT)
            os.kill(self.process.pid, number)
            self.process.wait(30)
        self.stopped = False

    def stop(self, yes):
        os.kill(self.process.pid, signal.SIGSTOP if yes else signal.SIGCONT)
        self.stopped = yes


class ClusterSite(FaultSite):
    def __init__(self, nats=None, sync_always=False, **settings):
        self.servers, self.relay, self.apart = [], None, set()
        super().__init__(nats, False, **dict(settings, stream__replicas=str(COUNT)))
        try:
            super().halt("nats")
            self._build(nats or os.environ.get("MUSTER_NATS_SERVER") or "nats-server", ", sync_interval: always" if sync_always else "")
            for server in self.servers:
                server.start()
            wait_until(self._has_leader, 60, "a cluster with a leader")
        except BaseException:
            self.close()
            raise

    # harness and load talk to a server that can answer
    @property
    def url(self):
        up = [s for s in self.servers if s.alive() and not s.stopped and s.name not in self.apart]
        return f"nats://127.0.0.1:{(up or self.servers)[0].client}" if self.servers else self._dev_url

    @url.setter
    def url(self, value):
        self._dev_url = value

    def _build(self, program, sync):
        names = range(1, COUNT + 1)
        ports = free_ports(2 * COUNT + COUNT * COUNT)
        client, route, between = ports[:COUNT], ports[COUNT:2 * COUNT], ports[2 * COUNT:]
        words = []
        for i in names:
            # "ij" is the way from server i to server j; "jj" is what gossip tells of j, and nobody needs
            way = {j: between[(i - 1) * COUNT + j - 1] for j in names}
            words += [f"{i}{j}=127.0.0.1:{way[j]}=127.0.0.1:{route[j - 1]}" for j in names]
            folder = os.path.join(self.dir, f"n{i}")
            os.mkdir(folder)
            conf = os.path.join(folder, "nats.conf")
            with open(conf, "w") as f:
                f.write(CONF.format(i=i, client=client[i - 1], store=os.path.join(folder, "store"), route=route[i - 1], gossip=way[i],
                                    sync=sync, routes=", ".join(f'"nats://127.0.0.1:{way[j]}"' for j in names if j != i)))
            self.servers.append(Server(program, f"n{i}", conf, os.path.join(self.dir, "log", f"n{i}.log"), client[i - 1]))
        with open(os.path.join(self.dir, "log", "relay.log"), "ab") as log:
            self.relay = subprocess.Popen([sys.executable, os.path.join(HERE, "relay.py"), *words], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
        self._heard()

    def _heard(self):
        if self.relay.stdout.readline() != "ok\n":
            raise AssertionError("the relay has ended, its log is log/relay.log")

    def _tell_relay(self, line):
        self.relay.stdin.write(line + "\n")
        self.relay.stdin.flush()
        self._heard()

    def run(self, name, binary, sets=None, env=None, ready=True):
        urls = ",".join(f"nats://127.0.0.1:{s.client}" for s in self.servers)
        return super().run(name, binary, dict(sets or {}, **{"nats.url": urls}), env, ready)

    # ---- asking ----
    def ask(self, what):
        """An answer of the JetStream API, or None."""
        try:
            with Nats(self.url, timeout=2) as nats:
                return nats.api(what, timeout=3)
        except (OSError, TimeoutError, ValueError, RuntimeError):
            return None

    def _has_leader(self):
        got = self.ask("INFO")
        return got is not None and "error" not in got

    def server(self, name):
        return next(s for s in self.servers if s.name == name)

    def leader(self, stream):
        def known():
            got = self.ask("STREAM.INFO." + stream)
            return got and got.get("cluster", {}).get("leader")
        return self.server(wait_until(known, 60, f"a leader of {stream}"))

    def lacking(self):
        """Streams without a leader or with a replica that has not caught up, and how they stand."""
        found = {}
        for stream in STREAMS:
            cluster = (self.ask("STREAM.INFO." + stream) or {}).get("cluster", {})
            replicas = cluster.get("replicas", [])
            if not cluster.get("leader") or len(replicas) != COUNT - 1 or not all(x["current"] and not x.get("offline") for x in replicas):
                found[stream] = cluster
        return found

    def await_whole(self, timeout=90):
        try:
            wait_until(lambda: not self.lacking(), timeout)
        except AssertionError:
            raise AssertionError(f"after {timeout} s the cluster is not whole: {self.lacking()}") from None

    # ---- faults ----
    def cut_off(self, server, yes):
        i = server.name[1:]
        for j in map(str, range(1, COUNT + 1)):
            for way in {i + j, j + i}:
                self._tell_relay(("cut " if yes else "mend ") + way)
        (self.apart.add if yes else self.apart.discard)(server.name)
        self._forget_nats()

    def close(self):
        try:
            super().close()
        finally:
            for server in self.servers:
                server.end(signal.SIGKILL)
            if self.relay:
                self.relay.stdin.close()
                self.relay.wait(10)
