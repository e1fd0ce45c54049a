"""A school of every kind of row, and what a list of it must be by plain Python over the same rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from models import text
from models.roster import ROSTER_STATES, EnrollmentState, EnrollmentType, IdentityKind
from tests.factories import NOW, School

Facts = dict[str, Any]

NAMES = [
    "Zoë Müller", "ZOE MULLER", "Ångström, Åke", "Öz İpek", "Straße Ⅻ", "O'Neil 100%", "a_b\\c", "Neil, Zoe",
    "Nguyễn Văn A", "李 小龙", "zoe", "Éclair", "e", "Mac\u0301 Donald", "", "Zz\U0001f600",
]  # fmt: skip
ROLES = ["StudentEnrollment", "TeacherEnrollment", "Proctor", "proctor", None]
SEARCHED = [IdentityKind.LOGIN_ID, IdentityKind.EMAIL, IdentityKind.SIS_USER_ID]


@dataclass
class MixedSchool:
    school: School
    courses: list[Facts] = field(default_factory=list)
    sections: list[Facts] = field(default_factory=list)
    people: list[Facts] = field(default_factory=list)
    enrollments: list[Facts] = field(default_factory=list)
    accounts: list[Facts] = field(default_factory=list)
    terms: list[Facts] = field(default_factory=list)

    def by_id(self, rows: Iterable[Facts], row_id: int | None) -> Facts | None:
        return next((row for row in rows if row["id"] == row_id), None)


async def build(school: School, seed: int = 7) -> MixedSchool:
    mixed, random = MixedSchool(school), Random(seed)  # noqa: S311  made-up rows, no secrets
    for number in range(4):
        parent = None if number == 0 else random.choice(mixed.accounts)["id"]
        columns = {"name": f"Account {number}", "parent_id": parent, "sis_id": f"A{number}"}
        mixed.accounts.append({"id": await school.add("account", **columns), **columns})
    for number in range(2):
        columns = {"name": f"Term {number}", "sis_id": f"T{number}"}
        mixed.terms.append({"id": await school.add("term", **columns), **columns})
    for number in range(12):
        mixed.courses.append(await _course(mixed, random, number))
    for number in range(14):
        mixed.sections.append(await _section(mixed, random, number))
    for number in range(40):
        mixed.people.append(await _person(mixed, random, number))
    for number in range(160):
        mixed.enrollments.append(await _enrollment(mixed, random, number))
    return mixed


async def _course(mixed: MixedSchool, random: Random, number: int) -> Facts:
    columns = {
        "name": random.choice(NAMES),
        "course_code": random.choice(["BOT 101", "bot-102", None, "ÄÖ"]),
        "sis_id": random.choice([None, f"C{number}", f"C-{number}"]),
        "integration_id": f"INT{number}",
        "lti_context_id": f"ctx-{number}",
        "state": random.choice(["AVAILABLE", "UNPUBLISHED", "COMPLETED", "DELETED", None]),
        "start_at": _moment(random),
        "account_id": random.choice([None, *(one["id"] for one in mixed.accounts)]),
        "term_id": random.choice([None, *(one["id"] for one in mixed.terms)]),
        "removed_at": random.choice([None, None, None, NOW]),
    }
    course = await mixed.school.course(canvas=400 + number, **columns)
    return {"id": course, "canvas": 400 + number, **columns}


async def _section(mixed: MixedSchool, random: Random, number: int) -> Facts:
    course = random.choice(mixed.courses)["id"]
    columns = {
        "name": random.choice(["A", "b", "B", None, "Ä"]),
        "sis_id": f"S{number}",
        "state": random.choice(["ACTIVE", "ACTIVE", "DELETED"]),
    }
    section = await mixed.school.section(course, canvas=900 + number, **columns)
    return {"id": section, "canvas": 900 + number, "course_id": course, **columns}


async def _person(mixed: MixedSchool, random: Random, number: int) -> Facts:
    columns = {
        "name": random.choice(NAMES),
        "sortable_name": random.choice(NAMES),
        "sis_id": random.choice([None, f"sis{number}", f"SIS{number}"]),
        "login_id": random.choice([None, f"Login{number}", f"zoe{number}"]),
        "email": random.choice([None, f"zoe{number}@Example.edu", "family@example.edu"]),
        "state": random.choice(["ACTIVE", "ACTIVE", "SUSPENDED", "DELETED", None]),
        "merged_into_id": random.choice(
            [None] * 9 + [one["id"] for one in mixed.people if not one["merged_into_id"]][:1]
        ),
        "removed_at": random.choice([None] * 5 + [NOW]),
    }
    aliases = {IdentityKind.LTI13_SUB: f"sub-{number}", IdentityKind.CANVAS_UUID: f"uuid-{number}"}
    person = await mixed.school.person(canvas=2000 + number, aliases=aliases, **columns)
    return {"id": person, "canvas": 2000 + number, "aliases": aliases, **columns}


async def _enrollment(mixed: MixedSchool, random: Random, number: int) -> Facts:
    section = random.choice([None, *mixed.sections])
    course = section["course_id"] if section else random.choice(mixed.courses)["id"]
    person = random.choice([one for one in mixed.people if not one["merged_into_id"]])["id"]
    columns = {
        "type": random.choice(list(EnrollmentType)).value,
        "role": random.choice(ROLES),
        "state": random.choice([*EnrollmentState, EnrollmentState.ACTIVE]).value,
        "created_at": _moment(random),
        "updated_at": _moment(random),
        "last_activity_at": _moment(random),
        "standing_as_of": NOW - timedelta(days=random.randrange(9)),
        "removed_at": random.choice([None] * 6 + [NOW]),
    }
    section_id = section["id"] if section else None
    canvas = random.choice([None, 90_000 + number])
    enrollment = await mixed.school.enroll(person, section_id, course, canvas=canvas, **columns)
    places = {"person_id": person, "section_id": section_id, "course_id": course}
    return {"id": enrollment, "canvas": canvas, **places, **columns}


def _moment(random: Random) -> Any:
    return random.choice(
        [None, NOW - timedelta(seconds=random.randrange(9), days=random.randrange(4))]
    )


# What must be listed, in plain Python.


def shown_state(row: Facts) -> str | None:
    state: str | None = "DELETED" if row["removed_at"] is not None else row["state"]
    return state


def is_meant(row: Facts, states: Iterable[str] | None, *, tombstone: bool = True) -> bool:
    """`states` None: all but DELETED."""
    removed = row.get("removed_at") is not None
    if states is None:
        return not removed and row["state"] != "DELETED"
    return (not removed and row["state"] in states) or (
        "DELETED" in states and (removed or row["state"] == "DELETED")
    )


def found_by_name(words: str, *names: str | None) -> bool:
    key = text.search_key(*names)
    return all(word in key for word in text.fold(words).split())


def found(person: Facts, search: str) -> bool:
    """As the descriptions of the filters promise."""
    if found_by_name(search, person["name"], person["sortable_name"]):
        return True
    begins = search.strip()
    return any(
        value is not None and kind.comparable(value).startswith(kind.comparable(begins))
        for kind, value in zip(
            SEARCHED, (person["login_id"], person["email"], person["sis_id"]), strict=True
        )
    )


def enrollments_meant(mixed: MixedSchool, rows: Iterable[Facts], asked: Facts) -> list[Facts]:
    states = asked.get("states")
    wanted = [state.value for state in ROSTER_STATES] if states is None else states
    people = {person["id"]: person for person in mixed.people}
    return [
        row
        for row in rows
        if is_meant(row, wanted)
        and (asked.get("types") is None or row["type"] in asked["types"])
        and (asked.get("roles") is None or row["role"] in asked["roles"])
        and (asked.get("sections") is None or row["section_id"] in asked["sections"])
        and (asked.get("users") is None or row["person_id"] in asked["users"])
        and (asked.get("search") is None or found(people[row["person_id"]], asked["search"]))
        and (
            asked.get("updatedSince") is None
            or (row["updated_at"] or row["standing_as_of"]) >= asked["updatedSince"]
        )
    ]


def ordered(
    rows: Iterable[Facts], key: Callable[[Facts], Any] | None, *, descending: bool
) -> list[Facts]:
    """By `key` (what is not known first), then by id."""

    def place(row: Facts) -> Any:
        value = key(row) if key else None
        if isinstance(value, str):
            value = value.encode()
        known = (0, 0) if value is None or value == b"" else (1, value)
        return (known, row["id"])

    return sorted(rows, key=place, reverse=descending)
