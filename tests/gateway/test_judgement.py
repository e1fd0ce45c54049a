"""What is known of a person, judged: one case for each row of the table, and for each way in which knowing ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.judgement import (
    FRESH,
    USABLE,
    AccountFacts,
    Answer,
    CourseFacts,
    Facts,
    OwnEnrollment,
    sight,
)
from gateway.sight import OURS, AccountSight, Basis, CourseSight, Right
from gateway.viewer import Launched
from models.roster import CourseState, EnrollmentState, EnrollmentType

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
COURSE, PERSON = 7, 3
ROSTER = frozenset({Right.READ, Right.READ_ROSTER})

TEACHER, TA, DESIGNER = EnrollmentType.TEACHER, EnrollmentType.TA, EnrollmentType.DESIGNER
STUDENT, OBSERVER = EnrollmentType.STUDENT, EnrollmentType.OBSERVER


def answer(
    *rights: Right, age: timedelta = timedelta(0), sections: frozenset[int] | None = None
) -> Answer:
    return Answer(
        rights=frozenset(rights),
        asked_at=NOON - age,
        cut=sections is not None,
        sections=sections or frozenset(),
    )


def own(
    kind: EnrollmentType,
    state: EnrollmentState = EnrollmentState.ACTIVE,
    *,
    section: int | None = 1,
    limited: bool | None = False,
    observed: int | None = None,
) -> OwnEnrollment:
    return OwnEnrollment(
        section_id=section, type=kind, state=state, limited=limited, observed=observed
    )


def launched(
    *types: EnrollmentType,
    course: int | None = COURSE,
    shown: frozenset[str] = frozenset({"name", "email"}),
    sections: frozenset[int] | None = None,
) -> Launched:
    return Launched(
        session_id=1,
        course_id=course,
        account_canvas_id=None,
        types=frozenset(types),
        administrator=False,
        shown=shown,
        real_user=None,
        sections=sections,
    )


def judged(facts: CourseFacts, by: Launched | None = None) -> CourseSight | None:
    return sight(Facts(person_id=PERSON, courses=(facts,)), by, NOON).course(COURSE)


def facts(*enrollments: OwnEnrollment, **more: Any) -> CourseFacts:
    return CourseFacts(course_id=COURSE, enrollments=enrollments, **more)


def test_nothing_known_is_nothing_seen() -> None:
    assert judged(facts()) is None
    assert sight(Facts(person_id=PERSON), None, NOON).courses == ()


def test_canvas_has_the_last_word() -> None:
    """Over a launch's, over enrollments': also where it says no."""
    told = facts(own(TEACHER), answer=answer(*ROSTER))
    seen = judged(told, launched(TEACHER))

    assert seen is not None
    assert (Basis.CANVAS, ROSTER | OURS) == (seen.basis, seen.rights)
    assert judged(facts(own(TEACHER), member=True, answer=answer()), launched(TEACHER)) is None


@pytest.mark.parametrize("age", [timedelta(0), FRESH, FRESH + timedelta(seconds=1), USABLE])
def test_an_answer_stands_for_a_while(age: timedelta) -> None:
    seen = judged(facts(answer=answer(*ROSTER, age=age)))

    assert seen is not None
    assert seen.roster


def test_an_old_answer_is_none() -> None:
    """What is left is what would be known without it."""
    old = answer(*ROSTER, age=USABLE + timedelta(seconds=1))

    assert judged(facts(answer=old)) is None
    seen = judged(facts(own(STUDENT), answer=old))
    assert seen is not None
    assert (frozenset({Right.READ}), Basis.NOBODY) == (seen.rights, seen.basis)


@pytest.mark.parametrize("kind", [TEACHER, TA, DESIGNER])
def test_a_launched_teacher_sees_the_roster_with_what_privacy_lets_through(
    kind: EnrollmentType,
) -> None:
    seen = judged(facts(), launched(kind, shown=frozenset({"name"})))
    nameless = judged(facts(), launched(kind, shown=frozenset()))

    assert seen is not None
    assert nameless is not None
    assert seen.roster
    assert Basis.LAUNCH is seen.basis
    assert Right.NAMES in seen.rights
    assert not seen.rights & {Right.READ_EMAIL_ADDRESSES, Right.READ_SIS, Right.PICTURES}
    assert nameless.roster
    assert Right.NAMES not in nameless.rights


@pytest.mark.parametrize("kinds", [(STUDENT,), (OBSERVER,), ()])
def test_anybody_else_launched_sees_the_course_alone(kinds: tuple[EnrollmentType, ...]) -> None:
    seen = judged(facts(), launched(*kinds))

    assert seen is not None
    assert (frozenset({Right.READ}), False) == (seen.rights, seen.roster)


def test_a_launch_says_nothing_of_other_courses() -> None:
    assert judged(facts(), launched(TEACHER, course=COURSE + 1)) is None
    seen = judged(facts(own(TEACHER)), launched(TEACHER, course=COURSE + 1))
    assert seen is not None
    assert not seen.roster


@pytest.mark.parametrize(
    ("enrollment", "state", "sees"),
    [
        (own(STUDENT), CourseState.AVAILABLE, True),
        (own(STUDENT), CourseState.UNPUBLISHED, False),
        (own(TEACHER), CourseState.UNPUBLISHED, True),
        (own(TEACHER), CourseState.DELETED, False),
        (own(STUDENT, EnrollmentState.COMPLETED), CourseState.COMPLETED, True),
        (own(STUDENT, EnrollmentState.INVITED), CourseState.AVAILABLE, True),
        (own(STUDENT, EnrollmentState.INACTIVE), CourseState.AVAILABLE, False),
        (own(STUDENT, EnrollmentState.REJECTED), CourseState.AVAILABLE, False),
        (own(STUDENT, EnrollmentState.DELETED), CourseState.AVAILABLE, False),
    ],
)
def test_an_enrollment_lets_in_or_not(
    enrollment: OwnEnrollment, state: CourseState, *, sees: bool
) -> None:
    assert sees == (judged(facts(enrollment, state=state)) is not None)


def test_a_membership_lets_in() -> None:
    seen = judged(facts(member=True))

    assert seen is not None
    assert seen.rights == {Right.READ}


@pytest.mark.parametrize(
    ("enrollments", "sections"),
    [
        ((own(TEACHER, limited=False),), None),
        ((own(TEACHER, limited=True),), frozenset({1})),
        ((own(TEACHER, limited=None),), frozenset({1})),
        ((own(TEACHER, limited=True), own(TA, section=2, limited=False)), None),
        ((own(TEACHER, limited=True), own(TA, section=2, limited=True)), frozenset({1, 2})),
        # Ended ones count, deleted ones do not.
        ((own(TEACHER, EnrollmentState.COMPLETED, limited=True),), frozenset({1})),
        ((own(TEACHER, EnrollmentState.DELETED, limited=True),), None),
        ((own(TEACHER, section=None, limited=True),), frozenset()),
    ],
)
def test_own_limits_cut_what_a_launch_shows(
    enrollments: tuple[OwnEnrollment, ...], sections: frozenset[int] | None
) -> None:
    seen = judged(facts(*enrollments), launched(TEACHER))

    assert seen is not None
    assert sections == seen.sections


@pytest.mark.parametrize("sections", [frozenset(), frozenset({5})])
def test_a_launch_that_tells_of_a_limit_cuts(sections: frozenset[int]) -> None:
    """Also where enrollments are not known, and where an older one says otherwise."""
    by = launched(TEACHER, sections=sections)
    seen, otherwise = judged(facts(), by), judged(facts(own(TEACHER, limited=False)), by)

    assert seen is not None
    assert otherwise is not None
    assert sections == seen.sections == otherwise.sections


def test_canvas_cuts_by_its_own_word() -> None:
    seen = judged(facts(answer=answer(*ROSTER, sections=frozenset({9}))), launched(TEACHER))

    assert seen is not None
    assert frozenset({9}) == seen.sections


def test_an_observer_sees_whom_they_observe_and_a_stranger_nobody() -> None:
    seen = judged(facts(own(OBSERVER, observed=11)))
    over = judged(facts(own(OBSERVER, EnrollmentState.DELETED, observed=11), member=True))
    refused = facts(own(OBSERVER, observed=11), answer=answer())

    assert seen is not None
    assert over is not None
    assert (frozenset({11}), frozenset[int]()) == (seen.observed, over.observed)
    assert judged(refused) is None


@pytest.mark.parametrize(
    ("one", "everything"),
    [
        (AccountFacts(below=None, answer=answer(*ROSTER)), True),
        (AccountFacts(below=frozenset({4}), answer=answer(*ROSTER)), False),
        (AccountFacts(below=None, answer=answer(Right.READ_COURSE_LIST)), False),
    ],
)
def test_accounts_are_seen_by_canvas_answer(one: AccountFacts, *, everything: bool) -> None:
    seen = sight(Facts(person_id=PERSON, accounts=(one,)), None, NOON)

    [account] = seen.accounts
    assert (everything, one.below) == (seen.everything, account.accounts)


@pytest.mark.parametrize(
    "told", [answer(), answer(*ROSTER, age=USABLE + timedelta(seconds=1))], ids=["no", "old"]
)
def test_no_answer_of_an_account_shows_nothing_of_it(told: Answer) -> None:
    """An administrator's launch changes nothing of that."""
    by = replace(launched(course=None), administrator=True, account_canvas_id=1)
    accounts = (AccountFacts(below=None, answer=told),)

    assert sight(Facts(person_id=PERSON, accounts=accounts), by, NOON).accounts == ()


def test_the_whole_schools_account_admin_sees_it_where_canvas_has_not_answered() -> None:
    by = replace(launched(course=None), administrator=True, account_canvas_id=1, root_admin=True)

    def seen(by: Launched, asked: datetime | None) -> tuple[AccountSight, ...]:
        facts = Facts(person_id=PERSON, accounts_asked_at=asked)
        return sight(facts, by, NOON).accounts

    [account] = seen(by, None)
    assert account.accounts is None
    assert account.roster
    assert {Right.NAMES, Right.READ_EMAIL_ADDRESSES} <= account.rights
    assert not account.rights & {Right.READ_SIS, Right.VIEW_USER_LOGINS, Right.MANAGE_SIS}
    assert seen(by, NOON - USABLE - timedelta(seconds=1)) == (account,)
    assert seen(by, NOON) == ()  # Canvas has answered, and names no account
    assert seen(replace(by, root_admin=False), None) == ()
