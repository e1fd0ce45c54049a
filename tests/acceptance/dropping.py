"""Ways in which an answer may be broken, and how a source's reads are judged by them: nobody enrolled may be lost.

A drop is somebody enrolled whom the store says to have left; a denial is somebody enrolled who is missing from a scope that a
read says to have shown whole.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle
from random import Random
from typing import Any

from tests.gateway.sources.readers import Readers
from tests.upstream import Upstream
from twin.faults import Kind
from twin.records import Course

_HOUR = timedelta(hours=1)

Fault = tuple[Kind, dict[str, Any]]

FAULTS: dict[str, Fault] = {
    "every page cut": (Kind.CUT_PAGE, {}),
    "one page cut": (Kind.CUT_PAGE, {"count": 1}),
    "a later page cut": (Kind.CUT_PAGE, {"after": 1}),
    "the third page cut": (Kind.CUT_PAGE, {"after": 2}),
    "no byte": (Kind.EMPTY, {}),
    "an empty list": (Kind.EMPTY_LIST, {}),
    "an empty list once": (Kind.EMPTY_LIST, {"count": 1}),
    "an empty list later": (Kind.EMPTY_LIST, {"after": 1}),
    "no links": (Kind.LINK_MISSING, {}),
    "a loop": (Kind.LINK_LOOP, {}),
    "a foreign link": (Kind.LINK_FOREIGN, {}),
    "no id": (Kind.STRIP_IDS, {}),
    "no user_id": (Kind.STRIP_IDS, {"keys": ("user_id",)}),
    "no state": (Kind.STRIP_IDS, {"keys": ("enrollment_state", "status")}),
    "no members": (Kind.STRIP_IDS, {"keys": ("members",)}),
    "no JSON": (Kind.MALFORMED_JSON, {}),
    "half a body": (Kind.CUT_BODY, {}),
    "refused": (Kind.STATUS, {"status": 403}),
    "refused half-way": (Kind.STATUS, {"status": 403, "after": 1}),
    "unauthorized half-way": (Kind.STATUS, {"status": 401, "after": 1}),
    "not found": (Kind.STATUS, {"status": 404}),
    "down half-way": (Kind.STATUS, {"status": 502, "after": 1}),
    "throttled for good": (Kind.THROTTLE, {}),
    "throttled once": (Kind.THROTTLE, {"count": 1}),
}
REPORT_FAULTS: dict[str, Fault] = {
    "stuck": (Kind.REPORT_STUCK, {}),
    "in error": (Kind.REPORT_ERROR, {}),
    "cut": (Kind.REPORT_TRUNCATED, {}),
    "a zip bomb": (Kind.REPORT_ZIP_BOMB, {}),
    "latin-1": (Kind.REPORT_ENCODING, {}),
    "utf-16": (Kind.REPORT_ENCODING, {"encoding": "utf-16"}),
    "shuffled columns": (Kind.REPORT_SHUFFLED, {}),
}


def alone(faults: dict[str, Fault]) -> dict[str, tuple[Fault, ...]]:
    return {name: (fault,) for name, fault in faults.items()}


def in_pairs(faults: dict[str, Fault], count: int, random: Random) -> dict[str, tuple[Fault, ...]]:
    """One on the case's own path, and another on everything that is asked to verify it."""
    found: dict[str, tuple[Fault, ...]] = {}
    names = list(faults)
    while len(found) < count:
        one, other = random.choice(names), random.choice(names)
        kind, more = faults[other]
        found[f"{one}, and elsewhere {other}"] = (faults[one], (kind, {**more, "path": ""}))
    return found


@dataclass(kw_only=True)
class Case:
    """A source and a scope. `enrolled`: Canvas's ids of what a whole read of it shows; `kept`: of what the store does.

    `others`: who must stay beside them. `prepare`: what happens while the scope is known, before it is broken. `uncounted`: of a
    person's enrollments Canvas keeps no count, so what it leaves out of all lists, and nobody has heard of, cannot be seen. `due`: whether the read itself left it to
    another source: then nobody is answered from it while that can be asked.
    """

    path: str
    faults: dict[str, tuple[Fault, ...]]
    read: Callable[[], Awaitable[bool]]
    enrolled: Callable[[], set[str]]
    kept: Callable[[], Awaitable[set[str]]]
    ended: Callable[[], Awaitable[set[str]]]
    name: str = ""
    others: Callable[[], set[str]] = set
    prepare: Callable[[], Awaitable[object]] | None = None
    uncounted: bool = False
    due: Callable[[], Awaitable[bool]] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)

    def _leaves_out(self, fault: str) -> bool:
        """Whether rows are left out of everything that is asked, without a sign."""
        return any(
            kind in (Kind.CUT_PAGE, Kind.EMPTY_LIST) and "count" not in more
            for kind, more in self.faults.get(fault, ())
        )

    async def judge(self, fault: str, when: str, *, whole: bool) -> None:
        enrolled, kept, ended = self.enrolled(), await self.kept(), await self.ended()
        dropped = ((enrolled | self.others()) & ended) - kept
        denied = enrolled - kept if whole else set()
        if denied and self.uncounted and when == "at first" and self._leaves_out(fault):
            self.counts["cannot be seen"] += 1
            denied = set()
        if (dropped or denied) and self.due is not None and await self.due():
            self.counts["questioned"] += len(dropped | denied)
            dropped, denied = set(), set()
        self.counts["reads"] += 1
        self.counts["whole"] += whole
        self.counts["dropped"] += len(dropped)
        self.counts["denied"] += len(denied)
        if dropped or denied:
            self.said.append(f"{self.name}, {fault}, {when}: dropped {dropped}, denied {denied}")


@dataclass
class Churn:
    """People of the course who really leave and come back, one at each turn."""

    twin: Upstream
    course: Course

    def __post_init__(self) -> None:
        students = (
            row for row in self.twin.truth(self.course) if row["type"] == "StudentEnrollment"
        )
        self.users = cycle(sorted({row["user_id"] for row in students})[:7])
        self.left: list[str] = []

    def turn(self) -> None:
        course = str(self.course.id)
        if self.left:
            self.twin.change("enrol", user=self.left.pop(), course=course)
        leaving = next(self.users)
        self.twin.change("drop", user=leaving, course=course)
        self.left.append(leaving)


async def run(case: Case, churn: Churn, readers: Readers) -> None:
    """Each fault twice: when the store knows the scope, and when it reads it for the first time."""
    twin = readers.twin
    assert await case.read(), "unbroken it reads whole"
    await case.judge("none", "at first", whole=True)
    for fault, kinds in case.faults.items():
        for when in ("known", "at first"):
            if when == "at first":
                await readers.forget_rosters()
            elif case.prepare is not None:
                await case.prepare()
            churn.turn()
            twin.clock.advance(_HOUR)
            for kind, more in kinds:
                twin.break_(kind, **({"path": case.path} | more))
            await case.judge(fault, when, whole=await case.read())
            twin.mend()
            twin.clock.advance(_HOUR)
            assert await case.read(), f"it reads whole again after {fault}"
            await case.judge("none", "known", whole=True)
