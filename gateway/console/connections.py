"""The operator's desk: what the school is connected by, what was synced, what waits for a person, tokens for programs."""

from collections.abc import Sequence

from starlette.responses import Response

from gateway.console.pages import page
from gateway.console.visitors import Console, Visitor
from gateway.errors import BadRequest
from gateway.store import registrations, tokens
from gateway.viewer import Scope

_CONNECTIONS = """
query ConsoleConnections {
  sources { source available reason quotaRemaining lastSuccessAt lastErrorAt lastError }
  syncRuns(first: 25) { nodes {
    id source label state startedAt endedAt created updated removed setAside held message
    progress rowsRead expectedEndAt setAsideRows(first: 20) { nodes { file line reason } }
  } }
  held: syncRuns(first: 25, filter: {states: [HELD]}) { nodes {
    id source label startedAt held message
  } }
}
"""


async def overview(console: Console, who: Visitor, refusals: Sequence[str] = ()) -> Response:
    """`refusals`: of what was asked for on this page."""
    answer = await console.ask(who.viewer, _CONNECTIONS, {})
    data = answer.data or {}
    institution_id = who.viewer.institution_id
    return page(
        "connections",
        framed_by=who.framed_by,
        who=who,
        title="Connections",
        configured=console.settings.institution(who.viewer.institution_slug),
        registered=await registrations.of_institution(console.database, institution_id),
        deployments=await registrations.deployments(console.database, institution_id),
        sources=data.get("sources") or [],
        runs=(data.get("syncRuns") or {"nodes": []})["nodes"],
        held=(data.get("held") or {"nodes": []})["nodes"],
        refusals=[*refusals, *answer.refusals],
        now=console.clock(),
    )


_CONFIRM = """
mutation ConsoleConfirm($id: ID!, $removals: Int) {
  confirmHeld(id: $id, removals: $removals) { errors { message } }
}
"""


async def confirm(console: Console, who: Visitor) -> Response:
    """Held removals, let through: just as many as stood on the page."""
    asked = {"id": who.field("run"), "removals": _number(who.field("removals"))}
    answer = await console.ask(who.viewer, _CONFIRM, asked)
    errors = ((answer.data or {}).get("confirmHeld") or {"errors": []})["errors"]
    return await overview(console, who, [*answer.refusals, *(one["message"] for one in errors)])


async def accept(console: Console, who: Visitor) -> Response:
    row_id = _number(who.field("deployment"))
    await registrations.accept(console.database, who.viewer.institution_id, row_id, console.clock())
    return await overview(console, who)


async def forget(console: Console, who: Visitor) -> Response:
    row_id = _number(who.field("deployment"))
    await registrations.forget(console.database, who.viewer.institution_id, row_id)
    return await overview(console, who)


async def tokens_page(console: Console, who: Visitor, made: str | None = None) -> Response:
    return page(
        "tokens",
        framed_by=who.framed_by,
        who=who,
        title="Tokens",
        tokens=await tokens.of_institution(console.database, who.viewer.institution_id),
        scopes=[scope.value for scope in Scope],
        made=made,
    )


async def create_token(console: Console, who: Visitor) -> Response:
    """Its secret is shown on this answer alone."""
    scopes = tuple(scope.value for scope in Scope if f"scope.{scope.value}" in who.fields)
    if not scopes:
        raise BadRequest("A token needs a scope at least.")
    name = who.field("name").strip()[:255]
    if not name:
        raise BadRequest("A token needs a name that says what it is for.")
    made = await tokens.create(
        console.database,
        institution_id=who.viewer.institution_id,
        name=name,
        scopes=scopes,
        now=console.clock(),
    )
    return await tokens_page(console, who, made)


async def revoke_token(console: Console, who: Visitor) -> Response:
    await tokens.revoke(
        console.database,
        institution_id=who.viewer.institution_id,
        token_id=_number(who.field("id")),
        now=console.clock(),
    )
    return await tokens_page(console, who)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadRequest(f"{text!r} is no number of a row.")
    return int(text)
