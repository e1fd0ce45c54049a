"""The mission's workflows, by role and by what the gateway may ask with: LTI alone, the person's own account, an admin's token.

Nothing is known before: whatever is shown came by the launch. A table of it all is printed.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.acceptance.launching import Launching, launch13, launching
from twin.truth import course_truth

WAYS: dict[str, dict[str, bool]] = {
    "LTI alone": {},
    "own account": {"with_oauth": True},
    "admin's token": {"with_admin_token": True},
}
ABOUT = "totalCount provenance { source completeness gaps { field reason message } }"
CLASS = f"""query($course: ID!) {{ course(by: {{canvasId: $course}}) {{ name
  members(first: 500) {{ nodes {{ user {{ canvasId name email }} types }} {ABOUT} }} }} }}"""
OWN = f"""{{ viewer {{ user {{ enrollments(first: 100) {{
  nodes {{ type course {{ canvasId name }} }} {ABOUT} }} }} }} }}"""
COURSES = f"{{ courses(first: 500) {{ nodes {{ canvasId name account {{ name }} }} {ABOUT} }} }}"


@dataclass(frozen=True)
class Shown:
    """A connection's answer."""

    nodes: list[Any]
    about: Any

    @classmethod
    def of(cls, connection: Any) -> "Shown":
        return cls(connection["nodes"], connection)

    @property
    def gaps(self) -> set[str]:
        """Why something is missing from the list itself, not a field of it."""
        told = self.about["provenance"]["gaps"]
        return {gap["reason"] for gap in told if gap["field"] is None}

    def __str__(self) -> str:
        provenance = self.about["provenance"]
        gaps = f", {' '.join(sorted(self.gaps))}" if self.gaps else ""
        return f"{len(self.nodes)} by {provenance['source']}, {provenance['completeness']}{gaps}"


class Person:
    """A launched person's browser."""

    def __init__(self, world: Launching, browser: httpx.Client, name: str, place: str) -> None:
        self.world, self.browser = world, browser
        self._launch(name, place)
        if world.twin.state.options.auto_approve:
            connected = browser.get(f"{world.gateway_url}/oauth/connect", follow_redirects=True)
            assert "is connected" in connected.text, connected.text

    def _launch(self, name: str, place: str) -> None:
        answer = launch13(self.world, self.browser, name, place)
        assert answer.status_code == 303, answer.text

    def ask(self, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        answer = self.browser.post(f"{self.world.gateway_url}/graphql", json=body).json()
        assert answer["data"] is not None, answer
        return answer["data"]

    def class_of(self, course: str) -> Shown | None:
        found = self.ask(CLASS, course=str(self.world.cast.courses[course].id))["course"]
        return None if found is None else Shown.of(found["members"])

    def own_courses(self) -> Shown:
        return Shown.of(self.ask(OWN)["viewer"]["user"]["enrollments"])

    def courses(self) -> Shown:
        return Shown.of(self.ask(COURSES)["courses"])


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Launching]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(launching(tmp_path_factory.mktemp("world"), **ways))
            for name, ways in WAYS.items()
        }


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[tuple[str, ...]]]:
    """Who, what, by which credential, and what was shown: printed at the end."""
    rows: list[tuple[str, ...]] = []
    yield rows
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    capturing = request.config.pluginmanager.getplugin("capturemanager")
    assert capturing is not None
    with capturing.global_and_fixture_disabled():
        print()
        for row in rows:
            print("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)))


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(worlds: dict[str, Launching], way: str) -> Launching:
    return worlds[way]


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60) as client:
        yield client


Table = list[tuple[str, ...]]


def members(world: Launching, course: str) -> set[str]:
    """Who is active in the course; test students are nobody's class."""
    rows = course_truth(world.twin.state.school, world.cast.courses[course])["enrollments"]
    return {
        row["user_id"]
        for row in rows
        if row["state_in_course"] == "active" and row["type"] != "StudentViewEnrollment"
    }


def ids(shown: Shown) -> set[str]:
    return {node["user"]["canvasId"] for node in shown.nodes}


def test_an_instructor_launched_in_a_course_sees_the_class(
    world: Launching, browser: httpx.Client, way: str, table: Table
) -> None:
    shown = Person(world, browser, "teacher", "demo").class_of("demo")

    assert shown is not None
    table.append(("instructor", "launched course", way, str(shown)))
    active = {str(world.cast.people[one].id) for one in ("student", "ta", "unicode", "survivor")}
    assert active <= ids(shown)
    assert sum(node["user"]["email"] is not None for node in shown.nodes) > 5
    source = shown.about["provenance"]["source"]
    assert source == "NRPS" if way == "LTI alone" else source in ("NRPS", "ENROLLMENTS_API")
    if source == "ENROLLMENTS_API":
        assert members(world, "demo") <= ids(shown)


def test_an_instructor_sees_all_courses_of_their_own(
    world: Launching, browser: httpx.Client, way: str, table: Table
) -> None:
    """Over LTI nobody tells which these are: the launched one is known, and a gap says the rest."""
    person = Person(world, browser, "teacher", "demo")
    shown = person.own_courses()

    table.append(("instructor", "own courses", way, str(shown)))
    if way == "LTI alone":
        assert shown.gaps
        assert "COMPLETE" != shown.about["provenance"]["completeness"]
        return
    names = {node["course"]["name"] for node in shown.nodes}
    assert {world.cast.courses[one].name for one in ("demo", "evening", "unpublished")} <= names
    assert {"TEACHER"} == {node["type"] for node in shown.nodes}
    evening = person.class_of("evening")
    assert evening is not None
    assert {str(world.cast.people["student"].id)} <= ids(evening)


def test_a_student_sees_whom_canvas_shows_them_or_a_gap(
    world: Launching, browser: httpx.Client, way: str, table: Table
) -> None:
    shown = Person(world, browser, "student", "demo").class_of("demo")

    assert shown is not None
    table.append(("student", "launched course", way, str(shown)))
    own = str(world.cast.people["student"].id)
    if way == "LTI alone":
        assert {own} == ids(shown)
        assert "NOT_PERMITTED" in shown.gaps
        assert shown.about["totalCount"] is None
        return
    assert {own, str(world.cast.people["comma"].id)} <= ids(shown)
    assert {own} == {node["user"]["canvasId"] for node in shown.nodes if node["user"]["email"]}


def test_a_student_sees_their_own_courses(
    world: Launching, browser: httpx.Client, way: str, table: Table
) -> None:
    shown = Person(world, browser, "student", "demo").own_courses()

    table.append(("student", "own courses", way, str(shown)))
    if way == "LTI alone":
        assert shown.gaps
        return
    names = {node["course"]["name"] for node in shown.nodes}
    assert {world.cast.courses[one].name for one in ("demo", "evening")} <= names


def test_who_has_just_connected_their_account_sees_all_their_courses_at_once(
    worlds: dict[str, Launching], browser: httpx.Client
) -> None:
    """What they may see is judged by what is known of them, which this very question brings."""
    world = worlds["own account"]
    shown = Person(world, browser, "two_sections", "demo").own_courses()

    names = {node["course"]["name"] for node in shown.nodes}
    assert {world.cast.courses[one].name for one in ("demo", "evening", "open")} <= names


def test_an_admin_comes_from_the_account_to_its_courses_and_their_enrollments(
    world: Launching, browser: httpx.Client, way: str, table: Table
) -> None:
    person = Person(world, browser, "admin", "root")
    shown = person.courses()

    table.append(("admin", "account's courses", way, str(shown)))
    if way == "LTI alone":  # no service of LTI tells of an account
        assert shown.gaps or shown.about["provenance"]["completeness"] != "COMPLETE"
        assert shown.about["provenance"]["source"] in (None, "NRPS", "LAUNCH")
        return
    courses = world.twin.state.school.courses.values()
    living = {str(one.id) for one in courses if one.workflow_state != "deleted"}
    assert living == {node["canvasId"] for node in shown.nodes}
    accounts = {node["account"]["name"] for node in shown.nodes}
    assert {"Computer Science", "Manually-Created Courses"} <= accounts
    opened = person.class_of("evening")
    assert opened is not None
    table.append(("admin", "a course of it", way, str(opened)))
    assert members(world, "evening") <= ids(opened)


def test_an_admin_of_one_account_sees_that_one(
    world: Launching, browser: httpx.Client, way: str, table: Table
) -> None:
    shown = Person(world, browser, "sub_admin", "engineering").courses()

    table.append(("sub-account's admin", "account's courses", way, str(shown)))
    names = {node["name"] for node in shown.nodes}
    if way == "LTI alone":
        assert set() == names
        return
    assert {world.cast.courses[one].name for one in ("demo", "evening")} <= names
    assert not names & {world.cast.courses[one].name for one in ("concluded", "bare", "open")}
