"""SIS imports: sending a file, waiting for its end, and what Canvas says of its rows.

Never batch mode, which drops whatever a file does not name: no option of it can be passed. Diffing, which compares a file with
the one before and not with Canvas, only as a `DataSet`. canvas-lms: app/controllers/sis_imports_api_controller.rb,
app/models/sis_batch.rb, lib/sis/csv/enrollment_importer.rb
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.canvas.client import Call, Canvas, File
from gateway.canvas.sis_files import STATUSES
from gateway.change_paths import FIRST_WAIT, LONGEST_WAIT
from gateway.errors import CutShort, SourceDown
from models.roster import EnrollmentState

_ENDED = frozenset(
    {"imported", "imported_with_messages", "failed", "failed_with_messages", "aborted"}
)
_IMPORTED = frozenset({"imported", "imported_with_messages"})
# Always sent, though it caps batch mode and diffing alone: should a site's default ever be one of them, little can go.
_CHANGE_THRESHOLD = 1  # percent

_MOST_LOOKS = 1_000

Sleep = Callable[[float], Awaitable[None]]
Meanwhile = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Files of one `identifier` are compared by Canvas, each with the last that it imported.

    `whole`: it applies all of this one, and compares nothing; else only what differs, if that is not more than `rows` and
    the sizes are not further apart than `percent`. `dropped`: what it makes of rows that are missing.
    """

    identifier: str
    dropped: EnrollmentState
    whole: bool
    rows: int = 0
    percent: int = _CHANGE_THRESHOLD

    @property
    def params(self) -> list[tuple[str, str]]:
        said = [
            ("diffing_data_set_identifier", self.identifier),
            ("diffing_drop_status", STATUSES[self.dropped]),
        ]
        if self.whole:
            return [*said, ("diffing_remaster_data_set", "true")]
        return [*said, ("diff_row_count_threshold", str(self.rows))]


@dataclass(frozen=True, kw_only=True)
class Import:
    """`files`: names of what was uploaded, once Canvas has opened it.

    `data_set`: what it is compared by; `compared_with`: the import that it was; `exceeded`: it was not, there was too much
    that differs, and all of it was applied.
    """

    id: str
    state: str
    created_at: datetime
    ended_at: datetime | None = None
    files: frozenset[str] = frozenset()
    progress: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    data_set: str | None = None
    compared_with: str | None = None
    exceeded: bool = False

    @property
    def succeeded(self) -> bool:
        """To its end, that is: each of its rows may have been rejected."""
        return self.state in _IMPORTED

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


@dataclass(frozen=True, kw_only=True)
class SisImports:
    """Of one root account."""

    canvas: Canvas
    account: str
    sleep: Sleep

    async def send(
        self, call: Call, name: str, content: bytes, data_set: DataSet | None = None
    ) -> Import:
        """Queue the file, once. Where that is not known (SourceDown), `sent` finds out whether it arrived."""
        threshold = _CHANGE_THRESHOLD if data_set is None else data_set.percent
        params = [
            ("import_type", "instructure_csv"),
            ("extension", "csv"),
            ("change_threshold", str(threshold)),
            *([] if data_set is None else data_set.params),
        ]
        file = File(name=name, content=content, type="text/csv")
        return _import(await self.canvas.send_file(call, self._path, params, file))

    async def newest(self, call: Call, data_set: str, *, since: datetime) -> str | None:
        """The id of the import that Canvas would compare the next file of this data set with, of those made `since` then."""
        ours = [
            one
            for one in await self._since(call, since - timedelta(seconds=1))
            if one.data_set == data_set and one.succeeded and not one.exceeded
        ]
        return max(ours, key=lambda one: (one.created_at, int(one.id))).id if ours else None

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
    created, ended = row.get("created_at"), row.get("ended_at")
    if "id" not in row or not isinstance(created, str):
        raise CutShort("Canvas answered with a SIS import that has no id, or no beginning")
    data = row.get("data")
    data = data if isinstance(data, Mapping) else {}
    counts, base = data.get("counts"), data.get("diffed_against_sis_batch_id")
    pairs = [*row.get("processing_errors", ()), *row.get("processing_warnings", ())]
    return Import(
        id=str(row["id"]),
        state=str(row.get("workflow_state")),
        created_at=datetime.fromisoformat(created),
        ended_at=datetime.fromisoformat(ended) if isinstance(ended, str) else None,
        files=frozenset(
            str(name)
            for file in row.get("csv_attachments", ())
            for name in (file.get("filename"), file.get("display_name"))
            if name
        ),
        progress=_number(row.get("progress")) or 0,
        counts=counts if isinstance(counts, Mapping) else {},
        says=tuple(str(pair[-1]) for pair in pairs if pair),
        data_set=row.get("diffing_data_set_identifier"),
        compared_with=None if base is None else str(base),
        exceeded=bool(row.get("diffing_threshold_exceeded")),
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
    ("hreshold", "plan it anew: the file then goes whole, and nothing is compared"),
    ("Bad date format", "the dates were not set: change the enrollment by itself"),
)


def fix(message: str) -> str | None:
    """What to do about a row's message; None for one that is not known."""
    return next((advice for part, advice in _FIXES if part in message), None)
