"""Requests that a machine made up: whatever is asked, no fault of ours shows, and the server stays up."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.graphql import nodes

from tests.acceptance.conftest import School

NO_DOCUMENT = st.one_of(
    st.text(),
    st.text(alphabet='{}()[]:$@!.&|="\\#, \n\u0000abcq1', max_size=80),
    st.lists(
        st.sampled_from(
            ["{", "}", "(", ")", "courses", "first:", "$n", "query", "...", "on", "Course", '"']
        ),
        max_size=30,
    ).map(" ".join),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)

TYPES = ["Account", "Term", "Course", "Section", "User", "Enrollment", "SyncRun", "Query", ""]

schemathesis.graphql.scalar(
    "DateTime",
    st.one_of(
        st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
        st.sampled_from(
            ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-31T00:00:00Z"]
        ),
        st.text(),
    ).map(nodes.String),
)
schemathesis.graphql.scalar(
    "Duration",
    st.one_of(
        st.integers(min_value=0).map(lambda seconds: f"PT{seconds}S"),
        st.sampled_from(["P1D", "P1W", "PT0.5S", "P99999999999D", "P", "PT"]),
        st.text(),
    ).map(nodes.String),
)


@pytest.fixture
def caller(school: School) -> Iterator[httpx.Client]:
    credential = {"authorization": f"Bearer {school.token}"}
    with httpx.Client(headers=credential, timeout=30) as client:
        yield client


@pytest.fixture
def many(*, proving: bool) -> settings:
    """How much is tried."""
    return settings(
        max_examples=3000 if proving else 150,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def is_sound(status: int, body: Any) -> None:
    """An answer, or a refusal that the caller can do something about; each error has its code."""
    assert status < 500
    assert body.get("data") is not None or body["errors"]
    for error in body.get("errors", ()):
        assert "INTERNAL_ERROR" != error["extensions"]["code"], error
        assert error["extensions"]["requestId"]
    if "data" in body:
        assert isinstance(body["extensions"]["cost"], int)


def test_operations_made_from_the_schema_are_answered(
    school: School, caller: httpx.Client, many: settings
) -> None:
    graph = schemathesis.graphql.from_url(school.url, headers=dict(caller.headers))
    operations = [one.ok() for one in graph.get_all_operations() if isinstance(one, Ok)]
    seen: set[str] = set()

    @many
    @given(st.one_of([one.as_strategy() for one in operations]))
    def fuzz(case: schemathesis.Case[Any]) -> None:
        answer = caller.post(school.url, json={"query": case.body})
        is_sound(answer.status_code, answer.json())
        seen.update(answer.json().get("data") or {})

    fuzz()
    assert len(operations) > 8
    assert len(seen) > 4  # most were really run, not refused


def test_texts_that_are_no_documents_are_refused(
    school: School, caller: httpx.Client, many: settings
) -> None:
    @many
    @given(query=NO_DOCUMENT, variables=JSON, name=JSON)
    def fuzz(query: str, variables: object, name: object) -> None:
        body = {"query": query, "variables": variables, "operationName": name}
        answer = caller.post(
            school.url,
            content=json.dumps(body),
            headers={"content-type": "application/json"},
        )
        is_sound(answer.status_code, answer.json())

    fuzz()


def test_ids_and_cursors_that_nobody_gave_out_are_refused_or_unknown(
    school: School, caller: httpx.Client, many: settings
) -> None:
    query = """query ($id: ID!, $text: String!, $ids: [ID!]!, $first: Int) {
      node(id: $id) { id }
      nodes(ids: $ids) { id }
      byId: course(by: { id: $id }) { id }
      byCanvas: course(by: { canvasId: $id }) { id }
      bySis: course(by: { sisId: $text }) { id }
      person: user(by: { loginId: $text }) { id }
      users(filter: { search: $text }, first: $first) { totalCount }
      courses(after: $text, first: $first) { nodes { id } }
      changes(after: $text) { nodes { cursor } }
    }"""
    ids = st.one_of(
        st.text(),
        st.integers().map(str),
        st.builds("{}~{}".format, st.integers(), st.integers()),
        st.builds(
            lambda name, row: base64_of(f"{name}:{row}"),
            st.sampled_from(TYPES),
            st.integers() | st.text(),
        ),
    )

    @many
    @given(
        id_=ids,
        text=ids,
        many_ids=st.lists(ids, max_size=3),
        first=st.none() | st.integers(-(2**31), 2**31 - 1),
    )
    def fuzz(id_: str, text: str, many_ids: list[str], first: int | None) -> None:
        variables = {"id": id_, "text": text, "ids": many_ids, "first": first}
        answer = caller.post(school.url, json={"query": query, "variables": variables})
        is_sound(answer.status_code, answer.json())

    fuzz()
