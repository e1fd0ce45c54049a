"""Single things that the store does not know, asked of Canvas by the id form given; what it does not have is remembered too.

That Canvas says "no" is an answer; that it could not be asked is an error, never a no.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from gateway.batch import Batch
from gateway.cache import Cache
from gateway.canvas import rows
from gateway.canvas.client import Call, Canvas, Meter, segment
from gateway.canvas.credentials import Credentials
from gateway.errors import (
    BadRequest,
    NotThere,
    SourceError,
    SourceThrottled,
    SourceUnavailable,
    Throttled,
)
from gateway.identity import Trust
from gateway.merge import Reading
from gateway.readpath.lookups import By
from gateway.store import institutions, scopes, taking
from gateway.uow import Database
from models.canvas_ids import to_global, to_rest
from models.roster import Source

MISSES_KEPT_FOR = timedelta(minutes=5)

# Forms of ids by their names in the graph (canvas-lms: lib/api.rb). An enrollment has Canvas's own id alone.
_PREFIXES: Mapping[str, Mapping[str, str]] = {
    "Course": {
        "sisId": "sis_course_id:",
        "integrationId": "sis_integration_id:",
        "ltiContextId": "lti_context_id:",
    },
    "Section": {"sisId": "sis_section_id:", "integrationId": "sis_integration_id:"},
    "User": {
        "sisId": "sis_user_id:",
        "integrationId": "sis_integration_id:",
        "loginId": "sis_login_id:",
        "ltiSub": "lti_1_3_id:",
        "lti11UserId": "lti_user_id:",
        "uuid": "uuid:",
    },
    "Enrollment": {},
}
_PATHS = {
    "Course": ("/courses/", (("include[]", "term"),)),
    "Section": ("/sections/", ()),
    "User": ("/users/", (("include[]", "uuid"),)),
    "Enrollment": ("/accounts/self/enrollments/", ()),
}


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What one question brings: rows for the store, and which of them it was about."""

    batch: Batch
    table: str
    canvas_id: int


class Lookups:
    """Of one institution."""

    def __init__(
        self,
        *,
        institution_id: int,
        canvas: Canvas,
        database: Database,
        credentials: Credentials,
        clock: Callable[[], datetime],
        cache: Cache,
        trust: Trust = Trust(),  # noqa: B008  frozen
    ) -> None:
        """`cache`: where misses are remembered."""
        self._institution_id = institution_id
        self._canvas = canvas
        self._database = database
        self._credentials = credentials
        self._clock = clock
        self._trust = trust
        self._cache = cache
        self._asking: dict[By, asyncio.Task[int | None]] = {}

    def answers(self, by: By) -> bool:
        """Whether Canvas can be asked for such a thing by such an id."""
        forms = _PREFIXES.get(by.type_name)
        return forms is not None and (by.form == "canvasId" or by.form in forms)

    async def ask(self, by: By) -> int | None:
        """Our id of the row, which is in the store now; None where Canvas says that there is none, or that we may not see it.

        SourceUnavailable or Throttled when Canvas could not be asked. Equal questions at one time are one.
        """
        if await self._cache.get(bool, *self._missed(by)):
            return None
        task = self._asking.get(by)
        if task is None:
            task = asyncio.create_task(self._answered(by))
            self._asking[by] = task
            task.add_done_callback(lambda done: self._forget(by, done))
        return await asyncio.shield(task)

    def _forget(self, by: By, done: asyncio.Task[int | None]) -> None:
        del self._asking[by]
        if not done.cancelled():
            done.exception()  # seen: whoever was cancelled will not ask for it

    async def _answered(self, by: By) -> int | None:
        try:
            found = await self._found(by)
        except NotThere:
            found = None
        except SourceThrottled as error:
            raise Throttled(f"Canvas could not be asked for {by} just now: {error}") from error
        except SourceError as error:
            raise SourceUnavailable(f"Canvas could not be asked for {by}: {error}") from error
        if found is None:
            await self._cache.put(True, *self._missed(by), lasts=MISSES_KEPT_FOR)  # noqa: FBT003  that it is missing
        return found

    def _missed(self, by: By) -> tuple[object, ...]:
        return "missed", self._institution_id, by.type_name, by.form, by.value

    async def _found(self, by: By) -> int | None:
        admin = self._credentials.admin()
        institution = await institutions.by_id(self._database, self._institution_id)
        if admin is None or institution is None:
            raise SourceUnavailable(
                f"There is no {by} in the store, and there is no token to ask Canvas for it with."
            )
        question = _Question(
            canvas=self._canvas,
            call=Call(credential=admin, meter=Meter()),
            institution_id=self._institution_id,
            shard=institution.shard,
            began_at=self._clock(),
        )
        asked = await question.ask(by)
        now = self._clock()
        batch = replace(asked.batch, ended_at=now)
        await taking.take(self._database, batch, now=now, trust=self._trust)
        return await scopes.row_of(
            self._database, self._institution_id, asked.table, asked.canvas_id
        )


@dataclass(frozen=True, kw_only=True)
class _Question:
    canvas: Canvas
    call: Call
    institution_id: int
    shard: int
    began_at: datetime

    async def ask(self, by: By) -> _Asked:
        path, params = _PATHS[by.type_name]
        try:
            answer = await self.canvas.get(self.call, path + self._spelled(by), params)
        except NotThere as error:
            if error.merged_into is None or by.type_name != "User":
                raise
            answer = await self.canvas.get(self.call, f"/users/{error.merged_into}", params)
        match by.type_name:
            case "Course":
                return self._course(answer)
            case "Section":
                return self._section(answer)
            case "User":
                return self._user(answer)
            case _:
                return await self._enrollment(answer)

    def _spelled(self, by: By) -> str:
        if by.form == "canvasId":
            try:
                return to_rest(to_global(by.value, self.shard), self.shard)
            except ValueError as error:
                raise BadRequest(str(error)) from error
        return segment(_PREFIXES[by.type_name][by.form] + by.value)

    def _course(self, answer: rows.Json) -> _Asked:
        course = rows.course(answer, self.shard)
        return _Asked(
            batch=self._batch(courses=(course,)), table="course", canvas_id=course.canvas_id
        )

    def _section(self, answer: rows.Json) -> _Asked:
        section = rows.section(answer, self.shard)
        return _Asked(
            batch=self._batch(sections=(section,)), table="section", canvas_id=section.canvas_id
        )

    def _user(self, answer: rows.Json) -> _Asked:
        person = rows.person(answer, self.shard)
        return _Asked(
            batch=self._batch(people=(person,)), table="person", canvas_id=int(person.key)
        )

    async def _enrollment(self, answer: rows.Json) -> _Asked:
        """A single enrollment comes without its people, who are asked for too."""
        enrollment = rows.enrollment(answer, self.shard)
        user = await self.canvas.get(
            self.call, f"/users/{to_rest(int(enrollment.person), self.shard)}"
        )
        people = [rows.person(user, self.shard)]
        if enrollment.associated is not None:
            people.append(rows.named(int(enrollment.associated)))
        return _Asked(
            batch=self._batch(people=tuple(people), enrollments=(enrollment,)),
            table="enrollment",
            canvas_id=enrollment.canvas_id,
        )

    def _batch(self, **told: Any) -> Batch:
        return Batch(
            institution_id=self.institution_id,
            source=Source.ENROLLMENTS_API,
            reading=Reading.ENROLLMENTS_API,
            authority="admin",
            began_at=self.began_at,
            ended_at=self.began_at,
            **told,
        )
