"""Where answers and rows came from, as types of the graph."""

from datetime import datetime, timedelta
from typing import Any

import strawberry

from models.roster import Completeness, GapReason, Source


def described(text: str) -> Any:
    return strawberry.field(description=text)


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
