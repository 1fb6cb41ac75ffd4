# SPDX-License-Identifier: Apache-2.0
"""What the verification of the audit chain promises: whoever changes the trail behind its triggers, as only a superuser
can, is found, with what was done. The chain is made anew here, by another hand than the SQL, where a forger would have
to. What was done to the rows that it names: promises_tampering."""
from calls import Job, accept, link_hash, literal, trail

LINKS = 9


def _chain(world):
    for _ in range(LINKS):
        accept(world.db, Job())
    world.db.rows("set session_replication_role = replica")  # no triggers: what a superuser can do


def _verify(session, first=1, last=2**63 - 1, slice_of=1000):
    """All slices: the faults as (seq, fault), how many links were read, and the last link with its hash."""
    faults, links, at, end = [], 0, first, [None, None, None, "0", None]
    while True:
        rows = session.rows(f"select * from muster.audit_chain({at}, {last}, {slice_of})")
        faults += [(int(r[0]), r[1], r[2]) for r in rows[:-1]]
        assert all(r[3] is None for r in rows[:-1]) and rows[-1][1] is None
        if rows[-1][3] == "0":
            return faults, links, end
        links += int(rows[-1][3])
        end = rows[-1]
        at = int(end[0]) + 1


def _kinds(world, **how):
    """In any slicing the same: what is found does not hang on where a slice ends."""
    found = _verify(world.db, **how)[0]
    for slice_of in (1, 2, 3, LINKS):
        again = _verify(world.db, slice_of=slice_of, **how)[0]
        assert sorted((s, f) for s, f, _ in again) == sorted((s, f) for s, f, _ in found), (slice_of, again, found)
    return [(seq, fault) for seq, fault, _ in found]


def _link(world, seq):
    return trail(world.db, f"seq = {seq}")[0]


def _put(world, link):
    """Writes a link with a hash that holds in itself, as a forger would."""
    stamp = "timestamptz '2000-01-01 00:00:00+00' + {} * interval '1 microsecond'"
    world.db.rows(f"""insert into muster.audit values ({link["seq"]}, {stamp.format(link["at"])}, {stamp.format(link["began_at"])},
        {literal(link["actor"])}, {literal(link["action"])}, {literal(link["reason"])}, {literal(link["body"])},
        {literal(link["packed"])}, {literal(link["previous"])}, {literal(link_hash(link["previous"], link))})""")


def an_untouched_chain_holds_and_ends_with_its_head(world):
    _chain(world)
    faults, links, last = _verify(world.db, slice_of=4)
    assert faults == [] and links == LINKS and last[0] == str(LINKS), (faults, last)
    assert last[4] == world.db.one(f"select hash from muster.audit where seq = {LINKS}")


def an_empty_trail_holds(world):
    assert _verify(world.db) == ([], 0, [None, None, None, "0", None])
    assert world.db.rows("select * from report.audit_verify()") == []


def an_altered_link_is_named_and_no_other(world):
    _chain(world)
    for change in ("body = body || ' '", "packed = packed || 'x'", "packed = ''", "actor = 'nobody'", "action = 'cancel'", "reason = ''", "reason = 'for fun'",
                   "at = at + interval '1 microsecond'", "began_at = began_at - interval '1 year'", "hash = sha256('x')"):
        world.db.rows("begin")
        world.db.rows(f"update muster.audit set {change} where seq = 5")
        assert _kinds(world) == [(5, "altered")], change
        world.db.rows("rollback")


def a_link_that_was_rewritten_with_its_hash_is_found_by_the_next(world):
    _chain(world)
    link = _link(world, 5)
    world.db.rows("delete from muster.audit where seq = 5")
    _put(world, dict(link, body="[1]"))
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
    world.db.rows("update muster.audit set seq = seq + 100 where seq > 5")
    world.db.rows("update muster.audit set seq = seq - 99 where seq > 100")
    before = _link(world, 5)
    _put(world, dict(before, seq=6, at=before["at"] + 1, previous=before["hash"], body="[1]"))
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


def a_tail_that_was_cut_off_is_found_by_what_is_noted_beside_the_trail(world):
    _chain(world)
    head = _verify(world.db)[2][4]
    world.db.rows(f"delete from muster.audit where seq > {LINKS - 2}")
    assert _kinds(world) == [(LINKS, "removed")]
    assert _kinds(world, last=LINKS - 2) == []
    world.db.rows(f"delete from muster.audit_tail where seq > {LINKS - 2}")
    faults, links, last = _verify(world.db)
    assert faults == [] and links == LINKS - 2 and last[4] != head, "a head that was noted outside of the database tells"
    world.db.rows("truncate muster.audit")
    assert _kinds(world) == [(LINKS - 2, "removed")], "nothing is left of it"


def a_last_link_that_was_rewritten_with_its_hash_is_found(world):
    _chain(world)
    link = _link(world, LINKS)
    world.db.rows(f"delete from muster.audit where seq = {LINKS}")
    _put(world, dict(link, body="[1]"))
    assert _kinds(world) == [(LINKS, "altered")]


def links_that_changed_places_with_their_times_are_named_too(world):
    _chain(world)
    one, other = _link(world, 4), _link(world, 7)
    world.db.rows("delete from muster.audit where seq in (4, 7)")
    stamp = "timestamptz '2000-01-01 00:00:00+00' + {} * interval '1 microsecond'"
    for link, place in ((one, other), (other, one)):
        world.db.rows(f"""insert into muster.audit values ({place["seq"]}, {stamp.format(place["at"])}, {stamp.format(link["began_at"])},
            {literal(link["actor"])}, {literal(link["action"])}, null, {literal(link["body"])}, {literal(link["packed"])}, {literal(link["previous"])},
            {literal(link["hash"])})""")
    assert [(s, f) for s, f, _ in _verify(world.db)[0]] == [(4, "reordered"), (7, "reordered")]


def times_of_links_grow_even_if_the_clock_was_set_back(world):
    _chain(world)
    world.db.rows("update muster.audit_tail set at = at + interval '1 hour' where seq = " + str(LINKS))
    accept(world.db, Job())
    assert world.db.one("select max(a.at) - max(t.at) from muster.audit a, (select at from muster.audit_tail where seq = "
                        + str(LINKS) + ") as t") == "00:00:00.000001"


def a_link_that_is_there_twice_is_named(world):
    _chain(world)
    link = _link(world, 5)
    _put(world, dict(link, at=link["at"] + 1))
    assert (5, "inserted") in [(s, f) for s, f, _ in _verify(world.db)[0]]


def a_range_is_held_against_the_link_before_it(world):
    _chain(world)
    faults, links, last = _verify(world.db, first=4, last=6)
    assert (faults, links, last[0]) == ([], 3, "6")
    world.db.rows("update muster.audit set body = '[1]' where seq = 7")
    assert _kinds(world, first=4, last=6) == [] and _kinds(world, first=7) == [(7, "altered")]
    world.db.rows("delete from muster.audit where seq = 3")
    assert _kinds(world, first=4, last=6) == [(4, "removed")]


def every_fault_of_a_trail_is_told(world):
    _chain(world)
    world.db.rows("update muster.audit set body = '[1]' where seq in (2, 6)")
    world.db.rows("delete from muster.audit where seq = 4")
    assert _kinds(world) == [(2, "altered"), (5, "removed"), (6, "altered")]


def an_auditor_verifies_and_others_may_not(world):
    _chain(world)
    for role in ("auditor", "reporter", "recorder"):
        world.db.rows(f"create role {role}2 login in role muster_{role}")
    assert _verify(world.session("auditor2"))[1] == LINKS
    for other in ("reporter2", "recorder2"):
        assert world.session(other).fails("select * from muster.audit_chain(1, 2, 3)") == "42501", other
        assert world.session(other).fails("select * from report.audit_verify()") == "42501", other
    assert world.session("auditor2").rows("select * from report.audit_verify()") == []
