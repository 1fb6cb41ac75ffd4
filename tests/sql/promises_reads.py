# SPDX-License-Identifier: Apache-2.0
"""What happens once per batch meets large tables by key: the rows that it reads do not grow with history."""
from calls import FAIL, Job, Stream, accept, plan_of, tasks_of, uuid7

HISTORY = 200
GROWN = 3000


def _fill(world, stream, count):
    """Jobs that are done and have a finding each."""
    for _ in range(count // 100):
        jobs = accept(world.db, *(Job() for _ in range(100)))
        world.db.rows("select muster.outbox_published(array[" + ",".join(f"'{j.id}'" for j in jobs) + "]::uuid[], array["
                      + ",".join("1" for _ in jobs) + "], 'c', array[" + ",".join("1" for _ in jobs) + "]::bigint[])")
        stream.record(world.db, [stream.outcome(j, result="fail", findings=1, rules=FAIL) for j in jobs], [stream.finding(j) for j in jobs])


def _reads(world, what):
    """Rows of muster's tables that `what` reads."""
    world.db.rows("select pg_stat_force_next_flush()")  # what was read before is counted elsewhere
    world.db.rows("begin")
    what()
    count = world.db.one("select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) from pg_stat_xact_user_tables where schemaname = 'muster'")
    world.db.rows("commit")
    return int(count)


def _outcomes(world, stream):
    """With findings, and once published again: what is looked for before it is inserted."""
    jobs = accept(world.db, *(Job() for _ in range(6)), bundle=uuid7())
    again = accept(world.db, Job())
    world.db.rows(f"select muster.republish('{again.id}', 1, false, 'test')")
    done = [stream.outcome(j, result="fail", findings=1, rules=FAIL, delivery=2) for j in jobs[:5]] + [stream.outcome(again, n=2)]
    found = [stream.finding(j) for j in jobs[:5]]
    assert stream.record(world.db, done, found)["outcomes"] == 6


def _stages(world, stream):
    job = accept(world.db, Job(stage="plan"))
    stream.record(world.db, [stream.outcome(job, result="planned", plan=plan_of(2), rules=[])])
    for task in tasks_of(world.db, job):
        stream.record(world.db, [stream.outcome(task, ride=task.id, records=10)])


def _deferral(world, stream):
    job = accept(world.db, Job())
    stream.record(world.db, deferred=[{"task": job.id, "n": 1, "class": "transient", "reason": "x", "message": "y"}])
    world.db.rows("select muster.retry_due(10)")
    stream.record(world.db, [stream.outcome(job, n=2), stream.outcome(job, n=2, records=2)])


def _questions(world, stream):
    job = accept(world.db, Job())
    ids = f"array['{job.id}', '{uuid7()}']::uuid[]"
    for function in ("open_tasks", "known_tasks", "done_tasks", "rides_done"):
        world.db.rows(f"select muster.{function}({ids})")
    world.db.rows(f"select muster.rides_needed({ids}, array[1, 1])")
    world.db.rows("select muster.outbox_pending(10, 0, '{}')")
    world.db.rows(f"select muster.outbox_published({ids}, array[1, 1], 'c', array[1, 2]::bigint[])")
    stream.record(world.db, [stream.outcome(job)])


def what_a_batch_reads_does_not_grow_with_history(world):
    stream = Stream()
    _fill(world, stream, HISTORY)
    steps = (_outcomes, _stages, _deferral, _questions)
    little = {step: _reads(world, lambda s=step: s(world, stream)) for step in steps}
    _fill(world, stream, GROWN)
    for step in steps:
        much = _reads(world, lambda s=step: s(world, stream))
        assert much < little[step] + HISTORY, f"{step.__name__} read {little[step]} rows, with much history {much}"


def what_a_look_of_the_reconciler_reads_does_not_grow_with_history(world):
    stream, zero = Stream(), "00000000-0000-0000-0000-000000000000"
    open_jobs = accept(world.db, *(Job() for _ in range(5)))
    look = lambda: world.db.rows(f"select * from muster.reconcile_candidates(0, '{zero}', -1, 10)")
    _fill(world, stream, HISTORY)
    little = _reads(world, look)
    _fill(world, stream, GROWN)
    much = _reads(world, look)
    assert len(open_jobs) == 5 and much < little + HISTORY, f"read {little} rows, with much history {much}"
