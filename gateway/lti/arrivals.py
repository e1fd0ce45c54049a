"""A verified launch takes effect: the person is recognised, the course written down, a session begun; all or nothing."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from gateway.identity import Evidence, Nobody, Trust
from gateway.lti.launch import Launch, Place
from gateway.lti.platforms import Tenant
from gateway.settings import UnmatchedLaunch
from gateway.store import institutions, people, places, sessions
from gateway.store.people import Outcome, Recognised
from gateway.store.places import Context
from gateway.store.rows import Word
from gateway.store.sessions import Issue, Kind, Session
from gateway.uow import Database, Transaction
from models.roster import Source

SESSION_LIFE = timedelta(hours=8)
CODE_LIFE = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """`cookie` opens the session in this browser, `code` once for the host product that the launch is handed on to."""

    session: Session
    cookie: Issue
    code: Issue


async def arrive(
    database: Database,
    tenant: Tenant,
    launch: Launch,
    *,
    context: Context | None,
    host: str | None,
    now: datetime,
    create: bool | None = None,
) -> Arrived | Outcome:
    """Arrived, or why nobody has. `create`: whether a stranger is made, where it is not as configured."""
    if create is None:
        create = tenant.configured.unmatched_launch is UnmatchedLaunch.CREATE
    arrival = _Arrival(tenant, launch, context, host, now, create)
    return await database.transact(arrival.work)


async def link(
    database: Database, tenant: Tenant, launch: Launch, person: int, now: datetime
) -> None:
    """The launch's identifiers are this person's, as they have proved: none is taken from anybody else."""
    word = Word(
        institution_id=tenant.institution.id, source=Source.LAUNCH, as_of=launch.at, now=now
    )
    evidence = Evidence(aliases=launch.aliases)
    await database.transact(lambda tx: people.link(tx, person, evidence, word))


@dataclass(frozen=True)
class _Arrival:
    tenant: Tenant
    launch: Launch
    context: Context | None
    host: str | None
    now: datetime
    create: bool

    async def work(self, tx: Transaction) -> Arrived | Outcome:
        launch, institution_id = self.launch, self.tenant.institution.id
        if launch.shard is not None:
            await institutions.learn_shard(tx, institution_id, launch.shard)
        if launch.root_account is not None:
            await institutions.learn_root_account(tx, institution_id, launch.root_account)
        word = Word(
            institution_id=institution_id, source=Source.LAUNCH, as_of=launch.at, now=self.now
        )
        outcome = await self._recognise(tx, word)
        if not isinstance(outcome, Recognised | Nobody):
            return outcome
        person = outcome.person if isinstance(outcome, Recognised) else None
        course = await self._course(tx, word)
        if course is not None and person is not None and launch.types:
            await places.membership(
                tx,
                course,
                person,
                types=launch.types,
                roles=launch.roles,
                state=launch.state,
                word=word,
            )
        return await self._begin(tx, person, course)

    async def _recognise(self, tx: Transaction, word: Word) -> Outcome:
        launch, seen_in = self.launch, None
        if launch.place is Place.COURSE and launch.context_id:
            seen_in = await places.find_course(tx, launch.context_id, launch.course, word)
        evidence = Evidence(
            aliases=launch.aliases,
            course=seen_in,
            test_student=launch.test_student,
            anonymous=not launch.aliases,
        )
        return await people.recognise(
            tx, evidence, launch.person, word, trust=Trust(), create=self.create
        )

    async def _course(self, tx: Transaction, word: Word) -> int | None:
        launch = self.launch
        if launch.place is not Place.COURSE or launch.context_id is None:
            return None
        course = await places.course(tx, launch.context_id, launch.course, word)
        if self.context is not None:
            await places.context(tx, word.institution_id, course, self.context, self.now)
        return course

    async def _begin(self, tx: Transaction, person: int | None, course: int | None) -> Arrived:
        launch = self.launch
        session = Session(
            institution_id=self.tenant.institution.id,
            person_id=person,
            course_id=course,
            account_canvas_id=launch.account_canvas_id,
            types=launch.types if person is not None else (),
            roles=launch.roles,
            shown=launch.shown,
            sections=launch.sections,
            real_user=launch.real_user,
            platform_origin=_origin(launch.return_url),
            started_at=self.now,
            expires_at=self.now + SESSION_LIFE,
        )
        cookie = Issue(kind=Kind.COOKIE, expires_at=session.expires_at)
        code = Issue(kind=Kind.CODE, expires_at=self.now + CODE_LIFE, host=self.host)
        kept = replace(session, id=await sessions.start(tx, session, cookie, code))
        return Arrived(session=kept, cookie=cookie, code=code)


def _origin(url: str | None) -> str | None:
    """Whose page the tool stands in, as the platform says where to return to."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or len(parts.netloc) > 200:
        return None
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"
