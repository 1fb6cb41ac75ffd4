# SPDX-License-Identifier: Apache-2.0
"""What a submission is promised: keys, jobs, messages, packs, rejections."""
from calls import Job, accept, array, literal, sha, uuid7


def _claim(db, *claims):
    """claims: (key, job id, body)."""
    return [r[1:] for r in db.rows(
        f"select * from muster.claim_keys({array('text', [c[0] for c in claims])}, {array('uuid', [c[1] for c in claims])}, "
        f"{array('bytea', [sha(c[2]) for c in claims])})")]


def the_same_key_again_is_the_same_job(world):
    first, second = uuid7(), uuid7()
    assert _claim(world.db, ("k", first, "body")) == [[first, "new"]]
    assert _claim(world.db, ("k", second, "body")) == [[first, "duplicate"]]


def the_same_key_with_another_body_is_a_conflict(world):
    first, second = uuid7(), uuid7()
    _claim(world.db, ("k", first, "body"))
    assert _claim(world.db, ("k", second, "other")) == [[first, "conflict"]]


def of_one_key_twice_in_a_call_the_first_wins(world):
    a, b, c = uuid7(), uuid7(), uuid7()
    assert _claim(world.db, ("k", a, "body"), ("k", b, "body"), ("k", c, "else")) == \
        [[a, "new"], [a, "duplicate"], [a, "conflict"]]


def a_claim_waits_for_a_concurrent_one_and_sees_it(world):
    other, first, second = world.session(), uuid7(), uuid7()
    other.rows("begin")
    _claim(other, ("k", first, "body"))
    sql = (f"select job_id, state from muster.claim_keys(array['k'], array['{second}']::uuid[], "
           f"array[{literal(sha('body'))}]::bytea[])")
    world.db.send(sql)
    other.rows("commit")
    assert world.db.answer() == [[first, "duplicate"]]


def an_accepted_job_has_its_bytes_and_its_message(world):
    job = accept(world.db, Job(key="eod"), event=True)
    assert world.db.rows(f"select body, task_digest, n, job_key from muster.job where job_id = '{job.id}'") == \
        [["\\x" + job.body.hex(), "\\x" + job.digest.hex(), "1", "eod"]]
    rows = world.db.rows("select kind, subject, message_id, bytes from muster.outbox_pending(10, 0, '{}') order by kind")
    assert rows[1] == ["task", job.subject(), f"{job.id}:1", "\\x" + job.ride().hex()]
    assert rows[0][0] == "event" and rows[0][1] == "muster.event.job.accepted"


def a_published_message_is_no_longer_pending(world):
    job = accept(world.db, Job(), event=True)
    world.db.rows(f"select muster.outbox_published(array['{job.id}']::uuid[], array[1], 'c1', array[7]::bigint[])")
    assert world.db.rows("select kind from muster.outbox_pending(10, 0, '{}')") == [["event"]]
    world.db.rows("select muster.outbox_event_done(array(select ride_id from muster.outbox where kind = 'event'))")
    assert world.db.rows("select kind from muster.outbox") == [["task"]]


def a_bundle_is_one_message_with_its_members_in_order(world):
    jobs = [Job() for _ in range(5)]
    bundle = uuid7()
    accept(world.db, *jobs, bundle=bundle)
    assert world.db.rows("select ride_id, members from muster.outbox") == \
        [[bundle, "{" + ",".join(j.id for j in jobs) + "}"]]


def the_ride_of_a_task_has_the_bytes_that_c_writes(world):
    job = Job(queue="aml", priority="high")
    got = world.db.one(f"select muster.ride_bytes('{job.id}', 1, false, 'aml', 'high', {literal(job.terms)}::bytea, array[{literal(job.body)}::bytea])")
    assert got == "\\x" + job.ride().hex()
    fresh = job.ride().replace(b'"n":1,', b'"n":2,"fresh":true,')
    assert world.db.one(f"select muster.ride_bytes('{job.id}', 2, true, 'aml', 'high', {literal(job.terms)}::bytea, array[{literal(job.body)}::bytea])") == \
        "\\x" + fresh.hex()


def a_rejection_is_stored_once_per_message(world):
    call = "select muster.reject('intake', 'muster.intake', 'c1', 9, '{}', 'invalid', 'no pack', '/pack', '{{}}'::bytea)"
    first = world.db.one(call.format("2026-11-20T10:00:00Z"))
    assert world.db.one(call.format("2026-11-20T10:00:00Z")) == first
    assert world.db.rows("select code, pointer from muster.rejection") == [["invalid", "/pack"]]
    assert world.db.rows("select subject from muster.outbox") == [["muster.event.job.rejected"]]
    # another message under the same sequence: the stream's store has gone back in between
    assert world.db.one(call.format("2026-11-20T10:00:01Z")) != first
    assert world.db.one("select count(*) from muster.rejection") == "2"


def a_version_of_a_pack_cannot_be_changed(world):
    put = "select muster.pack_put('p', '1.0.0', sha256('{0}'::bytea), '{0}'::bytea, 'test')"
    assert [world.db.one(put.format(x)) for x in ("a", "a", "b")] == ["new", "same", "different"]
    assert world.db.one("select document from muster.packs()") == "\\x61"


def a_pack_that_is_refused_in_its_bucket_is_a_row_an_event_and_a_link(world):
    world.db.rows("select muster.pack_refused('p.1.0.0', '$KV.muster_packs.p.1.0.0', 'invalid', 'no rules', '/rules', 'x')")
    assert world.db.rows("select source, subject, code, message, pointer, body from muster.rejection") == \
        [["packs", "$KV.muster_packs.p.1.0.0", "invalid", "no rules", "/rules", "\\x78"]]
    assert world.db.rows("select subject from muster.outbox") == [["muster.event.operator.pack_refused"]]
    assert world.db.one("select count(*) from muster.audit where action = 'pack refuse'") == "1"
    assert world.db.one("select min(seq) from report.audit_verify()") is None


def a_loose_version_is_the_highest_one_by_numbers(world):
    for version in ("1.2.0", "1.10.0", "1.9.9", "2.0.0", "10.0.0"):
        world.db.rows(f"select muster.pack_put('p', '{version}', sha256('x'), 'x', 'test')")
    resolve = "select version from muster.pack_resolve('p', '{}')"
    assert [world.db.one(resolve.format(v)) for v in ("1", "1.9", "", "2.0.0", "3")] == \
        ["1.10.0", "1.9.9", "10.0.0", "2.0.0", None]
