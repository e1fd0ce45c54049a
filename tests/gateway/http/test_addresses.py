"""Where a request may go: the same-origin rule and the private-network rule, as tables."""

import pytest

from gateway.errors import AddressRefused
from gateway.http.addresses import followed, is_public, origin, shown

PAGE = "https://canvas.example.edu/api/v1/courses?page=1"


@pytest.mark.parametrize(
    ("link", "url"),
    [
        pytest.param("https://canvas.example.edu/x?page=2", None, id="the same"),
        pytest.param("https://CANVAS.example.edu/x", "https://canvas.example.edu/x", id="capitals"),
        pytest.param(
            "https://canvas.example.edu:443/x", "https://canvas.example.edu/x", id="its port"
        ),
        pytest.param("/x", "https://canvas.example.edu/x", id="a path"),
        pytest.param("?page=2", "https://canvas.example.edu/api/v1/courses?page=2", id="a query"),
        pytest.param("//canvas.example.edu/x", "https://canvas.example.edu/x", id="a host"),
        pytest.param("https://files.example.edu:8443/f", None, id="a host that was agreed on"),
    ],
)
def test_a_link_to_the_same_origin_is_followed(link: str, url: str | None) -> None:
    assert (url or link) == followed(link, of=PAGE, also=["https://files.example.edu:8443"])


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("http://canvas.example.edu/x", id="without TLS"),
        pytest.param("https://canvas.example.edu:8443/x", id="another port"),
        pytest.param("https://canvas.example.edu.evil.example/x", id="a longer name"),
        pytest.param("https://evil.example/canvas.example.edu", id="the name in the path"),
        pytest.param("https://canvas.example.edu@evil.example/x", id="the name as a user"),
        pytest.param("https://me:secret@canvas.example.edu/x", id="a password of its own"),
        pytest.param("https://canvas.example.edu\\@evil.example/x", id="a backslash"),
        pytest.param("//evil.example/x", id="another host by a relative link"),
        pytest.param("https://files.example.edu/f", id="an agreed host at another port"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("javascript:alert(1)", id="a script"),
        pytest.param("https://[::1", id="no URL"),
    ],
)
def test_a_link_to_anywhere_else_is_refused(link: str) -> None:
    with pytest.raises(AddressRefused):
        followed(link, of=PAGE, also=["https://files.example.edu:8443"])


def test_an_origin_is_scheme_host_and_port() -> None:
    assert ("http", "a.example", 80) == origin("http://A.example")
    assert ("https", "a.example", 443) == origin("https://a.example/x?y#z")
    assert ("https", "::1", 8443) == origin("https://[::1]:8443/")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("0.0.0.0", False),  # noqa: S104  an address that is refused
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),  # carriers' NAT
        ("169.254.169.254", False),  # where clouds keep credentials
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),  # NAT64 of 127.0.0.1
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),  # 6to4 of 127.0.0.1
    ],
)
def test_an_address_is_public_or_private(address: str, *, public: bool) -> None:
    assert public is is_public(address)


def test_what_is_shown_of_a_url_gives_no_credential_away() -> None:
    assert "https://h.example:8443/p" == shown("https://u:p@h.example:8443/p?verifier=v#f")
    assert "http://[::1]/p" == shown("http://[::1]/p")
