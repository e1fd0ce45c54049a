"""The Enrollment object, key by key and reader by reader: enrollments-api.md section 3."""

from typing import Any

import pytest

from tests.twin.conftest import MakeTwin, Twin
from tests.twin.enrolled import courses_path, enrolled, newcomer
from twin import changes
from twin.records import Enrollment

ALWAYS = {
    *("id", "root_account_id", "user_id", "course_id", "course_section_id", "type", "role"),
    *("role_id", "enrollment_state", "limit_privileges_to_course_section", "associated_user_id"),
    *("created_at", "updated_at", "start_at", "end_at", "html_url"),
}
ACTIVITY = {"last_activity_at", "last_attended_at", "total_activity_time"}
SIS = {
    *("sis_account_id", "sis_course_id", "course_integration_id", "sis_section_id"),
    *("section_integration_id", "sis_user_id"),
}
SCORES = {"current_score", "current_grade", "final_score", "final_grade"}
UNPOSTED = {f"unposted_{key}" for key in SCORES}
BARE_USER = {"id", "name", "created_at", "sortable_name", "short_name"}


def row_of(twin: Twin, person: str, course: str = "demo") -> Enrollment:
    user, place = twin.cast.people[person], twin.cast.courses[course]
    rows = twin.school.enrollments_of_course.of(place.id)
    return next(row for row in rows if row.user_id == user.id)


async def shown(
    twin: Twin, reader: str, person: str, course: str = "demo", **params: Any
) -> dict[str, Any]:
    """The person's row as the reader's list has it."""
    rows = await twin.pages(courses_path(twin, course), reader, per_page=100, **params)
    wanted = row_of(twin, person, course).id
    return next(row for row in rows if row["id"] == wanted)


@pytest.mark.parametrize(
    ("reader", "keys", "user_keys"),
    [
        (
            "admin",
            ALWAYS | ACTIVITY | SIS | {"sis_import_id"},
            BARE_USER | {"sis_user_id", "integration_id", "sis_import_id", "login_id"},
        ),
        (
            "teacher",
            ALWAYS | ACTIVITY | SIS,
            BARE_USER | {"sis_user_id", "integration_id", "login_id"},
        ),
        ("ta", ALWAYS | ACTIVITY, BARE_USER | {"login_id"}),
        ("registrar", ALWAYS | SIS, BARE_USER | {"sis_user_id", "integration_id", "login_id"}),
        ("help_desk", ALWAYS, BARE_USER),
        ("student", ALWAYS, BARE_USER),
    ],
)
async def test_keys_vanish_with_the_readers_permissions(
    twin: Twin, reader: str, keys: set[str], user_keys: set[str]
) -> None:
    row = await shown(twin, reader, "comma")

    assert keys | {"user", "grades"} == set(row)
    assert user_keys == set(row["user"])


@pytest.mark.parametrize(
    ("reader", "person", "keys"),
    [
        ("admin", "comma", {"html_url"} | SCORES | UNPOSTED),
        ("teacher", "comma", {"html_url"} | SCORES | UNPOSTED),
        ("student", "comma", {"html_url"}),
        ("student", "student", {"html_url"} | SCORES),
        ("observer", "student", {"html_url"} | SCORES),
        ("registrar", "comma", {"html_url"}),
        ("admin", "teacher", None),
        ("admin", "observer", None),
        ("admin", "test_student", {"html_url"} | SCORES | UNPOSTED),
    ],
)
async def test_grades_are_for_students_and_scores_for_those_who_may_read_them(
    twin: Twin, reader: str, person: str, keys: set[str] | None
) -> None:
    row = await shown(twin, reader, person)

    assert keys == (set(row["grades"]) if "grades" in row else None)


async def test_a_course_that_hides_final_grades_hides_the_own_ones(twin: Twin) -> None:
    twin.school.update(twin.cast.courses["demo"], hide_final_grades=True)

    assert {"html_url"} == set((await shown(twin, "student", "student"))["grades"])
    assert SCORES < set((await shown(twin, "teacher", "student"))["grades"])


async def test_the_values_are_the_rows(twin: Twin) -> None:
    row = row_of(twin, "student")
    twin.school.update(row, current_score=91.5, final_score=60.2, total_activity_time=5231)
    got = await shown(twin, "admin", "student")
    course, section = twin.cast.courses["demo"], twin.cast.sections["demo"]

    assert {
        "id": row.id,
        "root_account_id": 1,
        "user_id": row.user_id,
        "course_id": course.id,
        "course_section_id": section.id,
        "type": "StudentEnrollment",
        "role": "StudentEnrollment",
        "role_id": row.role_id,
        "enrollment_state": "active",
        "sis_account_id": "0042",
        "sis_course_id": course.sis_source_id,
        "sis_section_id": section.sis_source_id,
        "sis_user_id": "000123",
        "total_activity_time": 5231,
        "updated_at": "2026-03-02T10:00:00Z",
        "html_url": f"http://canvas.test/courses/{course.id}/users/{row.user_id}",
    }.items() <= got.items()
    assert 91.5 == got["grades"]["current_score"] == got["grades"]["unposted_current_score"]
    assert 60.2 == got["grades"]["final_score"]
    assert (
        f"http://canvas.test/courses/{course.id}/grades/{row.user_id}"
        == (got["grades"]["html_url"])
    )


async def test_the_own_activity_is_always_readable(twin: Twin) -> None:
    own = await shown(twin, "student", "student")

    assert set(own) >= ACTIVITY
    assert not ACTIVITY & set(await shown(twin, "student", "comma"))


async def test_a_custom_role_keeps_its_name_beside_the_type(twin: Twin) -> None:
    row = await shown(twin, "admin", "grader")

    assert ("TaEnrollment", "Grader") == (row["type"], row["role"])


async def test_a_deleted_section_makes_its_rows_look_deleted(twin: Twin) -> None:
    """Stored and shown state differ while the clean-up of the rows lags behind."""
    twin.school.update(twin.cast.sections["demo_b"], workflow_state="deleted")

    assert "deleted" == (await shown(twin, "admin", "unicode"))["enrollment_state"]
    assert "active" == row_of(twin, "unicode").workflow_state


async def test_of_two_logins_the_one_that_made_the_row_is_shown(twin: Twin) -> None:
    row = row_of(twin, "two_logins")
    alumni = twin.school.pseudonyms_of_user.of(row.user_id)[1]
    before = await shown(twin, "admin", "two_logins")
    twin.school.update(row, sis_pseudonym_id=alumni.id)
    after = await shown(twin, "admin", "two_logins")

    assert ("S-000200", "adarcy") == (before["sis_user_id"], before["user"]["login_id"])
    assert ("A-000200", "darcy.alum") == (after["sis_user_id"], after["user"]["login_id"])
    assert "A-000200" == after["user"]["sis_user_id"]


# -- include[] -------------------------------------------------------------------------------------


async def test_includes_of_the_user_object(twin: Twin) -> None:
    plain = await shown(twin, "admin", "pronouned")
    full = await shown(
        twin, "admin", "pronouned", include=["avatar_url", "group_ids", "uuid", "email"]
    )

    assert {"avatar_url", "group_ids", "uuid", "email"} == set(full["user"]) - set(plain["user"])
    assert "rfey@school.example.edu" == full["user"]["email"]
    assert "they/them" == plain["user"]["pronouns"]


@pytest.mark.parametrize(
    ("reader", "has"), [("ta", True), ("registrar", False), ("student", False)]
)
async def test_an_email_wants_the_right_to_read_it(*, twin: Twin, reader: str, has: bool) -> None:
    row = await shown(twin, reader, "comma", include=["email"])

    assert has == ("email" in row["user"])


@pytest.mark.parametrize(
    ("reader", "locked", "removable"),
    [("admin", False, True), ("teacher", True, False), ("ta", True, False)],
)
async def test_a_sis_row_is_locked_for_those_who_do_not_manage_sis(
    *, twin: Twin, reader: str, locked: bool, removable: bool
) -> None:
    row = await shown(twin, reader, "comma", include=["locked", "can_be_removed"])

    assert (locked, removable) == (row["locked"], row["can_be_removed"])


async def test_a_row_made_by_hand_can_be_removed(twin: Twin) -> None:
    row = enrolled(twin)
    rows = await twin.pages(
        courses_path(twin), "teacher", include=["locked", "can_be_removed"], per_page=100
    )
    got = next(item for item in rows if item["id"] == row.id)

    assert (False, True) == (got["locked"], got["can_be_removed"])


async def test_observed_users_come_with_their_enrollments(twin: Twin) -> None:
    row = await shown(twin, "admin", "observer", include=["observed_users"])
    loose = await shown(twin, "admin", "loose_observer", include=["observed_users"])
    student = twin.cast.people["student"]

    assert student.id == row["associated_user_id"] == row["observed_user"]["id"]
    assert [row_of(twin, "student").id] == [
        item["id"] for item in row["observed_user"]["enrollments"]
    ]
    assert "user" not in row["observed_user"]["enrollments"][0]
    assert "observed_user" not in loose
    assert "observed_user" not in await shown(twin, "admin", "observer")


async def test_a_deleted_observed_user_is_left_out(twin: Twin) -> None:
    changes.delete_user(twin.school, twin.cast.people["student"])
    rows = await twin.pages(
        courses_path(twin),
        include=["observed_users"],
        type=["ObserverEnrollment"],
        state=["active", "deleted"],
    )

    assert 2 == len(rows)
    assert not any("observed_user" in row for row in rows)


async def test_current_points(twin: Twin) -> None:
    twin.school.update(row_of(twin, "student"), current_score=91.5)
    graders = await shown(twin, "teacher", "student", include=["current_points"])
    own = await shown(twin, "student", "student", include=["current_points"])

    assert 91.5 == graders["grades"]["current_points"]
    assert "unposted_current_points" in graders["grades"]
    assert "unposted_current_points" not in own["grades"]


async def test_a_scoped_key_loses_every_include_but_uuid(twin: Twin) -> None:
    token = next(
        token for token in twin.school.tokens.values() if token.token == twin.cast.tokens["admin"]
    )
    scope = "url:GET|/api/v1/courses/:course_id/enrollments"
    key = twin.school.developer_keys[token.developer_key_id]
    twin.school.update(key, require_scopes=True, allow_includes=False)
    twin.school.update(token, scopes=(scope,))
    row = await shown(twin, "admin", "comma", include=["email", "uuid", "locked"])

    assert "uuid" in row["user"]
    assert "email" not in row["user"]
    assert "locked" not in row


async def test_string_ids(twin: Twin) -> None:
    accept = {"Accept": "application/json+canvas-string-ids"}
    (row,) = (
        await twin.get(courses_path(twin), headers=accept, user_id=twin.cast.people["student"].id)
    ).json()

    ids = ("id", "root_account_id", "user_id", "course_id", "course_section_id", "role_id")
    assert all(isinstance(row[key], str) for key in (*ids, "sis_import_id"))
    assert isinstance(row["user"]["id"], str)
    assert row["associated_user_id"] is None
    assert row["total_activity_time"] == 0


# -- one enrollment by id --------------------------------------------------------------------------


async def test_show_takes_the_root_account_only_and_has_no_user(twin: Twin) -> None:
    row = row_of(twin, "student")
    sub_account = twin.cast.accounts["computing"].id

    for account in ("1", "self", "default"):
        response = await twin.get(f"/api/v1/accounts/{account}/enrollments/{row.id}")

        assert 200 == response.status_code
        assert row.id == response.json()["id"]
        assert "user" not in response.json()

    for path in (
        f"/api/v1/accounts/{sub_account}/enrollments/{row.id}",
        "/api/v1/accounts/1/enrollments/999999",
        f"/api/v1/accounts/1/enrollments/sis_enrollment_id:{row.id}",
    ):
        assert 404 == (await twin.get(path)).status_code


@pytest.mark.parametrize(
    ("reader", "status"),
    [("registrar", 200), ("student", 200), ("teacher", 401), ("sub_admin", 401)],
)
async def test_show_is_for_the_owner_and_the_root_accounts_readers(
    twin: Twin, reader: str, status: int
) -> None:
    path = f"/api/v1/accounts/1/enrollments/{row_of(twin, 'student').id}"

    assert status == (await twin.get(path, reader)).status_code


async def test_show_knows_deleted_rows(twin: Twin) -> None:
    row = row_of(twin, "dropped")
    response = await twin.get(f"/api/v1/accounts/1/enrollments/{row.id}")

    assert "deleted" == response.json()["enrollment_state"]


@pytest.mark.parametrize(
    ("method", "rest"),
    [("GET", "/{id}"), ("PUT", "/{id}"), ("PATCH", "/{id}"), ("POST", "/{id}/unconclude")],
)
async def test_what_canvas_does_not_have_is_no_route(twin: Twin, method: str, rest: str) -> None:
    path = courses_path(twin, rest=rest.format(id=row_of(twin, "student").id))
    response = await twin.send(method, path)

    assert 404 == response.status_code
    assert {"errors": [{"message": "An error occurred.", "error_code": "not_found"}]} == (
        response.json()
    )


async def test_people_of_another_cluster_show_with_global_ids(make_twin: MakeTwin) -> None:
    """Ids pass 2^53, and all spellings of one find the same rows."""
    twin = make_twin(foreign_shard=1745, foreign="all")
    row = row_of(twin, "student")
    assert row.user_id > 2**53
    local = row.user_id - 1745 * 10**13
    found = [
        await twin.pages(courses_path(twin), user_id=spelling)
        for spelling in (row.user_id, f"1745~{local}")
    ]

    assert [row.id] == [item["id"] for item in found[0]] == [item["id"] for item in found[1]]
    assert row.user_id == found[0][0]["user_id"]


async def test_the_test_students_rows_are_of_a_type_of_their_own(twin: Twin) -> None:
    row = await shown(twin, "admin", "test_student")

    assert "StudentViewEnrollment" == row["type"]
    assert "login_id" not in row["user"]


async def test_a_newcomer_without_sis_ids_has_nulls_not_gaps(twin: Twin) -> None:
    user = newcomer(twin)
    login = twin.school.pseudonyms_of_user.of(user.id)[0]
    twin.school.update(login, sis_user_id=None)
    enrolled(twin, user=user)
    (row,) = await twin.pages(courses_path(twin), user_id=user.id)

    assert row["sis_user_id"] is None
    assert row["sis_import_id"] is None
    assert row["user"]["sis_user_id"] is None
