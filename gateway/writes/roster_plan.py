"""A plan of a change of many as it is kept: by which path, at what cost, how many go, and its rows (pure)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway import change_paths
from gateway.change_paths import Carried, Path
from gateway.data_sets import DataSet
from gateway.merge import Guard
from gateway.prices import PriceBook
from gateway.roster_change import Exactly, Outcome, Step
from gateway.store.roster_changes import Planned, PlannedRow
from gateway.store.roster_ground import Seen
from gateway.writes.roster_rows import Miss
from models.roster import ROSTER_STATES


@dataclass(frozen=True)
class Frame:
    """What a plan has beside its rows. `whole`: the courses of the sections that are to have `exactly` the rows."""

    path: Path | None
    caller: str
    person_id: int | None
    now: datetime
    undoes: int | None = None
    exactly: Exactly | None = None
    whole: frozenset[int] = frozenset()
    data_set: DataSet | None = None


def planned(
    rows: Sequence[Carried],
    seen: Sequence[Seen],
    frame: Frame,
    guard: Guard,
    prices: PriceBook,
) -> Planned:
    of_courses = Counter(one.present.course for one in seen)
    staying = None if frame.data_set is None else frame.data_set.staying
    costs = tuple(
        change_paths.cost(path, rows, of_courses, prices, staying, frame.whole) for path in Path
    )
    path = frame.path or change_paths.cheaper(costs).path
    data_set = _data_set(path, frame)
    removals, people, held = _removals(rows, seen, guard)
    touched = {one.step.course for one in rows}
    return Planned(
        caller=frame.caller,
        person_id=frame.person_id,
        path=path,
        costs=costs,
        removals=removals,
        people=people,
        held=held,
        as_of=min((one.as_of for one in seen if one.present.course in touched), default=None),
        planned_at=frame.now,
        undoes_id=frame.undoes,
        data_set=None if data_set is None else data_set.scope,
        exactly=frame.exactly,
    )


def kept(
    rows: Sequence[Carried],
    misses: Sequence[Miss],
    texts: Mapping[int, str],
    path: Path,
    frame: Frame,
) -> list[PlannedRow]:
    """In the order they were given, then whoever goes unnamed."""
    return sorted(
        [*_missed(misses), *_rows(rows, path, texts, _data_set(path, frame))],
        key=lambda one: (one.row is None, one.row or 0),
    )


def _data_set(path: Path, frame: Frame) -> DataSet | None:
    return frame.data_set if path is Path.SIS_IMPORT else None


def _removals(rows: Iterable[Carried], seen: Iterable[Seen], guard: Guard) -> tuple[int, int, bool]:
    """How many go, of how many, and whether that is to be confirmed: in any one course it may be too much."""
    going = Counter(one.step.course for one in rows if one.step.takes_away)
    there = Counter(one.present.course for one in seen if one.present.state in ROSTER_STATES)
    held = any(guard.holds_emptied(gone, of=there[course]) for course, gone in going.items())
    return going.total(), there.total(), held


def _missed(misses: Iterable[Miss]) -> Iterable[PlannedRow]:
    for miss in misses:
        yield PlannedRow(row=miss.row, said=miss.text, outcome=Outcome.REFUSED, reason=miss.reason)


def _rows(
    rows: Sequence[Carried], path: Path, texts: Mapping[int, str], data_set: DataSet | None
) -> Iterable[PlannedRow]:
    division = change_paths.divided(path, rows)
    staying = () if data_set is None else data_set.staying
    by_file = {_identity(step) for step in (*division.imported, *staying)}
    left = {_identity(one.step) for one in division.left}
    for one in rows:
        step = one.step
        reason = step.reason
        if _identity(step) in left:  # the other path would carry it, and was not chosen
            reason = one.by_calls
            one = replace(one, step=replace(step, outcome=Outcome.REFUSED, reason=reason))  # noqa: PLW2901
        yield PlannedRow(
            row=step.row,
            said=texts.get(step.row or 0),
            outcome=one.step.outcome,
            reason=reason,
            carried=one,
            by_file=_identity(step) in by_file,
        )


def _identity(step: Step) -> object:
    return step.row, step.key
