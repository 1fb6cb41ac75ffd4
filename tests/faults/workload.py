# SPDX-License-Identifier: Apache-2.0
"""What submits while faults happen, and what it was told. A submission without an answer is sent again under its key until
there is one, as any careful submitter does; every answer is noted."""
import itertools
import json
import random
import threading
import time

from harness import wait_until
from natsclient import Nats

GOOD, BAD = "US0378331005", "US0378331006"
PACK = "identifiers@1.0.0"
#: kinds of jobs; the key of a job is <tag>-<kind>-<number>, so that the checker knows what must come of it
SMALL = {"good": {"records": [{"isin": GOOD}]}, "bad": {"records": [{"isin": BAD}]}, "two": {"records": [{"isin": BAD}, {"isin": BAD}]}}
FILES = {"scan": 2600, "plan": 12000}  # rows: one task with several checkpoints; a plan and its shards
ANSWER_SECONDS = 3.0
AT_ONCE = 500  # submissions without an answer that are sent again in one request


def file_bytes(kind):
    return "symbol,isin\n" + "".join(f"S{i},{BAD if i % 97 == 0 else GOOD}\n" for i in range(FILES[kind]))


def body_of(kind):
    base = {"good": SMALL["good"], "door": SMALL["bad"]}.get(kind) or SMALL.get(kind)
    return dict(base, pack=PACK) if base else {"pack": PACK, "source": {"uri": f"file:{kind}.csv"}}


class Answers:
    """All that was said: what is acknowledged must be found again, what was refused must not."""

    def __init__(self):
        self.acknowledged, self.open, self.door = {}, {}, {}
        self.refused = {}        # code -> how often
        self.rejected_doors = 0  # invalid messages that the intake took
        self.unanswered = 0      # requests without an answer in time
        self.slowest_refusal = 0.0

    def submitted(self):
        return len(self.acknowledged) + len(self.door)


class Load(threading.Thread):
    """Submits steadily until stop(): small jobs in batches, files, intake messages, and some that are wrong."""

    def __init__(self, site, tag, seed, rate=100, files=1.0, door=5.0, junk=1.0):
        super().__init__(daemon=True)
        self.site, self.tag, self.rng = site, tag, random.Random(seed)
        self.rate, self.files, self.door_rate, self.junk = rate, files, door, junk
        self.answers = Answers()
        self.number = 0
        self.nats = None
        self.ending = threading.Event()
        self.going = threading.Event()
        self.going.set()
        self.trouble = None
        for kind in FILES:
            site.write(kind + ".csv", file_bytes(kind))

    # ---- talking ----
    def _connection(self):
        if self.nats is None:
            self.nats = Nats(self.site.url, timeout=2)
        return self.nats

    def _drop(self):
        if self.nats:
            self.nats.close()
        self.nats = None

    def _ask(self, body):
        began = time.monotonic()
        try:
            answer = self._connection().request("muster.api.submit", body, timeout=ANSWER_SECONDS)
            if not answer.body:
                raise TimeoutError("no responders")
            answer = answer.json()
        except (TimeoutError, OSError, RuntimeError, ValueError):
            self._drop()
            self.answers.unanswered += 1
            return None
        if not answer["ok"] and "error" in answer:
            self._note_refusal(answer["error"]["code"], time.monotonic() - began)
        return answer

    def _note_refusal(self, code, seconds):
        a = self.answers
        a.refused[code] = a.refused.get(code, 0) + 1
        a.slowest_refusal = max(a.slowest_refusal, seconds)

    def _key(self, kind):
        self.number += 1
        return f"{self.tag}-{kind}-{self.number}"

    def _submit(self, jobs):
        """jobs: key -> kind. What is not surely stored stays open, to be sent again."""
        a = self.answers
        a.open.update(jobs)
        answer = self._ask("\n".join(json.dumps(dict(body_of(kind), id=key)) for key, kind in jobs.items()))
        if not answer or "error" in answer:
            return
        single = len(jobs) == 1
        stored = 1 if single else answer["accepted"] + answer["duplicate"]
        if stored == len(jobs):
            a.acknowledged.update(jobs)
            for key in jobs:
                del a.open[key]

    def _by_the_door(self):
        """A PubAck is the promise; without one the same message is sent again under its id."""
        key = self._key("door")
        self.answers.open[key] = "door"
        self._send_door(key)

    def _send_door(self, key):
        try:
            self._connection().publish_stream("muster.intake", json.dumps(dict(body_of("door"), id=key)), {"Nats-Msg-Id": key}, timeout=2)
        except (TimeoutError, OSError, ValueError):
            self._drop()
            return
        except RuntimeError as error:  # refused by the broker: back-pressure
            self._note_refusal("intake: " + str(error)[:60], 0)
            return
        self.answers.door[key] = "door"
        del self.answers.open[key]

    def _wrong(self):
        """One wrong submission by each door: it must be refused, with a word or a row."""
        self._ask(json.dumps({"pack": "no-such-pack", "records": [{"isin": GOOD}]}))
        try:
            self._connection().publish_stream("muster.intake", json.dumps({"pack": "no-such-pack", "records": []}),
                                              {"Nats-Msg-Id": self._key("junk")}, timeout=2)
            self.answers.rejected_doors += 1
        except (TimeoutError, OSError, ValueError):
            self._drop()
        except RuntimeError:
            pass

    def _again(self):
        a = self.answers
        for key in list(itertools.islice((k for k, kind in a.open.items() if kind == "door"), 20)):
            self._send_door(key)
        jobs = dict(itertools.islice(((k, kind) for k, kind in a.open.items() if kind != "door"), AT_ONCE))
        if jobs:
            self._submit(jobs)

    def pause_requests(self):
        """Submits nothing until resume_requests()."""
        self.going.clear()

    def resume_requests(self):
        self.going.set()

    # ---- the loop ----
    def run(self):
        try:
            self._run()
        except Exception as error:  # the case fails with it
            self.trouble = error
        finally:
            self._drop()

    def _run(self):
        began, done, files, doors, wrong = time.monotonic(), 0, 0, 0, 0
        while not self.ending.is_set():
            passed = time.monotonic() - began
            if not self.going.is_set():
                self.ending.wait(0.05)
                continue
            if self.answers.open:
                self._again()
            due = min(int(passed * self.rate) - done, 50)
            if due > 0:
                kinds = [self.rng.choice(list(SMALL)) for _ in range(due)]
                self._submit({self._key(kind): kind for kind in kinds})
                done = int(passed * self.rate)  # what could not be sent in time is not caught up
            if self.files and passed * self.files >= files:
                kind = list(FILES)[files % len(FILES)]
                self._submit({self._key(kind): kind})
                files = int(passed * self.files) + 1
            if self.door_rate and passed * self.door_rate >= doors:
                self._by_the_door()
                doors = int(passed * self.door_rate) + 1
            if self.junk and passed * self.junk >= wrong:
                self._wrong()
                wrong = int(passed * self.junk) + 1
            self.ending.wait(0.05)

    def stop(self, timeout=60):
        """Ends the load; what is open is sent again until somebody answers."""
        self.ending.set()
        self.join(ANSWER_SECONDS * 8 + 10)
        assert not self.is_alive(), "the load does not end"
        if self.trouble:
            raise self.trouble

        def settled():
            if self.answers.open:
                self._again()
            return not self.answers.open
        wait_until(settled, timeout, f"answers to {len(self.answers.open)} submissions")
        self._drop()
        return self.answers
