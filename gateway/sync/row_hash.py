"""Eight bytes that stand for what a report says of one row: equal hashes mean that there is nothing to do.

Stored beside the row, so they must come out the same in every release: numbers are stirred by splitmix64 [1], texts
enter as XXH3 of their UTF-8, and `VERSION` with the names of the columns is the seed. Whoever changes any of this raises
`VERSION`: then every row is compared once in full. Other sources that write a row set its hash to null.

[1] Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import xxhash

VERSION = 1
Hashes = npt.NDArray[np.int64]

_NULL = 0x9E3779B97F4A7C15


def row_hashes(frame: pl.DataFrame, kind: str, columns: Sequence[str]) -> Hashes:
    """One hash a row over `columns` of a report of this `kind`; the order of `columns` is free, their names count."""
    named = sorted(columns)
    words = "\n".join([str(VERSION), kind, *named])
    seed = xxhash.xxh3_64_intdigest(words.encode())
    total = np.full(frame.height, seed, dtype=np.uint64)
    for numbers in _numbers(frame.select(named)):
        total = _stirred(total ^ numbers)
    return total.view(np.int64)


def text_hashes(texts: pl.Series) -> Hashes:
    """A number for each text, the same one for every null."""
    return combined(texts)


def combined(*parts: pl.Series) -> Hashes:
    """One number for several values that together name a thing."""
    frame = pl.DataFrame({str(place): part for place, part in enumerate(parts)})
    total = np.zeros(frame.height, dtype=np.uint64)
    for numbers in _numbers(frame):
        total = _stirred(total ^ numbers)
    return total.view(np.int64)


def _stirred(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
        numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return numbers ^ (numbers >> np.uint64(31))


def _numbers(frame: pl.DataFrame) -> Iterator[npt.NDArray[np.uint64]]:
    """Each column as numbers; a null is `_NULL`. All at once: polars takes longer to be asked than to answer."""
    digests = _digests(frame.select(pl.col(pl.String)))
    numbers = frame.select(
        pl.col(name).replace_strict(*digests[name], default=None, return_dtype=pl.UInt64)
        if dtype == pl.String
        else pl.col(name).cast(pl.Int64).reinterpret(signed=False)
        for name, dtype in frame.schema.items()
    ).fill_null(_NULL)
    for column in numbers:
        yield column.to_numpy()


def _digests(texts: pl.DataFrame) -> dict[str, tuple[pl.Series, pl.Series]]:
    """Few texts are different in most columns: each is digested once."""
    if not texts.width:
        return {}
    distinct = texts.select(pl.all().drop_nulls().unique().implode()).row(0)
    return {
        name: (
            pl.Series(values, dtype=pl.String),
            pl.Series(
                [xxhash.xxh3_64_intdigest(text.encode()) for text in values], dtype=pl.UInt64
            ),
        )
        for name, values in zip(texts.columns, distinct, strict=True)
    }
