"""A launch of somebody whom nobody here knows, held until they have said who they are.

It is held by their own browser: sealed, and good for half an hour. What they are asked, and how they prove that an account
is theirs, is not decided here.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import ConfigurationError, LaunchRefused
from gateway.lti.launch import Launch
from gateway.seal import Seal
from gateway.store.places import Context

LIFE = timedelta(minutes=30)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """All that is needed to let the launch in later. `host`: the product that it is for."""

    institution: str
    launch: Launch
    context: Context | None
    host: str
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Stranger:
    """Whom to ask. `held` brings the launch back; `lookalikes` are people of that e-mail address, which proves nothing.

    `platform_page`: where the platform wants them back, whose page ours stands in.
    """

    institution_id: int
    institution_slug: str
    held: str
    name: str | None
    email: str | None
    lookalikes: tuple[int, ...]
    platform_page: str | None = None


Ask = Callable[[Request, Stranger], Awaitable[Response]]


def hold(seal: Seal, held: Held) -> str:
    return seal.close(msgspec.json.encode(held).decode())


def let_go(seal: Seal, unverified_held: str, now: datetime) -> Held:
    try:
        held = msgspec.json.decode(seal.open(unverified_held), type=Held)
    except (ConfigurationError, msgspec.DecodeError) as error:
        raise LaunchRefused("held", "This launch is not known: open the tool again.") from error
    if held.until <= now:
        raise LaunchRefused("held", "This took more than half an hour: open the tool again.")
    return held
