"""What rows refer to: courses, sections, people by Canvas or SIS id, found as our row ids, or made when only named."""

from dataclasses import dataclass, field

import polars as pl

from gateway.store import dialects, known
from gateway.store.known import Known, numbers, sorted_known
from gateway.sync.job import Job
from gateway.sync.row_hash import text_hashes
from models.roster import IdentityKind


async def people_by_sis_id(job: Job) -> Known:
    """Our ids by hashed SIS id; a person may have several."""
    texts, ids = await known.texts(
        job.database,
        "select person_id as id, value as text from identity where institution_id = $1 and kind = $2"
        f" and scope = '' and exclusive = {dialects.true(job.database.dialect)}",
        job.institution.id,
        IdentityKind.SIS_USER_ID.value,
    )
    return sorted_known((text_hashes(texts), ids))


async def _by_sis_id(job: Job, table: str) -> Known:
    texts, ids = await known.texts(
        job.database,
        f"select id, sis_id as text from {table} where institution_id = $1 and sis_id is not null and removed_at is null",
        job.institution.id,
    )
    return sorted_known((text_hashes(texts), ids))


async def _by_canvas_id(job: Job, table: str) -> Known:
    source = (
        f"{table} t where t.institution_id = {job.institution.id:d} and t.canvas_id is not null"
    )
    return sorted_known(await numbers(job.database, ("t.canvas_id", "t.id"), source))


@dataclass(kw_only=True)
class References:
    """Row ids by table, read when first asked for and read again after something was made."""

    job: Job
    _known: dict[str, Known] = field(default_factory=dict)

    async def ids(self, table: str, rows: pl.DataFrame, name: str) -> pl.Series:
        """Our id for what each row calls `name` (a Canvas id) or `name`_sis; null where it is not known."""
        known_rows = await self._of(table)
        if self.job.by_canvas_id:
            return known_rows.lookup(rows[name])
        texts = rows[f"{name}_sis"]
        return known_rows.lookup(pl.Series(text_hashes(texts)).set(texts.is_null(), None))

    async def by_keys(self, table: str, keys: pl.Series) -> pl.Series:
        """Our ids for Canvas ids, or for hashed SIS ids where the report has no others."""
        return (await self._of(table)).lookup(keys)

    async def _of(self, table: str) -> Known:
        if table not in self._known:
            self._known[table] = await self._read(table)
        return self._known[table]

    async def _read(self, table: str) -> Known:
        if self.job.by_canvas_id:
            return await _by_canvas_id(self.job, table)
        if table == "person":
            return await people_by_sis_id(self.job)
        return await _by_sis_id(self.job, table)

    async def courses_of_sections(self) -> Known:
        """Our course id by our section id."""
        source = f"section t where t.institution_id = {self.job.institution.id:d}"
        return sorted_known(await numbers(self.job.database, ("t.id", "t.course_id"), source))

    def forget(self, table: str) -> None:
        self._known.pop(table, None)
