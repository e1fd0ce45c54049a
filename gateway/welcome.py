"""Somebody whom a launch brought and nobody here knows says who they are: an account they have, or a new one.

That an account is theirs they prove by its mailbox: a link is mailed to the address that the account has, and asks there once
more, so that no program that follows links in mails decides. Whether an address has an account is told to nobody.
"""

import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway import mail
from gateway.console.pages import page
from gateway.errors import LaunchRefused, MailNotSent
from gateway.lti import forms
from gateway.lti.launches import Launches
from gateway.lti.routes import refusing, resume
from gateway.lti.strangers import LIFE, Held, Stranger, let_go
from gateway.settings import Institution
from gateway.store import institutions, mailed_links
from gateway.store.mailed_links import MailedLink

_log = logging.getLogger(__name__)
_ADDRESS = re.compile(r"""[^@\s<>,;:"()\[\]\\]{1,64}@[^@\s<>,;:"()\[\]\\]{1,190}""")


@dataclass(frozen=True, kw_only=True)
class _Visit:
    """A form of ours, with the launch that it holds."""

    launches: Launches
    fields: Mapping[str, str]
    unverified_held: str
    held: Held
    school: Institution

    @property
    def address(self) -> str:
        address = self.fields.get("address", "").strip()
        if not _ADDRESS.fullmatch(address):
            raise LaunchRefused("address", f"{address!r} is no e-mail address.")
        return address

    def require_consent(self) -> None:
        if self.school.consent_text and self.fields.get("consent") != "on":
            raise LaunchRefused(
                "consent",
                "Nobody is made an account without their consent: go back, and tick the box.",
            )


async def ask(request: Request, stranger: Stranger) -> Response:
    """The page in the place of the tool. It lets nobody in, so it is no good answer to the launch."""
    launches: Launches = request.state.launches
    school = _school(launches, stranger.institution_slug)
    return page(
        "stranger",
        status=403,
        framed_by=[*_platforms(school), stranger.platform_page],
        leads_to=_products(launches, school),
        who=None,
        title="Who are you?",
        held=stranger.held,
        called=stranger.name,
        address=stranger.email,
        mails=launches.settings.server.mail is not None,
        registers=bool(school.registration_url),
        consent=school.consent_text,
    )


@refusing
async def new(request: Request) -> Response:
    """A new account; where the host product makes its own, its page comes next, with the launch's code."""
    visit = await _visit(request)
    visit.require_consent()
    landing = visit.school.registration_url or None
    return await resume(request, visit.unverified_held, person=None, landing=landing)


@refusing
async def mail_link(request: Request) -> Response:
    """A link to the account that has this address, or (`new`) to a new one; the answer is the same in any case."""
    visit = await _visit(request)
    launches, wants_new = visit.launches, "new" in visit.fields
    if wants_new:
        visit.require_consent()
    institution = await institutions.by_slug(launches.database, visit.school.slug)
    if institution is None:
        raise LaunchRefused("held", "This school is not known here any more.")
    person = await mailed_links.person_with_address(
        launches.database, institution.id, visit.address
    )
    key = secrets.token_urlsafe(32)
    sends = (wants_new or person is not None) and await mailed_links.make(
        launches.database,
        MailedLink(
            institution_id=institution.id,
            person_id=None if wants_new else person,
            held=visit.unverified_held,
        ),
        key=key,
        address=visit.address,
        now=launches.clock(),
        expires_at=visit.held.until,
    )
    answer = page(
        "mailed",
        framed_by=[*_platforms(visit.school), visit.held.launch.return_url],
        who=None,
        title="Look into your mailbox",
        address=visit.address,
        new=wants_new,
    )
    if sends:
        answer.background = BackgroundTask(_send, visit, key, new=wants_new)
    return answer


async def _send(visit: _Visit, key: str, *, new: bool) -> None:
    """After the answer, whose time would else tell whether there is such an account."""
    settings = visit.launches.settings.server.mail
    if settings is None:
        return
    minutes = int(LIFE.total_seconds() // 60)
    what = "make you an account" if new else "link it to your account here"
    text = (
        f"{_called(visit.held)} was launched from the platform of your school ({visit.school.slug}), and asks to {what}.\n\n"
        f"If that is you, open this page within {minutes} minutes and confirm it there:\n\n"
        f"{visit.launches.public_url}/lti/welcome/mailed?key={key}\n\n"
        "If it is not you, do nothing: without your confirmation nothing happens.\n"
    )
    subject = "Make an account" if new else "Link your account"
    try:
        await mail.send(settings, to=visit.address, subject=subject, text=text)
    except MailNotSent as error:
        _log.error("mail not sent", extra={"fields": {"reason": str(error)}})


@refusing
async def mailed(request: Request) -> Response:
    """What the link in a mail opens: a question, since programs follow links, and an answer, which is posted."""
    launches: Launches = request.state.launches
    fields = await forms.single(request)
    key, now = fields.get("key", ""), launches.clock()
    posted = request.method == "POST"
    if posted:
        _own_page(launches, request)
    link = await (mailed_links.take if posted else mailed_links.find)(launches.database, key, now)
    if link is None:
        raise LaunchRefused(
            "link", "This link is over: it was used, or is older than half an hour. Launch again."
        )
    held = let_go(launches.seal, link.held, now)
    school = _school(launches, held.institution)
    if posted:
        landing = school.registration_url if link.person_id is None else ""
        return await resume(request, link.held, person=link.person_id, landing=landing or None)
    account = None
    if link.person_id is not None:
        account = await mailed_links.name_of(launches.database, link.institution_id, link.person_id)
    return page(
        "confirm",
        framed_by=(),
        leads_to=_products(launches, school),
        who=None,
        title="Is this you?",
        key=key,
        new=link.person_id is None,
        called=_called(held),
        account=account or "your account",
        course=held.launch.course.get("name"),
    )


async def _visit(request: Request) -> _Visit:
    launches: Launches = request.state.launches
    _own_page(launches, request)
    fields = await forms.single(request)
    unverified_held = fields.get("held", "")
    held = let_go(launches.seal, unverified_held, launches.clock())
    school = _school(launches, held.institution)
    return _Visit(
        launches=launches,
        fields=fields,
        unverified_held=unverified_held,
        held=held,
        school=school,
    )


def _own_page(launches: Launches, request: Request) -> None:
    if not launches.is_own_page(request):
        raise LaunchRefused("origin", "This form does not come from the gateway.", status=403)


def _school(launches: Launches, slug: str) -> Institution:
    school = launches.settings.institution(slug)
    if school is None:
        raise LaunchRefused("held", "This school is not known here any more.")
    return school


def _platforms(school: Institution) -> list[str | None]:
    return [school.canvas_url, *(one.auth_url for one in school.lti13)]


def _products(launches: Launches, school: Institution) -> list[str | None]:
    """Where somebody goes on to: a browser holds a form's redirects to its page's policy too."""
    return [school.registration_url, *(host.launch_url for host in launches.settings.hosts)]


def _called(held: Held) -> str:
    """Who was launched, as the platform says; a line of its own words cannot break out of the mail's."""
    told = held.launch.person
    named = [" ".join(str(told[key]).split())[:200] for key in ("name", "email") if key in told]
    return f"{named[0]} ({named[1]})" if len(named) == 2 else "".join(named) or "Somebody"


routes: list[BaseRoute] = [
    Route("/lti/welcome/new", new, methods=["POST"]),
    Route("/lti/welcome/mail", mail_link, methods=["POST"]),
    Route("/lti/welcome/mailed", mailed, methods=["GET", "POST"]),
]
ADDRESSES = tuple(route.path for route in routes if isinstance(route, Route))
