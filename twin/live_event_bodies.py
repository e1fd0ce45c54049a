"""What Live Events say: their envelope and a body for each kind of row (fact sheet live-events.md §2 to §4)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from twin.causes import Cause, JobCause, RequestCause
from twin.date_states import date_state, effective_dates
from twin.ids import global_id
from twin.records import (
    STUDENT_TYPES,
    Account,
    AccountUser,
    Course,
    Enrollment,
    Pseudonym,
    Section,
    User,
)
from twin.school import SHARD_SIZE, School
from twin.sis_batch import SisBatch

Event = dict[str, Any]
Body = dict[str, Any]


def event(school: School, name: str, body: Body, cause: Cause | None) -> Event:
    now = school.clock.now()
    metadata = {
        "event_name": name,
        "event_time": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        "producer": "canvas",
        "root_account_id": _global(school, school.root.id),
        "root_account_uuid": school.root.uuid,
        "root_account_lti_guid": school.root.lti_guid,
        **_of_cause(school, cause),
    }
    return {"metadata": metadata, "body": body}


def _of_cause(school: School, cause: Cause | None) -> dict[str, Any]:
    """Who acted, which is not whom the event is about."""
    if isinstance(cause, JobCause):
        return {"job_id": str(SHARD_SIZE + school.version), "job_tag": cause.tag}
    if not isinstance(cause, RequestCause):
        return {}
    login = _login(school, cause.actor)
    return {
        "user_id": _global(school, cause.actor.id),
        "user_login": login and login.unique_id,
        "user_sis_id": login and login.sis_user_id,
        "user_account_id": _global(school, school.root.id),
        "request_id": cause.request_id,
        "http_method": cause.method,
        "url": cause.url,
        "user_agent": cause.user_agent,
        "developer_key_id": str(cause.developer_key_id),
    }


def enrollment(school: School, row: Enrollment) -> Body:
    body: Body = {
        "enrollment_id": _global(school, row.id),
        "course_id": _global(school, row.course_id),
        "course_uuid": school.courses[row.course_id].uuid,
        "course_section_id": _global(school, row.section_id),
        "user_id": _global(school, row.user_id),
        "user_uuid": school.users[row.user_id].uuid,
        "user_name": school.users[row.user_id].name,
        "type": row.type,
        "workflow_state": row.workflow_state,
        "limit_privileges_to_course_section": row.limit_privileges_to_course_section,
        "created_at": _time(row.created_at),
        "updated_at": _time(row.updated_at),
    }
    if row.type == "ObserverEnrollment":
        observed = row.associated_user_id
        body["associated_user_id"] = _global(school, observed) if observed else None
    return body


def enrollment_state(school: School, row: Enrollment) -> Body:
    """The state by date, with the time in which it holds."""
    state = date_state(school, row, school.clock.now())
    starts, ends = effective_dates(school, row)
    begun = state not in {"pending_active", "pending_invited"}
    course = school.courses[row.course_id]
    past, future = course.restrict_student_past_view, course.restrict_student_future_view
    closed = (past and state == "completed") or (future and not begun)
    return {
        "enrollment_id": _global(school, row.id),
        "state": state,
        "state_is_current": True,
        "state_started_at": _time(starts if begun else None),
        "state_valid_until": _time(ends if begun else starts),
        "access_is_current": True,
        "restricted_access": closed and row.type in STUDENT_TYPES,
    }


def user(school: School, row: User) -> Body:
    login = _login(school, row)
    return {
        "user_id": _global(school, row.id),
        "uuid": row.uuid,
        "name": row.name,
        "short_name": row.short_name,
        "workflow_state": row.workflow_state,
        "user_login": login and login.unique_id,
        "user_sis_id": login and login.sis_user_id,
        "created_at": _time(row.created_at),
        "updated_at": _time(row.updated_at),
    }


def association(school: School, user_id: int, account: Account, *, is_admin: bool) -> Body:
    now = _time(school.clock.now())
    return {
        "user_id": _global(school, user_id),
        "account_id": _global(school, account.id),
        "account_uuid": account.uuid,
        "is_admin": is_admin,
        "created_at": now,
        "updated_at": now,
    }


def course(school: School, row: Course) -> Body:
    return {
        "course_id": _global(school, row.id),
        "account_id": _global(school, row.account_id),
        "uuid": row.uuid,
        "name": row.name,
        "workflow_state": row.workflow_state,
        "created_at": _time(row.created_at),
        "updated_at": _time(row.updated_at),
    }


def section(school: School, row: Section) -> Body:
    """Local ids, unlike those of every other row."""
    original = row.nonxlist_course_id
    return {
        "course_section_id": _local(row.id),
        "course_id": _local(row.course_id),
        "enrollment_term_id": _local(school.courses[row.course_id].term_id),
        "nonxlist_course_id": _local(original) if original else None,
        "root_account_id": _local(school.root.id),
        "sis_batch_id": _local(row.sis_batch_id) if row.sis_batch_id else None,
        "sis_source_id": row.sis_source_id,
        "integration_id": row.integration_id,
        "name": row.name,
        "workflow_state": row.workflow_state,
        "start_at": _time(row.start_at),
        "end_at": _time(row.end_at),
        "default_section": row.default_section,
        "accepting_enrollments": True,
        "can_manually_enroll": None,
        "restrict_enrollments_to_section_dates": row.restrict_enrollments_to_section_dates,
        "stuck_sis_fields": sorted(row.stuck),
    }


def sis_batch(batch: SisBatch) -> Body:
    """Local ids, as in section events."""
    return {
        "sis_batch_id": _local(batch.id),
        "account_id": _local(batch.account_id),
        "workflow_state": batch.workflow_state,
    }


# Rows with a body of their own; the fields whose change makes an event are those that it shows.
BODIES: Mapping[type, tuple[str, Callable[[School, Any], Body], frozenset[str]]] = {
    Enrollment: (
        "enrollment",
        enrollment,
        frozenset({
            "user_id", "course_id", "section_id", "type", "workflow_state",
            "limit_privileges_to_course_section", "associated_user_id",
        }),
    ),
    User: ("user", user, frozenset({"uuid", "name", "short_name", "workflow_state"})),
    Course: ("course", course, frozenset({"account_id", "uuid", "name", "workflow_state"})),
    Section: (
        "course_section",
        section,
        frozenset({
            "course_id", "nonxlist_course_id", "sis_batch_id", "sis_source_id", "integration_id",
            "name", "workflow_state", "start_at", "end_at", "default_section", "stuck",
            "restrict_enrollments_to_section_dates",
        }),
    ),
}  # fmt: skip


def new_association(school: School, row: object) -> Body | None:
    """That a person belongs to an account from now on, if this new row is the first reason."""
    if isinstance(row, Pseudonym):
        others = school.pseudonyms_of_user.of(row.user_id)
        account, is_admin = school.accounts[row.account_id], False
        known = any(other is not row for other in others)
    elif isinstance(row, AccountUser):
        account, is_admin = school.accounts[row.account_id], True
        known = any(
            other is not row and other.account_id == row.account_id
            for other in school.admins_of_user.of(row.user_id)
        )
    elif isinstance(row, Enrollment):
        account, is_admin = school.accounts[school.courses[row.course_id].account_id], False
        known = any(
            other is not row and school.courses[other.course_id].account_id == account.id
            for other in school.enrollments_of_user.of(row.user_id)
        )
    else:
        return None
    return None if known else association(school, row.user_id, account, is_admin=is_admin)


def _login(school: School, row: User) -> Pseudonym | None:
    logins = school.pseudonyms_of_user.of(row.id)
    alive = (login for login in logins if login.workflow_state == "active")
    return min(alive, key=lambda login: login.position, default=None)


def _global(school: School, row_id: int) -> str:
    return str(global_id(school, row_id))


def _local(row_id: int) -> str:
    return str(row_id % SHARD_SIZE)


def _time(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"
