"""Sections, their people, and cross-listing: fact sheet roster-rest.md section 6."""

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import changes, errors, making
from twin.call import Call, api, iso
from twin.paging import ordinal
from twin.params import Params
from twin.permissions import ROSTER_RIGHTS, course_rights, root_rights
from twin.records import Course, Section
from twin.rest.course_people import (
    by_role,
    demand_roster,
    grouped,
    has_accepted,
    ordered,
    searched,
    visible,
)
from twin.rest.paths import course_in_path, section_in_path
from twin.rest.render import user_json

INCLUDES = ("students", "avatar_url", "enrollments", "total_students", "user_count", "permissions")
SIS_FIELDS = {"sis_section_id": "sis_source_id", "integration_id": "integration_id"}


def list_sections(call: Call) -> Response:
    course = course_in_path(call)
    includes = _readable(call, course)
    term = call.params.text("search_term")
    if term is not None and len(term) < 2:
        raise errors.short_search_term()
    rows = [
        section
        for section in call.school.sections_of_course.of(course.id)
        if section.workflow_state == "active"
        and (term is None or term.casefold() in section.name.casefold())
    ]
    rows.sort(key=lambda section: (section.name.casefold(), section.id))
    if call.params.flag("all"):
        return call.json([section_json(call, row, includes) for row in rows])
    return ordinal(call, rows, lambda row: section_json(call, row, includes))


def show_section(call: Call) -> Response:
    section = section_in_path(call, "id")
    if "course_id" in call.path and course_in_path(call).id != section.course_id:
        raise errors.NotFound
    includes = _readable(call, call.school.courses[section.course_id])
    return call.json(section_json(call, section, includes))


def _readable(call: Call, course: Course) -> frozenset[str]:
    """The includes; without a roster right they are dropped and nothing is said."""
    rights = course_rights(call.school, call.user, course)
    if not rights & (ROSTER_RIGHTS | {"read"}):
        raise errors.Unauthorized
    return call.chosen(*INCLUDES) if rights & ROSTER_RIGHTS else frozenset()


def section_json(
    call: Call, section: Section, includes: frozenset[str] = frozenset()
) -> dict[str, Any]:
    school = call.school
    course = school.courses[section.course_id]
    data: dict[str, Any] = {
        "id": section.id,
        "name": section.name,
        "course_id": section.course_id,
        "nonxlist_course_id": section.nonxlist_course_id,
        "start_at": iso(section.start_at),
        "end_at": iso(section.end_at),
        "restrict_enrollments_to_section_dates": section.restrict_enrollments_to_section_dates,
        "created_at": iso(section.created_at),
    }
    manages = "manage_sis" in root_rights(school, call.user)
    if manages or "read_sis" in course_rights(school, call.user, course):
        data["sis_section_id"] = section.sis_source_id
        data["sis_course_id"] = course.sis_source_id
        data["integration_id"] = section.integration_id
    if manages:
        data["sis_import_id"] = section.sis_batch_id
    return data | _included(call, section, course, includes)


def _included(
    call: Call, section: Section, course: Course, includes: frozenset[str]
) -> dict[str, Any]:
    data: dict[str, Any] = {}
    rows = [
        row
        for row in call.school.enrollments_of_section.of(section.id)
        if row.workflow_state != "deleted"
    ]
    if includes & {"total_students", "user_count"}:
        students = {
            row.user_id
            for row in rows
            if row.type == "StudentEnrollment" and row.workflow_state in {"active", "invited"}
        }
        if "total_students" in includes:
            data["total_students"] = len(students)
        if "user_count" in includes:
            data["user_count"] = len({row.user_id for row in rows})
    if "students" in includes:
        pupils = grouped(call, [row for row in rows if row.type == "StudentEnrollment"])
        asks = includes & {"avatar_url"}
        shown = [user_json(call, user, course, asks=asks) for user in ordered(call, pupils)]
        data["students"] = shown or None
    return data


def list_users(call: Call) -> Response:
    section = section_in_path(call, "id")
    course = call.school.courses[section.course_id]
    rights = demand_roster(call, course)
    hidden = {"rejected", "completed"}
    if call.params.flag("exclude_inactive"):
        hidden.add("inactive")
    rows = [
        row
        for row in visible(call, course, rights)
        if row.section_id == section.id and row.workflow_state not in hidden
    ]
    people = searched(call, grouped(call, by_role(call, rows)), rights)
    asks = call.chosen("avatar_url")
    return ordinal(
        call,
        ordered(call, people),
        lambda user: user_json(call, user, course, asks=asks, accepted=has_accepted(people[user])),
    )


def create_section(call: Call) -> Response:
    """SIS ids are ignored without `manage_sis`."""
    course = course_in_path(call)
    _demand_management(call, course)
    form = call.params.group("course_section")
    fields = _fields(form)
    if "manage_sis" in root_rights(call.school, call.user):
        fields |= _sis_fields(form)
    name = fields.pop("name", None) or course.name
    return call.json(section_json(call, making.make_section(call.school, course, name, **fields)))


def update_section(call: Call) -> Response:
    """SIS ids without `manage_sis` refuse the whole change."""
    section = section_in_path(call, "id")
    _demand_management(call, call.school.courses[section.course_id])
    form = call.params.group("course_section")
    fields = _fields(form)
    if sis_fields := _sis_fields(form):
        if "manage_sis" not in root_rights(call.school, call.user):
            text = "You must have manage_sis permission to update sis attributes"
            raise errors.CanvasError(401, {"message": text})
        fields |= sis_fields
    stuck = section.stuck | fields.keys()
    call.school.update(section, **fields, **({"stuck": stuck} if fields else {}))
    return call.json(section_json(call, section))


def _fields(form: Params) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if form.text("name"):
        fields["name"] = form.text("name")
    for name in ("start_at", "end_at"):
        if name in form:
            fields[name] = form.time(name)
    restrict = "restrict_enrollments_to_section_dates"
    if restrict in form:
        fields[restrict] = form.flag(restrict)
    return fields


def _sis_fields(form: Params) -> dict[str, Any]:
    return {field: form.text(name) or None for name, field in SIS_FIELDS.items() if name in form}


def delete_section(call: Call) -> Response:
    section = section_in_path(call, "id")
    _demand_management(call, call.school.courses[section.course_id])
    rows = call.school.enrollments_of_section.of(section.id)
    if any(row.workflow_state not in {"deleted", "rejected"} for row in rows):
        raise errors.message("You can't delete a section that has enrollments")
    changes.delete_section(call.school, section)
    return call.json(section_json(call, section))


def crosslist(call: Call) -> Response:
    section = section_in_path(call, "id")
    course = course_in_path(call, "new_course_id")
    _demand_management(call, call.school.courses[section.course_id])
    _demand_management(call, course)
    changes.crosslist(call.school, section, course)
    return call.json(section_json(call, section))


def uncrosslist(call: Call) -> Response:
    section = section_in_path(call, "id")
    _demand_management(call, call.school.courses[section.course_id])
    if section.nonxlist_course_id is None:
        raise errors.message("section is not cross-listed")
    changes.uncrosslist(call.school, section)
    return call.json(section_json(call, section))


def _demand_management(call: Call, course: Course) -> None:
    """Who may add and change sections: Canvas asks `manage_sections` of its roles."""
    demand_roster(call, course, "manage_courses", "allow_course_admin_actions")


routes: list[BaseRoute] = [
    api("GET", "/api/v1/courses/{course_id}/sections", list_sections),
    api("POST", "/api/v1/courses/{course_id}/sections", create_section),
    api("GET", "/api/v1/courses/{course_id}/sections/{id}", show_section),
    api("GET", "/api/v1/sections/{id}", show_section),
    api("PUT", "/api/v1/sections/{id}", update_section),
    api("DELETE", "/api/v1/sections/{id}", delete_section),
    api("GET", "/api/v1/sections/{id}/users", list_users),
    api("POST", "/api/v1/sections/{id}/crosslist/{new_course_id}", crosslist),
    api("DELETE", "/api/v1/sections/{id}/crosslist", uncrosslist),
]
