# SPDX-License-Identifier: Apache-2.0
"""Programs of ours that are killed, stopped, hang: cases 1 to 5, and the random killer."""
import signal

from rounds import ACK_WAIT, Broken, case, last, wait_until

WORKER_STEPS = ["pulled", "marked", "opened", "findings_sent", "checkpoint:2", "before_outcome:3", "after_outcome:3", "after_ack:2",
                "after_purge"]
DISPATCHER_STEPS = ["before_commit:5", "after_commit:5", "after_publish:5", "after_mark:5", "after_answer:5", "before_intake_ack:5"]
RECORDER_STEPS = ["pulled:5", "before_commit:5", "after_commit:5", "after_ack:5"]
TAKE_UP = 1.5 * ACK_WAIT


def _judge_takeovers(r):
    """A killed agent's task goes on within 1.5 x ack_wait."""
    slow = [t for t, _ in r.watch.takeovers(r.kills) if t > TAKE_UP]
    if slow:
        raise Broken(f"I8: {len(slow)} tasks of killed agents were taken up only after {max(slow):.1f} s, wanted {TAKE_UP} s")


@case(1, "an agent is killed at every step of a task", short=False)
def agent_killed_at_every_step(r):
    """Each step once, in an order that the seed decides; the victim is one of three agents under load."""
    r.begin(files=3.0)  # one of four agents must come by a file
    steps = WORKER_STEPS[:]
    r.rng.shuffle(steps)
    for step in steps if r.long else steps[:3]:
        r.fault()
        victim = r.site.worker(f"v{r.number}-{step.split(':')[0]}", fail=f"worker.{step}=crash", ready=False)
        if victim.ended(60) != -9:
            raise Broken(f"the agent did not die at {step}:\n{victim.tail()}")
        r.count_kill("a")
        r.over()
    r.finish(back=TAKE_UP)


@case(1, "agents are killed at random under load")
def agents_killed_at_random(r):
    r.begin()
    for _ in range(12 if r.long else 4):
        last(r.rng.uniform(0.2, 1.0))
        busy = wait_until(lambda: [a for a in r.watch.at_work() if r.site.alive(a)], 30, "an agent with a checkpoint")
        r.kill(r.site.named(r.rng.choice(sorted(busy))))
        r.site.ensure()
        r.over()
    r.finish(back=TAKE_UP)
    _judge_takeovers(r)


@case(2, "an agent is stopped for longer than its lease and comes back")
def zombie(r):
    """Between PubAck and ack, before the outcome, behind a checkpoint, with tasks that were not started: whoever goes on meanwhile
    has the task; what the zombie says afterwards changes nothing."""
    r.begin(files=3.0)
    steps = ["after_outcome:2", "before_outcome:2", "checkpoint:2", "findings_sent", "pulled:2"]
    r.rng.shuffle(steps)
    for step in steps if r.long else steps[:2]:
        r.fault()
        name = f"z{r.number}-{step.split(':')[0]}"
        agent = r.site.worker(name, fail=f"worker.{step}=stop", ready=False)
        wait_until(lambda a=agent: r.site.stopped(a), 30, f"the stop at {step}")
        last(r.rng.choice([0.5, 1.5, 5] if r.long else [1.5]) * ACK_WAIT)
        agent.resume()
        last(0.5)
        if agent.stop() != 0:
            raise Broken(f"the zombie of {step} did not end well:\n{agent.tail()}")
        r.over()
    r.finish()


@case(2, "agents are stopped at random, shorter and longer than their lease", short=False)
def agents_stopped_at_random(r):
    r.begin()
    for _ in range(3 if r.long else 1):
        r.fault()
        agent = r.site.named(r.rng.choice(["a1", "a2", "a3"]))
        agent.pause()
        last(r.rng.choice([0.5, 1.5, 5] if r.long else [1.5]) * ACK_WAIT)
        agent.resume()
        r.over()
    r.finish()
    if not all(r.site.alive(f"a{i}") for i in (1, 2, 3)):
        raise Broken("an agent ended after it had been stopped")


@case(3, "the working thread hangs while the lease thread lives", worker__stall_limit="4s", short=False)
def working_thread_hangs(r):
    """Progress stands still, so the lease is not renewed and lapses; the process ends by itself; others go on."""
    r.begin()
    r.fault()
    hung = r.site.worker(f"hung{r.number}", fail=f"worker.{r.rng.choice(['checkpoint', 'opened', 'findings_sent'])}=hang", ready=False)
    if hung.ended(40) != 1:
        raise Broken(f"the hung agent did not end itself with status 1:\n{hung.tail()}")
    r.over()
    # a task that stalls ends in `error` (stalled) if its agent still owns it then; with a lease shorter than the limit others have it
    r.finish()


@case(4, "a dispatcher is killed at every step", start={"dispatchers": 2}, short=False)
def dispatcher_killed_at_every_step(r):
    r.begin()
    steps = DISPATCHER_STEPS[:]
    r.rng.shuffle(steps)
    for step in steps if r.long else steps[:2]:
        r.fault()
        victim = r.site.dispatcher(f"dv{r.number}-{step.split(':')[0]}", fail=f"dispatcher.{step}=crash", ready=False)
        if victim.ended(60) != -9:
            raise Broken(f"the dispatcher did not die at {step}:\n{victim.tail()}")
        r.count_kill("d")
        r.over()
    r.finish()


@case(4, "the only dispatcher is killed again and again")
def dispatcher_killed_at_random(r):
    r.begin()
    for _ in range(6 if r.long else 2):
        last(r.rng.uniform(0.2, 0.8))
        r.kill(r.site.named("d1"))
        r.site.ensure()
        r.over()
    r.finish(back=TAKE_UP)


@case(5, "the recorder is killed at every step")
def recorder_killed_at_every_step(r):
    r.begin()
    steps = RECORDER_STEPS[:]
    r.rng.shuffle(steps)
    for step in steps if r.long else steps[:2]:
        r.fault()
        r.site.named("r1").stop()
        victim = r.site.recorder(f"rv{r.number}-{step.split(':')[0]}", fail=f"recorder.{step}=crash", ready=False)
        if victim.ended(60) != -9:
            raise Broken(f"the recorder did not die at {step}:\n{victim.tail()}")
        r.count_kill("r")
        r.site.ensure()
        r.over()
    r.finish()


@case(5, "of two recorders the active one is killed or stopped", start={"recorders": 2}, short=False)
def two_recorders(r):
    """One is active; the other takes over within five seconds of a kill, and within ten of a stop (a beat is missed for five)."""
    r.begin()
    took = []
    for _ in range(4 if r.long else 2):
        pid = wait_until(lambda: r.site.holder_of("recorder"), 20, "an active recorder")
        active = next(p for p in r.site.ours() if str(p.pid) == pid)
        stop = r.rng.random() < 0.5
        r.fault()
        if stop:
            active.pause()
        else:
            r.kill(active)
        seconds = _seconds_until(lambda before=pid: r.site.holder_of("recorder") not in (None, "", before), 20)
        took.append(seconds)
        if seconds > (12 if stop else 5):
            raise Broken(f"I8: nobody took over for {seconds:.1f} s after the active recorder was {'stopped' if stop else 'killed'}")
        if stop:
            active.resume()
        r.site.ensure(recorders=2)
        r.over()
    r.figures["taken over within"] = f"{max(took):.1f} s"
    r.finish()


def _seconds_until(condition, timeout):
    import time
    began = time.monotonic()
    wait_until(condition, timeout, "a take-over")
    return time.monotonic() - began


@case(1, "anything is killed at random: agents, dispatchers, recorders, broker, database", start={"dispatchers": 2, "recorders": 2})
def anything_killed_at_random(r):
    r.begin()
    for _ in range(40 if r.long else 6):
        last(r.rng.uniform(0.1, 0.5))
        victim = r.rng.choices(["a1", "a2", "a3", "d1", "d2", "r1", "r2", "nats", "postgres"], [4, 4, 4, 3, 3, 3, 3, 1, 1])[0]
        if victim in ("nats", "postgres"):
            r.crash(victim)
            r.site.start(victim)
        elif victim not in r.watch.spared():
            r.kill(r.site.named(victim))
        for p in list(r.site.programs):
            if not p.alive():
                r.site.programs.remove(p)
                p.close()
                r.site.run(p.name, _binary(p.name), {"agent.id": p.name} if p.name[0] == "a" else {}, ready=False)
        r.over()
    r.finish(timeout=120)


def _binary(name):
    return {"a": "muster-worker", "d": "muster-dispatcher", "r": "muster-recorder"}[name[0]]


@case(28, "agents are drained in every state, and come back", start={"workers": 3})
def agents_drained(r):
    """SIGTERM: what is held is handed back within two seconds, no attempt is burnt, no work is lost."""
    r.begin()
    slowest = 0.0
    import time
    for _ in range(6 if r.long else 2):
        last(r.rng.uniform(0.2, 0.8))
        r.fault()
        agent = r.site.named(r.rng.choice(["a1", "a2", "a3"]))
        began = time.monotonic()
        if r.rng.random() < 0.3:
            agent.signal(signal.SIGINT)
            status = agent.ended(15)
        else:
            status = agent.stop()
        took = time.monotonic() - began
        slowest = max(slowest, took)
        if status != 0 or took > 2:
            raise Broken(f"the drained agent ended with {status} after {took:.1f} s:\n{agent.tail()}")
        r.site.ensure()
        r.over()
    r.figures["slowest hand-over"] = f"{slowest:.2f} s"
    r.finish()
    if r.site.value("select coalesce(max(crashes), 0) from muster.outcome") != "0":
        raise Broken("a drain has burnt an attempt")
