"""Changes through the graph over a twin and a store: who asks, what Canvas has afterwards, what the store shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from gateway.feed import Feed
from gateway.http.client import Client
from gateway.needs import Need
from gateway.prices import PriceBooks
from gateway.readpath import node_ids
from gateway.readpath.connections import Connections
from gateway.uow import Database
from gateway.upstreams import Upstream as Connected
from gateway.viewer import Scope, Service, Viewer
from gateway.writes.carrying import Sleep
from gateway.writes.service import Writes, writes
from models.roster import EnrollmentState
from resolvers.context import Context
from resolvers.schema import schema
from tests.gateway.sources.readers import Readers
from tests.upstream import Upstream
from twin import making
from twin.records import Course, Enrollment, Section, User
from twin.roles import built_in_role_id

EVERY_STATE = frozenset(EnrollmentState)
WRITER = (Scope.ROSTER_READ, Scope.ROSTER_WRITE, Scope.PII_READ, Scope.CHANGES_READ)
ROW = """
  enrollment { id state type role limitPrivilegesToCourseSection startAt endAt user { id } section { id } }
  errors { code message path }
"""
# Of what Canvas or a pure rule decides: no database has a say in it.
ON_ONE_DATABASE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
_numbers = count(1)


@dataclass(kw_only=True)
class Changer:
    twin: Upstream
    readers: Readers
    connections: Connections
    writes: Writes

    @classmethod
    async def open(
        cls, twin: Upstream, database: Database, http: Client, connections: Connections
    ) -> "Changer":
        readers = await Readers.open(twin, database, http)
        return cls(
            twin=twin,
            readers=readers,
            connections=connections,
            writes=await made_writes(twin, readers),
        )

    @property
    def service(self) -> Viewer:
        """A service that may read and write."""
        viewer = self.readers.school.viewer(*WRITER)
        return replace(viewer, service=Service(token_id=1, name="planner"))

    def as_person(self, person_id: int, *scopes: Scope) -> Viewer:
        """The service acting for somebody."""
        scopes = scopes or WRITER
        return replace(
            self.service, user_id=person_id, acts_for_id=person_id, scopes=frozenset(scopes)
        )

    async def execute(
        self, text: str, variables: dict[str, Any] | None = None, viewer: Viewer | None = None
    ) -> Any:
        context = Context(
            viewer=viewer or self.service,
            connections=self.connections,
            feed=Feed(self.connections, interval=0.02),
            clock=self.twin.clock.now,
            writes=self.writes,
        )
        result = await schema.execute(text, variable_values=variables, context_value=context)
        assert result.errors is None, result.errors
        return result.data

    async def do(
        self, mutation: str, asked: dict[str, Any], viewer: Viewer | None = None, row: str = ROW
    ) -> dict[str, Any]:
        """The payload of a mutation."""
        type_name = mutation[0].upper() + mutation[1:] + "Input"
        text = f"mutation ($input: {type_name}!) {{ {mutation}(input: $input) {{ {row} }} }}"
        data = await self.execute(text, {"input": asked}, viewer)
        payload: dict[str, Any] = data[mutation]
        return payload

    # The twin's rows

    def section(self, course: Course) -> Section:
        return next(one for one in self.twin.school.sections.values() if one.course_id == course.id)

    def person(self, name: str = "Nora New") -> User:
        school, number = self.twin.school, next(_numbers)
        user = making.make_user(school, f"{name} {number}", workflow_state="registered")
        making.make_login(school, user, f"nora{number}@example.edu", sis_user_id=f"N-{number}")
        return user

    def enroll(
        self,
        course: Course,
        *,
        type_name: str = "StudentEnrollment",
        state: str = "active",
        user: User | None = None,
        **fields: Any,
    ) -> Enrollment:
        return making.make_enrollment(
            self.twin.school,
            user or self.person(),
            self.section(course),
            type_name,
            built_in_role_id(self.twin.school, type_name),
            state,
            **fields,
        )

    # What the store knows

    async def read(self, course: Course) -> Need:
        """The whole course into the store, ended rows too."""
        self.twin.clock.advance(timedelta(seconds=1))
        need = self.readers.need(await self.readers.course(course), states=EVERY_STATE)
        await self.readers.read(need)
        self.twin.clock.advance(timedelta(seconds=1))
        return need

    async def stored(self, row: Enrollment) -> dict[str, Any]:
        [found] = await self.readers.rows("enrollment", f"canvas_id = {_global(row.id)}")
        return found

    async def person_id(self, user: User) -> int:
        [found] = await self.readers.rows("person", f"canvas_id = {_global(user.id)}")
        return int(found["id"])

    async def told(self) -> list[dict[str, Any]]:
        """The feed."""
        return await self.readers.rows("change")

    async def intents(self) -> list[dict[str, Any]]:
        return await self.readers.rows("intent")

    def by(self, row: Enrollment | User | Course | Section) -> dict[str, str]:
        return {"canvasId": str(row.id)}

    def row_of(self, payload: dict[str, Any]) -> int:
        return node_ids.decode_as("Enrollment", payload["enrollment"]["id"], None)

    def sent(self) -> list[tuple[str, str]]:
        """What was changed in Canvas, by verb and endpoint, from its own bill."""
        return [
            (endpoint.split(" ")[0], endpoint)
            for endpoint, times in self.twin.billed().items()
            if not endpoint.startswith("GET ")
            for _ in range(times)
        ]


async def made_writes(
    twin: Upstream,
    readers: Readers,
    *,
    books: PriceBooks | None = None,
    sleep: Sleep | None = None,
) -> Writes:
    connected = Connected(canvas=twin.canvas(readers.http), credentials=readers.tokens)
    return await writes(
        readers.database,
        {readers.school.id: connected},
        twin.clock.now,
        books or PriceBooks(),
        sleep=sleep or twin.wait,
    )


def codes(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["errors"]]


def _global(local: int) -> int:
    return 10_000_000_000_000 + local


@contextmanager
def broken(twin: Upstream, kind: Any, path: str, **fields: Any) -> Iterator[Any]:
    fault = twin.break_(kind, path, **fields)
    try:
        yield fault
    finally:
        twin.mend()
