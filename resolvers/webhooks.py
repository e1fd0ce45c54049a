"""Webhooks in the graph: a client's addresses, what became of each message, and how they are managed."""

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
import strawberry
from strawberry import ID

from gateway import feed
from gateway.errors import Forbidden, WriteRefused
from gateway.feed import ChangeFilter
from gateway.readpath.paging import page_size
from gateway.readpath.registry import Row
from gateway.webhooks.registering import Caller, Change, Made, Message, Webhooks
from gateway.webhooks.registering import Webhook as Kept
from models.roster import ChangeKind, Source
from resolvers import filters, inputs, mutation_errors
from resolvers.arguments import After, First
from resolvers.connections import PageInfo, cursor_of, page_of, place_of
from resolvers.context import Context, Info
from resolvers.enums import WebhookState
from resolvers.mutation_errors import KEY, MutationError, checked_key
from resolvers.provenance import described
from resolvers.types import resolved

TYPE = "Webhook"
MESSAGE = "WebhookMessage"
_INPUT = strawberry.argument(description="What is asked for.")


@strawberry.type(description="A stretch of the feed on its way to a webhook.")
class WebhookMessage:
    id: ID = described("Its id in the graph.")
    name: str = described("The `webhook-id` that it is sent under, the same at every attempt.")
    after: str = described("It tells the changes behind this cursor …")
    until: str = described("… up to this one.")
    made_at: datetime = described("When it was made.")
    attempts: int = described("How often it was tried.")
    next_at: datetime | None = described("When it is tried next; null: it is not.")
    last_status: int | None = described("The HTTP status of the last answer; null: there was none.")
    last_error: str | None = described("Why it was not taken last time.")
    delivered_at: datetime | None = described("When it was taken; null: it was not.")
    dead_at: datetime | None = described("When it was given up; `replayWebhook` tries it anew.")


@strawberry.type(description="A message, and its cursor.")
class WebhookMessageEdge:
    cursor: str = described("This place in the list.")
    node: WebhookMessage = described("The message.")


@strawberry.type(description="A page of messages, newest first.")
class WebhookMessageConnection:
    edges: list[WebhookMessageEdge] = described("The messages of the page with their cursors.")
    nodes: list[WebhookMessage] = described("The messages of the page.")
    page_info: PageInfo = described("Where the page stands in its list.")


async def _messages(
    info: Info,
    root: strawberry.Parent[Row],
    dead: Annotated[  # noqa: FBT002  the graph's argument
        bool, strawberry.argument(description="Only those that were given up: the dead letters.")
    ] = False,
    first: First = None,
    after: After = None,
) -> Any:
    context, size = info.context, page_size("first", first)
    found = await _managed(context).messages(
        Caller.of(context.viewer, None),
        root["row_id"],
        dead=dead,
        before=None if after is None else place_of(after, "message"),
        limit=size + 1,
    )
    return page_of([_message_row(context, one) for one in found], size, after)


@strawberry.type(
    description="An address that a client is sent changes at, signed as Standard Webhooks says."
)
class Webhook:
    id: ID = described("Its id in the graph.")
    client: str = described("Whose it is: the name of service tokens, which say what it is told.")
    url: str = described("Where the messages go.")
    state: WebhookState = described("How it does.")
    kinds: list[ChangeKind] | None = described("Only changes of these kinds; null: of all.")
    sources: list[Source] | None = described("Only what these sources told of; null: all.")
    subject_types: list[str] | None = described("Only of things of these types; null: all.")
    subjects: list[ID] | None = described("Only of these nodes; null: all.")
    courses: list[ID] | None = described("Only in these courses; null: all.")
    cursor: str = described("Up to where in the feed messages were made.")
    created_at: datetime = described("When it was made.")
    failing_since: datetime | None = described("Since when nothing is taken; null: it is.")
    off_since: datetime | None = described("When it was switched off; null: it is on.")
    off_because: str | None = described("Why it was switched off.")
    former_secret_until: datetime | None = described(
        "Until when the former secret signs beside the new one; null: there is none."
    )

    messages: WebhookMessageConnection = resolved(
        _messages, "What it was sent, and what became of it."
    )


@strawberry.input(description="A new webhook.")
class CreateWebhookInput:
    url: str = strawberry.field(
        description="Where the messages go: https, and never into a private network."
    )
    client: str | None = strawberry.field(
        default=None,
        description="Whose it is, by the name of its service tokens. Omitted: the caller's own.",
    )
    which: inputs.ChangeFilter | None = strawberry.field(
        name="filter", default=None, description="Which changes are sent; omitted: all."
    )
    after: str | None = strawberry.field(
        default=None, description="Send what came behind this cursor; omitted: from now on."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What is changed of a webhook. What is left out stays.")
class UpdateWebhookInput:
    webhook: ID = strawberry.field(description="The `id` of the webhook.")
    url: str | None = strawberry.field(default=None, description="Where the messages go.")
    which: inputs.ChangeFilter | None = strawberry.field(
        name="filter", default=None, description="Which changes are sent; `{}`: all."
    )
    enabled: bool | None = strawberry.field(
        default=None, description="Whether anything is sent. It goes on where it stopped."
    )
    after: str | None = strawberry.field(
        default=None, description="Send anew what came behind this cursor."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A new secret for a webhook.")
class RotateWebhookSecretInput:
    webhook: ID = strawberry.field(description="The `id` of the webhook.")
    overlap: timedelta = strawberry.field(
        default=timedelta(days=1),
        description="How long the former secret signs beside the new one, 30 days at most.",
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What is tried anew of what was given up.")
class ReplayWebhookInput:
    webhook: ID = strawberry.field(description="The `id` of the webhook.")
    messages: list[ID] | None = strawberry.field(
        default=None, description="Only these messages; omitted: all that were given up."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A webhook that is to be no more.")
class DeleteWebhookInput:
    webhook: ID = strawberry.field(description="The `id` of the webhook.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="A webhook, after a mutation.")
class WebhookPayload:
    webhook: Webhook | None = described("The webhook; null where nothing was done, or it is gone.")
    secret: str | None = described(
        "The new secret, where one was made: it is shown this once. Messages are verified with it."
    )
    errors: list[MutationError] = described("Why it was not done; empty where it was.")


async def listed(info: Info) -> Any:
    context = info.context
    found = await _managed(context).listed(Caller.of(context.viewer, None))
    return [_row(context, one) for one in found]


async def create(
    info: Info,
    input: Annotated[CreateWebhookInput, _INPUT],  # noqa: A002  the graph's name
) -> Any:
    context = info.context
    work = _managed(context).create(
        Caller.of(context.viewer, checked_key(input.idempotency_key)),
        client=input.client,
        url=input.url,
        which=await filters.changes(context, input.which),
        position=_position(input.after),
    )
    return await _payload(context, work)


async def update(
    info: Info,
    input: Annotated[UpdateWebhookInput, _INPUT],  # noqa: A002  as above
) -> Any:
    context = info.context
    which = None if input.which is None else await filters.changes(context, input.which)
    change = Change(
        url=input.url, which=which, enabled=input.enabled, position=_position(input.after)
    )
    caller = Caller.of(context.viewer, checked_key(input.idempotency_key))
    return await _payload(
        context, _managed(context).change(caller, _named(context, input.webhook), change)
    )


async def rotate(
    info: Info,
    input: Annotated[RotateWebhookSecretInput, _INPUT],  # noqa: A002  as above
) -> Any:
    context = info.context
    caller = Caller.of(context.viewer, checked_key(input.idempotency_key))
    return await _payload(
        context, _managed(context).rotate(caller, _named(context, input.webhook), input.overlap)
    )


async def replay(
    info: Info,
    input: Annotated[ReplayWebhookInput, _INPUT],  # noqa: A002  as above
) -> Any:
    context = info.context
    caller = Caller.of(context.viewer, checked_key(input.idempotency_key))
    only = None
    if input.messages is not None:
        only = [context.reader.decode_as(MESSAGE, one) for one in input.messages]
    return await _payload(
        context, _managed(context).replay(caller, _named(context, input.webhook), only)
    )


async def delete(
    info: Info,
    input: Annotated[DeleteWebhookInput, _INPUT],  # noqa: A002  as above
) -> Any:
    context = info.context
    caller = Caller.of(context.viewer, checked_key(input.idempotency_key))
    return await _payload(context, _managed(context).delete(caller, _named(context, input.webhook)))


async def _payload(context: Context, work: Awaitable[Made]) -> Row:
    try:
        made = await work
    except WriteRefused as error:
        told = mutation_errors.row_of(error.code, str(error), error.path)
        return {"webhook": None, "secret": None, "errors": [told]}
    caller = Caller.of(context.viewer, None)
    found = await _managed(context).find(caller, made.webhook_id)
    row = None if found is None else _row(context, found)
    return {"webhook": row, "secret": made.secret, "errors": []}


def _managed(context: Context) -> Webhooks:
    if context.webhooks is None:
        raise Forbidden("This graph has no webhooks.")
    return context.webhooks


def _named(context: Context, node_id: str) -> int:
    return context.reader.decode_as(TYPE, node_id)


def _position(cursor: str | None) -> int | None:
    return None if cursor is None else feed.position_of(cursor)


def _row(context: Context, one: Kept) -> Row:
    which = msgspec.json.decode(one.which, type=ChangeFilter)
    reader = context.reader
    state = WebhookState.WORKING if one.failing_since is None else WebhookState.FAILING
    former = one.former_until
    return {
        "row_id": one.id,
        "id": reader.node_id(TYPE, one.id),
        "client": one.client,
        "url": one.url,
        "state": state if one.disabled_at is None else WebhookState.OFF,
        "kinds": which.kinds,
        "sources": which.sources,
        "subjectTypes": which.subject_types,
        "subjects": _ids(context, which.subjects),
        "courses": _ids(context, _courses(which)),
        "cursor": feed.cursor_of(one.position),
        "createdAt": one.created_at,
        "failingSince": one.failing_since,
        "offSince": one.disabled_at,
        "offBecause": one.disabled_why,
        "formerSecretUntil": former if former is not None and former > reader.now else None,
    }


def _courses(which: ChangeFilter) -> list[tuple[str, int]] | None:
    return None if which.courses is None else [("Course", row) for row in which.courses]


def _ids(context: Context, rows: Sequence[tuple[str, int]] | None) -> list[str] | None:
    return None if rows is None else [context.reader.node_id(*row) for row in rows]


def _message_row(context: Context, one: Message) -> Row:
    waits = one.delivered_at is None and one.dead_at is None
    return {
        "cursor": cursor_of(one.id, "message"),
        "id": context.reader.node_id(MESSAGE, one.id),
        "name": one.name,
        "after": feed.cursor_of(one.after_position),
        "until": feed.cursor_of(one.until_position),
        "madeAt": one.made_at,
        "attempts": one.attempts,
        "nextAt": one.next_at if waits else None,
        "lastStatus": one.last_status,
        "lastError": one.last_error,
        "deliveredAt": one.delivered_at,
        "deadAt": one.dead_at,
    }
