"""A twin whose demo course is in the store, and its people as viewers of the graph."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import stamina

from gateway.canvas.credentials import Credentials
from gateway.feed import Feed
from gateway.http.client import Client
from gateway.permissions import Permissions
from gateway.readpath import node_ids
from gateway.readpath.connections import Connections, open_connections
from gateway.seal import Seal
from gateway.upstreams import Upstream
from gateway.viewer import Scope, Service, Viewer
from models.canvas_ids import to_global
from models.roster import EnrollmentState
from resolvers.context import Context
from resolvers.schema import schema
from tests.gateway.sources.readers import Readers, Tokens
from tests.upstream import Upstream as Twin
from tests.upstream import upstream
from twin.records import Course, User

SEAL = Seal(["not so secret"])
EVERY_STATE = frozenset(EnrollmentState)


@pytest.fixture(autouse=True)
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=2):
        yield


@pytest.fixture
def twin() -> Iterator[Twin]:
    with upstream(control=True, courses=10, users=60, big=20, enrollments=60) as made:
        yield made


@dataclass
class Seen:
    """The store of one school, read by its admin, and what its people see of it."""

    twin: Twin
    readers: Readers
    connections: Connections
    permissions: Permissions
    tokens: Credentials
    course_id: int

    async def viewer(self, person: User, **changes: Any) -> Viewer:
        scope = await self.readers.person(person)
        fields: dict[str, Any] = {
            "institution_id": self.readers.school.id,
            "institution_slug": "demo",
            "canvas_url": self.twin.url,
            "shard": 1,
            "scopes": frozenset({Scope.ROSTER_READ, Scope.PII_READ, Scope.ACT_AS}),
            "service": Service(token_id=1, name="product"),
            "user_id": scope.id,
            "acts_for_id": scope.id,
        }
        viewer = Viewer(**fields | changes)
        return Viewer(**{**vars(viewer), "rights": await self.permissions.rights(viewer)})

    async def ask(self, viewer: Viewer, query: str, **variables: Any) -> Any:
        context = Context(
            viewer=viewer,
            connections=self.connections,
            feed=Feed(self.connections),
            clock=self.twin.clock.now,
        )
        result = await schema.execute(query, variable_values=variables, context_value=context)
        assert result.errors is None, result.errors
        return result.data

    async def truth(self, person: User) -> Any:
        """What Canvas would show that person of the demo course."""
        url = f"{self.twin.url}/control/truth/courses/{self.demo.id}"
        async with httpx.AsyncClient() as client:  # noqa: TID251  the test's own: nothing cancels it
            answer = await client.get(url, params={"viewer": str(person.id)})
        return answer.raise_for_status().json()["viewer"]

    @property
    def demo_node(self) -> str:
        return node_ids.encode("Course", self.course_id)

    @property
    def demo(self) -> Course:
        return self.twin.cast.courses["demo"]


async def accounts(readers: Readers) -> None:
    """The school's accounts, as a report would tell them, and where the demo course stands."""
    twin, ours = readers.twin, dict[int, int]()
    for account in sorted(twin.school.accounts.values(), key=lambda one: one.id):
        ours[account.id] = await readers.school.add(
            "account",
            canvas_id=to_global(str(account.id), 1),
            parent_id=ours.get(account.parent_id or 0),
            name=account.name,
        )
    demo = twin.cast.courses["demo"]
    course = await readers.course(demo)
    await readers.school.update(
        "course", course.id, account_id=ours[demo.account_id], sis_id=demo.sis_source_id
    )


@pytest.fixture
async def seen(twin: Twin, database: Any) -> AsyncIterator[Seen]:
    async with (
        Client(allows_private_networks=True) as http,
        open_connections(database.url) as connections,
    ):
        readers = await Readers.open(twin, database, http)
        demo = await readers.course(twin.cast.courses["demo"])
        await accounts(readers)
        await readers.read(readers.need(demo, states=EVERY_STATE))
        tokens: Tokens = readers.tokens
        permissions = Permissions(
            database,
            SEAL,
            twin.clock.now,
            {readers.school.id: Upstream(canvas=twin.canvas(http), credentials=tokens)},
        )
        yield Seen(twin, readers, connections, permissions, tokens, demo.id)
        await permissions.close()
