"""What the LTI side of one twin keeps: tools, links, launches under way, registrations, keys."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from joserfc.jwk import OctKey
from starlette.requests import Request

from twin.lti.keys import KeyRing
from twin.lti.scene import Scene
from twin.lti.tools import ResourceLink, Tool
from twin.permissions import account_chain
from twin.records import Account, Course, User
from twin.school import School

LAUNCH_LIFE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One person opening one tool in one place."""

    scene: Scene
    placement: str | None = None
    link: ResourceLink | None = None
    student_id: int | None = None
    """Whose card it is, in the student context card."""


@dataclass(frozen=True, slots=True)
class PendingLaunch:
    """A launch between login initiation and the answer: Canvas has made its claims already."""

    launch: Launch
    claims: dict[str, Any]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a tool registered about itself; its key is off until an administrator says yes."""

    id: int
    developer_key_id: int
    configuration: dict[str, Any]


@dataclass(slots=True)
class Platform:
    school: School
    keys: KeyRing
    tools: dict[int, Tool] = field(default_factory=dict)
    links: dict[str, ResourceLink] = field(default_factory=dict)
    launches: dict[str, PendingLaunch] = field(default_factory=dict)
    registrations: dict[int, Registration] = field(default_factory=dict)
    hint_key: OctKey = field(default_factory=lambda: OctKey.generate_key(256))
    """Signs what only Canvas reads: message hints and registration tokens."""
    _tool_ids: "count[int]" = field(default_factory=lambda: count(1))

    def now(self) -> datetime:
        return self.school.clock.now()

    @property
    def url(self) -> str:
        return self.school.options.public_url

    def next_tool_id(self) -> int:
        return next(self._tool_ids)

    def install(self, tool: Tool) -> Tool:
        self.tools[tool.id] = tool
        return tool

    def visible_in(self, context: Course | Account | User) -> list[Tool]:
        """Tools installed in the context or on its account path, by id."""
        account_id = context.account_id if isinstance(context, Course) else self.school.root.id
        account_id = context.id if isinstance(context, Account) else account_id
        above: Iterable[Course | Account | User] = account_chain(self.school, account_id)
        places = [context, *above]
        return [
            tool
            for tool in self.tools.values()
            if tool.workflow_state == "active" and tool.context in places
        ]

    def keep(self, launch: Launch, claims: dict[str, Any]) -> str:
        """Store the launch, for five minutes; the verifier fetches it once."""
        now = self.now()
        self.launches = {key: kept for key, kept in self.launches.items() if kept.expires_at > now}
        verifier = secrets.token_hex(32)
        self.launches[verifier] = PendingLaunch(launch, claims, now + LAUNCH_LIFE)
        return verifier

    def fetch(self, verifier: str) -> PendingLaunch | None:
        pending = self.launches.pop(verifier, None)
        return pending if pending and pending.expires_at > self.now() else None


def platform_of(request: Request) -> Platform:
    platform: Platform = request.app.state.lti
    return platform
