"""A person's own Canvas account: whether it is connected, and the ways to connect it and to end that."""

from starlette.responses import Response

from gateway.console.pages import page
from gateway.console.visitors import Console, Visitor
from gateway.errors import Forbidden
from gateway.store import canvas_tokens


async def overview(console: Console, who: Visitor) -> Response:
    viewer = who.viewer
    if not who.connects or viewer.user_id is None:
        raise Forbidden("No Canvas account can be connected here.")
    kept = await canvas_tokens.find(console.database, viewer.institution_id, viewer.user_id)
    return page(
        "account",
        framed_by=who.framed_by,
        who=who,
        title="Your Canvas account",
        kept=kept,
        connect=console.connect(viewer),
        disconnect=console.disconnect(viewer),
    )
