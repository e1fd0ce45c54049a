"""Users into people: whose logins changed, whose aliases end and open, who claims what another has."""

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from gateway.store import first_load, identities, merging
from gateway.store.identities import Held
from gateway.store.merging import Merged
from gateway.store.shapes import PERSON
from gateway.sync import logins
from gateway.sync.job import Job
from gateway.sync.logins import People
from gateway.sync.report_columns import RosterFile
from gateway.sync.stage import Stage, in_chunks
from gateway.uow import Transaction
from models.roster import IdentityKind

FRAME = 5_000  # rows that go to an empty table at once

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
    if (created := await _first_load(job, advanced)) is not None:
        return Merged(created=created)
    total = Merged()
    for bucket in job.stage.buckets(RosterFile.USERS):
        rows = await _changed_logins(job, bucket)
        for people in (
            rows["who"].unique(maintain_order=True).to_frame().iter_slices(job.limits.chunk_rows)
        ):
            chunk = rows.join(people, on="who", how="semi", maintain_order="left")
            total += await _Chunk(job, RosterFile.USERS, logins.people_of).write(chunk)
            advanced(chunk.height)
    return total


async def _changed_logins(job: Job, bucket: int) -> pl.DataFrame:
    rows = pl.concat(job.stage.frames(RosterFile.USERS, bucket))
    changed = pl.Series(job.checked[RosterFile.USERS].changed_people, dtype=pl.Int64)
    return await _without_contested(job, rows.filter(pl.col("who").is_in(changed.implode())))


async def _first_load(job: Job, advanced: Callable[[int], None]) -> int | None:
    """All people and their aliases into the two empty tables at once. None when they are not empty."""
    tables = (PERSON.table, "identity")
    for table in tables:
        if not await first_load.is_empty_now(job.database, table):
            return None
    resolved, count = Stage(job.stage.folder / PERSON.table), 0
    for bucket in job.stage.buckets(RosterFile.USERS):
        built = logins.people_of(await _changed_logins(job, bucket))
        numbered = built.people.with_columns(number=pl.int_range(count, count + pl.len()))
        aliases = built.aliases.join(numbered.select("who", "number"), on="who")
        resolved.put(RosterFile.USERS, built.people, bucket=0)
        resolved.put(RosterFile.USERS, aliases.select("number", "kind", "scope", "value"), bucket=1)
        count += built.people.height
    telling = job.telling(PERSON.table)

    async def work(tx: Transaction) -> int | None:
        await merging.lock(tx, telling.institution_id)
        if not all([await first_load.is_empty(tx, table) for table in tables]):
            return None
        first = await first_load.next_id(tx, PERSON.table)
        people = (
            merging.as_stored(PERSON, frame, telling)
            for frame in resolved.frames(RosterFile.USERS, 0)
        )
        created = await first_load.fill(tx, PERSON.table, people, first, advanced)
        aliases = (
            identities.as_stored(frame.with_columns(person_id=first + pl.col("number")), telling)
            for frame in in_chunks(resolved.frames(RosterFile.USERS, 1), FRAME)
        )
        await first_load.fill(
            tx, "identity", aliases, await first_load.next_id(tx, "identity"), lambda _: None
        )
        return created

    return await job.database.transact(work)


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
