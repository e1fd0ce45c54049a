"""How fresh callers want their answers, what is read because of it, and what the answers say of it."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest

from gateway.errors import PublicError, SourceDown, SourceUnavailable, Throttled
from gateway.flights import Flights, OwnTurns
from gateway.needs import ROSTERS, Need, Subject
from gateway.outcomes import Asking, Outcome, Spending
from gateway.readpath.lookups import By
from gateway.readpath.provenance import Wanted
from gateway.reads import Connected, Reads
from gateway.sources.local import LocalSource
from models.roster import FieldGroup, GapReason, Source
from resolvers import freshness
from resolvers.context import Context
from resolvers.masking import public
from resolvers.schema import schema
from tests.factories import NOW, School
from tests.fakes import FakeLookups, FakeSource, FakeStore, TickingClock
from tests.resolvers.conftest import Graph

HEADERS = [
    pytest.param("", Wanted(), id="nothing"),
    pytest.param("max-age=60", Wanted(max_age=timedelta(seconds=60)), id="an age"),
    pytest.param('Max-Age="60"', Wanted(max_age=timedelta(seconds=60)), id="quoted, in capitals"),
    pytest.param("no-cache", Wanted(max_age=timedelta(0)), id="now"),
    pytest.param("max-age=60, no-cache", Wanted(max_age=timedelta(0)), id="the stricter"),
    pytest.param("max-stale", Wanted(allow_stale=True), id="stale, however old"),
    pytest.param(
        "max-age=60, max-stale=30", Wanted(max_age=timedelta(seconds=90)), id="stale, so much"
    ),
    pytest.param(
        "only-if-cached", Wanted(sources=frozenset({Source.LOCAL})), id="what is kept alone"
    ),
    pytest.param("no-store, private, max-age=oops", Wanted(), id="nothing that we know"),
]


@pytest.mark.parametrize(("header", "expected"), HEADERS)
def test_the_header_says_how_fresh(header: str, expected: Wanted) -> None:
    assert expected == freshness.of_request({"cache-control": header})


class NotedReads(Reads):
    """Reads that remember what they were asked."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.levels: list[list[Need]] = []

    async def ensure(
        self, needs: Sequence[Need], asking: Asking, *, explained: bool = False
    ) -> list[Outcome]:
        self.levels.append(list(needs))
        return await super().ensure(needs, asking, explained=explained)


class Live:
    """The graph of a school with an Enrollments API beside its store, which takes nothing in."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.api = FakeSource(
            Source.ENROLLMENTS_API, FakeStore(), TickingClock(NOW), subjects=ROSTERS
        )
        self.lookups = FakeLookups(made=self._make)
        connected = Connected(
            local=LocalSource(graph.connections), upstream=[self.api], lookups=self.lookups
        )
        clock = TickingClock(NOW)
        self.reads = NotedReads({graph.school.id: connected}, Flights(OwnTurns(), clock), clock)
        self.levels = self.reads.levels

    async def _make(self, by: By) -> int | None:
        """Canvas has a course 70."""
        return await self.graph.school.course(canvas=70) if by.value == "70" else None

    def context(self, **more: Any) -> Context:
        context = self.graph.context(max_age=more.pop("max_age", timedelta(minutes=15)))
        context.reads = self.reads
        for name, value in more.items():
            setattr(context, name, value)
        return context

    async def ask(
        self, query: str, context: Context | None = None, **variables: Any
    ) -> dict[str, Any]:
        result = await schema.execute(
            query, variable_values=variables, context_value=context or self.context()
        )
        assert result.errors is None, result.errors
        assert result.data is not None
        return result.data


@pytest.fixture
async def live(graph: Graph) -> AsyncIterator[Live]:
    one = Live(graph)
    yield one
    await one.reads.close()


@pytest.fixture
async def course(school: School) -> int:
    course = await school.course(canvas=7)
    section = await school.section(course)
    await school.enroll(await school.person(), section, course)
    return course


async def of_course(live: Live, course: int, field: str, context: Context | None = None) -> Any:
    query = f"query($id: ID!) {{ course(by: {{id: $id}}) {{ {field} }} }}"
    data = await live.ask(query, context, id=live.graph.node_id("Course", course))
    return data["course"]


async def needed(live: Live, course: int, field: str) -> Need:
    await of_course(live, course, field)
    (level,) = live.levels
    (need,) = level
    return need


async def test_only_what_is_selected_is_needed(live: Live, course: int) -> None:
    need = await needed(live, course, "enrollments { nodes { state user { email } } }")

    assert {FieldGroup.STANDING, FieldGroup.CONTACT} == need.groups
    assert {"ACTIVE", "INVITED", "CREATION_PENDING"} == need.states
    assert timedelta(minutes=15) == need.max_age


NEEDED = [
    ("enrollments { nodes { id } }", {FieldGroup.STANDING}),
    ("enrollments { nodes { startAt } }", {FieldGroup.STANDING, FieldGroup.DATES}),
    ("enrollments { nodes { effectiveState } }", {FieldGroup.STANDING, FieldGroup.DATES}),
    ("enrollments { nodes { lastActivityAt } }", {FieldGroup.STANDING, FieldGroup.ACTIVITY}),
    (
        "enrollments(orderBy: {field: USER_NAME}) { nodes { id } }",
        {FieldGroup.STANDING, FieldGroup.NAME},
    ),
    (
        "enrollments { edges { node { user { sisId } } } }",
        {FieldGroup.STANDING, FieldGroup.LOGIN},
    ),
    ("members { nodes { types } }", {FieldGroup.NAME}),
    (
        "members { nodes { user { email } } }",
        {FieldGroup.NAME, FieldGroup.CONTACT},
    ),
    ("members { nodes { sections { name } } }", {FieldGroup.NAME, FieldGroup.STANDING}),
    ("enrollmentCounts { totalCount }", {FieldGroup.STANDING}),
]


@pytest.mark.parametrize(("field", "groups"), NEEDED)
async def test_fields_need_their_groups(
    live: Live, course: int, field: str, groups: set[FieldGroup]
) -> None:
    assert groups == (await needed(live, course, field)).groups


async def test_a_field_says_more_than_the_header_and_the_header_more_than_the_default(
    live: Live, course: int
) -> None:
    context = live.context(
        requested=Wanted(max_age=timedelta(seconds=60), sources=frozenset({Source.LOCAL}))
    )
    await of_course(
        live,
        course,
        """enrollments(freshness: {maxAge: "PT5S", sources: [ENROLLMENTS_API]}) { totalCount }
        members(freshness: {allowStale: true}) { totalCount }""",
        context,
    )
    (level,) = live.levels
    by_subject = {need.subject: need for need in level}

    own, header = by_subject[Subject.ENROLLMENTS], by_subject[Subject.MEMBERS]
    assert timedelta(seconds=5) == own.max_age
    assert {Source.ENROLLMENTS_API} == set(own.sources or ())
    assert timedelta(seconds=60) == header.max_age
    assert {Source.LOCAL} == set(header.sources or ())
    assert (False, True) == (own.allow_stale, header.allow_stale)


async def test_a_level_is_planned_at_once(live: Live, school: School, course: int) -> None:
    await school.course(canvas=8)

    await live.ask(
        """{ courses { nodes { enrollments { totalCount } members { totalCount }
             enrollmentCounts { totalCount } sections { totalCount } } } }"""
    )

    courses, below = live.levels
    assert [Subject.COURSES] == [need.subject for need in courses]
    assert {Subject.ENROLLMENTS: 2, Subject.MEMBERS: 2, Subject.SECTIONS: 2} == {
        subject: sum(need.subject is subject for need in below)
        for subject in {need.subject for need in below}
    }


async def test_of_a_section_the_course_around_it_counts(live: Live, course: int) -> None:
    await of_course(
        live,
        course,
        "sections { nodes { enrollments { totalCount } } }",
    )
    _, (need,) = live.levels

    assert "section" == need.scope.kind
    assert [("course", course)] == [(one.kind, one.id) for one in need.around]


async def test_later_pages_begin_no_read(live: Live, school: School, course: int) -> None:
    await school.enroll(await school.person(), await school.section(course), course)
    page = "enrollments(first: 1%s) { pageInfo { endCursor } provenance { servedLocally } }"
    first = await of_course(live, course, page % "")
    assert 1 == len(live.api.reads)

    cursor = first["enrollments"]["pageInfo"]["endCursor"]
    second = await of_course(live, course, page % f', after: "{cursor}"')

    assert 1 == len(live.api.reads)
    assert not first["enrollments"]["provenance"]["servedLocally"]
    assert second["enrollments"]["provenance"]["servedLocally"]


async def test_a_failed_read_is_a_gap_and_no_error(live: Live, school: School, course: int) -> None:
    await school.covered("enrollment", began_at=NOW - timedelta(hours=2))
    live.api.broken = SourceDown("503")

    shown = await of_course(
        live,
        course,
        """enrollments { nodes { id } provenance { stale servedLocally gaps { reason message }
           plan { chosen offers { source accepted reason } } } }""",
    )

    told = shown["enrollments"]["provenance"]
    assert 1 == len(shown["enrollments"]["nodes"])
    assert told["stale"]
    assert [{"reason": GapReason.SOURCE_UNAVAILABLE, "message": "ENROLLMENTS_API: 503"}] == told[
        "gaps"
    ]
    assert told["plan"]["chosen"] is None
    reasons = {one["source"]: one["reason"] for one in told["plan"]["offers"]}
    assert "it is 2 h old, and at most 15 min is asked for" == reasons["LOCAL"]
    assert "it was tried, and failed: ENROLLMENTS_API: 503" == reasons["ENROLLMENTS_API"]


async def test_the_answer_says_how_old_it_is(live: Live, school: School, course: int) -> None:
    await school.covered("enrollment", groups="standing", began_at=NOW - timedelta(minutes=3))
    context = live.context()
    await of_course(live, course, "enrollments { nodes { id } }", context)

    assert {"age": "180", "cache-control": "private, max-age=900"} == context.headers()


async def test_an_answer_with_an_unmet_part_has_no_age(live: Live, course: int) -> None:
    live.api.broken = SourceDown("503")
    context = live.context()
    await of_course(live, course, "enrollments { nodes { id } }", context)

    assert {} == context.headers()


async def test_every_plan_is_told_on_request(live: Live, course: int) -> None:
    context = live.context(explains=True)
    await of_course(live, course, "enrollments { nodes { id } }", context)

    (told,) = cast("list[dict[str, Any]]", context.extensions()["plan"])
    assert ("enrollments", "ENROLLMENTS_API") == (told["subject"], told["chosen"])
    assert {"kind": "course", "id": str(course)} == told["scope"]
    assert ["LOCAL", "ENROLLMENTS_API"] == [offer["source"] for offer in told["offers"]]
    assert {} == live.context().extensions()


async def test_a_plan_can_be_asked_for_without_a_read(live: Live, course: int) -> None:
    shown = await of_course(
        live,
        course,
        """explainEnrollments(fields: ["user.email", "startAt"], freshness: {maxAge: "PT0S"}) {
             chosen offers { source requests actualRequests } }""",
    )

    assert [] == live.api.reads
    assert "ENROLLMENTS_API" == shown["explainEnrollments"]["chosen"]
    assert all(one["actualRequests"] is None for one in shown["explainEnrollments"]["offers"])


async def test_a_source_that_failed_says_so(live: Live, course: int) -> None:
    live.api.broken = SourceDown("503")
    await of_course(live, course, "enrollments { nodes { id } }")

    data = await live.ask(
        "{ sources { source available reason lastError lastErrorAt lastSuccessAt } }"
    )

    (api,) = data["sources"]
    assert ("ENROLLMENTS_API", True, "503") == (api["source"], api["available"], api["lastError"])
    assert api["lastErrorAt"] is not None
    assert api["lastSuccessAt"] is None


BY_CANVAS_ID = "query($id: ID!) { course(by: {canvasId: $id}) { canvasId } }"


async def test_what_the_store_does_not_know_is_asked_of_canvas(live: Live) -> None:
    found = await live.ask(BY_CANVAS_ID, id="70")
    none = await live.ask(BY_CANVAS_ID, id="71")

    assert {"course": {"canvasId": "70"}} == found
    assert {"course": None} == none
    assert ["70", "71"] == [by.value for by in live.lookups.asked]


async def test_what_the_store_knows_is_asked_of_nobody(live: Live, course: int) -> None:
    await live.ask(BY_CANVAS_ID, id="7")

    assert [] == live.lookups.asked


async def test_a_fresh_whole_read_answers_for_canvas_and_an_old_one_does_not(
    live: Live, school: School
) -> None:
    await school.covered("course", began_at=NOW - timedelta(minutes=5))
    assert {"course": None} == await live.ask(BY_CANVAS_ID, id="71")
    assert [] == live.lookups.asked

    context = live.context(requested=Wanted(max_age=timedelta(seconds=60)))
    assert {"course": None} == await live.ask(BY_CANVAS_ID, context, id="71")
    assert 1 == len(live.lookups.asked)


REFUSED = [
    pytest.param(SourceUnavailable("503"), Wanted(), "SOURCE_UNAVAILABLE", id="down"),
    pytest.param(Throttled("429"), Wanted(), "THROTTLED", id="throttled"),
    pytest.param(
        None,
        Wanted(sources=frozenset({Source.LOCAL})),
        "SOURCE_UNAVAILABLE",
        id="only what is kept",
    ),
]


@pytest.mark.parametrize(("broken", "requested", "code"), REFUSED)
async def test_what_could_not_be_asked_is_an_error_and_never_a_no(
    live: Live, broken: PublicError | None, requested: Wanted, code: str
) -> None:
    live.lookups.broken = broken
    context = live.context(requested=requested)

    result = await schema.execute(BY_CANVAS_ID, variable_values={"id": "70"}, context_value=context)

    assert result.errors is not None
    (error,) = public(result.errors)
    assert code == (error.extensions or {})["code"]


async def test_lookups_are_of_the_operations_budget(live: Live) -> None:
    context = live.context(_spending=Spending(most_requests=1))
    query = "{ a: course(by: {canvasId: 71}) { id } b: course(by: {canvasId: 72}) { id } }"

    result = await schema.execute(query, context_value=context)

    assert result.errors is not None
    assert ["THROTTLED"] == [(one.extensions or {})["code"] for one in public(result.errors)]
    assert 1 == len(live.lookups.asked)
