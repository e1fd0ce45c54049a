"""Installed tools, their placements, and the links that teachers made to them (fact sheet lti-launch.md §3.4 and §9)."""

import re
from dataclasses import dataclass, field
from typing import Literal

from twin.records import Account, Course

Custom = dict[str, str]
PrivacyLevel = Literal["anonymous", "name_only", "email_only", "public"]
PRIVACY_LEVELS: tuple[PrivacyLevel, ...] = ("anonymous", "name_only", "email_only", "public")

COURSE_NAVIGATION = "course_navigation"
ACCOUNT_NAVIGATION = "account_navigation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where in Canvas a tool shows, and what it overrides there."""

    name: str
    text: str | None = None
    target_link_uri: str | None = None
    custom_fields: Custom = field(default_factory=dict)
    enabled: bool = True
    visibility: Literal["admins", "members", "public"] = "public"
    root_account_only: bool = False
    width: int | None = None
    height: int | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Tool:
    """One installation of a tool in an account or a course: one deployment."""

    id: int
    name: str
    context: Account | Course
    url: str
    privacy_level: PrivacyLevel = "public"
    developer_key_id: int | None = None  # LTI 1.3; None is an LTI 1.1 tool
    initiation_url: str = ""
    consumer_key: str = ""
    secret: str = ""
    custom_fields: Custom = field(default_factory=dict)
    placements: dict[str, Placement] = field(default_factory=dict)
    prefer_sis_email: bool = False
    workflow_state: Literal["active", "deleted"] = "active"

    @property
    def deployment_id(self) -> str:
        return f"{self.id}:{self.context.lti_context_id}"[:255]

    @property
    def is_lti13(self) -> bool:
        return self.developer_key_id is not None

    def launch_url(self, placement: str | None) -> str:
        shown = self.placements.get(placement or "")
        return (shown and shown.target_link_uri) or self.url

    def custom_for(self, placement: str | None, link: "ResourceLink | None" = None) -> Custom:
        """The custom fields of one launch: the placement's over the tool's, the link's over both."""
        shown = self.placements.get(placement or "")
        return {
            **self.custom_fields,
            **(shown.custom_fields if shown else {}),
            **(link.custom_fields if link else {}),
        }


@dataclass(slots=True, kw_only=True, eq=False)
class Assignment:
    """An assignment, as far as a roster by `rlid` asks: who has a submission record for it."""

    id: int
    course_id: int
    title: str
    assigned_user_ids: frozenset[int] = frozenset()
    submission_types: str = "external_tool"
    points_possible: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False)
class ResourceLink:
    """A link to a tool in a course's content, or behind an assignment."""

    uuid: str
    lti11_id: str
    course_id: int
    tool_id: int
    title: str
    description: str | None = None
    url: str | None = None
    custom_fields: Custom = field(default_factory=dict)
    assignment: Assignment | None = None
    content_type: str = "ContextExternalTool"
    workflow_state: Literal["active", "deleted"] = "active"


def v11_name(name: str) -> str:
    """How a custom field is called in a 1.1 body."""
    cleaned = re.sub(r"\W", "_", name, flags=re.ASCII).lower()
    return cleaned if cleaned.startswith("custom_") else f"custom_{cleaned}"
