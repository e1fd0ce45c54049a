"""Where the owner of a token is enrolled in a section alone, so that Canvas cuts a course's list for them without a sign.

It does so for administrators too, and before it looks at any of their rights (canvas-lms: app/models/course.rb).
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from gateway.batch import Enrollment
from gateway.canvas import rows
from gateway.canvas.client import Call, Canvas
from models.canvas_ids import to_global

# A caller's own list compares states by date, `deleted` is none of them (canvas-lms: enrollments_api_controller.rb).
OWN_STATES = (
    *("active", "inactive", "rejected", "invited", "creation_pending"),
    *("pending_active", "pending_invited", "completed"),
)


@dataclass(frozen=True, kw_only=True)
class _Owner:
    user: int
    enrollments: tuple[Enrollment, ...]
    as_of: datetime


class OwnEnrollments:
    """Those of the tokens of one Canvas, remembered."""

    def __init__(self, canvas: Canvas, clock: Callable[[], datetime]) -> None:
        self._canvas = canvas
        self._clock = clock
        self._owners: dict[str, _Owner] = {}
        self._asking = asyncio.Lock()

    async def cut(
        self, call: Call, course: int, listed: Iterable[Enrollment], *, shard: int, since: datetime
    ) -> bool:
        """Whether the caller sees some sections of the course only, as was so at `since` or later.

        `listed`: what they were shown of it. Their own rows are among that where the course's state hides them elsewhere.
        """
        owner = await self._owner(call, shard, since)
        own = [row for row in owner.enrollments if row.course == course]
        own += [row for row in listed if row.course == course and row.person == str(owner.user)]
        return bool(own) and all(row.limit_to_section for row in own)

    async def _owner(self, call: Call, shard: int, since: datetime) -> _Owner:
        token = await call.credential.token()
        key = hashlib.sha256(token.encode()).hexdigest()
        async with self._asking:  # a burst of lists has one question
            known = self._owners.get(key)
            if known is None or known.as_of < since:
                known = self._owners[key] = await self._asked(call, shard, known)
            return known

    async def _asked(self, call: Call, shard: int, known: _Owner | None) -> _Owner:
        began = self._clock()
        if known is None:
            user = to_global(str((await self._canvas.get(call, "/users/self"))["id"]), shard)
        else:
            user = known.user
        params = [("state[]", state) for state in OWN_STATES]
        found = [
            rows.enrollment(row, shard)
            async for page in self._canvas.pages(call, "/users/self/enrollments", params)
            for row in page
        ]
        return _Owner(user=user, enrollments=tuple(found), as_of=began)
