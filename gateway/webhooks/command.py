"""`roster webhooks`: what the graph's mutations do, for an operator at a terminal."""

from argparse import Namespace
from datetime import timedelta

from gateway.errors import RosterError, WriteRefused
from gateway.feed import ChangeFilter, position_of
from gateway.webhooks.registering import Caller, Change, Message, Webhook, Webhooks
from models.roster import ChangeKind

_MOST = 1_000


async def run(options: Namespace, webhooks: Webhooks, institution_id: int) -> list[str]:
    """What to print."""
    caller = Caller(institution_id=institution_id)
    try:
        match options.action:
            case "list":
                return [_line(one) for one in await webhooks.listed(caller)]
            case "add":
                return await _add(options, webhooks, caller)
            case "rotate":
                overlap = timedelta(hours=options.overlap_hours)
                made = await webhooks.rotate(caller, options.id, overlap)
                return [str(made.secret)]
            case "dead":
                return [_message_line(one) for one in await _dead(webhooks, caller, options.id)]
            case "replay":
                count = len(await _dead(webhooks, caller, options.id))
                await webhooks.replay(caller, options.id)
                return [f"{count} to be tried anew"]
            case "remove":
                await webhooks.delete(caller, options.id)
            case _:
                change = Change(enabled=options.action == "enable")
                await webhooks.change(caller, options.id, change)
    except WriteRefused as error:
        raise RosterError(str(error)) from error
    return []


async def _add(options: Namespace, webhooks: Webhooks, caller: Caller) -> list[str]:
    kinds = tuple(ChangeKind(kind) for kind in options.kinds or ())
    made = await webhooks.create(
        caller,
        client=options.client,
        url=options.url,
        which=ChangeFilter(kinds=kinds or None),
        position=None if options.after is None else position_of(options.after),
    )
    return [f"{made.webhook_id}  {made.secret}"]


async def _dead(webhooks: Webhooks, caller: Caller, webhook_id: int) -> list[Message]:
    if await webhooks.find(caller, webhook_id) is None:
        raise RosterError(f"there is no webhook {webhook_id}")
    return await webhooks.messages(caller, webhook_id, dead=True, before=None, limit=_MOST)


def _line(one: Webhook) -> str:
    state = "works"
    if one.disabled_at is not None:
        state = f"off since {one.disabled_at:%Y-%m-%d}: {one.disabled_why}"
    elif one.failing_since is not None:
        state = f"fails since {one.failing_since:%Y-%m-%d %H:%M}"
    return f"{one.id}  {one.client}  {one.url}  up to {one.position}  {state}"


def _message_line(one: Message) -> str:
    when = f"given up {one.dead_at:%Y-%m-%d %H:%M}" if one.dead_at else ""
    return (
        f"{one.id}  {one.name}  changes {one.after_position + 1} to {one.until_position}"
        f"  {one.attempts} attempts  {when}  {one.last_error}"
    )
