"""The ids that are known for a person."""

from collections.abc import Sequence
from typing import Any

import strawberry

from gateway.readpath import identities as aliases
from gateway.readpath.registry import ALIAS_FIELDS, Row
from models.roster import IdentityKind
from resolvers.context import Info


async def identities(info: Info, root: strawberry.Parent[Row]) -> Any:
    context = info.context

    async def batch(people: Sequence[int]) -> Sequence[list[Row]]:
        found = await aliases.identities(context.connections, context.reader, people)
        for person, rows in found.items():
            context.shows(
                ("User", person), 1, {ALIAS_FIELDS[IdentityKind(row["kind"])] for row in rows}
            )
        return [found[person] for person in people]

    return await context.load("identities", root["row_id"], batch)
