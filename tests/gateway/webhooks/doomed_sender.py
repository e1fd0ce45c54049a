"""A process that sends what is due, and kills itself at a chosen transaction, before or after it is committed."""

import asyncio
import sys

from gateway.access import Accesses
from gateway.feed import Feed
from gateway.http.client import Client
from gateway.permissions import Permissions
from gateway.readpath.connections import open_connections
from gateway.seal import Seal
from gateway.store.access_log import access_log
from gateway.webhooks.clients import Clients
from gateway.webhooks.delivering import Deliveries
from tests.gateway.sync.crash import Doomed
from tests.gateway.webhooks.conftest import SECRET, Clock


async def send(url: str, last: int, *, committed: bool) -> int:
    """How many transactions it took."""
    clock, seal = Clock(), Seal([SECRET])
    async with (
        Doomed.open(url) as database,
        open_connections(url) as connections,
        Client(allows_private_networks=True) as http,
    ):
        assert isinstance(database, Doomed)
        database.last, database.committed = last, committed
        deliveries = Deliveries(
            database=database,
            feed=Feed(connections),
            http=http,
            seal=seal,
            clients=Clients(database, Permissions(database, seal, clock).rights),
            accesses=Accesses(access_log(database), clock),
            clock=clock,
        )
        while await deliveries.step():
            pass
        return database.count


if __name__ == "__main__":
    url, last, when = sys.argv[1:]
    asyncio.run(send(url, int(last), committed=when == "committed"))
