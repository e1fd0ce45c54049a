"""By which path a change of many goes: what single calls and a SIS file can carry, what each costs, and which is cheaper (pure).

Facts: enrollments-api.md §4 to §7 and sis-imports.md §3, §5, §6 (canvas-lms: app/controllers/enrollments_api_controller.rb,
lib/sis/enrollment_importer.rb).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from gateway.offers import Price
from gateway.planner import Budget, worth
from gateway.prices import Endpoint, PriceBook, pages
from gateway.roster_change import ENDED_STATES, Outcome, Step
from models.roster import EnrollmentState

State = EnrollmentState


class Path(StrEnum):
    SINGLE_CALLS = "SINGLE_CALLS"
    SIS_IMPORT = "SIS_IMPORT"


@dataclass(frozen=True, kw_only=True)
class Named:
    """What a person, a course or a section is called. `concluded`: of a course."""

    canvas_id: int | None = None
    sis_id: str | None = None
    concluded: bool = False


@dataclass(frozen=True, kw_only=True)
class Names:
    """Of everybody and everything that the steps speak of, by our ids. `enrolled`: who has any enrollment in which course."""

    people: Mapping[int, Named]
    sections: Mapping[int, Named]
    courses: Mapping[int, Named]
    enrolled: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Carried:
    """A step, and why a path cannot carry it, or nothing take it back; None where it can."""

    step: Step
    by_calls: str | None = None
    by_sis: str | None = None
    by_undo: str | None = None


def carried(step: Step, names: Names) -> Carried:
    """What neither path can carry is refused, with both reasons."""
    if not step.is_change:
        return Carried(step=step)
    calls, sis = _not_by_calls(step, names), not_by_sis(step, names)
    if calls is not None and sis is not None:
        reason = calls if calls == sis else f"{calls}; and by a SIS import: {sis}"
        return Carried(step=replace(step, outcome=Outcome.REFUSED, reason=reason))
    return Carried(step=step, by_calls=calls, by_sis=sis)


def _not_by_calls(step: Step, names: Names) -> str | None:
    known = step.before
    if unnamed := _unnamed(step, names, "canvas_id", "Canvas id"):
        return unnamed
    if any(one.canvas_id is None for one in (known, step.leaves) if one is not None):
        return "the Canvas id of the enrollment is not known"
    if step.state is State.COMPLETED and (known is None or known.state is State.DELETED):
        return "only an enrollment that stands can be concluded"
    if _is_posted(step) and _is_closed(step, names):
        return "Canvas adds nobody to a concluded course"
    if known is not None and step.state in ENDED_STATES and step.fields != known.fields:
        return "Canvas changes dates and limits only of an enrollment that has not ended"
    return None


def not_by_sis(step: Step, names: Names) -> str | None:
    if unnamed := _unnamed(step, names, "sis_id", "SIS id"):
        return unnamed
    if step.state in (State.INVITED, State.CREATION_PENDING):
        return "a SIS file enrolls at once, it invites nobody"
    if (step.fields.start_at is None) != (step.fields.end_at is None):
        return "a SIS file takes both dates or none, and would clear the one that stands alone"
    return None


def _unnamed(step: Step, names: Names, form: str, words: str) -> str | None:
    key = step.key
    asked = [
        ("the person", names.people.get(key.person)),
        ("the course", names.courses.get(step.course)),
        ("the section", names.sections.get(key.section)),
    ]
    if key.associated is not None:
        asked.append(("whom the person observes", names.people.get(key.associated)))
    if step.leaves is not None:
        asked.append(("the section that is left", names.sections.get(step.leaves.key.section)))
    lacking = [who for who, named in asked if named is None or getattr(named, form) is None]
    return f"{' and '.join(lacking)} has no {words} that is known" if lacking else None


def _is_posted(step: Step) -> bool:
    """Whether a POST is what makes it so; the other calls do not look at the course's end."""
    known = step.before
    if known is None or known.state is State.DELETED:
        return True
    if known.state is State.INACTIVE and step.state is State.ACTIVE:
        return step.fields != known.fields
    return step.state not in ENDED_STATES


def _is_closed(step: Step, names: Names) -> bool:
    """Whoever has an enrollment in a concluded course may get another one there."""
    course = names.courses.get(step.course)
    if course is None or not course.concluded:
        return False
    return (step.course, step.key.person) not in names.enrolled


def calls_of(step: Step) -> int:
    """Single calls that carry the step out, and lines of a SIS file alike: a move is two enrollments."""
    return 1 if step.leaves is None else 2


@dataclass(frozen=True, kw_only=True)
class Reads:
    """How the enrollments of a course that a change touches are read: person by person, or all of its `rows`."""

    people: int
    rows: int | None

    @classmethod
    def whole(cls, rows: int) -> "Reads":
        return cls(people=rows + 1, rows=rows)

    @property
    def one_by_one(self) -> bool:
        """`rows` None: it is to be so, however many there are."""
        return self.rows is None or self.people < pages(Endpoint.ENROLLMENT_PAGE, self.rows)

    def price(self, prices: PriceBook) -> Price:
        if self.one_by_one:
            return prices.expected(Endpoint.ENROLLMENT_LOOKUP).price(self.people)
        page = prices.expected(Endpoint.ENROLLMENT_PAGE)
        return page.price(pages(Endpoint.ENROLLMENT_PAGE, self.rows))


def reads(
    steps: Iterable[Step], rows: Mapping[int, int], *, one_by_one: bool = False
) -> dict[int, Reads]:
    """By course. `rows`: enrollments that each has, in every state."""
    people: dict[int, set[int]] = {}
    for step in steps:
        people.setdefault(step.course, set()).add(step.key.person)
    return {
        course: Reads(people=len(who), rows=None if one_by_one else rows.get(course, 0))
        for course, who in people.items()
    }


@dataclass(frozen=True, kw_only=True)
class Division:
    """Which steps go into a SIS file, which by single calls, and which not at all."""

    imported: tuple[Step, ...] = ()
    called: tuple[Step, ...] = ()
    left: tuple[Carried, ...] = ()


def divided(path: Path, rows: Iterable[Carried]) -> Division:
    """What a SIS file cannot carry goes by single calls beside it; single calls go without a file."""
    imported, called, left = [], [], []
    for one in rows:
        if not one.step.is_change:
            continue
        if path is Path.SIS_IMPORT and one.by_sis is None:
            imported.append(one.step)
        elif one.by_calls is None:
            called.append(one.step)
        else:
            left.append(one)
    return Division(imported=tuple(imported), called=tuple(called), left=tuple(left))


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one path: what it costs, and how many steps go which way. `left`: those that it cannot carry."""

    path: Path
    price: Price
    imported: int = 0
    called: int = 0
    left: int = 0


_AT_ONCE, _LEAKS_A_SECOND = 300.0, 10.0  # throttle units

# How an import is waited for: asked after so many seconds, then after twice as long, up to the longest.
FIRST_WAIT, LONGEST_WAIT = 2.0, 20.0


def waits(seconds: float) -> list[float]:
    """Between the questions whether an import that takes so long is over."""
    found = [FIRST_WAIT]
    while sum(found) < seconds:
        found.append(min(found[-1] * 2, LONGEST_WAIT))
    return found


def cost(
    path: Path,
    rows: Sequence[Carried],
    of_courses: Mapping[int, int],
    prices: PriceBook,
    staying: Sequence[Step] | None = None,
    whole: Collection[int] = (),
) -> Cost:
    """`of_courses`: how many enrollments each has. What is touched is read before, to see that it stands as planned, and after.

    `staying`: what a file of a data set says besides; None: it is none. `whole`: the courses of which everybody is read before.
    """
    division = divided(path, rows)
    carried_out = (*division.imported, *division.called)
    compared = bool(division.imported) and staying is not None
    besides = (staying or ()) if compared else ()
    after = Counter(of_courses)
    after.update(step.course for step in carried_out if step.before is None)
    looked_at = reads((*carried_out, *besides), of_courses)
    looked_at |= {course: Reads.whole(of_courses.get(course, 0)) for course in whole}
    read_back = reads(carried_out, after)
    parts = [one.price(prices) for one in (*looked_at.values(), *read_back.values())]
    if division.called:
        parts.append(_throttled(_calls(division.called, prices)))
    if division.imported:
        parts += _import(sum(map(calls_of, division.imported)) + len(besides), prices)
    if compared:
        parts += _compared((*division.imported, *besides), of_courses, prices)
    return Cost(
        path=path,
        price=_in_turn(parts),
        imported=len(division.imported),
        called=len(division.called),
        left=len(division.left),
    )


def _compared(
    steps: Sequence[Step], of_courses: Mapping[int, int], prices: PriceBook
) -> list[Price]:
    """Before a file of a data set is sent its courses are read whole, and Canvas is asked what it would compare it with."""
    courses = {step.course for step in steps}
    read = [Reads.whole(of_courses.get(course, 0)).price(prices) for course in sorted(courses)]
    return [*read, prices.expected(Endpoint.LOOKUP).price(1)]


def _calls(steps: Sequence[Step], prices: PriceBook) -> Price:
    posts = sum(map(_is_posted, steps))
    tasks = sum(map(calls_of, steps)) - posts
    return _in_turn(
        [
            prices.expected(Endpoint.ENROLLMENT_WRITE).price(posts),
            prices.expected(Endpoint.ENROLLMENT_TASK).price(tasks),
        ]
    )


def _import(lines: int, prices: PriceBook) -> list[Price]:
    """The file, the questions whether it is done, and its messages."""
    upload, look = prices.expected(Endpoint.SIS_UPLOAD), prices.expected(Endpoint.LOOKUP)
    wait = waits(upload.seconds + prices.expected(Endpoint.SIS_ROW).seconds * lines)
    asked = replace(look.price(len(wait)), latency=timedelta(seconds=sum(wait)))
    return [replace(upload.price(1), latency=timedelta(0)), asked, look.price(1)]


def _throttled(price: Price) -> Price:
    """What background work may take of a bucket is there at once; what is more has to leak first."""
    leaking = timedelta(seconds=max(0.0, price.quota - _AT_ONCE) / _LEAKS_A_SECOND)
    return replace(price, latency=max(price.latency, leaking))


def _in_turn(parts: Sequence[Price]) -> Price:
    return Price(
        requests=sum(part.requests for part in parts),
        quota=sum(part.quota for part in parts),
        latency=sum((part.latency for part in parts), timedelta(0)),
    )


def cheaper(costs: Iterable[Cost]) -> Cost:
    """What leaves the fewest steps undone, then what is worth least; single calls where that is the same."""
    return min(
        costs,
        key=lambda one: (one.left, worth(one.price, Budget()), one.path is not Path.SINGLE_CALLS),
    )
