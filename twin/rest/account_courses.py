"""All courses of an account and the accounts below: fact sheet roster-rest.md section 5.1."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors, ids
from twin.call import Call, api
from twin.paging import ordinal
from twin.params import parse_time
from twin.permissions import account_rights
from twin.records import Account, Course
from twin.rest.accounts import account_tree, courses_below, demand
from twin.rest.course_json import course_json, is_concluded
from twin.rest.courses import STATE_WORDS, TYPE_WORDS
from twin.rest.paths import account_in_path

INCLUDES = (
    "syllabus_body",
    "term",
    "storage_quota_used_mb",
    "total_students",
    "teachers",
    "account_name",
    "concluded",
    "post_manually",
)
Test = Callable[[Course], bool]


def list_courses(call: Call) -> Response:
    account = account_in_path(call)
    demand(call, account, "read_course_list")
    tests = [*_plain_tests(call), *_people_tests(call), *_search_tests(call, account)]
    courses = [
        course
        for course in courses_below(call.school, account)
        if all(test(course) for test in tests)
    ]
    includes = call.chosen(*INCLUDES)
    return ordinal(
        call,
        _ordered(call, courses),
        lambda course: course_json(call, course, includes),
        counted=False,
    )


def _plain_tests(call: Call) -> list[Test]:
    params = call.params
    words = params.texts_or_text("state")
    states = set().union(*(STATE_WORDS.get(word, ()) for word in words))
    everything = "all" in words
    tests: list[Test] = [
        lambda course: (
            everything
            or (course.workflow_state in states if words else course.workflow_state != "deleted")
        )
    ]
    if "published" in params:
        published = params.flag("published")
        tests.append(lambda course: (course.workflow_state == "available") == published)
    if "completed" in params:
        completed = params.flag("completed")
        tests.append(lambda course: is_concluded(call, course) == completed)
    for name, field in (
        ("blueprint", "blueprint"),
        ("public", "is_public"),
        ("homeroom", "homeroom"),
    ):
        if name in params:
            tests.append(_is(field, params.flag(name)))
    if text := params.text("enrollment_term_id"):
        term = ids.found(ids.find_term(call.school, text))
        tests.append(lambda course: course.term_id == term.id)
    return tests + _date_tests(call)


def _is(field: str, wanted: bool) -> Test:  # noqa: FBT001  the value asked for
    return lambda course: getattr(course, field) == wanted


def _date_tests(call: Call) -> list[Test]:
    """Inclusive; a course without any date also matches."""
    tests: list[Test] = []
    terms = call.school.terms
    if (before := parse_time(call.params.text("starts_before"))) is not None:
        tests.append(
            lambda course: (
                (start := course.start_at or terms[course.term_id].start_at) is None
                or start <= before
            )
        )
    if (after := parse_time(call.params.text("ends_after"))) is not None:
        tests.append(
            lambda course: (
                (end := course.end_at or terms[course.term_id].end_at) is None or end >= after
            )
        )
    return tests


def _people_tests(call: Call) -> list[Test]:
    params, school = call.params, call.school
    tests: list[Test] = []

    def peopled(course: Course) -> bool:
        return any(
            row.workflow_state != "deleted" for row in school.enrollments_of_course.of(course.id)
        )

    if "hide_enrollmentless_courses" in params:
        tests.append(peopled)
    if "with_enrollments" in params:
        wanted = params.flag("with_enrollments")
        tests.append(lambda course: peopled(course) == wanted)
    kinds = {TYPE_WORDS.get(word, "") for word in _array(call, "enrollment_type")}
    states = set(_array(call, "enrollment_workflow_state"))
    if kinds or states:
        tests.append(
            lambda course: any(
                (not kinds or row.type in kinds)
                and (row.workflow_state in states if states else row.workflow_state != "deleted")
                for row in school.enrollments_of_course.of(course.id)
            )
        )
    if texts := _array(call, "by_teachers"):
        teachers = {
            user.id
            for text in texts
            if (user := ids.find_user(school, text, call.user)) is not None
        }
        tests.append(lambda course: bool(teachers & _teachers(call, course)))
    return tests


def _teachers(call: Call, course: Course) -> set[int]:
    return {
        row.user_id
        for row in call.school.enrollments_of_course.of(course.id)
        if row.type == "TeacherEnrollment" and row.workflow_state in {"active", "completed"}
    }


def _search_tests(call: Call, account: Account) -> list[Test]:
    params, school = call.params, call.school
    tests: list[Test] = []
    if texts := _array(call, "by_subaccounts"):
        below = {
            row.id
            for text in texts
            if (found := ids.find_account(school, text)) is not None
            for row in account_tree(school, found)
        }
        tests.append(lambda course: course.account_id in below)
    term = params.text("search_term")
    if term:
        if len(term) < 2:
            raise errors.short_search_term()
        tests.append(_matches(call, account, term.casefold()))
    return tests


def _matches(call: Call, account: Account, term: str) -> Test:
    school = call.school
    if call.params.text("search_by") == "teacher":
        return lambda course: any(
            term in school.users[user_id].name.casefold() for user_id in _teachers(call, course)
        )
    sees_sis = "read_sis" in account_rights(school, call.user, account)

    def test(course: Course) -> bool:
        texts = [course.name, course.course_code]
        if sees_sis and course.sis_source_id:
            texts.append(course.sis_source_id)
        return str(course.id) == term or any(term in text.casefold() for text in texts)

    return test


def _array(call: Call, name: str) -> list[str]:
    """A parameter that must be an array."""
    if name in call.params and call.params.text(name) is not None:
        raise errors.BadRequest
    return call.params.texts(name)


def _ordered(call: Call, courses: list[Course]) -> list[Course]:
    """By id, or by `sort` and then `order`, which means nothing without it."""
    school = call.school
    keys: dict[str, Callable[[Course], Any]] = {
        "course_status": lambda course: course.workflow_state,
        "course_name": lambda course: course.name.casefold(),
        "sis_course_id": lambda course: course.sis_source_id or "",
        "teacher": lambda course: min(
            (school.users[user_id].sortable_name for user_id in _teachers(call, course)), default=""
        ),
        "account_name": lambda course: school.accounts[course.account_id].name.casefold(),
        "subaccount": lambda course: school.accounts[course.account_id].name.casefold(),
        "term": lambda course: school.terms[course.term_id].name.casefold(),
    }
    key = keys.get(call.params.text("sort") or "")
    if key is None:
        return courses
    return sorted(courses, key=key, reverse=call.params.text("order") == "desc")


routes: list[BaseRoute] = [
    api("GET", "/api/v1/accounts/{account_id}/courses", list_courses),
]
