"""What every resolver of one operation is handed."""

from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from gateway import shield
from gateway.access import Accesses
from gateway.desk import Desk
from gateway.errors import ConnectionNeeded, Forbidden, PublicError
from gateway.feed import Feed
from gateway.needs import Need, ScopeKind
from gateway.outcomes import Asking, Outcome, Spending
from gateway.readpath import past
from gateway.readpath.connections import Connections
from gateway.readpath.provenance import Wanted
from gateway.readpath.registry import Reader
from gateway.reads import Reads
from gateway.sight import Limit
from gateway.syncs import Syncs
from gateway.viewer import PERSONAL, Rights, Scope, Viewer
from gateway.webhooks.registering import Webhooks
from gateway.writes.roster_changes import RosterChanges
from gateway.writes.service import Writes
from resolvers import freshness, plans
from resolvers.documents import Operation

K = TypeVar("K")
V = TypeVar("V")

Batch = Callable[[Sequence[K]], Coroutine[Any, Any, Sequence[V]]]


@dataclass(kw_only=True)
class Context:
    """One operation: who asks, when, and what it has begun to load.

    `connect`: where the viewer connects their Canvas account, if they can; `notices`: what they can do about an answer;
    `accesses`: where it is noted whose data they were shown; `judge`: what they may see, judged by what is known of them now.
    `requested`: how fresh by the request's headers; `explains`: every plan is told in `extensions`; `longest`: how long
    its reads may take, beyond which it has a little time to show what is known.
    """

    viewer: Viewer
    connections: Connections
    feed: Feed
    clock: Callable[[], datetime]
    default_max_age: timedelta | None = None
    requested: Wanted = field(default_factory=Wanted)
    reads: Reads | None = None
    longest: timedelta = timedelta(seconds=20)
    explains: bool = False
    operation: Operation | None = None
    desk: Desk | None = None
    connect: Callable[[Viewer], str | None] | None = None
    notices: list[PublicError] = field(default_factory=list)
    accesses: Accesses | None = None
    judge: Callable[[Viewer], Awaitable[Rights]] | None = None
    writes: Writes | None = None
    roster_changes: RosterChanges | None = None
    webhooks: Webhooks | None = None
    syncs: Syncs | None = None
    reader: Reader = field(init=False)
    _loaders: dict[Hashable, DataLoader[Any, Any]] = field(init=False)
    _shown: set[Hashable] = field(init=False)
    _spending: Spending = field(init=False)
    _outcomes: list[Outcome] = field(init=False)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew: each event of a subscription is read for itself."""
        self._loaders = {}
        self._shown = set()
        self._spending = Spending()
        self._outcomes = []
        self.reader = Reader(
            institution_id=self.viewer.institution_id,
            shard=self.viewer.shard,
            now=self.clock(),
            rights=self.viewer.rights,
        )

    def writes_desk(self) -> Desk:
        """The identity desk; a graph that is only read has none."""
        if self.desk is None:
            raise Forbidden("This graph is only read.")
        return self.desk

    def changes_into_canvas(self) -> Writes:
        """What tells Canvas of changes; a graph that is only read has none."""
        if self.writes is None:
            raise Forbidden("This graph is only read.")
        return self.writes

    def notice(self, limit: Limit | None) -> None:
        """That the viewer would see more once Canvas can be asked as them."""
        if limit is not None and limit.unknown:
            self.invite(limit.message)

    def invite(self, message: str) -> None:
        """To connect the viewer's Canvas account, where they can."""
        if self.connect is None or self.notices:
            return
        url = self.connect(self.viewer)
        if url is not None:
            self.notices.append(ConnectionNeeded(message, connect_url=url))

    def shows(self, subject: tuple[str, int], people: int, fields: Iterable[str]) -> None:
        """Note in the access log, once an operation, that so many people of `subject` are shown, with these fields."""
        if self.accesses is None or not people:
            return
        told = PERSONAL - self.reader.rights.hidden
        shown = tuple(sorted(name for name in fields if f"User.{name}" in told))
        if (subject, shown) not in self._shown:
            self._shown.add((subject, shown))
            self.accesses.note(self.viewer, subject, people, shown)

    def reads_roster(self) -> Reader:
        """The reader, for credentials that may read the roster; Forbidden for others."""
        self.viewer.require(Scope.ROSTER_READ)
        return self.reader

    async def reader_at(self, moment: datetime) -> Reader:
        """The reader of what was known at a moment, with the rights of now. BadRequest for the future, and beyond what is kept."""
        reader = self.reader
        then = await past.at(self.connections, reader.institution_id, moment, reader.now)
        return replace(reader, past=then, now=moment)

    async def load(self, name: Hashable, key: K, batch: Batch[K, V]) -> V:
        """`key` by the batch of that name: equal names wait for one another, and their keys are read at once."""
        loader = self._loaders.get(name)
        if loader is None:
            loader = self._loaders[name] = DataLoader(load_fn=batch)
        value: V = await shield.load(loader, key)
        return value

    @property
    def has_upstream(self) -> bool:
        """Whether anybody but the store can be asked."""
        return self.reads is not None and self.reads.has_upstream(self.viewer.institution_id)

    def asking(self) -> Asking:
        return Asking(viewer=self.viewer, now=self.reader.now, spending=self._spending)

    def patience(self) -> timedelta:
        """How long a read may still take."""
        return max(self.longest - (self.clock() - self.reader.now), timedelta(0))

    async def ensure(self, needs: Sequence[Need], *, explained: bool) -> Sequence[Outcome]:
        """How the needs were met; all fields of one level are planned together. Empty where nothing can be read."""
        reads = self.reads
        if reads is None:
            return ()
        told = explained or self.explains
        if not told and (known := reads.known(needs, self.asking())) is not None:
            self._outcomes += known
            return known

        async def batch(
            asked: Sequence[tuple[tuple[Need, ...], bool]],
        ) -> Sequence[Sequence[Outcome]]:
            level = list(dict.fromkeys(need for own, _ in asked for need in own))
            everybody = self.explains or any(explained for _, explained in asked)
            outcomes = await reads.ensure(level, self.asking(), explained=everybody)
            self._outcomes += outcomes
            if any(map(_is_read_of_viewer, outcomes)):
                await self._judge_anew()
            found = dict(zip(level, outcomes, strict=True))
            return [[found[need] for need in own] for own, _ in asked]

        return await self.load("needs", (tuple(needs), explained), batch)

    async def _judge_anew(self) -> None:
        """Their own enrollments were read just now, which say in which courses they are: else the answer would lack these."""
        if self.judge is None:
            return
        rights = await self.judge(self.viewer)
        self.viewer = replace(self.viewer, rights=rights)
        self.reader = replace(self.reader, rights=rights)

    def extensions(self) -> dict[str, object]:
        return {"plan": [plans.as_json(one) for one in self._outcomes]} if self.explains else {}

    def headers(self) -> dict[str, str]:
        """What the answer's headers say of its age."""
        return freshness.of_answer(self._outcomes, self.reader.now)

    async def change_cursor(self) -> str:
        """The feed's end when this operation first asked; read before the rows, so that nothing is missed."""

        async def read(_keys: Sequence[int]) -> Sequence[str]:
            return [await self.feed.cursor(self.viewer.institution_id)]

        return await self.load("change cursor", 0, read)


def _is_read_of_viewer(outcome: Outcome) -> bool:
    need = outcome.need
    is_own = need.scope.kind is ScopeKind.PERSON and need.scope.id == need.person
    return is_own and outcome.by is not None and bool(outcome.tries)


Info = strawberry.Info[Context, None]
