"""The crowd around the cast: users, courses and enrollments in any number, from the seed alone.

Built for speed, since half a million rows have to stand within seconds.
"""

import itertools
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from twin import making
from twin.calendar import half_year
from twin.cast import Cast
from twin.changes import crosslist
from twin.names import FAMILY, GIVEN, SUBJECTS
from twin.records import Account, Course, Enrollment, Section, Term, User
from twin.roles import built_in_role_id
from twin.school import SHARD_SIZE, School

STUDENT_STATES = ("active", "invited", "completed", "inactive", "deleted", "rejected")
STUDENT_WEIGHTS = (90, 3, 3, 2, 1, 1)


@dataclass(frozen=True, slots=True)
class Plan:
    """How one course of the crowd is: its term, its state, and what that makes of its people."""

    term: str
    workflow_state: str
    states: tuple[str, ...]
    weights: tuple[int, ...]


RUNNING = Plan("current", "available", STUDENT_STATES, STUDENT_WEIGHTS)
UNPUBLISHED = Plan("current", "claimed", ("creation_pending", "deleted"), (95, 5))
CONCLUDED = Plan("past", "completed", ("completed", "inactive", "deleted"), (94, 3, 3))
OVER = Plan("past", "available", STUDENT_STATES, STUDENT_WEIGHTS)
COMING = Plan("future", "available", ("active", "invited", "deleted"), (90, 8, 2))
PLANS = (*[RUNNING] * 7, CONCLUDED, OVER, RUNNING, UNPUBLISHED, *[RUNNING] * 7, COMING, RUNNING)
"""In turn: most courses run, the others are what a school keeps lying around."""


class Crowd:
    def __init__(self, school: School, cast: Cast) -> None:
        self.school = school
        self.cast = cast
        self.options = school.options
        self.rng = random.Random(self.options.seed)  # noqa: S311  a school, not a secret
        self.half = half_year(school.clock.now())
        self.at = self.half.previous.start_at
        self.staff: list[User] = []
        self.students: list[User] = []
        self.logins: dict[int, int] = {}
        """The login by which SIS knows a user."""
        self.roles = {
            kind: built_in_role_id(school, kind)
            for kind in (
                "StudentEnrollment",
                "TeacherEnrollment",
                "TaEnrollment",
                "DesignerEnrollment",
                "ObserverEnrollment",
            )
        }

    def add(self) -> None:
        self._add_people()
        courses = self._add_courses()
        self._fill_big(courses[0])
        rest = courses[1:]
        for course, size in zip(rest, self._sizes(len(rest)), strict=True):
            self._fill(course, size)
        self._crosslist_some(rest)

    def _add_people(self) -> None:
        visible = sum(
            user.workflow_state != "deleted" and not user.is_test_student
            for user in self.school.users.values()
        )
        wanted = self.options.users - visible
        for number in range(wanted):
            user = self._person(number)
            if number % 100 == 50:
                # A parent of the student before, whom they follow into every course.
                making.make_observation(self.school, user, self.students[-1], created_at=self.at)
            else:
                (self.staff if number % 20 == 0 else self.students).append(user)

    def _person(self, number: int) -> User:
        """One in twelve has no SIS id, one in thirty no e-mail, one in fifty a second login."""
        school, rng = self.school, self.rng
        given, family = rng.choice(GIVEN), rng.choice(FAMILY)
        at = self.at + timedelta(seconds=number)
        user = making.make_user(
            school,
            f"{given} {family}",
            id_base=self._base(number),
            sortable_name=f"{family}, {given}",
            created_at=at,
            last_login=self.half.start_at if number % 3 else None,
        )
        login = f"{given[0]}{family}{number}".lower()
        sis_id = None if number % 12 == 5 else f"{number + 1000:07}"
        batch = 1 if sis_id else None
        first = making.make_login(
            school, user, login, sis_user_id=sis_id, sis_batch_id=batch, created_at=at
        )
        if sis_id:
            self.logins[user.id] = first.id
        if number % 50 == 7:
            making.make_login(
                school, user, f"{login}.alum", sis_user_id=f"A{number}", created_at=at
            )
        if number % 30 != 11:
            # Families share an address now and then.
            address = f"family{number // 400}" if number % 200 == 3 else login
            making.make_email(school, user, f"{address}@school.example.edu", created_at=at)
        return user

    def _base(self, number: int) -> int:
        """What is added to the id of a user who lives on the foreign shard: every tenth does."""
        shard = self.options.foreign_shard
        abroad = shard is not None and self.options.foreign == "users" and number % 10 == 4
        return (shard or 0) * SHARD_SIZE if abroad else 0

    def _add_courses(self) -> list[Course]:
        """As many as wanted beside the cast's; the first one is the big one."""
        shown = sum(course.workflow_state != "deleted" for course in self.school.courses.values())
        return [self._course(number) for number in range(self.options.courses - shown)]

    def _course(self, number: int) -> Course:
        accounts: list[Account] = [
            self.cast.accounts[key] for key in ("engineering", "arts", "computing", "manual")
        ]
        plan = PLANS[number % len(PLANS)]
        term: Term = self.cast.terms[plan.term]
        code = f"{SUBJECTS[number % len(SUBJECTS)][:4].upper()}-{number:04}"
        sis_id = None if number % 9 == 5 else f"{term.sis_source_id}-{code}"
        return making.make_course(
            self.school,
            f"{SUBJECTS[number % len(SUBJECTS)]} {number}" if number else "Everybody's Ethics",
            accounts[number % len(accounts)],
            term,
            course_code=code,
            workflow_state=plan.workflow_state,
            sis_source_id=sis_id,
            sis_batch_id=1 if sis_id else None,
            created_at=self.at + timedelta(days=10, minutes=number),
        )

    def _sections(self, course: Course, count: int) -> list[Section]:
        return [
            making.make_section(
                self.school,
                course,
                f"{course.name} {number + 1}",
                default_section=number == 0,
                sis_source_id=course.sis_source_id and f"{course.sis_source_id}-{number + 1}",
                sis_batch_id=course.sis_batch_id,
                created_at=course.created_at,
            )
            for number in range(count)
        ]

    def _fill_big(self, course: Course) -> None:
        """Exactly `big` rows of the default list: more rows than people go to second sections."""
        big = self.options.big
        teachers = self.staff[: max(1, min(len(self.staff), big // 200))]
        people = self.students[: max(1, min(len(self.students), big))]
        rounds = -(-big // len(people))
        sections = self._sections(course, max(2, rounds, big // 500))
        times = _times_after(course.created_at)
        for number, teacher in enumerate(teachers):
            self._enrol(teacher, sections[number % len(sections)], "TeacherEnrollment", times[0])
        rows = self.school.enrollments_of_course
        for number in itertools.count():
            missing = big - len(rows.of(course.id))
            if missing <= 0:
                return
            person = people[number % len(people)]
            if missing == 1 and self.school.observations_of_student.of(person.id):
                continue  # would bring the parent along
            place = sections[(number + number // len(people)) % len(sections)]
            state = "invited" if number % 40 == 17 else "active"
            self._enrol(person, place, "StudentEnrollment", times[number % len(times)], state)

    def _sizes(self, count: int) -> list[int]:
        """Rows of each course: uneven, and together what the options ask for."""
        made = len(self.school.enrollments)
        wanted = self.options.enrollments or self.options.users * 25 // 3
        weights = [self.rng.lognormvariate(0, 0.7) for _ in range(count)]
        share = max(0, wanted - made) / sum(weights) if count else 0
        cap = len(self.students)
        sizes = [min(cap, int(weight * share)) for weight in weights]
        missing = max(0, wanted - made - sum(sizes))
        for index in itertools.islice(itertools.cycle(range(count)), min(missing, count * cap)):
            sizes[index] = min(cap, sizes[index] + 1)
        return sizes

    def _fill(self, course: Course, size: int) -> None:
        """Staff first, one in four second teachers limited to a section; then students."""
        number = course.id
        plan = self._plan_of(course)
        sections = self._sections(course, 1 + number % 3)
        times = _times_after(course.created_at)
        staff = self.rng.sample(self.staff, min(len(self.staff), 3, size))
        kinds = ("TeacherEnrollment", "TaEnrollment", "DesignerEnrollment")
        ended = "completed" if plan is CONCLUDED else "active"
        for index, person in enumerate(staff):
            limited = index == 1 and number % 4 == 0
            self._enrol(person, sections[-1], kinds[index], times[0], ended, limited=limited)
        students = self.rng.sample(self.students, max(0, size - len(staff)))
        states = self.rng.choices(plan.states, plan.weights, k=len(students))
        for index, (person, state) in enumerate(zip(students, states, strict=True)):
            place = sections[index % len(sections)]
            self._enrol(person, place, "StudentEnrollment", times[index % len(times)], state)

    def _plan_of(self, course: Course) -> Plan:
        term = self.school.terms[course.term_id]
        for plan in PLANS:
            same_term = self.cast.terms[plan.term] is term
            if same_term and plan.workflow_state == course.workflow_state:
                return plan
        return RUNNING

    def _enrol(
        self,
        user: User,
        section: Section,
        kind: str,
        at: datetime,
        state: str = "active",
        *,
        limited: bool = False,
    ) -> Enrollment:
        active = state == "active" and kind == "StudentEnrollment"
        return making.make_enrollment(
            self.school,
            user,
            section,
            kind,
            self.roles[kind],
            state,
            limit_privileges_to_course_section=limited,
            completed_at=at if state == "completed" else None,
            current_score=60.0 + user.id % 40 if active else None,
            final_score=50.0 + user.id % 40 if active else None,
            last_activity_at=at if active else None,
            total_activity_time=user.id % 9000 if active else 0,
            sis_batch_id=section.sis_batch_id,
            sis_pseudonym_id=self.logins.get(user.id) if section.sis_batch_id else None,
            created_at=at,
        )

    def _crosslist_some(self, courses: list[Course]) -> None:
        """Here and there a section of a course has moved to the next one."""
        for origin, target in zip(courses[3::11], courses[4::11], strict=False):
            sections = self.school.sections_of_course.of(origin.id)
            if len(sections) > 1:
                crosslist(self.school, sections[-1], target)


def _times_after(start: datetime) -> list[datetime]:
    """A few times that many rows share, so that they cost memory once."""
    return [start + timedelta(days=1 + day, minutes=day * 7) for day in range(20)]
