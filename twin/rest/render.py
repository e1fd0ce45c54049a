"""Users and logins as JSON: keys come and go with the caller's permissions.

Fact sheet roster-rest.md sections 7.2 and 8. Absent means "you may not know", null "known to be
empty".
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from twin.call import Call, iso
from twin.permissions import account_rights, course_rights, is_admin_somewhere, root_rights
from twin.records import Account, Course, Enrollment, Pseudonym, User
from twin.school import School

LIST_INCLUDES = ("avatar_url", "group_ids", "uuid", "email")
"""What the enrollment lists know of a user's includes."""


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """What one caller may see of people in one course or account."""

    admin_like: bool
    sis_ids: bool
    sis_imports: bool
    logins: bool
    emails: bool


def viewpoint(call: Call, context: Course | Account) -> Viewpoint:
    """Worked out once for a call and context."""
    if context not in call.kept:
        call.kept[context] = _viewpoint(call, context)
    seen: Viewpoint = call.kept[context]
    return seen


def _viewpoint(call: Call, context: Course | Account) -> Viewpoint:
    school, user = call.school, call.user
    if isinstance(context, Course):
        rights = course_rights(school, user, context)
    else:
        rights = account_rights(school, user, context)
    manage_sis = "manage_sis" in root_rights(school, user)
    like_admins = {"manage_students", "read_sis", "view_user_logins"}
    return Viewpoint(
        admin_like=manage_sis or bool(rights & like_admins) or is_admin_somewhere(school, user),
        sis_ids=manage_sis or "read_sis" in rights,
        sis_imports=manage_sis,
        logins="view_user_logins" in rights,
        emails="read_email_addresses" in rights,
    )


def login_of(school: School, user: User, enrollment: Enrollment | None = None) -> Pseudonym | None:
    """The one login that Canvas picks: the enrollment's own, else one with a SIS id, else any."""
    logins = [
        login
        for login in school.pseudonyms_of_user.of(user.id)
        if login.workflow_state != "deleted"
    ]
    if enrollment is not None and enrollment.sis_pseudonym_id is not None:
        for login in logins:
            if login.id == enrollment.sis_pseudonym_id:
                return login
    return min(
        logins,
        key=lambda login: (login.workflow_state != "active", not login.sis_user_id, login.position),
        default=None,
    )


def email_of(school: School, user: User) -> str | None:
    """The first living address."""
    addresses = [
        channel
        for channel in school.channels_of_user.of(user.id)
        if channel.path_type == "email" and channel.workflow_state != "retired"
    ]
    first = min(addresses, key=lambda channel: (channel.position, channel.id), default=None)
    return None if first is None else first.path


def user_json(
    call: Call,
    user: User,
    context: Course | Account,
    *,
    enrollment: Enrollment | None = None,
    asks: AbstractSet[str] | None = None,
    accepted: bool = True,
) -> dict[str, Any]:
    """The user object; `asks` is what endpoint and include want beyond the bare one.

    People who have not `accepted` keep their login, e-mail and the like to themselves.
    """
    asks = call.chosen(*LIST_INCLUDES) if asks is None else asks
    view = viewpoint(call, context)
    login = login_of(call.school, user, enrollment)
    data: dict[str, Any] = {
        "id": user.id,
        "name": user.name,
        "created_at": zoned(call, user.created_at),
        "sortable_name": user.sortable_name,
        "short_name": user.short_name,
    }
    if view.sis_ids and (view.admin_like or "sis_user_id" in asks):
        data["sis_user_id"] = login.sis_user_id if login else None
        data["integration_id"] = login.integration_id if login else None
    if view.admin_like and accepted:
        if view.sis_imports:
            data["sis_import_id"] = login.sis_batch_id if login else None
        if view.logins and login is not None:
            data["login_id"] = login.unique_id
    if "email" in asks and view.emails and accepted:
        data["email"] = email_of(call.school, user)
    if user.pronouns:
        data["pronouns"] = user.pronouns
    return data | _asked(call, user, asks, accepted=accepted)


def _asked(call: Call, user: User, asks: AbstractSet[str], *, accepted: bool) -> dict[str, Any]:
    values: dict[str, Any] = {
        "avatar_url": avatar_url(call, user),
        "locale": user.locale,
        "time_zone": user.time_zone,
        "last_login": zoned(call, user.last_login),
        "uuid": user.uuid,
        "group_ids": [],
        "lti_id": user.lti_id,
        "title": None,
        "custom_links": [],
    }
    data = {key: value for key, value in values.items() if key in asks}
    if "bio" in asks and accepted:
        data["bio"] = user.bio
    return data


def avatar_url(call: Call, user: User) -> str:
    return user.avatar_url or f"{call.origin}/images/messages/avatar-50.png"


def zoned(call: Call, time: datetime | None) -> str | None:
    """With the caller's offset, as a user's own times go out (transport.md 5)."""
    if time is None or call.user.time_zone is None:
        return iso(time)
    try:
        zone = ZoneInfo(call.user.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return iso(time)
    return time.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z")


def login_json(call: Call, login: Pseudonym) -> dict[str, Any]:
    """A login; without SIS rights on its account the SIS keys are absent (roster-rest.md 8.3)."""
    school = call.school
    data: dict[str, Any] = {
        "account_id": login.account_id,
        "id": login.id,
        "unique_id": login.unique_id,
        "user_id": login.user_id,
        "authentication_provider_id": login.authentication_provider_id,
        "workflow_state": login.workflow_state,
        "declared_user_type": login.declared_user_type,
        "created_at": iso(login.created_at),
    }
    if viewpoint(call, school.accounts[login.account_id]).sis_ids:
        data["sis_user_id"] = login.sis_user_id
        data["integration_id"] = login.integration_id
    if login.authentication_provider_id is not None:
        provider = school.providers[login.authentication_provider_id]
        data["authentication_provider_type"] = provider.type
    return data


def short_user_json(call: Call, user: User) -> dict[str, Any]:
    """The teachers in a course object."""
    return {
        "id": user.id,
        "anonymous_id": base36(user.id),
        "display_name": user.short_name,
        "avatar_image_url": avatar_url(call, user),
        "html_url": f"{call.origin}/users/{user.id}",
        "pronouns": user.pronouns,
    }


def base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"
