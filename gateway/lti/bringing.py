"""A launch brings in what its page will show, before the page is shown: a class, the school's courses, somebody's own.

It waits a little and no longer: what takes more goes on behind it, the page says so, and a durable job sees it through,
should this process die. A class and somebody's courses are asked of the graph as the launched person, so that nobody brings
in more than they may see.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from gateway.errors import PublicError
from gateway.jobs import Arguments, Job, Steps, enqueue
from gateway.needs import Need, Scope, ScopeKind, Subject
from gateway.outcomes import Asking
from gateway.readpath import node_ids
from gateway.store import sessions
from gateway.store.sessions import Session
from gateway.uow import Database
from gateway.viewer import Launched, Viewer

_log = logging.getLogger(__name__)

JOB = "launch"
PATIENCE = timedelta(seconds=5)
BEHIND = timedelta(minutes=15)  # a report takes as long, and may be cheaper than all the lists

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


FindViewer = Callable[[Session], Awaitable[Viewer | None]]
Ask = Callable[[Viewer, str, dict[str, Any]], Awaitable[object]]
Place = tuple[int, int]  # our ids: of the institution, and of the course or 0


class Bringing:
    """Of one process. `ask` is done when a page would be, `ask_behind` when what is asked is here.

    `max_age`: of an institution's answers, by its slug.
    """

    def __init__(
        self,
        *,
        database: Database,
        find_viewer: FindViewer,
        ask: Ask,
        ask_behind: Ask,
        reads: Reads,
        max_age: Callable[[str], timedelta | None],
        clock: Callable[[], datetime],
        patience: timedelta = PATIENCE,
    ) -> None:
        self._database = database
        self._find_viewer = find_viewer
        self._ask = ask
        self._ask_behind = ask_behind
        self._reads = reads
        self._max_age = max_age
        self._clock = clock
        self._patience = patience.total_seconds()
        self._under_way: defaultdict[Place, set[asyncio.Task[None]]] = defaultdict(set)

    async def bring(self, session: Session) -> None:
        """What the session's page will show, if that is soon here. A launch never fails for it."""
        task = self._begun(session, self._ask)
        await asyncio.wait([task], timeout=self._patience)
        if not task.done():
            await self._hand_over(session)

    def job(self) -> Job:
        """What sees a launch's read through. It shares what is under way, and asks for nothing that is here by then."""
        return Job(name=JOB, work=self._carry)

    def is_under_way(self, institution_id: int, course_id: int | None) -> bool:
        """Whether the class, or (None) the courses, of a launch are still being read."""
        return (institution_id, course_id or 0) in self._under_way

    async def close(self) -> None:
        tasks = [task for several in self._under_way.values() for task in several]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hand_over(self, session: Session) -> None:
        await self._database.transact(
            lambda tx: enqueue(
                tx,
                session.institution_id,
                name=JOB,
                key=f"launch-{session.id}",
                arguments={"session": session.id},
                now=self._clock(),
            )
        )

    async def _carry(self, steps: Steps, institution_id: int, arguments: Arguments) -> None:
        async def bring() -> None:
            session = await sessions.by_id(
                self._database, institution_id, int(arguments["session"]), now=self._clock()
            )
            if session is not None:  # else it is over: nobody waits for it any more
                await self._begun(session, self._ask_behind)

        await steps.run("bring", bring)

    def _begun(self, session: Session, ask: Ask) -> asyncio.Task[None]:
        place = session.institution_id, session.course_id or 0
        task = asyncio.create_task(self._brought(session, ask))
        self._under_way[place].add(task)
        task.add_done_callback(lambda done: self._ended(place, done))
        return task

    async def _brought(self, session: Session, ask: Ask) -> None:
        try:
            viewer = await self._find_viewer(session)
            if viewer is not None:
                await self._seen_by(viewer, viewer.launched, ask)
        except PublicError as error:
            _log.info("not brought in", extra={"fields": {"why": error.code}})

    async def _seen_by(self, viewer: Viewer, launched: Launched | None, ask: Ask) -> None:
        if launched is None or viewer.user_id is None:
            return
        if launched.course_id is not None:
            course = node_ids.encode("Course", launched.course_id)
            await ask(viewer, _CLASS, {"course": course})
        elif viewer.rights.sight is not None and viewer.rights.sight.accounts:
            await self._school(viewer)
        else:
            await ask(viewer, _OWN_COURSES, {})

    async def _school(self, viewer: Viewer) -> None:
        """By whatever is cheapest, a report included: nobody waits for its end."""
        need = Need(
            scope=Scope(kind=ScopeKind.INSTITUTION, id=0),
            subject=Subject.COURSES,
            groups=frozenset(),
            states=frozenset(),
            max_age=self._max_age(viewer.institution_slug) or BEHIND,
            person=viewer.user_id,
            deadline=BEHIND,
        )
        await self._reads.ensure([need], Asking(viewer=viewer, now=self._clock()))

    def _ended(self, place: Place, task: asyncio.Task[None]) -> None:
        several = self._under_way[place]
        several.discard(task)
        if not several:
            del self._under_way[place]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a launch brought nothing in", exc_info=error)
