"""A launch brings in what its page shows, before it is shown; what takes longer is read behind it, and the page says so."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.launching import Launching, killable_gateway, launch13, launching
from twin.faults import Fault, Kind
from twin.truth import course_truth

CLASS = """query($course: ID!) { course(by: {canvasId: $course}) {
  members(first: 500, freshness: {sources: [LOCAL]}) {
    nodes { user { canvasId name email } types } totalCount
    provenance { source completeness servedLocally gaps { reason message } } } } }"""


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60) as client:
        yield client


@pytest.fixture
def lti_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launching]:
    """A gateway that knows nothing yet, and has no token for Canvas's API."""
    with launching(tmp_path_factory.mktemp("lti")) as made:
        yield made


@pytest.fixture
def with_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launching]:
    """One that knows nothing yet, and may ask Canvas by an administrator's token."""
    with launching(tmp_path_factory.mktemp("token"), with_admin_token=True) as made:
        yield made


def kept(world: Launching, browser: httpx.Client, course: str) -> Any:
    """The class as it is in the store, to the launched person's eyes."""
    asking = {"query": CLASS, "variables": {"course": str(world.cast.courses[course].id)}}
    body = browser.post(f"{world.gateway_url}/graphql", json=asking).json()
    return body["data"]["course"]["members"]


def active(world: Launching, course: str) -> set[str]:
    """Whom Canvas's own roster has, by Canvas id."""
    rows = course_truth(world.twin.state.school, world.cast.courses[course])["enrollments"]
    return {
        row["user_id"]
        for row in rows
        if row["state_in_course"] == "active" and row["type"] != "StudentViewEnrollment"
    }


def billed(world: Launching, part: str) -> int:
    bill = world.twin.state.bill.json()["by_endpoint"]
    return sum(item["requests"] for endpoint, item in bill.items() if part in endpoint)


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.1)


def people(members: Any) -> set[str]:
    return {node["user"]["canvasId"] for node in members["nodes"]}


def test_a_teachers_class_is_here_before_the_page_is_by_lti_alone(
    lti_alone: Launching, browser: httpx.Client
) -> None:
    answer = launch13(lti_alone, browser, "teacher")

    assert answer.status_code == 303, answer.text
    members = kept(lti_alone, browser, "demo")
    assert members["provenance"]["servedLocally"]
    assert "NRPS" == members["provenance"]["source"]
    names = {node["user"]["name"] for node in members["nodes"]}
    assert {lti_alone.cast.people[one].name for one in ("student", "ta", "unicode")} <= names
    assert sum(node["user"]["email"] is not None for node in members["nodes"]) > 5
    assert billed(lti_alone, "names_and_roles") > 0


def test_the_next_launch_finds_it_there(lti_alone: Launching, browser: httpx.Client) -> None:
    launch13(lti_alone, browser, "teacher")
    before = billed(lti_alone, "names_and_roles")

    launch13(lti_alone, browser, "ta")

    assert before == billed(lti_alone, "names_and_roles")
    assert len(kept(lti_alone, browser, "demo")["nodes"]) > 10


def test_a_student_by_lti_alone_sees_a_gap_and_moves_nobody_to_ask(
    lti_alone: Launching, browser: httpx.Client
) -> None:
    launch13(lti_alone, browser, "student")

    members = kept(lti_alone, browser, "demo")

    assert [lti_alone.cast.people["student"].name] == [
        node["user"]["name"] for node in members["nodes"]
    ]
    assert (None, "UNKNOWN") == (members["totalCount"], members["provenance"]["completeness"])
    assert "NOT_PERMITTED" in {gap["reason"] for gap in members["provenance"]["gaps"]}
    assert 0 == billed(lti_alone, "names_and_roles")


def test_with_the_api_a_student_sees_whom_canvas_shows_them(
    with_token: Launching, browser: httpx.Client
) -> None:
    launch13(with_token, browser, "student")

    seen = people(kept(with_token, browser, "demo"))

    assert {str(with_token.cast.people[one].id) for one in ("student", "teacher", "comma")} <= seen


def test_a_student_whose_school_hides_the_roster_sees_a_gap(
    with_token: Launching, browser: httpx.Client
) -> None:
    school = with_token.twin.state.school
    role = next(one for one in school.roles.values() if one.name == "StudentEnrollment")
    school.update(role, overrides={"read_roster": False})

    launch13(with_token, browser, "student")

    members = kept(with_token, browser, "demo")
    assert {str(with_token.cast.people["student"].id)} == people(members)
    assert "NOT_PERMITTED" in {gap["reason"] for gap in members["provenance"]["gaps"]}


def test_what_takes_longer_is_read_behind_the_page_which_says_so(
    lti_alone: Launching, browser: httpx.Client
) -> None:
    faults = lti_alone.twin.state.faults
    faults.add(Fault(kind=Kind.LATENCY, path="names_and_roles", seconds=9))
    began = time.monotonic()

    launched = launch13(lti_alone, browser, "teacher")
    page = browser.get(launched.headers["location"], follow_redirects=True)

    assert time.monotonic() - began < 9
    assert "is being read from Canvas now" in unescape(page.text)
    assert '<meta http-equiv="refresh"' in page.text

    def shown() -> str:
        return unescape(browser.get(f"{lti_alone.gateway_url}/console").text)

    until(lambda: "is being read" not in shown())
    assert lti_alone.cast.people["unicode"].sortable_name in shown()


@pytest.mark.parametrize("when", [pytest.param("asked for", marks=pytest.mark.prove), "under way"])
def test_what_is_read_behind_the_page_outlives_kill_9(
    tmp_path: Path, browser: httpx.Client, when: str
) -> None:
    with launching(tmp_path, killable=True) as world:
        faults = world.twin.state.faults
        faults.add(Fault(kind=Kind.LATENCY, path="names_and_roles", seconds=14))
        with killable_gateway(world) as gateway:
            assert 303 == launch13(world, browser, "teacher").status_code
            if when == "under way":
                until(lambda: _begun(tmp_path / "roster.db.jobs"))
            gateway.kill()
            gateway.join()
        faults.clear()
        asked = billed(world, "names_and_roles")

        with killable_gateway(world):
            until(lambda: len(people(kept(world, browser, "demo"))) > 1)

            assert active(world, "demo") == people(kept(world, browser, "demo"))
            assert asked < billed(world, "names_and_roles")


def _begun(engine: Path) -> bool:
    """Whether the job of a launch runs."""
    with closing(sqlite3.connect(engine)) as connection:
        query = "select count(*) from workflow_status where status = 'PENDING' and workflow_uuid like '%:launch-%'"
        return bool(connection.execute(query).fetchone()[0])


def test_a_platform_that_is_down_costs_nobody_their_launch(
    lti_alone: Launching, browser: httpx.Client
) -> None:
    lti_alone.twin.state.faults.add(Fault(kind=Kind.STATUS, path="names_and_roles", status=503))

    answer = launch13(lti_alone, browser, "teacher")

    assert answer.status_code == 303
    page = browser.get(answer.headers["location"], follow_redirects=True)
    assert page.status_code == 200
    assert "NRPS" in unescape(page.text)


def test_a_teacher_who_is_limited_to_a_section_is_limited_by_lti_alone_too(
    lti_alone: Launching, browser: httpx.Client
) -> None:
    """LTI does not tell who is in which section: nobody else is shown, and a gap says why."""
    launch13(lti_alone, browser, "limited_teacher")

    members = kept(lti_alone, browser, "demo")

    assert [lti_alone.cast.people["limited_teacher"].name] == [
        node["user"]["name"] for node in members["nodes"]
    ]
    assert "NOT_PERMITTED" in {gap["reason"] for gap in members["provenance"]["gaps"]}
