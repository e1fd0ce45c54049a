"""Serves the small graph as a process of its own: `python -m tests.acceptance.small_server DATABASE_URL [OPTION=VALUE …]`."""

import logging
import sys
from datetime import timedelta

from gateway.config_file import CredentialUrl, Secret
from gateway.server import serve
from gateway.settings import Server, Settings
from tests.acceptance.small_graph import make_graph


def main(database_url: str, *options: str) -> None:
    chosen = dict(option.split("=", 1) for option in options)
    server = Server(
        public_url="http://127.0.0.1:8000",
        database_url=CredentialUrl(database_url),
        secret_key=(Secret("not so secret"),),
        query_timeout=timedelta(seconds=float(chosen.get("timeout", "20"))),
    )
    serve(
        Settings(server=server),
        make_graph=make_graph,
        host="127.0.0.1",
        port=0,
        workers=int(chosen.get("workers", "1")),
        demo_token=chosen.get("demo_token"),
        log_level=logging.INFO,
        ready=lambda port: print(port, flush=True),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
