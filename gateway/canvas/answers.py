"""What a Canvas answer means: one table from status and body to our errors, for REST and for LTI services.

Canvas's statuses mislead: "no permission" is 401 like "token expired", and throttling may be 403 like "denied". The
header WWW-Authenticate and the plain text tell them apart (canvas-lms: app/controllers/application_controller.rb,
app/middleware/request_throttle.rb). Messages are translated to the caller's language, so only their place counts.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.errors import (
    CredentialSpent,
    CutShort,
    NotThere,
    RequestRefused,
    SourceDown,
    SourceError,
    SourceRefused,
    SourceThrottled,
)
from gateway.http.addresses import shown
from gateway.http.client import Response

# LTI services say so in their body alone, and in English always (canvas-lms: lib/lti/ims/advantage_errors.rb).
_SPENT_SERVICE_TOKEN = ("Access token expired", "Access token invalid", "Invalid access token")


def failure(answer: Response) -> SourceError | None:
    """Why `answer` is not one, or None when it is."""
    if answer.status < 300:
        return None
    where = f"{shown(answer.url)} answered {answer.status}"
    if _throttled(answer):
        return SourceThrottled(f"{where}: rate limit exceeded", remaining=remaining(answer))
    if answer.status == 401 and "www-authenticate" in answer.headers:
        return CredentialSpent(f"{where}: the token is not, or no longer, valid")
    body = _json(answer)
    says = f"{where}: {message(body) or 'no reason given'}"
    if answer.status == 401 and message(body).startswith(_SPENT_SERVICE_TOKEN):
        return CredentialSpent(says)
    if answer.status in (401, 403):
        merged = _merged_into(body)
        return SourceRefused(says) if merged is None else NotThere(says, merged_into=merged)
    if answer.status in (404, 410):
        return NotThere(says, merged_into=_merged_into(body))
    if answer.status >= 500 or 300 <= answer.status < 400:
        return SourceDown(says)
    return RequestRefused(says, body=body)


def rows(answer: Response, *, under: str | None = None) -> list[dict[str, Any]]:
    """The objects of a list page; wrapped lists have theirs `under` a key. CutShort when it is not such a page."""
    body = _json(answer)
    if under is not None and isinstance(body, dict):
        body = body.get(under)
    if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
        raise CutShort(f"{shown(answer.url)} answered with something that is not a list of objects")
    return body


def record(answer: Response) -> dict[str, Any]:
    """The object of a single answer. CutShort when it is not one."""
    body = _json(answer)
    if not isinstance(body, dict):
        raise CutShort(f"{shown(answer.url)} answered with something that is not an object")
    return body


def cost(answer: Response) -> float:
    """Throttle units that the request cost; 0 where Canvas does not say (a refusal costs next to nothing)."""
    return _number(answer.headers, "x-request-cost") or 0.0


def remaining(answer: Response) -> float | None:
    return _number(answer.headers, "x-rate-limit-remaining")


def message(body: object) -> str:
    """The human text of an error body, in any of Canvas's shapes."""
    if isinstance(body, dict):
        for key in ("message", "error_description", "error", "errors"):
            if key in body:
                return message(body[key])
        return "; ".join(filter(None, map(message, body.values())))
    if isinstance(body, list):
        return "; ".join(filter(None, map(message, body)))
    return body if isinstance(body, str) else ""


def _throttled(answer: Response) -> bool:
    """429 on hosted Canvas, 403 with plain text elsewhere."""
    return answer.status == 429 or (answer.status == 403 and b"Rate Limit Exceeded" in answer.body)


def _merged_into(body: object) -> str | None:
    merged = body.get("merged_into_user_id") if isinstance(body, dict) else None
    return None if merged is None else str(merged)


def _json(answer: Response) -> Any:
    """The body, or None where it is no JSON: edges answer errors in HTML."""
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return None


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        return float(headers[name])
    except (KeyError, ValueError):
        return None
