"""One import on its way: what it reads, what it knows, what it has set aside and counted."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import numpy as np
import polars as pl

from gateway.merge import Guard
from gateway.store.institutions import Institution
from gateway.store.known import Numbers
from gateway.store.merging import Telling
from gateway.sync.lookup import Lookup
from gateway.sync.report_columns import ReportKind, RosterFile
from gateway.sync.report_files import Limits, Report
from gateway.sync.row_hash import Hashes
from gateway.sync.stage import Stage
from gateway.sync.summary import Counts, FileSummary, Progress, SetAsideRow
from gateway.uow import Database
from models.roster import Source

SET_ASIDE_KEPT = 1_000


class Clock(Protocol):
    def __call__(self) -> datetime: ...


@dataclass(kw_only=True)
class SetAside:
    """The first rows that could not be used, and how many of each file there were."""

    kept: list[SetAsideRow] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, file: str, rows: pl.DataFrame) -> None:
        """`rows`: line and reason."""
        self.counts[file] = self.counts.get(file, 0) + rows.height
        for line, reason in (
            rows.head(SET_ASIDE_KEPT - len(self.kept)).select("line", "reason").iter_rows()
        ):
            self.kept.append(SetAsideRow(file=file, line=line, reason=reason))


@dataclass(kw_only=True)
class Checked:
    """What the first pass learnt of one file.

    `unchanged`: rows that the store has as they are. `repeated`: lines of rows that stand there twice. `withheld`: lines
    of rows that would delete more at once than the shrink guard allows.
    `courses`: Canvas or hashed SIS ids of the courses that the rows name. `people`, `changed_people`, `with_several_logins`:
    who is in users.csv, sorted. `lookup`: the store's enrollments by Canvas id,
    and which of them the file shows.
    """

    rows: int = 0
    unchanged: int = 0
    repeated: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    withheld: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    courses: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    people: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    changed_people: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    with_several_logins: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    contested: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    lookup: Lookup | None = None


@dataclass(kw_only=True)
class Job:
    database: Database
    institution: Institution
    report: Report
    limits: Limits
    guard: Guard
    source: Source
    scope: tuple[str, int]
    as_of: datetime
    clock: Clock
    progress: Callable[[Progress], None]
    stage: Stage
    run_id: int = 0
    durable: bool = False  # the run is carried by a job that survives a crash
    first_loads: frozenset[str] = (
        frozenset()
    )  # tables that no report filled before: their feed begins with a BASELINE
    newer_courses: Numbers = field(
        default_factory=lambda: np.empty(0, dtype=np.int64)
    )  # read wholly since, by our ids
    set_aside: SetAside = field(default_factory=SetAside)
    checked: dict[RosterFile, Checked] = field(default_factory=dict)
    summaries: dict[RosterFile, FileSummary] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def kind(self) -> ReportKind:
        return self.report.kind

    @property
    def by_canvas_id(self) -> bool:
        return self.report.kind is ReportKind.PROVISIONING

    def name(self, which: RosterFile) -> str:
        file = self.report.file(which)
        return which.value if file is None else file.name

    def telling(self, table: str) -> Telling:
        return Telling(
            institution_id=self.institution.id,
            source=self.source,
            as_of=self.as_of,
            run_id=self.run_id,
            now=self.clock(),
            feed=table not in self.first_loads,
        )

    def count(self, which: RosterFile, counts: Counts) -> None:
        known = self.summaries.setdefault(which, FileSummary(file=self.name(which)))
        self.summaries[which] = replace(known, counts=known.counts + counts)

    def note(self, which: RosterFile, *notes: str, mentioned: int = 0) -> None:
        known = self.summaries.setdefault(which, FileSummary(file=self.name(which)))
        self.summaries[which] = replace(
            known, notes=known.notes + notes, mentioned=known.mentioned + mentioned
        )
