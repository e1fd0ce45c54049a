"""Enrollments that a whole report no longer shows: explained and ended, or kept as candidates for removal."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl

from gateway.merge import UNEXPLAINED, Ending, Silence, Surroundings, ending_of
from gateway.store import bulk, dialects, due, merging
from gateway.store.merging import Merged, Telling
from gateway.store.shapes import ENROLLMENT
from gateway.uow import Row, Transaction
from models.roster import CourseState, EnrollmentState, EnrollmentType, RecordState

# States that reports show, so that only their absence can mean anything; test students are never shown
# (canvas-lms: gems/plugins/account_reports/lib/account_reports/sis_exporter.rb).
SHOWN_STATES = (
    EnrollmentState.ACTIVE,
    EnrollmentState.INVITED,
    EnrollmentState.CREATION_PENDING,
    EnrollmentState.INACTIVE,
    EnrollmentState.REJECTED,
)
SHOWN_STATES_IN_SIS_EXPORT = (EnrollmentState.ACTIVE, EnrollmentState.INACTIVE)


def shown(states: Sequence[EnrollmentState]) -> str:
    """SQL: whether a report would show the enrollment `t` if nothing around it had ended."""
    words = ", ".join(f"'{state}'" for state in states)
    return f"(t.removed_at is null and t.state in ({words}) and t.type <> '{EnrollmentType.TEST_STUDENT}')"


@dataclass(kw_only=True)
class Absent:
    """What became of absent rows, by the reason in words."""

    merged: Merged = field(default_factory=Merged)
    explained: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)


async def judge(
    tx: Transaction,
    telling: Telling,
    ids: pl.Series,
    *,
    silence: Callable[[bool], Silence],
    logins_gone: Callable[[int], bool],
) -> Absent:
    """A chunk of enrollments that the report should have shown.

    `silence`: what absence proves of a row that a SIS export can name, or of one that it cannot.
    `logins_gone`: whether the report shows that a person (our id) has no login left.
    """
    absent, endings, candidates = Absent(), _Endings(), []
    for row in await _surroundings(tx, telling, ids):
        if silence(bool(row["has_sis_ids"])) is not Silence.CANDIDATE:
            continue
        ending = ending_of(_around(row, logins_gone))
        if ending is None:
            absent.held[UNEXPLAINED] += 1
            candidates.append(int(row["id"]))
        else:
            absent.explained[ending.why] += 1
            endings.add(int(row["id"]), ending)
    await _keep_as_candidates(tx, telling, candidates)
    if endings.states:
        absent.merged = await merging.merge(tx, ENROLLMENT, endings.frame(), telling)
    return absent


class _Endings:
    """Rows whose state says that they ended; those that are left as they are need no writing."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.states: list[str] = []

    def add(self, row_id: int, ending: Ending) -> None:
        if ending.state is not None:
            self.ids.append(row_id)
            self.states.append(ending.state.value)

    def frame(self) -> pl.DataFrame:
        row_hash = pl.Series([None] * len(self.ids), dtype=pl.Int64)
        return pl.DataFrame({"id": self.ids, "state": self.states, "row_hash": row_hash})


async def _surroundings(tx: Transaction, telling: Telling, ids: pl.Series) -> list[Row]:
    for statement in dialects.temporary(
        tx.dialect, "absent", "select id from enrollment where 1 = 0"
    ):
        await tx.run(statement)
    await bulk.copy_in(tx, "absent", pl.DataFrame({"id": ids}))
    await dialects.know_size(tx, "absent")
    return await tx.rows(
        "select t.id, t.person_id, c.state as course_state, s.state as section_state, p.state as person_state,"
        " case when p.sis_id is not null and (c.sis_id is not null or s.sis_id is not null) then 1 else 0 end as has_sis_ids,"
        " case when coalesce(t.end_at, s.end_at, c.end_at, m.end_at) <= $2 then 1 else 0 end as dates_over"
        " from absent a join enrollment t on t.id = a.id and t.institution_id = $1"
        " join course c on c.id = t.course_id and c.institution_id = $1"
        " left join section s on s.id = t.section_id and s.institution_id = $1"
        " left join term m on m.id = c.term_id and m.institution_id = $1"
        " join person p on p.id = t.person_id and p.institution_id = $1"
        f" where {shown(SHOWN_STATES)} and t.standing_as_of <= $2 order by t.id",
        telling.institution_id,
        telling.as_of,
    )


def _around(row: Row, logins_gone: Callable[[int], bool]) -> Surroundings:
    return Surroundings(
        course=CourseState(row["course_state"]) if row["course_state"] else None,
        section=RecordState(row["section_state"]) if row["section_state"] else None,
        dates_over=bool(row["dates_over"]),
        logins_gone=row["person_state"] == "DELETED" or logins_gone(int(row["person_id"])),
    )


async def _not_yet_missing(tx: Transaction, institution_id: int, ids: Sequence[int]) -> list[int]:
    found: list[int] = []
    for start in range(0, len(ids), 500):
        part = ", ".join(f"{one:d}" for one in ids[start : start + 500])
        rows = await tx.rows(
            f"select id from enrollment where institution_id = $1 and id in ({part}) and missing_since is null",
            institution_id,
        )
        found += [int(row["id"]) for row in rows]
    return found


async def _keep_as_candidates(tx: Transaction, telling: Telling, ids: Sequence[int]) -> None:
    """Without a hash, so that the row is looked at when it comes back. Their courses are due for a read, once."""
    fresh = await _not_yet_missing(tx, telling.institution_id, ids)
    await due.mark_courses_of(
        tx,
        telling.institution_id,
        fresh,
        since=telling.now,
        why="the newest report does not show everybody who was enrolled there",
    )
    await tx.many(
        "update enrollment set missing_since = $3, row_hash = null where institution_id = $1 and id = $2"
        " and missing_since is null",
        [(telling.institution_id, row_id, telling.as_of) for row_id in ids],
    )
