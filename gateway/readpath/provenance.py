"""Where an answer came from and how far it can be trusted, from the ledger and the rows' own words (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.readpath.ledger import Cover
from gateway.sight import Limit
from models.roster import Completeness, GapReason, Source

NO_SOURCE = "Older than asked for: no source is connected that could be read now."


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How old an answer may be, and from where; None and empty where the caller did not say.

    `allow_stale`: what is older may be shown, and is read anew behind it.
    """

    max_age: timedelta | None = None
    allow_stale: bool | None = None
    sources: frozenset[Source] = frozenset()

    def admits(self, source: Source) -> bool:
        return not self.sources or Source.LOCAL in self.sources or source in self.sources


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The rows of a list that one source vouches for.

    `missing`: those that a whole read since did not show. `unfilled`: of each field that was asked for and is
    filled by some sources only, the rows in which nobody filled it.
    """

    source: Source | None  # None: nobody does any more
    rows: int
    oldest: datetime | None
    missing: int = 0
    unfilled: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of one list when its provenance is told.

    `only_members`: those who should be in a list of enrollments and are known as members alone. `hidden`: fields, and
    `limit`: why rows, that may be missing because they may not be seen.
    """

    covers: Sequence[Cover]
    tallies: Sequence[Tally]
    states: frozenset[str]
    hidden: frozenset[str] = frozenset()
    only_members: int = 0
    limit: Limit | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The read that a list rests on."""

    completeness: Completeness
    source: Source | None
    as_of: datetime | None


def standing(evidence: Evidence, wanted: Wanted) -> Standing:
    """The newest read that proves the whole list, else the newest that shows some of it."""
    admitted = [cover for cover in evidence.covers if wanted.admits(cover.source)]
    whole = [cover for cover in admitted if cover.proves(evidence.states)]
    best = max(whole or admitted, key=lambda cover: cover.began_at, default=None)
    if best is None:
        return Standing(completeness=Completeness.UNKNOWN, source=None, as_of=None)
    completeness = Completeness.COMPLETE if whole else Completeness.PARTIAL
    if evidence.limit is not None:
        nothing = evidence.limit.nothing
        completeness = Completeness.UNKNOWN if nothing else Completeness.PARTIAL
    return Standing(completeness=completeness, source=best.source, as_of=best.began_at)


def tell(
    evidence: Evidence, wanted: Wanted, *, now: datetime, change_cursor: str | None
) -> dict[str, Any]:
    """The graph's Provenance."""
    stands = standing(evidence, wanted)
    age = None if stands.as_of is None else max(now - stands.as_of, timedelta())
    stale = wanted.max_age is not None and (age is None or age > wanted.max_age)
    return {
        "source": stands.source,
        "origins": origins(evidence, wanted),
        "servedLocally": True,
        "asOf": stands.as_of,
        "age": age,
        "stale": stale,
        "completeness": stands.completeness,
        "gaps": list(gaps(evidence, wanted, stands, stale=stale)),
        "changeCursor": change_cursor,
    }


def of_row(told: Mapping[str, Any], covers: Sequence[Cover]) -> dict[str, Any]:
    """The graph's RowProvenance, from what the row says and the whole reads that should have shown it.

    A read that leaves a row as it was writes nothing into it, so its date comes from the ledger, unless the row
    was missing there. `until`: the moment of which it is told.
    """

    def vouched(group: Mapping[str, Any]) -> dict[str, Any]:
        if told["missingSince"] is not None or group["asOf"] is None:
            return dict(group)
        since = [
            cover.began_at
            for cover in covers
            if cover.source == group["source"]
            and (told["until"] is None or cover.began_at <= told["until"])
            and cover.proves([told["state"]])
            and (not cover.groups or group["name"] in cover.groups)
        ]
        return {**group, "asOf": max([group["asOf"], *since])}

    groups = [vouched(group) for group in told["groups"]]
    standing = groups[0]
    return {
        "source": standing["source"],
        "asOf": standing["asOf"],
        "missingSince": told["missingSince"],
        "groups": groups,
    }


def origins(evidence: Evidence, wanted: Wanted) -> list[dict[str, Any]]:
    """Each source of the list's rows. A whole read since vouches anew for the rows that it did not change."""
    vouched: dict[Source, datetime] = {}
    for cover in evidence.covers:
        if cover.proves(evidence.states) and wanted.admits(cover.source):
            vouched[cover.source] = max(cover.began_at, vouched.get(cover.source, cover.began_at))
    told = [
        {
            "source": tally.source,
            "asOf": max(tally.oldest, vouched.get(tally.source, tally.oldest)),
            "rows": tally.rows,
        }
        for tally in evidence.tallies
        if tally.source is not None and tally.oldest is not None
    ]
    empty = [{"source": source, "asOf": as_of, "rows": 0} for source, as_of in vouched.items()]
    return told or empty


def gaps(
    evidence: Evidence, wanted: Wanted, stands: Standing, *, stale: bool
) -> Iterable[dict[str, Any]]:
    if evidence.limit is not None:
        yield _gap(None, GapReason.NOT_PERMITTED, evidence.limit.message)
    if stands.source is None:
        asked = " or ".join(sorted(wanted.sources))
        of = f" from {asked}" if asked else ""
        yield _gap(
            None,
            GapReason.NEVER_SYNCED,
            f"Nothing was ever read{of} for this: there may be more than is shown.",
        )
    elif stands.completeness is Completeness.PARTIAL and evidence.limit is None:
        yield _gap(None, GapReason.SOURCE_CUT_SHORT, _cut_short(evidence))
    if stale:
        yield _gap(
            None,
            GapReason.SOURCE_UNAVAILABLE,
            NO_SOURCE,
        )
    for name in sorted(evidence.hidden):
        yield _gap(name, GapReason.NOT_PERMITTED, f"This credential may not see {name}.")
    yield from _not_carried(evidence)
    if evidence.only_members:
        yield _gap(
            None,
            GapReason.NOT_CARRIED_BY_SOURCE,
            f"{evidence.only_members} more known as members only, without section and state: see Course.members.",
        )
    if held := sum(tally.missing for tally in evidence.tallies):
        yield _gap(
            None,
            GapReason.HELD,
            f"{held} of these were missing from the newest whole read; they stay until it is proved that they ended.",
        )


def _cut_short(evidence: Evidence) -> str:
    whole = [cover for cover in evidence.covers if cover.whole]
    if not whole:
        return "No read of this was whole: there may be more than is shown."
    seen = frozenset[str]().union(*(cover.states for cover in whole))
    lacking = ", ".join(sorted(evidence.states - seen)) or "some of these states"
    return f"No whole read shows rows that are {lacking}: there may be more of them than are shown."


def _not_carried(evidence: Evidence) -> Iterable[dict[str, Any]]:
    for name in sorted({name for tally in evidence.tallies for name in tally.unfilled}):
        rows = sum(tally.unfilled.get(name, 0) for tally in evidence.tallies)
        if rows:
            total = sum(tally.rows for tally in evidence.tallies)
            yield _gap(
                name,
                GapReason.NOT_CARRIED_BY_SOURCE,
                f"No source read so far carries {name} for {rows} of {total}: null there says nothing.",
            )


def _gap(field: str | None, reason: GapReason, message: str) -> dict[str, Any]:
    return {"field": field, "reason": reason, "message": message}
