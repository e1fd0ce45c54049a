"""A twin on a real socket, in a thread of its own: for clients that know no ASGI."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.applications import Starlette

from twin.command import server_for


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The address at which the application answers until the block ends."""
    ready = threading.Event()
    server = server_for(app, ready.set)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()
