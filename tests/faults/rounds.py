# SPDX-License-Identifier: Apache-2.0
"""A case is a function of one round; what a round has at hand, and the table of cases."""
import random
import time
import zlib

from checker import Broken, Checker, spread
from fault_site import ACK_WAIT, CHECKPOINT, FaultSite, last, wait_until
from workload import Load

CASES = {}


class Case:
    def __init__(self, function, number, title, settings, start, fresh, short, once, needs, site):
        self.function, self.number, self.title, self.settings = function, number, title, settings
        self.name = function.__name__
        self.start, self.fresh, self.short, self.once, self.needs, self.site = start, fresh, short, once, needs, site


def case(number, title, start=None, fresh=False, short=True, once=False, needs=None, site=FaultSite, **settings):
    """number: of the matrix. start: programs that run before the first round (None: the usual ones). fresh: a new site for
    each round. short: part of the short suite. once: takes long, one round is enough. needs: a function that gives a reason to
    skip the case on this machine, or None. site: the class of its site, a FaultSite or one that is made of it."""
    def mark(function):
        CASES[function.__name__] = Case(function, number, title, settings, start, fresh, short, once, needs, site)
        return function
    return mark


class Round:
    def __init__(self, site, case_, number, seed, long, want, watch, minutes=60):
        self.site, self.case, self.number, self.seed, self.long, self.minutes = site, case_, number, seed, long, minutes
        self.rng = random.Random(seed)
        self.tag = f"r{number}x{zlib.crc32(f'{case_.name} {seed}'.encode()) % 10000}"
        self.checker, self.watch = Checker(site, want), watch
        self.load, self.answers = None, None
        self.figures = {}
        self.kills, self.killed = [], {}
        self.began = self.fault_at = self.over_at = None

    # ---- the load ----
    def begin(self, steady=2.0, **load):
        """Starts submitting, and lets it run undisturbed for a while."""
        self.began = time.time()
        self.load = Load(self.site, self.tag, self.seed, **load)
        self.load.start()
        last(steady)

    def fault(self):
        """The fault begins now."""
        if self.fault_at is None:
            self.fault_at = time.time()

    def over(self):
        """The fault is over now."""
        self.over_at = time.time()

    # ---- killing ----
    def kill(self, program):
        """kill -9 of a program of ours, noted for what the watch can tell of it."""
        self.fault()
        if program.alive():
            program.kill9()
            self.kills.append((time.monotonic(), program.name))
            self.count_kill(program.name[0])

    def count_kill(self, of):
        what = {"a": "agents", "d": "dispatchers", "r": "recorders", "v": "agents"}.get(of, of)
        self.killed[what] = self.killed.get(what, 0) + 1

    def crash(self, server):
        """kill -9 of "nats" or "postgres"."""
        self.fault()
        self.site.crash(server)
        self.count_kill({"nats": "brokers", "postgres": "databases"}[server])

    # ---- the end ----
    def finish(self, timeout=90, back=None, settle=2.0, lost_doors=False, forged=0):
        """Lets the load run on after the fault, ends it, and judges. back: seconds within which the rate must be back (I8)."""
        if self.over_at is None:
            self.over()
        last(max(settle, back + 1.0 if back else 0.0))  # the time within which the rate must be back is watched to its end
        self.site.ensure(**(self.case.start or {}))
        self.answers = self.load.stop(timeout)
        lost = self.checker.await_outcomes(self.answers, self.tag, timeout, lost_doors)
        if lost_doors:
            self.figures["intake messages lost with the store"] = lost
        if self.fault_at:
            after = self.checker.back_after(self.began, self.fault_at, self.over_at)
            if after is not None:
                self.figures["rate back after"] = f"{after:.1f} s"
            if back is not None and after is not None and after > back:
                raise Broken(f"I8: outcomes came at 80 % of the usual rate only after {after:.1f} s, wanted {back} s")
        self.checker.judge(self.answers, self.tag, self.watch, forged)
        self.tell()

    def tell(self):
        a = self.answers
        self.figures["submissions"] = a.submitted()
        if self.killed:
            self.figures["killed"] = ", ".join(f"{n} {what}" for what, n in sorted(self.killed.items()))
        if a.unanswered:
            self.figures["unanswered"] = a.unanswered
        refusals = {code: n for code, n in a.refused.items() if code != "unknown_pack"}
        if refusals:
            self.figures["refused"] = ", ".join(f"{n} {code}" for code, n in sorted(refusals.items()))
            self.figures["slowest refusal"] = f"{a.slowest_refusal:.2f} s"
        if self.watch and self.kills:
            found = self.watch.takeovers(self.kills)
            if found:
                self.figures["taken up"] = spread([t for t, _ in found])
                self.figures["done twice"] = spread([t for _, t in found])


__all__ = ["ACK_WAIT", "Broken", "CASES", "CHECKPOINT", "FaultSite", "Round", "case", "last", "wait_until"]
