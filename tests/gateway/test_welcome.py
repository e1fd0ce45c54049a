"""Somebody whom a launch brought and nobody knows: asked, linked by a mailed link, made an account, or refused."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette

from gateway import welcome
from gateway.lti import routes
from gateway.settings import Institution, UnmatchedLaunch
from gateway.store import mailed_links
from gateway.uow import Database
from tests.factories import School
from tests.gateway.lti import platform
from tests.gateway.lti.conftest import NOTEBOOK, Clock, Person, Tool, school, settings_of
from tests.gateway.lti.platform import LTI, Platform
from tests.mailbox import Mailbox, mail_server

OWN = {"origin": platform.PUBLIC_URL}
REGISTER = "https://notebook.example.edu/register?from=roster"
ANONYMOUS_TO_US = {
    f"{LTI}custom": {},
    f"{LTI}lis": {},
    f"{LTI}lti11_legacy_user_id": "",
    f"{LTI}lti1p1": {},
}


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box
        assert box.is_empty  # a mail too many


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def asking(database: Database, clock: Clock, mailbox: Mailbox | None, **changes: Any) -> Tool:
    """A tool whose school has strangers asked."""
    fields: dict[str, Any] = {"unmatched_launch": UnmatchedLaunch.ASK, **changes}
    configured: Institution = school(**fields)
    settings = settings_of(configured, hosts=(NOTEBOOK,))
    if mailbox is not None:
        served = msgspec.structs.replace(settings.server, mail=mailbox.settings)
        settings = msgspec.structs.replace(settings, server=served)
    await School.open(database, slug="demo", canvas_url=configured.canvas_url)
    tool = Tool(database, clock, Platform(), settings)
    tool.launches = replace(tool.launches, ask=welcome.ask)
    tool.app = Starlette(routes=[*routes.routes(()), *welcome.routes])
    return tool


async def known(database: Database, name: str, **columns: Any) -> int:
    """Somebody of the school."""
    [row] = await database.rows("select id from institution where slug = 'demo'")
    return await School(database, row["id"]).person(name=name, **columns)


def held(page: httpx.Response) -> str:
    found = re.search(r'name="held" value="([^"]+)"', page.text)
    assert found, page.text
    return unescape(found[1])


def link_in(mailbox: Mailbox, address: str) -> str:
    message = mailbox.next()
    assert address == message["To"]
    [link] = re.findall(r"https://\S+", message.get_content())
    return str(link)


async def asked(somebody: Person) -> httpx.Response:
    page = await somebody.launch(**ANONYMOUS_TO_US)
    assert "Who are you?" in page.text
    return page


async def test_the_page_lets_nobody_in_and_is_framed_by_the_platform_alone(
    database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    tool = await asking(database, clock, mailbox)
    async with tool.browser() as somebody:
        page = await asked(somebody)

    assert 403 == page.status_code
    assert [] == await tool.sessions()
    assert "roster_session" not in page.headers.get("set-cookie", "")
    assert "Zoë O&#39;Neil-Núñez" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert policy.endswith(
        "frame-ancestors 'self' https://school.instructure.com https://sso.canvaslms.com"
    )
    assert "form-action 'self' https://notebook.example.edu;" in policy


async def test_an_account_is_linked_by_a_mailed_link_that_asks_again(
    database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    tool = await asking(database, clock, mailbox)
    zoe = await known(database, "Zoe Neil", email="zoe@old.example")
    async with tool.browser() as somebody:
        page = await asked(somebody)
        answer = await somebody.client.post(
            "/lti/welcome/mail",
            data={"held": held(page), "address": " ZOE@old.example "},
            headers=OWN,
        )
    assert 200 == answer.status_code, answer.text

    link = link_in(mailbox, "ZOE@old.example")
    async with tool.browser() as elsewhere:
        shown = await elsewhere.client.get(link)
        assert "Zoe Neil" in shown.text
        assert "zoe+lms@school.example.edu" in shown.text
        assert [] == await tool.sessions()  # looking at the link did nothing
        done = await elsewhere.client.post(
            "/lti/welcome/mailed", data={"key": link.partition("key=")[2]}, headers=OWN
        )
        again = await elsewhere.client.get(link)

    assert 303 == done.status_code, done.text
    assert done.headers["location"].startswith(NOTEBOOK.launch_url)
    assert [zoe] == [session["person_id"] for session in await tool.sessions()]
    assert 400 == again.status_code
    async with tool.browser() as later:
        assert 303 == (await later.launch(**ANONYMOUS_TO_US)).status_code
    assert [zoe] == [row["id"] for row in await tool.rows("person")]


async def test_whether_an_address_is_known_is_not_told(
    database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    tool = await asking(database, clock, mailbox)
    await known(database, "Zoe", email="zoe@old.example")
    await known(database, "A", email="shared@old.example")
    await known(database, "B", email="shared@old.example")
    said = {}
    async with tool.browser() as somebody:
        page = await asked(somebody)
        for address in ("zoe@old.example", "nobody@old.example", "shared@old.example"):
            answer = await somebody.client.post(
                "/lti/welcome/mail", data={"held": held(page), "address": address}, headers=OWN
            )
            text = re.sub('nonce="[^"]*"', "", answer.text).replace(address, "@")
            said[text] = address

    assert 1 == len(said)
    link_in(mailbox, "zoe@old.example")  # and no other mail: the mailbox looks after that


async def test_nobody_is_sent_mail_after_mail(
    database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    tool = await asking(database, clock, mailbox)
    await known(database, "Zoe", email="zoe@old.example")
    async with tool.browser() as somebody:
        page = await asked(somebody)
        for _ in range(mailed_links.MOST_AN_HOUR + 2):
            data = {"held": held(page), "address": "zoe@old.example"}
            await somebody.client.post("/lti/welcome/mail", data=data, headers=OWN)

    for _ in range(mailed_links.MOST_AN_HOUR):
        link_in(mailbox, "zoe@old.example")


async def test_a_new_account_needs_consent(database: Database, clock: Clock) -> None:
    tool = await asking(database, clock, None, consent_text="We keep your name.")
    async with tool.browser() as somebody:
        page = await asked(somebody)
        assert "We keep your name." in page.text
        assert "Mail me" not in page.text
        without = await somebody.client.post(
            "/lti/welcome/new", data={"held": held(page)}, headers=OWN
        )
        made = await somebody.client.post(
            "/lti/welcome/new", data={"held": held(page), "consent": "on"}, headers=OWN
        )

    assert 400 == without.status_code
    assert "<pre>consent ·" in without.text
    assert 303 == made.status_code
    assert made.headers["location"].startswith(f"{NOTEBOOK.launch_url}&code=")
    assert "__Host-roster_session=" in made.headers["set-cookie"]
    assert ["Zoë O'Neil-Núñez"] == [row["name"] for row in await tool.rows("person")]


async def test_a_new_account_goes_on_to_the_products_own_page(
    database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    tool = await asking(database, clock, mailbox, registration_url=REGISTER)
    async with tool.browser() as somebody:
        page = await asked(somebody)
        data = {"held": held(page), "consent": "on"}
        made = await somebody.client.post("/lti/welcome/new", data=data, headers=OWN)

    assert made.headers["location"].startswith(f"{REGISTER}&code=")


async def test_the_products_page_is_mailed(
    database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    tool = await asking(database, clock, mailbox, registration_url=REGISTER)
    async with tool.browser() as somebody:
        page = await asked(somebody)
        data = {"held": held(page), "new": "on", "consent": "on", "address": "me@home.example"}
        await somebody.client.post("/lti/welcome/mail", data=data, headers=OWN)
        link = link_in(mailbox, "me@home.example")
        assert [] == await tool.rows("person")
        key = {"key": link.partition("key=")[2]}
        made = await somebody.client.post("/lti/welcome/mailed", data=key, headers=OWN)

    assert made.headers["location"].startswith(f"{REGISTER}&code=")
    assert 1 == len(await tool.rows("person"))


async def test_a_mailed_link_is_good_for_half_an_hour(
    database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    tool = await asking(database, clock, mailbox)
    await known(database, "Zoe", email="zoe@old.example")
    async with tool.browser() as somebody:
        page = await asked(somebody)
        data = {"held": held(page), "address": "zoe@old.example"}
        await somebody.client.post("/lti/welcome/mail", data=data, headers=OWN)
        link = link_in(mailbox, "zoe@old.example")
        clock.forward(minutes=31)
        late = await somebody.client.get(link)

    assert 400 == late.status_code
    assert "<pre>link ·" in late.text


FORGED = {
    "no launch": ({"held": "", "address": "z@x.example", "consent": "on"}, OWN, 400),
    "a made-up launch": ({"held": "AAAA", "address": "z@x.example", "consent": "on"}, OWN, 400),
    "another site's form": ({"consent": "on"}, {"origin": "https://evil.example"}, 403),
    "no origin": ({"consent": "on"}, {}, 403),
}


@pytest.mark.parametrize(("changes", "headers", "status"), FORGED.values(), ids=FORGED)
async def test_forms_of_others_do_nothing(
    database: Database,
    clock: Clock,
    mailbox: Mailbox,
    changes: dict[str, str],
    headers: dict[str, str],
    status: int,
) -> None:
    tool = await asking(database, clock, mailbox)
    async with tool.browser() as somebody:
        page = await asked(somebody)
        data = {"held": held(page), "address": "zoe@old.example", **changes}
        for path in ("/lti/welcome/new", "/lti/welcome/mail"):
            answer = await somebody.client.post(path, data=data, headers=headers)
            assert status == answer.status_code, path

    assert [] == await tool.rows("person") + await tool.sessions()


@pytest.mark.parametrize("address", ["", "zoe", "a@b\nBcc: c@d", "a@b, c@d", "<a@b>"])
async def test_what_is_no_address_is_refused(
    database: Database, clock: Clock, mailbox: Mailbox, address: str
) -> None:
    tool = await asking(database, clock, mailbox)
    async with tool.browser() as somebody:
        page = await asked(somebody)
        data = {"held": held(page), "address": address}
        answer = await somebody.client.post("/lti/welcome/mail", data=data, headers=OWN)

    assert 400 == answer.status_code
    assert "<pre>address ·" in answer.text


async def test_who_is_refused_reads_why(database: Database, clock: Clock) -> None:
    tool = await asking(database, clock, None, unmatched_launch=UnmatchedLaunch.REFUSE)
    async with tool.browser() as somebody:
        answer = await somebody.launch()

    assert 403 == answer.status_code
    assert "the school has to make or to link it first" in answer.text
    assert [] == await tool.rows("person") + await tool.sessions()
