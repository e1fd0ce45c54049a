"""The signature of an LTI 1.1 launch: OAuth 1.0a in the body of a form (fact sheet lti-launch.md §1.2 and §1.3).

Pure. Authlib makes base string and HMAC (RFC 5849, section 3.4). Its server class is not used: it keeps one value of a
repeated parameter, takes timestamps from the future, and knows no consumer but by a database. oauthlib's endpoint would
have to be overridden in as many places, and counts parameters of URL and body strictly, which refuses Canvas.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from authlib.oauth1.rfc5849.signature import construct_base_string, hmac_sha1_signature

from gateway.errors import LaunchRefused

Pairs = Sequence[tuple[str, str]]

WINDOW = timedelta(seconds=300)
NONCE_KEPT = timedelta(seconds=600)  # the window, both ways

_NONCE = re.compile(r"[!-~]{8,128}")
_ONCE = (
    *("oauth_consumer_key", "oauth_nonce", "oauth_timestamp", "oauth_version"),
    *("oauth_signature_method", "oauth_signature", "lti_message_type", "lti_version"),
    *("user_id", "roles", "context_id", "resource_link_id"),
)


def signed_pairs(url: str, body: Pairs) -> list[tuple[str, str]]:
    """What the signature covers: the body, and those parameters of the URL whose name the body does not have.

    Canvas copies the URL's parameters into the body and signs each once, although the browser posts to the URL with
    them; others leave them in the URL, as the RFC has it. This covers both (canvas-lms: lib/lti/security.rb).
    """
    names = {name for name, _ in body}
    query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return [*body, *(pair for pair in query if pair[0] not in names)]


def own_fields(url: str, body: Pairs) -> dict[str, str]:
    """The platform's own parameters, by name: without what merely repeats the URL.

    Whoever makes a link in a course writes its URL, and Canvas signs what stands there: `custom_canvas_user_id` in it would
    make its author anybody.
    """
    query = set(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    return {name: value for name, value in body if (name, value) not in query}


def verify(url: str, body: Pairs, secrets: Mapping[str, str], now: datetime) -> str:
    """The nonce, to be used up by the caller; LaunchRefused where the signature does not stand.

    `url`: as the platform has it configured, which behind a proxy is not what we are asked by. `secrets`: by consumer key.
    """
    signed = signed_pairs(url, body)
    given = _singles(signed)
    secret = secrets.get(given["oauth_consumer_key"])
    if secret is None:
        raise LaunchRefused("consumer_key", "The launch has a consumer key that is not known here.")
    _check_words(given)
    _check_time(given["oauth_timestamp"], now)
    base = construct_base_string("POST", urlunsplit(urlsplit(url)._replace(query="")), signed)
    expected: str = hmac_sha1_signature(base, secret, None)
    if not hmac.compare_digest(expected.encode(), given["oauth_signature"].encode()):
        raise LaunchRefused(
            "signature",
            "The launch's signature does not stand: the shared secret is another one, or the platform has the launch"
            " URL in another spelling than this server's public address.",
        )
    return given["oauth_nonce"]


def _singles(pairs: Pairs) -> dict[str, str]:
    """What decides about trust and person is there, once."""
    for name in _ONCE:
        if sum(1 for one, _ in pairs if one == name) > 1:
            raise LaunchRefused(name, f"The launch has {name} more than once.")
    given = dict(pairs)
    for name in ("oauth_consumer_key", "oauth_nonce", "oauth_timestamp", "oauth_signature"):
        if not given.get(name):
            raise LaunchRefused(name, f"The launch lacks {name}: it is not signed.")
    return given


def _check_words(given: Mapping[str, str]) -> None:
    if given.get("oauth_signature_method") != "HMAC-SHA1":
        raise LaunchRefused("signature_method", "The launch is not signed by HMAC-SHA1.")
    if given.get("oauth_version", "1.0") != "1.0":
        raise LaunchRefused("oauth_version", "The launch's OAuth version is not 1.0.")
    if given.get("lti_message_type") != "basic-lti-launch-request":
        raise LaunchRefused("message_type", "This message is no launch we serve.")
    if given.get("lti_version") != "LTI-1p0":
        raise LaunchRefused("version", "The launch's LTI version is not LTI-1p0.")
    if not _NONCE.fullmatch(given["oauth_nonce"]):
        raise LaunchRefused("nonce", "The launch's nonce is too short or too long.")


def _check_time(timestamp: str, now: datetime) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
        raise LaunchRefused("timestamp", "The launch's timestamp is no time.")
    at = datetime.fromtimestamp(int(timestamp), UTC)
    if at < now - WINDOW:
        raise LaunchRefused("timestamp", "The launch is too old. Open it again from the course.")
    if at > now + WINDOW:
        raise LaunchRefused("timestamp", "The launch comes from the future: a clock is wrong.")
