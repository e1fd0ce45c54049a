"""Account reports of Canvas: which runs there are, starting one, waiting for its end, and fetching its file.

Progress and the type's `last_run` tell nothing reliable, so a run is judged by its status and its parameters
(canvas-lms: app/controllers/account_reports_controller.rb). The file lies behind redirects to other hosts, which must not
see the token (canvas-lms: lib/authentication_methods.rb).
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.canvas.client import Call, Canvas
from gateway.errors import CutShort, OutboundError, SourceDown, SourceError, SourceRefused
from gateway.http.client import Client, Request

REPORT = "provisioning_csv"
FILES = ("users", "accounts", "terms", "courses", "sections", "enrollments", "xlist")

# Of these any narrows what the report shows; the others change its form, or add to it.
_NARROWING = (
    *("enrollment_term_id", "enrollment_term", "created_by_sis"),
    *("enrollment_filter", "enrollment_states"),
)
_RUNNING = ("created", "running", "compiling")
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=2), timedelta(seconds=20)
_MOST_BYTES = 8 * 1024**3
_MOST_SECONDS = 3_600.0
_REDIRECTS = 6

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Run:
    """`began_at`: when Canvas began to read, or was asked to; `ours`: we have started it; `file`: of a run that is over."""

    id: str
    status: str
    began_at: datetime
    parameters: Mapping[str, Any]
    ours: bool = False
    file: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def usable(self) -> bool:
        return self.status == "complete" and self.file is not None

    @property
    def under_way(self) -> bool:
        return self.status in _RUNNING

    @property
    def complete(self) -> bool:
        """Whether it shows every file of ours, narrowed by nothing."""
        return all(_is_set(self.parameters.get(name)) for name in FILES) and not any(
            _is_set(self.parameters.get(name)) for name in _NARROWING
        )


@dataclass(frozen=True, kw_only=True)
class Reports:
    """Of one account."""

    canvas: Canvas
    http: Client
    account: str
    sleep: Sleep

    async def runs(self, call: Call) -> list[Run]:
        """Everybody's, the newest first; only those that show all that we need."""
        async for page in self.canvas.pages(call, self._path):
            found = [run for run in map(_run, page) if run.complete]
            if found:
                return found
        return []

    async def start(self, call: Call, *, not_before: datetime) -> Run:
        """A run that is under way is shared: Canvas would begin a second one beside it. An older one must be stuck."""
        for run in await self.runs(call):
            if run.under_way and run.began_at >= not_before:
                return run
        fields = [(f"parameters[{name}]", "true") for name in (*FILES, "skip_message")]
        return replace(_run(await self.canvas.write(call, "POST", self._path, fields)), ours=True)

    async def find(self, call: Call, run_id: str) -> Run:
        """A run as it is now: the address of its file does not hold for long."""
        return _run(await self.canvas.get(call, f"{self._path}/{run_id}"))

    async def ended(self, call: Call, run: Run, *, within: timedelta) -> Run:
        """The run when it is over. SourceDown when it failed, or takes too long."""
        wait, waited = _FIRST_WAIT, timedelta(0)
        while run.under_way:
            if waited >= within:
                await self._give_up(call, run)
                raise SourceDown(f"report {run.id} is still {run.status} after {within}")
            await self.sleep(wait.total_seconds())
            waited, wait = waited + wait, min(wait * 2, _LONGEST_WAIT)
            run = replace(await self.find(call, run.id), ours=run.ours)
        if not run.usable:
            raise SourceDown(f"report {run.id} ended as {run.status}, without a file")
        return run

    async def _give_up(self, call: Call, run: Run) -> None:
        """A run of ours that is stuck would keep others waiting in the school's queue; somebody else's is theirs to end."""
        if run.ours:
            with suppress(SourceError):
                await self.canvas.write(call, "DELETE", f"{self._path}/{run.id}")

    async def fetch(self, call: Call, run: Run, into: Path) -> None:
        """Its file, a csv or a zip."""
        file = run.file or {}
        url, size = file.get("url"), file.get("size")
        if not isinstance(url, str):
            raise CutShort(f"report {run.id} has no file to fetch")
        try:
            await self._download(url, into)
        except SourceRefused:
            await self._download(await self._public_url(call, file), into)
        if isinstance(size, int) and into.stat().st_size != size:  # noqa: ASYNC240  a look at a local file does not wait
            raise CutShort(f"the file of report {run.id} is not as long as Canvas says")

    async def _public_url(self, call: Call, file: Mapping[str, Any]) -> str:
        """Where files have no verifier any more, a signed address of the file is asked for."""
        verifier = [("verifier", str(file["uuid"]))] if file.get("uuid") else []
        answer = await self.canvas.get(call, f"/files/{file.get('id')}/public_url", verifier)
        url = answer.get("public_url")
        if not isinstance(url, str):
            raise CutShort("Canvas does not say where the report's file is")
        return url

    async def _download(self, url: str, into: Path) -> None:
        try:
            async with self.http.stream(
                Request("GET", url),
                max_bytes=_MOST_BYTES,
                max_seconds=_MOST_SECONDS,
                redirects=_REDIRECTS,
            ) as download:
                if download.status in (401, 403, 404):
                    raise SourceRefused(f"the report's file answers {download.status}")
                if download.status != 200:
                    raise SourceDown(f"the report's file answers {download.status}")
                with into.open("wb") as out:
                    async for chunk in download.chunks:
                        out.write(chunk)
        except OutboundError as error:
            raise SourceDown(f"the report's file: {error}") from error

    @property
    def _path(self) -> str:
        return f"/accounts/{self.account}/reports/{REPORT}"


def _run(row: Mapping[str, Any]) -> Run:
    began = row.get("started_at") or row.get("created_at")
    if not isinstance(began, str) or "id" not in row:
        raise CutShort("Canvas answered with a report that has no id, or no beginning")
    parameters, file = row.get("parameters"), row.get("attachment")
    return Run(
        id=str(row["id"]),
        status=str(row.get("status")),
        began_at=datetime.fromisoformat(began),
        parameters=parameters if isinstance(parameters, Mapping) else {},
        file=file if isinstance(file, Mapping) else None,
    )


def _is_set(value: object) -> bool:
    """Canvas echoes what was sent, so that a truth may be a text."""
    return value not in (None, False, "", "false", "0", [], {})
