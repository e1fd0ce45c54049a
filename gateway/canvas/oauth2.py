"""Canvas's OAuth2 for people: where they agree, and what the token endpoint answers (fact sheet oauth2.md).

Authlib knows the requests of the standard; they travel by our own client, as everything does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from gateway.canvas import answers
from gateway.errors import CutShort, GrantRefused, OutboundError, SourceDown, SourceRefused
from gateway.http.client import Client, Request, Response

PURPOSE = "roster gateway"  # how Canvas lists the token to the person

_NOT_OURS = ("invalid_client", "unauthorized_client", "unsupported_grant_type")


@dataclass(frozen=True, kw_only=True)
class Application:
    """Us at one Canvas: its developer key. `scopes`: what people are asked for, which that key has to have."""

    canvas_url: str
    client_id: str
    client_secret: str
    redirect_uri: str
    scopes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Grant:
    """`refresh`: None where the earlier one stays. `acted_for`: the person was being acted for when they agreed."""

    access: str
    refresh: str | None
    seconds: float | None
    user: str | None
    acted_for: bool = False


def authorization_url(application: Application, *, state: str, verifier: str) -> str:
    url: str = prepare_grant_uri(
        f"{application.canvas_url.rstrip('/')}/login/oauth2/auth",
        client_id=application.client_id,
        response_type="code",
        redirect_uri=application.redirect_uri,
        scope=" ".join(application.scopes),
        state=state,
        purpose=PURPOSE,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
    )
    return url


class TokenEndpoint:
    """Each request costs a person 200 throttle units, so nobody asks twice."""

    def __init__(self, http: Client, application: Application) -> None:
        self._http = http
        self._application = application
        self._url = f"{application.canvas_url.rstrip('/')}/login/oauth2/token"

    async def exchange(self, code: str, verifier: str) -> Grant:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": self._application.redirect_uri,
        }
        return await self._granted(fields)

    async def refresh(self, refresh: str) -> Grant:
        return await self._granted({"grant_type": "refresh_token", "refresh_token": refresh})

    async def revoke(self, access: str) -> None:
        """The token is over at Canvas too; one that was over already is no error."""
        request = Request("DELETE", self._url, headers={"authorization": f"Bearer {access}"})
        answer = await self._sent(request)
        if answer.status >= 500:
            raise SourceDown(f"Canvas answered {answer.status} when a token was to be ended")

    async def _granted(self, fields: Mapping[str, str]) -> Grant:
        own = {
            "client_id": self._application.client_id,
            "client_secret": self._application.client_secret,
        }
        answer = await self._sent(Request("POST", self._url, data={**own, **fields}))
        refused = _refusal(answer)
        if refused is not None:
            raise refused
        if (failed := answers.failure(answer)) is not None:
            raise failed
        return _grant(answers.record(answer))

    async def _sent(self, request: Request) -> Response:
        try:
            return await self._http.send(request)
        except OutboundError as error:
            raise SourceDown(str(error)) from error


def _grant(body: Mapping[str, Any]) -> Grant:
    access, refresh, seconds = (
        body.get(name) for name in ("access_token", "refresh_token", "expires_in")
    )
    if not isinstance(access, str) or not access:
        raise CutShort("Canvas answered with something that is not a token")
    user = body.get("user")
    return Grant(
        access=access,
        refresh=refresh if isinstance(refresh, str) else None,
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        user=str(user["id"]) if isinstance(user, dict) and "id" in user else None,
        acted_for="real_user" in body,
    )


def _refusal(answer: Response) -> GrantRefused | SourceRefused | None:
    """By the standard's words. Older Canvas answers errors by a redirect, with the words in its query."""
    words: Mapping[str, Any] = {}
    if 300 <= answer.status < 400:
        query = parse_qs(urlsplit(answer.headers.get("location", "")).query)
        words = {name: values[0] for name, values in query.items()}
    elif answer.status in (400, 401):
        try:
            decoded = msgspec.json.decode(answer.body)
        except msgspec.DecodeError:
            decoded = None
        words = decoded if isinstance(decoded, dict) else {}
    if not isinstance(words.get("error"), str):
        return None
    says = f"{words['error']}: {words.get('error_description') or 'no reason given'}"
    if words["error"] in _NOT_OURS:
        return SourceRefused(f"Canvas does not know us ({says}): check oauth in the configuration")
    return GrantRefused(f"Canvas gives no token ({says})")
