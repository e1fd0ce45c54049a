"""Who is asking: a bearer token or a launched session's cookie in, a `Viewer` out."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from starlette.requests import cookie_parser

from gateway.errors import BadRequest, Forbidden, Unauthenticated
from gateway.readpath import node_ids
from gateway.store import institutions, sessions, standing, tokens
from gateway.store.sessions import Kind, Session
from gateway.uow import Database
from gateway.viewer import Launched, Rights, Scope, Service, Viewer
from models import lti_roles

_REMEMBERED_SECONDS = 3.0  # a revoked token is refused this much later at most
_REMEMBERED_TOKENS = 10_000

# The second one is for a developer's plain http alone: some clients send no Secure cookie there.
SESSION_COOKIES = ("__Host-roster_session", "roster_session")

_LAUNCHED_SCOPES = frozenset({Scope.ROSTER_READ})

Find = Callable[[str], Awaitable[Viewer | None]]
Judge = Callable[[Viewer], Awaitable[Rights]]
FindPerson = Callable[[int, int], Awaitable[int | None]]
FindSession = Callable[[str, Kind], Awaitable[Viewer | None]]
FindLaunched = Callable[[Session], Awaitable[Viewer | None]]


class _Answer(NamedTuple):
    viewer: Viewer | None
    until: float


class Authenticator:
    """Viewers by their credentials: service tokens, and the cookie or token of a launched session.

    A secret is looked up by its digest, here and in the database, so no comparison's time tells anything about it,
    and none is kept in memory. Service tokens are remembered for a few seconds; a session that was ended is over at once.
    """

    def __init__(
        self,
        find: Find,
        *,
        judge: Judge,
        find_session: FindSession | None = None,
        find_person: FindPerson | None = None,
        monotonic: Callable[[], float],
    ) -> None:
        self._find = find
        self._judge = judge
        self._find_session = find_session
        self._find_person = find_person
        self._monotonic = monotonic
        self._remembered: dict[bytes, _Answer] = {}

    async def viewer(self, headers: Mapping[str, str]) -> Viewer:
        """The viewer of a request, or Unauthenticated."""
        viewer = await self._found(headers)
        if viewer is None:
            raise Unauthenticated("This token is unknown, revoked or expired.")
        person = headers.get("roster-act-as")
        if person is not None:
            # Ignoring it would show a person's screen what only the service may see.
            viewer = await self._acting(viewer, person)
        return replace(viewer, rights=await self._judge(viewer))

    async def _acting(self, viewer: Viewer, node_id: str) -> Viewer:
        """The service acting for a person: it sees what they may see, and administers nothing."""
        if viewer.service is None or Scope.ACT_AS not in viewer.scopes:
            raise Forbidden(
                "This credential may not act for a person: that takes the scope act-as."
            )
        rights = await self._judge(viewer)
        try:
            row_id = node_ids.decode_as("User", node_id, rights.pseudonyms)
        except BadRequest as error:
            raise Forbidden(f"Roster-Act-As: {error}") from error
        person = None
        if self._find_person is not None:
            person = await self._find_person(viewer.institution_id, row_id)
        if person is None:
            raise Forbidden("Roster-Act-As: there is no such person in this school.")
        scopes = viewer.scopes - {Scope.ADMIN}
        return replace(viewer, user_id=person, acts_for_id=person, scopes=scopes)

    async def _found(self, headers: Mapping[str, str]) -> Viewer | None:
        header = headers.get("authorization")
        if header is None and self._find_session:
            for unverified_secret in session_cookies(headers.get("cookie", "")):
                viewer = await self._find_session(unverified_secret, Kind.COOKIE)
                if viewer is not None:
                    return viewer
        unverified_secret = _bearer(header)
        if unverified_secret.startswith(tokens.PREFIX):
            return await self._lookup(unverified_secret)
        if self._find_session is None:
            return None
        return await self._find_session(unverified_secret, Kind.BEARER)

    async def _lookup(self, unverified_secret: str) -> Viewer | None:
        key = hashlib.sha256(unverified_secret.encode()).digest()
        now = self._monotonic()
        answer = self._remembered.get(key)
        if answer is None or answer.until <= now:
            answer = _Answer(await self._find(unverified_secret), now + _REMEMBERED_SECONDS)
            if len(self._remembered) >= _REMEMBERED_TOKENS:
                self._remembered.clear()
            self._remembered[key] = answer
        return answer.viewer


def session_cookies(header: str) -> list[str]:
    """What a browser sends under the session's names, the guarded one first."""
    sent = cookie_parser(header)
    return [sent[name] for name in SESSION_COOKIES if sent.get(name)]


def launched_sessions(database: Database, clock: Callable[[], datetime]) -> FindSession:
    """Finds a viewer by a secret of a launched session."""

    async def find(unverified_secret: str, kind: Kind) -> Viewer | None:
        opened = await sessions.find(database, unverified_secret, kind, now=clock())
        return None if opened is None else await _launched_in(database, opened.session)

    return find


def launched_people(database: Database, judge: Judge) -> FindLaunched:
    """Finds whom a session is of, for what is done on their behalf without a secret of theirs."""

    async def find(session: Session) -> Viewer | None:
        viewer = await _launched_in(database, session)
        return None if viewer is None else replace(viewer, rights=await judge(viewer))

    return find


async def _launched_in(database: Database, session: Session) -> Viewer | None:
    """The launched person of a session that lives."""
    institution = await institutions.by_id(database, session.institution_id)
    if institution is None:
        return None
    launched = Launched(
        session_id=session.id,
        course_id=session.course_id,
        account_canvas_id=session.account_canvas_id,
        types=frozenset(session.types),
        administrator=lti_roles.is_administrator(session.roles),
        shown=frozenset(session.shown),
        real_user=session.real_user,
        sections=None
        if session.sections is None
        else await standing.section_ids(database, institution.id, session.sections),
        root_admin=await _is_root_admin(database, session),
    )
    operates = frozenset({Scope.ADMIN}) if launched.root_admin else frozenset[Scope]()
    return Viewer(
        institution_id=institution.id,
        institution_slug=institution.slug,
        canvas_url=institution.canvas_url,
        shard=institution.shard,
        scopes=_LAUNCHED_SCOPES | operates,
        user_id=session.person_id,
        launched=launched,
    )


async def _is_root_admin(database: Database, session: Session) -> bool:
    """An administrator of some account is the whole school's only where its own pages launched them, and as its account admin.

    Canvas gives any other role of an account, as of a help desk, the same word in LTI.
    """
    account = session.account_canvas_id
    if account is None or not lti_roles.is_administrator(session.roles):
        return False
    if not lti_roles.is_account_admin(session.roles):
        return False
    return await institutions.is_root_account(database, session.institution_id, account)


def service_tokens(database: Database) -> Find:
    """Finds a viewer by a service token's secret."""

    async def find(unverified_secret: str) -> Viewer | None:
        token = await tokens.find(database, unverified_secret)
        if token is None:
            return None
        institution = await institutions.by_id(database, token.institution_id)
        if institution is None:
            return None
        return Viewer(
            institution_id=institution.id,
            institution_slug=institution.slug,
            canvas_url=institution.canvas_url,
            shard=institution.shard,
            scopes=frozenset(Scope(one) for one in token.scopes),
            service=Service(token_id=token.id, name=token.name),
        )

    return find


def people(database: Database) -> FindPerson:
    """Finds whom an id of a person means."""

    async def find(institution_id: int, row_id: int) -> int | None:
        return await standing.person(database, institution_id, row_id)

    return find


def _bearer(header: str | None) -> str:
    if header is None:
        raise Unauthenticated("Send a token: Authorization: Bearer rst_…")
    scheme, _, rest = header.partition(" ")
    secret = rest.strip()
    known = secret.startswith((tokens.PREFIX, sessions.PREFIX)) and secret.isascii()
    if scheme.lower() != "bearer" or not known:
        raise Unauthenticated("The token is sent as Authorization: Bearer rst_…")
    return secret
