"""Accounts, terms, courses and sections of a batch into the store: described ones merged, mentioned ones made, moved sections moved."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from msgspec import UnsetType

from gateway.batch import Account, Batch, Course, Section, Term
from gateway.store import told
from gateway.store.merging import Merged, Telling
from gateway.store.shapes import ACCOUNT, COURSE, SECTION, TERM, Shape
from gateway.store.told import Columns, Mention, merged_in, our_ids
from gateway.uow import Transaction


@dataclass(kw_only=True)
class Places:
    """Our ids of a batch's courses and sections, by Canvas id; `merged`: what became of their rows."""

    courses: Mapping[int, int]
    sections: Mapping[int, int]
    merged: Merged


async def place(tx: Transaction, batch: Batch, telling: Telling) -> Places:
    placing = _Placing(tx=tx, batch=batch, telling=telling, merged=Merged())
    await placing.above()
    courses = await placing.courses()
    return Places(courses=courses, sections=await placing.sections(courses), merged=placing.merged)


@dataclass(kw_only=True)
class _Placing:
    tx: Transaction
    batch: Batch
    telling: Telling
    merged: Merged

    async def above(self) -> None:
        """The accounts and terms that are described; their parents first, by their ids alone."""
        parents = await self._mentioned(ACCOUNT, _numbers(a.parent for a in self.batch.accounts))

        def of_account(account: Account) -> Columns:
            known = told.columns(account)
            if "parent" in known:
                known["parent_id"] = parents.get(known.pop("parent"))
            return known

        def of_term(term: Term) -> Columns:
            return told.columns(term)

        self._count(
            await merged_in(self.tx, ACCOUNT, self.batch.accounts, of_account, self.telling)
        )
        self._count(await merged_in(self.tx, TERM, self.batch.terms, of_term, self.telling))

    async def courses(self) -> Mapping[int, int]:
        """Our ids by Canvas id; what is only mentioned is made by its id alone."""
        batch = self.batch
        accounts = await self._mentioned(ACCOUNT, _numbers(c.account for c in batch.courses))
        terms = await self._mentioned(TERM, _numbers(c.term for c in batch.courses))

        def columns(course: Course) -> Columns:
            known = told.columns(course)
            if "name" in known:
                known |= told.keys(course.name, course.course_code)
            for name, ids in (("account", accounts), ("term", terms)):
                if name in known:
                    known[f"{name}_id"] = ids.get(known.pop(name))
            return known

        self._count(await merged_in(self.tx, COURSE, batch.courses, columns, self.telling))
        named = {c.canvas_id for c in batch.courses}
        named |= {s.course for s in batch.sections} | {e.course for e in batch.enrollments}
        named |= set(_numbers(s.origin for s in batch.sections))
        return await self._mentioned(COURSE, named)

    async def _mentioned(self, shape: Shape, canvas_ids: Collection[int]) -> Mapping[int, int]:
        known = await our_ids(self.tx, self.batch.institution_id, shape.table, canvas_ids)
        new = [Mention(canvas_id=one) for one in sorted(set(canvas_ids) - known.keys())]
        if not new:
            return known
        self._count(await merged_in(self.tx, shape, new, told.columns, self.telling))
        return await our_ids(self.tx, self.batch.institution_id, shape.table, canvas_ids)

    async def sections(self, courses: Mapping[int, int]) -> Mapping[int, int]:
        """A section that an enrollment names is written where it is new, or has moved to another course."""
        batch = self.batch
        described = {section.canvas_id for section in batch.sections}
        mentioned = {
            e.section: Section(canvas_id=e.section, course=e.course)
            for e in batch.enrollments
            if e.section not in described
        }
        where = await self._where_sections_are(mentioned)
        moved = [s for s in mentioned.values() if where.get(s.canvas_id) != courses[s.course]]

        def columns(section: Section) -> Columns:
            known = told.columns(section)
            known["course_id"] = courses[known.pop("course")]
            if "origin" in known:
                known["origin_course_id"] = courses.get(known.pop("origin"))
            return known

        self._count(
            await merged_in(self.tx, SECTION, [*batch.sections, *moved], columns, self.telling)
        )
        return await our_ids(self.tx, batch.institution_id, "section", described | mentioned.keys())

    async def _where_sections_are(self, canvas_ids: Collection[int]) -> Mapping[int, int]:
        ids = await our_ids(self.tx, self.batch.institution_id, "section", canvas_ids)
        if not ids:
            return {}
        listed = ", ".join(f"{one:d}" for one in sorted(ids.values()))
        rows = await self.tx.rows(
            f"select canvas_id, course_id from section where institution_id = $1 and id in ({listed})",
            self.batch.institution_id,
        )
        return {int(row["canvas_id"]): int(row["course_id"]) for row in rows}

    def _count(self, merged: tuple[Merged, set[int]]) -> None:
        self.merged += merged[0]


def _numbers(values: Iterable[int | UnsetType | None]) -> set[int]:
    return {value for value in values if isinstance(value, int)}
