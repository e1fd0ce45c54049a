"""Substitution variables (fact sheet lti-launch.md §5)."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.twin.browser import tool11, tool13
from tests.twin.conftest import MakeTwin, Twin
from twin.lti.people import Context
from twin.lti.scene import Scene
from twin.lti.substitution import expand
from twin.lti.variables import VARIABLES
from twin.making import make_admin, make_email
from twin.roles import role_id


def scene(twin: Twin, person: str | None, context: Context, **fields: Any) -> Scene:
    user = twin.cast.people[person] if person else None
    return Scene(twin.school, tool13(twin), context, user, **fields)


def value(twin: Twin, name: str, person: str | None, context: Context | None = None) -> Any:
    place = context or twin.cast.courses["demo"]
    return expand(scene(twin, person, place), {"x": f"${name}"}, v13=True)["x"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Canvas.user.loginId", "zoneil"),
        ("User.username", "zoneil"),
        ("Canvas.user.sisSourceId", "000123"),
        ("Person.sourcedId", "000123"),
        ("Canvas.user.sisIntegrationId", None),
        ("Person.email.primary", "zoneil@school.example.edu"),
        ("Person.name.full", "Zoë Neil"),
        ("Person.name.given", "Zoë"),
        ("Person.name.family", "Neil"),
        ("Person.name.display", "Zoë Neil"),
        ("com.instructure.Person.name_sortable", "Neil, Zoë"),
        ("com.instructure.User.student_view", False),
        ("Canvas.course.name", "Computer Science 101"),
        ("Canvas.course.workflowState", "available"),
        ("Canvas.enrollment.enrollmentState", "active"),
        ("Canvas.membership.roles", "StudentEnrollment"),
        ("Canvas.membership.concludedRoles", ""),
        ("Canvas.account.name", "Computer Science"),
        ("Canvas.account.sisSourceId", "0042"),
        ("Canvas.rootAccount.id", "1"),
        ("Canvas.root_account.global_id", "10000000000001"),
        ("Canvas.shard.id", "1"),
        ("Canvas.api.domain", "canvas.test"),
        ("Canvas.api.baseUrl", "http://canvas.test"),
        ("Canvas.user.isRootAccountAdmin", False),
        ("Canvas.user.adminableAccounts", ""),
        ("Canvas.externalTool.global_id", "10000000000001"),
        ("Canvas.group.contextIds", ""),
        ("Canvas.course.sectionRestricted", False),
        ("Canvas.masqueradingUser.id", "$Canvas.masqueradingUser.id"),
        ("Canvas.rootAccount.global_id", "$Canvas.rootAccount.global_id"),
        ("Canvas.user.sisid", "$Canvas.user.sisid"),
        ("Canvas.course.startAt", None),
    ],
)
def test_value_for_a_student_in_a_course(twin: Twin, name: str, expected: Any) -> None:
    assert value(twin, name, "student") == expected


def test_three_names_give_the_sis_id_of_the_course(twin: Twin) -> None:
    names = ("Canvas.course.sisSourceId", "CourseSection.sourcedId", "CourseOffering.sourcedId")
    sis_id = twin.cast.courses["demo"].sis_source_id

    assert [sis_id] * 3 == [value(twin, name, "student") for name in names]


def test_numbers_are_text_in_both_versions_and_booleans_in_1_1_only(twin: Twin) -> None:
    demo = twin.cast.courses["demo"]
    here = scene(twin, "student", demo)
    fields = {"id": "$Canvas.course.id", "view": "$com.instructure.User.student_view"}

    assert expand(here, fields, v13=True) == {"id": str(demo.id), "view": False}
    assert expand(here, fields, v13=False) == {"id": str(demo.id), "view": "false"}


def test_dates_differ_by_version(twin: Twin) -> None:
    demo = twin.cast.courses["demo"]
    twin.school.update(demo, start_at=datetime(2026, 1, 12, 7, tzinfo=UTC))
    here = scene(twin, "student", demo)

    for v13, text in ((True, "2026-01-12T07:00:00Z"), (False, "2026-01-12 07:00:00 +0000")):
        assert expand(here, {"x": "$Canvas.course.startAt"}, v13=v13)["x"] == text


def test_nothing_is_null_in_1_3_and_empty_in_1_1(make_twin: MakeTwin) -> None:
    fields = {"x": "$Canvas.user.sisSourceId"}
    for as_null, expected in ((True, None), (False, "")):
        twin = make_twin(lti_empty_as_null=as_null)
        here = scene(twin, "no_sis", twin.cast.courses["demo"])
        assert expand(here, fields, v13=True) == {"x": expected}
        assert expand(here, fields, v13=False) == {"x": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id ${Canvas.course.name}!", "id Computer Science 101!"),
        ("${Canvas.user.loginId}/${Canvas.shard.id}", "zoneil/1"),
        (
            "${Nothing.known} and $Canvas.user.id inside",
            "${Nothing.known} and $Canvas.user.id inside",
        ),
        ("a${Canvas.user.sisIntegrationId}b", "ab"),
        ("plain", "plain"),
        ("$", "$"),
    ],
)
def test_variable_inside_text(twin: Twin, text: str, expected: str) -> None:
    here = scene(twin, "student", twin.cast.courses["demo"])

    assert expand(here, {"x": text}, v13=True) == {"x": expected}


def test_sections_are_in_two_orders_with_gaps(twin: Twin) -> None:
    sections = twin.cast.sections
    ids = sorted((sections["demo"].id, sections["demo_b"].id))
    sis_ids = sorted([sections["demo"].sis_source_id or "", "0007/B"])
    names = [twin.school.sections[section_id].name for section_id in ids]

    assert value(twin, "Canvas.course.sectionIds", "two_sections") == f"{ids[0]},{ids[1]}"
    assert value(twin, "Canvas.course.sectionSisSourceIds", "two_sections") == ",".join(sis_ids)
    assert json.loads(value(twin, "com.instructure.User.sectionNames", "two_sections")) == names

    twin.school.update(sections["demo"], sis_source_id=None)
    assert value(twin, "Canvas.course.sectionSisSourceIds", "two_sections") == "0007/B"


def test_section_ids_count_invitations_and_section_names_do_not(twin: Twin) -> None:
    section = twin.cast.sections["demo"]

    assert value(twin, "Canvas.course.sectionIds", "invited") == str(section.id)
    assert value(twin, "com.instructure.User.sectionNames", "invited") == "[]"
    assert value(twin, "Canvas.enrollment.enrollmentState", "invited") == "inactive"
    assert value(twin, "Canvas.enrollment.enrollmentState", "admin") is None
    assert value(twin, "Canvas.membership.concludedRoles", "completed") == "Learner"


def test_limited_teacher_is_restricted(twin: Twin) -> None:
    assert value(twin, "Canvas.course.sectionRestricted", "limited_teacher") is True


def test_custom_role_and_admin_show_by_name(twin: Twin) -> None:
    assert value(twin, "Canvas.membership.roles", "grader") == "Grader"
    assert value(twin, "Canvas.membership.roles", "admin") == "Account Admin"


def test_login_recorded_on_the_enrollment_goes_first_in_a_launch(twin: Twin) -> None:
    person, demo = twin.cast.people["two_logins"], twin.cast.courses["demo"]
    logins = {p.sis_user_id: p for p in twin.school.pseudonyms_of_user.of(person.id)}
    (row,) = [e for e in twin.school.enrollments_of_user.of(person.id) if e.course_id == demo.id]

    def seen(*, in_roster: bool) -> Any:
        here = scene(twin, "two_logins", demo, in_roster=in_roster)
        return expand(here, {"x": "$Canvas.user.sisSourceId"}, v13=True)["x"]

    assert (seen(in_roster=False), seen(in_roster=True)) == ("S-000200", "S-000200")
    twin.school.update(row, sis_pseudonym_id=logins["A-000200"].id)
    assert (seen(in_roster=False), seen(in_roster=True)) == ("A-000200", "S-000200")


def test_emails_of_the_person_and_of_sis(twin: Twin) -> None:
    student = twin.cast.people["student"]
    login = twin.school.pseudonyms_of_user.of(student.id)[0]

    assert value(twin, "vnd.Canvas.Person.email.sis", "student") is None
    make_email(twin.school, student, "sis@example.edu", sis_pseudonym_id=login.id)
    assert value(twin, "vnd.Canvas.Person.email.sis", "student") == "sis@example.edu"
    assert value(twin, "vnd.Canvas.Person.email.sis", "no_sis") == "$vnd.Canvas.Person.email.sis"
    assert value(twin, "Person.email.primary", "no_email") is None


def test_observees_are_subs_in_1_3_and_opaque_ids_in_1_1(twin: Twin) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]
    watcher = twin.cast.people["observer"]
    fields = {"x": "$com.instructure.User.observees"}

    assert value(twin, "com.instructure.User.observees", "observer") == student.lti_id
    by_11 = Scene(twin.school, tool11(twin), demo, watcher)
    assert expand(by_11, fields, v13=False)["x"] == student.lti_context_id


def test_many_adminable_accounts_are_cut(twin: Twin) -> None:
    person = twin.cast.people["admin"]
    role = role_id(twin.school, "AccountAdmin")
    template = twin.cast.accounts["engineering"]

    for number in range(10_000_000, 10_005_000):
        row = make_admin(twin.school, person, template, role)
        row.account_id = number

    text = value(twin, "Canvas.user.adminableAccounts", "admin")

    assert len(text) == 40_000
    assert text.startswith("1,10000000,")
    assert text.endswith("truncated")


def test_account_launch_leaves_course_variables_as_text(twin: Twin) -> None:
    root = twin.school.root

    for name in ("Canvas.course.id", "Canvas.term.name", "Canvas.enrollment.enrollmentState"):
        assert value(twin, name, "admin", root) == f"${name}"
    assert value(twin, "Canvas.user.isRootAccountAdmin", "admin", root) is True


def test_term_dates_are_text_when_there_are_none(twin: Twin) -> None:
    open_lecture = twin.cast.courses["open"]

    assert value(twin, "Canvas.term.startAt", "student", open_lecture) == "$Canvas.term.startAt"
    assert value(twin, "Canvas.term.startAt", "student") == "2026-01-01T07:00:00Z"


def test_ids_of_another_shard_are_long(make_twin: MakeTwin) -> None:
    twin = make_twin(foreign_shard=1745, foreign="all")

    assert value(twin, "Canvas.user.id", "student").startswith("1745000000000")
    assert value(twin, "Canvas.user.globalId", "student").startswith("1745000000000")


def test_nobody_leaves_person_variables_as_text(twin: Twin) -> None:
    assert value(twin, "Canvas.user.id", None) == "$Canvas.user.id"
    assert value(twin, "com.instructure.User.allRoles", None).endswith("person#None")


def test_every_variable_has_a_value_or_stays_text_everywhere(twin: Twin) -> None:
    places: list[Context] = [twin.cast.courses["demo"], twin.school.root, twin.cast.people["admin"]]

    for name in VARIABLES:
        for person in (None, "student", "teacher", "admin", "no_login", "test_student"):
            for place in places:
                found = value(twin, name, person, place)
                assert found is None or isinstance(found, str | bool), (name, person)
