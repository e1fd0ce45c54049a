"""Which enrollment a row means, and why it means none."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.readpath.lookups import By
from gateway.roster_change import Key, Present, Wanted
from gateway.store.roster_ground import Seen
from gateway.writes.roster_rows import Found, Miss, Said, meant
from models.roster import EnrollmentState, EnrollmentType

T = EnrollmentType
S = EnrollmentState
ZOE, TWO = By("User", "sisId", "zoe"), By("User", "loginId", "both")
BOTANY, ZOOLOGY = By("Course", "sisId", "botany"), By("Course", "sisId", "zoology")
FIRST, SECOND, GONE = (By("Section", "sisId", name) for name in ("first", "second", "gone"))
LAB = By("Section", "sisId", "lab")


def standing(section: int, state: EnrollmentState = S.ACTIVE) -> Seen:
    key = Key(section=section, person=1, type=T.STUDENT, role="StudentEnrollment")
    present = Present(id=section, canvas_id=section, course=5, key=key, state=state)
    return Seen(present=present, as_of=datetime(2026, 9, 1, tzinfo=UTC))


FOUND = Found(
    ids={ZOE: 1, TWO: None, BOTANY: 5, ZOOLOGY: 6, FIRST: 10, SECOND: 11, LAB: 20, GONE: 99},
    courses={10: 5, 11: 5, 20: 6},
    seen=(),
    types={
        "Grader": frozenset({T.TA}),
        "Helper": frozenset({T.TA, T.TEACHER}),
        "Boss": frozenset(),
    },
)
ROW = Said(row=1, text="as given", user=ZOE, section=FIRST, type=T.STUDENT)


def only(row: Said, *seen: Seen) -> Wanted | Miss:
    [one] = meant([row], replace(FOUND, seen=seen))
    return one


def test_a_section_decides_its_course() -> None:
    one = only(ROW)
    assert isinstance(one, Wanted)
    assert (one.course, one.key.section, one.key.person) == (5, 10, 1)
    assert (one.key.type, one.key.role) == (T.STUDENT, "StudentEnrollment")
    assert only(replace(ROW, course=BOTANY)) == one


ROLES = {
    "a type": ({"type": T.TA}, T.TA, "TaEnrollment"),
    "a built-in role by Canvas's name": (
        {"role": "TeacherEnrollment", "type": None},
        T.TEACHER,
        "TeacherEnrollment",
    ),
    "a built-in role by its word in SIS files": (
        {"role": "designer", "type": None},
        T.DESIGNER,
        "DesignerEnrollment",
    ),
    "a custom role that is in use": ({"role": "Grader", "type": None}, T.TA, "Grader"),
    "a custom role with its type": ({"role": "Helper", "type": T.TA}, T.TA, "Helper"),
}


@pytest.mark.parametrize(("said", "of_type", "role"), ROLES.values(), ids=ROLES)
def test_a_role_knows_its_type(said: dict[str, object], of_type: EnrollmentType, role: str) -> None:
    one = only(replace(ROW, **said))  # type: ignore[arg-type]  # by the names of its fields
    assert isinstance(one, Wanted)
    assert (one.key.type, one.key.role) == (of_type, role)


def test_without_a_section_it_is_where_they_are_or_the_only_one() -> None:
    anywhere = replace(ROW, section=None, course=BOTANY)
    ended = standing(10, S.DELETED)
    for seen, section in (
        ((standing(11),), 11),
        ((ended, standing(11)), 11),
        ((ended,), 10),
    ):
        one = only(anywhere, *seen)
        assert isinstance(one, Wanted)
        assert one.key.section == section
    one = only(replace(anywhere, course=ZOOLOGY))
    assert isinstance(one, Wanted)
    assert one.key.section == 20


MISSES = {
    "nobody": ({"user": By("User", "sisId", "nobody")}, "there is no User with sisId 'nobody'"),
    "two people": ({"user": TWO}, "there is more than one User with loginId 'both'"),
    "no place": ({"section": None}, "it names neither a course nor a section"),
    "a section that is gone": ({"section": GONE}, "the Section with sisId 'gone' is gone"),
    "a section of another course": (
        {"course": ZOOLOGY},
        "is not in the Course with sisId 'zoology'",
    ),
    "which section": ({"section": None, "course": BOTANY}, "has several sections: say which one"),
    "neither type nor role": ({"type": None}, "it says neither a type nor a role"),
    "a role that nobody has": ({"type": None, "role": "Boss"}, "what type the role 'Boss' is of"),
    "a role of two types": ({"type": None, "role": "Helper"}, "what type the role 'Helper' is of"),
    "a role of another type": ({"role": "teacher"}, "the role 'teacher' is not of type STUDENT"),
    "nobody to observe": (
        {"type": T.OBSERVER, "associated": By("User", "sisId", "nobody")},
        "there is no User",
    ),
}


@pytest.mark.parametrize(("said", "reason"), MISSES.values(), ids=MISSES)
def test_why_a_row_means_nothing(said: dict[str, object], reason: str) -> None:
    one = only(replace(ROW, **said))  # type: ignore[arg-type]  # as above
    assert isinstance(one, Miss)
    assert reason in one.reason
    assert (one.row, one.text) == (1, "as given")


def test_two_sections_that_they_are_in_are_not_guessed_between() -> None:
    anywhere = replace(ROW, section=None, course=BOTANY)
    assert isinstance(only(anywhere, standing(10), standing(11)), Miss)
