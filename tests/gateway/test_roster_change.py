"""What becomes of each row of a change: a table of cases, and promises that hold for every roster and every wish."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.roster_change import (
    Exactly,
    Fields,
    Key,
    Outcome,
    Present,
    Step,
    Wanted,
    steps,
)
from models.roster import ROSTER_STATES, EnrollmentState, EnrollmentType

S = EnrollmentState
T = EnrollmentType
DAY = datetime(2026, 9, 1, tzinfo=UTC)


def a_key(
    person: int = 1,
    section: int = 10,
    of_type: EnrollmentType = T.STUDENT,
    associated: int | None = None,
) -> Key:
    role = f"{of_type.title()}Enrollment"
    return Key(section=section, person=person, type=of_type, role=role, associated=associated)


def present(
    key: Key, state: EnrollmentState = S.ACTIVE, *, row_id: int = 0, pinned: bool = False
) -> Present:
    number = row_id or key.person * 100 + key.section
    return Present(
        id=number, canvas_id=number, course=5, key=key, state=state, fields=Fields(), pinned=pinned
    )


def wanted(key: Key, state: EnrollmentState | None = None, row: int = 1) -> Wanted:
    return Wanted(row=row, course=5, key=key, state=state)


def only(found: list[Step]) -> Step:
    [step] = found
    return step


# what stands, what is wanted, what becomes of it, and in which state the enrollment is then
CASES = {
    "somebody new": (None, None, Outcome.ADD, S.ACTIVE),
    "somebody new, invited": (None, S.INVITED, Outcome.ADD, S.INVITED),
    "somebody new, inactive": (None, S.INACTIVE, Outcome.ADD, S.INACTIVE),
    "who was deleted comes back": (S.DELETED, None, Outcome.ADD, S.ACTIVE),
    "who is not there need not go": (None, S.DELETED, Outcome.NOTHING, S.DELETED),
    "who is deleted need not go": (S.DELETED, S.DELETED, Outcome.NOTHING, S.DELETED),
    "who is on the roster stays": (S.ACTIVE, None, Outcome.NOTHING, S.ACTIVE),
    "an invitation is on the roster": (S.INVITED, None, Outcome.NOTHING, S.INVITED),
    "a pending one is on the roster": (
        S.CREATION_PENDING,
        None,
        Outcome.NOTHING,
        S.CREATION_PENDING,
    ),
    "an ended one is not": (S.COMPLETED, None, Outcome.CHANGE, S.ACTIVE),
    "nor an inactive one": (S.INACTIVE, None, Outcome.CHANGE, S.ACTIVE),
    "nor a rejected one": (S.REJECTED, None, Outcome.CHANGE, S.ACTIVE),
    "an invitation is made active": (S.INVITED, S.ACTIVE, Outcome.CHANGE, S.ACTIVE),
    "concluded": (S.ACTIVE, S.COMPLETED, Outcome.CHANGE, S.COMPLETED),
    "deactivated": (S.ACTIVE, S.INACTIVE, Outcome.CHANGE, S.INACTIVE),
    "deleted": (S.ACTIVE, S.DELETED, Outcome.REMOVE, S.DELETED),
    "a concluded one is deleted": (S.COMPLETED, S.DELETED, Outcome.REMOVE, S.DELETED),
    "never invited again": (S.ACTIVE, S.INVITED, Outcome.REFUSED, S.INVITED),
    "nobody is made pending": (None, S.CREATION_PENDING, Outcome.REFUSED, S.CREATION_PENDING),
    "nobody is made to have refused": (S.INVITED, S.REJECTED, Outcome.REFUSED, S.REJECTED),
}


@pytest.mark.parametrize(("stands", "state", "outcome", "after"), CASES.values(), ids=CASES)
def test_a_row_against_what_stands(
    stands: EnrollmentState | None,
    state: EnrollmentState | None,
    outcome: Outcome,
    after: EnrollmentState,
) -> None:
    roster = [] if stands is None else [present(a_key(), stands)]
    step = only(steps([wanted(a_key(), state)], roster))
    assert (step.outcome, step.state, step.row) == (outcome, after, 1)
    assert step.before == (roster[0] if roster else None)
    assert (step.reason is not None) == (outcome is Outcome.REFUSED)


@pytest.mark.parametrize("state", [S.DELETED, S.INACTIVE, S.COMPLETED])
def test_only_an_end_of_a_roster_enrollment_takes_somebody_away(state: EnrollmentState) -> None:
    assert only(steps([wanted(a_key(), state)], [present(a_key())])).takes_away
    assert not only(steps([wanted(a_key(), state)], [present(a_key(), S.REJECTED)])).takes_away
    assert not only(steps([wanted(a_key(), state)], [])).takes_away
    assert not only(steps([wanted(a_key())], [present(a_key())])).takes_away


def test_dates_and_limits_that_are_not_said_stay() -> None:
    known = Fields(start_at=DAY, end_at=DAY, limited=True)
    stands = replace(present(a_key()), fields=known)
    assert only(steps([wanted(a_key())], [stands])).outcome is Outcome.NOTHING
    said = replace(wanted(a_key()), end_at=None, limited=False)
    step = only(steps([said], [stands]))
    assert step.outcome is Outcome.CHANGE
    assert step.fields == Fields(start_at=DAY, end_at=None, limited=False)
    new = only(steps([replace(wanted(a_key()), start_at=DAY, end_at=DAY)], []))
    assert new.fields == Fields(start_at=DAY, end_at=DAY, limited=None)


def test_the_same_enrollment_twice_is_refused_the_second_time() -> None:
    first, second = steps([wanted(a_key()), wanted(a_key(), S.DELETED, row=2)], [])
    assert (first.outcome, second.outcome) == (Outcome.ADD, Outcome.REFUSED)
    assert second.reason == "an earlier row is about the same enrollment"


def test_a_protected_enrollment_stays_as_it_is() -> None:
    pinned = present(a_key(), pinned=True)
    assert only(steps([wanted(a_key(), S.DELETED)], [pinned])).outcome is Outcome.REFUSED
    assert only(steps([wanted(a_key())], [pinned])).outcome is Outcome.NOTHING
    everybody = Exactly(sections=frozenset({10}), types=frozenset({T.STUDENT}))
    goes = only(steps([], [pinned], everybody))
    assert (goes.outcome, goes.row) == (Outcome.REFUSED, None)


def test_test_students_and_who_observes_whom_are_canvas_s_own() -> None:
    assert only(steps([wanted(a_key(of_type=T.TEST_STUDENT))], [])).outcome is Outcome.REFUSED
    assert only(steps([wanted(a_key(associated=7))], [])).outcome is Outcome.REFUSED
    observer = a_key(of_type=T.OBSERVER, associated=7)
    assert only(steps([wanted(observer)], [])).outcome is Outcome.ADD


def test_of_two_rows_with_one_key_the_living_one_counts() -> None:
    dead, alive = present(a_key(), S.DELETED, row_id=9), present(a_key(), row_id=3)
    for roster in ([dead, alive], [alive, dead]):
        assert only(steps([wanted(a_key())], roster)).before == alive
    newer = replace(dead, id=10)
    assert only(steps([wanted(a_key())], [newer, dead])).before == newer


def test_exactly_these_people() -> None:
    exactly = Exactly(sections=frozenset({10}), types=frozenset({T.STUDENT}), drop=S.INACTIVE)
    roster = [
        present(a_key(1)),
        present(a_key(2)),
        present(a_key(3), S.COMPLETED),
        present(a_key(4, of_type=T.TEACHER)),
        present(a_key(5, section=11)),
        present(a_key(6, of_type=T.OBSERVER, associated=2)),
    ]
    stays, goes = steps([wanted(a_key(1))], roster, exactly)
    assert stays.outcome is Outcome.NOTHING
    assert (goes.row, goes.key.person, goes.outcome, goes.state) == (
        None,
        2,
        Outcome.REMOVE,
        S.INACTIVE,
    )
    assert goes.takes_away


def test_observers_do_not_go_with_a_list_that_does_not_name_them() -> None:
    exactly = Exactly(sections=frozenset({10}), types=frozenset({T.OBSERVER}))
    assert steps([], [present(a_key(of_type=T.OBSERVER, associated=2))], exactly) == []


def test_into_one_section_and_out_of_another_is_a_move() -> None:
    old = present(a_key(section=10))
    rows = [wanted(a_key(section=11)), wanted(a_key(section=10), S.DELETED, row=2)]
    move, said = steps(rows, [old])
    assert (move.outcome, move.leaves, move.takes_away) == (Outcome.MOVE, old, False)
    assert (said.outcome, said.reason) == (Outcome.NOTHING, "row 1 moves it")
    exactly = Exactly(sections=frozenset({10, 11}), types=frozenset({T.STUDENT}))
    move = only(steps([wanted(a_key(section=11))], [old], exactly))
    assert (move.outcome, move.leaves) == (Outcome.MOVE, old)


def test_one_leaves_and_two_come_is_one_move() -> None:
    old = present(a_key(section=10))
    rows = [
        wanted(a_key(section=11)),
        wanted(a_key(section=12), row=2),
        wanted(a_key(section=10), S.DELETED, row=3),
    ]
    assert [step.outcome for step in steps(rows, [old])] == [
        Outcome.MOVE,
        Outcome.ADD,
        Outcome.NOTHING,
    ]


def test_a_row_that_repeats_what_a_move_leaves_is_still_refused() -> None:
    gone = wanted(a_key(section=10), S.DELETED, row=2)
    rows = [wanted(a_key(section=11)), gone, replace(gone, row=3)]
    assert [step.outcome for step in steps(rows, [present(a_key(section=10))])] == [
        Outcome.MOVE,
        Outcome.NOTHING,
        Outcome.REFUSED,
    ]


def test_no_move_between_roles_nor_into_an_end() -> None:
    old = present(a_key(section=10))
    gone = wanted(a_key(section=10), S.DELETED, row=2)
    other_role = wanted(a_key(section=11, of_type=T.TA))
    ended = wanted(a_key(section=11), S.INACTIVE)
    for comes in (other_role, ended):
        assert [step.outcome for step in steps([comes, gone], [old])] == [
            Outcome.ADD,
            Outcome.REMOVE,
        ]


keys = st.builds(
    a_key,
    person=st.integers(1, 4),
    section=st.integers(10, 12),
    of_type=st.sampled_from([T.STUDENT, T.TEACHER]),
)
rosters = st.lists(
    st.builds(present, keys, st.sampled_from(S), pinned=st.booleans()),
    max_size=12,
    unique_by=lambda one: one.key,
)
wishes = st.lists(st.tuples(keys, st.none() | st.sampled_from(S)), max_size=10)
scopes = st.none() | st.builds(
    Exactly,
    sections=st.frozensets(st.integers(10, 12)),
    types=st.frozensets(st.sampled_from([T.STUDENT, T.TEACHER])),
    drop=st.sampled_from([S.DELETED, S.INACTIVE, S.COMPLETED]),
)


def numbered(wishes: list[tuple[Key, EnrollmentState | None]]) -> list[Wanted]:
    return [wanted(key, state, row) for row, (key, state) in enumerate(wishes, 1)]


def carried_out(roster: list[Present], found: list[Step]) -> dict[Key, EnrollmentState]:
    after = {one.key: one.state for one in roster}
    for step in found:
        if step.is_change:
            after[step.key] = step.state
            if step.leaves is not None:
                after[step.leaves.key] = S.DELETED
    return after


@given(rosters, wishes, scopes)
def test_every_row_has_its_one_step_and_no_enrollment_is_changed_twice(
    roster: list[Present], wishes: list[tuple[Key, EnrollmentState | None]], exactly: Exactly | None
) -> None:
    found = steps(numbered(wishes), roster, exactly)
    assert [step.row for step in found if step.row is not None] == list(range(1, len(wishes) + 1))
    touched = [step.key for step in found if step.is_change]
    touched += [step.leaves.key for step in found if step.leaves is not None]
    assert len(touched) == len(set(touched))
    pinned = {one.key for one in roster if one.pinned}
    assert not pinned & set(touched)


@given(rosters, wishes, scopes)
def test_what_is_carried_out_is_what_was_wanted_and_a_second_time_is_nothing(
    roster: list[Present], wishes: list[tuple[Key, EnrollmentState | None]], exactly: Exactly | None
) -> None:
    rows = numbered(wishes)
    found = steps(rows, roster, exactly)
    after = carried_out(roster, found)
    named = {row.key for row in rows}
    refused = {step.key for step in found if step.outcome is Outcome.REFUSED}
    for row in rows:
        if row.key in refused:
            continue
        if row.state is None:
            assert after[row.key] in ROSTER_STATES
        else:
            assert after.get(row.key, S.DELETED) == row.state
    if exactly is not None:
        staying = {
            key
            for key, state in after.items()
            if state in ROSTER_STATES
            and key.section in exactly.sections
            and key.type in exactly.types
        }
        assert staying <= named | refused
    now = [
        Present(id=number, canvas_id=number, course=5, key=key, state=state)
        for number, (key, state) in enumerate(after.items(), 1)
    ]
    again = steps([row for row in rows if row.key not in refused], now)
    assert {step.outcome for step in again} <= {Outcome.NOTHING}


@given(rosters, wishes)
def test_whoever_is_not_named_is_not_touched(
    roster: list[Present], wishes: list[tuple[Key, EnrollmentState | None]]
) -> None:
    rows = numbered(wishes)
    after = carried_out(roster, steps(rows, roster))
    named = {row.key for row in rows}
    assert {one.key: one.state for one in roster if one.key not in named} == {
        key: state for key, state in after.items() if key not in named
    }
