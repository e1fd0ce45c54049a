"""Which scopes a token lacks, found out by requests that change nothing.

Canvas looks at the scopes of a token where it looks at the token, before it looks for what the request is about and at what
it says (canvas-lms: lib/authentication_methods.rb, `validate_scopes`, called by `load_user`, which is prepended to every
action in app/controllers/application_controller.rb). So the verb and the route of the scope itself, about things with the id 0
and without a body, are refused with "Insufficient scopes on access token." where it lacks, and with 404 where it is there:
accounts and courses with the id 0, which Canvas keeps for itself, count as deleted to every request (`get_context`, same place).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.canvas.client import Call, Canvas, Credential, Meter
from gateway.errors import SourceDown, SourceError, SourceRefused, SourceThrottled

_PARAMETER = re.compile(r":[a-z_]+")
_VERSION = "/api/v1"


@dataclass(frozen=True, kw_only=True)
class Found:
    """Of the scopes that were tried: which the token lacks, and of which nobody knows, since Canvas could not be asked."""

    lacking: Sequence[str]
    unknown: Sequence[str]


async def tried(canvas: Canvas, credential: Credential, scopes: Sequence[str]) -> Found:
    has = {scope: await _has(canvas, credential, scope) for scope in scopes}
    return Found(
        lacking=[scope for scope, known in has.items() if known is False],
        unknown=[scope for scope, known in has.items() if known is None],
    )


def is_missing(refusal: SourceRefused) -> bool:
    """Whether it is a scope that was missing."""
    return "Insufficient scopes" in str(refusal)


async def _has(canvas: Canvas, credential: Credential, scope: str) -> bool | None:
    call = Call(credential=credential, meter=Meter())
    verb, path = harmless(scope)
    try:
        if verb == "GET":
            await canvas.get(call, path)
        else:
            await canvas.write(call, verb, path)
    except SourceRefused as refusal:
        return not is_missing(refusal)
    except (SourceDown, SourceThrottled):
        return None
    except SourceError:
        return True  # whatever it says of nothing: it looked
    return True


def harmless(scope: str) -> tuple[str, str]:
    """A request that takes the scope, and is about nothing."""
    verb, _, route = scope.removeprefix("url:").partition("|")
    return verb, _PARAMETER.sub("0", route.removeprefix(_VERSION))
