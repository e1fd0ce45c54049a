"""`models.text` for whole columns: what lists are ordered and searched by."""

from collections.abc import Sequence

import polars as pl

from models import text


def with_keys(frame: pl.DataFrame, *, order: Sequence[str], search: Sequence[str]) -> pl.DataFrame:
    """The frame with `sort_key` from the first of `order` that a row has, and `search_key` from all of `search`."""
    present = [name for name in dict.fromkeys([*order, *search]) if name in frame.columns]
    folded = frame.select(_folded(frame[name]).alias(name) for name in present)
    ordering = [_present(name) for name in order if name in present]
    looked_into = pl.concat_list([_present(name) for name in search if name in present])
    lines = looked_into.list.drop_nulls().list.unique(maintain_order=True).list.join("\n")
    keys = folded.select(sort_key=pl.coalesce(*ordering, pl.lit("")), search_key=lines)
    return frame.hstack(keys)


def _present(name: str) -> pl.Expr:
    return pl.when(pl.col(name).str.len_bytes() > 0).then(pl.col(name))


def _folded(texts: pl.Series) -> pl.Series:
    """Only what is not ASCII takes the long way, and each text once."""
    ascii_only = texts.str.len_bytes() == texts.str.len_chars()
    others = texts.filter(~ascii_only).unique()
    folded = pl.Series([text.fold(other) for other in others], dtype=pl.String)
    plain = texts.str.to_lowercase()
    return (
        plain.to_frame("plain")
        .select(
            pl.when(ascii_only)
            .then("plain")
            .otherwise(texts.replace_strict(others, folded, default=None, return_dtype=pl.String))
        )
        .to_series()
    )
