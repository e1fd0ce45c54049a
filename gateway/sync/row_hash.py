"""Eight bytes that stand for what a report says of one row: equal hashes mean that there is nothing to do.

Stored beside the row, so they must come out the same in every release: numbers are stirred by splitmix64 [1], all texts of
a row enter as one XXH3 of their UTF-8, and `VERSION` with the names of the columns is the seed. Whoever changes any of this
raises `VERSION`: then every row is compared once in full. The lowest bit is always 0: beside a stored hash it tells something
else (`gateway.sync.enrollments`). Other sources that change a row set its hash to null.

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
_NO_TEXT, _BETWEEN = "\0", "\x1f"  # no file holds a NUL


def row_hashes(frame: pl.DataFrame, kind: str, columns: Sequence[str]) -> Hashes:
    """One hash a row over `columns` of a report of this `kind`; the order of `columns` is free, their names count."""
    named = sorted(columns)
    words = "\n".join([str(VERSION), kind, *named])
    total = np.full(frame.height, xxhash.xxh3_64_intdigest(words.encode()), dtype=np.uint64)
    for numbers in _numbers(frame.select(named)):
        total = _stirred(total ^ numbers)
    return (total & np.uint64(2**64 - 2)).view(np.int64)


def text_hashes(texts: pl.Series) -> Hashes:
    """A number for each text, the same one for every null."""
    return combined(texts.cast(pl.String))


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
    """Each column of numbers, a null being `_NULL`, then all texts of a row as one number."""
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    numbers = frame.select(
        pl.exclude(pl.String).cast(pl.Int64).reinterpret(signed=False).fill_null(_NULL)
    )
    for column in numbers:
        yield column.to_numpy()
    if texts:
        joined = pl.concat_str(pl.col(texts).fill_null(_NO_TEXT), separator=_BETWEEN)
        yield _digests(frame.select(joined).to_series())


def _digests(texts: pl.Series) -> npt.NDArray[np.uint64]:
    """Where few texts are different, as in most files, each is digested once."""
    if texts.is_empty():
        return np.empty(0, dtype=np.uint64)
    distinct = texts.unique()
    digests = (xxhash.xxh3_64_intdigest(text.encode()) for text in distinct)
    numbers = pl.Series(np.fromiter(digests, dtype=np.uint64, count=len(distinct)))
    return texts.replace_strict(distinct, numbers, return_dtype=pl.UInt64).to_numpy()
