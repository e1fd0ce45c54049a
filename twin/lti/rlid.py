"""Whom the parameter `rlid` of a roster request selects, and what it adds (fact sheet nrps.md §6)."""

import re
from dataclasses import dataclass

from twin.lti.platform import Platform
from twin.lti.service_access import ServiceError
from twin.lti.tools import ResourceLink, Tool
from twin.records import STUDENT_TYPES, Course, Enrollment

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OPAQUE = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Selection:
    with_message: bool = False
    link: ResourceLink | None = None

    def includes(self, enrollment: Enrollment) -> bool:
        """Of students only those to whom the link's assignment is assigned."""
        assignment = self.link.assignment if self.link else None
        if assignment is None or enrollment.type not in STUDENT_TYPES:
            return True
        return enrollment.user_id in assignment.assigned_user_ids


def selection(platform: Platform, tool: Tool, course: Course, rlid: str | None) -> Selection:
    """Everybody without `rlid`; with the course's own id everybody, each with a message."""
    if rlid is None:
        return Selection()
    if rlid == course.lti_context_id:
        return Selection(with_message=True)
    if not _UUID.fullmatch(rlid) and not _OPAQUE.fullmatch(rlid):
        raise ServiceError(400, "Invalid 'rlid' parameter")
    link = platform.links.get(rlid)
    if link is None or link.course_id != course.id:
        raise ServiceError(400, "Tool does not have access to rlid or rlid does not exist")
    _check(link, tool)
    return Selection(with_message=True, link=link)


def _check(link: ResourceLink, tool: Tool) -> None:
    if link.workflow_state == "deleted":
        raise ServiceError(400, "Requested ResourceLink was not found")
    if link.assignment and link.assignment.submission_types != "external_tool":
        raise ServiceError(400, "Requested assignment not configured for external tool launches")
    if link.content_type != "ContextExternalTool":
        raise ServiceError(400, "Requested ResourceLink has an unexpected content type")
    if link.tool_id != tool.id:
        raise ServiceError(400, "Requested ResourceLink bound to unexpected external tool")
