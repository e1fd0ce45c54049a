"""Where a request of ours may go: the same-origin rule for links, the private-network rule for addresses."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from gateway.errors import AddressRefused

_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port, read by the parser that will send the request; no other URL than http(s) has one."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise AddressRefused(f"{url!r} is not a URL: {error}") from error
    if parts.scheme not in _PORTS or not parts.host:
        raise AddressRefused(f"{shown(url)} is not an http or https address")
    if parts.userinfo:
        raise AddressRefused(f"{shown(url)} carries a name or password of its own")
    return parts.scheme, parts.host, parts.port or _PORTS[parts.scheme]


def followed(link: str, *, of: str, also: Collection[str] = ()) -> str:
    """The absolute URL of a link that the answer from `of` gave, if it stays there or on an origin in `also`."""
    try:
        url = str(httpx.URL(of).join(link))
    except httpx.InvalidURL as error:
        raise AddressRefused(f"{shown(of)} linked to {link!r}, not a URL: {error}") from error
    if origin(url) not in {origin(of), *map(origin, also)}:
        raise AddressRefused(f"{shown(of)} linked to {shown(url)}, which is another host")
    return url


def is_public(address: str) -> bool:
    """Whether this IP address belongs to the public internet, wrappings of IPv4 in IPv6 looked into."""
    ip = _unwrapped(ip_address(address))
    return ip.is_global and not ip.is_multicast


def shown(url: str) -> str:
    """`url` as a person may read it: without name, password, query and fragment."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return repr(url)
    port = f":{parts.port}" if parts.port else ""
    host = f"[{parts.host}]" if ":" in parts.host else parts.host
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _unwrapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
