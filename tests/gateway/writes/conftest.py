"""A twin to change and a store that follows it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from gateway.http.client import Client
from gateway.readpath.connections import open_connections
from gateway.uow import Database
from tests.gateway.writes.changer import Changer
from tests.upstream import Upstream, upstream


@pytest.fixture(autouse=True)
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=2):
        yield


@pytest.fixture
def twin() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@pytest.fixture
async def changer(twin: Upstream, database: Database) -> AsyncIterator[Changer]:
    async with (
        Client(allows_private_networks=True) as http,
        open_connections(database.url) as connections,
    ):
        yield await Changer.open(twin, database, http, connections)
