"""Webhooks as clients manage them in the graph."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.seal import Seal
from gateway.store import tokens, webhook_messages
from gateway.uow import Transaction
from gateway.viewer import Scope, Service
from gateway.webhooks.registering import Webhooks
from resolvers.context import Context
from resolvers.schema import schema
from tests.factories import NOW, School
from tests.resolvers.conftest import Graph

URL = "https://gradebook.example.edu/hook"
CREATE = """mutation($input: CreateWebhookInput!) { createWebhook(input: $input) {
    secret errors { code path } webhook { id client url state kinds courses cursor } } }"""


class Asking:
    """The graph with webhooks, as a service or an operator asks it."""

    def __init__(self, graph: Graph, school: School) -> None:
        self.graph, self.school = graph, school
        self.webhooks = Webhooks(school.database, Seal(["secret"]), lambda: NOW, plain=False)

    def context(self, *scopes: Scope, client: str | None = None) -> Context:
        context = self.graph.context(*scopes)
        context.webhooks = self.webhooks
        if client is not None:
            context.viewer = replace(context.viewer, service=Service(token_id=1, name=client))
        return context

    async def __call__(
        self,
        query: str,
        *scopes: Scope,
        client: str | None = "gradebook",
        **variables: Any,
    ) -> Any:
        result = await schema.execute(
            query,
            variable_values=variables,
            context_value=self.context(*(scopes or (Scope.CHANGES_READ,)), client=client),
        )
        assert result.errors is None, result.errors
        return result.data

    async def create(self, **given: Any) -> Any:
        data = await self(CREATE, input={"url": URL, **given})
        return data["createWebhook"]


@pytest.fixture
async def ask(graph: Graph, school: School) -> Asking:
    for client in ("gradebook", "statistics"):
        await tokens.create(
            school.database,
            institution_id=school.id,
            name=client,
            scopes=("changes:read",),
            now=NOW,
        )
    return Asking(graph, school)


async def test_a_service_makes_its_own_and_sees_its_secret_once(
    ask: Asking, school: School
) -> None:
    course = await school.course(canvas=7)
    made = await ask.create(filter={"kinds": ["REMOVED"], "courses": [{"canvasId": "7"}]})

    assert made["secret"].startswith("whsec_")
    assert [] == made["errors"]
    webhook = made["webhook"]
    assert webhook == {
        "id": webhook["id"],
        "client": "gradebook",
        "url": URL,
        "state": "WORKING",
        "kinds": ["REMOVED"],
        "courses": [ask.graph.node_id("Course", course)],
        "cursor": ask.graph.cursor(0),
    }
    own = await ask("{ webhooks { id } }")
    others = await ask("{ webhooks { id } }", client="statistics")
    everybodys = await ask("{ webhooks { id } }", Scope.ADMIN, client=None)
    assert [{"id": webhook["id"]}] == own["webhooks"] == everybodys["webhooks"]
    assert [] == others["webhooks"]


async def test_the_same_key_makes_one_webhook(ask: Asking) -> None:
    first = await ask.create(idempotencyKey="k")
    again = await ask.create(idempotencyKey="k")
    other = await ask.create(idempotencyKey="k", client="gradebook", after=ask.graph.cursor(0))

    assert first == again
    assert [{"code": "IDEMPOTENCY_MISMATCH", "path": ["idempotencyKey"]}] == other["errors"]
    assert 1 == len((await ask("{ webhooks { id } }"))["webhooks"])


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"url": "http://gradebook.example.edu"}, "INVALID", ["url"]),
        ({"url": "hook"}, "INVALID", ["url"]),
        ({"client": "statistics"}, "NOT_PERMITTED", ["client"]),
    ],
)
async def test_what_cannot_be_made_is_told(
    ask: Asking, given: dict[str, str], code: str, path: list[str]
) -> None:
    made = await ask.create(**given)

    assert made["webhook"] is None
    assert made["secret"] is None
    assert [{"code": code, "path": path}] == made["errors"]


async def test_changing_switching_rotating_and_deleting(ask: Asking) -> None:
    made = await ask.create()
    of = made["webhook"]["id"]

    changed = await ask(
        """mutation($of: ID!) { updateWebhook(input: {webhook: $of, url: "https://other.example.edu/",
            enabled: false}) { webhook { url state offBecause } errors { code } } }""",
        of=of,
    )
    rotated = await ask(
        """mutation($of: ID!) { rotateWebhookSecret(input: {webhook: $of, overlap: "PT2H"}) {
            secret webhook { formerSecretUntil } } }""",
        of=of,
    )
    deleted = await ask(
        "mutation($of: ID!) { deleteWebhook(input: {webhook: $of}) { webhook { id } errors { code } } }",
        of=of,
    )
    gone = await ask(
        "mutation($of: ID!) { replayWebhook(input: {webhook: $of}) { errors { code } } }", of=of
    )

    assert changed["updateWebhook"] == {
        "webhook": {
            "url": "https://other.example.edu/",
            "state": "OFF",
            "offBecause": "switched off by hand",
        },
        "errors": [],
    }
    assert rotated["rotateWebhookSecret"]["secret"] not in (None, made["secret"])
    until = (NOW + timedelta(hours=2)).isoformat().replace("+00:00", "Z")
    assert until == rotated["rotateWebhookSecret"]["webhook"]["formerSecretUntil"]
    assert {"webhook": None, "errors": []} == deleted["deleteWebhook"]
    assert {"errors": [{"code": "NOT_FOUND"}]} == gone["replayWebhook"]


async def test_dead_letters_are_listed_page_by_page_and_replayed(
    ask: Asking, school: School
) -> None:
    made = await ask.create()
    row_id = ask.school.reader().decode_as("Webhook", made["webhook"]["id"])

    async def die(tx: Transaction) -> None:
        for position in range(3):
            await webhook_messages.make(
                tx,
                school.id,
                row_id,
                name=f"m{position}",
                after=position,
                until=position + 1,
                now=NOW,
            )
        await tx.run(
            "update webhook_message set dead_at = $2, last_error = 'no' where institution_id = $1 and name <> 'm1'",
            school.id,
            NOW,
        )

    await school.database.transact(die)
    page = """query($after: String) { webhooks { messages(dead: true, first: 1, after: $after) {
        nodes { id name lastError } pageInfo { hasNextPage endCursor } } } }"""

    first = (await ask(page))["webhooks"][0]["messages"]
    second = (await ask(page, after=first["pageInfo"]["endCursor"]))["webhooks"][0]["messages"]
    await ask(
        """mutation($of: ID!, $one: ID!) { replayWebhook(input: {webhook: $of, messages: [$one]}) {
            errors { code } } }""",
        of=made["webhook"]["id"],
        one=first["nodes"][0]["id"],
    )
    left = (await ask(page))["webhooks"][0]["messages"]

    assert ("m2", "no", True) == (*_told(first), first["pageInfo"]["hasNextPage"])
    assert ("m0", "no", False) == (*_told(second), second["pageInfo"]["hasNextPage"])
    assert ("m0", "no", False) == (*_told(left), left["pageInfo"]["hasNextPage"])


def _told(page: Any) -> tuple[str, str]:
    [node] = page["nodes"]
    return node["name"], node["lastError"]


async def test_who_may_follow_nothing_has_no_webhooks(ask: Asking) -> None:
    for scopes, client in (((Scope.ROSTER_READ,), "gradebook"), ((Scope.CHANGES_READ,), None)):
        result = await schema.execute(
            "{ webhooks { id } }", context_value=ask.context(*scopes, client=client)
        )
        assert result.errors is not None
        assert {"code": "FORBIDDEN"} == result.errors[0].extensions
