"""SIS imports of enrollments: the file, sending it, waiting for its end, and what Canvas says of its rows.

Never batch mode, which drops whatever a file does not name, and never diffing, which compares with files and not with Canvas:
no option of either can be passed. canvas-lms: app/controllers/sis_imports_api_controller.rb,
app/models/sis_batch.rb, lib/sis/csv/enrollment_importer.rb
"""

import csv
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.canvas.client import Call, Canvas, File
from gateway.change_paths import FIRST_WAIT, LONGEST_WAIT
from gateway.errors import CutShort, SourceDown
from models.roster import EnrollmentState, EnrollmentType

HEADER = (
    *("course_id", "section_id", "user_id", "role", "status", "associated_user_id"),
    *("limit_section_privileges", "start_date", "end_date", "notify"),
)
_STATUSES = {
    EnrollmentState.ACTIVE: "active",
    EnrollmentState.COMPLETED: "completed",
    EnrollmentState.INACTIVE: "inactive",
    EnrollmentState.DELETED: "deleted",
}
_ENDED = frozenset(
    {"imported", "imported_with_messages", "failed", "failed_with_messages", "aborted"}
)
# Always sent, though it caps batch mode and diffing alone: should a site's default ever be one of them, little can go.
_CHANGE_THRESHOLD = "1"

_MOST_LOOKS = 1_000

Sleep = Callable[[float], Awaitable[None]]
Meanwhile = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of enrollments.csv, by SIS ids. Section and course both, so that no default section is meant.

    `dates`: both or neither; absent ones clear what Canvas has.
    """

    course: str
    section: str
    user: str
    type: EnrollmentType
    role: str
    state: EnrollmentState
    associated: str | None = None
    limited: bool | None = None
    dates: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, kw_only=True)
class Import:
    """`files`: names of what was uploaded, once Canvas has opened it."""

    id: str
    state: str
    created_at: datetime
    files: frozenset[str] = frozenset()
    progress: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    says: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state in _ENDED

    @property
    def opened(self) -> bool:
        """Whether Canvas would by now say what was uploaded."""
        return self.state not in ("initializing", "created")


@dataclass(frozen=True, kw_only=True)
class Message:
    """Of a row of the file (1 is the header), or None where the importer does not say which."""

    text: str
    row: int | None


def enrollments_csv(lines: Sequence[Line]) -> bytes:
    """The file; the first line is its row 2."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(map(_cells, lines))
    return out.getvalue().encode()


def _cells(line: Line) -> tuple[str, ...]:
    start, end = line.dates or (None, None)
    return (
        line.course,
        line.section,
        line.user,
        _role(line),
        _STATUSES[line.state],
        line.associated or "",
        "" if line.limited is None else str(line.limited).lower(),
        "" if start is None else start.isoformat(),
        "" if end is None else end.isoformat(),
        "false",
    )


def _role(line: Line) -> str:
    """Built-in roles have words of their own in SIS files; custom ones go by their exact name."""
    built_in = f"{line.type.title()}Enrollment"
    return line.type.lower() if line.role == built_in else line.role


@dataclass(frozen=True, kw_only=True)
class SisImports:
    """Of one root account."""

    canvas: Canvas
    account: str
    sleep: Sleep

    async def send(self, call: Call, name: str, lines: Sequence[Line]) -> Import:
        """Queue the file, once. Where that is not known (SourceDown), `sent` finds out whether it arrived."""
        params = [
            ("import_type", "instructure_csv"),
            ("extension", "csv"),
            ("change_threshold", _CHANGE_THRESHOLD),
        ]
        file = File(name=name, content=enrollments_csv(lines), type="text/csv")
        return _import(await self.canvas.send_file(call, self._path, params, file))

    async def sent(self, call: Call, name: str, *, since: datetime) -> Import | None:
        """The import of the file of that name, if it arrived; None when it certainly did not."""
        for _ in range(_MOST_LOOKS):
            found = await self._since(call, since)
            for one in found:
                if name in one.files:
                    return one
            if all(one.opened for one in found):
                return None
            await self.sleep(FIRST_WAIT)  # one that waits in the queue may be it
        raise SourceDown("imports wait in Canvas's queue, and it does not say what is in them")

    async def _since(self, call: Call, since: datetime) -> list[Import]:
        params = [("created_since", since.isoformat())]
        found: list[Import] = []
        async for page in self.canvas.pages(call, self._path, params, under="sis_imports"):
            found += map(_import, page)
        return found

    async def show(self, call: Call, import_id: str) -> Import:
        return _import(await self.canvas.get(call, f"{self._path}/{import_id}"))

    async def ended(
        self, call: Call, import_id: str, *, within: timedelta, meanwhile: Meanwhile | None = None
    ) -> Import:
        """The import when it is over, however it ended. SourceDown when it takes too long."""
        wait, waited = FIRST_WAIT, 0.0
        while True:
            await self.sleep(wait)
            if meanwhile is not None:
                await meanwhile()
            waited, wait = waited + wait, min(wait * 2, LONGEST_WAIT)
            found = await self.show(call, import_id)
            if found.ended:
                return found
            if waited >= within.total_seconds():
                raise SourceDown(f"SIS import {import_id} is still {found.state} after {within}")

    async def abort(self, call: Call, import_id: str) -> None:
        await self.canvas.write(call, "PUT", f"{self._path}/{import_id}/abort")

    async def messages(self, call: Call, import_id: str) -> list[Message]:
        """Warnings and errors of its rows; a row that has one may have been applied all the same."""
        found: list[Message] = []
        path = f"{self._path}/{import_id}/errors"
        async for page in self.canvas.pages(call, path, under="sis_import_errors"):
            found += [
                Message(text=str(one.get("message")), row=_number(one.get("row"))) for one in page
            ]
        return found

    @property
    def _path(self) -> str:
        return f"/accounts/{self.account}/sis_imports"


def _import(row: Mapping[str, Any]) -> Import:
    created = row.get("created_at")
    if "id" not in row or not isinstance(created, str):
        raise CutShort("Canvas answered with a SIS import that has no id, or no beginning")
    data = row.get("data")
    counts = data.get("counts") if isinstance(data, Mapping) else None
    pairs = [*row.get("processing_errors", ()), *row.get("processing_warnings", ())]
    return Import(
        id=str(row["id"]),
        state=str(row.get("workflow_state")),
        created_at=datetime.fromisoformat(created),
        files=frozenset(
            str(name)
            for file in row.get("csv_attachments", ())
            for name in (file.get("filename"), file.get("display_name"))
            if name
        ),
        progress=_number(row.get("progress")) or 0,
        counts=counts if isinstance(counts, Mapping) else {},
        says=tuple(str(pair[-1]) for pair in pairs if pair),
    )


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int | str) and str(value).isdecimal() else None


# What Canvas says of a row, by the fixed part of its English text, and what to do about it. The first that fits counts.
_FIXES: tuple[tuple[str, str], ...] = (
    ("User not found", "give the person a login with this SIS id, or mend the SIS id"),
    ("non-existent section", "make the section first, or mend its SIS id"),
    ("non-existent course", "make the course first, or mend its SIS id"),
    ("non-existent associated user", "mend the SIS id of whom the person observes"),
    ("Neither course nor section existed", "make the course and the section first"),
    ("that are unrelated for user", "the section is in another course now: plan the change anew"),
    ("Improper role", "use a role that this account has and that is active"),
    ("not allowed in blueprint course", "a blueprint course takes no students and no observers"),
    ("Attempted enrolling of deleted user", "the person was deleted in Canvas: restore them first"),
    ("Attempted enrolling with deleted sis login", "give the person a login that is active"),
    ("referenced a deleted sis login", "give the person an active login with this SIS id"),
    ("did not pass validation", "Canvas does not allow this enrollment"),
    ("Bad date format", "the dates were not set: change the enrollment by itself"),
)


def fix(message: str) -> str | None:
    """What to do about a row's message; None for one that is not known."""
    return next((advice for part, advice in _FIXES if part in message), None)
