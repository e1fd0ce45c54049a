"""The server as its callers meet it: who is answered, how errors look, what is refused before any query runs."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway import logs
from gateway.app import create_app
from gateway.store import institutions, tokens
from gateway.uow import Database
from tests.acceptance.conftest import NOON, settings_for
from tests.acceptance.small_graph import make_graph

GRAPHQL_JSON = "application/graphql-response+json"


def ask(client: TestClient, query: str, **body: object) -> Any:
    return client.post("/graphql", json={"query": query, **body}).json()


def codes(body: Any) -> list[str]:
    return [error["extensions"]["code"] for error in body["errors"]]


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        pytest.param("POST", {"json": {"query": "{ hello }"}}, id="post"),
        pytest.param("GET", {"params": {"query": "{ hello }"}}, id="get"),
        pytest.param("POST", {"json": {"query": "{ __schema { types { name } } }"}}, id="schema"),
        pytest.param("POST", {"content": b"no JSON at all"}, id="nonsense"),
        pytest.param("GET", {}, id="nothing asked"),
        pytest.param("DELETE", {}, id="delete"),
        pytest.param(
            "GET",
            {"headers": {"accept": "text/event-stream"}, "params": {"query": "{hello}"}},
            id="sse",
        ),
    ],
)
def test_nobody_is_answered_without_a_credential(
    anonymous: TestClient, method: str, parameters: dict[str, Any]
) -> None:
    answer = anonymous.request(method, "/graphql", **parameters)

    assert 401 == answer.status_code
    assert ["UNAUTHENTICATED"] == codes(answer.json())
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "data" not in answer.json()


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer rst_", "Bearer rst_unknown", "Basic cnN0XzE6", "rst_bare"],
)
def test_a_credential_of_another_form_or_nobody_is_refused(
    anonymous: TestClient, header: str
) -> None:
    answer = anonymous.post(
        "/graphql", json={"query": "{ hello }"}, headers={"authorization": header}
    )

    assert 401 == answer.status_code


async def test_a_revoked_token_is_refused(own_client: TestClient, database: Database) -> None:
    demo = await institutions.ensure(database, slug="demo", canvas_url=None)
    [token] = await tokens.of_institution(database, demo.id)
    assert await tokens.revoke(database, institution_id=demo.id, token_id=token.id, now=NOON)

    assert 401 == own_client.post("/graphql", json={"query": "{ hello }"}).status_code


def test_a_token_opens_the_graph_on_either_engine(own_client: TestClient) -> None:
    assert {"touch": 1} == ask(own_client, "mutation { touch }")["data"]


def test_acting_for_a_person_is_refused_rather_than_ignored(client: TestClient) -> None:
    answer = client.post(
        "/graphql", json={"query": "{ hello }"}, headers={"roster-act-as": "VXNlcjox"}
    )

    assert (403, ["FORBIDDEN"]) == (answer.status_code, codes(answer.json()))


def test_the_viewer_is_of_the_tokens_institution(client: TestClient) -> None:
    assert {"institution": "demo"} == ask(client, "{ institution }")["data"]


class TestOrigins:
    @pytest.mark.parametrize(
        "origin",
        [
            pytest.param("https://roster.example.edu", id="the public address"),
            pytest.param("https://notebook.example.edu", id="a host's"),
            pytest.param("http://testserver", id="the address that was asked"),
        ],
    )
    def test_ours_and_a_hosts_are_answered(self, client: TestClient, origin: str) -> None:
        answer = client.post("/graphql", json={"query": "{ hello }"}, headers={"origin": origin})

        assert {"hello": "hello world"} == answer.json()["data"]

    @pytest.mark.parametrize(
        "origin",
        [
            "https://evil.example",
            "http://roster.example.edu",
            "https://roster.example.edu:8443",
            "https://roster.example.edu.evil.example",
            "null",
            "https://[",
        ],
    )
    @pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS"])
    def test_others_are_refused(self, client: TestClient, method: str, origin: str) -> None:
        answer = client.request(
            method, "/graphql", params={"query": "{ hello }"}, headers={"origin": origin}
        )

        assert (403, ["FORBIDDEN_ORIGIN"]) == (answer.status_code, codes(answer.json()))
        assert answer.json()["errors"][0]["extensions"]["requestId"]

    def test_a_request_without_a_host_has_no_origin_of_its_own(self, client: TestClient) -> None:
        answer = client.post(
            "/graphql",
            json={"query": "{ hello }"},
            headers={"origin": "http://none", "host": ""},
        )

        assert 403 == answer.status_code

    def test_a_hosts_page_may_ask_beforehand_and_read_the_answer(self, client: TestClient) -> None:
        origin = {"origin": "https://notebook.example.edu"}
        before = client.options(
            "/graphql",
            headers={
                **origin,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,content-type,roster-act-as",
            },
        )
        answer = client.post("/graphql", json={"query": "{ hello }"}, headers=origin)

        assert 200 == before.status_code
        assert origin["origin"] == before.headers["access-control-allow-origin"]
        assert origin["origin"] == answer.headers["access-control-allow-origin"]
        assert "origin" in answer.headers["vary"].lower()

    def test_our_own_page_gets_no_permission_for_others(self, client: TestClient) -> None:
        answer = client.post("/graphql", json={"query": "{ hello }"})

        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b'{"query": "{ hello }"}'),
        ("application/x-www-form-urlencoded", b"query=%7B%20hello%20%7D"),
        ("application/graphql", b"{ hello }"),
        ("application/json; charset=utf-16", '{"query": "{ hello }"}'.encode("utf-16")),
        ("", b'{"query": "{ hello }"}'),
    ],
)
def test_only_json_may_be_posted(client: TestClient, content_type: str, body: bytes) -> None:
    answer = client.post("/graphql", content=body, headers={"content-type": content_type})

    assert (415, ["UNSUPPORTED_MEDIA_TYPE"]) == (answer.status_code, codes(answer.json()))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "`operations`"),
        ({"operations": "{}", "map": "no"}, "`map`"),
        ({"operations": "[]", "map": "{}"}, "batches"),
        ({"operations": "{}", "map": '{"1": ["variables.file"]}'}, "'1'"),
        ({"operations": "{}", "map": '{"0": ["variables.file"]}'}, "variables.file"),
        ({"operations": '{"variables": {"file": 1}}', "map": '{"0": ["variables.file"]}'}, "null"),
    ],
)
def test_a_form_of_another_shape_is_refused(
    client: TestClient, form: dict[str, str], said: str
) -> None:
    answer = client.post("/graphql", files={"0": ("report.csv", b"x")}, data=form)

    assert answer.status_code == 400
    assert said in answer.json()["errors"][0]["message"]


def test_a_large_body_is_refused_in_json_declared_or_not(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(30):
            yield b" " * 100_000

    json_header = {"content-type": "application/json"}
    declared = client.post("/graphql", content=b" " * 1_000_001, headers=json_header)
    chunked = client.post("/graphql", content=chunks(), headers=json_header)

    for answer in (declared, chunked):
        assert (413, ["CONTENT_TOO_LARGE"]) == (answer.status_code, codes(answer.json()))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "BAD_REQUEST"),
        (b"[]", "BAD_REQUEST"),
        (b'[{"query": "{ hello }"}]', "BAD_REQUEST"),
        (b'"{ hello }"', "BAD_REQUEST"),
        (b'{"query": 7}', "BAD_REQUEST"),
        (b'{"query": ""}', "BAD_REQUEST"),
        (b'{"query": "{ hello }", "variables": []}', "BAD_REQUEST"),
        (b'{"query": "{ hello }", "operationName": 7}', "BAD_REQUEST"),
        (b'{"query": "{ hello }", "extensions": "x"}', "BAD_REQUEST"),
        (b'{"query": "\\ud800"}', "BAD_REQUEST"),
        (b'{"query": "\xff"}', "BAD_REQUEST"),
    ],
)
def test_a_malformed_request_is_refused(client: TestClient, body: bytes, code: str) -> None:
    answer = client.post("/graphql", content=body, headers={"content-type": "application/json"})

    assert (400, [code]) == (answer.status_code, codes(answer.json()))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ hello", "GRAPHQL_PARSE_FAILED"),
        ("{ goodbye }", "GRAPHQL_VALIDATION_FAILED"),
        ("query a { hello } query b { hello }", "OPERATION_RESOLUTION_FAILURE"),
        ("query ($n: Int!) { people(first: $n) { nodes { name } } }", "BAD_USER_INPUT"),
        ("{" + " hello" * 2000 + "}", "TOKEN_LIMIT"),
        ("{" + "person { friends { nodes {" * 15 + "name" + "}}}" * 15 + "}", "DEPTH_LIMIT"),
        ("{ person " * 600 + "}" * 600, "DEPTH_LIMIT"),
        ("{" + " ".join(f"a{n}: hello" for n in range(101)) + "}", "ALIAS_LIMIT"),
        (
            "{ people(first: 5000) { nodes { friends(first: 5000) { nodes { name } } } } }",
            "COST_LIMIT",
        ),
        ("subscription { count(to: 1) }", "STREAM_REQUIRED"),
    ],
)
def test_an_operation_that_cannot_run_has_a_code_and_no_data(
    client: TestClient, query: str, code: str
) -> None:
    answer = client.post("/graphql", json={"query": query}, headers={"accept": GRAPHQL_JSON})

    assert (400, [code]) == (answer.status_code, codes(answer.json()))
    assert "data" not in answer.json()


def test_a_long_chain_of_fragments_is_answered_or_refused_but_overflows_nothing(
    client: TestClient,
) -> None:
    def chain(length: int) -> str:
        links = (f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(length))
        return f"{{ ...F0 }} {' '.join(links)} fragment F{length} on Query {{ hello }}"

    assert {"hello": "hello world"} == ask(client, chain(100))["data"]
    assert ["GRAPHQL_VALIDATION_FAILED"] == codes(ask(client, chain(240)))


def test_the_older_media_type_says_the_same_with_200(client: TestClient) -> None:
    answer = client.post("/graphql", json={"query": "{ goodbye }"})

    assert (200, ["GRAPHQL_VALIDATION_FAILED"]) == (answer.status_code, codes(answer.json()))


def test_a_mutation_is_refused_by_get(client: TestClient) -> None:
    answer = client.get("/graphql", params={"query": "mutation { touch }"})

    assert (405, "POST") == (answer.status_code, answer.headers["allow"])
    assert ["METHOD_NOT_ALLOWED"] == codes(answer.json())


def test_a_query_by_get_takes_variables_and_a_name(client: TestClient) -> None:
    parameters = {
        "query": "query a { hello } query b($name: String!) { hello(name: $name) }",
        "operationName": "b",
        "variables": '{"name": "Ada"}',
    }

    assert {"hello": "hello Ada"} == client.get("/graphql", params=parameters).json()["data"]


class TestErrors:
    def test_our_own_faults_are_masked_and_told_by_their_id(
        self, client: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = client.post("/graphql", json={"query": "{ broken hello }"})

        [error] = answer.json()["errors"]
        assert {"broken": None, "hello": "hello world"} == answer.json()["data"]
        assert "INTERNAL_ERROR" == error["extensions"]["code"]
        assert answer.headers["x-request-id"] == error["extensions"]["requestId"]
        assert ["broken"] == error["path"]
        assert "a secret of ours" not in answer.text
        [fault] = [one for one in caplog.records if one.levelno >= logging.ERROR]
        line = logs.JsonFormatter().format(fault)
        assert "builtins.RuntimeError" in line
        assert "small_graph.py" in line
        assert "a secret of ours" not in line

    def test_what_concerns_the_caller_is_told(self, client: TestClient) -> None:
        body = ask(client, "{ ambiguous refused }")

        assert ["AMBIGUOUS", "BAD_USER_INPUT"] == codes(body)
        assert ["two people have this id", "not like this"] == [
            one["message"] for one in body["errors"]
        ]

    def test_an_operation_that_takes_too_long_is_ended(self, client: TestClient) -> None:
        answer = client.post("/graphql", json={"query": "{ slow(seconds: 30) }"})

        assert 200 == answer.status_code
        assert ["TIMEOUT"] == codes(answer.json())
        assert answer.json()["data"] is None

    def test_a_failing_subscription_is_masked_too(self, client: TestClient) -> None:
        answer = client.post(
            "/graphql",
            json={"query": "subscription { failing }"},
            headers={"accept": "text/event-stream"},
        )

        assert "a secret of ours" not in answer.text
        assert "INTERNAL_ERROR" in answer.text

    def test_a_request_id_is_kept_when_it_looks_like_one(self, client: TestClient) -> None:
        kept = client.get("/healthz", headers={"x-request-id": "proxy-0123456789"})
        replaced = client.get("/healthz", headers={"x-request-id": 'x" onload="y'})

        assert "proxy-0123456789" == kept.headers["x-request-id"]
        assert 16 == len(replaced.headers["x-request-id"])


class TestCost:
    @pytest.mark.parametrize(
        ("query", "variables", "cost"),
        [
            pytest.param("{ hello }", {}, 0, id="no objects"),
            pytest.param("{ person { name } }", {}, 1, id="one"),
            pytest.param("{ people { nodes { name } } }", {}, 51, id="a page"),
            pytest.param("{ people(first: 7) { nodes { name } } }", {}, 8, id="a smaller page"),
            pytest.param(
                "query ($n: Int) { people(first: $n) { nodes { name } } }",
                {"n": 9},
                10,
                id="variable",
            ),
            pytest.param(
                "query ($n: Int = 3) { people(first: $n) { nodes { name } } }", {}, 4, id="default"
            ),
            pytest.param(
                "query ($n: Int) { people(first: $n) { nodes { name } } }", {}, 51, id="left out"
            ),
        ],
    )
    def test_every_answer_says_what_it_may_cost(
        self, client: TestClient, query: str, variables: dict[str, object], cost: int
    ) -> None:
        body = ask(client, query, variables=variables)

        assert {"cost": cost} == body["extensions"]
        assert "errors" not in body

    def test_a_refused_one_too(self, client: TestClient) -> None:
        body = ask(client, "{people(first:5000){nodes{friends(first:5000){nodes{name}}}}}")

        assert body["extensions"]["cost"] > 500_000


class TestHealth:
    def test_it_lives(self, anonymous: TestClient) -> None:
        assert {"status": "alive"} == anonymous.get("/healthz").json()

    async def test_it_is_not_ready_while_a_migration_is_missing(
        self, own_client: TestClient, database: Database
    ) -> None:
        async def forget(transaction: Any) -> None:
            await transaction.run("delete from tortoise_migrations")

        assert {"status": "ready"} == own_client.get("/readyz").json()
        await database.transact(forget)
        answer = own_client.get("/readyz")

        assert 503 == answer.status_code
        assert "migration" in answer.json()["reason"]

    def test_it_counts_without_naming_anybody(self, own_client: TestClient, token: str) -> None:
        client = own_client
        ask(client, '{ hello(name: "Ada Lovelace") }')
        ask(client, "{ broken }")
        ask(client, "{ goodbye }")
        client.get("/nowhere/Ada-Lovelace")
        text = client.get("/metrics").text

        assert 'roster_operations_total{kind="query",outcome="OK"} 1.0' in text
        assert 'roster_operations_total{kind="query",outcome="INTERNAL_ERROR"} 1.0' in text
        assert 'roster_http_requests_total{method="POST",route="/graphql",status="200"} 3.0' in text
        assert 'roster_http_requests_total{method="GET",route="other",status="404"} 1.0' in text
        assert 'roster_database_connections{state="busy"} 0.0' in text
        assert "roster_open_subscriptions 0.0" in text
        assert "Lovelace" not in text
        assert token not in text


def test_the_log_tells_of_requests_and_not_of_what_they_say(
    shared: tuple[TestClient, str], client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    _, token = shared
    caplog.set_level(logging.INFO)
    answer = client.get("/graphql", params={"query": '{ hello(name: "Ada Lovelace") }'})
    client.post("/graphql", json={"query": '{ hello(name: "Ada Lovelace" }'})
    client.post("/graphql", json={"query": '{ goodbye(name: "Ada Lovelace") }'})

    ours = [one for one in caplog.records if not one.name.startswith(("httpx", "asyncio"))]
    lines = [logs.JsonFormatter().format(one) for one in ours]
    access = [json.loads(one) for one in lines if '"gateway.access"' in one]
    assert {"method": "GET", "route": "/graphql", "status": 200} == {
        name: access[0][name] for name in ("method", "route", "status")
    }
    assert answer.headers["x-request-id"] != ""
    assert not any("Lovelace" in one or token in one for one in lines)
    assert not any(one.name.startswith("strawberry") for one in caplog.records)


def test_a_database_that_is_behind_is_refused_at_start_in_words(database_url: str) -> None:
    """On PostgreSQL migrating is a step of its own; SQLite is brought up to date."""
    settings = settings_for(database_url)
    app = create_app(settings, make_graph=make_graph)
    if settings.server.is_sqlite:
        with TestClient(app) as client:
            assert {"status": "ready"} == client.get("/readyz").json()
    else:
        with pytest.raises(Exception, match="roster migrate"), TestClient(app):
            pass
