"""Undoes what an import did to states, as a job of its own (fact sheet sis-imports.md §1, restore_states)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from twin.progress import Progress
from twin.records import Course, Enrollment
from twin.school import School
from twin.sis_batch import SisBatch, StateChange

TAKES = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Restriction:
    """Which changes are undone; with none of the three, all of them."""

    batch_mode: bool = False
    undelete_only: bool = False
    unconclude_only: bool = False

    @property
    def partial(self) -> bool:
        return self.batch_mode or self.undelete_only or self.unconclude_only

    def covers(self, change: StateChange) -> bool:
        return (
            (change.by_cleanup or not self.batch_mode)
            and (change.new == "deleted" or not self.undelete_only)
            and (change.new == "completed" or not self.unconclude_only)
        )


@dataclass(slots=True)
class Restore:
    batch: SisBatch
    restriction: Restriction
    progress: Progress
    due: datetime


class Restores:
    """The restores that are asked for and not yet done."""

    def __init__(self, school: School) -> None:
        self._school = school
        self._waiting: list[Restore] = []

    def ask(self, batch: SisBatch, restriction: Restriction, progress: Progress) -> None:
        batch.workflow_state = "restoring"
        due = self._school.clock.now() + TAKES
        self._waiting.append(Restore(batch, restriction, progress, due))

    async def catch_up(self, now: datetime) -> None:
        for restore in [each for each in self._waiting if each.due <= now]:
            self._waiting.remove(restore)
            self._undo(restore)

    def _undo(self, restore: Restore) -> None:
        """Bring states back and nothing else, the newest change first."""
        for change in reversed(restore.batch.state_changes):
            if not restore.restriction.covers(change):
                continue
            if isinstance(change.row, Enrollment | Course) or hasattr(change.row, "workflow_state"):
                self._school.update(change.row, workflow_state=change.old or "deleted")
        partial = restore.restriction.partial
        restore.batch.workflow_state = "partially_restored" if partial else "restored"
        restore.batch.updated_at = restore.due
        restore.progress.finish(restore.due)
