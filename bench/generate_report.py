"""A school's report as Canvas writes it, of any size and the same for the same seed; `--change` ages it by a term's day.

    python -m bench.generate_report school.zip --courses 40 --users 1500 --enrollments 6000

Headers and oddities are those of canvas-lms: gems/plugins/account_reports/lib/account_reports/sis_exporter.rb:
a row per login, blank SIS ids, custom roles, observers with their students, cross-listed sections, people and courses
whose names hold commas, quotes and all of Unicode.
"""

import argparse
import csv
import io
import random
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

Row = list[str]

HEADERS = {
    "users": "canvas_user_id,user_id,integration_id,authentication_provider_id,login_id,first_name,last_name,full_name,"
    "sortable_name,short_name,email,status,created_by_sis,pronouns,uuid",
    "accounts": "canvas_account_id,account_id,canvas_parent_id,parent_account_id,name,status,created_by_sis",
    "terms": "canvas_term_id,term_id,name,status,start_date,end_date,created_by_sis",
    "courses": "canvas_course_id,course_id,integration_id,short_name,long_name,canvas_account_id,account_id,canvas_term_id,"
    "term_id,status,start_date,end_date,course_format,canvas_blueprint_course_id,blueprint_course_id,created_by_sis",
    "sections": "canvas_section_id,section_id,canvas_course_id,course_id,integration_id,name,status,start_date,end_date,"
    "canvas_account_id,account_id,created_by_sis",
    "enrollments": "canvas_course_id,course_id,canvas_user_id,user_id,role,role_id,canvas_section_id,section_id,status,"
    "canvas_associated_user_id,associated_user_id,created_by_sis,base_role_type,limit_section_privileges,"
    "canvas_enrollment_id",
    "xlist": "canvas_xlist_course_id,xlist_course_id,canvas_section_id,section_id,status,canvas_nonxlist_course_id,"
    "nonxlist_course_id",
    "user_observers": "canvas_observer_id,observer_id,canvas_student_id,student_id,status,created_by_sis",
}
SIS_HEADERS = {
    "users": "user_id,integration_id,authentication_provider_id,login_id,password,first_name,last_name,full_name,"
    "sortable_name,short_name,email,status,pronouns",
    "accounts": "account_id,parent_account_id,name,status",
    "terms": "term_id,name,status,start_date,end_date",
    "courses": "course_id,integration_id,short_name,long_name,account_id,term_id,status,start_date,end_date,"
    "course_format,blueprint_course_id",
    "sections": "section_id,course_id,integration_id,name,status,start_date,end_date",
    "enrollments": "course_id,user_id,role,role_id,section_id,status,associated_user_id,limit_section_privileges",
    "xlist": "xlist_course_id,section_id,status",
    "user_observers": "observer_id,student_id,status",
}
SIS_WORDS = {
    ("courses", "unpublished"): "active",
    ("courses", "concluded"): "completed",
}

GIVEN = (
    "Amara",
    "Ben",
    "Chiara",
    "Dina",
    "Zoë",
    "Łukasz",
    "Nguyễn",
    "Søren",
    "美咲",
    "Олена",
    "Aoife",
    "José",
)
FAMILY = (
    "Okoye",
    "Lind",
    "Rossi",
    "Haddad",
    "Müller",
    "O'Brien",
    "de la Cruz",
    "Ångström",
    "佐藤",
    "Шевченко",
    "Nováková",
)
SUBJECTS = (
    "Biology",
    "Chemistry, Organic",
    "History",
    "Drawing",
    "Économie",
    "Physics",
    'The "Long" Novel',
    "数学",
)

STUDENT = ("student", "3", "StudentEnrollment")
TEACHER = ("teacher", "4", "TeacherEnrollment")
TA = ("ta", "5", "TaEnrollment")
DESIGNER = ("designer", "6", "DesignerEnrollment")
OBSERVER = ("observer", "7", "ObserverEnrollment")
MENTOR = ("Lab Mentor", "27", "TaEnrollment")


@dataclass(frozen=True, kw_only=True)
class School:
    courses: int = 40
    users: int = 1_500
    enrollments: int = 6_000
    seed: int = 1
    big: int = 0  # of the enrollments, so many are in the first course
    change: float = (
        0.0  # share of enrollments that a later day's report shows changed, new or no more
    )

    @property
    def sections(self) -> int:
        return self.courses * 2

    @property
    def staff(self) -> int:
        return max(1, self.users // 20)

    def tables(self) -> Iterator[tuple[str, Iterable[Row]]]:
        yield "users", self._users()
        yield "accounts", self._accounts()
        yield "terms", self._terms()
        yield "courses", self._courses()
        yield "sections", self._sections()
        yield "enrollments", self._enrollments()
        yield "xlist", self._xlist()
        yield "user_observers", self._observers()

    def _chance(self, of_what: str) -> random.Random:
        return random.Random(f"{self.seed} {of_what}")  # noqa: S311  it must be the same each time

    def _users(self) -> Iterator[Row]:
        chance = self._chance("users")
        second_logins: list[Row] = []
        for user in range(self.users):
            given, family = chance.choice(GIVEN), f"{chance.choice(FAMILY)}{user % 997 or ''}"
            name = f"{given} {family}"
            pronouns = chance.choice(("", "", "", "she/her", "he/him", "they/them"))
            email = f"person{user}@school.example" if chance.random() < 0.97 else ""
            status = "suspended" if chance.random() < 0.01 else "active"
            names = [given, family, name, f"{family}, {given}", given, email]
            uuid = f"uuid{self.seed:04d}{user:08d}"
            row = [
                canvas_user(user),
                sis_user(user),
                "",
                "12",
                f"person{user}",
                *names,
                status,
                "true",
                pronouns,
                uuid,
            ]
            if user % 9 == 4:
                row[2] = f"HR-{user}"
            yield row
            if user % 50 == 7:
                login = ["", "", "", f"person{user}@home.example"]
                second_logins.append([row[0], *login, *names, "active", "false", pronouns, uuid])
        yield from second_logins  # far from their first rows: the file promises no order

    def _accounts(self) -> Iterator[Row]:
        yield ["21", "FAC", "1", "", "Faculties", "active", "true"]
        yield ["22", "SCI", "21", "FAC", "Science", "active", "true"]
        yield ["23", "ART", "21", "FAC", "Arts", "active", "true"]
        yield ["24", "", "1", "", "Staff training", "active", "false"]

    def _terms(self) -> Iterator[Row]:
        yield ["1", "", "Default Term", "active", "", "", "false"]
        yield [
            "12",
            "2026F",
            "Fall 2026",
            "active",
            "2026-08-31T00:00:00-06:00",
            "2036-12-18T00:00:00-07:00",
            "true",
        ]

    def _courses(self) -> Iterator[Row]:
        for course in range(self.courses):
            subject = SUBJECTS[course % len(SUBJECTS)]
            status = "unpublished" if course % 10 == 9 else "active"
            account = ["22", "SCI"] if course % 2 else ["23", "ART"]
            sis = sis_course(course)
            row = [
                canvas_course(course),
                sis,
                "",
                f"{subject[:3].upper()}{course}",
                f"{subject} {course}",
            ]
            dates = (
                ["2026-09-01T00:00:00-06:00", "2036-12-18T00:00:00-07:00"]
                if course % 6 == 1
                else ["", ""]
            )
            yield [
                *row,
                *account,
                "12",
                "2026F",
                status,
                *dates,
                "on_campus",
                "",
                "",
                "true" if sis else "false",
            ]

    def _sections(self) -> Iterator[Row]:
        for section in range(self.sections):
            course, sis = self._course_of(section), sis_section(section)
            ids = [canvas_section(section), sis, canvas_course(course), sis_course(course)]
            yield [
                *ids,
                "",
                f"Section {section}",
                "active",
                "",
                "",
                "22",
                "SCI",
                "true" if sis else "false",
            ]

    def _xlist(self) -> Iterator[Row]:
        for section in range(self.sections):
            home, now = section // 2, self._course_of(section)
            if home != now:
                target = [canvas_course(now), sis_course(now)]
                ids = [canvas_section(section), sis_section(section)]
                yield [*target, *ids, "active", canvas_course(home), sis_course(home)]

    def _observers(self) -> Iterator[Row]:
        for parent in range(self.users - self.users // 50, self.users):
            student = parent - self.users // 50
            yield [
                *(canvas_user(parent), sis_user(parent)),
                *(canvas_user(student), sis_user(student)),
                *("active", "true"),
            ]

    def _enrollments(self) -> Iterator[Row]:
        chance, luck, fate = (self._chance(what) for what in ("enrollments", "luck", "fate"))
        members = [0] * self.sections
        weights = [1 + (section * 7919) % 13 for section in range(self.sections)]
        fresh = round(self.enrollments * self.change * 0.3)
        others = self._picks(chance, weights, self.enrollments - self.big + fresh)
        sections = chain((number % 2 for number in range(self.big)), others)
        for number, section in enumerate(sections):
            place = members[section]
            members[section] += 1
            row = self._enrollment(number, section, place, luck.random())
            moved = (
                fate.random() / self.change if self.change and number < self.enrollments else 1.0
            )
            if moved < 0.3:
                continue
            if moved < 0.7:
                row[8] = "inactive" if row[8] != "inactive" else "active"
            yield row

    @staticmethod
    def _picks(chance: random.Random, weights: list[int], count: int) -> Iterator[int]:
        places = range(len(weights))
        for start in range(0, count, 10_000):
            yield from chance.choices(places, weights, k=min(10_000, count - start))

    def _enrollment(self, number: int, section: int, place: int, luck: float) -> Row:
        (role, role_id, base), user, student = self._part(section, place)
        course = self._course_of(section)
        status = (
            "active"
            if luck < 0.9
            else "invited"
            if luck < 0.95
            else "inactive"
            if luck < 0.99
            else "rejected"
        )
        observed = ["", ""] if student is None else [canvas_user(student), sis_user(student)]
        return [
            *(
                canvas_course(course),
                sis_course(course),
                canvas_user(user),
                sis_user(user),
                role,
                role_id,
            ),
            *(canvas_section(section), sis_section(section), status, *observed, "true", base),
            *("true" if base == "TaEnrollment" else "false", str(300_001 + number)),
        ]

    def _part(self, section: int, place: int) -> tuple[tuple[str, str, str], int, int | None]:
        """Role, person and observed student of the section's member number `place`; nobody is there twice in one role."""
        staff = (section * 31 + place) % self.staff
        if place == 0:
            return TEACHER, staff, None
        if place == 1 and section % 3 == 0:
            return TA, staff, None
        if place == 2 and section % 5 == 0:
            return MENTOR, staff, None
        if place == 3 and section % 7 == 0:
            return DESIGNER, staff, None
        if place % 40 == 39:
            return OBSERVER, self._student(section, place), self._student(section, place - 1)
        return STUDENT, self._student(section, place), None

    def _student(self, section: int, place: int) -> int:
        return self.staff + (section * 7907 + place) % (self.users - self.staff)

    def _course_of(self, section: int) -> int:
        """Where the section is now: each 25th was cross-listed into the next course."""
        return (section // 2 + (section % 25 == 24)) % self.courses


def canvas_user(user: int) -> str:
    return str(9_001 + user)


def canvas_course(course: int) -> str:
    return str(501 + course)


def canvas_section(section: int) -> str:
    return str(7_001 + section)


def sis_user(user: int) -> str:
    return "" if user % 33 == 32 else f"U{user:07d}"


def sis_course(course: int) -> str:
    return "" if course % 20 == 19 else f"C{course:06d}-F26"


def sis_section(section: int) -> str:
    return "" if section % 11 == 10 else f"S{section:06d}-F26"


def write_zip(path: Path, school: School, *, sis: bool = False) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, rows in school.tables():
            with archive.open(f"{name}.csv", "w", force_zip64=True) as member:
                _write(io.TextIOWrapper(member, "utf-8", newline=""), name, rows, sis=sis)


def write_csv(path: Path, school: School, name: str, *, sis: bool = False) -> None:
    """One file of the report alone, as Canvas sends it when only one was asked for."""
    with path.open("w", encoding="utf-8", newline="") as file:
        _write(file, name, dict(school.tables())[name], sis=sis)


def _write(file: io.TextIOBase, name: str, rows: Iterable[Row], *, sis: bool) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow((SIS_HEADERS if sis else HEADERS)[name].split(","))
    writer.writerows(_as_sis_export(name, rows) if sis else rows)
    file.flush()


def _as_sis_export(name: str, rows: Iterable[Row]) -> Iterator[Row]:
    """The export's columns, its words, and only the rows that it shows: those with SIS ids."""
    columns = HEADERS[name].split(",")
    for row in rows:
        cells = dict(zip(columns, row, strict=True))
        status = SIS_WORDS.get((name, cells["status"]), cells["status"])
        if _in_sis_export(name, cells):
            yield [
                status if column == "status" else cells.get(column, "")
                for column in SIS_HEADERS[name].split(",")
            ]


def _in_sis_export(name: str, cells: dict[str, str]) -> bool:
    if name == "enrollments":
        return bool(cells["course_id"] or cells["section_id"]) and cells["status"] not in (
            "invited",
            "rejected",
        )
    required = {
        "users": ["user_id"],
        "accounts": ["account_id"],
        "terms": ["term_id"],
        "courses": ["course_id"],
    }
    required |= {
        "sections": ["section_id", "course_id"],
        "xlist": ["section_id", "xlist_course_id"],
    }
    required |= {"user_observers": ["observer_id", "student_id"]}
    return all(cells[column] for column in required[name])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="OUT.zip, or OUT.csv for the enrollments alone")
    parser.add_argument("--courses", type=int, default=School.courses)
    parser.add_argument(
        "--big", type=int, default=School.big, help="enrollments of the first course"
    )
    parser.add_argument("--users", type=int, default=School.users)
    parser.add_argument("--enrollments", type=int, default=None, help="default: four for each user")
    parser.add_argument("--seed", type=int, default=School.seed)
    parser.add_argument(
        "--change", type=float, default=School.change, help="share changed since, e.g. 0.01"
    )
    parser.add_argument(
        "--sis", action="store_true", help="as sis_export_csv, not provisioning_csv"
    )
    given = parser.parse_args()
    school = School(
        courses=given.courses,
        users=given.users,
        enrollments=given.users * 4 if given.enrollments is None else given.enrollments,
        seed=given.seed,
        big=given.big,
        change=given.change,
    )
    if given.out.suffix == ".zip":
        write_zip(given.out, school, sis=given.sis)
    else:
        write_csv(given.out, school, "enrollments", sis=given.sis)


if __name__ == "__main__":
    main()
