"""A platform that tells what changed since: put upon the list before, it is a whole list; where it forgot, the list is pulled anew."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.batch import Taken
from gateway.cache import Cache
from gateway.canvas.buckets import LocalBuckets
from gateway.canvas.client import Canvas, Meter
from gateway.canvas.service_tokens import ServiceTokens
from gateway.http.client import Client
from gateway.needs import Need, Scope, ScopeKind, Subject
from gateway.prices import PriceBook
from gateway.sources.nrps import NrpsSource, Platforms
from gateway.uow import Database
from models.roster import EnrollmentState, FieldGroup
from tests.factories import School
from tests.fakes import TickingClock
from tests.gateway.sources.readers import OneRegistration, signed
from tests.served import served

LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"


@dataclass
class Platform:
    """It keeps who is there, and what changed since the last list; `asked`: what it was asked for."""

    here: dict[str, str] = field(default_factory=lambda: {"1": "Ada", "2": "Bo", "3": "Cy"})
    changed: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    forgets: bool = False

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/token", self.token, methods=["POST"]),
                Route("/members", self.members),
                Route("/changes", self.changes),
            ]
        )

    def change(self, user: str, name: str | None) -> None:
        """They are called so now, or have left."""
        self.changed[user] = "Active" if name else "Deleted"
        if name:
            self.here[user] = name
        else:
            del self.here[user]

    async def token(self, _request: Request) -> Response:
        return JSONResponse({"access_token": "a-token", "expires_in": 3600})

    async def members(self, request: Request) -> Response:
        self.asked.append("members")
        return self._listed(request, dict.fromkeys(self.here, "Active"))

    async def changes(self, request: Request) -> Response:
        self.asked.append("changes")
        if self.forgets:
            return JSONResponse({"message": "unknown"}, 404)
        return self._listed(request, self.changed)

    def _listed(self, request: Request, users: dict[str, str]) -> Response:
        members = [
            {
                "user_id": user,
                "status": status,
                "roles": [LEARNER],
                **({"name": self.here[user]} if user in self.here else {}),
            }
            for user, status in users.items()
        ]
        self.changed = {}
        link = f'<{request.url.replace(path="/changes", query="")}>; rel="differences"'
        return JSONResponse({"id": "x", "members": members}, headers={"link": link})


@dataclass
class Puller:
    platform: Platform
    database: Database
    school: School
    source: NrpsSource
    clock: TickingClock
    course: int

    async def pull(self) -> Taken:
        need = Need(
            scope=Scope(kind=ScopeKind.COURSE, id=self.course),
            subject=Subject.MEMBERS,
            groups=frozenset({FieldGroup.NAME}),
            states=frozenset({EnrollmentState.ACTIVE}),
            max_age=timedelta(0),
        )
        self.clock.advance(minutes=1)
        [offer] = await self.source.offers([need], self.school.viewer(), self.clock())
        [taken] = await self.source.fill(offer, [need], self.school.viewer(), Meter())
        return taken

    async def members(self) -> dict[str, str]:
        """Names of who is in the course, by `sub`."""
        rows = await self.database.rows(
            "select i.value, p.name from membership m join person p on p.institution_id = $1 and p.id = m.person_id"
            " join identity i on i.institution_id = $1 and i.person_id = p.id and i.kind = 'lti13_sub'"
            " where m.institution_id = $1 and m.ended_at is null",
            self.school.id,
        )
        return {row["value"]: row["name"] for row in rows}


@pytest.fixture
async def puller(database: Database) -> AsyncIterator[Puller]:
    platform, clock = Platform(), TickingClock()
    school = await School.open(database, slug="demo", canvas_url=None)
    course = await school.course()
    cache = Cache(clock)
    with served(platform.app) as url:
        await school.add(
            "lti_context", course_id=course, context_id="c-1", memberships_url=f"{url}/members"
        )
        async with Client(allows_private_networks=True) as http:
            source = NrpsSource(
                institution_id=school.id,
                database=database,
                platforms=Platforms(
                    service=Canvas(http=http, base_url=url, buckets=LocalBuckets(clock)),
                    tokens=ServiceTokens(
                        http=http, sign=signed, prices=PriceBook(), cache=cache, clock=clock
                    ),
                    registered=OneRegistration(f"{url}/token").find,
                ),
                prices=PriceBook(),
                cache=cache,
                clock=clock,
            )
            yield Puller(platform, database, school, source, clock, course)


async def test_what_changed_makes_the_list_before_whole_again(puller: Puller) -> None:
    first = await puller.pull()
    assert {"1": "Ada", "2": "Bo", "3": "Cy"} == await puller.members()

    puller.platform.change("2", None)
    puller.platform.change("3", "Cyd")
    puller.platform.change("4", "Di")
    second = await puller.pull()

    assert ["members", "members", "changes"] == puller.platform.asked  # a first list is read twice
    assert (first.groups, first.states, True) == (second.groups, second.states, second.whole)
    assert {"1": "Ada", "3": "Cyd", "4": "Di"} == await puller.members()

    await puller.pull()
    assert {"1": "Ada", "3": "Cyd", "4": "Di"} == await puller.members()


async def test_a_platform_that_forgot_is_asked_for_all(puller: Puller) -> None:
    await puller.pull()
    puller.platform.forgets = True
    puller.platform.change("2", None)

    await puller.pull()

    # a first list is read twice, and so is one that lacks somebody
    assert ["members", "members", "changes", "members", "members"] == puller.platform.asked
    assert {"1", "3"} == set(await puller.members())


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_list_that_was_held_is_no_list_to_change(puller: Puller) -> None:
    """Nobody is left at once, which waits for a person; what changed is still told from the last whole list on."""
    await puller.pull()
    for user in ("1", "2", "3"):
        puller.platform.change(user, None)
    assert (3, False) == ((held := await puller.pull()).held, held.whole)
    assert {"1", "2", "3"} == set(await puller.members())

    puller.platform.change("1", "Ada")
    puller.platform.change("2", "Bo")
    puller.platform.change("3", "Cy")
    assert (await puller.pull()).whole
    assert {"1", "2", "3"} == set(await puller.members())
