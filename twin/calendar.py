"""When the generated school's terms are: half-years around today, so that one always runs."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class HalfYear:
    year: int
    second: bool

    @property
    def name(self) -> str:
        return f"{'Fall' if self.second else 'Spring'} {self.year}"

    @property
    def code(self) -> str:
        """The term's part of SIS ids."""
        return f"{self.year}{'FA' if self.second else 'SP'}"

    @property
    def start_at(self) -> datetime:
        return datetime(self.year, 7 if self.second else 1, 1, 7, tzinfo=UTC)

    @property
    def end_at(self) -> datetime:
        return self.next.start_at - timedelta(seconds=1)

    @property
    def next(self) -> "HalfYear":
        return HalfYear(self.year + self.second, not self.second)

    @property
    def previous(self) -> "HalfYear":
        return HalfYear(self.year - (not self.second), not self.second)


def half_year(now: datetime) -> HalfYear:
    """The half-year that runs now; it begins at midnight in Denver, seven hours after UTC's."""
    local = now - timedelta(hours=7)
    return HalfYear(local.year, local.month > 6)
