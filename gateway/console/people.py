"""The identity desk as a page: what does not fit together, what would be done about it, and what was done."""

from typing import Any

from starlette.responses import Response

from gateway.console import words
from gateway.console.pages import page
from gateway.console.visitors import Console, Visitor

_CONFLICT = """
fragment Conflict on IdentityConflict {
  id kind value why source foundAt proposal advice resolution resolvedAt
  person { ...Somebody } otherPerson { ...Somebody } resolvedBy { name }
}
fragment Somebody on User { id name sortableName email loginId sisId canvasId state }
"""
_DESK = (
    """
query ConsoleDesk($after: String) {
  waiting: identityConflicts(first: 50, after: $after) {
    pageInfo { hasNextPage endCursor } nodes { ...Conflict }
  }
  settled: identityConflicts(first: 20, filter: {settled: true}) { nodes { ...Conflict } }
}
"""
    + _CONFLICT
)
_SETTLE = """
mutation ConsoleSettle($conflict: ID!, $task: ResolveTask!) {
  resolveIdentity(input: {conflict: $conflict, task: $task}) { errors { message } }
}
"""


async def overview(console: Console, who: Visitor, problems: tuple[str, ...] = ()) -> Response:
    answer = await console.ask(who.viewer, _DESK, {"after": who.fields.get("after")})
    data: Any = answer.data or {}
    waiting = data.get("waiting") or {"nodes": [], "pageInfo": {"hasNextPage": False}}
    return page(
        "people",
        framed_by=who.framed_by,
        who=who,
        title="Identity desk",
        waiting=waiting["nodes"],
        after=waiting["pageInfo"]["endCursor"] if waiting["pageInfo"]["hasNextPage"] else None,
        settled=(data.get("settled") or {"nodes": []})["nodes"],
        refusals=(*answer.refusals, *problems),
        tasks=words.RESOLUTIONS.items(),
        now=console.clock(),
    )


async def settle(console: Console, who: Visitor) -> Response:
    variables = {"conflict": who.field("conflict"), "task": who.field("task")}
    answer = await console.ask(who.viewer, _SETTLE, variables)
    payload = (answer.data or {}).get("resolveIdentity")
    problems = tuple(error["message"] for error in payload["errors"]) if payload else ()
    return await overview(console, who, (*answer.refusals, *problems))
