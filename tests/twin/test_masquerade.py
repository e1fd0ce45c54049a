"""Acting as somebody else: transport.md section 3."""

from typing import Any

import pytest

from tests.twin.conftest import MakeTwin, Twin
from twin import making
from twin.changes import merge_users
from twin.roles import role_id

SELF = "/api/v1/users/self"
REFUSED = {"errors": "Invalid as_user_id"}


async def as_user(twin: Twin, target: object, person: str = "admin") -> Any:
    return await twin.get(SELF, person, as_user_id=target)


@pytest.mark.parametrize(
    "form",
    [
        "{id}",
        "10000000000{id:03}",
        "1~{id}",
        "sis_user_id:000123",
        "sis_login_id:zoneil",
        "uuid:{uuid}",
        "lti_1_3_id:{lti_id}",
        "lti_user_id:{lti_context_id}",
    ],
)
async def test_the_target_is_named_in_every_form(twin: Twin, form: str) -> None:
    """`self` is the target from then on, and both people are named in the headers."""
    student = twin.cast.people["student"]
    values = {name: getattr(student, name) for name in ("id", "uuid", "lti_id", "lti_context_id")}
    response = await as_user(twin, form.format(**values))

    assert student.id == response.json()["id"]
    assert str(10_000_000_000_000 + student.id) == response.headers["X-Canvas-User-Id"]
    assert "10000000000001" == response.headers["X-Canvas-Real-User-Id"]


async def test_nobody_is_behind_an_own_call(twin: Twin) -> None:
    """Acting as oneself is not acting."""
    response = await as_user(twin, "self", "student")

    assert 200 == response.status_code
    assert "X-Canvas-Real-User-Id" not in response.headers
    assert not twin.app.state.masquerades


async def test_the_target_may_come_in_the_body(twin: Twin) -> None:
    """Of a form or of JSON."""
    student = twin.cast.people["student"].id
    path = "/api/v1/accounts/1/users"
    form = await twin.send("POST", path, data={"as_user_id": str(student)})
    json = await twin.send("POST", path, json={"as_user_id": student})

    assert (403, {}) == (form.status_code, form.json())
    assert (403, {}) == (json.status_code, json.json())


async def test_the_targets_permissions_count(twin: Twin) -> None:
    """An admin sees less as a student, not more."""
    demo = twin.cast.courses["demo"].id
    path = f"/api/v1/courses/{demo}/users"
    student = twin.cast.people["student"].id
    masked = (await twin.get(path, as_user_id=student, per_page=100)).json()
    own = (await twin.get(path, "student", per_page=100)).json()

    assert own == masked
    assert not any("email" in row for row in masked)


@pytest.mark.parametrize(
    ("caller", "target"),
    [
        ("teacher", "student"),
        ("student", "teacher"),
        ("sub_admin", "student"),
        ("admin", "no_login"),
        ("admin", "nobody"),
        ("help_desk", "admin"),
        ("help_desk", "sub_admin"),
        ("help_desk", "teacher"),
    ],
)
async def test_refused(twin: Twin, caller: str, target: str) -> None:
    """No right, no login, no such user, or a target with more rights: one body, no challenge."""
    person = twin.cast.people.get(target)
    response = await as_user(twin, person.id if person else 999_999, caller)

    assert (401, REFUSED) == (response.status_code, response.json())
    assert "WWW-Authenticate" not in response.headers


async def test_help_desk_acts_as_students(twin: Twin) -> None:
    """`become_user` in the root account is enough for who has no role to exceed."""
    assert 200 == (await as_user(twin, "sis_user_id:000123", "help_desk")).status_code


async def test_course_roles_can_be_left_unchecked(make_twin: MakeTwin) -> None:
    """Without the feature only admin roles of the target are compared."""
    twin = make_twin(course_role_masquerade_check=False)
    teacher = twin.cast.people["teacher"].id

    assert 200 == (await as_user(twin, teacher, "help_desk")).status_code


async def test_become_user_counts_in_the_root_account_only(twin: Twin) -> None:
    """A Help Desk role on a sub-account acts as nobody."""
    desk = twin.cast.people["help_desk"]
    (held,) = twin.school.admins_of_user.of(desk.id)
    twin.school.update(held, account_id=twin.cast.accounts["engineering"].id)

    assert REFUSED == (await as_user(twin, "sis_user_id:000123", "help_desk")).json()


async def test_a_merged_target_names_its_survivor(twin: Twin) -> None:
    """To callers who may read the survivor."""
    gone, survivor = twin.cast.people["merged_away"], twin.cast.people["survivor"]
    told = await as_user(twin, gone.id)
    untold = await as_user(twin, gone.id, "student")

    assert REFUSED | {"merged_into_user_id": survivor.id} == told.json()
    assert REFUSED == untold.json()


async def test_the_test_student_is_for_who_may_use_the_student_view(make_twin: MakeTwin) -> None:
    """The teacher of the course may, a student may not; in newest source anybody may."""
    strict, newest = make_twin(), make_twin(anybody_is_test_student=True)
    fake = strict.cast.people["test_student"].id

    assert 200 == (await as_user(strict, fake, "teacher")).status_code
    assert 401 == (await as_user(strict, fake, "student")).status_code
    assert 200 == (await as_user(newest, fake, "student")).status_code


async def test_a_token_issued_under_masquerade_stays_with_its_target(twin: Twin) -> None:
    """Another target cannot be asked for; the same one can."""
    student, admin = twin.cast.people["student"], twin.cast.people["admin"]
    key = twin.school.tokens_of_user.of(admin.id)[0].developer_key_id
    making.make_token(twin.school, student, key, "1~masked", real_user_id=admin.id)
    headers = {"Authorization": "Bearer 1~masked"}
    plain = await twin.client.get(SELF, headers=headers)
    other = await twin.client.get(f"{SELF}?as_user_id=sis_user_id:123", headers=headers)
    same = await twin.client.get(f"{SELF}?as_user_id={student.id}", headers=headers)

    assert student.id == plain.json()["id"] == same.json()["id"]
    assert "10000000000001" == plain.headers["X-Canvas-Real-User-Id"]
    assert (401, {"errors": "Cannot change masquerade"}) == (other.status_code, other.json())


async def test_every_masqueraded_call_is_logged(twin: Twin) -> None:
    """When, what, as whom and by whom."""
    student = twin.cast.people["student"].id
    await as_user(twin, student)
    (call,) = twin.app.state.masquerades

    assert (student, 1, "GET", SELF) == (call.user_id, call.real_user_id, call.method, call.path)
    assert twin.clock.now() == call.at


async def test_an_admin_of_equal_rights_can_be_acted_for(twin: Twin) -> None:
    """Holding every permission of the target's roles is enough, not more is asked."""
    other = twin.cast.people["registrar"]
    making.make_admin(twin.school, other, twin.school.root, role_id(twin.school, "AccountAdmin"))

    assert other.id == (await as_user(twin, other.id)).json()["id"]


async def test_a_fresh_merge_refuses_the_loser(twin: Twin) -> None:
    """The rule reads the present, not the start."""
    loser, winner = twin.cast.people["twin_one"], twin.cast.people["twin_two"]
    assert 200 == (await as_user(twin, loser.id)).status_code
    merge_users(twin.school, loser, winner)

    assert winner.id == (await as_user(twin, loser.id)).json()["merged_into_user_id"]
