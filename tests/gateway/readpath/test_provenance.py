"""What is told of an answer, from the reads that stand behind it and the rows in it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.readpath.ledger import Cover
from gateway.readpath.provenance import Evidence, Tally, Wanted, of_row, tell
from models.roster import Completeness, GapReason, Source
from tests.factories import NOW

HOUR = timedelta(hours=1)
ROSTER = frozenset({"ACTIVE", "INVITED"})


def cover(**more: Any) -> Cover:
    known: dict[str, Any] = {
        "source": Source.REPORT,
        "groups": frozenset(),
        "states": frozenset(),
        "began_at": NOW - HOUR,
        "whole": True,
    }
    return Cover(**known | more)


def tally(**more: Any) -> Tally:
    known: dict[str, Any] = {"source": Source.REPORT, "rows": 3, "oldest": NOW - 2 * HOUR}
    return Tally(**known | more)


def told(
    covers: list[Cover],
    tallies: list[Tally] | None = None,
    *,
    max_age: timedelta | None = None,
    sources: frozenset[Source] = frozenset(),
    hidden: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    evidence = Evidence(covers=covers, tallies=tallies or [], states=ROSTER, hidden=hidden)
    wanted = Wanted(max_age=max_age, sources=sources)
    return tell(evidence, wanted, now=NOW, change_cursor=None)


def reasons(answer: dict[str, Any]) -> list[GapReason]:
    return [gap["reason"] for gap in answer["gaps"]]


@pytest.mark.parametrize(
    ("covers", "completeness", "as_of", "gaps"),
    [
        pytest.param([], Completeness.UNKNOWN, None, [GapReason.NEVER_SYNCED], id="never read"),
        pytest.param([cover()], Completeness.COMPLETE, NOW - HOUR, [], id="read whole"),
        pytest.param(
            [cover(states=ROSTER | {"INACTIVE"})], Completeness.COMPLETE, NOW - HOUR, [],
            id="read whole in more states than were asked for",
        ),
        pytest.param(
            [cover(states=frozenset({"ACTIVE"}))], Completeness.PARTIAL, NOW - HOUR,
            [GapReason.SOURCE_CUT_SHORT], id="read whole in fewer states",
        ),
        pytest.param(
            [cover(whole=False)], Completeness.PARTIAL, NOW - HOUR, [GapReason.SOURCE_CUT_SHORT],
            id="cut short",
        ),
        pytest.param(
            [cover(whole=False, began_at=NOW), cover()], Completeness.COMPLETE, NOW - HOUR, [],
            id="a newer read that was cut short does not count",
        ),
        pytest.param(
            [cover(), cover(source=Source.ENROLLMENTS_API, began_at=NOW)], Completeness.COMPLETE, NOW, [],
            id="the newest whole read counts",
        ),
    ],
)  # fmt: skip
def test_completeness_is_what_the_reads_prove(
    covers: list[Cover],
    completeness: Completeness,
    as_of: datetime | None,
    gaps: list[GapReason],
) -> None:
    answer = told(covers)
    age = None if answer["asOf"] is None else NOW - answer["asOf"]

    assert answer["completeness"] is completeness
    assert answer["asOf"] == as_of
    assert answer["age"] == age
    assert reasons(answer) == gaps
    assert answer["servedLocally"] is True


@pytest.mark.parametrize(
    ("covers", "max_age", "stale"),
    [
        ([cover()], None, False),
        ([cover()], HOUR, False),
        ([cover()], HOUR - timedelta(seconds=1), True),
        ([cover()], timedelta(), True),
        ([], None, False),
        ([], HOUR, True),
    ],
)
def test_stale_is_older_than_asked_for_and_says_why(
    covers: list[Cover], max_age: timedelta | None, stale: bool
) -> None:
    answer = told(covers, max_age=max_age)

    assert answer["stale"] is stale
    assert (GapReason.SOURCE_UNAVAILABLE in reasons(answer)) is stale


@pytest.mark.parametrize(
    ("sources", "source"),
    [
        (frozenset(), Source.REPORT),
        (frozenset({Source.LOCAL}), Source.REPORT),
        (frozenset({Source.REPORT, Source.NRPS}), Source.REPORT),
        (frozenset({Source.NRPS}), None),
    ],
)
def test_only_the_sources_that_were_asked_for_are_trusted(
    sources: frozenset[Source], source: Source | None
) -> None:
    answer = told([cover()], sources=sources)

    assert answer["source"] == source
    assert answer["completeness"] is (Completeness.COMPLETE if source else Completeness.UNKNOWN)
    if source is None:
        assert answer["gaps"][0]["message"].startswith("Nothing was ever read from NRPS")


def test_origins_are_dated_by_their_newest_whole_read() -> None:
    """A read that leaves rows as they were writes nothing into them, and vouches for them all the same."""
    answer = told(
        [cover(), cover(began_at=NOW - 3 * HOUR)],
        [tally(), tally(source=Source.MUTATION, rows=1, oldest=NOW)],
    )

    assert answer["origins"] == [
        {"source": Source.REPORT, "asOf": NOW - HOUR, "rows": 3},
        {"source": Source.MUTATION, "asOf": NOW, "rows": 1},
    ]


def test_an_empty_whole_answer_has_an_origin() -> None:
    assert told([cover()])["origins"] == [{"source": Source.REPORT, "asOf": NOW - HOUR, "rows": 0}]


def test_gaps_name_fields_that_are_hidden_or_that_nobody_carries_and_rows_that_are_held() -> None:
    answer = told(
        [cover()],
        [
            tally(missing=2, unfilled={"lastActivityAt": 3, "user.email": 0}),
            tally(source=Source.MUTATION, rows=1, unfilled={"lastActivityAt": 1}),
        ],
        hidden=frozenset({"user.loginId"}),
    )

    assert [(gap["field"], gap["reason"]) for gap in answer["gaps"]] == [
        ("user.loginId", GapReason.NOT_PERMITTED),
        ("lastActivityAt", GapReason.NOT_CARRIED_BY_SOURCE),
        (None, GapReason.HELD),
    ]
    assert "for 4 of 4" in answer["gaps"][1]["message"]
    assert answer["gaps"][2]["message"].startswith("2 of these were missing")


STANDING = {"name": "standing", "fields": ["type"], "source": "REPORT", "asOf": NOW - 3 * HOUR}
DATES = {"name": "dates", "fields": ["startAt"], "source": None, "asOf": None}


@pytest.mark.parametrize(
    ("covers", "missing_since", "as_of"),
    [
        pytest.param([], None, NOW - 3 * HOUR, id="no read since"),
        pytest.param([cover()], None, NOW - HOUR, id="a whole read since left it as it was"),
        pytest.param([cover()], NOW, NOW - 3 * HOUR, id="it was missing in one"),
        pytest.param([cover(whole=False)], None, NOW - 3 * HOUR, id="one that was cut short"),
        pytest.param([cover(source=Source.NRPS)], None, NOW - 3 * HOUR, id="one of another source"),
        pytest.param(
            [cover(states=frozenset({"INVITED"}))], None, NOW - 3 * HOUR, id="one of other states"
        ),
        pytest.param(
            [cover(groups=frozenset({"dates"}))], None, NOW - 3 * HOUR, id="one of other fields"
        ),
        pytest.param([cover(began_at=NOW - 9 * HOUR)], None, NOW - 3 * HOUR, id="an older one"),
    ],
)
def test_a_row_is_as_old_as_the_read_that_last_showed_it(
    covers: list[Cover], missing_since: datetime | None, as_of: datetime
) -> None:
    row = of_row(
        {
            "state": "ACTIVE",
            "missingSince": missing_since,
            "groups": [STANDING, DATES],
            "until": None,
        },
        covers,
    )

    assert row == {
        "source": "REPORT",
        "asOf": as_of,
        "missingSince": missing_since,
        "groups": [STANDING | {"asOf": as_of}, DATES],
    }
