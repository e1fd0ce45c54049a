"""What was true of each roster and since when, and what the store shows of it."""

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bench.school_twin import SchoolTwin
from bench.traffic import Wants
from gateway.readpath.filters import EnrollmentFilter
from gateway.readpath.levels import Listing
from gateway.readpath.members import Roster
from gateway.readpath.paging import Window
from gateway.readpath.registry import USER, Reader
from gateway.readpath.shapes import Shape
from models.roster import MEMBER_STATES, ROSTER_STATES
from twin.records import Enrollment

_MOST_PEOPLE = 100_000
_ON_ROSTER = frozenset(state.value for state in ROSTER_STATES)

Truth = frozenset[tuple[str, str]]
"""Canvas's id of an enrollment and its state; of a person, and ACTIVE."""


@dataclass(kw_only=True)
class History:
    """What was true of one course since when."""

    since: list[datetime] = field(default_factory=list)
    enrollments: list[Truth] = field(default_factory=list)
    members: list[Truth] = field(default_factory=list)

    def note(self, now: datetime, rows: Iterable[Enrollment]) -> None:
        """Test students are in no report and on no membership list."""
        real = [row for row in rows if row.type != "StudentViewEnrollment"]
        stated = [(str(row.id), row.workflow_state.upper()) for row in real]
        self.since.append(now)
        self.enrollments.append(frozenset(one for one in stated if one[1] in _ON_ROSTER))
        active = {str(row.user_id) for row in real if row.workflow_state == "active"}
        self.members.append(frozenset((user, "ACTIVE") for user in active))

    def spoken(self, wants: Wants, as_of: datetime, until: datetime) -> Sequence[Truth]:
        """As it was at `as_of`, and whatever it has been from then on."""
        first = max(0, bisect.bisect_right(self.since, as_of) - 1)
        last = bisect.bisect_right(self.since, until)
        return (self.members if wants is Wants.MEMBERS else self.enrollments)[first:last]

    def changed(self, after: datetime, until: datetime) -> bool:
        return bisect.bisect_right(self.since, after) != bisect.bisect_right(self.since, until)


def contradictions(shown: Truth, spoken: Sequence[Truth]) -> Truth:
    """What is shown and was not so at any time since the as-of, or was so all the time and is not shown."""
    ever, always = frozenset[tuple[str, str]]().union(*spoken), spoken[0].intersection(*spoken)
    return (shown - ever) | (always - shown)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """`held`: those that an answer says to have been missing from the newest whole read, and to stay until that is proved."""

    told: Truth
    held: Truth


async def shown_of(twin: SchoolTwin, course: int, wants: Wants) -> Shown:
    """`course`: our id."""
    rows = await _enrollments(twin, course)
    if wants is not Wants.MEMBERS:
        return Shown(
            told=frozenset((row, state) for row, _, state, _ in rows),
            held=frozenset((row, state) for row, _, state, missing in rows if missing),
        )
    held = frozenset((person, "ACTIVE") for _, person, _, missing in rows if missing)
    return Shown(told=await _members(twin, course), held=held)


async def _enrollments(twin: SchoolTwin, course: int) -> list[tuple[str, str, str, bool]]:
    """Canvas's ids of row and person, the state, and whether it was missing."""
    words = ", ".join(f"'{state}'" for state in ROSTER_STATES)
    rows = await twin.connections.fetch(
        "select e.canvas_id, p.canvas_id, e.state, e.missing_since from enrollment e join person p on p.id = e.person_id"
        " and p.institution_id = $1 where e.institution_id = $1 and e.course_id = $2 and e.removed_at is null"
        f" and e.state in ({words}) and e.type <> 'TEST_STUDENT'",
        [twin.institution.id, course],
    )
    return [
        (str(row % 10**13), str(person % 10**13), state, missing is not None)
        for row, person, state, missing in rows
    ]


async def _members(twin: SchoolTwin, course: int) -> Truth:
    """As the graph reads them: enrollments and memberships together."""
    viewer = twin.viewer
    reader = Reader(
        institution_id=viewer.institution_id,
        shard=viewer.shard,
        now=twin.clock.now(),
        rights=viewer.rights,
    )
    listing = Listing(
        shape=Shape(USER, frozenset({"canvasId"})),
        parent="course_id",
        filter=EnrollmentFilter(states=MEMBER_STATES),
        window=Window(size=_MOST_PEOPLE),
    )
    pages = await Roster(listing=listing).pages(twin.connections, reader, [course])
    return frozenset((str(row["user"]["canvasId"]), "ACTIVE") for row in pages[course].rows)
