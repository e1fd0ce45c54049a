"""What one person sees: in which courses and accounts, whose rows and which fields there (pure).

Rights have Canvas's names. A field is shown wherever Canvas would show it to that person: of a row that they reach through
a course in which they hold the field's right (fact sheets roster-rest.md §4 and §7.2, enrollments-api.md §2.2 and §3).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from models.roster import ROSTER_STATES


class Right(StrEnum):
    READ = "read"
    READ_ROSTER = "read_roster"
    VIEW_ALL_GRADES = "view_all_grades"
    MANAGE_GRADES = "manage_grades"
    MANAGE_STUDENTS = "manage_students"
    READ_AS_ADMIN = "read_as_admin"
    READ_EMAIL_ADDRESSES = "read_email_addresses"
    READ_SIS = "read_sis"
    MANAGE_SIS = "manage_sis"
    VIEW_USER_LOGINS = "view_user_logins"
    MANAGE_USER_LOGINS = "manage_user_logins"
    READ_REPORTS = "read_reports"
    READ_COURSE_LIST = "read_course_list"
    # Canvas shows these with every roster; a platform that is known through LTI alone lets a privacy level decide.
    NAMES = "names"
    PICTURES = "pictures"


OURS = frozenset({Right.NAMES, Right.PICTURES})
CANVAS_RIGHTS = tuple(right for right in Right if right not in OURS)

# Any of them lists who is in a course; any of the second shows more of it than `read_roster` alone does to a student:
# test students, and people whose enrollment has ended or not begun.
ROSTER = frozenset({Right.READ_ROSTER, Right.VIEW_ALL_GRADES, Right.MANAGE_GRADES})
FULL_ROSTER = frozenset(
    {Right.VIEW_ALL_GRADES, Right.MANAGE_GRADES, Right.MANAGE_STUDENTS, Right.READ_AS_ADMIN}
)
COURSES = frozenset({Right.READ_COURSE_LIST, *ROSTER})  # on an account: its courses

_SIS = frozenset({Right.READ_SIS, Right.MANAGE_SIS})
_LOGINS = frozenset({Right.MANAGE_USER_LOGINS})
_NAMES = ("name", "sortableName", "shortName", "givenName", "familyName", "pronouns")
_SIS_IDS = ("sisId", "integrationId")


class Rule(NamedTuple):
    """Any of `rights` shows the field; `own`: it is shown to the person whom it is of in any case."""

    rights: frozenset[Right]
    own: bool = True


# A field that is not here is shown with its row.
FIELDS: Mapping[str, Rule] = {
    **{f"User.{name}": Rule(frozenset({Right.NAMES})) for name in _NAMES},
    "User.avatarUrl": Rule(frozenset({Right.PICTURES})),
    "User.email": Rule(frozenset({Right.READ_EMAIL_ADDRESSES})),
    "User.loginId": Rule(frozenset({Right.VIEW_USER_LOGINS})),
    **{f"User.{name}": Rule(_SIS, own=False) for name in _SIS_IDS},
    # Of logins: Canvas tells of their states, and of ids that only tools know, to those who manage them.
    **{f"User.{name}": Rule(_LOGINS) for name in ("state", "ltiSub", "lti11UserId")},
    "Enrollment.lastActivityAt": Rule(frozenset({Right.READ_REPORTS})),
    "Enrollment.totalActivityTime": Rule(frozenset({Right.READ_REPORTS})),
    "Enrollment.sisImportId": Rule(frozenset({Right.MANAGE_SIS}), own=False),
    **{
        f"{type_name}.{name}": Rule(_SIS, own=False)
        for type_name in ("Course", "Section")
        for name in _SIS_IDS
    },
    "Account.sisId": Rule(_SIS, own=False),
    "Term.sisId": Rule(_SIS, own=False),
}


class Basis(StrEnum):
    """Who says what somebody may see in a course."""

    CANVAS = "Canvas"
    LAUNCH = "launch"
    NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class CourseSight:
    """`sections`: all that is seen of it where every enrollment of the person's is limited to its section; None: not cut.

    `observed`: whose enrollments an observer sees.
    """

    course_id: int
    rights: frozenset[Right] = frozenset()
    sections: frozenset[int] | None = None
    observed: frozenset[int] = frozenset()
    basis: Basis = Basis.NOBODY

    @property
    def readable(self) -> bool:
        return Right.READ in self.rights or self.roster

    @property
    def roster(self) -> bool:
        return not self.rights.isdisjoint(ROSTER)

    @property
    def full(self) -> bool:
        return self.roster and not self.rights.isdisjoint(FULL_ROSTER)


@dataclass(frozen=True, kw_only=True)
class AccountSight:
    """An account that the person administers. `accounts`: it and all below it; None: the whole institution."""

    accounts: frozenset[int] | None
    rights: frozenset[Right]

    @property
    def roster(self) -> bool:
        return not self.rights.isdisjoint(ROSTER)


class Limit(NamedTuple):
    """That an answer is cut. `nothing`: it says nothing about who or what is missing from it.

    `unknown`: nobody could say what may be seen, so it might be more.
    """

    message: str
    nothing: bool = False
    unknown: bool = False


_UNKNOWN = (
    "Whether Canvas lets you see who is in this course is not known, because it could not be asked:"
    " nobody is shown but yourself."
)
_DENIED = "Canvas does not let you see who is in this course: nobody is shown but yourself."
_OBSERVER = "You see only yourself and whom you observe."
_SECTIONS = "You see only the people of your own sections, and staff of the whole course."
_STATES = "Canvas shows you only people who are active, invited or awaited here."


@dataclass(frozen=True, kw_only=True)
class Sight:
    """All that one person sees. `person_id`: whose own rows are shown; None for somebody who is nobody here."""

    person_id: int | None
    courses: tuple[CourseSight, ...] = ()
    accounts: tuple[AccountSight, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether the whole institution is seen, but for courses in which the person's sections cut it."""
        return any(one.accounts is None and one.roster for one in self.accounts)

    def course(self, course_id: int) -> CourseSight | None:
        return next((one for one in self.courses if one.course_id == course_id), None)

    def for_field(self, name: str) -> "Sight":
        """The part of it through which the field is seen, as in "User.email"."""
        rule = FIELDS.get(name)
        if rule is None:
            return self
        return replace(
            self,
            person_id=self.person_id if rule.own else None,
            courses=tuple(one for one in self.courses if one.rights & rule.rights),
            accounts=tuple(one for one in self.accounts if one.rights & rule.rights),
        )

    @property
    def others(self) -> bool:
        """Whether anybody's rows but the person's own are reached."""
        return bool(self.courses or self.accounts)

    def limit(self, subject: str, course_id: int | None, states: Iterable[str]) -> Limit | None:
        """Why a list of `subject` may lack rows: the list of one course's, or (None) of all that there are."""
        if course_id is None:
            return self._limit_of_all(subject)
        if subject not in ("Enrollment", "Member"):
            return None
        return self._limit_of_roster(course_id, states)

    def _limit_of_roster(self, course_id: int, states: Iterable[str]) -> Limit | None:
        one = self.course(course_id)
        if one is None:  # it was reached through an account
            return (
                None
                if any(account.roster for account in self.accounts)
                else Limit(_DENIED, nothing=True)
            )
        if not one.roster:
            if one.observed:
                return Limit(_OBSERVER, nothing=True)
            if one.basis is Basis.CANVAS:
                return Limit(_DENIED, nothing=True)
            return Limit(_UNKNOWN, nothing=True, unknown=True)
        if one.sections is not None:
            return Limit(_SECTIONS)
        if not one.full and not frozenset(states) <= frozenset(ROSTER_STATES):
            return Limit(_STATES)
        return None

    def _limit_of_all(self, subject: str) -> Limit | None:
        if self.everything:
            cut = subject in ("Enrollment", "Member") and any(
                one.sections is not None for one in self.courses
            )
            return Limit(_SECTIONS) if cut else None
        words = {
            "User": "Only people of courses in which you may see who is there are listed.",
            "Course": "Only courses that you may see are listed.",
            "Enrollment": "Only enrollments in courses in which you may see who is there are listed.",
        }
        return Limit(words.get(subject, "Only what you may see is listed."))

    def hides(self, name: str, course_id: int | None) -> bool:
        """Whether some row that is seen (of that course, or at all) may be without the field."""
        part = self.for_field(name)
        if course_id is not None and self.course(course_id) is not None:
            return part.course(course_id) is None
        if course_id is not None:
            return len(part.accounts) < len(self.accounts)
        return len(part.courses) < len(self.courses) or len(part.accounts) < len(self.accounts)
