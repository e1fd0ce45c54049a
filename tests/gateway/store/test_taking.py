"""Batches into the store: whom they mean, which word wins, what ends, and that all of it happens or nothing."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.batch import UNTOLD, Batch, Enrollment, Membership, Person, Section, Taken
from gateway.identity import Alias
from gateway.merge import Guard, Reading
from gateway.needs import Scope, ScopeKind, Subject
from gateway.store.taking import take
from gateway.uow import Database
from models.roster import (
    ROSTER_STATES,
    EnrollmentState,
    EnrollmentType,
    FieldGroup,
    IdentityKind,
    Source,
)
from tests.factories import NOW, School

SHARD = 10**13
LATER = NOW + timedelta(minutes=10)


class Store:
    """One course with two sections in an institution of its own."""

    def __init__(self, school: School, course: int) -> None:
        self.school = school
        self.database = school.database
        self.course = Scope(kind=ScopeKind.COURSE, id=course)

    @classmethod
    async def open(cls, database: Database) -> "Store":
        school = await School.open(database)
        return cls(school, await school.course(canvas=412))

    def batch(self, *enrollments: Enrollment, at: datetime = NOW, **more: Any) -> Batch:
        people = {row.person: human(int(row.person) - SHARD) for row in enrollments}
        people |= {one.key: one for one in more.pop("people", ())}
        fields: dict[str, Any] = {
            "institution_id": self.school.id,
            "source": Source.ENROLLMENTS_API,
            "reading": Reading.ENROLLMENTS_API,
            "authority": "admin",
            "began_at": at,
            "ended_at": at + timedelta(seconds=1),
            "scope": self.course,
            "subject": Subject.ENROLLMENTS,
            "groups": frozenset(FieldGroup),
            "states": frozenset(ROSTER_STATES),
            "whole": True,
            "full": True,
            "people": tuple(people.values()),
            "enrollments": enrollments,
        }
        return Batch(**(fields | more))

    def members(self, *people: Person, at: datetime = NOW, **more: Any) -> Batch:
        return self.batch(
            at=at,
            people=people,
            source=Source.NRPS,
            reading=Reading.NRPS,
            authority="platform",
            subject=Subject.MEMBERS,
            states=frozenset({EnrollmentState.ACTIVE}),
            groups=frozenset({FieldGroup.NAME}),
            memberships=tuple(
                Membership(person=one.key, types=(EnrollmentType.STUDENT,), roles=("Learner",))
                for one in people
            ),
            **more,
        )

    async def take(self, batch: Batch, **more: Any) -> Taken:
        return await take(self.database, batch, now=batch.ended_at, **more)

    async def rows(self, table: str, where: str = "1 = 1") -> list[dict[str, Any]]:
        return await self.database.rows(
            f"select * from {table} where institution_id = $1 and {where} order by id",
            self.school.id,
        )

    async def live(self, table: str = "membership") -> int:
        return len(await self.rows(table, "ended_at is null"))


@pytest.fixture
async def store(database: Database) -> Store:
    return await Store.open(database)


def human(number: int, *more: Alias, **told: Any) -> Person:
    named = Alias(kind=IdentityKind.CANVAS_GLOBAL_ID, value=str(SHARD + number))
    fields: dict[str, Any] = {
        "name": f"Person {number}",
        "sortable_name": f"{number}, Person",
    } | told
    return Person(
        key=str(SHARD + number),
        canvas_id=SHARD + number,
        aliases=frozenset({named, *more}),
        **fields,
    )


def lti(sub: str, *more: Alias, **told: Any) -> Person:
    named = Alias(kind=IdentityKind.LTI13_SUB, value=sub, scope="platform")
    return Person(key=sub, aliases=frozenset({named, *more}), **({"name": sub} | told))


def sis(value: str) -> Alias:
    return Alias(kind=IdentityKind.SIS_USER_ID, value=value)


def row(number: int, person: int, **more: Any) -> Enrollment:
    fields: dict[str, Any] = {
        "canvas_id": SHARD + number,
        "course": SHARD + 412,
        "section": SHARD + 918,
        "person": str(SHARD + person),
        "type": EnrollmentType.STUDENT,
        "role": "StudentEnrollment",
        "role_id": 3,
        "state": EnrollmentState.ACTIVE,
        "limit_to_section": False,
        "start_at": None,
        "end_at": None,
    }
    return Enrollment(**(fields | more))


async def test_a_batch_makes_what_it_names(store: Store) -> None:
    taken = await store.take(store.batch(row(1, 11), row(2, 12)))

    assert (2, 2) == (len(await store.rows("enrollment")), len(await store.rows("person")))
    [section] = await store.rows("section")
    assert (SHARD + 918, store.course.id) == (section["canvas_id"], section["course_id"])
    assert {str(SHARD + 11), str(SHARD + 12)} == taken.ids.keys()
    [person, _] = await store.rows("person")
    assert ("person 11\n11, person", "11, person") == (person["search_key"], person["sort_key"])


async def test_what_was_not_told_stays_unknown(store: Store) -> None:
    await store.take(store.batch(row(1, 11)))

    [person] = await store.rows("person")
    assert (None, None) == (person["login_source"], person["contact_source"])
    assert SHARD + 11 == person["canvas_id"]
    [enrollment] = await store.rows("enrollment")
    assert (None, "ENROLLMENTS_API") == (
        enrollment["activity_source"],
        enrollment["dates_source"],
    )


async def test_what_is_left_untold_later_is_not_blanked(store: Store) -> None:
    rich = human(11, login_id="zoe", sis_id="S1", email="zoe@example.edu")
    await store.take(store.batch(row(1, 11), people=[rich]))

    await store.take(store.batch(row(1, 11), at=LATER))

    [person] = await store.rows("person")
    assert ("zoe", "S1", "zoe@example.edu") == (
        person["login_id"],
        person["sis_id"],
        person["email"],
    )


async def test_a_poorer_source_fills_and_never_replaces(store: Store) -> None:
    legacy = Alias(kind=IdentityKind.LTI11_USER_ID, value="f5d0")
    await store.take(store.batch(row(1, 11), people=[human(11, legacy)]))

    await store.take(
        store.members(lti("a-sub", legacy, name="zoe!", email="z@example.edu"), at=LATER)
    )

    [person] = await store.rows("person")
    assert ("Person 11", "ENROLLMENTS_API") == (person["name"], person["name_source"])
    assert ("z@example.edu", "NRPS") == (person["email"], person["contact_source"])


async def test_a_richer_source_replaces_a_poorer_one_however_new(store: Store) -> None:
    legacy = Alias(kind=IdentityKind.LTI11_USER_ID, value="f5d0")
    await store.take(store.members(lti("a-sub", legacy, name="zoe!"), at=LATER))

    await store.take(store.batch(row(1, 11), people=[human(11, legacy)], at=NOW))

    [person] = await store.rows("person")
    assert ("Person 11", SHARD + 11) == (person["name"], person["canvas_id"])


async def test_an_older_reading_leaves_a_newer_row_alone(store: Store) -> None:
    await store.take(store.batch(row(1, 11, state=EnrollmentState.COMPLETED), at=LATER))

    taken = await store.take(store.batch(row(1, 11)))

    [enrollment] = await store.rows("enrollment")
    assert ("COMPLETED", 0) == (enrollment["state"], taken.updated)


async def test_only_what_is_proved_gone_ends(store: Store) -> None:
    """A row that is missing was asked for by its id, or nothing is known of it."""
    await store.take(store.batch(row(1, 11), row(2, 12)))

    taken = await store.take(store.batch(row(1, 11), at=LATER, gone=frozenset({SHARD + 2})))

    assert 1 == taken.removed
    [_, gone] = await store.rows("enrollment")
    assert gone["removed_at"] is not None
    taken = await store.take(store.batch(at=LATER + timedelta(minutes=1)))
    assert 0 == taken.removed


@pytest.mark.parametrize(
    ("whole", "full", "removed"), [(True, True, 1), (False, True, 0), (True, False, 0)]
)
async def test_a_row_of_a_sis_export_ends_by_a_whole_list_of_full_rights(
    store: Store, *, whole: bool, full: bool, removed: int
) -> None:
    """It has no Canvas id to be asked for by."""
    person = await store.school.person(sis_id="S9")
    section = await store.school.section(store.course.id)
    await store.school.enroll(person, section, store.course.id, standing_source="SIS_EXPORT")

    taken = await store.take(store.batch(row(1, 11), at=LATER, whole=whole, full=full))

    assert removed == taken.removed


async def test_a_row_of_a_sis_export_is_recognised(store: Store) -> None:
    person = await store.school.person(sis_id="S9")
    section = await store.school.section(store.course.id, canvas=918)
    known = await store.school.enroll(person, section, store.course.id)

    await store.take(store.batch(row(1, 11), people=[human(11, sis("S9"), sis_id="S9")], at=LATER))

    [enrollment] = await store.rows("enrollment")
    assert (known, SHARD + 1, person) == (
        enrollment["id"],
        enrollment["canvas_id"],
        enrollment["person_id"],
    )
    [one] = await store.rows("person")
    assert SHARD + 11 == one["canvas_id"]


async def test_a_sis_id_against_a_canvas_id_makes_two_people(store: Store) -> None:
    """The school has given the number to somebody else: nobody is joined, and the desk hears of it."""
    await store.take(store.batch(row(1, 11), people=[human(11, sis("S1"), sis_id="S1")]))

    taken = await store.take(
        store.batch(row(2, 12), people=[human(12, sis("S1"), sis_id="S1")], at=LATER)
    )

    assert 2 == len(await store.rows("person"))
    assert 1 == taken.conflicts
    [conflict] = await store.rows("identity_conflict")
    assert ("sis_user_id", "S1") == (conflict["kind"], conflict["value"])
    [holder] = await store.rows("identity", "kind = 'sis_user_id' and ended_at is null")
    assert conflict["other_person_id"] == holder["person_id"]


async def test_a_sis_id_that_moves_before_our_eyes_moves(store: Store) -> None:
    """One list shows both ends: who had it has another, so there is nothing to decide."""
    await store.take(store.batch(row(1, 11), people=[human(11, sis("S1"), sis_id="S1")]))

    taken = await store.take(
        store.batch(
            row(1, 11),
            row(2, 12),
            people=[human(11, sis("S2"), sis_id="S2"), human(12, sis("S1"), sis_id="S1")],
            at=LATER,
        )
    )

    assert 0 == taken.conflicts
    aliases = await store.rows("identity", "kind = 'sis_user_id' and ended_at is null")
    assert {"S1": taken.ids[str(SHARD + 12)], "S2": taken.ids[str(SHARD + 11)]} == {
        alias["value"]: alias["person_id"] for alias in aliases
    }


async def test_two_of_one_answer_who_claim_one_number(store: Store) -> None:
    taken = await store.take(
        store.batch(row(1, 11), row(2, 12), people=[human(11, sis("S1")), human(12, sis("S1"))])
    )

    assert (2, 1) == (len(await store.rows("person")), taken.conflicts)
    assert 1 == len(await store.rows("identity", "kind = 'sis_user_id'"))


async def test_a_section_takes_its_rows_to_another_course(store: Store) -> None:
    await store.take(store.batch(row(1, 11)))

    await store.take(store.batch(row(1, 11, course=SHARD + 500), at=LATER))

    [section], [enrollment] = await store.rows("section"), await store.rows("enrollment")
    [other] = await store.rows("course", f"canvas_id = {SHARD + 500}")
    assert (other["id"], other["id"]) == (section["course_id"], enrollment["course_id"])


async def test_a_described_section_keeps_its_name(store: Store) -> None:
    described = Section(canvas_id=SHARD + 918, course=SHARD + 412, name="Group A")
    await store.take(store.batch(row(1, 11), sections=(described,)))
    await store.take(store.batch(row(1, 11), at=LATER))

    [section] = await store.rows("section")
    assert "Group A" == section["name"]


async def test_the_feed_hears_of_a_first_load_once_and_then_of_each_change(store: Store) -> None:
    await store.take(store.batch(row(1, 11), row(2, 12)))
    [baseline] = await store.rows("change")

    await store.take(
        store.batch(row(1, 11, state=EnrollmentState.INVITED), row(2, 12), row(3, 13), at=LATER)
    )

    told = [(change["kind"], change["subject_type"]) for change in (await store.rows("change"))[1:]]
    assert "BASELINE" == baseline["kind"]
    assert [
        ("CREATED", "User"),
        ("CREATED", "Enrollment"),
        ("UPDATED", "Enrollment"),
    ] == sorted(told, key=lambda one: (one[0], one[1] != "User"))
    positions = [change["position"] for change in await store.rows("change")]
    assert list(range(1, len(positions) + 1)) == positions


async def test_what_a_report_hashed_and_a_list_confirms_keeps_its_hash(store: Store) -> None:
    await store.take(store.batch(row(1, 11), row(2, 12)))
    first, second = await store.rows("enrollment")
    for one in (first, second):
        await store.school.update("enrollment", one["id"], row_hash=77)

    await store.take(store.batch(row(1, 11), row(2, 12, state=EnrollmentState.INVITED), at=LATER))

    assert [77, None] == [one["row_hash"] for one in await store.rows("enrollment")]


async def test_nothing_of_a_batch_that_fails_is_kept(store: Store) -> None:
    broken = replace(store.batch(row(1, 11)), people=())

    with pytest.raises(KeyError):
        await store.take(broken)

    for table in ("enrollment", "person", "section", "change", "coverage"):
        assert [] == await store.rows(table), table


@pytest.mark.parametrize(
    ("guard", "held"),
    [
        (Guard(share=0.2, least=25), 0),
        (Guard(share=0.2, least=2), 3),
        (Guard(share=0.9, least=2), 0),
    ],
)
async def test_many_who_would_leave_at_once_are_held(store: Store, guard: Guard, held: int) -> None:
    people = [lti(f"sub-{n}") for n in range(8)]
    await store.take(store.members(*people))

    taken = await store.take(store.members(*people[:5], at=LATER), guard=guard)

    assert (held, not held) == (taken.held, taken.whole)
    assert (8 if held else 5) == await store.live()
    assert (1 if held else 0) == len(await store.rows("sync_run", "state = 'HELD'"))


async def test_a_list_speaks_for_those_alone_whom_it_could_name(store: Store) -> None:
    """People of a report have no `sub` yet: an anonymous list does not deny them."""
    await store.take(store.batch(row(1, 11), row(2, 12)))

    taken = await store.take(store.members(lti("a-sub"), at=LATER))

    assert (0, 1) == (taken.contradicted, await store.live())


async def test_a_list_that_names_by_canvas_ids_contradicts_enrollments(store: Store) -> None:
    """The membership ends for readers; the enrollment stays for a richer read to settle."""
    await store.take(store.batch(row(1, 11), row(2, 12)))
    named = lti("a-sub", Alias(kind=IdentityKind.CANVAS_GLOBAL_ID, value=str(SHARD + 11)))

    taken = await store.take(store.members(named, at=LATER))

    assert 1 == taken.contradicted
    [ended] = await store.rows("membership", "ended_at is not null")
    assert taken.ids["a-sub"] != ended["person_id"]
    assert {"ACTIVE"} == {one["state"] for one in await store.rows("enrollment")}


async def test_untold_is_not_none() -> None:
    assert UNTOLD is human(1).email
    assert human(1, email=None).email is None
