# SPDX-License-Identifier: Apache-2.0
"""The wall clock of a program, or of the database, is stepped while it works: case 17."""
import time

from clock_site import ClockSite
from clocks import missing
from rounds import Broken, case, last, wait_until

HOUR, DAY = 3600, 86400
STEPS = {"+1 h": HOUR, "-1 h": -HOUR, "+1 d": DAY, "-1 d": -DAY}
GOES_ON = 5.0  # seconds within which each program must have done something after a step


@case(17, "clocks are stepped by an hour and by a day, both ways", start={"workers": 2}, site=ClockSite, needs=missing)
def clock_steps(r):
    """One dispatcher and one recorder, so that nobody hides who stands still. After each step every program does something within
    five seconds; no lease ends early; ids are unique and find their partition; nothing is lost."""
    r.begin()
    targets = ["a1", "d1", "r1", "postgres"]
    deeds = [(target, step) for target in targets for step in STEPS]
    r.rng.shuffle(deeds)
    if not r.long:
        deeds = [next(d for d in deeds if d[0] == target) for target in targets]
    slowest = 0.0
    r.fault()
    for target, step in deeds:
        r.site.step(target, STEPS[step])  # from the step before, or from the true time
        slowest = max(slowest, _all_go_on(r, f"{step} of {target}"))
        last(r.rng.uniform(0.2, 1.0))
        if r.rng.random() < 0.5:
            r.site.step(target, 0)  # stepped back; else it stays wrong until its next step
            slowest = max(slowest, _all_go_on(r, f"the step back from {step} of {target}"))
    for target in targets:
        r.site.step(target, 0)
    r.over()
    r.figures["steps"] = len(deeds)
    r.figures["slowest to do something"] = f"{slowest:.2f} s"
    r.finish()
    _judge_leases(r)


def _signs(r):
    """What grows while each program works: heartbeats, settled work, receipts, the recorder's position."""
    site, signs = r.site, {}
    for agent in ("a1", "a2"):
        got = site.nats.api("STREAM.MSG.GET.KV_muster_agents", {"last_by_subj": f"$KV.muster_agents.{agent}"})
        signs[agent] = got["message"]["seq"] if "message" in got else 0
    signs["agents' work"] = site.nats.stream("MUSTER_RESULTS")["last_seq"]
    signs["d1"] = len(r.load.answers.acknowledged)
    signs["intake"] = site.nats.api("CONSUMER.INFO.MUSTER_INTAKE.intake")["ack_floor"]["stream_seq"]
    signs["r1"] = site.nats.api("CONSUMER.INFO.MUSTER_RESULTS.recorder")["ack_floor"]["stream_seq"]
    return signs


def _all_go_on(r, what):
    """Seconds until all signs have moved."""
    began, before = time.monotonic(), _signs(r)
    still = dict(before)

    def moved():
        now = _signs(r)
        for name in list(still):
            if now[name] != before[name]:
                del still[name]
        return not still
    try:
        wait_until(moved, GOES_ON, "signs of life")
    except AssertionError:
        raise Broken(f"{GOES_ON:.0f} s after {what} nothing was seen of: {', '.join(still)}") from None
    for program in r.site.ours():
        if not program.alive():
            raise Broken(f"{program.name} ended after {what}:\n{program.tail()}")
    return time.monotonic() - began


def _judge_leases(r):
    """Nobody was killed and no agent stopped: who takes up a task that another owns, without its having been handed back, counts a
    crash, and that means a lease that ended early. One in a hundred is the machine's."""
    crashes, again = r.site.sql(f"select count(*) filter (where o.crashes > 0), count(*) filter (where o.n > 1) from muster.outcome o "
                                f"join muster.job j using (job_id) where split_part(j.job_key, '-', 1) = '{r.tag}'")[0]
    r.figures["leases that ended early"], r.figures["tasks published again"] = crashes, again
    if int(crashes) > r.answers.submitted() / 100:
        raise Broken(f"the leases of {crashes} tasks ended early, of {r.answers.submitted()} submissions")
