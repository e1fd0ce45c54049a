"""Single rows: by their node ids, by the ids that Canvas, a SIS or LTI gave them, and from other rows."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import strawberry

from gateway.errors import BadRequest, SourceUnavailable
from gateway.readpath import ledger, levels, lookups, past
from gateway.readpath.lookups import By
from gateway.readpath.paging import MAX_SIZE
from gateway.readpath.registry import ACCOUNT, TABLES, USER, Row
from gateway.readpath.shapes import Shape
from gateway.viewer import Rights, Scope
from models.roster import Source
from resolvers import filters, needs
from resolvers.context import Context, Info
from resolvers.selection import Selection


async def find(info: Info, by: By, as_of: datetime | None = None) -> Row | None:
    """The row that `by` names, or named, with what was selected of it."""
    shape = _selection(info, by.type_name).shape(TABLES[by.type_name])
    return await found(info.context, by, shape, as_of)


async def found(context: Context, by: By, shape: Shape, as_of: datetime | None) -> Row | None:
    """The row that `by` names, or named. What the store does not know is asked of Canvas, where it can be.

    null: Canvas says that there is none, or a whole read proves it; where neither can be told, an error.
    """
    context.reads_roster()
    if as_of is not None:
        _require_kept(by.type_name, shape)
        row = await lookups.one(context.connections, await context.reader_at(as_of), by, shape)
        _note(context, shape, row)
        return row
    row = await lookups.one(context.connections, context.reader, by, shape)
    if row is None and by.form != "id" and not await _proved_absent(context, by):
        if not await _looked_up(context, by):
            raise SourceUnavailable(
                f"There is no {by} in the store, and no source is connected that could be asked for it."
            )
        row = await lookups.one(context.connections, context.reader, by, shape)
    _note(context, shape, row)
    return row


async def find_id(info: Info, by: By) -> int:
    """The row id that `by` names, for following it; an error where there is none to follow."""
    context = info.context
    found = await lookups.ids(context.connections, context.reader, [by])
    if not found and await _looked_up(context, by):
        found = await lookups.ids(context.connections, context.reader, [by])
    if not found:
        raise SourceUnavailable(f"There is no {by} in the store to follow.")
    return found[0]


async def known_id(info: Info, by: By, *, beyond: bool = False) -> tuple[int | None, bool]:
    """The row id that `by` names, asked of Canvas where the store does not know it, and whether the viewer sees it.

    None: there is none; `beyond`: nor one that they do not see. SourceUnavailable where that cannot be told.
    """
    context = info.context
    found = await lookups.ids(context.connections, context.reader, [by])
    if not found and by.form != "id":
        if not await _looked_up(context, by) and not await _proved_absent(context, by):
            raise SourceUnavailable(
                f"There is no {by} in the store, and no source is connected that could be asked for it."
            )
        found = await lookups.ids(context.connections, context.reader, [by])
    if found:
        return found[0], True
    if not beyond:
        return None, False
    everybody = replace(context.reader, rights=Rights())
    hidden = await lookups.ids(context.connections, everybody, [by])
    return (hidden[0], False) if hidden else (None, False)


async def _proved_absent(context: Context, by: By) -> bool:
    """Whether a whole read of a source that lists this form of id covers the institution.

    Where Canvas can be asked instead, it has to be as new as other answers are.
    """
    parents = [(ledger.INSTITUTION,)]
    (covers,) = await ledger.covers(context.connections, context.reader, by.type_name, parents)
    wanted = filters.freshness(context, None)
    since = None
    if context.has_upstream and wanted.max_age is not None:
        since = context.reader.now - min(wanted.max_age, needs.ANY_AGE)
    return any(
        lookups.proves_absence(by, cover) and (since is None or cover.began_at >= since)
        for cover in covers
    )


async def _looked_up(context: Context, by: By) -> bool:
    """Whether it is now known if there is such a thing: Canvas was asked, unless it is here and may not be seen."""
    only = filters.freshness(context, None).sources
    if context.reads is None or not context.has_upstream or only == {Source.LOCAL}:
        return False
    unbound = replace(context.reader, rights=Rights())
    if await lookups.ids(context.connections, unbound, [by]):
        return True
    return await context.reads.look_up(by, context.asking())


def _require_kept(type_name: str, shape: Shape) -> None:
    """A row that stands alone has no gaps to say so: null would mean that it was known to be empty."""
    if type_name not in past.KINDS:
        raise BadRequest(f"There is no history of {type_name}: ask for it without asOf.")
    if lost := past.unkept(shape):
        raise BadRequest(
            f"The feed does not tell of {', '.join(lost)}, so nobody knows any more what it was: leave it out with asOf."
        )


async def node(
    info: Info, type_name: str, row_id: int, as_of: datetime | None = None
) -> Row | None:
    """A row by type and our id; every node asked for by equal fields is read in one statement a type."""
    context = info.context
    raw = info._raw_info  # noqa: SLF001  the AST as it is; Strawberry's copy is made anew for each call

    async def batch(ids: Sequence[int]) -> Sequence[Row | None]:
        shape, reader = _selection(info, type_name).shape(TABLES[type_name]), context.reader
        if as_of is not None:
            _require_kept(type_name, shape)
            reader = await context.reader_at(as_of)
        rows = await levels.by_id(context.connections, reader, shape, ids)
        for found in rows.values():
            _note(context, shape, found)
        return [
            None if (row := rows.get(row_id)) is None else row | {"__typename": type_name}
            for row_id in ids
        ]

    if type_name not in TABLES:
        return None
    if type_name == "IdentityConflict":
        context.viewer.require(Scope.ADMIN)
    name = ("node", type_name, as_of, *(id(one) for one in raw.field_nodes))
    return await context.load(name, row_id, batch)


def _note(context: Context, shape: Shape, row: Row | None) -> None:
    """Whose data it shows, for the access log."""
    if row is None:
        return
    if shape.table is USER:
        context.shows(("User", row["row_id"]), 1, shape.fields)
    for name, linked in shape.links:
        _note(context, linked, row[name])


async def node_by_id(info: Info, node_id: str, as_of: datetime | None = None) -> Row | None:
    return await node(info, *info.context.reader.decode(node_id), as_of)


def link(type_name: str, key: str) -> Any:
    """A resolver that leads to the row whose id stands under `key`."""

    async def linked(info: Info, root: strawberry.Parent[Row]) -> Any:
        return None if root[key] is None else await node(info, type_name, root[key])

    return linked


def _selection(info: Info, type_name: str) -> Selection:
    raw = info._raw_info  # noqa: SLF001  as above
    return Selection(raw, raw.field_nodes, type_name)


async def nodes_by_id(
    info: Info, wanted: Sequence[str], as_of: datetime | None = None
) -> list[Row | None]:
    """The nodes in the order of their ids; those of one type in one statement."""
    if len(wanted) > MAX_SIZE:
        raise BadRequest(f"{len(wanted)} ids are too many at once; ask for {MAX_SIZE} at most.")
    decoded = [info.context.reader.decode(node_id) for node_id in wanted]
    return list(await asyncio.gather(*(node(info, *one, as_of) for one in decoded)))


async def root_account(info: Info, as_of: datetime | None = None) -> Row | None:
    context = info.context
    reader = context.reads_roster()
    row_id = await lookups.root_account(context.connections, reader)
    if row_id is None:
        raise SourceUnavailable("Nothing was read yet that tells of the root account.")
    shape = _selection(info, "Account").shape(ACCOUNT)
    if as_of is not None:
        reader = await context.reader_at(as_of)
    return (await levels.by_id(context.connections, reader, shape, [row_id])).get(row_id)
