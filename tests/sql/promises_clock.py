# SPDX-License-Identifier: Apache-2.0
"""The database's clock is set back, by hand or because a stand-by took over whose clock is behind: what was noted before lies
in the future then. Here it is moved there instead."""
from calls import Job, Stream, accept

AHEAD = "interval '1 day'"
LOOK = "select ride_id from muster.reconcile_candidates(0, '00000000-0000-0000-0000-000000000000', 6000, 10)"


def after_the_clock_was_set_back_the_position_written_last_rules(world):
    jobs, stream = accept(world.db, Job(), Job()), Stream("c1")
    stream.record(world.db, [stream.outcome(jobs[0])])
    world.db.rows(f"update muster.recorder_position set minute = minute + {AHEAD}, noted_at = noted_at + {AHEAD}")
    stream.record(world.db, [stream.outcome(jobs[1])])
    assert world.db.rows("select sequence from muster.positions()") == [["2"], ["1"]]
    assert world.db.rows("select sequence from muster.space_bounds() where kind = 'current'") == [["2"]], "it bounds what may be purged"
    world.db.rows("select muster.position_note('c2', 7, '2026-11-24T11:00:00Z')")
    assert world.db.rows("select created, sequence from muster.positions() limit 1") == [["c2", "7"]]


def the_position_that_rules_is_never_thinned_out(world):
    job, stream = accept(world.db, Job()), Stream("c1")
    world.db.rows("select muster.position_note('c0', 9, '2026-11-24T11:00:00Z')")
    world.db.rows("update muster.recorder_position set minute = date_trunc('day', now()) - interval '1 hour', noted_at = date_trunc('day', now()) - interval '1 hour'")
    stream.record(world.db, [stream.outcome(job)])
    world.db.rows("update muster.recorder_position set noted_at = date_trunc('day', now()) - interval '2 hours' where created = 'c1'")
    world.db.rows("select muster.positions_thin()")
    assert world.db.rows("select created from muster.positions()") == [["c1"]]


def a_message_published_in_the_future_is_looked_after(world):
    job = accept(world.db, Job())
    world.db.rows(f"select muster.outbox_published(array['{job.id}']::uuid[], array[1], 'c1', array[5]::bigint[])")
    assert world.db.rows(LOOK) == [], "too young"
    world.db.rows(f"update muster.outbox set published_at = published_at + {AHEAD}")
    assert world.db.rows(LOOK) == [[job.id]]


def a_message_made_in_the_future_is_published(world):
    job = accept(world.db, Job())
    pending = "select ride_id from muster.outbox_pending(10, 2000, '{}')"
    assert world.db.rows(pending) == [], "whoever made it is about to publish it"
    world.db.rows(f"update muster.outbox set created_at = created_at + {AHEAD}")
    assert world.db.rows(pending) == [[job.id]]


def a_message_missing_since_the_future_is_missing_from_now_on(world):
    job = accept(world.db, Job())
    world.db.rows(f"select muster.outbox_published(array['{job.id}']::uuid[], array[1], 'c1', array[5]::bigint[])")
    world.db.rows(f"update muster.outbox set published_at = published_at - {AHEAD}, seen_missing_at = now() + {AHEAD}")
    world.db.rows(f"select muster.reconcile_note(array['{job.id}']::uuid[], array[true])")
    assert world.db.one("select seen_missing_at <= clock_timestamp() from muster.outbox") == "t"


def a_retry_farther_off_than_any_pause_is_due(world):
    job, stream = accept(world.db, Job()), Stream()
    stream.record(world.db, deferred=[{"task": job.id, "n": 1, "class": "dependency", "reason": "x", "message": "y"}])
    assert world.db.one("select muster.retry_due(10)") == "0", "it has its pause"
    world.db.rows(f"update muster.retry set next_at = next_at + {AHEAD}")
    assert world.db.one("select muster.retry_due(10)") == "1"
    assert world.db.one("select muster.retry_due(10)") == "0", "its task is queued"


def a_holder_whose_beat_lies_in_the_future_has_stopped(world):
    pid = world.db.one("select pg_backend_pid() where muster.lock_take('recorder', 'host:1')")
    assert world.db.one("select muster.lock_stale('recorder', 5000)") is None
    world.db.rows(f"update muster.lock_holder set beat_at = beat_at + {AHEAD}")
    assert world.db.one("select muster.lock_stale('recorder', 5000)") == pid
