"""Changes of many enrollments as they are kept: the plan, its rows, and how far each has come."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from gateway.change_paths import Carried, Cost, Path
from gateway.roster_change import Exactly, Outcome, Step
from gateway.store.rows import time
from gateway.uow import Database, Row, Transaction
from models.roster import RosterChangeState, RosterRowStatus, SisSending

_AT_ONCE = 2_000


State = RosterChangeState
Status = RosterRowStatus
OVER = (State.SUCCEEDED, State.PARTLY, State.FAILED, State.CANCELLED)


class Wish(StrEnum):
    PAUSE = "PAUSE"
    CANCEL = "CANCEL"


@dataclass(frozen=True, kw_only=True)
class Change:
    """As `models.tables.RosterChange` says."""

    id: int
    state: State
    caller: str
    person_id: int | None
    path: Path
    costs: tuple[Cost, ...]
    removals: int
    people: int
    held: bool
    as_of: datetime | None
    planned_at: datetime
    asked_at: datetime | None
    checked_at: datetime | None
    ended_at: datetime | None
    wish: Wish | None
    message: str | None
    undoes_id: int | None
    sync_run_id: int | None
    file_sent_at: datetime | None
    import_id: str | None
    import_state: str | None
    data_set: str | None
    sent_as: SisSending | None
    sent_because: str | None
    exactly: Exactly | None
    requests: int
    quota: float


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    """As `models.tables.RosterChangeRow` says."""

    place: int
    row: int | None
    said: str | None
    outcome: Outcome
    reason: str | None
    carried: Carried | None
    by_file: bool
    line: int | None
    status: Status
    message: str | None
    advice: str | None
    enrollment_id: int | None

    @property
    def step(self) -> Step:
        """Of a row that changes something."""
        assert self.carried is not None  # noqa: S101  what changes something has a step
        return self.carried.step


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A change to be kept."""

    caller: str
    person_id: int | None
    path: Path
    costs: tuple[Cost, ...]
    removals: int
    people: int
    held: bool
    as_of: datetime | None
    planned_at: datetime
    undoes_id: int | None = None
    data_set: str | None = None
    exactly: Exactly | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedRow:
    row: int | None
    said: str | None
    outcome: Outcome
    reason: str | None
    carried: Carried | None = None
    by_file: bool = False


async def keep(
    database: Database, institution_id: int, planned: Planned, rows: Sequence[PlannedRow]
) -> int:
    """The new change's id."""

    async def work(tx: Transaction) -> int:
        columns = {name: getattr(planned, name) for name in vars(planned) if name != "costs"}
        columns |= {
            "state": State.PLANNED.value,
            "path": planned.path.value,
            "costs": _json(planned.costs),
            "exactly": None if planned.exactly is None else _json(planned.exactly),
            "requests": 0,
            "quota": 0.0,
        }
        marks = ", ".join(f"${number}" for number in range(2, len(columns) + 2))
        [made] = await tx.rows(
            f"insert into roster_change (institution_id, {', '.join(columns)}) values ($1, {marks}) returning id",
            institution_id,
            *columns.values(),
        )
        change = int(made["id"])
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            await tx.many(
                "insert into roster_change_row (institution_id, roster_change_id, place, row, said, outcome, reason, step,"
                " by_file, status) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                [
                    (institution_id, change, place, *_planned(one))
                    for place, one in enumerate(some, start + 1)
                ],
            )
        return change

    return await database.transact(work)


def _planned(one: PlannedRow) -> tuple[object, ...]:
    changes = one.carried is not None and one.carried.step.is_change
    return (
        one.row,
        one.said,
        one.outcome.value,
        one.reason,
        None if one.carried is None else _json(one.carried),
        one.by_file,
        (Status.WAITING if changes else Status.NONE).value,
    )


async def find(database: Database, institution_id: int, change_id: int) -> Change | None:
    rows = await database.rows(
        f"select {', '.join(Change.__annotations__)} from roster_change where institution_id = $1 and id = $2",
        institution_id,
        change_id,
    )
    return _change(rows[0]) if rows else None


def _change(row: Row) -> Change:
    told: dict[str, Any] = dict(row)
    for name in ("as_of", "planned_at", "asked_at", "checked_at", "ended_at", "file_sent_at"):
        told[name] = None if row[name] is None else time(row[name])
    told["state"], told["path"] = State(row["state"]), Path(row["path"])
    told["sent_as"] = None if row["sent_as"] is None else SisSending(row["sent_as"])
    told["wish"] = None if row["wish"] is None else Wish(row["wish"])
    told["costs"] = msgspec.json.decode(row["costs"], type=tuple[Cost, ...])
    if row["exactly"] is not None:
        told["exactly"] = msgspec.json.decode(row["exactly"], type=Exactly)
    told["held"] = bool(row["held"])
    return Change(**told)


async def page(
    database: Database,
    institution_id: int,
    change_id: int,
    *,
    after: int = 0,
    first: int | None = None,
    outcomes: Collection[Outcome] = (),
    statuses: Collection[Status] = (),
) -> list[ChangeRow]:
    """Rows behind place `after`, in order; all of them where `first` is None."""
    conditions = [
        f" and {column} in ({_words(words)})"
        for column, words in (("outcome", outcomes), ("status", statuses))
        if words
    ]
    limit = "" if first is None else f" limit {first:d}"
    rows = await database.rows(
        "select place, row, said, outcome, reason, step, by_file, line, status, message, advice, enrollment_id"
        " from roster_change_row where institution_id = $1 and roster_change_id = $2 and place > cast($3 as bigint)"
        f"{''.join(conditions)} order by place{limit}",
        institution_id,
        change_id,
        after,
    )
    return [_row(row) for row in rows]


def _row(row: Row) -> ChangeRow:
    step = row["step"]
    return ChangeRow(
        place=row["place"],
        row=row["row"],
        said=row["said"],
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        carried=None if step is None else msgspec.json.decode(step, type=Carried),
        by_file=bool(row["by_file"]),
        line=row["line"],
        status=Status(row["status"]),
        message=row["message"],
        advice=row["advice"],
        enrollment_id=row["enrollment_id"],
    )


async def counts(
    database: Database, institution_id: int, change_id: int
) -> dict[tuple[Outcome, Status], int]:
    rows = await database.rows(
        "select outcome, status, count(*) as n from roster_change_row"
        " where institution_id = $1 and roster_change_id = $2 group by outcome, status",
        institution_id,
        change_id,
    )
    return {(Outcome(row["outcome"]), Status(row["status"])): int(row["n"]) for row in rows}


async def step_to(
    tx: Transaction,
    institution_id: int,
    change_id: int,
    columns: Mapping[str, object],
    *,
    only_from: Collection[State] = tuple(State),
) -> bool:
    """Write what is new of a change; False where it is in none of these states any more."""
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 3))
    touched = await tx.run(
        f"update roster_change set {sets} where institution_id = $1 and id = $2 and state in ({_words(only_from)})",
        institution_id,
        change_id,
        *(value.value if isinstance(value, StrEnum) else value for value in columns.values()),
    )
    return bool(touched)


async def charge(
    tx: Transaction, institution_id: int, change_id: int, requests: int, quota: float
) -> None:
    """Add to the bill."""
    await tx.run(
        "update roster_change set requests = requests + $3, quota = quota + $4 where institution_id = $1 and id = $2",
        institution_id,
        change_id,
        requests,
        quota,
    )


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What became of a row. `enrollment_id`: ours, of the row as it is now."""

    place: int
    status: Status
    message: str | None = None
    advice: str | None = None
    enrollment_id: int | None = None


async def progress(
    tx: Transaction, institution_id: int, change_id: int, rows: Iterable[Progress]
) -> None:
    await tx.many(
        "update roster_change_row set status = $4, message = $5, advice = $6, enrollment_id = coalesce($7, enrollment_id)"
        " where institution_id = $1 and roster_change_id = $2 and place = $3",
        [
            (
                institution_id,
                change_id,
                one.place,
                one.status.value,
                one.message,
                one.advice,
                one.enrollment_id,
            )
            for one in rows
        ],
    )


async def number_lines(
    tx: Transaction, institution_id: int, change_id: int, lines: Mapping[int, int]
) -> None:
    """Where each row (by place) begins in the SIS file."""
    await tx.many(
        "update roster_change_row set line = $4, status = $5"
        " where institution_id = $1 and roster_change_id = $2 and place = $3",
        [
            (institution_id, change_id, place, line, Status.SENDING.value)
            for place, line in lines.items()
        ],
    )


def _words(words: Iterable[StrEnum]) -> str:
    return ", ".join(f"'{word.value}'" for word in sorted(words))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
