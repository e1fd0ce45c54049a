"""What a viewer may not see changes no answer of theirs: not by a filter, an order, a search, a count, a cursor or an error."""

import json
from random import Random
from typing import Any

import pytest

from models import text
from models.roster import EnrollmentState, EnrollmentType, IdentityKind, UserState
from tests.factories import School
from tests.resolvers import eyes, mixed_school
from tests.resolvers.asking import Asking
from tests.resolvers.conftest import Graph
from tests.resolvers.eyes import Eyes
from tests.resolvers.mixed_school import Facts, MixedSchool

PERSON = "id canvasId name sortableName email loginId sisId state identities { kind value }"
ABOUT = """edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount
    provenance { completeness origins { source rows } gaps { field reason message } }"""
ALIASES = {
    "sis_id": IdentityKind.SIS_USER_ID,
    "login_id": IdentityKind.LOGIN_ID,
    "email": IdentityKind.EMAIL,
}
COLUMNS = {"email": "email", "loginId": "login_id", "sisId": "sis_id", "state": "state"}


@pytest.fixture
async def mixed(school: School) -> MixedSchool:
    made = await mixed_school.build(school)
    await eyes.with_limits(made)
    for subject in ("course", "section", "person", "enrollment"):
        await school.covered(subject)
    return made


class Questions:
    """Questions that look for what is hidden as much as for what is not."""

    def __init__(self, asking: Asking, random: Random) -> None:
        self.asking, self.random = asking, random
        self.mixed = asking.mixed

    def one(self) -> str:
        kinds = [self._users, self._course, self._user, self._courses, self._section, self._nodes]
        return self.random.choice([*kinds, self._users, self._course, self._changes])()

    def _value(self) -> str:
        """Something that is said of somebody, whether it may be seen or not."""
        row = self.random.choice(self.mixed.people)
        said = [row[name] for name in ("name", "sortable_name", "email", "login_id", "sis_id")]
        whole = self.random.choice([one for one in said if one] or ["zoe"])
        return str(whole)[: self.random.choice([2, 4, 100])]

    def _page(self) -> str:
        return f"first: {self.random.choice([1, 2, 5, 5000])}"

    def _users(self) -> str:
        value = json.dumps(self._value())
        chosen = self.random.choice(
            [
                f"search: {value}",
                f"search: {value}",
                f"loginIds: [{value}]",
                f"sisIds: [{value}]",
                f"states: [{self.random.choice(list(UserState))}]",
            ]
        )
        return (
            f"{{ users(filter: {{{chosen}}}, orderBy: {self._order('NAME LOGIN_ID SIS_ID ID')}, {self._page()})"
            f" {{ nodes {{ {PERSON} }} {ABOUT} }} }}"
        )

    def _order(self, fields: str) -> str:
        return f"{{field: {self.random.choice(fields.split())}, direction: {self.random.choice(['ASC', 'DESC'])}}}"

    def _course(self) -> str:
        course = self.random.choice(self.mixed.courses)["canvas"]
        value = json.dumps(self._value())
        chosen = self.random.choice(
            [
                "",
                f"search: {value}",
                f"users: [{{loginId: {value}}}]",
                f"users: [{{sisId: {value}}}]",
                f"types: [{self.random.choice(list(EnrollmentType))}]",
            ]
        )
        states = f"states: [{', '.join(EnrollmentState)}]"
        which = f"filter: {{{states} {chosen}}}"
        order = self._order("USER_NAME TYPE STATE ID LAST_ACTIVITY_AT")
        return f"""{{ course(by: {{canvasId: "{course}"}}) {{ id name sisId
            enrollments({which}, orderBy: {order}, {self._page()}) {{ nodes {{ id type state lastActivityAt user {{ {PERSON} }} }} {ABOUT} }}
            members({which}, {self._page()}) {{ nodes {{ types user {{ {PERSON} }} }} {ABOUT} }}
            enrollmentCounts({which}) {{ totalCount counts {{ type state count section {{ name }} }} }} }} }}"""

    def _user(self) -> str:
        form = self.random.choice(["loginId", "sisId", "canvasId", "ltiSub", "uuid"])
        row = self.random.choice(self.mixed.people)
        value = {
            "loginId": row["login_id"],
            "sisId": row["sis_id"],
            "canvasId": str(row["canvas"]),
            "ltiSub": row["aliases"][IdentityKind.LTI13_SUB],
            "uuid": row["aliases"][IdentityKind.CANVAS_UUID],
        }[form]
        return f"{{ user(by: {{{form}: {json.dumps(value or 'nobody')}}}) {{ {PERSON} }} }}"

    def _courses(self) -> str:
        row = self.random.choice(self.mixed.courses)
        chosen = self.random.choice(
            ["", f"sisIds: [{json.dumps(row['sis_id'] or 'none')}]", 'search: "zo"']
        )
        return (
            f"{{ courses(filter: {{{chosen}}}, orderBy: {self._order('NAME SIS_ID ID')}, {self._page()})"
            f" {{ nodes {{ id name sisId account {{ name sisId }} term {{ name sisId }} sections {{ nodes {{ name }} }} }}"
            f" {ABOUT} }} }}"
        )

    def _section(self) -> str:
        row = self.random.choice(self.mixed.sections)
        return f'{{ section(by: {{sisId: "{row["sis_id"]}"}}) {{ id name course {{ name }} }} }}'

    def _nodes(self) -> str:
        people = self.random.sample(self.mixed.people, 8)
        ids = [self.asking.id("User", one["id"]) for one in people]
        ids += [self.asking.id("Course", one["id"]) for one in self.mixed.courses]
        return f"""{{ nodes(ids: {json.dumps(ids)}) {{ id ... on User {{ {PERSON} enrollments {{ nodes {{ id
            course {{ name }} section {{ name }} }} {ABOUT} }} }} ... on Course {{ name sisId }} }} }}"""

    def _changes(self) -> str:
        return """{ changes(first: 5000) { nodes { kind subjectType subjectId
            before { field value } after { field value } subject { id } } } }"""


class Scrambler:
    """Makes everything that a viewer may not see into something else."""

    def __init__(self, mixed: MixedSchool, viewer: Eyes) -> None:
        self.mixed, self.viewer, self.school = mixed, viewer, mixed.school

    async def scramble(self) -> int:
        """How many rows it changed."""
        changed = 0
        for row in self.mixed.people:
            changed += await self._person(row)
        for row in self.mixed.enrollments:
            if not self.viewer.sees_enrollment(self.mixed, row):
                changed += 1
                await self._enrollment(row["id"])
        for row in self.mixed.courses:
            if not self.viewer.sees_course(self.mixed, row["id"]):
                changed += 1
                await self._course(row["id"])
        return changed

    async def _person(self, row: Facts) -> int:
        person = row["id"]
        hidden = not self.viewer.sees_person(self.mixed, person)
        columns: dict[str, Any] = {}
        for field, column in COLUMNS.items():
            gone = (
                column == "state" and row["state"] == "DELETED"
            )  # which lists tell by leaving it out
            if not gone and (hidden or not self.viewer.sees_field(self.mixed, person, field)):
                columns[column] = "SUSPENDED" if column == "state" else f"zoe-other-{person}"
        if hidden or not self.viewer.sees_field(self.mixed, person, "name"):
            name = f"Aaron Other {person}"
            columns |= {
                "name": name,
                "sortable_name": name,
                "sort_key": text.sort_key(name, name),
                "search_key": text.search_key(name, name),
            }
        if not columns:
            return 0
        await self.school.update("person", person, **columns)
        for column, kind in ALIASES.items():
            if column in columns:
                await self._alias(person, kind, columns[column])
        told = [{"field": field, "value": "x"} for field in ("email", "loginId")]
        if hidden or {"email", "login_id"} <= columns.keys():
            await self.school.change(
                "User", person, before=json.dumps(told), after=json.dumps(told)
            )
        return 1

    async def _alias(self, person: int, kind: IdentityKind, value: str) -> None:
        rows = await self.school.database.rows(
            "select id from identity where institution_id = $1 and person_id = $2 and kind = $3",
            self.school.id,
            person,
            kind.value,
        )
        for row in rows:
            await self.school.update("identity", row["id"], value=kind.comparable(value))
        if not rows:
            await self.school.alias(person, kind, value)

    async def _enrollment(self, row_id: int) -> None:
        columns = {"role": "Other", "last_activity_at": None, "updated_at": None}
        await self.school.update("enrollment", row_id, **columns)
        told = json.dumps([{"field": "role", "value": "Other"}])
        await self.school.change("Enrollment", row_id, before=told, after=told)

    async def _course(self, row_id: int) -> None:
        columns = {"name": "Other", "sort_key": "other", "search_key": "other", "sis_id": None}
        await self.school.update("course", row_id, **columns)
        stranger = await self.school.person(name="Aaron Stranger", login_id=f"zoe-new-{row_id}")
        await self.school.enroll(stranger, None, row_id)


async def answers(asking: Asking, questions: list[str]) -> list[Any]:
    return [(question, *(await asking.answer(question))) for question in questions]


NAMES_OF_VIEWERS = [
    "service without pii:read",
    "teacher in one, student in another, shut out of a third",
    "student",
    "student who may not",
    "TA of one section",
    "admin of a sub-account",
    "root admin without SIS rights",
    "launched teacher, name only",
    "launched TA, anonymous",
]


@pytest.mark.parametrize("compiled", [False, True], ids=["ordinary", "compiled"])
@pytest.mark.parametrize("name", NAMES_OF_VIEWERS)
async def test_what_is_hidden_changes_no_answer(
    graph: Graph, mixed: MixedSchool, name: str, *, compiled: bool, proving: bool
) -> None:
    viewer = next(one for one in eyes.viewers(mixed) if one.name == name)
    asking = Asking(graph, mixed, viewer, compiled=compiled)
    questions = Questions(asking, Random(name))  # noqa: S311  questions, no secrets
    asked = [questions.one() for _ in range(600 if proving else 40)]
    before = await answers(asking, asked)

    changed = await Scrambler(mixed, viewer).scramble()

    assert changed > 10
    for was, now in zip(before, await answers(asking, asked), strict=True):
        assert was == now
    assert any(data for _, data, _ in before)
