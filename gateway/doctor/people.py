"""The way by which people connect their own accounts, tried out: the developer key, and the tokens that they granted."""

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import msgspec

from gateway.canvas import scopes
from gateway.canvas.oauth2 import Application, TokenEndpoint, authorization_url
from gateway.doctor.findings import Finding, of_scopes
from gateway.errors import GrantRefused, OutboundError, SourceError, SourceRefused
from gateway.http.client import Client, Request, Response
from gateway.store.canvas_tokens import Kept

_KEYS = "in Canvas, Admin > Developer Keys"
_KNOWN = "refresh_token not found"


async def of_key(http: Client, application: Application) -> AsyncIterator[Finding]:
    secret = await _of_secret(http, application)
    yield secret
    if not secret.works:
        return
    url = authorization_url(application, state="doctor", verifier=secrets.token_urlsafe(48))
    try:
        answer = await http.send(Request("GET", f"{url}&prompt=none"))
    except OutboundError as error:
        yield Finding(
            key="oauth", what="oauth: Canvas's page", mend=f"it cannot be asked ({error})"
        )
        return
    for finding in _of_page(answer, application):
        yield finding


async def _of_secret(http: Client, application: Application) -> Finding:
    """A refresh token of nobody's is refused with one word to those whom Canvas knows, with another to others."""
    what = "oauth: client_id and client_secret"
    try:
        await TokenEndpoint(http, application).refresh("doctor")
    except GrantRefused as refusal:
        if _KNOWN in str(refusal):
            return Finding(key="client_secret", what=what)
        return Finding(key="client_secret", what=what, mend=str(refusal))
    except SourceRefused as refusal:
        if "unknown client" in str(refusal):
            return Finding(
                key="client_id",
                what=what,
                mend=f"Canvas does not know the client id {application.client_id}: {_KEYS}, look up the number of an API key"
                " that is active, and put it into oauth.client_id",
            )
        return Finding(
            key="client_secret",
            what=what,
            mend=f"the secret is wrong: {_KEYS} > Show Key, and put it into oauth.client_secret",
        )
    except SourceError as error:
        return Finding(key="oauth", what=what, mend=f"Canvas cannot be asked ({error})")
    return Finding(key="client_secret", what=what)


def _of_page(answer: Response, application: Application) -> Sequence[Finding]:
    """Without a session Canvas sends the browser back at once, once everything else is in order."""
    redirect = Finding(key="redirect_uri", what="oauth: redirect URI")
    if answer.status == 400 and "redirect_uri" in _words(answer):
        mend = f"{_KEYS} > Edit > Redirect URIs, add {application.redirect_uri}"
        return [Finding(key="redirect_uri", what=redirect.what, mend=mend)]
    query = parse_qs(urlsplit(answer.headers.get("location", "")).query)
    error, says = query.get("error", [""])[0], query.get("error_description", [""])[0]
    on = Finding(key="key_off", what="oauth: the developer key is on")
    if error == "unauthorized_client":
        mend = f"{_KEYS}, switch the key's state to ON for this account"
        return [redirect, Finding(key="key_off", what=on.what, mend=mend)]
    if error == "invalid_scope":
        return [redirect, on, _of_lacking(scopes.refused(says) or application.scopes)]
    return [redirect, on, of_scopes((), key="oauth")]


def _of_lacking(lacking: Sequence[str]) -> Finding:
    """Nobody can connect before all of them are there; those of writing need not be asked for."""
    finding = of_scopes(lacking, key="oauth")
    if set(lacking) <= set(scopes.WRITING):
        return replace(
            finding,
            mend=f"{finding.mend}; or set oauth.writes = false: then people only read by their own accounts",
        )
    return finding


def _words(answer: Response) -> str:
    try:
        body = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return ""
    return str(body.get("error_description", "")) if isinstance(body, dict) else ""


def of_tokens(kept: Sequence[Kept], asked: Sequence[str]) -> Sequence[Finding]:
    """Those that Canvas takes no more, and those that were granted before more was asked for."""
    broken = [one for one in kept if one.broken_at is not None]
    narrow = [one for one in kept if not set(asked) <= set(one.scopes)]
    what = f"oauth: tokens of {len(kept)} people"
    if broken:
        why = ", ".join(sorted({str(one.broken_why) for one in broken}))
        mend = f"{len(broken)} are over ({why}): these people connect anew when the gateway next asks them to"
        return [Finding(key="broken_tokens", what=what, mend=mend)]
    if narrow:
        lacking = sorted({scope for one in narrow for scope in set(asked) - set(one.scopes)})
        mend = (
            f"{len(narrow)} were granted with fewer scopes than are asked for now: these people have to connect anew before"
            f" their tokens are of use for {' '.join(lacking)}"
        )
        return [Finding(key="narrow_tokens", what=what, mend=mend)]
    return [Finding(key="broken_tokens", what=what)]
