"""One SIS import: its options, its messages, its counts, and how its rows touch the school.

Fact sheet sis-imports.md §4 (counts, statistics), §5 (stickiness) and §6 (messages).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from twin.files import Attachment
from twin.records import (
    Account,
    AccountUser,
    CommunicationChannel,
    Course,
    Enrollment,
    Pseudonym,
    Row,
    Section,
    Term,
    User,
    UserObservation,
)
from twin.school import Change, School
from twin.sis_files import COUNTS, Upload

CLASSES: dict[type, str] = {
    Account: "Account",
    Term: "EnrollmentTerm",
    Course: "Course",
    Section: "CourseSection",
    Enrollment: "Enrollment",
    Pseudonym: "Pseudonym",
    UserObservation: "UserObserver",
    AccountUser: "AccountUser",
    CommunicationChannel: "CommunicationChannel",
}
ALL_CLASSES = (*CLASSES.values(), "Group", "GroupCategory", "GroupMembership", "AbstractCourse")
ENDED = frozenset({"deleted", "completed", "inactive"})


class RowRejected(Exception):
    """The row is not applied; the message says why, in Canvas's words."""


@dataclass(frozen=True, slots=True)
class SisOptions:
    batch_mode: bool = False
    batch_mode_term_id: int | None = None
    multi_term_batch_mode: bool | None = None
    batch_mode_enrollment_drop_status: str = "deleted"
    change_threshold: float | None = None
    skip_deletes: bool = False
    override_sis_stickiness: bool = False
    add_sis_stickiness: bool = False
    clear_sis_stickiness: bool = False
    update_sis_id_if_login_claimed: bool = False
    diffing_data_set_identifier: str | None = None
    diffing_remaster: bool = False
    diffing_drop_status: str | None = None
    diffing_user_remove_status: str | None = None
    diff_row_count_threshold: int | None = None


@dataclass(frozen=True, slots=True)
class SisError:
    """A row's problem, or (`failure`) a file's."""

    file: str
    message: str
    row: int | None = None
    row_info: str | None = None
    failure: bool = False


@dataclass(frozen=True, slots=True)
class StateChange:
    """What `restore_states` can undo."""

    row: Any
    old: str | None
    """None: the row was made by this import."""
    new: str
    by_cleanup: bool


@dataclass(slots=True, kw_only=True)
class SisBatch:
    id: int
    account_id: int
    user_id: int
    options: SisOptions
    content: bytes
    extension: str
    filename: str
    created_at: datetime
    updated_at: datetime
    workflow_state: str = "created"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    progress: int = 0
    upload: Upload | None = None
    """What was sent, as the next upload of the data set is compared with it."""
    errors: list[SisError] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS.values(), 0))
    state_changes: list[StateChange] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=lambda: {"import_type": "instructure_csv"})
    csv_attachments: list[Attachment] = field(default_factory=list)
    diffed_csv_attachments: list[Attachment] = field(default_factory=list)
    errors_attachment: Attachment | None = None
    threshold_exceeded: bool = False
    is_base: bool = False
    cleaning: bool = False

    @property
    def ended(self) -> bool:
        return self.ended_at is not None

    @property
    def statistics(self) -> dict[str, Any]:
        """State changes by class; a row that changed no state is in none of them."""
        by_class = {name: {"created": 0, "restored": 0, "deleted": 0} for name in ALL_CLASSES}
        by_class["Course"]["concluded"] = 0
        by_class["Enrollment"] |= {"concluded": 0, "deactivated": 0}
        for change in self.state_changes:
            counts = by_class[CLASSES[type(change.row)]]
            if (what := _what(change)) in counts:
                counts[what] += 1
        return {"total_state_changes": len(self.state_changes), **by_class}

    def fail(self, file: str, message: str) -> None:
        self.errors.append(SisError(file, message, failure=True))

    def warn(
        self, file: str, message: str, row: int | None = None, info: str | None = None
    ) -> None:
        self.errors.append(SisError(file, message, row, info))


def _what(change: StateChange) -> str:
    if change.old is None:
        return "created"
    if change.old in ENDED and change.new not in ENDED:
        return "restored"
    return {"deleted": "deleted", "completed": "concluded", "inactive": "deactivated"}.get(
        change.new, ""
    )


class Importing:
    """The hands of an import while it works: every change goes through here and is counted."""

    def __init__(self, school: School, batch: SisBatch) -> None:
        self.school = school
        self.batch = batch
        self.options = batch.options
        self._place: tuple[str, int | None, str | None] = ("", None, None)
        self._dead_logins: dict[str, dict[str, Pseudonym]] | None = None

    def at_row(self, file: str, number: int, info: str | None) -> None:
        self._place = (file, number, info)

    def at_file(self) -> None:
        self._dead_logins = None

    def warn(self, message: str) -> None:
        """Note a problem of the present row, applied or not."""
        file, number, info = self._place
        self.batch.warn(file, message, number, info)

    def listen(self, change: Change, row: Row, old: dict[str, Any]) -> None:
        """A listener of the school: cascades change states too, and they count."""
        if type(row) not in CLASSES:
            return
        state = getattr(row, "workflow_state", "")
        if change == "created":
            self._note(row, None, state)
        elif "workflow_state" in old:
            self._note(row, old["workflow_state"], state)

    def _note(self, row: Row, old: str | None, new: str) -> None:
        self.batch.state_changes.append(StateChange(row, old, new, self.batch.cleaning))

    def touch(self, row: Any) -> None:
        """From now on the row counts as managed by SIS, although nothing else may have changed."""
        self.school.update(row, sis_batch_id=self.batch.id, updated_at=row.updated_at)

    def set(self, row: Any, sticky: Iterable[str] = (), **changes: Any) -> None:
        """Apply a row's fields, but for those that were changed by hand and stay."""
        stuck: frozenset[str] = getattr(row, "stuck", frozenset())
        held = frozenset(sticky) & stuck
        if not self.options.override_sis_stickiness:
            changes = {name: value for name, value in changes.items() if name not in held}
        elif self.options.clear_sis_stickiness:
            stuck -= set(changes) & set(sticky)
        elif self.options.add_sis_stickiness:
            moved = {
                name for name in sticky if name in changes and getattr(row, name) != changes[name]
            }
            stuck |= moved
        if hasattr(row, "stuck") and stuck != row.stuck:
            row.stuck = stuck
        self.school.update(row, **changes)

    def made(self, row: Any, sticky: Iterable[str]) -> None:
        """A new row's fields count as changed by hand where the import asks for that."""
        options = self.options
        if options.override_sis_stickiness and options.add_sis_stickiness:
            row.stuck |= frozenset(sticky) if not options.clear_sis_stickiness else frozenset()

    def login(self, key: str, value: str | None) -> Pseudonym | None:
        """Find a login by SIS id, integration id or login id: a deleted one where none lives."""
        if value is None:
            return None
        living = self.school.find(Pseudonym, key, value)
        return living or self._dead(key).get(value)

    def _dead(self, key: str) -> dict[str, Pseudonym]:
        if self._dead_logins is None:
            dead = [
                row for row in self.school.pseudonyms.values() if row.workflow_state == "deleted"
            ]
            self._dead_logins = {
                "sis_user_id": {row.sis_user_id: row for row in dead if row.sis_user_id},
                "sis_integration_id": {
                    row.integration_id: row for row in dead if row.integration_id
                },
            }
        return self._dead_logins.get(key, {})

    def user(self, sis_id: str | None) -> User | None:
        login = self.login("sis_user_id", sis_id)
        return self.school.users[login.user_id] if login else None


def status_word(text: str | None, words: Iterable[str]) -> str | None:
    """Match a status by its beginning in any case: `Actively` is `active`."""
    lower = (text or "").lower()
    return next((word for word in words if lower.startswith(word)), None)
