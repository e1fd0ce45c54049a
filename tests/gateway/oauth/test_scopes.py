"""The scopes that people are asked for, against a developer key that enforces them: enough for what is done, and no dead end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from gateway.canvas.scopes import READING, WRITING, of_operator, of_people
from gateway.config_file import Secret
from gateway.uow import Database, Transaction
from tests.gateway.oauth.conftest import Person, launched_teacher, oauth_of
from tests.upstream import Upstream as Twin
from twin import developer_keys
from twin.developer_keys import API_KEY, key_id
from twin.records import Enrollment
from twin.scopes import API_SCOPES

CLASS = '{ course(by: {canvasId: "%s"}) { members { totalCount } } }'
PLAN = """mutation { planRosterChange(input: {csv: "canvas_user_id,canvas_section_id,type,state\\n%s,%s,STUDENT,INACTIVE\\n"})
  { plan { id counts { outcome rows } } errors { code message } } }"""
APPLY = """mutation { applyRosterChange(input: {rosterChange: "%s", confirmRemovals: 1})
  { rosterChange { state } errors { code message } } }"""
END = """mutation { endEnrollment(input: {enrollment: {canvasId: "%s"}, task: DEACTIVATE})
  { enrollment { state } errors { code message } } }"""


def enforce(twin: Twin, scopes: Sequence[str]) -> None:
    key = twin.school.developer_keys[key_id(twin.school, API_KEY)]
    developer_keys.change_scopes(twin.school, key, require_scopes=True, scopes=tuple(scopes))


@dataclass(frozen=True)
class Teaching:
    """A teacher and a student of theirs."""

    teacher: Person
    row: Enrollment

    @classmethod
    def of(cls, teacher: Person) -> "Teaching":
        cast = teacher.twin.cast
        rows = teacher.twin.school.enrollments_of_user.of(cast.people["student"].id)
        return cls(teacher, next(one for one in rows if one.course_id == cast.courses["demo"].id))

    def read(self) -> Any:
        answer = self.teacher.query(CLASS % self.row.course_id)
        assert "errors" not in answer, answer
        return answer["data"]["course"]["members"]["totalCount"]

    def end(self) -> Any:
        return self.teacher.query(END % self.row.id)

    def codes(self, answer: Any) -> list[str]:
        return [one["code"] for one in answer["data"]["endEnrollment"]["errors"]]

    async def narrow(self) -> None:
        """As if they had connected before writing was asked for."""
        own = self.teacher.twin.cast.people["teacher"].id
        for token in self.teacher.twin.school.tokens_of_user.of(own):
            if token.developer_key_id == key_id(self.teacher.twin.school, API_KEY):
                self.teacher.twin.school.update(token, scopes=tuple(READING))
        school = self.teacher.school

        async def work(tx: Transaction) -> int:
            return await tx.run(
                "update canvas_token set scopes = $2 where institution_id = $1",
                school.id,
                " ".join(READING),
            )

        assert 1 == await school.database.transact(work)

    def changes_sent(self) -> list[str]:
        """What but tokens was asked to be changed in Canvas."""
        return [
            one
            for one in self.teacher.twin.billed()
            if not one.startswith("GET ") and "/api/v1/" in one
        ]


async def test_what_people_are_asked_for_is_enough_to_read_and_to_write(teacher: Person) -> None:
    enforce(teacher.twin, [*READING, *WRITING])
    teaching = Teaching.of(teacher)

    assert teacher.connect().status_code == 200
    assert teaching.read() > 5
    ended = teaching.end()

    assert "errors" not in ended, ended
    assert [] == teaching.codes(ended)
    assert "inactive" == teaching.row.workflow_state


async def test_a_grant_to_read_reads_on_and_a_write_asks_to_connect_anew(teacher: Person) -> None:
    enforce(teacher.twin, [*READING, *WRITING])
    teaching = Teaching.of(teacher)
    teacher.connect()
    await teaching.narrow()

    assert teaching.read() > 5
    refused = teaching.end()

    assert ["NOT_PERMITTED"] == teaching.codes(refused)
    [error] = refused["errors"]
    assert "CONNECTION_NEEDED" == error["extensions"]["code"]
    assert [] == teaching.changes_sent()
    assert "active" == teaching.row.workflow_state

    address = error["extensions"]["connectUrl"]
    assert teacher.at_the_gateway(teacher.agreed(teacher.asked(address))).status_code == 200
    assert [] == teaching.codes(teaching.end())
    assert "inactive" == teaching.row.workflow_state


async def test_a_change_of_many_by_a_grant_to_read_asks_to_connect_anew(teacher: Person) -> None:
    enforce(teacher.twin, [*READING, *WRITING])
    teaching = Teaching.of(teacher)
    teacher.connect()
    await teaching.narrow()
    teaching.read()
    planned = teacher.query(PLAN % (teaching.row.user_id, teaching.row.section_id))
    plan = planned["data"]["planRosterChange"]["plan"]
    assert plan is not None, planned

    refused = teacher.query(APPLY % plan["id"])

    told = refused["data"]["applyRosterChange"]
    assert (None, ["NOT_PERMITTED"]) == (
        told["rosterChange"],
        [one["code"] for one in told["errors"]],
    )
    assert ["CONNECTION_NEEDED"] == [one["extensions"]["code"] for one in refused["errors"]]

    teacher.connect()
    applied = teacher.query(APPLY % plan["id"])["data"]["applyRosterChange"]
    assert ({"state": "QUEUED"}, []) == (applied["rosterChange"], applied["errors"])


async def test_who_connected_nothing_is_asked_to_by_a_write(teacher: Person) -> None:
    refused = Teaching.of(teacher).end()

    assert "CONNECTION_NEEDED" in [one["extensions"]["code"] for one in refused["errors"]]


async def test_a_grant_to_read_lets_the_admins_token_write_for_them(
    twin: Twin, database: Database
) -> None:
    """Who judges what they may is Canvas either way."""
    enforce(twin, [*READING, *WRITING])
    token = Secret(twin.cast.tokens["admin"])
    async with launched_teacher(twin, database, admin_token=token) as teacher:
        teaching = Teaching.of(teacher)
        teacher.connect()
        await teaching.narrow()
        teaching.read()

        ended = teaching.end()

        assert ("errors" not in ended, []) == (True, teaching.codes(ended))
        told = await teacher.school.database.rows("select authority from intent")
        assert [{"authority": "MASQUERADE"}] == [dict(one) for one in told]


async def test_a_key_without_writing_connects_nobody_and_says_how_to_mend_it(
    teacher: Person,
) -> None:
    enforce(teacher.twin, [*READING, *WRITING[1:]])

    answer = teacher.connect()

    assert 403 == answer.status_code
    assert WRITING[0] in answer.text
    assert WRITING[1] not in answer.text
    assert "Enforce Scopes" in answer.text
    assert "oauth.writes = false" in answer.text
    assert await teacher.kept() is None


async def test_a_key_that_lacks_reading_is_not_mended_by_less_writing(teacher: Person) -> None:
    enforce(teacher.twin, [*READING[1:], *WRITING])

    answer = teacher.connect()

    assert READING[0] in answer.text
    assert "oauth.writes" not in answer.text


def test_only_scopes_of_ours_are_repeated_on_the_page(teacher: Person) -> None:
    says = f"call 555-0100 now, {WRITING[0]}"
    query = httpx.QueryParams({"error": "invalid_scope", "error_description": says})

    answer = teacher.at_the_gateway(f"/oauth/callback?{query}")

    assert 403 == answer.status_code
    assert WRITING[0] in answer.text
    assert "555" not in answer.text


async def test_where_people_only_read_a_reading_key_will_do(twin: Twin, database: Database) -> None:
    enforce(twin, READING)
    async with launched_teacher(twin, database, oauth=oauth_of(twin, writes=False)) as teacher:
        teaching = Teaching.of(teacher)
        assert teacher.connect().status_code == 200
        kept = await teacher.kept()
        assert kept is not None
        assert set(READING) == set(kept.scopes)
        assert teaching.read() > 5

        refused = teaching.end()

        assert ["NOT_PERMITTED"] == teaching.codes(refused)
        assert "errors" not in refused  # connecting anew would not help
        assert [] == teaching.changes_sent()


def test_canvas_knows_them_all() -> None:
    """One that it does not know is refused with all the others."""
    assert {*of_people(writing=True), *of_operator(writing=True)} <= set(API_SCOPES)
