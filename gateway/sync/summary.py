"""What an import did, in numbers and in words."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from models.roster import SyncRunState


@dataclass(frozen=True, kw_only=True)
class Counts:
    """`held`: rows that the report shows no more and nothing proves ended; they stay, and wait for proof or a person."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    set_aside: int = 0
    held: int = 0

    @property
    def written(self) -> int:
        return self.created + self.updated + self.removed

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: value + getattr(other, name) for name, value in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class SetAsideRow:
    """A row that could not be used. `line` counts from 1, the header included."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class FileSummary:
    """One file of the report; `mentioned`: things known by their id alone, made because a row refers to them."""

    file: str
    counts: Counts = Counts()
    mentioned: int = 0
    notes: tuple[str, ...] = ()

    def noted(self, *notes: str) -> "FileSummary":
        return replace(self, notes=self.notes + notes)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """`set_aside` holds the first rows that were set aside; the total is in the counts."""

    run_id: int
    state: SyncRunState
    report: str
    as_of: datetime
    as_of_from: str
    files: tuple[FileSummary, ...]
    set_aside: tuple[SetAsideRow, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def total(self) -> Counts:
        return sum((file.counts for file in self.files), Counts())


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` of `total` units of the phase: bytes while "reading", rows while "writing". `rows`: read of the file so far."""

    phase: str
    file: str
    done: int
    total: int
    rows: int | None = None
