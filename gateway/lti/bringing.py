"""A launch brings in what its page will show, before the page is shown: a class, the school's courses, somebody's own.

It waits a little and no longer: what takes more goes on behind it, and the page says so. A class and somebody's courses are asked
of the graph as the launched person, so that nobody brings in more than they may see.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from gateway.auth import SESSION_COOKIES
from gateway.errors import PublicError
from gateway.outcomes import Asking
from gateway.planner import Need, Scope, ScopeKind, Subject
from gateway.readpath import node_ids
from gateway.store.sessions import Session
from gateway.viewer import Launched, Viewer

_log = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=5)
_BEHIND = timedelta(minutes=15)  # a report takes as long, and may be cheaper than all the lists

# No row is taken from these, so nobody counts as shown; the fields are those of the page, and so is what is read.
_CLASS = """query LaunchedClass($course: ID!) {
  course(by: {id: $course}) { members(first: 0) { nodes { types user { name sortableName email } } } }
}"""
_OWN_COURSES = """query LaunchedCourses {
  viewer { user { enrollments(first: 0) { nodes { course { name courseCode } } } } }
}"""


class Reads(Protocol):
    """What makes the store fresh enough (`gateway.reads`)."""

    async def ensure(self, needs: Sequence[Need], asking: Asking, /) -> Sequence[object]: ...


Authenticate = Callable[[Mapping[str, str]], Awaitable[Viewer]]
Ask = Callable[[Viewer, str, dict[str, Any]], Awaitable[object]]
Place = tuple[int, int]  # our ids: of the institution, and of the course or 0


class Bringing:
    """Of one process. `max_age`: of an institution's answers, by its slug."""

    def __init__(
        self,
        *,
        authenticate: Authenticate,
        ask: Ask,
        reads: Reads,
        max_age: Callable[[str], timedelta | None],
        clock: Callable[[], datetime],
        patience: timedelta = PATIENCE,
    ) -> None:
        self._authenticate = authenticate
        self._ask = ask
        self._reads = reads
        self._max_age = max_age
        self._clock = clock
        self._patience = patience.total_seconds()
        self._under_way: defaultdict[Place, set[asyncio.Task[None]]] = defaultdict(set)

    async def bring(self, session: Session, cookie: str) -> None:
        """What the session's page will show, if that is soon here. A launch never fails for it."""
        place = session.institution_id, session.course_id or 0
        task = asyncio.create_task(self._brought(cookie))
        self._under_way[place].add(task)
        task.add_done_callback(lambda done: self._ended(place, done))
        await asyncio.wait([task], timeout=self._patience)

    def is_under_way(self, institution_id: int, course_id: int | None) -> bool:
        """Whether the class, or (None) the courses, of a launch are still being read."""
        return (institution_id, course_id or 0) in self._under_way

    async def close(self) -> None:
        tasks = [task for several in self._under_way.values() for task in several]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _brought(self, cookie: str) -> None:
        try:
            viewer = await self._authenticate({"cookie": f"{SESSION_COOKIES[0]}={cookie}"})
            await self._seen_by(viewer, viewer.launched)
        except PublicError as error:
            _log.info("not brought in", extra={"fields": {"why": error.code}})

    async def _seen_by(self, viewer: Viewer, launched: Launched | None) -> None:
        if launched is None or viewer.user_id is None:
            return
        if launched.course_id is not None:
            course = node_ids.encode("Course", launched.course_id)
            await self._ask(viewer, _CLASS, {"course": course})
        elif viewer.rights.sight is not None and viewer.rights.sight.accounts:
            await self._school(viewer)
        else:
            await self._ask(viewer, _OWN_COURSES, {})

    async def _school(self, viewer: Viewer) -> None:
        """By whatever is cheapest, a report included: nobody waits for its end."""
        need = Need(
            scope=Scope(kind=ScopeKind.INSTITUTION, id=0),
            subject=Subject.COURSES,
            groups=frozenset(),
            states=frozenset(),
            max_age=self._max_age(viewer.institution_slug) or _BEHIND,
            person=viewer.user_id,
            deadline=_BEHIND,
        )
        await self._reads.ensure([need], Asking(viewer=viewer, now=self._clock()))

    def _ended(self, place: Place, task: asyncio.Task[None]) -> None:
        several = self._under_way[place]
        several.discard(task)
        if not several:
            del self._under_way[place]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a launch brought nothing in", exc_info=error)
