"""How steps are taken back, and of which it is said beforehand that they cannot be."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.change_paths import Named, Names
from gateway.roster_change import Exactly, Fields, Outcome, steps
from gateway.roster_undo import inverse, objection
from models.roster import EnrollmentState, EnrollmentType
from tests.gateway.test_roster_change import a_key, present, wanted

S, T = EnrollmentState, EnrollmentType
DAY = datetime(2026, 9, 1, tzinfo=UTC)
KNOWN = Named(canvas_id=7, sis_id="S-7")
NAMES = Names(
    people={1: KNOWN}, sections={10: KNOWN, 11: KNOWN}, courses={present(a_key()).course: KNOWN}
)


def test_what_was_done_is_taken_back_to_what_stood() -> None:
    known = Fields(start_at=DAY, end_at=DAY, limited=None)
    old = replace(present(a_key(section=10), S.INVITED), fields=known)
    [move] = steps(
        [wanted(a_key(section=11))],
        [old],
        Exactly(sections=frozenset({10}), types=frozenset({T.STUDENT})),
    )
    back = inverse(move)
    assert [(one.key, one.state) for one in back] == [
        (move.key, S.DELETED),
        (old.key, S.INVITED),
    ]
    assert (back[1].start_at, back[1].end_at, back[1].limited) == (DAY, DAY, False)
    [concluded] = steps([wanted(a_key(), S.COMPLETED)], [present(a_key())])
    assert [one.state for one in inverse(concluded)] == [S.ACTIVE]


@pytest.mark.parametrize(
    ("before", "state", "why"),
    [
        (None, S.ACTIVE, None),
        (S.ACTIVE, S.DELETED, None),
        (S.ACTIVE, S.INACTIVE, None),
        (S.INVITED, S.DELETED, None),
        (S.COMPLETED, S.ACTIVE, None),
        (S.INVITED, S.ACTIVE, "an invitation again"),
        (S.REJECTED, S.ACTIVE, "nobody can be made REJECTED"),
        (S.CREATION_PENDING, S.DELETED, "nobody can be made CREATION_PENDING"),
    ],
)
def test_what_cannot_be_taken_back_is_said(
    before: EnrollmentState | None, state: EnrollmentState, why: str | None
) -> None:
    roster = [] if before is None else [replace(present(a_key(), before), canvas_id=30)]
    [step] = steps([wanted(a_key(), state)], roster)
    assert step.is_change
    said = objection(step, NAMES)
    assert said == why if why is None else why in (said or "")


def test_a_move_is_taken_back_as_a_move_and_what_is_no_change_has_nothing_to_take_back() -> None:
    old = replace(present(a_key(section=10)), canvas_id=30)
    exactly = Exactly(sections=frozenset({10}), types=frozenset({T.STUDENT}))
    [move] = steps([wanted(a_key(section=11))], [old], exactly)
    assert move.outcome is Outcome.MOVE
    assert objection(move, NAMES) is None
    [stays] = steps([wanted(a_key(section=10))], [old])
    assert objection(stays, Names(people={}, sections={}, courses={})) is None


def test_whoever_was_ended_in_a_concluded_course_can_still_be_brought_back() -> None:
    old = replace(present(a_key()), canvas_id=30)
    closed = replace(
        NAMES,
        courses={old.course: replace(KNOWN, concluded=True)},
        people={1: replace(KNOWN, sis_id=None)},
    )
    [goes] = steps([wanted(a_key(), S.DELETED)], [old])
    assert objection(goes, closed) == (
        "Canvas adds nobody to a concluded course; and by a SIS import: the person has no SIS id that is known"
    )
    enrolled = replace(closed, enrolled=frozenset({(old.course, 1)}))
    assert objection(goes, enrolled) is None
