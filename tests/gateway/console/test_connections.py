"""The operator's desk: who may sit at it, what stands on it, and what it does."""

import re
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from gateway.store import registrations, runs, tokens
from gateway.viewer import Scope
from models.canvas_ids import to_global
from models.roster import SyncRunState
from tests.factories import SHARD, School
from tests.gateway.console.conftest import NOW, cookied, hidden, launched, operator_token, text_of
from tests.gateway.lti import platform
from tests.gateway.lti.platform import ADMINISTRATOR

PAGES = ("/console/connections", "/console/tokens")
ROOT, FACULTY = to_global("1", SHARD), to_global("37", SHARD)


def signed_in(browser: TestClient, secret: str) -> None:
    answer = browser.post("/console/sign-in", data={"secret": secret})
    assert (303, "/console") == (answer.status_code, answer.headers["location"]), answer.text


async def test_an_operator_signs_in_with_a_token_and_leaves(
    school: School, browser: TestClient
) -> None:
    await school.course(name="Botany")
    signed_in(browser, await operator_token(school))

    assert "Botany" in text_of(browser.get("/console"))
    for path in PAGES:
        assert 200 == browser.get(path).status_code, path
    browser.post("/console/leave")
    assert 401 == browser.get("/console/connections").status_code


@pytest.mark.parametrize("secret", ["rst_unknown", "nonsense", ""])
async def test_a_wrong_token_signs_nobody_in(
    school: School, browser: TestClient, secret: str
) -> None:
    answer = browser.post("/console/sign-in", data={"secret": secret})

    assert 401 == answer.status_code
    assert "set-cookie" not in answer.headers


async def test_a_token_without_the_scope_signs_nobody_in(
    school: School, browser: TestClient
) -> None:
    secret = await operator_token(school, Scope.ROSTER_READ)

    assert 403 == browser.post("/console/sign-in", data={"secret": secret}).status_code
    browser.cookies.set("__Host-roster_operator", secret)
    for path in PAGES:
        assert 403 == browser.get(path).status_code, path


@pytest.mark.parametrize(
    ("roles", "account", "status"),
    [
        ((ADMINISTRATOR, "Account Admin"), ROOT, 200),
        ((ADMINISTRATOR, "Help Desk"), ROOT, 403),
        ((ADMINISTRATOR,), ROOT, 403),
        ((ADMINISTRATOR, "Account Admin"), FACULTY, 403),
        ((ADMINISTRATOR, "Account Admin"), None, 403),
        ((platform.INSTRUCTOR, "Account Admin"), ROOT, 403),
    ],
    ids=[
        "the root account's admin",
        "its help desk",
        "somebody whom Canvas does not name",
        "a faculty's",
        "in a course",
        "no administrator",
    ],
)
async def test_who_is_launched_from_the_root_account_as_its_administrator_is_an_operator(
    school: School, browser: TestClient, roles: tuple[str, ...], account: int | None, status: int
) -> None:
    await school.add("account", canvas_id=ROOT, name="School")
    await school.add("account", canvas_id=FACULTY, name="Faculty", parent_id=1)
    person = await school.person(name="Ada Admin")
    cookie, _ = await launched(school, person, roles=roles, account_canvas_id=account, types=())

    for path in PAGES:
        assert status == browser.get(path, headers=cookied(cookie)).status_code, path


async def test_what_is_connected_and_what_was_synced_stands_there(
    school: School, browser: TestClient
) -> None:
    await school.covered("enrollment", ended_at=NOW - timedelta(hours=2))
    monday = await school.add("sync_run", label="monday.zip", created=7, set_aside=1)
    aside = [("enrollments.csv", 12, "the course BIO-7 is not known")]
    await school.database.transact(lambda tx: runs.set_aside(tx, school.id, monday, aside))
    await school.add("sync_run", state=SyncRunState.HELD.value, held=61, message="61 would leave")
    await school.add(
        "sync_run",
        state=SyncRunState.RUNNING.value,
        label="nightly",
        progress=0.4,
        rows_read=12_000,
        paced_from=0.1,
        paced_at=NOW - timedelta(minutes=3),
    )
    signed_in(browser, await operator_token(school))

    said = text_of(browser.get("/console/connections"))

    assert (
        "the school's provisioning report It is not connected: what it told was sent in. 2 hours ago"
        in said
    )
    assert "https://canvas.example.edu" in said
    assert f"{platform.ISSUER}, client {platform.CLIENT_ID}" in said
    assert "monday.zip SUCCEEDED 7" in said
    assert "enrollments.csv, line 12: the course BIO-7 is not known" in said
    assert "61 61 would leave" in said
    assert re.search(r"nightly RUNNING 40%, 12,000 rows, about \d+ minutes left", said)


async def test_held_removals_are_let_through_as_many_as_stood_there(
    school: School, browser: TestClient
) -> None:
    course = await school.course()
    began = NOW - timedelta(hours=1)
    gone = await school.enroll(await school.person(), None, course, missing_since=began)
    run = await school.add(
        "sync_run", state=SyncRunState.HELD.value, held=1, source="UPLOAD", read_began_at=began
    )
    signed_in(browser, await operator_token(school))
    page = browser.get("/console/connections")
    form = {"run": hidden(page, "run"), "removals": hidden(page, "removals")}

    more = await school.enroll(await school.person(), None, course, missing_since=began)
    refused = browser.post("/console/connections/confirm", data=form)
    waiting = await states(school, "sync_run", run)
    there = [await states(school, "enrollment", one) for one in (gone, more)]
    shown = {"run": form["run"], "removals": hidden(refused, "removals")}
    browser.post("/console/connections/confirm", data=shown)

    assert "by now 2 removals wait, not 1" in text_of(refused)
    assert ("HELD", ["ACTIVE", "ACTIVE"]) == (waiting, there)
    assert ("SUCCEEDED", "DELETED", "DELETED") == (
        await states(school, "sync_run", run),
        await states(school, "enrollment", gone),
        await states(school, "enrollment", more),
    )


async def states(school: School, table: str, row_id: int) -> str:
    rows = await school.database.rows(
        f"select state from {table} where institution_id = $1 and id = $2", school.id, row_id
    )
    return str(rows[0]["state"])


async def test_an_installation_is_accepted_and_refused(school: School, browser: TestClient) -> None:
    await registrations.note(
        school.database,
        [school.id],
        issuer=platform.ISSUER,
        client_id=platform.CLIENT_ID,
        deployment_id="9:new",
        platform_guid=None,
        platform_name="Example School",
        now=NOW,
    )
    signed_in(browser, await operator_token(school))
    page = browser.get("/console/connections")

    browser.post("/console/connections/accept", data={"deployment": hidden(page, "deployment")})
    [accepted] = await registrations.deployments(school.database, school.id)
    browser.post("/console/connections/forget", data={"deployment": str(accepted.id)})

    assert "Example School" in text_of(page)
    assert accepted.accepted_at is not None
    assert [] == await registrations.deployments(school.database, school.id)


async def test_a_token_is_made_shown_once_used_and_revoked(
    school: School, browser: TestClient
) -> None:
    signed_in(browser, await operator_token(school))

    made = browser.post(
        "/console/tokens/create", data={"name": "GraphiQL", "scope.roster:read": "on"}
    )

    secret = made.text.partition("<pre>")[2].partition("</pre>")[0]
    found = await tokens.find(school.database, secret)
    assert found is not None
    assert ("GraphiQL", ("roster:read",)) == (found.name, found.scopes)
    assert secret not in browser.get("/console/tokens").text
    browser.post("/console/tokens/revoke", data={"id": str(found.id)})
    assert await tokens.find(school.database, secret) is None


async def test_a_token_needs_a_name_and_a_scope(school: School, browser: TestClient) -> None:
    signed_in(browser, await operator_token(school))

    for data in (
        {"name": "x"},
        {"scope.admin": "on"},
        {"name": "  ", "scope.admin": "on"},
        {"name": "x", "scope.all": "on"},
    ):
        assert 400 == browser.post("/console/tokens/create", data=data).status_code


async def test_another_schools_rows_are_out_of_reach(school: School, browser: TestClient) -> None:
    other = await School.open(school.database, slug="other")
    await registrations.note(
        school.database,
        [other.id],
        issuer=platform.ISSUER,
        client_id=platform.CLIENT_ID,
        deployment_id="9:new",
        platform_guid=None,
        platform_name="Elsewhere",
        now=NOW - timedelta(days=1),
    )
    [waiting] = await registrations.deployments(school.database, other.id)
    signed_in(browser, await operator_token(school))

    browser.post("/console/connections/accept", data={"deployment": str(waiting.id)})

    assert [waiting] == await registrations.deployments(school.database, other.id)
