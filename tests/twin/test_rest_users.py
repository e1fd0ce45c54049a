"""Users of courses and accounts, logins, and new users: roster-rest.md sections 7 to 10."""

from typing import Any

import pytest

from tests.twin.conftest import Twin

NOT_FOUND = {"errors": [{"message": "The specified resource does not exist."}]}
USERS = "/api/v1/accounts/1/users"


def people_path(twin: Twin, key: str = "demo") -> str:
    return f"/api/v1/courses/{twin.cast.courses[key].id}/users"


async def people(twin: Twin, person: str = "teacher", **params: Any) -> dict[str, dict[str, Any]]:
    """The demo course's users by name."""
    rows = await twin.pages(people_path(twin), person, per_page=100, **params)
    return {row["name"]: row for row in rows}


async def test_default_people_of_a_course(twin: Twin) -> None:
    """Active, invited and creation_pending; no test student, nobody whose rows are over."""
    shown = await people(twin)

    assert {"Zoë Neil", "Ivy Ted", "Penn Ding", "Mary Newname", "Olga Neil"} <= shown.keys()
    gone = {"Ina Ctive", "Compton Leed", "Reje Cted", "Delia Ted", "Mary Oldname", "Test Student"}
    assert gone.isdisjoint(shown)


@pytest.mark.parametrize(
    ("params", "name", "present"),
    [
        ({"enrollment_state": ["inactive"]}, "Ina Ctive", True),
        ({"enrollment_state": ["completed"]}, "Compton Leed", True),
        ({"enrollment_state": ["completed"]}, "Zoë Neil", False),
        ({"include_inactive": "true"}, "Ina Ctive", True),
        ({"enrollment_type": ["ta"]}, "Tariq Assad", True),
        ({"enrollment_type": ["ta"]}, "Zoë Neil", False),
        ({"enrollment_type": ["student_view"]}, "Test Student", True),
        ({"include": ["test_student"]}, "Test Student", True),
        ({"search_term": "d'arcy"}, "Anne-Marie D'Arcy", True),
        ({"search_term": "STAFF/01"}, "Theodora O'Neil", True),
        ({"search_term": "zoneil"}, "Zoë Neil", True),
        ({"search_term": "neil"}, "Bo Li", False),
    ],
)
async def test_course_users_by_parameter(
    twin: Twin, params: dict[str, Any], name: str, present: bool
) -> None:
    """States, types and search."""
    assert present == (name in await people(twin, **params))


async def test_course_users_by_section_and_id(twin: Twin) -> None:
    """`user_ids` as an array or as one text."""
    section_b = await people(twin, section_ids=[twin.cast.sections["demo_b"].id])
    student, bo = twin.cast.people["student"].id, twin.cast.people["two_sections"].id
    array = await people(twin, user_ids=[student, bo])
    text = await people(twin, user_ids=f"{student}, {bo}")
    uuids = await people(twin, user_uuids=[twin.cast.people["student"].uuid])

    assert "Lim Park" in section_b
    assert "Zoë Neil" not in section_b
    assert {"Zoë Neil", "Bo Li"} == array.keys() == text.keys()
    assert {"Zoë Neil"} == uuids.keys()


async def test_user_id_jumps_to_the_page(twin: Twin) -> None:
    """And `page` is ignored."""
    student = twin.cast.people["student"].id
    response = await twin.get(people_path(twin), "teacher", user_id=student, per_page=3, page=1)

    assert student in [row["id"] for row in response.json()]
    assert "page=1&" not in response.links["current"]["url"]


@pytest.mark.parametrize("params", [{"search_term": "x"}, {"enrollment_type": ["pupil"]}])
async def test_course_users_refuse(twin: Twin, params: dict[str, Any]) -> None:
    """A short search term and an unknown type."""
    assert 400 == (await twin.get(people_path(twin), "teacher", **params)).status_code


async def test_the_search_term_refusal_has_its_own_shape(twin: Twin) -> None:
    """With `field` and `code`."""
    response = await twin.get(people_path(twin), "teacher", search_term="x")

    assert {
        "errors": [
            {
                "field": "search_term",
                "code": "invalid",
                "message": "2 or more characters is required",
            }
        ]
    } == response.json()


async def test_keys_by_permission(twin: Twin) -> None:
    """Absent is "you may not know", null is "known to be empty"."""
    admin = (await people(twin, "admin"))["Zoë Neil"]
    teacher = (await people(twin))["Zoë Neil"]
    grader = (await people(twin, "admin", as_user_id="sis_user_id:S-000078"))["Bo Li"]
    student = (await people(twin, "student"))["Zoë Neil"]
    nosis = (await people(twin))["Nosis Guest"]

    assert ("000123", None, 1) == (
        admin["sis_user_id"],
        admin["integration_id"],
        admin["sis_import_id"],
    )
    assert ("zoneil", "zoneil@school.example.edu") == (teacher["login_id"], teacher["email"])
    assert "sis_import_id" not in teacher
    assert "email" in grader
    assert {"login_id", "sis_user_id"}.isdisjoint(grader)
    assert {"id", "name", "created_at", "sortable_name", "short_name"} == student.keys()
    assert nosis["sis_user_id"] is None


async def test_created_at_has_the_callers_offset(twin: Twin) -> None:
    """Not always Z."""
    shown = (await people(twin))["Zoë Neil"]
    twin.school.update(twin.cast.people["teacher"], time_zone=None)
    plain = (await people(twin))["Zoë Neil"]

    assert "2025-07-01T01:09:00-06:00" == shown["created_at"]
    assert "2025-07-01T07:09:00Z" == plain["created_at"]


async def test_who_has_not_accepted_hides(twin: Twin) -> None:
    """No login, e-mail or import; the SIS id stays."""
    shown = await people(twin, "admin")

    for name in ("Ivy Ted", "Penn Ding"):
        assert {"login_id", "email", "sis_import_id"}.isdisjoint(shown[name])
        assert shown[name]["sis_user_id"]


async def test_two_logins_show_one(twin: Twin) -> None:
    """And which one can differ between lists: the enrollment's own login counts there."""
    users = await people(twin)
    evening = twin.cast.courses["evening"].id
    rows = await twin.pages(f"/api/v1/courses/{evening}/enrollments", "admin", per_page=100)
    listed = next(row for row in rows if row["user"]["name"] == "Anne-Marie D'Arcy")

    assert "S-000200" == users["Anne-Marie D'Arcy"]["sis_user_id"]
    assert "A-000200" == listed["sis_user_id"]


async def test_enrollments_by_include(twin: Twin) -> None:
    """Both sections of one person under one user, without `user`."""
    rows = (await people(twin, include=["enrollments"]))["Bo Li"]["enrollments"]

    assert {twin.cast.sections["demo"].id, twin.cast.sections["demo_b"].id} == {
        row["course_section_id"] for row in rows
    }
    assert not any("user" in row for row in rows)


async def test_a_limited_teacher_sees_the_own_section(twin: Twin) -> None:
    """No staff of others; but a listed person's enrollments in other sections too."""
    shown = await people(twin, "limited_teacher", include=["enrollments"])

    assert {"Bo Li", "Lim Park", "Greta Radek"} <= shown.keys()
    assert {"Theodora O'Neil", "Zoë Neil"}.isdisjoint(shown)
    assert 2 == len(shown["Bo Li"]["enrollments"])


async def test_an_admin_with_a_limited_enrollment_is_cut_too(twin: Twin) -> None:
    """Section limits are asked before admin rights."""
    before = await people(twin, "admin")
    row = next(
        row
        for row in twin.school.enrollments_of_user.of(twin.cast.people["limited_teacher"].id)
        if row.course_id == twin.cast.courses["demo"].id
    )
    twin.school.update(row, user_id=twin.cast.people["admin"].id)
    after = await people(twin, "admin")

    assert "Zoë Neil" in before
    assert "Zoë Neil" not in after


async def test_students_see_no_observers_and_no_designers(twin: Twin) -> None:
    """Nor may an auditor see anybody."""
    shown = await people(twin, "student")
    refused = await twin.get(people_path(twin), "auditor")

    assert {"Olga Neil", "Otto Bern", "Desi Gnade"}.isdisjoint(shown)
    assert {"Tariq Assad", "Theodora O'Neil"} <= shown.keys()
    assert 401 == refused.status_code


async def test_sections_can_be_hidden_from_students(twin: Twin) -> None:
    """`course_section_id` goes from the included enrollments."""
    twin.school.update(twin.cast.courses["demo"], hide_sections_on_course_users_page=True)
    student = (await people(twin, "student", include=["enrollments"]))["Bo Li"]
    teacher = (await people(twin, include=["enrollments"]))["Bo Li"]

    assert not any("course_section_id" in row for row in student["enrollments"])
    assert all("course_section_id" in row for row in teacher["enrollments"])


async def test_one_user_of_a_course(twin: Twin) -> None:
    """Not visible is not found."""
    student = f"{people_path(twin)}/{twin.cast.people['student'].id}"
    seen = await twin.get(student, "teacher", include=["enrollments"])
    hidden = await twin.get(student, "limited_teacher")
    stranger = await twin.get(f"{people_path(twin)}/{twin.cast.people['admin'].id}", "teacher")

    assert 1 == len(seen.json()["enrollments"])
    assert (404, NOT_FOUND) == (hidden.status_code, hidden.json())
    assert 404 == stranger.status_code


async def test_recent_students_newest_first(twin: Twin) -> None:
    """For who reads reports."""
    student = twin.cast.people["student"]
    twin.school.update(student, last_login=twin.clock.now())
    path = f"/api/v1/courses/{twin.cast.courses['demo'].id}/recent_students"
    rows = (await twin.get(path, "teacher")).json()

    assert ("Zoë Neil", "2026-03-02T03:00:00-07:00") == (rows[0]["name"], rows[0]["last_login"])
    assert 401 == (await twin.get(path, "student")).status_code


async def test_account_users(twin: Twin) -> None:
    """Active people, without a login too; neither the test student nor who was merged away."""
    rows = {row["name"]: row for row in await twin.pages(USERS, include=["email"])}
    below = await twin.pages(f"/api/v1/accounts/{twin.cast.accounts['computing'].id}/users")

    assert "Lola Orphan" in rows
    assert {"Test Student", "Mary Oldname"}.isdisjoint(rows)
    assert "zoneil@school.example.edu" == rows["Zoë Neil"]["email"]
    assert rows["Nemo Silent"]["email"] is None
    assert "Zoë Neil" in [row["name"] for row in below]
    assert "Regina Strahl" not in [row["name"] for row in below]


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"search_term": "neil, z"}, set()),
        ({"search_term": "zoë"}, {"Zoë Neil"}),
        ({"search_term": "000123"}, {"Zoë Neil"}),
        ({"search_term": "1"}, None),
        ({"enrollment_type": "designer"}, {"Desi Gnade"}),
    ],
)
async def test_account_users_by_parameter(
    twin: Twin, params: dict[str, Any], names: set[str] | None
) -> None:
    """One character is refused."""
    response = await twin.get(USERS, per_page=100, **params)

    if names is None:
        assert 400 == response.status_code
    else:
        crowd = {user.name for user in twin.school.users.values() if user.id > 32}
        assert names == {row["name"] for row in response.json()} - crowd


async def test_digits_are_a_canvas_id_first(twin: Twin) -> None:
    """Other fields only if nobody has that id."""
    rows = (await twin.get(USERS, search_term="10")).json()

    assert [10] == [row["id"] for row in rows]


async def test_uuids_pick_people(twin: Twin) -> None:
    """At most the first hundred."""
    uuid = twin.cast.people["student"].uuid
    rows = (await twin.get(USERS, uuids=[*["x"] * 99, uuid])).json()
    beyond = (await twin.get(USERS, uuids=[*["x"] * 100, uuid])).json()

    assert ["Zoë Neil"] == [row["name"] for row in rows]
    assert [] == beyond


async def test_a_user_without_permission_is_not_found(twin: Twin) -> None:
    """404, not 401; self always."""
    path = f"/api/v1/users/{twin.cast.people['student'].id}"
    teacher = await twin.get(path, "teacher")
    own = (await twin.get("/api/v1/users/self", "student")).json()
    admin = (await twin.get(path)).json()

    assert (404, NOT_FOUND) == (teacher.status_code, teacher.json())
    assert {"permissions", "avatar_url", "effective_locale"} <= own.keys()
    assert {"sis_user_id", "login_id", "email"}.isdisjoint(own)
    assert {"sis_user_id", "login_id", "email"} <= admin.keys()
    assert "effective_locale" not in admin


async def test_a_merged_user_is_404_with_a_body(twin: Twin) -> None:
    """It names the survivor to callers who may still see it."""
    path = f"/api/v1/users/{twin.cast.people['merged_away'].id}"
    response = await twin.get(path)

    assert 404 == response.status_code
    assert twin.cast.people["survivor"].id == response.json()["merged_into_user_id"]
    assert NOT_FOUND == (await twin.get(path, "student")).json()


async def test_the_profile_shows_what_the_user_object_hides(twin: Twin) -> None:
    """Login and integration id, to a teacher of the user; not the SIS id, nor the e-mail."""
    path = f"/api/v1/users/{twin.cast.people['student'].id}/profile"
    teacher = (await twin.get(path, "teacher")).json()
    own = (await twin.get("/api/v1/users/self/profile", "student")).json()
    stranger = await twin.get(path, "auditor")

    assert ("zoneil", None) == (teacher["login_id"], teacher["integration_id"])
    assert {"sis_user_id", "primary_email", "lti_user_id"}.isdisjoint(teacher)
    assert twin.cast.people["student"].lti_context_id == own["lti_user_id"]
    assert 401 == stranger.status_code


async def test_logins(twin: Twin) -> None:
    """All of a person; SIS keys by permission on the account; nobody else's."""
    graduate = twin.cast.people["two_logins"].id
    rows = (await twin.get(f"/api/v1/users/{graduate}/logins")).json()
    same = (await twin.get("/api/v1/accounts/1/logins", user_id=graduate)).json()
    own = (await twin.get("/api/v1/users/self/logins", "student")).json()

    assert ["S-000200", "A-000200"] == [row["sis_user_id"] for row in rows]
    assert rows == same
    assert ["zoneil"] == [row["unique_id"] for row in own]
    assert {"sis_user_id", "integration_id"}.isdisjoint(own[0])
    assert 401 == (await twin.get(f"/api/v1/users/{graduate}/logins", "student")).status_code


async def test_observers_and_observees(twin: Twin) -> None:
    """Linked both ways; self or who manages observers."""
    student, observer = twin.cast.people["student"].id, twin.cast.people["observer"].id
    observees = await twin.get("/api/v1/users/self/observees", "observer")
    observers = await twin.get(f"/api/v1/users/{student}/observers")
    one = await twin.get(f"/api/v1/users/{observer}/observees/{student}")
    wrong = await twin.get(f"/api/v1/users/{student}/observees/{observer}")

    assert [student] == [row["id"] for row in observees.json()]
    assert [observer] == [row["id"] for row in observers.json()]
    assert (200, 404) == (one.status_code, wrong.status_code)
    refused = await twin.get(f"/api/v1/users/{student}/observers", "teacher")
    assert 401 == refused.status_code


def new_user(**pseudonym: str) -> dict[str, Any]:
    return {"user": {"name": "Neo Newman"}, "pseudonym": {"unique_id": "neo", **pseudonym}}


async def test_a_user_is_made(twin: Twin) -> None:
    """200, with a login and an address, found by SIS id afterwards."""
    body = new_user(sis_user_id="N/1") | {"communication_channel": {"address": "neo@x.example"}}
    made = await twin.send("POST", USERS, json=body)
    found = await twin.get("/api/v1/users/sis_user_id:N%2F1")

    assert 200 == made.status_code
    assert ("N/1", "neo", "Newman, Neo") == (
        made.json()["sis_user_id"],
        made.json()["login_id"],
        made.json()["sortable_name"],
    )
    assert made.json()["id"] == found.json()["id"]
    assert "neo@x.example" == found.json()["email"]


async def test_a_form_does_as_well(twin: Twin) -> None:
    """Nested names in brackets, sub-account or not."""
    path = f"/api/v1/accounts/{twin.cast.accounts['arts'].id}/users"
    made = await twin.send("POST", path, data={"pseudonym[unique_id]": "neo@x.example"})

    assert ("neo@x.example", None) == (made.json()["name"], made.json()["sis_user_id"])
    assert 1 == twin.school.pseudonyms_of_user.of(made.json()["id"])[0].account_id


@pytest.mark.parametrize(
    ("pseudonym", "key", "kind"),
    [
        ({"unique_id": "ZONEIL"}, "unique_id", "taken"),
        ({"sis_user_id": "000123"}, "sis_user_id", "taken"),
        ({"integration_id": "int:staff/7"}, "integration_id", "taken"),
        ({"unique_id": ""}, "unique_id", "invalid"),
        ({"unique_id": "a<b>"}, "unique_id", "invalid"),
    ],
)
async def test_what_a_new_user_cannot_have(
    twin: Twin, pseudonym: dict[str, str], key: str, kind: str
) -> None:
    """One shape of error for all."""
    response = await twin.send("POST", USERS, json=new_user(**pseudonym))
    errors = response.json()["errors"]

    assert 400 == response.status_code
    assert kind == errors["pseudonym"][key][0]["type"]
    assert ["user", "pseudonym", "observee", "pairing_code", "recaptcha"] == list(errors)


async def test_users_are_made_by_login_managers_only(twin: Twin) -> None:
    """403 and an empty object."""
    response = await twin.send("POST", USERS, "teacher", json=new_user())

    assert (403, {}) == (response.status_code, response.json())


async def test_sis_ids_are_ignored_without_manage_sis(twin: Twin) -> None:
    """Silently."""
    registrar = twin.cast.people["registrar"]
    (held,) = twin.school.admins_of_user.of(registrar.id)
    twin.school.roles[held.role_id].overrides["manage_user_logins"] = True
    made = await twin.send("POST", USERS, "registrar", json=new_user(sis_user_id="N-1"))

    assert (200, None) == (made.status_code, made.json()["sis_user_id"])
    assert 404 == (await twin.get("/api/v1/users/sis_user_id:N-1")).status_code
