"""What is known of a person, judged: what they may see (pure).

| known of a course                                   | they see there                                   | because                  |
| --------------------------------------------------- | ------------------------------------------------ | ------------------------ |
| Canvas's answer, not too old                        | what it says                                     | it is Canvas's own word  |
| a launch from it as teacher, TA or designer         | the roster, with the fields of the privacy level | the platform hands a tool of this course its roster (NRPS) for them |
| a launch from it as anything else                   | the course and themselves                        | schools switch students' sight of the roster off, and LTI does not tell |
| an enrollment that lets them in, or a membership    | the course and themselves                        | roles can be changed, and nobody was asked |
| nothing of these                                    | nothing                                          | unknown is not shown     |

Whoever's own enrollments in a course are all limited to their sections sees these alone, administrators too; one whose limit
is not known counts as limited. So does whoever a launch says this of, which is all that is known of them by LTI alone.

Accounts are seen by Canvas's answer. Where there is none, as by LTI alone, the account admin of the whole school sees it, with the
fields of the privacy level; nobody else sees an account: LTI's word for an administrator is said of those of any account,
with whatever rights.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.sight import OURS, AccountSight, Basis, CourseSight, Right, Sight
from gateway.viewer import Launched
from models.roster import CourseState, EnrollmentState, EnrollmentType

FRESH = timedelta(minutes=5)  # older answers are asked for again, and stand meanwhile …
USABLE = timedelta(hours=1)  # … for so long

STAFF = frozenset({EnrollmentType.TEACHER, EnrollmentType.TA, EnrollmentType.DESIGNER})
_LETS_IN = frozenset({EnrollmentState.ACTIVE, EnrollmentState.INVITED, EnrollmentState.COMPLETED})
_STAFF_BY_LAUNCH = frozenset({Right.READ, Right.READ_ROSTER, Right.MANAGE_STUDENTS})
_SHOWN: Mapping[str, Right] = {
    "name": Right.NAMES,
    "picture": Right.PICTURES,
    "email": Right.READ_EMAIL_ADDRESSES,
    "sis": Right.READ_SIS,
}


@dataclass(frozen=True, kw_only=True)
class OwnEnrollment:
    """`observed`: whom an observer observes. `limited`: to its section; None: not known."""

    section_id: int | None
    type: EnrollmentType
    state: EnrollmentState
    limited: bool | None
    observed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Canvas's, to what somebody may do in a course or an account. `cut`: to `sections` alone."""

    rights: frozenset[Right]
    asked_at: datetime
    cut: bool = False
    sections: frozenset[int] = frozenset()

    def is_usable(self, now: datetime) -> bool:
        return now - self.asked_at <= USABLE

    def is_fresh(self, now: datetime) -> bool:
        return now - self.asked_at <= FRESH


@dataclass(frozen=True, kw_only=True)
class CourseFacts:
    course_id: int
    canvas_id: int | None = None
    state: CourseState | None = None
    enrollments: tuple[OwnEnrollment, ...] = ()
    member: bool = False
    answer: Answer | None = None


@dataclass(frozen=True, kw_only=True)
class AccountFacts:
    """`below`: the account and all below it; None for the whole institution."""

    below: frozenset[int] | None
    answer: Answer


@dataclass(frozen=True, kw_only=True)
class Facts:
    """`accounts_asked_at`: when Canvas last said which accounts the person administers."""

    person_id: int | None
    courses: tuple[CourseFacts, ...] = ()
    accounts: tuple[AccountFacts, ...] = field(default=())
    accounts_asked_at: datetime | None = None


def sight(facts: Facts, launched: Launched | None, now: datetime) -> Sight:
    courses = (_course(one, launched, now) for one in facts.courses)
    return Sight(
        person_id=facts.person_id,
        courses=tuple(one for one in courses if one.rights or one.observed),
        accounts=tuple(_accounts(facts, launched, now)),
    )


def _accounts(facts: Facts, launched: Launched | None, now: datetime) -> Iterable[AccountSight]:
    for one in facts.accounts:
        if one.answer.is_usable(now) and one.answer.rights:
            yield AccountSight(accounts=one.below, rights=one.answer.rights | OURS)
    asked = facts.accounts_asked_at
    has_answered = asked is not None and now - asked <= USABLE
    if launched is not None and launched.root_admin and not has_answered:
        rights = _STAFF_BY_LAUNCH | {Right.READ_COURSE_LIST} | _shown(launched)
        yield AccountSight(accounts=None, rights=rights)


def _course(facts: CourseFacts, launched: Launched | None, now: datetime) -> CourseSight:
    answer = facts.answer
    if answer is not None and answer.is_usable(now):
        return CourseSight(
            course_id=facts.course_id,
            rights=answer.rights | OURS if answer.rights else frozenset(),
            sections=answer.sections if answer.cut else None,
            observed=_observed(facts.enrollments) if answer.rights else frozenset(),
            basis=Basis.CANVAS,
        )
    rights, basis = frozenset[Right](), Basis.NOBODY
    sections = _own_sections(facts.enrollments)
    if launched is not None and launched.course_id == facts.course_id:
        rights, basis = _by_launch(launched), Basis.LAUNCH
        sections = sections if launched.sections is None else launched.sections
    elif facts.member or any(_lets_in(one, facts.state) for one in facts.enrollments):
        rights = frozenset({Right.READ})
    return CourseSight(
        course_id=facts.course_id,
        rights=rights,
        sections=sections,
        observed=_observed(facts.enrollments) if rights else frozenset(),
        basis=basis,
    )


def _by_launch(launched: Launched) -> frozenset[Right]:
    if launched.types.isdisjoint(STAFF):
        return frozenset({Right.READ})
    return _STAFF_BY_LAUNCH | _shown(launched)


def _shown(launched: Launched) -> frozenset[Right]:
    return frozenset(_SHOWN[word] for word in launched.shown if word in _SHOWN)


def _lets_in(enrollment: OwnEnrollment, course: CourseState | None) -> bool:
    if enrollment.state not in _LETS_IN or course is CourseState.DELETED:
        return False
    return enrollment.type in STAFF or course is not CourseState.UNPUBLISHED


def _own_sections(enrollments: Iterable[OwnEnrollment]) -> frozenset[int] | None:
    """Every enrollment that is not deleted counts, ended ones too (enrollments-api.md §2.2)."""
    own = [one for one in enrollments if one.state is not EnrollmentState.DELETED]
    if not own or any(one.limited is False for one in own):
        return None
    return frozenset(one.section_id for one in own if one.section_id is not None)


def _observed(enrollments: Iterable[OwnEnrollment]) -> frozenset[int]:
    return frozenset(
        one.observed
        for one in enrollments
        if one.type is EnrollmentType.OBSERVER
        and one.observed is not None
        and one.state in _LETS_IN
    )
