"""The sources over one twin and one store, and what is in the store afterwards."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from gateway.batch import Taken
from gateway.cache import Cache
from gateway.canvas.client import Call, Credential, Meter
from gateway.canvas.reports import Reports
from gateway.canvas.service_tokens import ServiceTokens
from gateway.http.client import Client
from gateway.merge import Guard
from gateway.needs import Need, Scope, ScopeKind, Subject
from gateway.prices import PriceBook
from gateway.sources.enrollments import EnrollmentsSource
from gateway.sources.nrps import NrpsSource, Platforms
from gateway.sources.report import ReportSource
from gateway.store import scopes
from gateway.sync.report_loads import loader
from gateway.uow import Database, Transaction
from gateway.viewer import Viewer
from models.canvas_ids import to_global
from models.roster import ROSTER_STATES, EnrollmentState, FieldGroup
from tests.factories import School
from tests.upstream import Upstream
from twin.records import Course, Section, User

EVERYTHING = frozenset(FieldGroup)


@dataclass(kw_only=True)
class Tokens:
    """Who has let us call Canvas."""

    configured: Credential | None
    own: dict[int, Credential] = field(default_factory=dict)

    def admin(self) -> Credential | None:
        return self.configured

    async def of_person(self, person: int, scopes: Collection[str] = ()) -> Credential | None:
        return self.own.get(person)

    def may_be_granted(self, scopes: Collection[str]) -> bool:
        return False


OUR_KEY = RSAKey.import_key(
    {**RSAKey.generate_key(2048).as_dict(private=True), "kid": "ours", "alg": "RS256"}
)


async def signed(claims: Mapping[str, Any]) -> str:
    return jwt.encode({"alg": "RS256", "kid": "ours"}, dict(claims), OUR_KEY)


@dataclass(frozen=True)
class OneRegistration:
    token_url: str
    client_id: str = "10000000000002"
    scope: str = "https://canvas.instructure.com 10000000000002"

    async def find(self, issuer: str, client_id: str) -> "OneRegistration | None":
        return self if client_id == self.client_id else None


@dataclass(kw_only=True)
class Readers:
    twin: Upstream
    database: Database
    school: School
    tokens: Tokens
    enrollments: EnrollmentsSource
    nrps: NrpsSource
    report: ReportSource
    http: Client

    @classmethod
    async def open(
        cls, twin: Upstream, database: Database, http: Client, *, slug: str = "demo"
    ) -> "Readers":
        school = await School.open(database, slug=slug, canvas_url=twin.url)
        tokens = Tokens(configured=twin.token())
        enrollments = EnrollmentsSource(
            institution_id=school.id,
            canvas=twin.canvas(http),
            database=database,
            credentials=tokens,
            prices=PriceBook(),
            clock=twin.clock.now,
        )
        twin.knows_our_key(OUR_KEY)
        nrps = NrpsSource(
            institution_id=school.id,
            database=database,
            platforms=Platforms(
                service=twin.canvas(http),
                tokens=ServiceTokens(
                    http=http,
                    sign=signed,
                    prices=PriceBook(),
                    cache=Cache(twin.clock.now),
                    clock=twin.clock.now,
                ),
                registered=OneRegistration(f"{twin.url}/login/oauth2/token").find,
            ),
            prices=PriceBook(),
            cache=Cache(twin.clock.now),
            clock=twin.clock.now,
        )
        report = ReportSource(
            reports=Reports(canvas=twin.canvas(http), http=http, account="self", sleep=twin.wait),
            credentials=tokens,
            load=loader(database, school.id, clock=twin.clock.now, guard=Guard()),
            loaded=partial(scopes.newest_report, database, school.id),
            prices=PriceBook(),
            clock=twin.clock.now,
        )
        return cls(
            report=report,
            http=http,
            twin=twin,
            database=database,
            school=school,
            tokens=tokens,
            enrollments=enrollments,
            nrps=nrps,
        )

    async def course(self, course: Course) -> Scope:
        """The course as the store knows it before it was ever read: by its Canvas id."""
        return Scope(kind=ScopeKind.COURSE, id=await self._known("course", course.id))

    async def launched(self, course: Course, *, url: str | None = None) -> Scope:
        """The course after somebody launched it."""
        scope = await self.course(course)
        await self.school.add(
            "lti_context",
            course_id=scope.id,
            context_id=course.lti_context_id,
            memberships_url=url or self.twin.memberships_url(course),
        )
        return scope

    async def section(self, section: Section) -> Scope:
        return Scope(kind=ScopeKind.SECTION, id=await self._known("section", section.id))

    async def person(self, user: User) -> Scope:
        return Scope(kind=ScopeKind.PERSON, id=await self._known("person", user.id))

    async def _known(self, table: str, canvas_id: int) -> int:
        rows = await self.database.rows(
            f"select id from {table} where institution_id = $1 and canvas_id = $2",
            self.school.id,
            to_global(str(canvas_id), 1),
        )
        if rows:
            return int(rows[0]["id"])
        if table == "person":
            return await self.school.person(canvas=canvas_id)
        return await self.school.course(canvas=canvas_id)

    def need(
        self,
        scope: Scope,
        *,
        states: frozenset[EnrollmentState] = frozenset(ROSTER_STATES),
        groups: frozenset[FieldGroup] = EVERYTHING,
        person: int | None = None,
        subject: Subject = Subject.ENROLLMENTS,
    ) -> Need:
        return Need(
            scope=scope,
            subject=subject,
            groups=groups,
            states=states,
            max_age=timedelta(0),
            person=person,
        )

    async def read(
        self, need: Need, *, eyes: int | None = None, meter: Meter | None = None
    ) -> Taken:
        """By the Enrollments API."""
        offers = await self.enrollments.offers([need], self.viewer, self.twin.clock.now())
        [offer] = [offer for offer in offers if offer.eyes == eyes]
        [taken] = await self.enrollments.fill(offer, [need], self.viewer, meter or Meter())
        return taken

    async def pull(self, scope: Scope, *, meter: Meter | None = None) -> Taken:
        """By Names and Roles."""
        need = self.members(scope)
        [offer] = await self.nrps.offers([need], self.viewer, self.twin.clock.now())
        [taken] = await self.nrps.fill(offer, [need], self.viewer, meter or Meter())
        return taken

    async def load(self, *, max_age: timedelta = timedelta(0), meter: Meter | None = None) -> Taken:
        """By the cheapest report that is new enough."""
        need = replace(self.need(Scope(kind=ScopeKind.INSTITUTION, id=0)), max_age=max_age)
        now = self.twin.clock.now()
        offers = await self.report.offers([need], self.viewer, now)
        good = [one for one in offers if one.as_of and now - one.as_of <= max_age]
        offer = min(good, key=lambda one: one.price.latency)
        [taken] = await self.report.fill(offer, [need], self.viewer, meter or Meter())
        return taken

    async def canvas_post(self, path: str, *fields: tuple[str, str]) -> None:
        """What another client of the school does."""
        call = Call(credential=self.twin.token(), meter=Meter())
        await self.twin.canvas(self.http).write(call, "POST", path, fields)

    async def start_report(self, *files: str) -> None:
        fields = [(f"parameters[{name}]", "true") for name in files]
        await self.canvas_post("/accounts/self/reports/provisioning_csv", *fields)

    def members(self, scope: Scope) -> Need:
        return self.need(
            scope,
            states=frozenset({EnrollmentState.ACTIVE}),
            groups=frozenset({FieldGroup.NAME}),
            subject=Subject.MEMBERS,
        )

    @property
    def viewer(self) -> Viewer:
        return self.school.viewer()

    async def rows(self, table: str, where: str = "1 = 1") -> list[dict[str, Any]]:
        return await self.database.rows(
            f"select * from {table} where institution_id = $1 and {where} order by id",
            self.school.id,
        )

    async def forget_everything(self) -> None:
        for table in ("enrollment", "section", "course", "identity", "person"):
            for row in await self.rows(table):
                await self.school.delete(table, row["id"])

    async def forget_rosters(self) -> None:
        """As if none had ever been read; courses, sections and people stay."""

        async def work(tx: Transaction) -> None:
            for table in ("enrollment", "membership", "coverage", "due_scope"):
                await tx.run(f"delete from {table} where institution_id = $1", self.school.id)

        await self.database.transact(work)

    async def stored(self, course: Course) -> dict[str, dict[str, Any]]:
        """The course's enrollments that have not ended, by Canvas's own ids."""
        scope = await self.course(course)
        rows = await self.rows("enrollment", f"course_id = {scope.id} and removed_at is null")
        return {str(row["canvas_id"] - 10_000_000_000_000): row for row in rows}

    async def same_as_truth(self, course: Course, states: Mapping[str, str] | None = None) -> bool:
        """Whether the store has just those who are on the course's roster, each in the right state."""
        stored = await self.stored(course)
        truth = {
            row["id"]: row["workflow_state"].upper()
            for row in self.twin.truth(course)
            if row["on_default_roster"]
        }
        words = {state.value for state in ROSTER_STATES}
        return truth == {key: row["state"] for key, row in stored.items() if row["state"] in words}
