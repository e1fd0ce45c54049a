"""A twin on a real socket, in a thread of its own: for clients that know no ASGI."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette

from twin.command import server_for


def listening() -> socket.socket:
    """A socket on a free port, for an application that has to know its own address first."""
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def served(app: Starlette, on: socket.socket | None = None) -> Iterator[str]:
    """The address at which the application answers until the block ends."""
    ready = threading.Event()
    server = server_for(app, ready.set)
    with on or listening() as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert ready.wait(30)
        try:
            yield address(listener)
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()
