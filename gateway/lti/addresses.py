"""Addresses in a launch: which are ours, which product a launch is for, and what is added to one."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from gateway.middleware import origin_of
from gateway.settings import Host, Settings

CONSOLE = "console"  # the product that is always there: our own pages
_LONGEST = 1024


def own(url: str | None, public_url: str) -> str | None:
    """`url`, if it is an address of ours; any other is not followed."""
    if url is None or len(url) > _LONGEST or origin_of(url) != origin_of(public_url):
        return None
    return url


def host_of(target: str | None, settings: Settings) -> Host | None:
    """The product that a launch's target names (`?host=notebook`), else the first; None is our console."""
    ours = own(target, settings.server.public_url) or ""
    named = dict(parse_qsl(urlsplit(ours).query)).get("host")
    if named == CONSOLE or not settings.hosts:
        return None
    return next((host for host in settings.hosts if host.name == named), settings.hosts[0])


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def with_query(url: str, more: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(more))))
    return urlunsplit(parts._replace(query=query))
