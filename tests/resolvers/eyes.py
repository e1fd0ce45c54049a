"""Viewers of every kind, and by plain Python what each may see of a school: rows, and fields of rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from gateway.judgement import AccountFacts, Answer, CourseFacts, Facts, OwnEnrollment, sight
from gateway.pseudonyms import Pseudonyms
from gateway.sight import Right
from gateway.viewer import PERSONAL, Launched, Rights
from models.roster import CourseState, EnrollmentState, EnrollmentType
from tests.factories import NOW
from tests.resolvers.mixed_school import Facts as Row
from tests.resolvers.mixed_school import MixedSchool

STAFF = ("TEACHER", "TA", "DESIGNER")
LIVING = ("ACTIVE", "INVITED", "CREATION_PENDING")

STUDENT_RIGHTS = {"read", "read_roster"}
DESIGNER_RIGHTS = STUDENT_RIGHTS | {"manage_students", "read_as_admin"}
TA_RIGHTS = DESIGNER_RIGHTS | {
    *(
        "view_all_grades",
        "manage_grades",
        "view_user_logins",
        "read_email_addresses",
        "read_reports",
    )
}
TEACHER_RIGHTS = TA_RIGHTS | {"read_sis"}
ADMIN_RIGHTS = TEACHER_RIGHTS | {"manage_sis", "manage_user_logins", "read_course_list"}

# What shows a field: a right, by Canvas's names; "name" and "picture" come with every roster that Canvas shows.
BY_RIGHT = {
    "email": {"read_email_addresses"},
    "loginId": {"view_user_logins"},
    "sisId": {"read_sis", "manage_sis"},
    "integrationId": {"read_sis", "manage_sis"},
    "state": {"manage_user_logins"},
    "lastActivityAt": {"read_reports"},
}


@dataclass(frozen=True, kw_only=True)
class Eyes:
    """A viewer: the rights that it has by course and by account (None: the whole school), in Canvas's words.

    `cut`: the sections that are all it sees of a course; `observes`: whom it observes in one.
    """

    name: str
    rights: Rights
    person: int | None
    courses: dict[int, set[str]]
    accounts: dict[int | None, set[str]]
    cut: dict[int, set[int]]
    observes: dict[int, set[int]]
    service: bool = False

    # In the order in which the truth is asked: rows first, then fields.

    def in_course(self, mixed: MixedSchool, course: int | None) -> set[str]:
        """What may be done there."""
        rights = set(self.courses.get(course or 0, set()))
        row = mixed.by_id(mixed.courses, course)
        for account, held in self.accounts.items():
            below = row is not None and (
                account is None or account in chain(mixed, row["account_id"])
            )
            if below and course not in self.cut:
                rights |= held
        return rights

    def sees_course(self, mixed: MixedSchool, course: int | None) -> bool:
        if self.service:
            return True
        rights = self.in_course(mixed, course)
        return bool(rights & {"read", "read_roster", "read_course_list"})

    def sees_enrollment(self, mixed: MixedSchool, row: Row, *, as_own: bool = True) -> bool:
        if self.service:
            return True
        rights, course = self.in_course(mixed, row["course_id"]), row["course_id"]
        if as_own and row["person_id"] == self.person and self.sees_course(mixed, course):
            return True
        alive = row["removed_at"] is None
        if row["person_id"] in self.observes.get(course, set()) and alive and rights:
            return True
        if "read_roster" not in rights:
            return False
        if course in self.cut:
            staff = row["type"] in STAFF and row["limit_to_section"] is False
            if row["section_id"] not in self.cut[course] and not staff:
                return False
        if rights & {"read_as_admin", "manage_students"}:
            return True
        return alive and row["state"] in LIVING and row["type"] != "TEST_STUDENT"

    def sees_person(self, mixed: MixedSchool, person: int) -> bool:
        if self.service or person == self.person:
            return True
        if "read_roster" in self.accounts.get(None, set()):
            return True
        return any(
            row["person_id"] == person and self.sees_enrollment(mixed, row)
            for row in mixed.enrollments
        )

    def sees_field(self, mixed: MixedSchool, person: int, field: str) -> bool:
        """Of a person who is seen."""
        if f"User.{field}" in self.rights.hidden:
            return False
        if self.service:
            return True
        if person == self.person and field not in ("sisId", "integrationId"):
            return True
        wanted = BY_RIGHT.get(field, {"names"})
        if "read_roster" in self.accounts.get(None, set()) and self.accounts[None] & wanted:
            return True
        return any(
            row["person_id"] == person
            and self.sees_enrollment(mixed, row, as_own=False)
            and self.in_course(mixed, row["course_id"]) & wanted
            for row in mixed.enrollments
        )


def chain(mixed: MixedSchool, account: int | None) -> Iterable[int]:
    """The account and all above it."""
    while account is not None:
        yield account
        row = mixed.by_id(mixed.accounts, account)
        account = row["parent_id"] if row else None


def viewers(mixed: MixedSchool) -> list[Eyes]:
    """One of each kind, all of one school."""
    courses = [one["id"] for one in mixed.courses if one["removed_at"] is None][:4]
    a, b, c, d = courses
    person = mixed.people[3]["id"]
    return [
        _service(mixed, "service without pii:read"),
        _person(mixed, "teacher", person, answers={a: TEACHER_RIGHTS}),
        _person(mixed, "TA", person, answers={a: TA_RIGHTS}),
        _person(mixed, "designer", person, answers={a: DESIGNER_RIGHTS}),
        _person(mixed, "student", person, answers={a: STUDENT_RIGHTS}),
        _person(mixed, "student who may not", person, answers={a: {"read"}}),
        _person(
            mixed,
            "teacher in one, student in another, shut out of a third",
            person,
            answers={a: TEACHER_RIGHTS, b: STUDENT_RIGHTS, c: set()},
        ),
        _person(mixed, "TA of one section", person, answers={a: TA_RIGHTS}, cut={a}),
        _person(mixed, "student of one section", person, answers={a: STUDENT_RIGHTS}, cut={a}),
        _person(mixed, "observer", person, answers={a: {"read"}}, observes={a}),
        _person(mixed, "somebody whose rights nobody knows", person, answers={}),
        _admin(mixed, "root admin", person, None, ADMIN_RIGHTS),
        _admin(
            mixed, "root admin without SIS rights", person, None, TA_RIGHTS | {"read_course_list"}
        ),
        _admin(mixed, "admin of a sub-account", person, mixed.accounts[1]["id"], ADMIN_RIGHTS),
        _admin(mixed, "root admin in one section", person, None, ADMIN_RIGHTS, cut={a}),
        _launched(
            mixed,
            "launched teacher, privacy public",
            person,
            a,
            "TEACHER",
            ("name", "email", "picture", "sis"),
        ),
        _launched(mixed, "launched teacher, name only", person, d, "TEACHER", ("name",)),
        _launched(mixed, "launched TA, anonymous", person, a, "TA", ()),
        _launched(
            mixed, "launched teacher of one section", person, a, "TEACHER", ("name",), limited=True
        ),
        _launched(mixed, "launched student", person, a, "STUDENT", ("name", "email")),
        _launched(mixed, "visitor without a name", None, a, "TEACHER", ()),
    ]


def _service(mixed: MixedSchool, name: str) -> Eyes:
    return Eyes(
        name=name,
        rights=Rights(hidden=PERSONAL, pseudonyms=Pseudonyms(b"k" * 32)),
        person=None,
        courses={},
        accounts={},
        cut={},
        observes={},
        service=True,
    )


def _person(
    mixed: MixedSchool,
    name: str,
    person: int,
    *,
    answers: dict[int, set[str]],
    accounts: dict[int | None, set[str]] | None = None,
    cut: Iterable[int] = (),
    observes: Iterable[int] = (),
) -> Eyes:
    sections = {course: _some_sections(mixed, course) for course in cut}
    observed = {course: {_somebody(mixed, course, person)} for course in observes}
    facts = Facts(
        person_id=person,
        courses=tuple(
            CourseFacts(
                course_id=course,
                state=CourseState.AVAILABLE,
                answer=_answer(rights, sections.get(course)),
                enrollments=tuple(
                    OwnEnrollment(
                        section_id=None,
                        type=EnrollmentType.OBSERVER,
                        state=EnrollmentState.ACTIVE,
                        limited=False,
                        observed=one,
                    )
                    for one in observed.get(course, ())
                ),
            )
            for course, rights in answers.items()
        ),
        accounts=tuple(
            AccountFacts(
                below=None if account is None else frozenset(_below(mixed, account)),
                answer=_answer(rights, None),
            )
            for account, rights in (accounts or {}).items()
        ),
    )
    held = {one: rights | {"names"} for one, rights in answers.items() if rights}
    return Eyes(
        name=name,
        rights=Rights(sight=sight(facts, None, NOW)),
        person=person,
        courses=held,
        accounts={one: rights | {"names"} for one, rights in (accounts or {}).items()},
        cut=sections,
        observes=observed,
    )


def _admin(
    mixed: MixedSchool,
    name: str,
    person: int,
    account: int | None,
    rights: set[str],
    cut: Iterable[int] = (),
) -> Eyes:
    answers = {course: rights | {"read"} for course in cut}
    return _person(mixed, name, person, answers=answers, accounts={account: rights}, cut=cut)


def _launched(
    mixed: MixedSchool,
    name: str,
    person: int | None,
    course: int,
    kind: str,
    shown: tuple[str, ...],
    *,
    limited: bool = False,
) -> Eyes:
    sections = _some_sections(mixed, course) if limited else None
    launched = Launched(
        session_id=1,
        course_id=course,
        account_canvas_id=None,
        types=frozenset({EnrollmentType(kind)}),
        administrator=False,
        shown=frozenset(shown),
        real_user=None,
        sections=None if sections is None else frozenset(sections),
    )
    facts = Facts(person_id=person, courses=(CourseFacts(course_id=course),))
    rights = {"read"}
    if kind in STAFF:
        words = {"name": "names", "email": "read_email_addresses", "sis": "read_sis"}
        rights |= {"read_roster", "manage_students", *(words[o] for o in shown if o in words)}
    return Eyes(
        name=name,
        rights=Rights(sight=sight(facts, launched, NOW)),
        person=person,
        courses={course: rights},
        accounts={},
        cut={} if sections is None else {course: sections},
        observes={},
    )


def _answer(rights: set[str], sections: set[int] | None) -> Answer:
    return Answer(
        rights=frozenset(Right(one) for one in rights),
        asked_at=NOW - timedelta(minutes=1),
        cut=sections is not None,
        sections=frozenset(sections or ()),
    )


def _some_sections(mixed: MixedSchool, course: int) -> set[int]:
    return {one["id"] for one in mixed.sections if one["course_id"] == course and one["id"] % 2}


def _somebody(mixed: MixedSchool, course: int, but: int) -> int:
    found: int = next(
        row["person_id"]
        for row in mixed.enrollments
        if row["course_id"] == course and row["person_id"] != but
    )
    return found


def _below(mixed: MixedSchool, account: int) -> set[int]:
    return {one["id"] for one in mixed.accounts if account in chain(mixed, one["id"])}


async def with_limits(mixed: MixedSchool, seed: int = 5) -> None:
    """Limits of enrollments, which the mixed school leaves unknown."""
    random = Random(seed)  # noqa: S311  made-up rows, no secrets
    for row in mixed.enrollments:
        row["limit_to_section"] = random.choice([True, False, False, None])
        await mixed.school.update("enrollment", row["id"], limit_to_section=row["limit_to_section"])
