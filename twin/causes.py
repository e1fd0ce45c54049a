"""What makes a change: a request of somebody, or a job of Canvas's own (fact sheet live-events.md §2)."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from twin.records import User

SIS_IMPORT = "SIS::CSV::ImportRefactored#run_parallel_importer"


@dataclass(frozen=True, slots=True)
class RequestCause:
    actor: User
    method: str
    url: str
    user_agent: str
    request_id: str
    developer_key_id: int


@dataclass(frozen=True, slots=True)
class JobCause:
    tag: str
    in_bulk: bool = False
    """Rows are updated many at a time, past everything that watches single rows."""


Cause = RequestCause | JobCause
_current: ContextVar[Cause | None] = ContextVar("cause", default=None)


def current() -> Cause | None:
    return _current.get()


@contextmanager
def because_of(cause: Cause) -> Iterator[None]:
    token = _current.set(cause)
    try:
        yield
    finally:
        _current.reset(token)
