"""Erasure leaves no trace of a person in any table; age takes what it should and nothing else."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tortoise import Model, fields

from gateway.errors import CursorExpired, RosterError
from gateway.feed import Feed
from gateway.forgetting import clean, erase
from gateway.readpath import node_ids
from gateway.readpath.connections import open_connections
from gateway.store import ageing, erasing, institutions
from gateway.store.access_log import Access, Wanted, access_log
from gateway.store.institutions import Institution
from gateway.uow import Database, Transaction
from models import tables
from models.roster import IdentityKind
from tests.factories import NOW, School
from tests.resolvers.conftest import Graph, graph

__all__ = ["graph"]

MARK = "zoe-marks-the-spot"
MODELS = {
    model._meta.db_table: model
    for model in vars(tables).values()
    if isinstance(model, type) and issubclass(model, Model) and model is not Model
}
# Columns that hold a person's id by their very name.
NAMES = {"person_id", "other_person_id", "associated_person_id", "merged_into_id", "actor_id"}
PERSONAL = {
    (table, column)
    for table, model in MODELS.items()
    for column in model._meta.fields_map
    if column in NAMES or column.endswith(("_person_id", "_by_id"))
}


@pytest.fixture
async def school(database: Database) -> School:
    return await School.open(database)


async def institution(school: School) -> Institution:
    found = await institutions.by_slug(school.database, "demo")
    assert found is not None
    return found


def test_every_column_that_names_a_person_is_known_to_erasure() -> None:
    by_person = {*erasing.ABOUT, *erasing.NAMED_IN, ("person", "merged_into_id")}

    assert set() == PERSONAL - by_person
    for table, kind, column, _ in erasing.REFERS:
        assert {kind, column} <= MODELS[table]._meta.fields_map.keys()


async def rows_about(school: School, person: int) -> None:
    """A row in every table that can name the person, with the mark in every text of it."""
    for table, column in sorted(PERSONAL - {("person", "merged_into_id"), ("change", "actor_id")}):
        await _insert(school, table, {column: person})
    for table, kind, column, value in erasing.REFERS:
        await _insert(school, table, {kind: value, column: person})
    place = {"roster_change_id": 1, "place": person}
    step = f'{{"step":{{"key":{{"section":1,"person":{person},"role":"{MARK}"}}}}}}'
    await _insert(school, "roster_change_row", {**place, "step": step})
    await _insert(school, "roster_exchange", place)


async def _insert(school: School, table: str, columns: dict[str, Any]) -> int:
    values: dict[str, Any] = {"institution_id": school.id}
    for name, field in MODELS[table]._meta.fields_map.items():
        if name in ("id", "institution_id"):
            continue
        values[name] = columns.get(name, _filled(table, name, field))
    marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    sql = f"insert into {table} ({', '.join(values)}) values ({marks}) returning id"

    async def work(tx: Transaction) -> int:
        return int((await tx.rows(sql, *values.values()))[0]["id"])

    return await school.database.transact(work)


_count = iter(range(1, 10_000))


def _filled(table: str, name: str, field: Any) -> Any:
    """Something of the column's type; never twice the same, for the sake of unique constraints."""
    if isinstance(field, fields.DatetimeField):
        return NOW
    if isinstance(field, fields.BooleanField):
        return None if field.null else False
    if isinstance(field, fields.FloatField):
        return 0.0
    if isinstance(field, (fields.IntField, fields.BigIntField)):
        return None if name.endswith("_id") and field.null else 900_000 + next(_count)
    return f"{MARK} {next(_count)}"[: getattr(field, "max_length", 100)]


async def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    return {table: await database.rows(f"select * from {table} order by id") for table in MODELS}


async def test_nothing_is_left_of_an_erased_person(school: School) -> None:
    mum = await school.person(name="Mum")
    zoe = await school.person(
        name=MARK, canvas=7, sis_id=MARK, email=f"{MARK}@example.edu", removed_at=NOW
    )
    merged = await school.person(name=MARK, merged_into_id=zoe, removed_at=NOW)
    course = await school.course()
    for person in (zoe, merged):
        await rows_about(school, person)
        enrollment = await school.enroll(person, None, course)
        said = f'[{{"field":"name","value":"{MARK}"}}]'
        await school.change("User", person, before=said, after=said)
        await school.change("Enrollment", enrollment, before=said, after=said)
    await school.change("User", mum, actor_id=zoe, after='[{"field":"name","value":"Mum"}]')
    watched = await school.enroll(mum, None, course, associated_person_id=zoe)
    run = await school.add("sync_run")
    aside = {"sync_run_id": run, "file": "users.csv", "line": 2}
    await _insert(school, "set_aside", {**aside, "reason": f"the SIS id {MARK} belongs to another"})
    await _insert(school, "set_aside", {**aside, "reason": f"the SIS id {MARK}-2 is too long"})

    erased = await erase(
        school.database,
        await institution(school),
        node_ids.encode("User", zoe),
        even_if_listed=False,
        now=NOW,
    )

    assert MARK == erased.name
    assert 2 == erased.gone["person"]
    left = await everything(school.database)
    assert [mum] == [row["id"] for row in left["person"]]
    reasons = [row.pop("reason") for row in left["set_aside"]]
    assert ["the SIS id (erased) belongs to another", f"the SIS id {MARK}-2 is too long"] == reasons
    marked = {
        (table, name)
        for table, found in left.items()
        for row in found
        for name, value in row.items()
        if MARK in str(value)
    }
    # rows that `rows_about` made with the mark where only the name in them is the person's
    others = ("enrollment", "identity_conflict", "intent", "pin", "roster_change")
    assert marked <= {(table, name) for table in others for name in MODELS[table]._meta.fields_map}
    for table, column in PERSONAL:
        assert not {zoe, merged} & {row[column] for row in left[table]}, table
    assert None is next(r for r in left["enrollment"] if r["id"] == watched)["associated_person_id"]


async def test_the_feed_keeps_its_entries_and_tells_nothing_of_the_person(
    school: School, graph: Graph
) -> None:
    zoe = await school.person(name="Zoe", removed_at=NOW)
    await school.change("User", zoe, kind="CREATED", after='[{"field":"name","value":"Zoe"}]')

    await erase(
        school.database,
        await institution(school),
        node_ids.encode("User", zoe),
        even_if_listed=False,
        now=NOW,
    )

    told = await graph.ask(
        "{ changes { nodes { kind subjectId subject { id } before { value } after { value } } } }"
    )
    node = graph.node_id("User", zoe)
    assert [
        {"kind": kind, "subjectId": node, "subject": None, "before": None, "after": None}
        for kind in ("CREATED", "REMOVED")
    ] == told["changes"]["nodes"]


async def test_whom_canvas_still_lists_is_not_erased_by_the_way(school: School) -> None:
    zoe = await school.person(name="Zoe", canvas=7)
    where = await institution(school)

    with pytest.raises(RosterError, match="Canvas still lists Zoe"):
        await erase(school.database, where, "7", even_if_listed=False, now=NOW)
    assert 1 == len(await school.database.rows("select id from person"))

    await erase(school.database, where, "7", even_if_listed=True, now=NOW)
    assert [] == await school.database.rows("select id from person where id = $1", zoe)


@pytest.mark.parametrize("user", ["8", "nonsense", node_ids.encode("Course", 1)])
async def test_nobody_is_erased_by_a_wrong_id(school: School, user: str) -> None:
    await school.person(name="Zoe", canvas=7)

    with pytest.raises(RosterError):
        await erase(school.database, await institution(school), user, even_if_listed=True, now=NOW)
    assert 1 == len(await school.database.rows("select id from person"))


async def test_somebody_of_another_school_is_out_of_reach(school: School) -> None:
    other = await School.open(school.database, slug="other")
    elsewhere = await other.person(name="Elsewhere")

    with pytest.raises(RosterError):
        await erase(
            school.database,
            await institution(school),
            node_ids.encode("User", elsewhere),
            even_if_listed=True,
            now=NOW,
        )
    assert 1 == len(await school.database.rows("select id from person"))


async def test_who_looked_at_an_erased_person_is_forgotten_too(school: School) -> None:
    zoe = await school.person(name="Zoe", removed_at=NOW)
    log = access_log(school.database)
    await log.keep([_access(school, subject=zoe), _access(school, subject=zoe + 1)])

    await erase(
        school.database,
        await institution(school),
        node_ids.encode("User", zoe),
        even_if_listed=False,
        now=NOW,
    )

    assert [zoe + 1] == [one.subject_id for one in await log.find(school.id, Wanted())]


def _access(school: School, *, subject: int, at: datetime = NOW) -> Access:
    return Access(
        institution_id=school.id,
        at=at,
        credential="service",
        credential_id=1,
        person_id=None,
        real_user=None,
        subject_kind="User",
        subject_id=subject,
        people=1,
        shown=("name",),
        request_id=None,
    )


OLD, YOUNG = NOW - timedelta(days=401), NOW - timedelta(days=399)
KEEP = timedelta(days=400)
# A table, and the columns that make a row of it old or young.
AGES: dict[str, tuple[str, dict[str, Any]]] = {
    "sync_run": ("ended_at", {"state": "SUCCEEDED"}),
    "identity": ("ended_at", {"exclusive": None}),
    "identity_conflict": ("resolved_at", {"resolution": "MOVE"}),
    "mutation_answer": ("answered_at", {}),
    "permission_answer": ("asked_at", {}),
    "lti_deployment": ("last_seen_at", {"accepted_at": None}),
    "launch_session": ("expires_at", {}),
}


@pytest.mark.parametrize("table", AGES)
async def test_what_is_too_old_goes(school: School, table: str) -> None:
    column, more = AGES[table]
    await _insert(school, table, {**more, column: OLD})
    young = await _insert(school, table, {**more, column: YOUNG})

    gone = await clean(school.database, school.id, KEEP, now=NOW)

    assert {table: 1} == gone
    assert [young] == [row["id"] for row in await school.database.rows(f"select id from {table}")]


KEPT: dict[str, tuple[str, dict[str, Any]]] = {
    "a run that is held": ("sync_run", {"state": "HELD", "ended_at": OLD}),
    "an identifier in use": ("identity", {"ended_at": None, "last_seen_at": OLD}),
    "a merge": ("identity_conflict", {"resolution": "MERGE", "resolved_at": OLD}),
    "what was kept apart": ("identity_conflict", {"resolution": "KEEP", "resolved_at": OLD}),
    "a conflict that waits": (
        "identity_conflict",
        {"resolution": None, "resolved_at": None, "found_at": OLD},
    ),
    "an accepted installation": ("lti_deployment", {"last_seen_at": OLD, "accepted_at": OLD}),
    "a tombstone": ("person", {"removed_at": OLD}),
    "another's Canvas token": ("canvas_token", {"granted_at": OLD}),
}


@pytest.mark.parametrize(("table", "columns"), KEPT.values(), ids=KEPT)
async def test_what_is_in_force_stays(school: School, table: str, columns: dict[str, Any]) -> None:
    await _insert(school, table, columns)

    assert {} == await clean(school.database, school.id, KEEP, now=NOW)


async def test_another_schools_rows_do_not_age_with_ours(school: School) -> None:
    other = await School.open(school.database, slug="other")
    await _insert(other, "mutation_answer", {"answered_at": OLD})
    await other.change("User", 1, at=OLD)

    assert {} == await clean(school.database, school.id, KEEP, now=NOW)


async def test_what_lives_for_minutes_goes_when_it_is_over(school: School) -> None:
    for table in ("session_secret", "oauth_request", "mailed_link", "lti_login", "lti_nonce"):
        columns = {"expires_at": NOW - timedelta(seconds=1)}
        await _insert_anywhere(school, table, columns)
        await _insert_anywhere(school, table, {"expires_at": NOW + timedelta(seconds=1)})

    gone = await clean(school.database, school.id, KEEP, now=NOW)

    assert {
        "session_secret": 1,
        "oauth_request": 1,
        "mailed_link": 1,
        "logins and nonces": 2,
    } == gone


async def _insert_anywhere(school: School, table: str, columns: dict[str, Any]) -> None:
    if "institution_id" in MODELS[table]._meta.fields_map:
        await _insert(school, table, columns)
        return
    values = {
        name: columns.get(name, _filled(table, name, field))
        for name, field in MODELS[table]._meta.fields_map.items()
        if name != "id"
    }
    marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    sql = f"insert into {table} ({', '.join(values)}) values ({marks})"

    async def work(tx: Transaction) -> int:
        return await tx.run(sql, *values.values())

    await school.database.transact(work)


async def test_the_feed_is_cut_and_an_old_cursor_is_told(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ageing, "_AT_ONCE", 2)  # in several steps
    for at in (OLD, OLD, OLD, OLD, OLD, YOUNG, YOUNG):
        await school.change("Course", 1, at=at)

    gone = await clean(school.database, school.id, KEEP, now=NOW)

    assert {"change": 5} == gone
    async with open_connections(school.database.url) as connections:
        feed = Feed(connections)
        await feed.require_kept(school.id, 5)
        for position in (0, 4):
            with pytest.raises(CursorExpired):
                await feed.require_kept(school.id, position)


async def test_whoever_follows_from_too_long_ago_is_told_and_a_new_reader_begins_where_it_begins(
    school: School, graph: Graph
) -> None:
    for at in (OLD, YOUNG):
        await school.change("Course", 1, at=at)
    await clean(school.database, school.id, KEEP, now=NOW)

    first = await graph.ask("{ changes { nodes { cursor } } }")
    code, message = await graph.refusal(
        "query ($after: String) { changes(after: $after) { nodes { cursor } } }",
        {"after": graph.cursor(0)},
    )

    assert [graph.cursor(2)] == [one["cursor"] for one in first["changes"]["nodes"]]
    assert ("CURSOR_EXPIRED", True) == (code, "changeCursor" in message)


async def test_accesses_age(school: School) -> None:
    log = access_log(school.database)
    await log.keep([_access(school, subject=1, at=OLD), _access(school, subject=2, at=YOUNG)])

    assert {"access_record": 1} == await clean(school.database, school.id, KEEP, now=NOW)
    assert [2] == [one.subject_id for one in await log.find(school.id, Wanted())]


async def test_an_ended_login_of_somebody_is_no_alias_any_more(school: School) -> None:
    """The living one beside it stays."""
    zoe = await school.person(sis_id="S-1")
    await school.alias(zoe, IdentityKind.SIS_USER_ID, "S-0", ended_at=OLD)

    assert {"identity": 1} == await clean(school.database, school.id, KEEP, now=NOW)
    rows = await school.database.rows("select value from identity")
    assert ["S-1"] == [row["value"] for row in rows]
