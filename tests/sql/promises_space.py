# SPDX-License-Identifier: Apache-2.0
"""What may go from MUSTER_RESULTS when room is short, and in which order."""
from calls import Job, Stream, accept


def results_may_go_up_to_kept_positions_the_backup_and_the_current_one_in_this_order(world):
    db = world.db
    assert db.rows("select * from muster.space_bounds()") == []
    assert db.one("select muster.backup_taken('before anything')") is None
    for minute, sequence in (("10:00", 10), ("11:00", 20), ("12:00", 30)):
        db.rows(f"insert into muster.recorder_position values ('2026-11-20 {minute}Z', 'c1', {sequence}, '2026-11-20 {minute}Z', '2026-11-20 {minute}Z')")
        if sequence == 20:
            assert db.one("select muster.backup_taken('nightly')") == "20"
    assert db.rows("select kind, sequence from muster.space_bounds()") == \
        [["kept", "10"], ["backup", "20"], ["kept", "20"], ["current", "30"]]
    assert db.one("select muster.backup_taken('the next night')") == "30"
    assert db.rows("select sequence from muster.space_bounds() where kind = 'backup'") == [["30"]]


def a_backup_is_marked_where_the_recorder_stands(world):
    job, stream = accept(world.db, Job()), Stream("created-1")
    stream.record(world.db, [stream.outcome(job)])
    world.db.rows("select muster.backup_taken('x')")
    assert world.db.rows("select created, sequence from muster.backup_mark") == [["created-1", "1"]]
