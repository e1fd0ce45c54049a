"""Serve an ASGI application on a real socket of this machine, from a thread, for as long as a test needs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from scripts.with_services import free_port


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        self.ready.set()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The base URL under which `app` answers."""
    port = free_port()
    server = _Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="auto")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        if not server.ready.wait(timeout=10):
            raise TimeoutError("the application did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
