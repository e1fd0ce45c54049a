"""The token endpoint: codes and refresh tokens become access tokens (fact sheet oauth2.md §3)."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from twin import developer_keys
from twin.errors import CanvasError
from twin.ids import global_id
from twin.making import make_token
from twin.opaque_ids import ALPHABET
from twin.records import AccessToken, DeveloperKey, User
from twin.school import School
from twin.scopes import USERINFO

CODE_LIFE = timedelta(minutes=10)
TOKEN_LIFE = timedelta(hours=1)


class OAuthError(CanvasError):
    """A refusal of the token or authorization endpoint."""

    def __init__(self, error: str, description: str | None, status: int = 400) -> None:
        body = {"error": error} | ({"error_description": description} if description else {})
        challenge = {"WWW-Authenticate": "Canvas OAuth 2.0"} if status == 401 else None
        super().__init__(status, body, challenge)
        self.fields = body


def unknown_client() -> OAuthError:
    return OAuthError("invalid_client", "unknown client", 401)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What a person agreed to: worth one access token, for ten minutes."""

    key: DeveloperKey
    user: User
    real_user: User | None
    redirect_uri: str
    scopes: tuple[str, ...]
    purpose: str | None
    challenge: str | None
    expires_at: datetime


@dataclass(slots=True)
class Codes:
    """The authorizations that wait for their client, by code."""

    waiting: dict[str, Authorization] = field(default_factory=dict)
    remembered: set[tuple[int, int]] = field(default_factory=set)
    """(user, key) of the userinfo requests that a person chose to remember."""

    def issue(self, authorization: Authorization) -> str:
        code = secrets.token_hex(64)
        self.waiting[code] = authorization
        return code


def client(school: School, params: Mapping[str, str], basic: str | None) -> DeveloperKey:
    """The key that asks, by secret in the body or as HTTP Basic; a public client needs none."""
    client_id, secret = _basic(basic) or (params.get("client_id"), params.get("client_secret"))
    key = developer_keys.find_key(school, client_id)
    if key is None or key.is_lti:
        raise unknown_client()
    if key.public_client and not secret:
        return key
    if not key.secret or not secrets.compare_digest((secret or "").encode(), key.secret.encode()):
        raise OAuthError("invalid_client", "invalid client", 401)
    return key


def _basic(header: str | None) -> tuple[str, str] | None:
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret


def by_code(
    school: School, codes: Codes, key: DeveloperKey, params: Mapping[str, str]
) -> dict[str, Any]:
    code = params.get("code")
    if not code:
        raise _missing("code", "authorization_code")
    agreed = codes.waiting.get(code)
    if agreed is None or agreed.expires_at <= school.clock.now():
        raise OAuthError("invalid_grant", "authorization_code not found")
    if agreed.key is not key:
        raise OAuthError("invalid_grant", "incorrect client")
    if school.options.token_redirect_uri_compared and (
        params.get("redirect_uri") != agreed.redirect_uri
    ):
        raise OAuthError("invalid_grant", "redirect_uri does not match the authorization request")
    _check_verifier(agreed.challenge, params.get("code_verifier"))
    del codes.waiting[code]
    if params.get("replace_tokens") == "1":
        developer_keys.end_tokens(school, key, agreed.user.id)
    if agreed.scopes == (USERINFO,):
        return {"access_token": None, "token_type": "Bearer", **_people(school, agreed)}
    token = _reusable(school, agreed) or _new_token(school, agreed)
    return {**_answer(school, key, token), "refresh_token": token.refresh_token}


def by_refresh_token(
    school: School, key: DeveloperKey, params: Mapping[str, str]
) -> dict[str, Any]:
    """The same row with a new value: the old access token is dead at once, everywhere."""
    value = params.get("refresh_token")
    if not value:
        raise _missing("refresh_token", "refresh_token")
    token = school.find(AccessToken, "refresh_token", value)
    if token is None or not _refreshable(school, token):
        raise OAuthError("invalid_request", "refresh_token not found")
    if token.developer_key_id != key.id:
        raise OAuthError("invalid_grant", "incorrect client")
    school.update(token, token=_value(), expires_at=_expiry(school, key))
    answer = _answer(school, key, token)
    if key.public_client:
        window = timedelta(hours=school.options.public_refresh_hours)
        renewed = {"refresh_token": _value(), "refresh_expires_at": school.clock.now() + window}
        school.update(token, **renewed)
        answer["refresh_token"] = token.refresh_token
    return answer


def _refreshable(school: School, token: AccessToken) -> bool:
    """Not past the window of a public client, and of a user who still exists."""
    ends = token.refresh_expires_at
    alive = school.users[token.user_id].workflow_state != "deleted"
    return alive and (ends is None or ends > school.clock.now())


def _missing(name: str, grant: str) -> OAuthError:
    text = f"You must provide the {name} parameter when using the {grant} grant type"
    return OAuthError("invalid_request", text)


def _check_verifier(challenge: str | None, verifier: str | None) -> None:
    if challenge is None:
        return
    digest = hashlib.sha256((verifier or "").encode()).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not secrets.compare_digest(made, challenge.rstrip("=")):
        raise OAuthError("invalid_grant", "code verifier missing or wrong")


def _reusable(school: School, agreed: Authorization) -> AccessToken | None:
    """With "force token reuse" a key gets the token that it has already."""
    if not agreed.key.force_token_reuse:
        return None
    now = school.clock.now()
    return next(
        (
            token
            for token in school.tokens_of_user.of(agreed.user.id)
            if token.developer_key_id == agreed.key.id
            and token.workflow_state == "active"
            and token.scopes == agreed.scopes
            and (token.expires_at is None or token.expires_at > now)
        ),
        None,
    )


def _new_token(school: School, agreed: Authorization) -> AccessToken:
    window = timedelta(hours=school.options.public_refresh_hours)
    return make_token(
        school,
        agreed.user,
        agreed.key.id,
        _value(),
        scopes=agreed.scopes,
        purpose=agreed.purpose,
        expires_at=_expiry(school, agreed.key),
        refresh_token=_value(),
        refresh_expires_at=school.clock.now() + window if agreed.key.public_client else None,
        real_user_id=agreed.real_user.id if agreed.real_user else None,
    )


def _answer(school: School, key: DeveloperKey, token: AccessToken) -> dict[str, Any]:
    real_user = school.users[token.real_user_id] if token.real_user_id else None
    answer: dict[str, Any] = {
        "access_token": token.token,
        "token_type": "Bearer",
        "user": _person(school, school.users[token.user_id]),
        "canvas_region": "unknown",
    }
    if real_user:
        answer["real_user"] = _real_person(school, real_user)
    if key.auto_expire_tokens:
        answer["expires_in"] = int(TOKEN_LIFE.total_seconds())
    return answer


def _people(school: School, agreed: Authorization) -> dict[str, Any]:
    people: dict[str, Any] = {"user": _person(school, agreed.user)}
    if agreed.real_user:
        people["real_user"] = _real_person(school, agreed.real_user)
    return {**people, "canvas_region": "unknown"}


def _person(school: School, user: User) -> dict[str, Any]:
    return {**_real_person(school, user), "effective_locale": user.locale or "en"}


def _real_person(school: School, user: User) -> dict[str, Any]:
    return {"id": user.id, "name": user.name, "global_id": str(global_id(school, user.id))}


def _expiry(school: School, key: DeveloperKey) -> datetime | None:
    return school.clock.now() + TOKEN_LIFE if key.auto_expire_tokens else None


def _value() -> str:
    return "1~" + "".join(secrets.choice(ALPHABET) for _ in range(64))
