"""Progress objects of background jobs (fact sheet enrollments-api.md §5.2)."""

from dataclasses import dataclass
from datetime import datetime
from itertools import count

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import ids
from twin.call import Call, api, iso
from twin.errors import NotFound, Unauthorized
from twin.permissions import root_rights

FIRST_ID = 5_001


@dataclass(slots=True, kw_only=True)
class Progress:
    id: int
    context_id: int
    context_type: str
    user_id: int
    tag: str
    created_at: datetime
    updated_at: datetime
    completion: float = 0.0
    workflow_state: str = "queued"
    message: str | None = None
    results: dict[str, object] | None = None

    def finish(self, at: datetime, state: str = "completed", message: str | None = None) -> None:
        self.workflow_state, self.message, self.updated_at = state, message, at
        self.completion = 100.0


class Progresses:
    def __init__(self) -> None:
        self._ids = count(FIRST_ID)
        self.by_id: dict[int, Progress] = {}

    def start(
        self, tag: str, context_type: str, context_id: int, user_id: int, now: datetime
    ) -> Progress:
        progress = Progress(
            id=next(self._ids),
            context_id=context_id,
            context_type=context_type,
            user_id=user_id,
            tag=tag,
            created_at=now,
            updated_at=now,
        )
        self.by_id[progress.id] = progress
        return progress


def progress_json(call: Call, progress: Progress) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": progress.id,
        "context_id": progress.context_id,
        "context_type": progress.context_type,
        "user_id": progress.user_id,
        "tag": progress.tag,
        "completion": progress.completion,
        "workflow_state": progress.workflow_state,
        "created_at": iso(progress.created_at),
        "updated_at": iso(progress.updated_at),
        "message": progress.message,
        "url": f"{call.options.public_url}/api/v1/progress/{progress.id}",
    }
    if progress.results is not None:
        shown["results"] = progress.results
    return shown


def show(call: Call) -> Response:
    """Whoever may read the root account, or started the job."""
    progresses: Progresses = call.request.app.state.progresses
    progress = progresses.by_id.get(ids.plain_id(call.school, call.path["id"]) or 0)
    if progress is None:
        raise NotFound
    if progress.user_id != call.user.id and "read" not in root_rights(call.school, call.user):
        raise Unauthorized
    return call.json(progress_json(call, progress))


routes: list[BaseRoute] = [
    api("GET", "/api/v1/progress/{id}", show),
]
