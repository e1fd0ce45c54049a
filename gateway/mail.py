"""Mail: one message to one address, through the SMTP server of the configuration."""

from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

import aiosmtplib

from gateway.errors import MailNotSent
from gateway.settings import Mail
from gateway.shield import finish

_SECONDS = 10.0
_PORTS = {"smtp": 25, "smtps": 465}


async def send(mail: Mail, *, to: str, subject: str, text: str) -> None:
    """MailNotSent where no server took it. Encrypted wherever the server offers it, always for `smtps`."""
    parts = urlsplit(mail.smtp)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = mail.sender, to, subject
    message["Date"], message["Message-ID"] = (
        formatdate(usegmt=True),
        make_msgid(domain=_domain(mail)),
    )
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence note comes back
    message.set_content(text)
    sending = aiosmtplib.send(
        message,
        hostname=parts.hostname,
        port=parts.port or _PORTS[parts.scheme],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        use_tls=parts.scheme == "smtps",
        timeout=_SECONDS,
    )
    try:
        await finish(sending)
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailNotSent(f"the mail server {parts.hostname} took no mail: {error}") from error


def _domain(mail: Mail) -> str:
    return mail.sender.rpartition("@")[2]
