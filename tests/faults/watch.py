# SPDX-License-Identifier: Apache-2.0
"""Follows every write to muster_state, as the stream has them, over restarts of the broker: who owned which task when, and
where its checkpoints stood. From this follow I4 (no going back), how long a dead agent's task lay, and what was done twice."""
import json
import threading
import time

from natsclient import Nats

STREAM = "KV_muster_state"


class Write:
    __slots__ = ("at", "generation", "sequence", "task", "n", "owner", "incarnation", "released", "place", "crashes", "gone")

    def __init__(self, at, generation, sequence, task, state):
        self.at, self.generation, self.sequence, self.task = at, generation, sequence, task
        self.gone = state is None
        state = state or {}
        self.n, self.owner, self.incarnation = state.get("n", 0), state.get("owner"), state.get("incarnation")
        self.released, self.crashes = state.get("released", False), state.get("crashes", 0)
        checkpoint = state.get("checkpoint")
        self.place = checkpoint["byte_off"] if checkpoint else None


class Watch(threading.Thread):
    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.writes, self.ending = site, [], threading.Event()
        self.generation, self.last, self.first_after = None, 0, 0
        self.start()

    def run(self):
        while not self.ending.is_set():
            try:
                self._follow()
            except (OSError, TimeoutError, RuntimeError, ValueError, KeyError):
                self.ending.wait(0.1)

    def _follow(self):
        """An ephemeral consumer of its own from the next sequence; ends with the connection."""
        with Nats(self.site.url, timeout=2) as nats:
            info = nats.api("STREAM.INFO." + STREAM)
            created, last_sequence = info["created"], info["state"]["last_seq"]
            if created != self.generation or last_sequence < self.last:  # wiped, or an older copy of the store
                self.generation, self.last = created, 0
                self.first_after += 1
            sid = nats.subscribe("_INBOX.watch." + str(id(self)))
            got = nats.api("CONSUMER.CREATE." + STREAM, {"stream_name": STREAM, "config": {
                "deliver_subject": "_INBOX.watch." + str(id(self)), "deliver_policy": "by_start_sequence",
                "opt_start_seq": self.last + 1, "ack_policy": "none", "inactive_threshold": 10 * 10**9, "mem_storage": True}})
            if "error" in got:
                raise RuntimeError(str(got["error"]))
            heard = time.monotonic()
            while not self.ending.is_set():
                try:
                    m = nats.next(sid, 0.25)
                except TimeoutError:
                    if time.monotonic() - heard > 3:
                        nats.api("STREAM.INFO." + STREAM, timeout=2)  # is the broker there, and the stream?
                        return
                    continue
                heard = time.monotonic()
                self._note(m)

    def _note(self, m):
        sequence = int(m.reply.split(".")[-4])
        self.last = max(self.last, sequence)
        state = json.loads(m.body) if m.body and "KV-Operation" not in m.headers else None
        self.writes.append(Write(time.monotonic(), (self.generation, self.first_after), sequence, m.subject.rsplit(".", 1)[1], state))

    def close(self):
        self.ending.set()
        self.join(5)

    def at_work(self):
        """Agents that own a task with a checkpoint at this moment."""
        return {w.owner for w in self._latest() if w.place is not None and time.monotonic() - w.at < 0.5} - self.spared()

    def spared(self):
        """Agents whose task has crashed three of them at one place: at five it is taken for a poisonous one, rightly."""
        return {w.owner for w in self._latest() if w.crashes >= 3}

    def _latest(self):
        return [w for w in {w.task: w for w in self.writes[-500:]}.values() if not w.gone and not w.released]

    def present(self):
        """Keys that hold a state, not a marker, at this moment."""
        latest = {(w.generation, w.task): w.gone for w in self.writes[:]}
        return sum(1 for (generation, _), gone in latest.items() if not gone and generation == (self.generation, self.first_after))

    def store_changed(self):
        """The case has put back an older copy of the store: what follows is another generation."""
        self.first_after += 1
        self.last = 0

    # ---- what follows from it ----
    def gone_back(self):
        """Checkpoints that lie before one that the same task had in the same store: I4."""
        wrong, at = [], {}
        for w in sorted(self.writes, key=lambda w: (w.generation, w.sequence)):
            key = (w.generation, w.task)
            before = at.get(key)
            if w.gone:
                at.pop(key, None)
                continue
            place = -1 if w.place is None else w.place
            if before and place < before[1] and w.n <= before[0]:  # a fresh publication starts anew, with a higher n
                wrong.append(f"task {w.task}: from byte {before[1]} back to {place} (n {w.n})")
            at[key] = (w.n, place)
        return wrong

    def takeovers(self, kills):
        """For each kill (moment, agent): (seconds until another agent took up a task of the victim, seconds since the victim had
        saved it last) per task that it owned then."""
        found, counted = [], set()
        by_task = {}
        for w in self.writes:
            by_task.setdefault(w.task, []).append(w)
        for moment, agent in kills:
            for writes in by_task.values():
                before = [w for w in writes if w.at <= moment]
                if not before or before[-1].gone or before[-1].owner != agent or before[-1].released:
                    continue
                if (before[-1].task, before[-1].incarnation) in counted:  # its agent had died before, and another of that name now
                    continue
                counted.add((before[-1].task, before[-1].incarnation))
                after = next((w for w in writes if w.at > moment and w.incarnation != before[-1].incarnation and not w.gone), None)
                if after:  # who had pulled it may have been killed in turn before it could say so
                    latest = max(at for at, _ in kills if at < after.at)
                    found.append((after.at - latest, moment - before[-1].at))
        return found
