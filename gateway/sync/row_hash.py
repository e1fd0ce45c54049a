"""Eight bytes that stand for what a report says of one row: equal hashes mean that there is nothing to do.

Stored beside the row, so they must come out the same in every release: numbers are stirred by splitmix64 [1], texts
enter as XXH3 of their UTF-8, and `VERSION` with the names of the columns is the seed. Whoever changes any of this raises
`VERSION`: then every row is compared once in full. Other sources that write a row set its hash to null.

[1] Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import xxhash

VERSION = 1
Hashes = npt.NDArray[np.int64]

_NULL = np.uint64(0x9E3779B97F4A7C15)


def row_hashes(frame: pl.DataFrame, kind: str, columns: Sequence[str]) -> Hashes:
    """One hash a row over `columns` of a report of this `kind`; the order of `columns` is free, their names count."""
    named = sorted(columns)
    words = "\n".join([str(VERSION), kind, *named])
    seed = xxhash.xxh3_64_intdigest(words.encode())
    total = np.full(frame.height, seed, dtype=np.uint64)
    for name in named:
        total = _stirred(total ^ _numbers(frame[name]))
    return total.view(np.int64)


def text_hashes(texts: pl.Series) -> Hashes:
    """A number for each text, null for none: `_NULL`."""
    return _numbers(texts.cast(pl.String)).view(np.int64)


def combined(*parts: Hashes) -> Hashes:
    """One number for several that together name a thing."""
    total = np.zeros(len(parts[0]), dtype=np.uint64)
    for part in parts:
        total = _stirred(total ^ part.view(np.uint64))
    return total.view(np.int64)


def _stirred(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
        numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return numbers ^ (numbers >> np.uint64(31))


def _numbers(column: pl.Series) -> npt.NDArray[np.uint64]:
    if column.dtype == pl.String:
        return _digests(column)
    if column.dtype in (pl.Datetime, pl.Boolean):
        column = column.cast(pl.Int64)
    values = column.fill_null(0).to_numpy().astype(np.int64).view(np.uint64)
    return np.where(column.is_null().to_numpy(), _NULL, values)


def _digests(texts: pl.Series) -> npt.NDArray[np.uint64]:
    """Few texts are different in most columns: each is digested once."""
    distinct = texts.drop_nulls().unique()
    digests = pl.Series(
        [xxhash.xxh3_64_intdigest(text.encode()) for text in distinct], dtype=pl.UInt64
    )
    found = texts.replace_strict(distinct, digests, default=None, return_dtype=pl.UInt64)
    return found.fill_null(int(_NULL)).to_numpy()
