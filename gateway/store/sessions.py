"""Sessions of launched people, and the secrets that open them: kept as digests, found by secret."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import orjson

from gateway.store.logins import digest
from gateway.uow import Database, Row, Transaction
from models.roster import EnrollmentType

PREFIX = "rss_"


class Kind(StrEnum):
    COOKIE = "cookie"
    CODE = "code"  # for a host product, exchanged once
    BEARER = "bearer"  # what a code was exchanged for


@dataclass(frozen=True, kw_only=True)
class Session:
    """Who was launched, where, with which roles.

    `person` is None for an anonymous visitor or a test student; `types` are those of the launch in `course`; `shown` what
    the privacy level let through; `real_user` the Canvas id of whoever acts as the person; `platform_origin` whose pages
    may frame ours. `sections`: Canvas ids of the only ones whose people they see in `course`; None: not limited.
    """

    institution_id: int
    person_id: int | None
    course_id: int | None
    account_canvas_id: int | None
    types: tuple[EnrollmentType, ...]
    roles: tuple[str, ...]
    shown: tuple[str, ...]
    real_user: str | None
    platform_origin: str | None
    started_at: datetime
    expires_at: datetime
    sections: frozenset[int] | None = None
    id: int = 0  # until it is kept


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A session by one of its secrets. `host`: the host product that a code or token is for."""

    session: Session
    kind: Kind
    host: str | None
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Issue:
    """A secret to be made. Its text is shown to its owner alone."""

    kind: Kind
    expires_at: datetime
    host: str | None = None
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def text(self) -> str:
        return PREFIX + self.secret if self.kind is Kind.BEARER else self.secret


async def start(tx: Transaction, session: Session, *issues: Issue) -> int:
    """Keep a new session with its first secrets, and drop those that are over; its id."""
    await tx.run(
        "delete from session_secret where institution_id = $1 and expires_at < $2",
        session.institution_id,
        session.started_at,
    )
    rows = await tx.rows(
        f"insert into launch_session ({_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning id",
        session.institution_id,
        session.person_id,
        session.course_id,
        session.account_canvas_id,
        " ".join(session.types),
        orjson.dumps(session.roles).decode(),
        " ".join(session.shown),
        session.real_user,
        session.platform_origin,
        session.started_at,
        session.expires_at,
        None if session.sections is None else " ".join(map(str, sorted(session.sections))),
    )
    session_id = int(rows[0]["id"])
    for one in issues:
        await issue(tx, session.institution_id, session_id, one)
    return session_id


async def issue(tx: Transaction, institution_id: int, session_id: int, one: Issue) -> None:
    await tx.run(
        "insert into session_secret (institution_id, session_id, kind, digest, host, expires_at)"
        " values ($1, $2, $3, $4, $5, $6)",
        institution_id,
        session_id,
        one.kind.value,
        digest(one.text),
        one.host,
        one.expires_at,
    )


async def find(
    database: Database, unverified_secret: str, *kinds: Kind, now: datetime
) -> Opened | None:
    """The live session that this secret opens."""
    rows = await database.rows(_SELECT, digest(unverified_secret), now)
    opened = _from_row(rows[0]) if rows else None
    return opened if opened and opened.kind in kinds else None


async def by_id(
    database: Database, institution_id: int, session_id: int, *, now: datetime
) -> Session | None:
    """A session that lives, for what is done behind it."""
    rows = await database.rows(
        f"select s.id, {_OF_SESSION} from launch_session s where s.institution_id = $1 and s.id = $2"
        " and s.expires_at > $3 and s.ended_at is null",
        institution_id,
        session_id,
        now,
    )
    return _session(rows[0]) if rows else None


async def platform_origin(database: Database, institution_id: int, session_id: int) -> str | None:
    """Whose pages may frame ours in this session."""
    rows = await database.rows(
        "select platform_origin from launch_session where institution_id = $1 and id = $2",
        institution_id,
        session_id,
    )
    return rows[0]["platform_origin"] if rows else None


async def exchange(
    database: Database, unverified_code: str, token: Issue, *, now: datetime
) -> Opened | None:
    """Take the code's place: it is gone, and `token` opens its session for the same host. None for a dead code."""

    async def work(tx: Transaction) -> Opened | None:
        rows = await tx.rows(_SELECT, digest(unverified_code), now)
        opened = _from_row(rows[0]) if rows else None
        if opened is None or opened.kind is not Kind.CODE or opened.host != token.host:
            return None
        gone = await tx.run(
            "delete from session_secret where institution_id = $1 and digest = $2",
            opened.session.institution_id,
            digest(unverified_code),
        )
        if not gone:  # somebody else was quicker
            return None
        await issue(tx, opened.session.institution_id, opened.session.id, token)
        return opened

    return await database.transact(work)


async def renew(database: Database, opened: Opened, token: Issue) -> None:
    """A further token beside the one shown, which stays until it ends by itself."""

    async def work(tx: Transaction) -> None:
        await issue(tx, opened.session.institution_id, opened.session.id, token)

    await database.transact(work)


async def end(database: Database, session: Session, now: datetime) -> None:
    """Over, for every secret of it."""

    async def work(tx: Transaction) -> None:
        await tx.run(
            "update launch_session set ended_at = $1 where institution_id = $2 and id = $3 and ended_at is null",
            now,
            session.institution_id,
            session.id,
        )
        await tx.run(
            "delete from session_secret where institution_id = $1 and session_id = $2",
            session.institution_id,
            session.id,
        )

    await database.transact(work)


_COLUMNS = (
    "institution_id, person_id, course_id, account_canvas_id, types, roles, shown, real_user, platform_origin,"
    " started_at, expires_at, sections"
)
_OF_SESSION = ", ".join(f"s.{name.strip()}" for name in _COLUMNS.split(","))
_SELECT = (
    f"select s.id, {_OF_SESSION}, o.kind, o.host,"
    " o.expires_at as secret_expires_at"
    " from session_secret o join launch_session s on s.id = o.session_id and s.institution_id = o.institution_id"
    " where o.digest = $1 and o.expires_at > $2 and s.expires_at > $2 and s.ended_at is null"
)


def _from_row(row: Row) -> Opened:
    row = dict(row)
    kind, host = Kind(row.pop("kind")), row.pop("host")
    expires_at = _time(row.pop("secret_expires_at"))
    return Opened(session=_session(row), kind=kind, host=host, expires_at=expires_at)


def _session(row: Row) -> Session:
    told = {
        "types": tuple(EnrollmentType(word) for word in row["types"].split()),
        "roles": tuple(orjson.loads(row["roles"])),
        "shown": tuple(row["shown"].split()),
        "sections": None
        if row["sections"] is None
        else frozenset(map(int, row["sections"].split())),
        "started_at": _time(row["started_at"]),
        "expires_at": _time(row["expires_at"]),
    }
    return Session(**row | told)


def _time(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
