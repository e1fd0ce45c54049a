"""Users into people: whose logins changed, whose aliases end and open, who claims what another has."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import numpy as np
import polars as pl

from gateway.store import identities, merging
from gateway.store.first_load import FirstLoad
from gateway.store.identities import Held
from gateway.store.known import contains
from gateway.store.merging import Merged
from gateway.store.shapes import PERSON
from gateway.sync import logins
from gateway.sync.job import Job
from gateway.sync.logins import People
from gateway.sync.report_columns import RosterFile
from gateway.sync.row_hash import Hashes
from gateway.sync.stage import Stage, ahead, in_chunks
from gateway.uow import Transaction
from models.roster import IdentityKind

_ROWS_EACH = 5  # of a person, their aliases counted

_CALLED = {
    IdentityKind.SIS_USER_ID: "SIS id",
    IdentityKind.INTEGRATION_ID: "integration id",
    IdentityKind.LOGIN_ID: "login",
    IdentityKind.CANVAS_UUID: "uuid",
    IdentityKind.CANVAS_GLOBAL_ID: "Canvas id",
}


async def write_users(job: Job, advanced: Callable[[int], None]) -> Merged:
    """Everybody in users.csv whose logins the store has not just so. `advanced` hears of rows written."""
    if not len(job.checked[RosterFile.USERS].changed_people):
        return Merged()
    load = FirstLoad(job.institution.id, PERSON.table, "identity")
    if not await load.may_begin(job.database):
        return await _write_chunks(job, _chunks(job), advanced)
    chunks, total = _chunks(job), Merged()
    async with load.without_indexes(job.database) as begun:
        refused = None
        if begun:
            total, refused = await _filled(job, load, chunks, advanced)
    # somebody else has written to the tables: the rest has to be compared
    rest = chunks if refused is None else _first(refused, chunks)
    return total + await _write_chunks(job, rest, advanced)


async def _chunks(job: Job) -> AsyncIterator[pl.DataFrame]:
    """All logins of so many people at a time, of those whose logins the store has not just so.

    In the order of the file, which is mostly that of the keys; people with several logins, which may stand far apart, at last.
    """
    people = max(1, job.limits.chunk_rows // _ROWS_EACH)
    several = Stage(job.stage.folder / "several")
    async for chunk in ahead(in_chunks(_single_logins(job, several), people)):
        yield await _without_contested(job, chunk)
    async for chunk in ahead(_several_logins(several, people)):
        yield await _without_contested(job, chunk)


def _single_logins(job: Job, several: Stage) -> Iterator[pl.DataFrame]:
    """The changed rows of people who have one login; those of the others go into `several`."""
    users = job.checked[RosterFile.USERS]
    buckets = 1 + len(users.with_several_logins) // job.limits.chunk_rows
    for frame in job.stage.frames(RosterFile.USERS):
        changed = _of(frame, users.changed_people)
        together = _of(changed, users.with_several_logins)
        bucket = np.searchsorted(users.with_several_logins, together["who"].to_numpy()) % buckets
        for number in np.unique(bucket):
            part = together.filter(pl.Series(bucket == number))
            several.put(RosterFile.USERS, part, int(number))
        yield changed.join(together, on="who", how="anti", maintain_order="left")


def _of(rows: pl.DataFrame, people: Hashes) -> pl.DataFrame:
    return rows.filter(pl.Series(contains(people, rows["who"].to_numpy())))


def _several_logins(several: Stage, people: int) -> Iterator[pl.DataFrame]:
    """All logins of so many people at a time."""
    for bucket in several.buckets(RosterFile.USERS):
        rows = pl.concat(several.frames(RosterFile.USERS, bucket))
        for some in rows["who"].unique(maintain_order=True).to_frame().iter_slices(people):
            yield rows.join(some, on="who", how="semi", maintain_order="left")


async def _write_chunks(
    job: Job, chunks: AsyncIterator[pl.DataFrame], advanced: Callable[[int], None]
) -> Merged:
    total = Merged()
    async for chunk in chunks:
        total += await _Chunk(job, RosterFile.USERS, logins.people_of).write(chunk)
        advanced(chunk.height)
    return total


async def _filled(
    job: Job,
    load: FirstLoad,
    chunks: AsyncIterator[pl.DataFrame],
    advanced: Callable[[int], None],
) -> tuple[Merged, pl.DataFrame | None]:
    """Chunk after chunk, people with their aliases, as long as nobody else writes there; the first that was not written."""
    telling, total = job.telling(PERSON.table), Merged()
    async for chunk in chunks:
        built = await asyncio.to_thread(logins.people_of, chunk)
        people = merging.as_stored(PERSON, built.people, telling)

        async def work(
            tx: Transaction, built: People = built, people: pl.DataFrame = people
        ) -> bool:
            if not await load.goes_on(tx):
                return False
            named = built.people.select("who", person_id=await load.put(tx, PERSON.table, people))
            # in the order of their key, so that each of its pages is visited once
            aliases = built.aliases.join(named, on="who").sort("kind", "scope", "value")
            await load.put(tx, "identity", identities.as_stored(aliases, telling))
            return True

        if not await job.database.transact(work):
            return total, chunk
        total += Merged(created=built.people.height)
        advanced(chunk.height)
    return total, None


async def _first(
    one: pl.DataFrame, others: AsyncIterator[pl.DataFrame]
) -> AsyncIterator[pl.DataFrame]:
    yield one
    async for other in others:
        yield other


async def write_named(job: Job, which: RosterFile, canvas_ids: pl.Series) -> None:
    """People of whom a row says the Canvas id and nothing else."""
    for ids in canvas_ids.to_frame("who").iter_slices(job.limits.chunk_rows):
        await _Chunk(job, which, _named).write(
            ids.with_columns(canvas_id="who", line=0, state=None, row_hash=pl.lit(None, pl.Int64))
        )


def _named(rows: pl.DataFrame) -> People:
    return People(
        people=rows.select("who", "canvas_id", "row_hash"), aliases=logins.aliases_of(rows)
    )


class _Chunk:
    """Some people and their aliases, written in one transaction."""

    def __init__(
        self, job: Job, which: RosterFile, build: Callable[[pl.DataFrame], People]
    ) -> None:
        self._job, self._which, self._build = job, which, build
        self._conflicts: list[tuple[Held, str]] = []
        self._aside: list[tuple[int, str]] = []

    async def write(self, rows: pl.DataFrame) -> Merged:
        async def work(tx: Transaction) -> Merged:
            self._conflicts, self._aside = [], []
            return await self._write(tx, rows)

        merged = await self._job.database.transact(work)
        _set_aside(self._job, self._aside)
        return merged

    async def _write(self, tx: Transaction, rows: pl.DataFrame) -> Merged:
        telling = self._job.telling(PERSON.table)
        await merging.lock(tx, telling.institution_id)
        while True:
            built = self._build(rows)
            columns = await self._stage(tx, built)
            held = await identities.held_by_others(tx, telling.institution_id)
            disputed = [one for one in held if not self._given_up(one)]
            if not disputed:
                break
            rows = self._without(rows, built, disputed)
        await identities.end(tx, telling, held)
        merged = await merging.settle(tx, PERSON, columns, telling)
        complete = logins.kinds_told(rows.columns) if self._all_logins_told else frozenset()
        await identities.settle(tx, telling, complete=complete)
        await identities.record_conflicts(tx, telling, self._conflicts)
        return merged

    @property
    def _all_logins_told(self) -> bool:
        """A SIS export shows logins with SIS ids only; a row that only names somebody shows none."""
        return self._job.by_canvas_id and self._which is RosterFile.USERS

    async def _stage(self, tx: Transaction, built: People) -> Sequence[str]:
        told = [*sorted(PERSON.columns & set(built.people.columns)), "row_hash"]
        await merging.stage(tx, PERSON, built.people.select(told), self._job.telling(PERSON.table))
        numbered = built.people.select("who", n=pl.int_range(1, pl.len() + 1))
        await identities.stage(tx, built.aliases.join(numbered, on="who"))
        return told

    def _given_up(self, held: Held) -> bool:
        """The holder is gone, or stands in this report without the alias: it moved, and the report shows both ends."""
        if held.holder_gone:
            return True
        people = self._job.checked[RosterFile.USERS].people if self._all_logins_told else ()
        return held.holder_canvas_id is not None and bool(np.isin(held.holder_canvas_id, people))

    def _without(self, rows: pl.DataFrame, built: People, disputed: Sequence[Held]) -> pl.DataFrame:
        """The logins that claim nothing disputed; each of the others is set aside, with its evidence."""
        people = built.people["who"]
        for held in disputed:
            claims = built.aliases.filter(
                (pl.col("who") == people[held.n - 1])
                & (pl.col("kind") == held.kind)
                & (pl.col("scope") == held.scope)
                & (pl.col("value") == held.value)
            )
            line = int(claims["line"][0])
            reason = (
                f"the {_CALLED[IdentityKind(held.kind)]} {held.value} belongs to another person"
            )
            self._aside.append((line, reason))
            self._conflicts.append((held, _evidence(self._job, line, reason)))
        return rows.filter(~pl.col("line").is_in([line for line, _ in self._aside]))


async def _without_contested(job: Job, rows: pl.DataFrame) -> pl.DataFrame:
    """Without logins whose alias another person claims in the same file; whoever has it already keeps it."""
    contested = job.checked[RosterFile.USERS].contested
    if not len(contested):
        return rows
    aliases = logins.exclusive(logins.aliases_of(rows))
    claims = aliases.filter(pl.Series(np.isin(logins.alias_keys(aliases), contested)))
    aside: list[tuple[int, str]] = []
    conflicts: list[tuple[Held, str]] = []
    for claim in claims.iter_rows(named=True):
        holder = await identities.holder_of(
            job.database, job.institution.id, claim["kind"], claim["scope"], claim["value"]
        )
        if holder is not None and claim["who"] in (holder.holder_canvas_id, holder.holder):
            continue
        reason = f"the {_CALLED[IdentityKind(claim['kind'])]} {claim['value']} stands at another person in this file too"
        aside.append((claim["line"], reason))
        conflict = holder or Held(kind=claim["kind"], scope=claim["scope"], value=claim["value"])
        conflicts.append((conflict, _evidence(job, claim["line"], reason)))
    if conflicts:
        await job.database.transact(
            lambda tx: identities.record_conflicts(tx, job.telling(PERSON.table), conflicts)
        )
    _set_aside(job, aside)
    return rows.filter(~pl.col("line").is_in([line for line, _ in aside]))


def _set_aside(job: Job, rows: Sequence[tuple[int, str]]) -> None:
    firsts = dict(reversed(rows))
    if firsts:
        frame = pl.DataFrame({"line": list(firsts), "reason": list(firsts.values())}).sort("line")
        job.set_aside.add(job.name(RosterFile.USERS), frame)


def _evidence(job: Job, line: int, reason: str) -> str:
    return f"{job.report.name}, {job.name(RosterFile.USERS)}, line {line}: {reason}"
