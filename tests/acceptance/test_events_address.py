"""`/events/canvas` on a whole server."""

from starlette.testclient import TestClient


def test_a_gateway_without_a_stream_takes_no_events(anonymous: TestClient) -> None:
    answer = anonymous.post("/events/canvas", content=b'{"metadata": {}, "body": {}}')

    assert (404, "no institution takes Live Events") == (answer.status_code, answer.text)


def test_it_is_only_posted_to_and_with_measure(anonymous: TestClient) -> None:
    assert 405 == anonymous.get("/events/canvas").status_code
    assert 413 == anonymous.post("/events/canvas", content=b" " * 2_000_001).status_code
