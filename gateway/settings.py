"""The gateway's settings, as the one configuration file says them (`docs/configuration.md`)."""

import os
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import SplitResult, urlsplit

from msgspec import field

from gateway.config_file import CredentialUrl, Secret, Table, read
from gateway.errors import UsageError

N = TypeVar("N", int, float, timedelta)


def load(file: Path, environment: Mapping[str, str] = os.environ) -> "Settings":  # noqa: TID251  the one place that reads it
    return read(file, Settings, environment)


def chosen_file(named: str | None, environment: Mapping[str, str] = os.environ) -> Path:  # noqa: TID251  the one place that reads it
    """The configuration file of the command line, else of ROSTER_CONFIG."""
    name = named or environment.get("ROSTER_CONFIG")
    if not name:
        raise UsageError("no configuration: give --config FILE or set ROSTER_CONFIG")
    return Path(name)


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not a URL: {error}") from error
    return parts


def _http_url(text: str) -> str:
    parts = _split(text)
    if parts.username or parts.password:
        raise ValueError("carries a name or password")  # which is not repeated
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text!r} is not a URL that begins with http:// or https:// and a host")
    return text


def _origin(text: str) -> str:
    parts = _split(_http_url(text))
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{text!r} has more than scheme, host and port")
    return text.rstrip("/")


def _host(text: str) -> str:
    """A bare host name means its https origin."""
    return _origin(text if "://" in text else f"https://{text}")


def _url_of(*schemes: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if _split(text).scheme not in schemes or "://" not in text:
            raise ValueError(f"must begin with {' or '.join(f'{s}://' for s in schemes)}")
        return text

    return check


def _matching(pattern: str, wanted: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} is not {wanted}")
        return text

    return check


def _between(least: N, most: N | None = None) -> Callable[[N], N]:
    def check(value: N) -> N:
        if not least <= value or not (most is None or value <= most):  # NaN is neither
            raise ValueError(
                f"{value} is not {least} at least" + (f" and {most} at most" if most else "")
            )
        return value

    return check


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _WEEKDAYS),
)
_CRON_PART = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[1-9]\d*))?")


def _cron(text: str) -> str:
    """Five fields, each a list of `*`, values or ranges, with an optional step; empty for never."""
    words = text.split()
    if text and len(words) != len(_CRON):
        raise ValueError(
            f"{text!r} has {len(words)} fields; a schedule has 5, or is empty for never"
        )
    for word, (name, low, high, names) in zip(words, _CRON, strict=False):
        numbers = {str(n): n for n in range(low, high + 1)} | {
            n: low + i for i, n in enumerate(names)
        }
        if not all(_is_cron_part(part, numbers) for part in word.lower().split(",")):
            raise ValueError(f"{word!r} is no {name} ({low} to {high}) of a schedule")
    return text


def _is_cron_part(part: str, numbers: Mapping[str, int]) -> bool:
    match = _CRON_PART.fullmatch(part)
    if match is None:
        return False
    first, last = match["first"], match["last"]
    if first is None:
        return True
    last = last or first
    return first in numbers and last in numbers and numbers[first] <= numbers[last]


Url = Annotated[str, _http_url]
Origin = Annotated[str, _origin]
Name = Annotated[str, _matching(r"\S(.*\S)?", "a name (empty, or with spaces around it)")]
Slug = Annotated[
    str,
    _matching(
        r"[a-z0-9][a-z0-9_-]{0,63}",
        "made of at most 64 of a-z, 0-9, - and _, a letter or digit first",
    ),
]
Duration = Annotated[timedelta, _between(timedelta(0))]
PositiveDuration = Annotated[timedelta, _between(timedelta(milliseconds=1))]


class PrivateNetworks(StrEnum):
    REFUSE = "refuse"
    ALLOW = "allow"


class UnmatchedLaunch(StrEnum):
    CREATE = "create"
    ASK = "ask"
    REFUSE = "refuse"


class DropPolicy(StrEnum):
    DELETE = "delete"
    INACTIVATE = "inactivate"
    CONCLUDE = "conclude"


class Mail(Table, frozen=True, kw_only=True):
    smtp: Annotated[CredentialUrl, _url_of("smtp", "smtps")]
    sender: Annotated[str, _matching(r"[^@\s]+@[^@\s]+", "an address such as roster@example.edu")]


class Server(Table, frozen=True, kw_only=True):
    """`secret_key`: the first seals, all open. `private_networks`: None where the file leaves it to `public_url`."""

    public_url: Origin
    database_url: Annotated[CredentialUrl, _url_of("sqlite", "postgres", "postgresql")]
    secret_key: tuple[Secret, ...]
    cache_url: Annotated[CredentialUrl, _url_of("memory", "redis", "rediss")] = CredentialUrl(
        "memory://"
    )
    graphiql: bool = True
    query_timeout: PositiveDuration = timedelta(seconds=20)
    private_networks: PrivateNetworks | None = None
    mail: Mail | None = None

    @property
    def allows_private_networks(self) -> bool:
        """Whether we may call private and loopback addresses: a server that is itself local may by default."""
        if self.private_networks is None:
            return is_loopback(self.public_url)
        return self.private_networks is PrivateNetworks.ALLOW

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite:")


class Oauth(Table, frozen=True, kw_only=True):
    """A developer key. `writes`: whether people change rosters by their own accounts too, or only read by them."""

    client_id: Name
    client_secret: Secret
    writes: bool = True


class Lti13(Table, frozen=True, kw_only=True):
    """An LTI 1.3 registration on a platform."""

    issuer: Url
    client_id: Name
    auth_url: Url
    token_url: Url
    jwks_url: Url
    deployment_ids: tuple[Name, ...] = ()

    def names(self) -> Iterable[tuple[str, Hashable]]:
        """One developer key may serve several institutions, told apart by deployment."""
        for deployment in self.deployment_ids or ("any deployment",):
            yield "the registration", f"{self.client_id} of {self.issuer}, {deployment}"


class Lti11(Table, frozen=True, kw_only=True):
    consumer_key: Name
    secret: Secret

    def names(self) -> Iterable[tuple[str, Hashable]]:
        return (("the consumer key", self.consumer_key),)


class LiveEvents(Table, frozen=True, kw_only=True):
    """A data stream of Canvas's that posts to us. `root_account`: its uuid, LTI guid or global id, as events name it.

    `secret`: what the address has to bring along as `?secret=`.
    """

    root_account: Name
    jwks_url: Url = "https://8axpcl50e4.execute-api.us-east-1.amazonaws.com/main/jwks"
    signed: bool = True
    secret: Secret | None = None

    def mistakes(self) -> Iterable[tuple[str, str]]:
        if not self.signed and self.secret is None:
            yield "signed", "an unsigned stream needs a secret beside it"


class Institution(Table, frozen=True, kw_only=True):
    """A school on one platform; one without `canvas_url` is known through LTI alone."""

    slug: Slug
    canvas_url: Origin | None = None
    account_id: Name = "self"  # Canvas's word for the root account of the host that is asked
    admin_token: Secret | None = None
    oauth: Oauth | None = None
    default_max_age: Duration = timedelta(minutes=15)
    report_schedule: Annotated[str, _cron] = "0 3 * * *"
    unmatched_launch: UnmatchedLaunch = UnmatchedLaunch.CREATE
    shrink_guard: Annotated[float, _between(0.0, 1.0)] = 0.2
    shrink_guard_min: Annotated[int, _between(0)] = 25
    drop_policy: DropPolicy = DropPolicy.DELETE
    sis_diffing: bool = False
    retention: PositiveDuration = timedelta(days=400)
    registration_url: Annotated[str, lambda text: text and _http_url(text)] = ""
    consent_text: str = (
        "Your name, your address and your ids, as your school's platform sends them, are kept here to show class lists to"
        " those who may see them."
    )
    nrps_hosts: tuple[Annotated[str, _host], ...] = ()
    live_events: LiveEvents | None = None
    lti13: tuple[Lti13, ...] = ()
    lti11: tuple[Lti11, ...] = ()

    def names(self) -> Iterable[tuple[str, Hashable]]:
        return (("the slug", self.slug),)

    def mistakes(self) -> Iterable[tuple[str, str]]:
        if self.canvas_url is None:
            for key in ("admin_token", "oauth"):
                if getattr(self, key) is not None:
                    yield key, "needs canvas_url beside it"


class Host(Table, frozen=True, kw_only=True):
    """A host product's frontend, which launches are handed on to."""

    name: Name
    launch_url: Url
    origins: tuple[Origin, ...] = ()

    def names(self) -> Iterable[tuple[str, Hashable]]:
        return (("the host", self.name),)


class Settings(Table, frozen=True, kw_only=True):
    server: Server
    institutions: tuple[Institution, ...] = field(name="institution", default=())
    hosts: tuple[Host, ...] = field(name="host", default=())

    def institution(self, slug: str) -> Institution | None:
        return next((one for one in self.institutions if one.slug == slug), None)


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
