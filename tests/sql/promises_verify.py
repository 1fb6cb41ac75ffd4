# SPDX-License-Identifier: Apache-2.0
"""What muster.audit_verify promises: whoever changes the trail behind its triggers, as only a superuser can, is found,
with what was done. The chain is made anew here, by another hand than the SQL, where a forger would have to."""
import hashlib

from calls import Job, accept

LINKS = 9


def _chain(world):
    for _ in range(LINKS):
        accept(world.db, Job())
    world.db.rows("alter table muster.audit disable trigger all")


def _verify(session, first=1, last=2**62, slice_of=1000):
    """All slices: the faults as (seq, fault), how many links were read, and the last link with its hash."""
    faults, links, at = [], 0, first
    while True:
        rows = session.rows(f"select * from muster.audit_verify({at}, {last}, {slice_of})")
        faults += [(int(r[0]), r[1], r[2]) for r in rows[:-1]]
        assert all(r[3] is None for r in rows[:-1]) and rows[-1][1] is None
        links += int(rows[-1][3])
        if int(rows[-1][3]) < slice_of:
            return faults, links, rows[-1]
        at = int(rows[-1][0]) + 1


def _kinds(world, **how):
    """In any slicing the same: what is found does not hang on where a slice ends."""
    found = _verify(world.db, **how)[0]
    for slice_of in (1, 2, 3, LINKS):
        again = _verify(world.db, slice_of=slice_of, **how)[0]
        assert sorted((s, f) for s, f, _ in again) == sorted((s, f) for s, f, _ in found), (slice_of, again, found)
    return [(seq, fault) for seq, fault, _ in found]


def _row(world, seq):
    body, previous, link = world.db.rows(f"select body, previous, hash from muster.audit where seq = {seq}")[0]
    return body, bytes.fromhex(previous[2:]), bytes.fromhex(link[2:])


def _hash(previous, seq, body):
    return hashlib.sha256(previous + seq.to_bytes(8, "big") + body.encode()).digest()


def _bytes(data):
    return "'\\x" + data.hex() + "'"


def an_untouched_chain_holds_and_ends_with_its_head(world):
    _chain(world)
    faults, links, last = _verify(world.db, slice_of=4)
    assert faults == [] and links == LINKS and last[0] == str(LINKS), (faults, last)
    assert last[4] == world.db.one(f"select hash from muster.audit where seq = {LINKS}")


def an_empty_trail_holds(world):
    assert _verify(world.db) == ([], 0, [None, None, None, "0", None])


def an_altered_link_is_named_and_no_other(world):
    _chain(world)
    world.db.rows("update muster.audit set body = body || ' ' where seq = 5")
    assert _kinds(world) == [(5, "altered")]


def a_link_whose_hash_was_changed_is_named_and_no_other(world):
    _chain(world)
    world.db.rows("update muster.audit set hash = sha256('x') where seq = 5")
    assert _kinds(world) == [(5, "altered")]


def a_link_that_was_rewritten_with_its_hash_is_found_by_the_next(world):
    _chain(world)
    _, previous, _ = _row(world, 5)
    world.db.rows(f"update muster.audit set body = '[]', hash = {_bytes(_hash(previous, 5, '[]'))} where seq = 5")
    assert _kinds(world) == [(5, "inserted")]


def links_that_were_removed_are_named(world):
    _chain(world)
    world.db.rows("delete from muster.audit where seq in (3, 6, 7)")
    assert _verify(world.db)[0] == [(4, "removed", "link 3 is missing"), (8, "removed", "links 6 to 7 are missing")]
    assert _kinds(world) == [(4, "removed"), (8, "removed")]


def a_beginning_that_was_removed_is_found(world):
    _chain(world)
    world.db.rows("delete from muster.audit where seq < 4")
    assert _verify(world.db)[0] == [(4, "removed", "links 1 to 3 are missing")]


def a_link_that_was_inserted_is_named_and_so_are_those_that_it_moved(world):
    _chain(world)
    world.db.rows(f"update muster.audit set seq = seq + 100 where seq > 5")
    world.db.rows(f"update muster.audit set seq = seq - 99 where seq > 100")
    _, _, before = _row(world, 5)
    world.db.rows(f"insert into muster.audit values (6, now(), 'x', 'y', '[]', {_bytes(before)}, {_bytes(_hash(before, 6, '[]'))})")
    faults = _kinds(world)
    assert faults == [(6, "inserted")] + [(s, "reordered") for s in range(7, LINKS + 2)], faults
    assert (7, "reordered", "it is link 6, and stands at 7") in _verify(world.db)[0]


def links_that_changed_places_are_named_with_their_places(world):
    _chain(world)
    for one, other in ((4, 5), (2, 8)):
        world.db.rows("begin")
        world.db.rows(f"update muster.audit set seq = 1000 where seq = {one}")
        world.db.rows(f"update muster.audit set seq = {one} where seq = {other}")
        world.db.rows(f"update muster.audit set seq = {other} where seq = 1000")
        faults = _verify(world.db)[0]
        assert [(s, f) for s, f, _ in faults] == [(one, "reordered"), (other, "reordered")], faults
        assert faults[0][2] == f"it is link {other}, and stands at {one}", faults
        world.db.rows("rollback")


def a_tail_that_was_cut_off_shows_only_in_the_head(world):
    _chain(world)
    head = _verify(world.db)[2][4]
    world.db.rows(f"delete from muster.audit where seq > {LINKS - 2}")
    faults, links, last = _verify(world.db)
    assert faults == [] and links == LINKS - 2 and last[4] != head, "the head that was noted elsewhere tells"


def a_range_is_held_against_the_link_before_it(world):
    _chain(world)
    faults, links, last = _verify(world.db, first=4, last=6)
    assert (faults, links, last[0]) == ([], 3, "6")
    world.db.rows("update muster.audit set body = '[]' where seq = 7")
    assert _kinds(world, first=4, last=6) == [] and _kinds(world, first=7) == [(7, "altered")]
    world.db.rows("delete from muster.audit where seq = 3")
    assert _kinds(world, first=4, last=6) == [(4, "removed")]


def every_fault_of_a_trail_is_told(world):
    _chain(world)
    world.db.rows("update muster.audit set body = '[]' where seq in (2, 6)")
    world.db.rows("delete from muster.audit where seq = 4")
    assert _kinds(world) == [(2, "altered"), (5, "removed"), (6, "altered")]


def an_auditor_verifies_and_others_may_not(world):
    _chain(world)
    for role in ("auditor", "reporter", "recorder"):
        world.db.rows(f"create role {role}2 login in role muster_{role}")
    assert _verify(world.session("auditor2"))[1] == LINKS
    for other in ("reporter2", "recorder2"):
        assert world.session(other).fails("select * from muster.audit_verify(1, 2, 3)") == "42501", other
