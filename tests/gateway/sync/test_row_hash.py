"""Stored hashes must mean the same in every release: these values change only together with `VERSION`."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from gateway.sync.row_hash import VERSION, combined, row_hashes

FRAME = pl.DataFrame(
    {
        "canvas_id": [10_000_000_030_001, 170_000_000_002_231, None],
        "state": ["ACTIVE", "ACTIVE", None],
        "name": ["Zoë Müller", "美咲", ""],
        "limit_to_section": [True, False, None],
        "start_at": [datetime(2026, 8, 31, 6, tzinfo=UTC), None, None],
    },
    schema_overrides={"start_at": pl.Datetime("us", "UTC")},
)


def test_hashes_are_pinned() -> None:
    assert 1 == VERSION
    assert [2127686436475929196, -691475625928123554, 2818124918963309902] == row_hashes(
        FRAME, "provisioning report", FRAME.columns
    ).tolist()


def test_the_order_of_columns_is_free_and_their_names_are_not() -> None:
    one = row_hashes(FRAME, "k", FRAME.columns)

    assert (
        one.tolist()
        == row_hashes(FRAME.select(reversed(FRAME.columns)), "k", FRAME.columns[::-1]).tolist()
    )
    assert (
        one.tolist()
        != row_hashes(FRAME.rename({"name": "title"}), "k", ["title", *FRAME.columns[:2]]).tolist()
    )
    assert one.tolist() != row_hashes(FRAME, "other", FRAME.columns).tolist()


@pytest.mark.parametrize("column", FRAME.columns)
def test_every_column_counts_and_null_is_a_value(column: str) -> None:
    changed = FRAME.with_columns(pl.col(column).shift(1))

    assert (row_hashes(FRAME, "k", FRAME.columns) != row_hashes(changed, "k", FRAME.columns)).any()


def test_the_lowest_bit_is_free() -> None:
    assert 0 == int((row_hashes(FRAME, "k", FRAME.columns) & 1).sum())


def test_texts_do_not_run_into_each_other() -> None:
    one, other = (
        pl.DataFrame({"a": ["x", "xy"], "b": ["yz", "z"]}),
        pl.DataFrame({"a": ["", None], "b": [None, ""]}),
    )

    for frame in (one, other):
        first, second = row_hashes(frame, "k", ["a", "b"])
        assert first != second


def test_a_null_is_not_a_zero() -> None:
    zero, null = pl.DataFrame({"n": [0]}), pl.DataFrame({"n": [None]}, schema={"n": pl.Int64})

    assert row_hashes(zero, "k", ["n"]).tolist() != row_hashes(null, "k", ["n"]).tolist()


def test_swapped_values_do_not_cancel_out() -> None:
    a, b = pl.Series([1, 2]), pl.Series([2, 1])

    assert combined(a, b)[0] != combined(a, b)[1]


def test_no_two_of_a_million_rows_collide() -> None:
    rows = pl.DataFrame(
        {"a": pl.int_range(1_000_000, eager=True), "b": pl.int_range(1_000_000, eager=True) % 7}
    )

    assert 1_000_000 == len(np.unique(row_hashes(rows, "k", ["a", "b"])))
