"""Rows that wait on disk between checking and writing, so that a file of any size needs the same memory."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import polars as pl

from gateway.sync.report_columns import RosterFile

FILE_ROWS = 500


class Stage:
    """Frames by roster file and bucket, in the order in which they came. `folder` is made, and is the caller's to remove."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._frames: dict[tuple[RosterFile, int], list[Path]] = {}
        self._small: dict[tuple[RosterFile, int], list[pl.DataFrame]] = {}  # not worth a file yet
        self.rows: dict[RosterFile, int] = {}

    def put(self, which: RosterFile, frame: pl.DataFrame, bucket: int = 0) -> None:
        if frame.is_empty():
            return
        self.rows[which] = self.rows.get(which, 0) + frame.height
        held = self._small.setdefault((which, bucket), [])
        held.append(frame)
        if sum(one.height for one in held) >= FILE_ROWS:
            self._write(which, bucket)

    def _write(self, which: RosterFile, bucket: int) -> None:
        if held := self._small.pop((which, bucket), None):
            places = self._frames.setdefault((which, bucket), [])
            path = self.folder / f"{which.value}-{bucket}-{len(places)}"
            pl.concat(held).write_ipc(path, compression="lz4")
            places.append(path)

    def frames(self, which: RosterFile, bucket: int = 0) -> Iterator[pl.DataFrame]:
        self._write(which, bucket)
        for path in self._frames.get((which, bucket), []):
            yield pl.read_ipc(path)

    def buckets(self, which: RosterFile) -> list[int]:
        return sorted({bucket for file, bucket in [*self._frames, *self._small] if file is which})


def in_chunks(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of about `rows`: many small ones are joined, large ones cut."""
    held: list[pl.DataFrame] = []
    height = 0
    for frame in frames:
        held.append(frame)
        height += frame.height
        if height >= rows:
            yield from pl.concat(held).iter_slices(rows)
            held, height = [], 0
    if height:
        yield from pl.concat(held).iter_slices(rows)


async def apart(frames: Iterator[pl.DataFrame]) -> AsyncIterator[pl.DataFrame]:
    """Each frame, made in a thread: meanwhile, and between any two, the loop serves others."""
    while (frame := await asyncio.to_thread(next, frames, None)) is not None:
        yield frame


async def ahead(frames: Iterator[pl.DataFrame]) -> AsyncIterator[pl.DataFrame]:
    """The same, the next one being made while this is at work: frames that change nothing but themselves."""
    coming = asyncio.ensure_future(asyncio.to_thread(next, frames, None))
    try:
        while (frame := await coming) is not None:
            coming = asyncio.ensure_future(asyncio.to_thread(next, frames, None))
            yield frame
    finally:
        await asyncio.wait([coming])
