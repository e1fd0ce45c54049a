"""Answers to GET have a tag, and whoever has them already is told so without a body."""

import httpx
import pytest
from starlette.testclient import TestClient


def get(client: TestClient, query: str = "{ hello }", **headers: str) -> httpx.Response:
    answer: httpx.Response = client.get("/graphql", params={"query": query}, headers=headers)
    return answer


def test_an_answer_may_be_kept_by_its_caller_and_asked_about(client: TestClient) -> None:
    answer = get(client)

    assert answer.headers["etag"].startswith('W/"')
    assert answer.headers["cache-control"] == "private, no-cache"
    assert {"authorization", "roster-act-as"} <= set(answer.headers["vary"].split(", "))


@pytest.mark.parametrize("form", ["{}", '"another", {}', "*"])
def test_what_is_known_already_is_not_sent_again(client: TestClient, form: str) -> None:
    tag = get(client).headers["etag"]
    again = get(client, **{"if-none-match": form.format(tag)})

    assert (304, b"") == (again.status_code, again.content)
    assert tag == again.headers["etag"]
    assert "content-type" not in again.headers


def test_another_answer_has_another_tag(client: TestClient) -> None:
    tag = get(client).headers["etag"]
    other = get(client, "{ again: hello }", **{"if-none-match": tag})

    assert (200, {"again": "hello world"}) == (other.status_code, other.json()["data"])
    assert other.headers["etag"] != tag


def test_without_a_credential_nobody_learns_whether_an_answer_changed(
    client: TestClient,
) -> None:
    tag = get(client).headers["etag"]
    client.headers.pop("authorization")

    assert 401 == get(client, **{"if-none-match": tag}).status_code


def test_what_failed_and_what_was_posted_is_not_kept(client: TestClient) -> None:
    refused = get(client, "{ missing }", **{"if-none-match": "*"})
    posted = client.post("/graphql", json={"query": "{ hello }"}, headers={"if-none-match": "*"})

    for answer in (refused, posted):
        assert (200, "no-store") == (answer.status_code, answer.headers["cache-control"])
        assert "etag" not in answer.headers
