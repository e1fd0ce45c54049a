"""Where answers and rows came from, as types of the graph."""

from datetime import datetime, timedelta
from typing import Any

import strawberry

from models.roster import Completeness, GapReason, Source


def described(text: str) -> Any:
    return strawberry.field(description=text)


@strawberry.type(description="What one source could do for a read, and what became of it.")
class Offer:
    source: Source = described("Who offered.")
    accepted: bool = described("Whether the answer rests on it.")
    reason: str = described("Why it was chosen, or passed over.")
    as_of: datetime | None = described(
        "As of when its facts are, or would be; null: it has never read them."
    )
    requests: float = described("Expected calls to Canvas.")
    quota: float = described("Expected units of Canvas's throttle.")
    latency: timedelta = described("Expected time until the answer.")
    actual_requests: int | None = described("Calls that it took; null: it was not carried out.")
    actual_quota: float | None = described(
        "Throttle units that it took; null: it was not carried out."
    )


@strawberry.type(
    description="How a read was planned: every source that could be asked, and why one was."
)
class Plan:
    chosen: Source | None = described("Whose offer the answer rests on; null: nobody's would do.")
    offers: list[Offer] = described("All offers, the chosen one among them.")


@strawberry.type(description="One of the sources whose rows are mixed in an answer.")
class Origin:
    source: Source = described("Who vouches for these rows.")
    as_of: datetime = described("When the oldest read behind them began.")
    rows: int | None = described("How many rows of the whole list are this source's.")


@strawberry.type(description="Something that is missing from an answer, and why.")
class Gap:
    field: str | None = described("The field that is null because of it; null: rows are missing.")
    reason: GapReason = described("What kind of gap it is.")
    message: str = described("The same in words.")


@strawberry.type(description="Where an answer came from, and how far it can be trusted.")
class Provenance:
    source: Source | None = described(
        "Who vouched for the rows (LOCAL never stands here); null: nothing was ever read."
    )
    origins: list[Origin] = described("All sources of the list's rows, where they are mixed.")
    served_locally: bool = described("Whether no call to Canvas was made for this answer.")
    as_of: datetime | None = described(
        "When the read behind it began: what changed later may be missing. null: nothing was ever read."
    )
    age: timedelta | None = described("How long ago that was.")
    stale: bool = described("Whether the answer is older than was asked for.")
    completeness: Completeness = described("Whether everybody who should be in it is in it.")
    gaps: list[Gap] = described(
        "What is missing, and why. null in a field that stands here means unknown."
    )
    change_cursor: str | None = described(
        "Follow `changes(after:)` from here and nothing that came after this answer is missed."
    )
    plan: Plan = described(
        "Which sources were weighed, and why the answer comes from the one it does. Worked out only when selected."
    )


@strawberry.type(
    description="How a source of rosters stands now, as the process that answers knows it."
)
class SourceStatus:
    source: Source = described("Which source.")
    available: bool = described("Whether it would be asked now.")
    reason: str | None = described("Why it would not be; null: it would.")
    quota_remaining: float | None = described(
        "Units left in the bucket of Canvas's throttle that its reads draw on; null: not known."
    )
    last_success_at: datetime | None = described("When it last answered as it should.")
    last_error_at: datetime | None = described("When it last failed.")
    last_error: str | None = described("How it last failed.")


@strawberry.type(description="Fields of one row that a source fills together, and who filled them.")
class FieldGroup:
    name: str = described("The group: `standing`, `dates` or `activity`.")
    fields: list[str] = described("The fields that it holds.")
    source: Source | None = described(
        "Who filled them last; null: nobody, so null there is unknown."
    )
    as_of: datetime | None = described("When that read began.")


@strawberry.type(description="Where one row came from.")
class RowProvenance:
    source: Source = described("Who vouches for the row.")
    as_of: datetime = described("When the newest read that showed it so began.")
    missing_since: datetime | None = described(
        "When the first whole read began that should have shown it and did not; null: none."
    )
    groups: list[FieldGroup] = described("The same for each group of its fields.")
