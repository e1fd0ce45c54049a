"""Filters and pages of enrollment lists: enrollments-api.md sections 2.1, 2.4, 2.5."""

from typing import Any

import pytest

from tests.twin.conftest import MakeTwin, Twin
from tests.twin.enrolled import courses_path, enrolled, newcomer, people_of
from twin import making
from twin.roles import role_id

BAD = {"errors": [{"message": "An error occurred.", "error_code": "bad_request"}]}
NO_SIS_RIGHT = {"message": "Insufficient permissions to filter by SIS fields"}


async def listed(twin: Twin, path: str, person: str = "admin", **params: Any) -> list[str]:
    return people_of(twin, await twin.pages(path, person, per_page=100, **params))


def sis_id(twin: Twin, person: str) -> str:
    login = twin.school.pseudonyms_of_user.of(twin.cast.people[person].id)[0]
    assert login.sis_user_id is not None
    return login.sis_user_id


@pytest.mark.parametrize(
    ("params", "people"),
    [
        ({"type": ["DesignerEnrollment"]}, ["designer"]),
        ({"type": ["TaEnrollment"]}, ["grader", "ta"]),
        ({"type": ["StudentViewEnrollment"]}, ["test_student", "test_student"]),
        (
            {"type": ["ObserverEnrollment", "DesignerEnrollment"]},
            [
                "designer",
                "loose_observer",
                "observer",
            ],
        ),
        ({"type": ["Teacher"]}, []),
        ({"role": ["Grader"]}, ["grader"]),
        ({"role": ["TaEnrollment"]}, ["ta"]),
        ({"role": ["Grader", "Auditor"]}, ["auditor", "grader"]),
        ({"role": ["Grader"], "type": ["StudentEnrollment"]}, ["grader"]),
        ({"no_such_filter": ["x"]}, None),
    ],
)
async def test_a_role_wins_over_a_type(
    twin: Twin, params: dict[str, Any], people: list[str] | None
) -> None:
    everybody = await listed(twin, courses_path(twin))

    assert (everybody if people is None else people) == await listed(
        twin, courses_path(twin), **params
    )


async def test_a_role_id_wins_over_a_role(twin: Twin) -> None:
    grader = role_id(twin.school, "Grader")

    assert ["grader"] == await listed(
        twin, courses_path(twin), role_id=[grader], role=["Auditor"], type=["StudentEnrollment"]
    )
    assert [] == await listed(twin, courses_path(twin), role_id=[999])


@pytest.mark.parametrize("name", ["Janitor", "student", "Registrar"])
async def test_an_unknown_role_name_is_refused_in_general_terms(twin: Twin, name: str) -> None:
    for path in (courses_path(twin), "/api/v1/users/self/enrollments"):
        response = await twin.get(path, role=[name])

        assert (400, BAD) == (response.status_code, response.json())


async def test_any_grading_period_is_unknown(twin: Twin) -> None:
    response = await twin.get(courses_path(twin), grading_period_id=7)

    assert (400, {"error": "invalid grading_period_id"}) == (
        response.status_code,
        response.json(),
    )


async def courses_of(twin: Twin, path: str, **params: Any) -> list[str]:
    names = {course.id: key for key, course in twin.cast.courses.items()}
    rows = await twin.pages(path, per_page=100, **params)
    return sorted(names[row["course_id"]] for row in rows)


@pytest.mark.parametrize(
    ("term", "courses"),
    [
        ("current", ["demo", "evening"]),
        ("default", ["open"]),
        ("sis_term_id:2025FA", ["past"]),
    ],
)
async def test_a_term_cuts_a_users_list(twin: Twin, term: str, courses: list[str]) -> None:
    path = f"/api/v1/users/{twin.cast.people['student'].id}/enrollments"

    assert courses == await courses_of(twin, path, enrollment_term_id=term)


async def test_an_unknown_term_is_not_found_where_terms_count(twin: Twin) -> None:
    """On a course's list they count only together with `user_id`."""
    student = twin.cast.people["student"].id
    path = courses_path(twin)
    asked: tuple[tuple[str, dict[str, Any]], ...] = (
        (f"/api/v1/users/{student}/enrollments", {}),
        (path, {"user_id": student}),
    )
    for where, params in asked:
        response = await twin.get(where, enrollment_term_id="sis_term_id:none", **params)

        assert 404 == response.status_code

    ignored = await twin.get(path, enrollment_term_id="sis_term_id:none")
    past = twin.cast.terms["past"].id

    assert 200 == ignored.status_code
    assert "student" in await listed(twin, path, enrollment_term_id=past)
    assert [] == await listed(twin, path, enrollment_term_id=past, user_id=student)


async def test_sis_filters_take_exact_ids_of_the_very_account(twin: Twin) -> None:
    path = f"/api/v1/users/{twin.cast.people['student'].id}/enrollments"
    demo = twin.cast.courses["demo"].sis_source_id

    assert ["demo", "evening"] == await courses_of(twin, path, sis_account_id=["0042"])
    assert [] == await courses_of(twin, path, sis_account_id=["ENG"])
    assert [] == await courses_of(twin, path, sis_account_id=["42"])
    assert ["demo"] == await courses_of(twin, path, sis_course_id=[demo])
    assert ["evening"] == await courses_of(twin, path, sis_course_id=["00420"])
    assert ["demo"] == await courses_of(twin, path, sis_section_id=[f"{demo}-A"])


async def test_a_sis_section_cuts_a_course_list(twin: Twin) -> None:
    assert ["survivor"] == await listed(twin, courses_path(twin), sis_section_id=["EVE,X"])


@pytest.mark.parametrize(
    ("person", "status"),
    [("admin", 200), ("registrar", 200), ("teacher", 200), ("ta", 400), ("student", 400)],
)
async def test_sis_filters_want_a_sis_right(twin: Twin, person: str, status: int) -> None:
    response = await twin.get(courses_path(twin), person, sis_user_id=[sis_id(twin, "comma")])

    assert status == response.status_code
    if status == 400:
        assert NO_SIS_RIGHT == response.json()
    else:
        assert ["comma"] == people_of(twin, response.json())


async def test_on_a_users_list_the_sis_right_is_the_root_accounts(twin: Twin) -> None:
    response = await twin.get("/api/v1/users/self/enrollments", "teacher", sis_course_id=["00420"])

    assert (400, NO_SIS_RIGHT) == (response.status_code, response.json())


async def test_a_sis_user_is_found_by_any_active_login(twin: Twin) -> None:
    path = courses_path(twin)

    assert ["two_logins"] == await listed(twin, path, sis_user_id=["A-000200"])
    assert ["student", "two_sections", "two_sections"] == await listed(
        twin, path, sis_user_id=["000123", "123"]
    )
    assert [] == await listed(twin, path, sis_user_id=[sis_id(twin, "suspended")])


async def test_the_user_search_behind_sis_user_id_has_its_limits(
    twin: Twin, make_twin: MakeTwin
) -> None:
    """Newest source; the older one matches logins exactly and takes anything."""
    older = make_twin(sis_user_id_by_search=False)
    user_path = f"/api/v1/users/{twin.cast.people['comma'].id}/enrollments"
    wanted = sis_id(twin, "comma")
    short = await twin.get(courses_path(twin), sis_user_id=["1"])
    of_user = await twin.get(user_path, sis_user_id=[wanted])

    assert 400 == short.status_code
    assert {
        "errors": [
            {
                "field": "search_term",
                "code": "invalid",
                "message": "2 or more characters is required",
            }
        ]
    } == short.json()
    assert 500 == of_user.status_code
    assert [] == await listed(older, courses_path(older), sis_user_id=["1"])
    assert ["comma"] == await listed(older, user_path, sis_user_id=[wanted])
    assert ["suspended"] == await listed(
        older, courses_path(older), sis_user_id=[sis_id(older, "suspended")]
    )


async def test_created_for_sis_id_finds_only_rows_that_sis_made_and_rest_never_touched(
    twin: Twin,
) -> None:
    path, user = courses_path(twin), newcomer(twin)
    login = twin.school.pseudonyms_of_user.of(user.id)[0]
    row = enrolled(twin, user=user, sis_pseudonym_id=login.id, sis_batch_id=1)
    asked: dict[str, Any] = {"sis_user_id": [login.sis_user_id], "created_for_sis_id": "true"}

    assert [row.id] == [item["id"] for item in await twin.pages(path, **asked)]

    await twin.send(
        "POST", path, data={"enrollment[user_id]": user.id, "enrollment[type]": row.type}
    )

    assert [] == await twin.pages(path, **asked)
    assert [row.id] == [
        item["id"] for item in await twin.pages(path, sis_user_id=[login.sis_user_id])
    ]


# -- order and pages -------------------------------------------------------------------------------


async def test_rows_come_by_type_then_sortable_name_then_id(twin: Twin) -> None:
    rows = await twin.pages(courses_path(twin), per_page=7)
    keys = [(row["type"], row["user"]["sortable_name"].casefold(), row["id"]) for row in rows]

    assert sorted(keys) == keys
    assert len({row["id"] for row in rows}) == len(rows) == 28


async def test_pages_are_bookmarks_without_last_or_prev(twin: Twin) -> None:
    path = courses_path(twin)
    first = await twin.get(path, per_page=5, state=["active"])
    second = await twin.client.get(first.links["next"]["url"], headers=twin.bearer())

    assert {"current", "next", "first"} == set(first.links) == set(second.links)
    assert "page=first" in first.links["current"]["url"]
    assert "page=bookmark:" in first.links["next"]["url"]
    assert second.links["current"]["url"] == first.links["next"]["url"]
    assert "state[]=active" in first.links["next"]["url"].replace("%5B%5D", "[]")
    assert not {row["id"] for row in first.json()} & {row["id"] for row in second.json()}


async def test_the_last_page_has_no_next(twin: Twin) -> None:
    everybody = await twin.get(courses_path(twin), per_page=100)

    assert {"current", "first"} == set(everybody.links)
    assert [] == (await twin.get(courses_path(twin, "bare"))).json()


@pytest.mark.parametrize(
    "page", ["2", "0", "abc", "bookmark:", "bookmark:!!!", "bookmark:WzFd", "bookmark:e30"]
)
async def test_a_wrong_bookmark_is_page_one(twin: Twin, page: str) -> None:
    first = await twin.get(courses_path(twin), per_page=3)
    wrong = await twin.get(courses_path(twin), per_page=3, page=page)

    assert (200, first.json()) == (wrong.status_code, wrong.json())


@pytest.mark.parametrize(
    ("asked", "size"), [(None, 10), ("0", 1), ("-3", 1), ("many", 1), ("12", 12), ("101", 100)]
)
async def test_per_page_is_clamped_without_a_word(twin: Twin, asked: str | None, size: int) -> None:
    course = max(
        twin.school.courses.values(),
        key=lambda course: len(twin.school.enrollments_of_course.of(course.id)),
    )
    params: dict[str, Any] = {} if asked is None else {"per_page": asked}
    response = await twin.get(f"/api/v1/courses/{course.id}/enrollments", **params)

    assert size == len(response.json())
    assert f"per_page={size}" in response.links["current"]["url"]


async def test_rows_that_come_while_paging_shift_nothing(twin: Twin) -> None:
    path = courses_path(twin)
    before = [row["id"] for row in await twin.pages(path, per_page=100)]
    first = await twin.get(path, per_page=10)
    user = making.make_user(twin.school, "Aa Aa")
    enrolled(twin, "DesignerEnrollment", user=user)
    rest = await twin.client.get(first.links["next"]["url"], headers=twin.bearer())

    assert before[10:20] == [row["id"] for row in rest.json()]


async def test_a_rename_while_paging_can_repeat_a_row(twin: Twin) -> None:
    path = courses_path(twin)
    first = (await twin.get(path, per_page=10, type=["StudentEnrollment"])).links["next"]["url"]
    page = await twin.get(path, per_page=1, type=["StudentEnrollment"])
    moved = twin.school.users[page.json()[0]["user_id"]]
    twin.school.update(moved, sortable_name="zzz")
    rest = await twin.client.get(first, headers=twin.bearer())

    assert page.json()[0]["id"] in {row["id"] for row in rest.json()}


async def test_some_keys_get_numbered_pages(make_twin: MakeTwin) -> None:
    plain = make_twin()
    key_id = next(
        token.developer_key_id
        for token in plain.school.tokens.values()
        if token.token == plain.cast.tokens["admin"]
    )
    twin = make_twin(ordinal_enrollment_keys=frozenset({key_id}))
    response = await twin.get(courses_path(twin), per_page=5, page=2)

    assert "page=3" in response.links["next"]["url"]
    assert "page=1" in response.links["prev"]["url"]
    assert 404 == (await twin.get(courses_path(twin), page="abc")).status_code
