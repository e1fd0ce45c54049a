"""Who asks for a change of many, and what the audit keeps of it."""

from datetime import datetime

import orjson

from gateway.readpath import node_ids
from gateway.store import intents
from gateway.store.intended import Asked, State
from gateway.store.roster_changes import Change
from gateway.uow import Transaction
from gateway.viewer import Viewer
from gateway.writes.acting import caller_of


async def note(
    tx: Transaction, viewer: Viewer, change: Change, confirmed: int | None, now: datetime
) -> None:
    """For the audit: who began which change; what Canvas was told and answered, its rows say."""
    node_id = node_ids.encode("RosterChange", change.id)
    said = {"rosterChange": node_id, "path": change.path, "confirmRemovals": confirmed}
    asked = Asked(
        operation="applyRosterChange",
        caller=caller_of(viewer),
        key=None,
        digest="",
        said=orjson.dumps(said).decode(),
        service=None if viewer.service is None else viewer.service.name,
        actor_id=viewer.user_id,
        real_user=None if viewer.launched is None else viewer.launched.real_user,
    )
    kept, _ = await intents.open_(tx, viewer.institution_id, asked, now=now, busy_until=now)
    await intents.end(tx, kept, intents.Ending(state=State.DONE), now=now)
