"""A real mail server of this machine, which keeps what it is sent."""

import email
import email.policy
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from gateway.config_file import CredentialUrl
from gateway.settings import Mail
from scripts.with_services import free_port

SECONDS = 10.0


@dataclass
class Mailbox:
    """`refuses`: the code and words with which every mail is refused."""

    port: int = field(default_factory=free_port)
    refuses: str | None = None
    _arrived: "queue.Queue[EmailMessage]" = field(default_factory=queue.Queue)

    @property
    def settings(self) -> Mail:
        return Mail(
            smtp=CredentialUrl(f"smtp://127.0.0.1:{self.port}"), sender="roster@example.edu"
        )

    def next(self) -> EmailMessage:
        """The next mail, once it is there."""
        return self._arrived.get(timeout=SECONDS)

    @property
    def is_empty(self) -> bool:
        return self._arrived.empty()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        if self.refuses is not None:
            return self.refuses
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self._arrived.put(message)
        return "250 Taken"


@contextmanager
def mail_server(**options: Any) -> Iterator[Mailbox]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
