"""One mail through a real SMTP server: what arrives, and how a server that takes none is told."""

import socket

import msgspec
import pytest

from gateway import mail
from gateway.config_file import CredentialUrl
from gateway.errors import MailNotSent
from tests.mailbox import mail_server

TEXT = "Grüße,\n\nhttps://roster.example.edu/lti/welcome/mailed?key=abc\n"


async def test_a_mail_arrives_as_it_was_written() -> None:
    with mail_server() as box:
        await mail.send(box.settings, to="zoe@example.edu", subject="Für Zoë", text=TEXT)

        [arrived] = [box.next()]

    assert ("roster@example.edu", "zoe@example.edu", "Für Zoë") == (
        arrived["From"],
        arrived["To"],
        arrived["Subject"],
    )
    assert TEXT.splitlines() == arrived.get_content().splitlines()
    assert "auto-generated" == arrived["Auto-Submitted"]
    assert arrived["Message-ID"].endswith("@example.edu>")


async def test_a_refused_mail_is_told() -> None:
    with mail_server() as box:
        box.refuses = "554 Not today"

        with pytest.raises(MailNotSent, match="Not today"):
            await mail.send(box.settings, to="zoe@example.edu", subject="x", text="y")


async def test_a_server_that_is_not_there_is_told() -> None:
    with mail_server() as box:
        settings = box.settings

    with pytest.raises(MailNotSent, match=r"127\.0\.0\.1"):
        await mail.send(settings, to="zoe@example.edu", subject="x", text="y")


async def test_a_server_that_never_answers_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mail, "_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, mail_server() as box:
        address = CredentialUrl(f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        settings = msgspec.structs.replace(box.settings, smtp=address)

        with pytest.raises(MailNotSent):
            await mail.send(settings, to="zoe@example.edu", subject="x", text="y")
