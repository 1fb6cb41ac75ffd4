# SPDX-License-Identifier: Apache-2.0
"""A site whose programs live in namespaces: broker, database, test and relays in `core`, agents, dispatchers and recorders in
their own. They reach both servers through a relay each (PostgreSQL has only a unix socket), so that every link can be cut, lose,
delay and be slow by itself."""
import os
import subprocess
import sys
from urllib.parse import urlparse

from fault_site import FaultSite
from namespaces import CORE, Network

HERE = os.path.dirname(os.path.abspath(__file__))
GROUPS = ["w1", "w2", "d1", "d2", "r1", "r2"]
PORTS = {"broker": 15000, "database": 16000}  # + place of the group: nothing else listens in this namespace


def group_of(program):
    """Agents a1 and a2 share w1, a3 has w2; a dispatcher or recorder has a namespace of its own."""
    return {"a1": "w1", "a2": "w1", "a3": "w2"}.get(program, program)


class NetworkSite(FaultSite):
    def __init__(self, nats=None, sync_always=False, **settings):
        self.network, self.relay = Network(GROUPS), None
        try:
            self.network.enter_core()
            super().__init__(nats, sync_always, **settings)
            self._start_relay()
        except BaseException:
            self.network.remove()
            raise

    @staticmethod
    def port(group, server):
        return PORTS[server] + GROUPS.index(group)

    def _start_relay(self):
        broker = f"127.0.0.1:{urlparse(self.url).port}"
        socket = os.path.join(self.dir, "pg", ".s.PGSQL.5432")
        words = [f"{group}/{server}={CORE}:{self.port(group, server)}={target}" for group in GROUPS
                 for server, target in (("broker", broker), ("database", socket))]
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
        group = group_of(name)
        sets = dict(sets or {}, **{"nats.url": f"nats://{CORE}:{self.port(group, 'broker')}",
                                   "postgres.conninfo": f"host={CORE} port={self.port(group, 'database')} user=muster dbname=postgres"})
        with self.network.inside(group):
            return super().run(name, binary, sets, env, ready)

    # ---- faults of one link ----
    def cut(self, group, server, **how):
        """how: towards_core, from_core, percent (see Network.drop)."""
        self.network.drop(group, self.port(group, server), **how)

    def delay(self, group, server, milliseconds):
        self._tell_relay(f"delay {group}/{server} {milliseconds}")

    def slow(self, group, kilobits):
        self.network.slow(group, kilobits)

    def heal(self):
        self.network.heal()
        for group in GROUPS:
            for server in PORTS:
                self.delay(group, server, 0)

    def close(self):
        try:
            super().close()
        finally:
            if self.relay:
                self.relay.stdin.close()
                self.relay.wait(10)
            self.network.remove()
