# SPDX-License-Identifier: Apache-2.0
"""Partitions between any two programs, in namespaces: case 15."""
import threading
import time

from checker import RATES
from namespaces import missing
from network_site import NetworkSite
from psql import Ended, Psql
from rounds import Broken, case, last, wait_until

KINDS = ["both ways", "to the server", "from the server", "20 % loss", "500 ms", "low rate"]
PARTITIONS = KINDS[:3]
LINKS = [("w1", "broker"), ("d1", "broker"), ("d1", "database"), ("recorder", "broker"), ("recorder", "database")]
BACK = 15.0      # I8, after the end of a partition
TAKE_OVER = 12.0  # of a recorder that is cut off from the database: five seconds without a beat, and a few to notice
KILOBITS = 384
#: sessions of recorders that are writing, and whether they hold the lock
WRITERS = """select a.pid, exists (select from pg_locks l where l.pid = a.pid and l.locktype = 'advisory' and l.granted
and (l.classid::bigint << 32 | l.objid::bigint) = muster.lock_key('recorder')) from pg_stat_activity a
where a.application_name like 'muster-recorder %' and a.backend_xid is not null"""


@case(15, "partition, loss, delay and a low rate between any two programs", start={"dispatchers": 2, "recorders": 2}, needs=missing,
      site=NetworkSite)
def partition(r):
    """Each link has one fault in each round, the kinds go round; the rate is back 15 s after each; never do two recorders commit."""
    links = LINKS if r.long else r.rng.sample(LINKS, 2)
    r.begin()
    usual = _usual_rate(r)
    writers = WritersWatch(r.site)
    slowest, took_over = 0.0, []
    try:
        for place, link in enumerate(links):
            kind = KINDS[(r.number + r.seed + place) % len(KINDS)] if r.long else r.rng.choice(PARTITIONS)
            seconds = r.rng.uniform(3, 20) if r.long else r.rng.uniform(3, 5)
            group, server = link[0] if link[0] != "recorder" else _active(r), link[1]
            print(f"# {group} and {server}: {kind} for {seconds:.0f} s", flush=True)
            r.fault()
            _make(r.site, group, server, kind)
            began = time.monotonic()
            if (link, kind in PARTITIONS) == (("recorder", "database"), True) and seconds > TAKE_OVER:
                took_over.append(_other_takes_over(r, group))
            last(began + seconds - time.monotonic())
            r.site.heal()
            r.over()
            slowest = max(slowest, _await_rate(r, usual, f"{kind} between {group} and {server} for {seconds:.0f} s"))
    finally:
        r.site.heal()
        writers.close()
    r.figures["slowest return of the rate"] = f"{slowest:.1f} s"
    if took_over:
        r.figures["taken over within"] = f"{max(took_over):.1f} s"
    r.figures["looks at writing recorders"] = writers.looks
    if writers.wrong:
        raise Broken(f"I2: {writers.wrong[0]}")
    r.finish()


def _make(site, group, server, kind):
    if kind == "both ways":
        site.cut(group, server)
    elif kind == "to the server":
        site.cut(group, server, from_core=False)
    elif kind == "from the server":
        site.cut(group, server, towards_core=False)
    elif kind == "20 % loss":
        site.cut(group, server, percent=20)
    elif kind == "500 ms":
        site.delay(group, server, 500)
    else:
        site.slow(group, KILOBITS)


def _active(r):
    """The namespace of the recorder that holds the lock; each has one of its own name."""
    pid = wait_until(lambda: r.site.holder_of("recorder"), 30, "an active recorder")
    return next(p.name for p in r.site.ours() if str(p.pid) == pid)


def _other_takes_over(r, cut_off):
    began = time.monotonic()
    other = {str(p.pid) for p in r.site.ours() if p.name[0] == "r" and p.name != cut_off}
    try:
        wait_until(lambda: r.site.holder_of("recorder") in other, TAKE_OVER, "a take-over")
    except AssertionError:
        raise Broken(f"I8: nobody took over within {TAKE_OVER} s from the recorder that was cut off from the database") from None
    return time.monotonic() - began


def _usual_rate(r):
    """Outcomes in half a second, undisturbed."""
    def enough():
        counts = [int(n) for at, n in r.site.sql(RATES.format(since=r.began)) if r.began + 0.5 <= float(at) < time.time() - 1]
        return sorted(counts)[len(counts) // 2] if len(counts) >= 4 else None
    return wait_until(enough, 30, "a usual rate")


def _await_rate(r, usual, what):
    """Seconds after the fault until outcomes come at 80 % of the usual rate."""
    def back():
        rows = [float(at) for at, n in r.site.sql(RATES.format(since=r.over_at)) if int(n) >= 0.8 * usual]
        return rows[0] - r.over_at if rows else None
    try:
        return max(0.0, wait_until(lambda: (lambda s: None if s is None else s or 0.001)(back()), BACK, "the usual rate"))
    except AssertionError:
        raise Broken(f"I8: {BACK:.0f} s after {what} the rate is not back") from None


class WritersWatch(threading.Thread):
    """Looks again and again, in one session, who of the recorders writes: never two at once, and nobody without the lock."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.psql = Psql(site.conninfo)
        self.ending, self.wrong, self.looks = threading.Event(), [], 0
        self.start()

    def run(self):
        while not self.ending.wait(0.02):
            try:
                rows = self.psql.rows(WRITERS)
            except Ended:
                return
            self.looks += 1
            if len(rows) > 1:
                self.wrong.append(f"{len(rows)} recorders write at the same time: {rows}")
            elif rows and rows[0][-1] != "t":
                self.wrong.append(f"the session {rows[0]} of a recorder writes without the lock")

    def close(self):
        self.ending.set()
        self.join(10)
        self.psql.close()
