"""A twin to read from and a store to read into."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from gateway.http.client import Client
from gateway.uow import Database
from tests.gateway.sources.readers import Readers
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
async def readers(twin: Upstream, database: Database) -> AsyncIterator[Readers]:
    async with Client(allows_private_networks=True) as http:
        yield await Readers.open(twin, database, http)
