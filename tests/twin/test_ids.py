"""Every way to write an id: transport.md section 4."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.twin.conftest import MakeTwin, Twin
from twin import ids
from twin.cast import Cast
from twin.school import SHARD_SIZE, School


def escaped(value: str) -> str:
    """As transport.md 4.1 says: everything reserved, and the dot too."""
    return quote(value, safe="").replace(".", "%2E")


def user_forms(cast: Cast) -> dict[str, str]:
    teacher, graduate = cast.people["teacher"], cast.people["two_logins"]
    return {
        f"{teacher.id}": "teacher",
        f"{SHARD_SIZE + teacher.id}": "teacher",
        f"1~{teacher.id}": "teacher",
        "self": "admin",
        "sis_user_id:STAFF/01+7%": "teacher",
        "sis_user_id:000123": "student",
        "sis_user_id:123": "two_sections",
        "sis_user_id:A-000200": "two_logins",
        "sis_user_id:S-000200": "two_logins",
        "sis_user_id:S 000,202": "comma",
        "sis_user_id:S-ÅÄÖ-203": "unicode",
        "sis_login_id:TONEIL": "teacher",
        "sis_login_id:darcy.alum": "two_logins",
        "sis_login_id:guest@elsewhere.example.org": "no_sis",
        "sis_integration_id:int:staff/7": "teacher",
        f"uuid:{graduate.uuid}": "two_logins",
        f"lti_user_id:{graduate.lti_context_id}": "two_logins",
        f"lti_context_id:{graduate.lti_context_id}": "two_logins",
        f"lti_1_1_id:{graduate.lti_context_id}": "two_logins",
        f"lti_1_3_id:{graduate.lti_id}": "two_logins",
        "hex:sis_user_id:" + b"STAFF/01+7%".hex(): "teacher",
    }


@pytest.mark.parametrize("number", range(21))
async def test_a_user_is_found_in_every_form(twin: Twin, number: int) -> None:
    """Through the path of a request, percent-encoded."""
    form, key = list(user_forms(twin.cast).items())[number]
    response = await twin.get(f"/api/v1/users/{escaped(form)}")

    assert (200, twin.cast.people[key].id) == (response.status_code, response.json()["id"])


@pytest.mark.parametrize(
    "form",
    [
        "0",
        "sis_user_id:nobody",
        "sis_user_id:0000123",
        "sis_course_id:000123",
        "uuid:short",
        "hex:sis_user_id:zz",
        "nobody",
        "99999999999999999999",
    ],
)
async def test_what_names_nobody_is_not_found(twin: Twin, form: str) -> None:
    """An unknown prefix is no error of its own."""
    assert 404 == (await twin.get(f"/api/v1/users/{escaped(form)}")).status_code


async def test_courses_sections_accounts_and_terms_have_their_forms(twin: Twin) -> None:
    """SIS, integration, uuid and LTI forms, each for its own kind."""
    demo, evening = twin.cast.courses["demo"], twin.cast.courses["evening"]
    section, arts = twin.cast.sections["demo_b"], twin.cast.accounts["arts"]
    forms = {
        f"courses/sis_course_id:{demo.sis_source_id}": demo.id,
        "courses/sis_course_id:00420": evening.id,
        f"courses/uuid:{demo.uuid}": demo.id,
        f"courses/lti_context_id:{demo.lti_context_id}": demo.id,
        "sections/sis_section_id:0007/B": section.id,
        "accounts/sis_account_id:HUM/ARTS+50%": arts.id,
        f"accounts/lti_context_id:{arts.lti_context_id}": arts.id,
        "accounts/self": 1,
        "accounts/default": 1,
        "accounts/1/terms/default": twin.cast.terms["default"].id,
        "accounts/1/terms/current": twin.cast.terms["current"].id,
        "accounts/1/terms/sis_term_id:2026SP": twin.cast.terms["current"].id,
    }
    for form, row_id in forms.items():
        head, _, value = form.rpartition("/") if ":" not in form else _at_kind(form)
        response = await twin.get(f"/api/v1/{head}/{escaped(value)}")

        assert row_id == response.json()["id"], form


def _at_kind(form: str) -> tuple[str, str, str]:
    """`courses/sis_course_id:a/b` at the slash before the prefix."""
    kind, _, _ = form.partition(":")
    head = kind.rpartition("/")[0]
    return head, "/", form[len(head) + 1 :]


async def test_current_wants_exactly_one_term(twin: Twin) -> None:
    """Two terms around now are as good as none."""
    past = twin.cast.terms["past"]
    twin.school.update(past, end_at=twin.cast.terms["current"].end_at)

    assert 404 == (await twin.get("/api/v1/accounts/1/terms/current")).status_code


async def test_a_deleted_login_carries_no_sis_id(twin: Twin) -> None:
    """Its SIS id finds nobody until another login has it."""
    login = twin.school.pseudonyms_of_user.of(twin.cast.people["student"].id)[0]
    twin.school.update(login, workflow_state="deleted")

    assert 404 == (await twin.get("/api/v1/users/sis_user_id:000123")).status_code


async def test_lti_user_id_finds_ids_from_before_a_merge(make_twin: MakeTwin) -> None:
    """In newer source; the other LTI forms find the deleted person, who answers 404."""
    twin = make_twin()
    survivor, gone = twin.cast.people["survivor"], twin.cast.people["merged_away"]
    past = f"lti_user_id:{gone.lti_context_id}"
    # The deleted row still carries the id, and is found first.
    assert gone is ids.find_user(twin.school, past)
    new_id = "0" * 40
    twin.school.update(gone, lti_context_id=new_id)

    assert survivor is ids.find_user(twin.school, past)
    assert ids.find_user(twin.school, f"lti_1_1_id:{past.partition(':')[2]}") is None
    assert gone is ids.find_user(twin.school, f"lti_1_3_id:{gone.lti_id}")


async def test_a_raw_dot_starts_a_format(make_twin: MakeTwin) -> None:
    """Escaped it is part of the id; raw it asks for something else than JSON, but for `.json`."""
    raw = await make_twin().client.get(
        "/api/v1/users/sis_login_id:darcy.alum", headers=make_twin().bearer()
    )
    lenient = await make_twin(dot_is_format=False).get("/api/v1/users/sis_login_id:darcy.alum")
    json = await make_twin().get("/api/v1/accounts/1.json")

    assert (401, "Unauthorized") == (raw.status_code, raw.text)
    assert 200 == lenient.status_code
    assert 200 == json.status_code


async def test_the_tilde_is_hosted_canvas_only(make_twin: MakeTwin) -> None:
    """Plain open source takes digits."""
    assert 404 == (await make_twin(tilde_ids=False).get("/api/v1/users/1~1")).status_code


async def test_string_ids_make_every_id_text(twin: Twin) -> None:
    """At any depth; null stays null, other numbers stay numbers."""
    demo = twin.cast.courses["demo"].id
    accept = {"Accept": "application/json+canvas-string-ids"}
    rows = (
        await twin.get(
            f"/api/v1/courses/{demo}/users", headers=accept, include=["enrollments"], per_page=50
        )
    ).json()
    enrollment = rows[0]["enrollments"][0]

    assert isinstance(rows[0]["id"], str)
    assert isinstance(enrollment["course_section_id"], str)
    assert enrollment["associated_user_id"] is None or isinstance(
        enrollment["associated_user_id"], str
    )
    assert isinstance(enrollment["total_activity_time"], int)
    assert all(isinstance(value, str | None) for value in every_id(rows))


def every_id(data: Any) -> list[Any]:
    if isinstance(data, list):
        return [value for item in data for value in every_id(item)]
    if not isinstance(data, dict):
        return []
    found = [value for key, value in data.items() if key == "id" or key.endswith("_id")]
    return found + [value for item in data.values() for value in every_id(item)]


async def test_a_tenth_of_the_users_lives_on_another_shard(make_twin: MakeTwin) -> None:
    """With global ids beyond 2^53, found in both spellings."""
    twin = make_twin(foreign_shard=1745)
    abroad = [user_id for user_id in twin.school.users if user_id > SHARD_SIZE]
    short = abroad[0] % SHARD_SIZE

    assert abroad
    assert all(user_id > 2**53 for user_id in abroad)
    for form in (str(abroad[0]), f"1745~{short}"):
        response = await twin.get(f"/api/v1/users/{form}")
        assert abroad[0] == response.json()["id"]


async def test_everything_can_live_on_another_shard(make_twin: MakeTwin) -> None:
    """All ids but the accounts' pass 2^53; the school works as before."""
    twin = make_twin(foreign_shard=1745, foreign="all")
    demo = twin.cast.courses["demo"].id
    rows = await twin.pages(f"/api/v1/courses/{demo}/enrollments", per_page=100)

    assert 1 == twin.school.root.id
    assert demo > 2**53
    assert all(row["id"] > 2**53 and row["user_id"] > 2**53 for row in rows)


def test_global_ids_of_this_shard_are_local_ones(twin: Twin) -> None:
    """Both spellings are one row."""
    school: School = twin.school

    assert 412 == ids.plain_id(school, str(SHARD_SIZE + 412))
    assert SHARD_SIZE + 412 == ids.global_id(school, 412)
    assert 2 * SHARD_SIZE + 5 == ids.plain_id(school, "2~5")
