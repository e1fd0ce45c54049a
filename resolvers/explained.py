"""What would be read from where, and how the sources of rosters stand."""

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry

from gateway.errors import BadRequest
from gateway.needs import Subject
from gateway.readpath import ledger
from gateway.readpath.registry import ENROLLMENT, TABLES, Row, Table
from gateway.readpath.shapes import Shape
from models.roster import Source
from resolvers import filters, needs, plans
from resolvers.arguments import Fresh, WhichEnrollments
from resolvers.context import Info
from resolvers.lists import course_place

Fields = Annotated[
    list[str] | None,
    strawberry.argument(
        description="The fields of an enrollment that would be selected, as in `startAt` or `user.email`;"
        " omitted: those that every source of enrollments carries."
    ),
]


async def explain_enrollments(
    info: Info,
    root: strawberry.Parent[Row],
    which: WhichEnrollments = None,
    fields: Fields = None,
    freshness: Fresh = None,
) -> Any:
    context = info.context
    context.reads_roster()
    if context.reads is None:
        return plans.plan_of(None)
    meant = await filters.enrollments(context, which)
    shape = _shape(ENROLLMENT, [path.split(".") for path in fields or ()])
    need = needs.need_of(
        context,
        Subject.ENROLLMENTS,
        course_place(root),
        filters.freshness(context, freshness),
        groups=needs.groups_of(context, "Enrollment", shape),
        states=meant.meant,
    )
    (outcome,) = await context.reads.explain([need], context.asking())
    return plans.plan_of(outcome)


async def sources(info: Info) -> Any:
    context = info.context
    reader = context.reads_roster()
    told = await ledger.last_told(context.connections, reader)
    status = {source: _not_connected(source) for source in told}
    if context.reads is not None:
        remaining = await context.reads.remaining(reader.institution_id)
        for source, health in context.reads.health(reader.institution_id).items():
            obstacle = health.breaker.obstacle(reader.now)
            status[source] = {
                "source": source,
                "available": obstacle is None,
                "reason": obstacle,
                "quotaRemaining": remaining,
                "lastSuccessAt": health.succeeded_at,
                "lastErrorAt": health.failed_at,
                "lastError": health.error,
            }
    for source, ended_at in told.items():
        known = status[source]["lastSuccessAt"]
        status[source]["lastSuccessAt"] = ended_at if known is None else max(known, ended_at)
    return [status[source] for source in Source if source in status]


def _not_connected(source: Source) -> Row:
    return {
        "source": source,
        "available": False,
        "reason": "It is not connected: what it told was sent in.",
        "quotaRemaining": None,
        "lastSuccessAt": None,
        "lastErrorAt": None,
        "lastError": None,
    }


def _shape(table: Table, paths: Sequence[Sequence[str]]) -> Shape:
    """What these paths of fields need of a row."""
    own = {path[0] for path in paths if len(path) == 1}
    below: dict[str, list[Sequence[str]]] = {}
    for path in paths:
        if len(path) > 1:
            below.setdefault(path[0], []).append(path[1:])
    unknown = (own - table.fields.keys() - table.links.keys()) | (below.keys() - table.links.keys())
    if unknown:
        raise BadRequest(
            f"{table.type_name} has no field {min(unknown)!r}; write `startAt` or `user.email`."
        )
    return Shape(
        table,
        frozenset(own & table.fields.keys()),
        tuple(
            (name, _shape(TABLES[table.links[name].type_name], rest))
            for name, rest in below.items()
        ),
    )
