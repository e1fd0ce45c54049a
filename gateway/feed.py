"""The feed of changes: read from a cursor, and followed live."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.changes import FIELDS, SubjectType
from gateway.errors import BadRequest, CursorExpired, FollowerBehind
from gateway.readpath import visible
from gateway.readpath.connections import Connections
from gateway.readpath.filters import one_word_of
from gateway.readpath.registry import MEMBERSHIP, TABLES, Reader
from gateway.readpath.sql import Statement
from models.roster import ChangeKind, Source

_PREFIX = "change:"
_BATCH = 500
_MOST_BEHIND = 1_000
_ROWS = {**TABLES, MEMBERSHIP.type_name: MEMBERSHIP}


class Entry(NamedTuple):
    """One change. `before` and `after` are the texts of JSON objects; times as the driver gives them."""

    position: int
    at: Any
    kind: str
    subject_type: str
    subject_id: int
    course_id: int | None
    before: str | None
    after: str | None
    source: str
    sync_run_id: int | None
    sis_import_id: int | None
    actor_id: int | None

    @property
    def cursor(self) -> str:
        return cursor_of(self.position)


def cursor_of(position: int) -> str:
    return base64.urlsafe_b64encode(f"{_PREFIX}{position}".encode()).decode()


def position_of(cursor: str) -> int:
    try:
        text = base64.b64decode(cursor, b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    digits = text.removeprefix(_PREFIX)
    if digits == text or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise BadRequest(
            "This is no cursor of the feed; take `cursor` of a change or `changeCursor` of a provenance."
        )
    return int(digits)


@dataclass(frozen=True, kw_only=True)
class ChangeFilter:
    kinds: tuple[ChangeKind, ...] | None = None
    sources: tuple[Source, ...] | None = None
    subject_types: tuple[str, ...] | None = None
    subjects: tuple[tuple[str, int], ...] | None = None
    courses: tuple[int, ...] | None = None

    def conditions(self, statement: Statement) -> list[str]:
        found = []
        if self.kinds is not None:
            found.append(one_word_of("c.kind", self.kinds))
        if self.sources is not None:
            found.append(one_word_of("c.source", self.sources))
        if self.subject_types is not None:
            found.append(statement.any_of("c.subject_type", self.subject_types, "text"))
        if self.subjects is not None:
            found.append(self._is_subject(statement, self.subjects))
        if self.courses is not None:
            found.append(statement.any_of("c.course_id", self.courses, "bigint"))
        return found

    @staticmethod
    def _is_subject(statement: Statement, subjects: Sequence[tuple[str, int]]) -> str:
        ways = []
        for type_name in sorted({type_name for type_name, _ in subjects}):
            ids = [row_id for name, row_id in subjects if name == type_name]
            listed = statement.any_of("c.subject_id", ids, "bigint")
            ways.append(f"c.subject_type = {statement.bind(type_name, 'text')} and {listed}")
        return f"({' or '.join(ways) or 'false'})"


def _seen(statement: Statement) -> list[str]:
    """Only changes of what is seen, and none that changed hidden fields alone: it would tell that they did."""
    rights, found = statement.reader.rights, []
    for type_name, fields in FIELDS.items():
        names = set(fields.values())
        shown = sorted(name for name in names if not rights.hides(type_name, name, None))
        if len(shown) < len(names):
            told = statement.tells_one_of("c.after", shown)
            found.append(f"(c.subject_type <> '{type_name}' or c.kind <> 'UPDATED' or {told})")
    if rights.sight is not None:
        ways = [f"c.subject_type = '{SubjectType.INSTITUTION}'"]
        for type_name in FIELDS:
            row = f"v.institution_id = $1 and v.id = c.subject_id and {statement.seen(type_name, 'v')}"
            seen = visible.probe(statement, f"select 1 from {_ROWS[type_name].name} v where {row}")
            ways.append(f"c.subject_type = '{type_name}' and {seen}")
        found.append(f"({' or '.join(f'({way})' for way in ways)})")
    return found


class _Look(NamedTuple):
    at: float
    head: asyncio.Future[int]


class Feed:
    """Every institution's changes, in the order in which they were committed.

    Another process may write them, so the head is looked at every `interval` seconds while somebody follows;
    `nudge` spares the wait for those written by this one.
    """

    def __init__(
        self, connections: Connections, *, interval: float = 0.5, patience: float = 10.0
    ) -> None:
        self._connections = connections
        self._interval = interval
        self._patience = patience
        self._news = asyncio.Event()
        self._looks: dict[int, _Look] = {}

    async def head(self, institution_id: int) -> int:
        """The position of the newest change."""
        sql = "select feed_position from institution where id = $1"
        rows = await self._connections.fetch(sql, [institution_id])
        return int(rows[0][0]) if rows else 0

    async def horizon(self, institution_id: int) -> int:
        """The position of the newest change that is not kept any more; 0: all are."""
        sql = "select coalesce(feed_horizon, 0) from institution where id = $1"
        rows = await self._connections.fetch(sql, [institution_id])
        return int(rows[0][0]) if rows else 0

    async def require_kept(self, institution_id: int, position: int) -> None:
        """CursorExpired where changes behind this position are not kept any more: they would be missed without a sign."""
        if position < await self.horizon(institution_id):
            raise CursorExpired(
                "Changes behind this cursor are not kept any more. Read the roster anew, and follow its `changeCursor`."
            )

    async def cursor(self, institution_id: int) -> str:
        """Where to follow from, so that nothing that is not committed yet is missed."""
        return cursor_of(await self.head(institution_id))

    async def entries(
        self,
        reader: Reader,
        changes: ChangeFilter,
        *,
        after: int,
        limit: int,
        until: int | None = None,
    ) -> list[Entry]:
        """The first `limit` changes behind position `after` that the reader sees, oldest first."""
        statement = Statement(self._connections.dialect, reader)
        where = ["c.institution_id = $1", f"c.position > {statement.bind(after, 'bigint')}"]
        if until is not None:
            where.append(f"c.position <= {statement.bind(until, 'bigint')}")
        where += [*changes.conditions(statement), *_seen(statement)]
        columns = ", ".join(f"c.{column}" for column in Entry._fields)
        sql = (
            f"select {columns} from change c where {' and '.join(where)}"
            f" order by c.position limit {statement.bind(limit, 'bigint')}"
        )
        rows = await self._connections.fetch(sql, statement.values)
        return [Entry(*row) for row in rows]

    async def follow(
        self, reader: Reader, changes: ChangeFilter, *, after: int | None = None
    ) -> AsyncGenerator[Entry, None]:
        """Changes behind position `after` (None: from now on), then each new one as it is committed.

        Nothing is kept for a follower but the entries of one read: the next are read when they are asked for. Whoever leaves
        one waiting longer than `patience` while many more have come, is told where to resume: FollowerBehind.
        """
        institution_id = reader.institution_id
        position = await self.head(institution_id) if after is None else after
        while True:
            head = await self._head_beyond(institution_id, position)
            while position < head:
                entries = await self.entries(
                    reader, changes, after=position, limit=_BATCH, until=head
                )
                for entry in entries:
                    given_at = asyncio.get_running_loop().time()
                    yield entry
                    waited = asyncio.get_running_loop().time() - given_at
                    if waited > self._patience:
                        await self._require_near(institution_id, entry)
                position = entries[-1].position if len(entries) == _BATCH else head

    async def _require_near(self, institution_id: int, entry: Entry) -> None:
        behind = await self.head(institution_id) - entry.position
        if behind > _MOST_BEHIND:
            raise FollowerBehind(
                f"This stream is read too slowly: {behind} changes wait. Ask anew behind `cursor`, or page by `changes`.",
                cursor=entry.cursor,
            )

    async def moved(self, seconds: float | None = None) -> None:
        """Returns at the next `nudge`, or when the interval (or `seconds`) is over."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds or self._interval)
        except TimeoutError:
            return

    def nudge(self) -> None:
        """Tell those who follow that this process has committed changes."""
        self._looks.clear()
        self._news.set()
        self._news = asyncio.Event()

    async def _head_beyond(self, institution_id: int, position: int) -> int:
        while (head := await self._look(institution_id)) <= position:
            await self.moved()
        return head

    async def _look(self, institution_id: int) -> int:
        """The head, younger than the interval; followers who ask together share one look."""
        now = asyncio.get_running_loop().time()
        look = self._looks.get(institution_id)
        if look is None or look.at + self._interval <= now:
            look = _Look(now, asyncio.ensure_future(self.head(institution_id)))
            self._looks[institution_id] = look
        return await asyncio.shield(look.head)
