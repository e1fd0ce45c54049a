"""A log line is one JSON object, and says what happened without quoting anybody."""

import json
import logging

import pytest

from gateway import logs


def line(**more: object) -> dict[str, object]:
    record = logging.LogRecord("gateway.x", logging.INFO, __file__, 1, "read %s", ("7 rows",), None)
    for name, value in more.items():
        setattr(record, name, value)
    parsed: dict[str, object] = json.loads(logs.JsonFormatter().format(record))
    return parsed


def test_a_line_has_its_time_level_logger_and_message() -> None:
    parsed = line(created=0.0)

    assert {
        "time": "1970-01-01T00:00:00.000+00:00",
        "level": "info",
        "logger": "gateway.x",
        "message": "read 7 rows",
    } == parsed


def test_a_line_within_a_request_has_its_id_and_its_own_fields() -> None:
    token = logs.request_id.set("0123456789abcdef")
    try:
        parsed = line(fields={"rows": 7})
    finally:
        logs.request_id.reset(token)

    assert ("0123456789abcdef", 7) == (parsed["requestId"], parsed["rows"])


def test_an_exception_is_told_by_its_kind_and_place_with_its_cause_but_not_in_its_words() -> None:
    def find(email: str) -> str:
        return {"toneil@school.example.edu": "Theodora"}[email]

    def name(email: str) -> str:
        try:
            return find(email)
        except KeyError as error:
            raise ValueError("Ada Lovelace is not there") from error

    with pytest.raises(ValueError, match="Ada") as raised:
        name("ada@school.example.edu")
    parsed = line(exc_info=(raised.type, raised.value, raised.tb))

    text = json.dumps(parsed)
    assert '"builtins.ValueError"' in text
    assert '"builtins.KeyError"' in text
    assert "test_logs.py:" in text
    assert "Ada" not in text
    assert "ada@" not in text
