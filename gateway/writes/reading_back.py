"""What came of an order: by Canvas's answer, or by what it shows where the answer was lost."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from gateway.batch import UNTOLD, Enrollment, Person
from gateway.canvas import enrollment_writes, rows
from gateway.canvas.client import Call, Canvas
from gateway.errors import CutShort, NotThere
from gateway.store.intended import Problem
from gateway.writes.orders import LIVING, Order, Outcome, SoughtPerson
from models.roster import MutationErrorCode

# Our clock and Canvas's may be so far apart.
_CLOCKS_APART = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The enrollment or the person that it was about, as of when. `problem`: how it differs from what was asked for."""

    as_of: datetime
    people: tuple[Person, ...]
    enrollment: Enrollment | None = None
    problem: Problem | None = None


def answered(order: Order, answer: rows.Json, *, shard: int, now: datetime) -> Found:
    """CutShort when this is no answer to the order. A read that began before the answer came knows less than it."""
    if isinstance(order.sought, SoughtPerson):
        person = rows.person(answer, shard)
        return Found(as_of=now, people=(person,), problem=_ids_left_out(order.sought, person))
    row = rows.enrollment(answer, shard)
    if not order.sought.is_row(row):
        raise CutShort("Canvas answered with another enrollment than the one that it was told of")
    return _with_people(order.outcome, row, now)


async def looked_up(
    canvas: Canvas, call: Call, order: Order, *, told_at: datetime, shard: int, now: datetime
) -> Found | None:
    """None: Canvas shows that it is not done so far. A SourceError when it could not be looked."""
    if isinstance(order.sought, SoughtPerson):
        return await _person(canvas, call, order.sought, told_at, shard, now)
    sought = order.sought
    shown = await enrollment_writes.shown(canvas, call, sought.course, sought.person, shard)
    for row in filter(sought.is_row, shown.enrollments):
        if order.outcome.met_by(row) or (sought.enrollment is None and row.state in LIVING):
            return _with_people(order.outcome, row, now)
    if sought.enrollment is not None and shown.row(sought.enrollment) is None:
        raise CutShort("these eyes are not shown the enrollment, so they cannot tell")
    return None


async def _person(
    canvas: Canvas, call: Call, sought: SoughtPerson, told_at: datetime, shard: int, now: datetime
) -> Found | None:
    """Somebody of that name who was there before is not the one who was asked for."""
    form = "sis_user_id" if sought.sis_id is not None else "sis_login_id"
    # A dot in a path begins a format for Canvas's router.
    value = quote(sought.sis_id or sought.login_id, safe="").replace(".", "%2E")
    try:
        user = await canvas.get(call, f"/users/{form}:{value}")
    except NotThere:
        return None
    made_at = datetime.fromisoformat(str(user["created_at"])) if "created_at" in user else None
    if made_at is None or made_at < told_at - _CLOCKS_APART:
        return None
    person = rows.person(user, shard)
    return Found(as_of=now, people=(person,), problem=_ids_left_out(sought, person))


def _with_people(outcome: Outcome, row: Enrollment, now: datetime) -> Found:
    named = [row.person, *([] if row.associated is None else [row.associated])]
    problem = None
    if not outcome.met_by(row):
        problem = Problem(
            code=MutationErrorCode.CONFLICT,
            message=f"Canvas took it, but the enrollment is not as it was asked to be: it is {row.state} now.",
        )
    people = tuple(rows.named(int(key)) for key in named)
    return Found(as_of=now, people=people, enrollment=row, problem=problem)


def _ids_left_out(sought: SoughtPerson, person: Person) -> Problem | None:
    """Without the right to manage SIS data Canvas drops these ids and does not say so (roster-rest.md §9)."""
    for place, asked, told in (
        ("sisId", sought.sis_id, person.sis_id),
        ("integrationId", sought.integration_id, person.integration_id),
    ):
        if asked is not None and told is not UNTOLD and told != asked:
            return Problem(
                code=MutationErrorCode.NOT_PERMITTED,
                message=f"Canvas made the person without the {place}: setting it takes the right to manage SIS data.",
                path=(place,),
            )
    return None
