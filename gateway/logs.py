"""Logs: one JSON object a line, with the id of the request it belongs to; never a query's text, a token or a person."""

import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType

import orjson

request_id: ContextVar[str] = ContextVar("request_id", default="")


class JsonFormatter(logging.Formatter):
    """A record as a line of JSON; `extra={"fields": {…}}` adds members to it."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if current := request_id.get():
            entry["requestId"] = current
        entry |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1]:
            entry["exception"] = outline(record.exc_info[1])
        return orjson.dumps(entry, default=str).decode()


def outline(error: BaseException) -> dict[str, object]:
    """What kind of error it was and where; a driver's message quotes the row, so no message is kept."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "frames": _frames(error.__traceback__),
        **({"cause": outline(cause)} if cause else {}),
    }


def _frames(trace: TracebackType | None) -> list[str]:
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(trace, limit=-20)
    ]


def configure(level: int = logging.INFO) -> None:
    """Send every logger's lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # no line tells of these, and finding them out for each costs as much as writing it (the logging HOWTO, Optimization)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001  the HOWTO's own way
    # its lines about WebSockets quote the query string, where a client may have put anything
    logging.getLogger("uvicorn.error").setLevel(max(level, logging.WARNING))
