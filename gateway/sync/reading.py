"""The first pass over any one file: its rows, their hashes, what the store has just so."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import polars as pl

from gateway.store.known import Flags, Known
from gateway.sync.job import Job
from gateway.sync.report_files import ReportFile
from gateway.sync.report_rows import Rows, rows_of
from gateway.sync.row_hash import Hashes, row_hashes
from gateway.sync.summary import Progress

# Beside a Canvas id these only say how a thing that is known by its id alone may be called.
_ALSO_CALLED = frozenset(
    {"course_sis", "section_sis", "person_sis", "associated_sis", "account_sis", "term_sis"}
    | {"parent_sis", "origin_sis"}
)


async def rows_in(
    job: Job, file: ReportFile, custom_types: Mapping[int, str] | None = None
) -> AsyncIterator[Rows]:
    """The file's rows, block by block; what cannot be used is set aside on the way. A server that reads on serves on."""
    done = count = 0
    with file.blocks(job.limits) as blocks:
        ahead = iter(blocks)

        def following() -> Rows | None:
            block = next(ahead, None)
            if block is None:
                return None
            return rows_of(block, file, job.institution.shard, custom_types or {})

        while (rows := await asyncio.to_thread(following)) is not None:
            job.set_aside.add(file.name, rows.bad)
            yield rows
            done += rows.size
            count += rows.good.height + rows.bad.height
            job.progress(
                Progress(phase="reading", file=file.name, done=done, total=file.size, rows=count)
            )


def hashes_of(job: Job, rows: pl.DataFrame) -> Hashes:
    ignored = _ALSO_CALLED if job.by_canvas_id else frozenset[str]()
    return row_hashes(
        rows, job.kind.value, [c for c in rows.columns if c not in {"line", *ignored}]
    )


def same_as_stored(stored: Known, keys: Hashes, hashes: Hashes) -> Flags:
    """Which rows the store has with just this hash, its first value."""
    places, found = stored.find(keys)
    if not len(stored.keys):
        return found
    same: Flags = found & (stored.values[0][places] == hashes)
    return same
