"""A school whose changes are sent to a receiver."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from gateway.access import Accesses
from gateway.feed import ChangeFilter, Feed
from gateway.http.client import Client
from gateway.permissions import Permissions
from gateway.readpath.connections import open_connections
from gateway.seal import Seal
from gateway.store import tokens, webhook_messages, webhooks
from gateway.store.access_log import access_log
from gateway.store.webhook_messages import Message
from gateway.store.webhooks import Webhook
from gateway.webhooks.clients import Clients
from gateway.webhooks.delivering import Deliveries
from gateway.webhooks.registering import Caller, Webhooks
from tests.factories import School
from tests.gateway.webhooks.receiving import Receiver
from tests.served import served

CLIENT = "gradebook"
SECRET = "secret"


@dataclass
class Clock:
    """The real time, which receivers compare with, and whatever a test adds to it."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead  # noqa: TID251  a receiver knows no other time


@dataclass(kw_only=True)
class Sending:
    """The gateway's side, and the receiver's."""

    school: School
    clock: Clock
    registered: Webhooks
    deliveries: Deliveries
    another: Callable[[], Deliveries]
    receiver: Receiver
    accesses: Accesses
    url: str
    admin: Caller = field(init=False)

    def __post_init__(self) -> None:
        self.admin = Caller(institution_id=self.school.id)

    async def token(self, *scopes: str, client: str = CLIENT) -> None:
        await tokens.create(
            self.school.database,
            institution_id=self.school.id,
            name=client,
            scopes=scopes or ("changes:read", "pii:read"),
            now=self.clock(),
        )

    async def hook(self, which: ChangeFilter = ChangeFilter(), position: int | None = 0) -> int:  # noqa: B008  frozen
        """A webhook to the receiver, which knows its secret."""
        made = await self.registered.create(
            self.admin, client=CLIENT, url=self.url, which=which, position=position
        )
        assert made.secret is not None
        self.receiver.secret = made.secret
        return made.webhook_id

    async def webhook(self, row_id: int) -> Webhook:
        found = await webhooks.find(self.school.database, self.school.id, row_id)
        assert found is not None
        return found

    async def sent(self, row_id: int, *, dead: bool = False) -> list[Message]:
        """Newest first."""
        return await webhook_messages.listed(
            self.school.database, self.school.id, row_id, dead=dead, before=None, limit=100
        )

    async def deliver(self) -> int:
        """All that can be sent now."""
        total = 0
        async with asyncio.timeout(60):
            while count := await self.deliveries.step():
                total += count
        return total


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def address(receiver: Receiver) -> Iterator[str]:
    with served(receiver.app) as url:
        yield f"{url}/hook"


@pytest.fixture
async def sending(school: School, receiver: Receiver, address: str) -> AsyncIterator[Sending]:
    clock, seal = Clock(), Seal([SECRET])
    database = school.database
    async with (
        open_connections(database.url) as connections,
        Client(allows_private_networks=True) as http,
    ):
        accesses = Accesses(access_log(database), clock)

        def deliveries() -> Deliveries:
            return Deliveries(
                database=database,
                feed=Feed(connections),
                http=http,
                seal=seal,
                clients=Clients(database, Permissions(database, seal, clock).rights),
                accesses=accesses,
                clock=clock,
                chance=lambda: 0.5,
            )

        made = Sending(
            school=school,
            clock=clock,
            registered=Webhooks(database, seal, clock, plain=True),
            deliveries=deliveries(),
            another=deliveries,
            receiver=receiver,
            accesses=accesses,
            url=address,
        )
        await made.token()
        yield made
