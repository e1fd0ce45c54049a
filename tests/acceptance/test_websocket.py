"""graphql-transport-ws, message by message, and a client that changes its mind two hundred times."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect

from tests.acceptance.conftest import StartServer
from tests.acceptance.server_process import ServerProcess

PROTOCOL = "graphql-transport-ws"
LONGEST_MUTATION = 0.005


def socket(client: TestClient, **headers: str) -> WebSocketTestSession:
    return client.websocket_connect("/graphql", subprotocols=[PROTOCOL], headers=headers)


def subscribe(query: str, id_: str = "1", **payload: object) -> dict[str, object]:
    return {"id": id_, "type": "subscribe", "payload": {"query": query, **payload}}


@contextmanager
def opened(client: TestClient) -> Iterator[WebSocketTestSession]:
    """A connection by the header that `client` carries."""
    with socket(client) as session:
        session.send_json({"type": "connection_init"})
        assert {"type": "connection_ack"} == session.receive_json()
        yield session


def test_a_browser_sends_its_token_in_the_payload(shared: tuple[TestClient, str]) -> None:
    client, secret = shared
    client.headers.pop("authorization", None)
    with socket(client) as session:
        session.send_json(
            {"type": "connection_init", "payload": {"Authorization": f"Bearer {secret}"}}
        )
        assert {"type": "connection_ack"} == session.receive_json()
        session.send_json(subscribe("{ institution }"))
        assert {
            "id": "1",
            "type": "next",
            "payload": {"data": {"institution": "demo"}, "extensions": {"cost": 0}},
        } == session.receive_json()
        assert {"id": "1", "type": "complete"} == session.receive_json()


def test_a_subscription_answers_until_it_ends(client: TestClient) -> None:
    with opened(client) as session:
        session.send_json(
            subscribe("subscription ($to: Int!) { count(to: $to) }", variables={"to": 2})
        )
        numbers = [session.receive_json()["payload"]["data"]["count"] for _ in range(2)]

        assert [1, 2] == numbers
        assert {"id": "1", "type": "complete"} == session.receive_json()


def test_operations_run_side_by_side(client: TestClient) -> None:
    with opened(client) as session:
        session.send_json(subscribe("subscription { ticks }", "a"))
        assert "a" == session.receive_json()["id"]
        session.send_json(subscribe("{ hello }", "b"))
        assert [("b", "next"), ("b", "complete")] == [
            (one["id"], one["type"]) for one in (session.receive_json(), session.receive_json())
        ]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"Authorization": "Bearer rst_unknown"},
        {"Authorization": 7},
        {"token": "rst_unknown"},
    ],
)
def test_a_connection_without_a_credential_is_forbidden(
    anonymous: TestClient, payload: object
) -> None:
    message = {"type": "connection_init"} | ({"payload": payload} if payload is not None else {})
    with socket(anonymous) as session:
        session.send_json(message)
        with pytest.raises(WebSocketDisconnect) as closed:
            session.receive_json()

    assert 4403 == closed.value.code


def test_asking_before_the_handshake_is_unauthorized(client: TestClient) -> None:
    with socket(client) as session:
        session.send_json(subscribe("{ hello }"))
        with pytest.raises(WebSocketDisconnect) as closed:
            session.receive_json()

    assert 4401 == closed.value.code


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("no JSON", 4400),
        ("[]", 4400),
        ("null", 4400),
        ("7", 4400),
        ('{"type": "unheard_of"}', 4400),
        ('{"no": "type"}', 4400),
        ('{"type": "subscribe"}', 4400),
        ('{"type": "subscribe", "id": [], "payload": {"query": "{ hello }"}}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": []}', 4400),
        ('{"type": "connection_init", "payload": []}', 4400),
        ('{"type": "connection_init"}', 4429),
    ],
)
def test_a_message_that_the_protocol_does_not_know_closes_the_connection(
    client: TestClient, message: str, code: int
) -> None:
    with opened(client) as session:
        session.send_text(message)
        with pytest.raises(WebSocketDisconnect) as closed:
            session.receive_json()

    assert code == closed.value.code


def test_binary_messages_close_the_connection(client: TestClient) -> None:
    with opened(client) as session:
        session.send_bytes(b'{"type": "ping"}')
        with pytest.raises(WebSocketDisconnect) as closed:
            session.receive_json()

    assert 4400 == closed.value.code


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": "{ hello"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ goodbye }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "{ hello }", "operationName": "other"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"query": 7}, "BAD_REQUEST"),
        ({"query": None}, "BAD_REQUEST"),
        ({"query": "{ hello }", "variables": []}, "BAD_REQUEST"),
        ({"query": "{ hello }", "operationName": 7}, "BAD_REQUEST"),
        ({"query": "subscription ($to: Int!) { count(to: $to) }"}, "BAD_USER_INPUT"),
        ({"query": "{people(first:5000){nodes{friends(first:5000){nodes{name}}}}}"}, "COST_LIMIT"),
    ],
)
def test_an_operation_that_cannot_run_is_an_error_message_and_the_connection_lives_on(
    client: TestClient, payload: dict[str, Any], code: str
) -> None:
    with opened(client) as session:
        session.send_json({"id": "1", "type": "subscribe", "payload": payload})
        answer = session.receive_json()
        assert ("1", "error") == (answer["id"], answer["type"])
        assert [code] == [one["extensions"]["code"] for one in answer["payload"]]
        assert answer["payload"][0]["extensions"]["requestId"]

        session.send_json({"type": "ping"})
        assert {"type": "pong"} == session.receive_json()


def test_a_fault_of_ours_is_masked(client: TestClient) -> None:
    with opened(client) as session:
        session.send_json(subscribe("subscription { failing }"))
        assert {"failing": 1} == session.receive_json()["payload"]["data"]
        [error] = session.receive_json()["payload"]["errors"]

    assert "INTERNAL_ERROR" == error["extensions"]["code"]
    assert "secret" not in error["message"]


def test_another_protocol_is_not_spoken(client: TestClient) -> None:
    with client.websocket_connect("/graphql", subprotocols=["graphql-ws"]) as session:
        with pytest.raises(WebSocketDisconnect) as closed:
            session.receive_json()

        assert 4406 == closed.value.code


def test_a_foreign_page_is_refused_before_the_handshake(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), socket(client, origin="https://evil.example"):
        pass


@pytest.mark.parametrize(
    "origin",
    ["https://notebook.example.edu", "https://roster.example.edu", "http://testserver"],
)
def test_a_hosts_page_and_ours_are_not(client: TestClient, origin: str) -> None:
    with socket(client, origin=origin) as session:
        session.send_json({"type": "connection_init"})
        assert {"type": "connection_ack"} == session.receive_json()


async def acknowledged(server: ServerProcess, token: str) -> ClientConnection:
    connection = await connect(
        f"ws://127.0.0.1:{server.port}/graphql",
        subprotocols=[PROTOCOL],  # type: ignore[list-item]  # a NewType of str
        additional_headers={"authorization": f"Bearer {token}"},
    )
    await connection.send(json.dumps({"type": "connection_init"}))
    assert {"type": "connection_ack"} == json.loads(await connection.recv())
    return connection


async def answer(connection: ClientConnection, query: str) -> Any:
    await connection.send(json.dumps(subscribe(query, "asked")))
    async for text in connection:
        message = json.loads(text)
        if message.get("id") == "asked" and message["type"] != "complete":
            return message["payload"]
    return pytest.fail("the connection was closed")


async def test_a_storm_of_cancelled_operations_leaves_the_database_answering(
    start_server: StartServer, token: str
) -> None:
    """A transaction that is cancelled while it opens would keep the database's lock, or a pool's connection, for ever."""
    with start_server() as server:
        connection = await acknowledged(server, token)
        for number in range(200):
            query = "subscription { ticks }" if number % 4 == 0 else "mutation { touch }"
            await connection.send(json.dumps(subscribe(query, str(number))))
            await asyncio.sleep(number / 200 * LONGEST_MUTATION)  # each is cut at a later point
            await connection.send(json.dumps({"id": str(number), "type": "complete"}))
        async with asyncio.timeout(10):
            assert {"touch": 1} == (await answer(connection, "mutation { touch }"))["data"]
            while (await answer(connection, "{ openTicks }"))["data"]["openTicks"]:
                pass
        await connection.close()
