"""Statements to a PostgreSQL server, from beside the database that a test has."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit, urlunsplit

import asyncpg

Copy = Callable[[str], Awaitable[str]]


async def on_server(url: str, statement: str) -> None:
    admin = await asyncpg.connect(urlunsplit(urlsplit(url)._replace(path="/postgres")))
    try:
        await admin.execute(statement)
    finally:
        await admin.close()
