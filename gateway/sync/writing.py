"""The second pass: what the first left on disk goes into the store, chunk by chunk, what is referred to before what refers.

A chunk is one short transaction that holds the institution's lock: rows, feed and counters move together, so a crash leaves
whole chunks and an open run, and the next import finds them done. Readers and launches wait for one chunk at most.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

import numpy as np
import polars as pl

from gateway.store import merging
from gateway.store.first_load import FirstLoad
from gateway.store.known import Numbers, contains
from gateway.store.merging import Merged
from gateway.store.shapes import ACCOUNT, COURSE, ENROLLMENT, PERSON, SECTION, TERM, Shape
from gateway.sync import people
from gateway.sync.job import Job
from gateway.sync.references import References
from gateway.sync.report_columns import RosterFile
from gateway.sync.search_keys import with_keys
from gateway.sync.stage import Stage, ahead, apart, in_chunks
from gateway.sync.summary import Counts, Progress
from gateway.uow import Transaction

Step = Callable[["Writer", pl.DataFrame], Awaitable[None]]
Resolve = Callable[["Writer", pl.DataFrame], Awaitable[pl.DataFrame]]


class Writer:
    """One report's rows on their way into the store."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.chunk_rows = job.limits.chunk_rows
        self.references = References(job=job)
        self.told_enrollments: list[Numbers] = []  # our ids of those that were written
        self._written = 0

    async def records(self, which: RosterFile, step: Step) -> None:
        async for frame in apart(in_chunks(self.frames(which), self.chunk_rows)):
            await step(self, frame)

    def frames(self, which: RosterFile) -> Iterator[pl.DataFrame]:
        """Staged rows, without those that stand in the file twice and those that the shrink guard keeps back."""
        checked = self.job.checked[which]
        repeated = pl.Series(checked.repeated, dtype=pl.Int64)
        withheld = pl.Series(checked.withheld, dtype=pl.Int64)
        for frame in self.job.stage.frames(which):
            again = frame["line"].is_in(repeated.implode())
            self.set_aside(which, frame.filter(again), "stands in an earlier line already")
            yield frame.filter(~again & ~frame["line"].is_in(withheld.implode()))

    def set_aside(self, which: RosterFile, rows: pl.DataFrame, reason: str | pl.Expr) -> None:
        why = pl.lit(reason) if isinstance(reason, str) else reason
        if rows.height:
            self.job.set_aside.add(self.job.name(which), rows.select("line", reason=why))

    async def merge(self, which: RosterFile, shape: Shape, rows: pl.DataFrame) -> Merged:
        """`rows`: the shape's columns and `row_hash`, written in chunks and counted for the file."""
        told = rows.select(pl.col(sorted(shape.columns & set(rows.columns))), "row_hash")
        total = Merged()
        for chunk in told.iter_slices(self.chunk_rows):
            total += await self.job.database.transact(self._chunk(shape, chunk))
            self.advanced(which, chunk.height)
        self.job.count(which, counts_of(total))
        return total

    async def first_load(self, which: RosterFile, shape: Shape, resolve: Resolve) -> bool:
        """All rows of the file into the empty table. False when it is not empty."""
        database = self.job.database
        load = FirstLoad(self.job.institution.id, shape.table)
        if not self.job.by_canvas_id or not await load.may_begin(database):
            return False
        resolved = Stage(self.job.stage.folder / shape.table)
        async for frame in apart(self.frames(which)):
            resolved.put(which, await resolve(self, frame))
        chunks = ahead(in_chunks(resolved.frames(which), self.chunk_rows))
        async with load.without_indexes(database) as begun:
            refused = await self._filled(which, shape, load, chunks) if begun else None
        # somebody else has written to the table: the rest has to be compared
        if refused is not None:
            await self.merge(which, shape, refused)
        async for chunk in chunks:
            await self.merge(which, shape, chunk)
        return True

    async def _filled(
        self, which: RosterFile, shape: Shape, load: FirstLoad, chunks: AsyncIterator[pl.DataFrame]
    ) -> pl.DataFrame | None:
        """Chunk after chunk, as long as nobody else writes to the table; the first that was not written."""
        async for chunk in chunks:
            stored = merging.as_stored(shape, chunk, self.job.telling(shape.table))

            async def work(tx: Transaction, stored: pl.DataFrame = stored) -> bool:
                if not await load.goes_on(tx):
                    return False
                await load.put(tx, shape.table, stored)
                return True

            if not await self.job.database.transact(work):
                return chunk
            self.job.count(which, Counts(created=chunk.height))
            self.advanced(which, chunk.height)
        return None

    def _chunk(
        self, shape: Shape, chunk: pl.DataFrame
    ) -> Callable[[Transaction], Awaitable[Merged]]:
        async def work(tx: Transaction) -> Merged:
            telling = self.job.telling(shape.table)
            await merging.lock(tx, telling.institution_id)
            doubled = await merging.stage(tx, shape, chunk, telling)
            ids = await merging.staged_ids(tx) if shape is ENROLLMENT else []
            same = await merging.drop_unchanged(tx, shape)
            merged = await merging.settle(tx, shape, chunk.columns, telling)
            if shape is ENROLLMENT:
                self.told_enrollments.append(
                    np.array(ids + await merging.staged_ids(tx), dtype=np.int64)
                )
            return merged + Merged(unchanged=same + doubled)

        return work

    def advanced(self, which: RosterFile, rows: int) -> None:
        self._written += rows
        total = sum(self.job.stage.rows.values())
        name = self.job.name(which)
        self.job.progress(Progress(phase="writing", file=name, done=self._written, total=total))

    def names(self, rows: pl.DataFrame, name: str) -> bool:
        """Whether the rows have a column for what they refer to by `name`."""
        return (name if self.job.by_canvas_id else f"{name}_sis") in rows.columns

    async def referred(
        self, which: RosterFile, shape: Shape, rows: pl.DataFrame, name: str
    ) -> pl.Series:
        """Our ids for what the rows call `name`. What has a Canvas id and is not known yet is made by it."""
        ids = await self.references.ids(shape.table, rows, name)
        if self.job.by_canvas_id and (ids.is_null() & rows[name].is_not_null()).any():
            await self._make_known(which, shape, rows.filter(ids.is_null()), name)
            ids = await self.references.ids(shape.table, rows, name)
        return ids

    async def _make_known(
        self, which: RosterFile, shape: Shape, rows: pl.DataFrame, name: str
    ) -> None:
        called = f"{name}_sis"
        new = rows.filter(pl.col(name).is_not_null()).unique(
            name, keep="first", maintain_order=True
        )
        self.job.note(which, mentioned=new.height)
        self.references.forget(shape.table)
        if shape is PERSON:
            await people.write_named(self.job, which, new[name])
            return
        columns = {"canvas_id": pl.col(name), "row_hash": pl.lit(None, pl.Int64)}
        if called in rows.columns:
            columns["sis_id"] = pl.col(called)
        if shape is SECTION:
            columns["course_id"] = pl.col("course_id")
        for chunk in new.select(**columns).iter_slices(self.chunk_rows):
            await self.job.database.transact(self._chunk(shape, chunk))


def together(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(frames) if frames else pl.DataFrame()


def counts_of(merged: Merged) -> Counts:
    return Counts(
        created=merged.created,
        updated=merged.updated,
        removed=merged.removed,
        unchanged=merged.unchanged,
    )


async def write_accounts(writer: Writer) -> None:
    """Parents before children, whatever the order of the file."""
    which = RosterFile.ACCOUNTS
    rows = together(list(writer.frames(which)))
    key, parent = ("canvas_id", "parent") if writer.job.by_canvas_id else ("sis_id", "parent_sis")
    while rows.height:
        waits = rows[parent].is_in(rows[key].implode()) & (rows[parent] != rows[key])
        ready = (
            rows
            if waits.fill_null(value=False).all()
            else rows.filter(~waits.fill_null(value=False))
        )
        ids = await writer.referred(which, ACCOUNT, ready, "parent")
        await writer.merge(which, ACCOUNT, ready.with_columns(parent_id=ids))
        writer.references.forget(ACCOUNT.table)
        rows = rows.join(ready.select(key), on=key, how="anti")


async def write_terms(writer: Writer, rows: pl.DataFrame) -> None:
    await writer.merge(RosterFile.TERMS, TERM, rows)


async def write_courses(writer: Writer, rows: pl.DataFrame) -> None:
    which = RosterFile.COURSES
    for name, shape in (("account", ACCOUNT), ("term", TERM)):
        if writer.names(rows, name):
            ids = await writer.referred(which, shape, rows, name)
            rows = rows.with_columns(ids.alias(f"{name}_id"))
    keyed = with_keys(rows, order=("name", "course_code"), search=("name", "course_code"))
    await writer.merge(which, COURSE, keyed)


async def write_sections(writer: Writer, rows: pl.DataFrame) -> None:
    await _write_sections(writer, RosterFile.SECTIONS, rows)


async def write_cross_listings(writer: Writer, rows: pl.DataFrame) -> None:
    """xlist.csv alone; beside sections.csv it is a part of that."""
    moved = (
        rows.filter(pl.col("state") == "ACTIVE")
        .drop("state")
        .with_columns(row_hash=pl.lit(None, pl.Int64))
    )
    await _write_sections(writer, RosterFile.XLIST, moved)


async def _write_sections(writer: Writer, which: RosterFile, rows: pl.DataFrame) -> None:
    for name in ("course", "origin"):
        if writer.names(rows, name):
            ids = await writer.referred(which, COURSE, rows, name)
            rows = rows.with_columns(
                ids.alias("course_id" if name == "course" else "origin_course_id")
            )
    unknown = rows["course_id"].is_null()
    writer.set_aside(
        which, rows.filter(unknown), pl.format("the course {} is not known", "course_sis")
    )
    await writer.merge(which, SECTION, rows.filter(~unknown))


async def write_enrollments(writer: Writer) -> None:
    which = RosterFile.ENROLLMENTS
    if not await writer.first_load(which, ENROLLMENT, resolved_enrollments):
        async for rows in apart(in_chunks(writer.frames(which), writer.chunk_rows)):
            await writer.merge(which, ENROLLMENT, await resolved_enrollments(writer, rows))


async def resolved_enrollments(writer: Writer, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with our ids for what they refer to, which is made where only its Canvas id is known."""
    which = RosterFile.ENROLLMENTS
    for name, shape in (("course", COURSE), ("section", SECTION), ("person", PERSON)):
        ids = await writer.referred(which, shape, rows, name)
        rows = rows.with_columns(ids.alias(f"{name}_id"))
        rows = _without_unknown(writer, rows, name)
    rows = _of_courses_not_read_since(writer, await _with_course_of_section(writer, rows))
    observed = await writer.referred(which, PERSON, rows, "associated")
    return rows.with_columns(observed.alias("associated_person_id"))


def _of_courses_not_read_since(writer: Writer, rows: pl.DataFrame) -> pl.DataFrame:
    """A course of which a newer whole reading was taken in learns nothing from an older report."""
    newer = pl.Series(contains(writer.job.newer_courses, rows["course_id"].to_numpy()))
    writer.job.count(RosterFile.ENROLLMENTS, Counts(unchanged=int(newer.sum())))
    return rows.filter(~newer)


def _without_unknown(writer: Writer, rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """A SIS export may leave the course's or the section's id blank; one that it gives must be known."""
    if writer.job.by_canvas_id:
        return rows
    called = pl.col(f"{name}_sis")
    unknown = rows.select(pl.col(f"{name}_id").is_null() & called.is_not_null()).to_series()
    what = "user" if name == "person" else name
    reason = pl.format(f"the {what} {{}} is not known", called)
    writer.set_aside(RosterFile.ENROLLMENTS, rows.filter(unknown), reason)
    return rows.filter(~unknown)


async def _with_course_of_section(writer: Writer, rows: pl.DataFrame) -> pl.DataFrame:
    """The course of a SIS export's row that names its section alone."""
    if not rows["course_id"].has_nulls():
        return rows
    sections = await writer.references.courses_of_sections()
    found = pl.coalesce("course_id", sections.lookup(rows["section_id"]))
    rows = rows.with_columns(course_id=found)
    lost = rows["course_id"].is_null()
    writer.set_aside(
        RosterFile.ENROLLMENTS, rows.filter(lost), "neither its course nor its section is named"
    )
    return rows.filter(~lost)
