# SPDX-License-Identifier: Apache-2.0
"""What programs, broker and database hold at a moment: memory, descriptors, threads, consumers, keys, rows."""
import json
import os

STREAMS = ["MUSTER_INTAKE", "MUSTER_TASKS", "MUSTER_RESULTS", "MUSTER_EVENTS", "MUSTER_PARTIALS", "KV_muster_state", "KV_muster_agents",
           "KV_muster_packs", "KV_muster_policy"]
ROWS = """select (select count(*) from muster.outbox), (select count(*) from muster.retry), (select value from muster.counts() where name = 'default_rows'),
(select count(*) from pg_stat_activity where application_name like 'muster-%'), (select count(*) from muster.recorder_position)"""


def process_figures(pid):
    """KiB resident, descriptors, threads; None if it is gone."""
    try:
        with open(f"/proc/{pid}/status") as f:
            status = dict(line.split(":", 1) for line in f if ":" in line)
        return int(status["VmRSS"].split()[0]), len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"])
    except (OSError, KeyError):
        return None


class Sampler:
    """One sample is a map from name to number; what cannot be asked at the moment (a server restarts) is left out."""

    def __init__(self, site, watch, programs):
        self.site, self.watch, self.programs = site, watch, programs
        self.samples = []

    def take(self):
        sample = {}
        for name in self.programs:
            figures = process_figures(self.site.named(name).pid)
            if figures:
                sample.update(zip((f"{name} KiB", f"{name} fds", f"{name} threads"), figures))
        self._broker(sample)
        self._database(sample)
        self.samples.append(sample)

    def _broker(self, sample):
        try:
            states = {stream: self.site.nats.stream(stream) for stream in STREAMS}
            # the watch makes consumers of KV_muster_state, one each time it connects
            sample["consumers"] = sum(s["consumer_count"] for name, s in states.items() if name != "KV_muster_state")
            sample["agents"] = states["KV_muster_agents"]["messages"]
        except (OSError, TimeoutError, RuntimeError, TypeError):
            self.site._forget_nats()
        sample["checkpoints"] = self.watch.present()

    def _database(self, sample):
        try:
            values = self.site.sql(ROWS)[0]
        except AssertionError:
            return
        sample.update(zip(("outbox", "retry", "default rows", "database sessions", "positions"), map(int, values)))

    def say(self):
        return ", ".join(f"{name} {value}" for name, value in self.samples[-1].items())

    def write(self, path):
        with open(path, "w") as f:
            for sample in self.samples:
                f.write(json.dumps(sample) + "\n")
