# SPDX-License-Identifier: Apache-2.0
"""Hours at a low rate, with a death now and then: case 30. What a process or the broker holds must stay constant."""
import os
import statistics
import time

from rounds import Broken, case, last
from sampling import Sampler

#: growth between the first third after the warm-up and the last third that is still called constant
BOUNDS = {"KiB": 8 * 1024, "fds": 4, "threads": 2, "consumers": 0, "checkpoints": 20, "agents": 0, "outbox": 50, "retry": 5,
          "default rows": 0, "database sessions": 4, "positions": 130}
SAMPLE_SECONDS = 10
WARM_UP = 1 / 6  # of the time: allocators, caches and prepared statements fill
SETTLED = "a1", "d1", "r1"  # never killed, so that their memory can be followed from beginning to end


@case(30, "soak: everything at a low rate for an hour or longer, with a kill now and then", start={"workers": 3, "dispatchers": 2, "recorders": 2},
      fresh=True, short=False, once=True)
def soak(r):
    """--minutes says how long. One agent, dispatcher and recorder live all the time; the others, the broker and the database are
    killed about once a minute. Judged is what the survivors and the broker hold, and that all end well when they are asked to."""
    seconds = r.minutes * 60
    r.begin(rate=20, files=0.2, door=1, junk=0.1)
    sampler = Sampler(r.site, r.watch, SETTLED)
    end, next_kill, next_sample = time.monotonic() + seconds, time.monotonic() + _pause(r, seconds), time.monotonic()
    while time.monotonic() < end:
        last(max(0.0, min(next_kill, next_sample, end) - time.monotonic()))
        if time.monotonic() >= next_sample:
            next_sample += SAMPLE_SECONDS
            sampler.take()
            if len(sampler.samples) % 30 == 0:
                print(f"# after {(time.monotonic() - end + seconds) / 60:.0f} min: {sampler.say()}", flush=True)
        if time.monotonic() >= next_kill:
            _kill_one(r)
            next_kill = time.monotonic() + _pause(r, seconds)
    r.over()
    r.figures["minutes"] = r.minutes
    r.finish(timeout=300)
    _judge(r, sampler)
    for program in r.site.ours():
        status = program.stop(30)
        if status != 0:
            raise Broken(f"{program.name} ended with {status} when it was asked to stop:\n{program.tail()}")


def _pause(r, seconds):
    return r.rng.uniform(0.5, 1.5) * min(60.0, seconds / 10)


def _kill_one(r):
    victim = r.rng.choices(["a2", "a3", "d2", "r2", "nats", "postgres"], [4, 4, 3, 3, 1, 1])[0]
    if victim in ("nats", "postgres"):
        r.crash(victim)
        r.site.start(victim)
        return
    program = r.site.named(victim)
    r.kill(program)
    r.site.programs.remove(program)
    program.close()
    r.site.ensure(**r.case.start)


def _judge(r, sampler):
    """Medians, so that a batch after a restart is no growth; the middle third is between what is compared."""
    samples = sampler.samples[int(len(sampler.samples) * WARM_UP):]
    third = len(samples) // 3
    if third < 3:
        raise Broken(f"only {len(sampler.samples)} samples: too short a time to say anything of growth, use more --minutes")
    grown = []
    for name in sorted({name for sample in samples for name in sample}):
        first, final = ([s[name] for s in part if name in s] for part in (samples[:third], samples[-third:]))
        if not first or not final:
            continue
        before, after = statistics.median(first), statistics.median(final)
        r.figures[name] = f"{before:.0f} to {after:.0f}" if after != before else f"{before:.0f}"
        if after - before > _bound(name):
            grown.append(f"{name} from {before:.0f} to {after:.0f} (allowed {_bound(name)} more)")
    if grown:
        raise Broken("not constant: " + "; ".join(grown) + f"; samples in {_keep(r, sampler)}")


def _bound(name):
    return next(bound for word, bound in BOUNDS.items() if name.endswith(word))


def _keep(r, sampler):
    path = os.path.join(r.site.dir, "log", "samples.jsonl")
    sampler.write(path)
    return path
