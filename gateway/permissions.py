"""What a caller may see: Canvas's own answer where it can be had, kept with its age, else what launches and rosters tell.

Canvas answers for the caller alone, so it is asked with the person's own token, or as them by the admin's
(fact sheets roster-rest.md §5.4, transport.md §3).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway import judgement
from gateway.canvas.client import Call, Meter
from gateway.errors import NotThere, SourceError, SourceRefused
from gateway.judgement import CourseFacts, Facts
from gateway.pseudonyms import KEY_BYTES, Pseudonyms
from gateway.seal import Seal
from gateway.sight import CANVAS_RIGHTS, Right
from gateway.store import pseudonym_keys, standing
from gateway.store.standing import ACCOUNT, ACCOUNTS, COURSE, ROOT, Standing, Told
from gateway.uow import Database
from gateway.upstreams import Upstream
from gateway.viewer import PERSONAL, Rights, Scope, Viewer
from models.canvas_ids import to_global, to_rest

_log = logging.getLogger(__name__)

MOST_COURSES = 30  # of one person, the launched one and the newest first
MOST_ACCOUNTS = 10
AT_ONCE = 5
PATIENCE = 6.0  # seconds a request waits; what comes later serves the next one

# Every stored state but `deleted`, and the words for dates that a person's own list goes by (enrollments-api.md §2.3).
_OWN_STATES = (
    *("active", "invited", "creation_pending", "completed", "inactive", "rejected"),
    *("pending_active", "pending_invited"),
)
_ASKED = [("permissions[]", right.value) for right in CANVAS_RIGHTS]
_NOT_AS_THEM = ("Invalid as_user_id", "Cannot change masquerade")


class Permissions:
    """The rights of all callers. `upstreams` by institution; one without a Canvas has none."""

    def __init__(
        self,
        database: Database,
        seal: Seal,
        clock: Callable[[], datetime],
        upstreams: Mapping[int, Upstream] | None = None,
    ) -> None:
        self._database = database
        self._seal = seal
        self._clock = clock
        self._upstreams = upstreams or {}
        self._asking: dict[tuple[int, int], asyncio.Task[None]] = {}

    async def rights(self, viewer: Viewer) -> Rights:
        rights = Rights()
        if viewer.service is not None and Scope.PII_READ not in viewer.scopes:
            key = await pseudonym_keys.of_client(
                self._database,
                viewer.institution_id,
                viewer.service.name,
                self._seal,
                now=self._clock(),
                size=KEY_BYTES,
            )
            rights = replace(rights, hidden=PERSONAL, pseudonyms=Pseudonyms(key))
        if viewer.service is not None and viewer.acts_for_id is None:
            return rights
        facts = await self._facts(viewer)
        return replace(rights, sight=judgement.sight(facts, viewer.launched, self._clock()))

    async def close(self) -> None:
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def _facts(self, viewer: Viewer) -> Facts:
        launched_in = viewer.launched.course_id if viewer.launched else None
        if viewer.user_id is None:
            return await standing.of_nobody(
                self._database, viewer.institution_id, launched_in=launched_in
            )
        known = await self._standing(viewer, viewer.user_id)
        upstream = self._upstreams.get(viewer.institution_id)
        if upstream is None or known.canvas_id is None or not _due(known, self._clock()):
            return known.facts
        asker = _Asker(
            upstream, self._database, viewer, viewer.user_id, known.canvas_id, known, self._clock
        )
        await self._ask_within_patience(asker)
        return (await self._standing(viewer, viewer.user_id)).facts

    async def _standing(self, viewer: Viewer, person: int) -> Standing:
        launched_in = viewer.launched.course_id if viewer.launched else None
        return await standing.of_person(
            self._database, viewer.institution_id, person, launched_in=launched_in
        )

    async def _ask_within_patience(self, asker: "_Asker") -> None:
        """Requests that come meanwhile wait for the same answers."""
        key = (asker.viewer.institution_id, asker.person)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.ensure_future(asker.ask())
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        await asyncio.wait([task], timeout=PATIENCE)


def _due(known: Standing, now: datetime) -> bool:
    asked = known.facts.accounts_asked_at
    return asked is None or now - asked > judgement.FRESH or bool(_stale(known.facts, now))


def _stale(facts: Facts, now: datetime) -> Sequence[CourseFacts]:
    return [
        one
        for one in facts.courses[:MOST_COURSES]
        if one.canvas_id is not None and (one.answer is None or not one.answer.is_fresh(now))
    ]


@dataclass(frozen=True)
class _Asker:
    """Asks Canvas all that is due of one person, and keeps what it says; what it does not say is left as it was."""

    upstream: Upstream
    database: Database
    viewer: Viewer
    person: int
    canvas_id: int
    known: Standing
    clock: Callable[[], datetime]

    async def ask(self) -> None:
        now = self.clock()
        call = await self._call()
        if call is None:
            return
        turns = asyncio.Semaphore(AT_ONCE)
        questions = [self._course(call, one) for one in _stale(self.known.facts, now)]
        asked = self.known.facts.accounts_asked_at
        if asked is None or now - asked > judgement.FRESH:
            questions.append(self._accounts(call))
        await asyncio.gather(*(self._in_turn(turns, question) for question in questions))

    async def _call(self) -> Call | None:
        """The person's own token before the admin's standing in for them."""
        own = await self.upstream.credentials.of_person(self.person)
        if own is not None:
            return Call(credential=own, meter=Meter())
        admin = self.upstream.credentials.admin()
        if admin is None:
            return None
        return Call(credential=admin, meter=Meter(), as_user=self._spelled(self.canvas_id))

    async def _in_turn(self, turns: asyncio.Semaphore, question: Coroutine[Any, Any, None]) -> None:
        async with turns:
            try:
                await question
            except SourceError as error:  # unknown is not shown, and a gap says so
                _log.warning("Canvas did not say what somebody may see: %s", error)

    async def _course(self, call: Call, course: CourseFacts) -> None:
        if course.canvas_id is None:
            return
        path = f"/courses/{self._spelled(course.canvas_id)}"
        rights = await self._rights(call, path)
        sections = await self._cut(call, path) if rights else None
        await self._keep([Told(COURSE, course.course_id, rights, sections)])

    async def _accounts(self, call: Call) -> None:
        listed = [
            row async for page in self.upstream.canvas.pages(call, "/accounts") for row in page
        ]
        told = [Told(ACCOUNTS, 0, frozenset())]
        shard = self.viewer.shard
        ours = await standing.account_ids(
            self.database,
            self.viewer.institution_id,
            [to_global(str(row["id"]), shard) for row in listed[:MOST_ACCOUNTS]],
        )
        for row in listed[:MOST_ACCOUNTS]:
            kind = ROOT if row.get("root_account_id") is None else ACCOUNT
            scope = 0 if kind == ROOT else ours.get(to_global(str(row["id"]), shard))
            if scope is not None:
                told.append(Told(kind, scope, await self._rights(call, f"/accounts/{row['id']}")))
        await self._keep(told, instead_of=(ROOT, ACCOUNT))

    async def _rights(self, call: Call, path: str) -> frozenset[Right]:
        """What Canvas says that the person may do there; nothing where it does not let them in."""
        try:
            answer = await self.upstream.canvas.get(call, f"{path}/permissions", _ASKED)
        except NotThere:
            return frozenset()
        except SourceRefused as refusal:
            if any(words in str(refusal) for words in _NOT_AS_THEM):
                raise
            return frozenset()
        return frozenset(right for right in CANVAS_RIGHTS if answer.get(right.value) is True)

    async def _cut(self, call: Call, path: str) -> frozenset[int] | None:
        """The only sections that Canvas lists for them; None where it cuts nothing."""
        params = [
            ("user_id", self._spelled(self.canvas_id)),
            *(("state[]", state) for state in _OWN_STATES),
        ]
        own = [
            row
            async for page in self.upstream.canvas.pages(call, f"{path}/enrollments", params)
            for row in page
        ]
        if not own or not all(row.get("limit_privileges_to_course_section") for row in own):
            return None
        return frozenset(to_global(str(row["course_section_id"]), self.viewer.shard) for row in own)

    async def _keep(self, told: Sequence[Told], *, instead_of: tuple[str, ...] = ()) -> None:
        await standing.keep(
            self.database,
            self.viewer.institution_id,
            self.person,
            told,
            now=self.clock(),
            instead_of=instead_of,
        )

    def _spelled(self, canvas_id: int) -> str:
        return to_rest(canvas_id, self.viewer.shard)
