"""The people and courses that every generated school has: one of each oddity, known by name.

The rest of the school is a crowd (twin/crowd.py); tests and demos point at these.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from twin import making
from twin.calendar import HalfYear, half_year
from twin.cast_people import add_people
from twin.changes import crosslist, merge_users
from twin.records import Account, Course, Enrollment, Section, Term, User
from twin.roles import built_in_role_id, role_id
from twin.school import School


@dataclass(slots=True)
class Cast:
    accounts: dict[str, Account] = field(default_factory=dict)
    terms: dict[str, Term] = field(default_factory=dict)
    people: dict[str, User] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    sections: dict[str, Section] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Access token values of the people who have one."""


def add_cast(school: School) -> Cast:
    """Accounts, terms, people and courses with a role in every test."""
    cast = Cast()
    half = half_year(school.clock.now())
    _add_accounts(school, cast, half)
    _add_terms(school, cast, half)
    cast.people = add_people(school, half)
    _add_courses(school, cast, half)
    _add_admins(school, cast)
    _fill_demo(school, cast)
    _fill_others(school, cast)
    _merge(school, cast)
    return cast


def _add_accounts(school: School, cast: Cast, half: HalfYear) -> None:
    at = half.previous.start_at
    root = making.make_account(school, "Example School", None, created_at=at)
    cast.accounts["root"] = root
    plan: tuple[tuple[str, str, str, str | None, str], ...] = (
        ("engineering", "Engineering", "root", "ENG", "active"),
        ("arts", "Arts & Humanities", "root", "HUM/ARTS+50%", "active"),
        ("computing", "Computer Science", "engineering", "0042", "active"),
        ("manual", "Manually-Created Courses", "root", None, "active"),
        ("closed", "Closed Faculty", "root", "OLD", "deleted"),
    )
    for key, name, parent, sis_id, state in plan:
        cast.accounts[key] = making.make_account(
            school,
            name,
            cast.accounts[parent].id,
            sis_source_id=sis_id,
            sis_batch_id=1 if sis_id else None,
            workflow_state=state,
            created_at=at,
        )


def _add_terms(school: School, cast: Cast, half: HalfYear) -> None:
    at = half.previous.previous.start_at
    cast.terms["default"] = making.make_term(school, "Default Term", created_at=at)
    for key, when in (("past", half.previous), ("current", half), ("future", half.next)):
        month = timedelta(days=30)
        staff = (when.start_at - month, when.end_at + month)
        cast.terms[key] = making.make_term(
            school,
            when.name,
            start_at=when.start_at,
            end_at=when.end_at,
            overrides={"TaEnrollment": staff} if key == "current" else {},
            sis_source_id=when.code,
            sis_batch_id=1,
            created_at=at,
        )
    cast.terms["deleted"] = making.make_term(
        school, "Summer School", workflow_state="deleted", sis_source_id="SUMMER", created_at=at
    )


def _add_courses(school: School, cast: Cast, half: HalfYear) -> None:
    """Courses by key: name, account, term, SIS id, state."""
    plan: tuple[tuple[str, str, str, str, str | None, str], ...] = (
        ("demo", "Computer Science 101", "computing", "current", f"{half.code}-CS/101+A%", ""),
        ("evening", "Computer Science 101 Evening", "computing", "current", "00420", ""),
        ("unpublished", "Compilers", "computing", "current", f"{half.code}-CS400", "claimed"),
        ("bare", "Empty Shell", "manual", "default", None, "created"),
        ("concluded", "Ancient History", "arts", "past", f"{half.previous.code}-H1", "completed"),
        ("past", "Modern History", "arts", "past", f"{half.previous.code}-H2", ""),
        ("future", "Future Studies", "arts", "future", f"{half.next.code}-F1", ""),
        ("open", "Open Lecture", "manual", "default", None, ""),
        ("sealed", "Closed Archive", "arts", "past", f"{half.previous.code}-Z9", ""),
        ("deleted", "Cancelled Course", "arts", "current", f"{half.code}-X9", "deleted"),
    )
    for key, name, account, term, sis_id, state in plan:
        at = half.previous.start_at + timedelta(days=5)
        cast.courses[key] = course = making.make_course(
            school,
            name,
            cast.accounts[account],
            cast.terms[term],
            course_code=name.upper()[:12],
            sis_source_id=sis_id,
            sis_batch_id=1 if sis_id else None,
            workflow_state=state or "available",
            is_public=key == "open",
            restrict_student_past_view=key == "sealed",
            created_at=at,
        )
        cast.sections[key] = making.make_section(
            school,
            course,
            f"{name} A",
            default_section=True,
            sis_source_id=sis_id and f"{sis_id}-A",
            sis_batch_id=course.sis_batch_id,
            created_at=at,
        )


def _add_admins(school: School, cast: Cast) -> None:
    people, accounts = cast.people, cast.accounts
    for key, account, role in (
        ("admin", "root", "AccountAdmin"),
        ("sub_admin", "engineering", "AccountAdmin"),
        ("registrar", "root", "Registrar"),
        ("help_desk", "root", "Help Desk"),
    ):
        at = people[key].created_at
        making.make_admin(
            school, people[key], accounts[account], role_id(school, role), created_at=at
        )


def _fill_demo(school: School, cast: Cast) -> None:
    demo = cast.courses["demo"]
    at = demo.created_at + timedelta(hours=1)
    cast.sections["demo_b"] = making.make_section(
        school,
        demo,
        "Computer Science 101 B",
        sis_source_id="0007/B",
        sis_batch_id=1,
        created_at=at,
    )
    a, b = "demo", "demo_b"
    teacher, student = "TeacherEnrollment", "StudentEnrollment"
    plan: tuple[tuple[str, str, str, str, str], ...] = (
        ("teacher", a, teacher, "active", ""),
        ("limited_teacher", b, teacher, "active", "limited"),
        ("ta", a, "TaEnrollment", "active", ""),
        ("designer", a, "DesignerEnrollment", "active", ""),
        ("grader", b, "TaEnrollment", "active", "Grader"),
        ("student", a, student, "active", ""),
        ("two_sections", a, student, "active", ""),
        ("two_sections", b, student, "active", ""),
        ("two_logins", b, student, "active", ""),
        ("no_email", a, student, "active", ""),
        ("no_sis", a, student, "active", ""),
        ("no_login", a, student, "active", ""),
        ("comma", a, student, "active", ""),
        ("unicode", b, student, "active", ""),
        ("twin_one", a, student, "active", ""),
        ("twin_two", b, student, "active", ""),
        ("pronouned", b, student, "active", ""),
        ("suspended", a, student, "active", ""),
        ("auditor", a, student, "active", "Auditor"),
        ("invited", a, student, "invited", ""),
        ("pending", b, student, "creation_pending", ""),
        ("inactive", a, student, "inactive", ""),
        ("completed", a, student, "completed", ""),
        ("rejected", b, student, "rejected", ""),
        ("dropped", a, student, "deleted", ""),
        ("merged_away", a, student, "active", ""),
        ("loose_observer", a, "ObserverEnrollment", "active", ""),
    )
    for key, place, kind, state, extra in plan:
        enrol(school, cast, key, place, kind, state, extra)
    observer, pupil = cast.people["observer"], cast.people["student"]
    making.make_observation(school, observer, pupil, created_at=at)
    _add_test_student(school, cast)
    section = making.make_section(
        school, cast.courses["evening"], "Evening X", sis_source_id="EVE,X", created_at=at
    )
    cast.sections["crosslisted"] = section
    enrol(school, cast, "survivor", "crosslisted", student, "active", "")
    crosslist(school, section, demo)


def _add_test_student(school: School, cast: Cast) -> None:
    """One artificial user of the course, enrolled in each of its sections."""
    at = cast.courses["demo"].created_at
    fake = making.make_user(school, "Test Student", is_test_student=True, created_at=at)
    cast.people["test_student"] = fake
    for key in ("demo", "demo_b"):
        enrol(school, cast, "test_student", key, "StudentViewEnrollment", "active", "")


def _fill_others(school: School, cast: Cast) -> None:
    teacher, student = "TeacherEnrollment", "StudentEnrollment"
    for key, kind in (("teacher", teacher), ("student", student), ("two_sections", student)):
        for course in ("evening", "past", "future", "open"):
            enrol(school, cast, key, course, kind, "active", "")
        enrol(school, cast, key, "concluded", kind, "completed", "")
        enrol(school, cast, key, "deleted", kind, "deleted", "")
        unpublished = "active" if kind == teacher else "creation_pending"
        enrol(school, cast, key, "unpublished", kind, unpublished, "")
    enrol(school, cast, "two_sections", "sealed", student, "active", "")
    # The same person under the other login's SIS id, as SIS knew them in this course.
    graduate = enrol(school, cast, "two_logins", "evening", student, "active", "")
    alumni_login = school.pseudonyms_of_user.of(graduate.user_id)[-1]
    school.update(graduate, sis_pseudonym_id=alumni_login.id, updated_at=graduate.created_at)


def _merge(school: School, cast: Cast) -> None:
    """`merged_away` leaves its ids behind in the demo course, where `survivor` shows them."""
    enrol(school, cast, "survivor", "open", "StudentEnrollment", "active", "")
    merge_users(school, cast.people["merged_away"], cast.people["survivor"])


def enrol(
    school: School, cast: Cast, person: str, section: str, kind: str, state: str, extra: str
) -> Enrollment:
    place = cast.sections[section]
    at = place.created_at + timedelta(days=1)
    own_role = extra and extra != "limited"
    return making.make_enrollment(
        school,
        cast.people[person],
        place,
        kind,
        role_id(school, extra) if own_role else built_in_role_id(school, kind),
        state,
        limit_privileges_to_course_section=extra == "limited",
        completed_at=at if state == "completed" else None,
        sis_batch_id=1 if place.sis_source_id and state != "rejected" else None,
        created_at=at,
    )
