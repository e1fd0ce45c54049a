"""Rosters over LTI (fact sheet nrps.md §2 to §7)."""

from typing import Any

import httpx
import pytest

from tests.twin.browser import tool13
from tests.twin.conftest import MakeTwin, Twin
from tests.twin.tool import CLIENT_ID, FakeTool
from twin.lti.tools import Assignment, PrivacyLevel, ResourceLink, Tool
from twin.records import Course

V2 = "http://purl.imsglobal.org/vocab/lis/v2"
LEARNER = f"{V2}/membership#Learner"
INSTRUCTOR = f"{V2}/membership#Instructor"
TA = f"{V2}/membership/Instructor#TeachingAssistant"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
LTI = "https://purl.imsglobal.org/spec/lti/claim/"
MEDIA_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"


class Roster:
    """Asks for rosters with a service token."""

    def __init__(self, twin: Twin, token: str) -> None:
        self.twin = twin
        self.headers = {"Authorization": f"Bearer {token}", "Accept": MEDIA_TYPE}

    async def get(self, course: Course | str | int, **params: str) -> httpx.Response:
        number = course.id if isinstance(course, Course) else course
        path = f"/api/lti/courses/{number}/names_and_roles"
        return await self.twin.client.get(path, params=params, headers=self.headers)

    async def pages(self, course: Course, **params: str) -> list[httpx.Response]:
        responses = [await self.get(course, **params)]
        while "next" in responses[-1].links:
            url = responses[-1].links["next"]["url"]
            responses.append(await self.twin.client.get(url, headers=self.headers))
        return responses

    async def members(self, course: Course, **params: str) -> dict[str, dict[str, Any]]:
        """All members by their key in the cast, others by their id."""
        by_id = {}
        for key, user in self.twin.cast.people.items():
            by_id[user.lti_id] = key
        found = [m for page in await self.pages(course, **params) for m in page.json()["members"]]
        return {by_id.get(member["user_id"], member["user_id"]): member for member in found}


@pytest.fixture
async def roster(twin: Twin) -> Roster:
    return Roster(twin, await FakeTool().serve(twin).token(twin))


@pytest.fixture
def demo(twin: Twin) -> Course:
    return twin.cast.courses["demo"]


async def test_who_is_in_the_list(roster: Roster, demo: Course) -> None:
    members = await roster.members(demo)

    assert {
        "teacher", "limited_teacher", "ta", "designer", "grader", "student", "two_sections",
        "two_logins", "no_email", "no_sis", "no_login", "comma", "unicode", "twin_one", "twin_two",
        "pronouned", "suspended", "auditor", "loose_observer", "observer", "test_student",
        "merged_away",
    } <= set(members)  # fmt: skip
    assert not {
        "invited", "pending", "inactive", "completed", "rejected", "dropped", "admin", "survivor",
    } & set(members)  # fmt: skip


async def test_container_and_member(twin: Twin, roster: Roster, demo: Course) -> None:
    response = await roster.get(demo, limit="50")
    teacher = twin.cast.people["teacher"]

    assert response.headers["content-type"] == MEDIA_TYPE
    body = response.json()
    assert body["id"] == f"http://canvas.test/api/lti/courses/{demo.id}/names_and_roles?limit=50"
    assert body["context"] == {
        "id": demo.lti_context_id,
        "label": demo.course_code,
        "title": demo.name,
    }
    assert (await roster.members(demo))["teacher"] == {
        "status": "Active",
        "name": "Theodora O'Neil",
        "given_name": "Theodora",
        "family_name": "O'Neil",
        "email": "toneil@school.example.edu",
        "picture": "http://canvas.test/images/messages/avatar-50.png",
        "lis_person_sourcedid": "STAFF/01+7%",
        "user_id": teacher.lti_id,
        "lti11_legacy_user_id": teacher.lti_context_id,
        "roles": [INSTRUCTOR],
    }


async def test_roles_are_merged_over_active_enrollments(
    twin: Twin, roster: Roster, demo: Course
) -> None:
    school, people = twin.school, twin.cast.people
    (ended,) = [
        e for e in school.enrollments_of_user.of(people["completed"].id) if e.course_id == demo.id
    ]
    assert ended.workflow_state == "completed"
    (student,) = [
        e for e in school.enrollments_of_user.of(people["student"].id) if e.course_id == demo.id
    ]
    (ta,) = [e for e in school.enrollments_of_user.of(people["ta"].id) if e.course_id == demo.id]
    school.update(ta, user_id=people["student"].id)
    school.update(ended, user_id=people["student"].id, type="DesignerEnrollment")

    members = await roster.members(demo)

    assert set(members["student"]["roles"]) == {LEARNER, INSTRUCTOR, TA}
    assert student.workflow_state == "active"
    assert set(members["test_student"]["roles"]) == {LEARNER, TEST_USER}
    assert members["observer"]["roles"] == [f"{V2}/membership#Mentor"]
    assert members["designer"]["roles"] == [f"{V2}/membership#ContentDeveloper"]


async def test_merged_person_shows_the_old_sub_and_the_living_legacy_id(
    twin: Twin, roster: Roster, demo: Course
) -> None:
    survivor, gone = twin.cast.people["survivor"], twin.cast.people["merged_away"]

    here = (await roster.members(demo))["merged_away"]
    elsewhere = (await roster.members(twin.cast.courses["open"]))["survivor"]

    assert here["user_id"] == gone.lti_id
    assert here["lti11_legacy_user_id"] == survivor.lti_context_id
    assert elsewhere["lti11_legacy_user_id"] == survivor.lti_context_id


async def test_dates_and_publication_are_not_looked_at(twin: Twin, roster: Roster) -> None:
    courses = twin.cast.courses

    assert {"student", "teacher"} <= set(await roster.members(courses["past"]))
    assert {"student", "teacher"} <= set(await roster.members(courses["future"]))
    assert set(await roster.members(courses["unpublished"])) == {"teacher"}
    assert await roster.members(courses["concluded"]) == {}


@pytest.mark.parametrize(
    ("level", "present"),
    [
        ("anonymous", set()),
        ("name_only", {"name", "given_name", "family_name", "lis_person_sourcedid"}),
        ("email_only", {"email"}),
        (
            "public",
            {"name", "given_name", "family_name", "lis_person_sourcedid", "email", "picture"},
        ),
    ],
)
async def test_privacy_levels(
    twin: Twin, roster: Roster, demo: Course, level: PrivacyLevel, present: set[str]
) -> None:
    tool13(twin).privacy_level = level

    members = await roster.members(demo)

    always = {"status", "user_id", "lti11_legacy_user_id", "roles"}
    assert always | present == set(members["student"])
    assert all(None not in member.values() for member in members.values())
    assert "email" not in members["no_email"]
    assert "lis_person_sourcedid" not in members["no_sis"]


@pytest.fixture
def big(twin: Twin) -> Course:
    school = twin.school
    return max(school.courses.values(), key=lambda c: len(school.enrollments_of_course.of(c.id)))


@pytest.mark.parametrize(
    ("params", "size"),
    [
        ({}, 50),
        ({"limit": "7"}, 7),
        ({"limit": "500"}, 50),
        ({"limit": "0"}, 50),
        ({"limit": "-1"}, 50),
        ({"limit": "many"}, 50),
        ({"per_page": "9"}, 9),
        ({"per_page": "100"}, 50),
        ({"per_page": "9", "limit": "8"}, 8),
    ],
)
async def test_page_size(roster: Roster, big: Course, params: dict[str, str], size: int) -> None:
    assert len((await roster.get(big, **params)).json()["members"]) == size


async def test_pages_are_slices_by_user_id_and_links_keep_the_filters(
    twin: Twin, roster: Roster, big: Course
) -> None:
    pages = await roster.pages(big, limit="20", role=LEARNER, rlid=big.lti_context_id)
    members = [member for page in pages for member in page.json()["members"]]

    ids = [
        twin.school.find(type(twin.cast.people["student"]), "lti_1_3_id", m["user_id"])
        for m in members
    ]
    numbers = [user.id for user in ids if user]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == len(members) > 40
    first = pages[0]
    assert list(first.links) == ["current", "next", "first", "last"]
    assert list(pages[1].links) == ["current", "next", "prev", "first", "last"]
    query = httpx.URL(first.links["next"]["url"]).params
    assert {
        "role": LEARNER,
        "rlid": big.lti_context_id,
        "page": "2",
        "per_page": "20",
    } == dict(query)
    assert pages[1].json()["id"] == str(pages[1].url)
    assert "differences" not in first.links
    past = await roster.get(big, page="999")
    assert past.json()["members"] == []
    assert "next" not in past.links


@pytest.mark.parametrize(
    ("role", "people"),
    [
        (INSTRUCTOR, {"teacher", "limited_teacher", "ta", "grader"}),
        (TA, {"ta", "grader"}),
        (f"{V2}/membership#ContentDeveloper", {"designer"}),
        (f"{V2}/membership#Mentor", {"observer", "loose_observer"}),
        (TEST_USER, {"test_student"}),
        ("Learner", set()),
        ("Instructor", set()),
        (f"{V2}/membership#Member", set()),
        (f"{V2}/institution/person#Student", set()),
        (f"{V2}/system/person#User", set()),
        ("", set()),
    ],
)
async def test_role_filter(roster: Roster, demo: Course, role: str, people: set[str]) -> None:
    response = await roster.get(demo, role=role)

    assert response.status_code == 200
    assert set(await roster.members(demo, role=role)) == people


async def test_learners_are_students_and_the_test_student(roster: Roster, demo: Course) -> None:
    learners = await roster.members(demo, role=LEARNER)

    assert {"student", "test_student"} <= set(learners)
    assert not {"teacher", "ta", "observer"} & set(learners)


async def test_course_rlid_adds_a_message_for_each_member(
    twin: Twin, roster: Roster, demo: Course
) -> None:
    student = twin.cast.people["student"]
    plain = await roster.members(demo)

    members = await roster.members(demo, rlid=demo.lti_context_id)

    assert set(plain) == set(members)
    assert "message" not in plain["student"]
    (message,) = members["student"]["message"]
    assert set(message) == {
        f"{LTI}message_type",
        "locale",
        f"{LTI}lti11_legacy_user_id",
        f"{LTI}lti1p1",
        f"{LTI}custom",
    }
    assert message[f"{LTI}lti1p1"] == {"user_id": student.lti_context_id}
    custom = message[f"{LTI}custom"]
    section = twin.cast.sections["demo"]
    expected = {
        "canvas_user_id": str(student.id),
        "canvas_user_login_id": "zoneil",
        "canvas_user_sis_id": "000123",
        "canvas_user_integration_id": None,
        "canvas_section_ids": str(section.id),
        "canvas_section_sis_ids": section.sis_source_id,
        "canvas_course_id": str(demo.id),
        "canvas_membership_roles": "$Canvas.membership.roles",
        "canvas_enrollment_state": "$Canvas.enrollment.enrollmentState",
        "canvas_term_id": "$Canvas.term.id",
        "canvas_account_id": "$Canvas.account.id",
        "canvas_root_account_uuid": "$vnd.Canvas.root_account.uuid",
        "canvas_api_domain": "$Canvas.api.domain",
    }
    assert expected.items() <= custom.items()
    gone = members["merged_away"]["message"][0][f"{LTI}custom"]
    assert gone["canvas_user_uuid"] == twin.cast.people["merged_away"].uuid


async def test_source_of_mid_2022_expands_the_person_only(make_twin: MakeTwin) -> None:
    twin = make_twin(nrps_course_variables=False)
    roster = Roster(twin, await FakeTool().serve(twin).token(twin))
    demo = twin.cast.courses["demo"]

    members = await roster.members(demo, rlid=demo.lti_context_id)

    custom = members["student"]["message"][0][f"{LTI}custom"]
    assert custom["canvas_section_ids"] == "$Canvas.course.sectionIds"
    assert custom["canvas_user_login_id"] == "zoneil"


@pytest.fixture
def link(twin: Twin, demo: Course) -> ResourceLink:
    link = ResourceLink(
        uuid="f3d9a1de-28d3-4f53-8f7e-0d6f9d1f4a77",
        lti11_id="a" * 40,
        course_id=demo.id,
        tool_id=1,
        title="Week 1",
        custom_fields={"week": "1"},
    )
    twin.app.state.lti.links[link.uuid] = link
    return link


async def test_rlid_of_a_link_adds_its_custom_fields_and_no_placements(
    twin: Twin, roster: Roster, demo: Course, link: ResourceLink
) -> None:
    members = await roster.members(demo, rlid=link.uuid)

    assert "teacher" in members
    assert members["student"]["message"][0][f"{LTI}custom"]["week"] == "1"


async def test_rlid_of_an_assignment_cuts_students_to_those_it_is_for(
    twin: Twin, roster: Roster, demo: Course, link: ResourceLink
) -> None:
    student = twin.cast.people["student"]
    link.assignment = Assignment(
        id=1, course_id=demo.id, title="Week 1", assigned_user_ids=frozenset({student.id})
    )

    members = await roster.members(demo, rlid=link.uuid)
    learners = await roster.members(demo, rlid=link.uuid, role=LEARNER)

    assert {"teacher", "observer", "designer", "student"} <= set(members)
    assert not {"two_sections", "test_student"} & set(members)
    assert set(learners) == {"student"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"course_id": -1}, "Tool does not have access to rlid or rlid does not exist"),
        ({"workflow_state": "deleted"}, "Requested ResourceLink was not found"),
        (
            {
                "assignment": Assignment(
                    id=1, course_id=1, title="", submission_types="online_upload"
                )
            },
            "Requested assignment not configured for external tool launches",
        ),
        ({"content_type": "Assignment"}, "Requested ResourceLink has an unexpected content type"),
        ({"tool_id": 2}, "Requested ResourceLink bound to unexpected external tool"),
    ],
)
async def test_refused_links(
    roster: Roster, demo: Course, link: ResourceLink, change: dict[str, Any], message: str
) -> None:
    for name, value in change.items():
        setattr(link, name, value)

    response = await roster.get(demo, rlid=link.uuid)

    assert response.status_code == 400
    assert response.json() == {"errors": {"type": "bad_request", "message": message}}


async def test_rlid_that_is_nothing(twin: Twin, roster: Roster, demo: Course) -> None:
    other = twin.cast.courses["evening"].lti_context_id
    unknown = "Tool does not have access to rlid or rlid does not exist"

    for rlid, message in (
        ("x", "Invalid 'rlid' parameter"),
        (other, unknown),
        ("", "Invalid 'rlid' parameter"),
    ):
        response = await roster.get(demo, rlid=rlid)
        assert (response.status_code, response.json()["errors"]["message"]) == (400, message)


async def test_course_that_is_not_there(twin: Twin, roster: Roster) -> None:
    deleted = await roster.get(twin.cast.courses["deleted"])
    missing = await roster.get(987654)

    assert deleted.json()["errors"]["message"] == "Context is deleted or not found"
    assert missing.status_code == 404
    assert missing.json() == {"errors": [{"message": "The specified resource does not exist."}]}
    group = await twin.client.get("/api/lti/groups/1/names_and_roles", headers=roster.headers)
    assert group.status_code == 404


async def test_of_two_installations_the_older_answers(
    twin: Twin, roster: Roster, demo: Course
) -> None:
    platform = twin.app.state.lti
    again = Tool(
        id=platform.next_tool_id(),
        name="Again",
        context=demo,
        url="http://127.0.0.1:8000/lti/launch",
        privacy_level="anonymous",
        developer_key_id=int(CLIENT_ID),
    )
    platform.install(again)
    assert "name" in (await roster.members(demo))["student"]

    tool13(twin).workflow_state = "deleted"
    assert "name" not in (await roster.members(demo))["student"]
    evening = await roster.get(twin.cast.courses["evening"])
    assert evening.status_code == 401


async def test_tool_in_a_sub_account_serves_the_courses_below_it(
    twin: Twin, roster: Roster, demo: Course
) -> None:
    tool13(twin).context = twin.cast.accounts["engineering"]

    assert (await roster.get(demo)).status_code == 200
    assert (await roster.get(twin.cast.courses["past"])).status_code == 401
