"""What the console says of a list: whence, how old, how complete, and what is hidden, to people who know no codes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.console import words

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


def told(completeness: str, source: str | None = "REPORT") -> dict[str, Any]:
    return {
        "completeness": completeness,
        "source": source,
        "asOf": "2026-09-01T10:00:00Z",
        "origins": [],
        "stale": False,
    }


@pytest.mark.parametrize(
    ("provenance", "of", "said"),
    [
        (told("COMPLETE"), "people", "Everybody who should be in it is in it."),
        (told("COMPLETE"), "courses", "No course is missing."),
        (told("UNKNOWN"), "people", "Whether that is everybody cannot be told."),
    ],
)
def test_whence_and_how_complete_a_list_is(provenance: dict[str, Any], of: str, said: str) -> None:
    whence = "From the school's provisioning report, read 2 hours ago."
    assert f"{whence} {said}" == words.freshness(provenance, NOW, of)


def test_of_what_was_never_read_no_source_is_named() -> None:
    said = words.freshness(told("UNKNOWN", None), NOW, "people")

    assert "Nothing was ever read that could tell who is in it." == said


def test_a_hidden_field_is_said_in_words_and_any_other_gap_as_it_is_told() -> None:
    hidden = {"reason": "NOT_PERMITTED", "field": "user.email", "message": "user.email"}
    other = {"reason": "THROTTLED", "field": None, "message": "Canvas would be asked too much."}

    assert "You are not shown the others' e-mail addresses." == words.gap(hidden)
    assert "Canvas would be asked too much." == words.gap(other)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (None, "the school's provisioning report"),
        ("report", "the school's provisioning report"),
        ("Botany", "the school's provisioning report: Botany"),
    ],
)
def test_a_run_is_named_by_its_source_and_what_its_label_adds(label: str | None, said: str) -> None:
    assert said == words.told_by({"source": "REPORT", "label": label})
