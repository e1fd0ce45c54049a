"""Accounts, roles, admins and terms: roster-rest.md sections 1 to 4."""

import pytest

from tests.twin.conftest import MakeTwin, Twin
from twin import making
from twin.roles import role_id

UNAUTHORIZED = {
    "status": "unauthorized",
    "errors": [{"message": "user not authorized to perform that action"}],
}


async def test_only_admins_have_accounts(twin: Twin) -> None:
    """Everybody else gets an empty list, not an error."""
    admin = (await twin.get("/api/v1/accounts")).json()
    below = (await twin.get("/api/v1/accounts", "sub_admin")).json()
    teacher = await twin.get("/api/v1/accounts", "teacher")

    assert ["Example School"] == [account["name"] for account in admin]
    assert ["Engineering"] == [account["name"] for account in below]
    assert (200, []) == (teacher.status_code, teacher.json())


async def test_manageable_accounts_come_with_their_descendants(twin: Twin) -> None:
    """Active ones only."""
    rows = (await twin.get("/api/v1/manageable_accounts", "sub_admin")).json()
    creation = (await twin.get("/api/v1/course_creation_accounts", "sub_admin")).json()
    everywhere = (await twin.get("/api/v1/manageable_accounts")).json()

    assert ["Engineering", "Computer Science"] == [row["name"] for row in rows]
    assert rows == creation
    assert "Closed Faculty" not in [row["name"] for row in everywhere]


async def test_course_accounts_have_few_keys(twin: Twin) -> None:
    """Of the courses that the caller teaches."""
    response = await twin.get("/api/v1/course_accounts", "teacher")

    assert "Computer Science" in [row["name"] for row in response.json()]
    assert not any("default_storage_quota_mb" in row for row in response.json())
    assert ["current", "first"] == list(response.links)
    assert [] == (await twin.get("/api/v1/course_accounts", "student")).json()


async def test_the_root_account_has_no_sis_keys(twin: Twin) -> None:
    """Not even null ones; its parent and root are null."""
    root = (await twin.get("/api/v1/accounts/self")).json()

    assert (None, None) == (root["parent_account_id"], root["root_account_id"])
    assert {"sis_account_id", "integration_id", "sis_import_id"}.isdisjoint(root)


async def test_sis_keys_need_rights_on_the_root_account(twin: Twin) -> None:
    """A sub-account admin has them on the sub-account only, which does not count."""
    path = f"/api/v1/accounts/{twin.cast.accounts['computing'].id}"
    admin = (await twin.get(path)).json()
    registrar = (await twin.get(path, "registrar")).json()
    below = (await twin.get(path, "sub_admin")).json()

    assert ("0042", 1) == (admin["sis_account_id"], admin["sis_import_id"])
    assert "0042" == registrar["sis_account_id"]
    assert "sis_import_id" not in registrar
    assert {"sis_account_id", "integration_id", "sis_import_id"}.isdisjoint(below)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/accounts/1",
        "/api/v1/accounts/1/sub_accounts",
        "/api/v1/accounts/1/permissions",
        "/api/v1/accounts/1/courses",
        "/api/v1/accounts/1/users",
        "/api/v1/accounts/1/terms",
        "/api/v1/accounts/1/roles",
        "/api/v1/accounts/1/roles/permissions",
        "/api/v1/accounts/1/admins",
    ],
)
async def test_account_endpoints_refuse_teachers(make_twin: MakeTwin, path: str) -> None:
    """401 without a challenge, or 403 where the site flag is on."""
    strict = await make_twin().get(path, "teacher")
    newest = await make_twin(forbidden_is_403=True).get(path, "teacher")

    assert (401, UNAUTHORIZED) == (strict.status_code, strict.json())
    assert "WWW-Authenticate" not in strict.headers
    assert 403 == newest.status_code


async def test_sub_accounts_direct_or_recursive(twin: Twin) -> None:
    """Deleted ones never; recursive lists are not counted."""
    direct = await twin.get("/api/v1/accounts/1/sub_accounts")
    by_name = await twin.get("/api/v1/accounts/1/sub_accounts", order="name")
    deep = await twin.get("/api/v1/accounts/1/sub_accounts", recursive="true", per_page=1)

    assert ["ENG", "HUM/ARTS+50%", None] == [row["sis_account_id"] for row in direct.json()]
    assert ["Arts", "Engi", "Manu"] == [row["name"][:4] for row in by_name.json()]
    assert "last" in direct.links
    assert "last" not in deep.links
    rows = await twin.pages("/api/v1/accounts/1/sub_accounts", recursive="true")
    assert 4 == len(rows)


async def test_account_includes(twin: Twin) -> None:
    """Counts and the guid by request only."""
    plain = (await twin.get("/api/v1/accounts/1")).json()
    full = (
        await twin.get(
            "/api/v1/accounts/1", include=["course_count", "sub_account_count", "lti_guid"]
        )
    ).json()

    assert {"course_count", "sub_account_count", "lti_guid"}.isdisjoint(plain)
    assert (14, 3) == (full["course_count"], full["sub_account_count"])
    assert full["lti_guid"].endswith(":canvas-lms")


async def test_account_permissions_are_booleans(twin: Twin) -> None:
    """What the token allows: root-only rights are false for a sub-account admin."""
    asked = ["become_user", "manage_sis", "read_sis", "read_roster", "no_such"]
    root = (await twin.get("/api/v1/accounts/1/permissions", permissions=asked)).json()
    path = f"/api/v1/accounts/{twin.cast.accounts['computing'].id}/permissions"
    below = (await twin.get(path, "sub_admin", permissions=asked)).json()

    assert [True, True, True, True, False] == [root[name] for name in asked]
    assert [False, False, True, True, False] == [below[name] for name in asked]


async def test_roles_by_state_and_inheritance(twin: Twin) -> None:
    """Built-in ones always, custom ones of accounts above only by request."""
    rows = await twin.pages("/api/v1/accounts/1/roles")
    inactive = (await twin.get("/api/v1/accounts/1/roles", state=["inactive"])).json()
    path = f"/api/v1/accounts/{twin.cast.accounts['engineering'].id}/roles"
    own = await twin.pages(path, "sub_admin")
    inherited = await twin.pages(path, "sub_admin", show_inherited="true")

    names = {row["role"] for row in rows}
    assert {"StudentEnrollment", "AccountAdmin", "Grader", "Registrar"} <= names
    assert "Reader" not in names
    assert ["Reader"] == [row["role"] for row in inactive]
    assert {"built_in"} == {row["workflow_state"] for row in own}
    assert "Grader" in {row["role"] for row in inherited}


async def test_a_role_tells_its_permissions(twin: Twin) -> None:
    """`account` only on custom roles, `prior_default` only where the school changed something."""
    grader = role_id(twin.school, "Grader")
    custom = (await twin.get(f"/api/v1/accounts/1/roles/{grader}")).json()
    student = role_id(twin.school, "StudentEnrollment")
    built_in = (await twin.get(f"/api/v1/accounts/1/roles/{student}")).json()

    changed = custom["permissions"]["manage_students"]
    assert (False, True, True) == (
        changed["enabled"],
        changed["explicit"],
        changed["prior_default"],
    )
    assert "applies_to_self" not in changed
    assert ("TaEnrollment", False) == (custom["base_role_type"], custom["is_account_role"])
    assert {"id": 1, "name": "Example School"} == custom["account"]
    assert "account" not in built_in
    assert ("StudentEnrollment", "Student") == (built_in["role"], built_in["label"])
    roster = built_in["permissions"]["read_roster"]
    assert roster["enabled"]
    assert "prior_default" not in roster
    assert 404 == (await twin.get("/api/v1/accounts/1/roles/999")).status_code


async def test_admins_and_the_own_admin_roles(twin: Twin) -> None:
    """The list is for who manages memberships, `self` for everybody."""
    rows = (await twin.get("/api/v1/accounts/1/admins")).json()
    mine = (await twin.get("/api/v1/accounts/1/admins/self", "registrar")).json()
    nobody = (await twin.get("/api/v1/accounts/1/admins/self", "student")).json()

    assert ["AccountAdmin", "Registrar", "Help Desk"] == [row["role"] for row in rows]
    assert "Ada Root" == rows[0]["user"]["name"]
    assert ["Registrar"] == [row["role"] for row in mine]
    assert [] == nobody


async def test_terms_latest_first(twin: Twin) -> None:
    """Active ones, those without a start before all; deleted ones and extras by request."""
    rows = (await twin.get("/api/v1/accounts/1/terms")).json()["enrollment_terms"]
    deleted = (await twin.get("/api/v1/accounts/1/terms", workflow_state=["deleted"])).json()
    named = (await twin.get("/api/v1/accounts/1/terms", term_name="spring")).json()
    full = (
        await twin.get("/api/v1/accounts/1/terms", include=["overrides", "course_count"])
    ).json()["enrollment_terms"]

    names = ["Default Term", "Fall 2026", "Spring 2026", "Fall 2025"]
    assert names == [row["name"] for row in rows]
    assert "overrides" not in rows[0]
    assert ["Summer School"] == [row["name"] for row in deleted["enrollment_terms"]]
    assert ["Spring 2026"] == [row["name"] for row in named["enrollment_terms"]]
    assert {} == full[0]["overrides"]
    assert ["TaEnrollment"] == list(full[2]["overrides"])
    assert 14 == sum(row["course_count"] for row in full)
    assert "2026SP" == rows[2]["sis_term_id"]


async def test_terms_belong_to_root_accounts(twin: Twin) -> None:
    """Asked of a sub-account they are a bad request, judged before permission."""
    path = f"/api/v1/accounts/{twin.cast.accounts['arts'].id}/terms"
    response = await twin.get(path)

    assert 400 == response.status_code
    assert {"message": "Terms only belong to root_accounts."} == response.json()


async def test_one_term_has_its_overrides(twin: Twin) -> None:
    """And a deleted one is not found."""
    term = twin.cast.terms["current"].id
    shown = (await twin.get(f"/api/v1/accounts/1/terms/{term}")).json()
    gone = await twin.get(f"/api/v1/accounts/1/terms/{twin.cast.terms['deleted'].id}")

    assert "2025-12-02T07:00:00Z" == shown["overrides"]["TaEnrollment"]["start_at"]
    assert 404 == gone.status_code


async def test_a_new_admin_sees_at_once(twin: Twin) -> None:
    """Rights are judged on what the school is now."""
    making.make_admin(
        twin.school,
        twin.cast.people["teacher"],
        twin.school.root,
        role_id(twin.school, "AccountAdmin"),
    )

    assert 200 == (await twin.get("/api/v1/accounts/1/terms", "teacher")).status_code
