"""Rows that wait on disk between checking and writing, so that a file of any size needs the same memory."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from gateway.sync.report_columns import RosterFile


class Stage:
    """Frames by roster file and bucket, in the order in which they came. `folder` is the caller's to remove."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._frames: dict[tuple[RosterFile, int], list[Path]] = {}
        self.rows: dict[RosterFile, int] = {}

    def put(self, which: RosterFile, frame: pl.DataFrame, bucket: int = 0) -> None:
        if frame.is_empty():
            return
        places = self._frames.setdefault((which, bucket), [])
        path = self._folder / f"{which.value}-{bucket}-{len(places)}"
        frame.write_ipc(path, compression="lz4")
        places.append(path)
        self.rows[which] = self.rows.get(which, 0) + frame.height

    def frames(self, which: RosterFile, bucket: int = 0) -> Iterator[pl.DataFrame]:
        for path in self._frames.get((which, bucket), []):
            yield pl.read_ipc(path)

    def buckets(self, which: RosterFile) -> list[int]:
        return sorted(bucket for file, bucket in self._frames if file is which)
