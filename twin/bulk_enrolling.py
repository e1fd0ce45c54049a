"""Enrolling many people in many courses as a background job with a progress.

Fact sheet enrollments-api.md section 5.2.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from twin.enrolling import Identity, Wish, enrol, has_login, is_concluded
from twin.making import default_section
from twin.records import Account, Course, Role, User
from twin.school import School

QUEUED = timedelta(seconds=1)
RUNNING = timedelta(seconds=1)
"""How long a job waits and how long it works, by the twin's clock."""


@dataclass(slots=True, eq=False)
class Progress:
    id: int
    account: Account
    user: User
    people: list[User]
    courses: list[Course]
    role: Role
    created_at: datetime
    updated_at: datetime
    workflow_state: str = "queued"
    """`queued`, `running`, `completed` or `failed`."""

    @property
    def completion(self) -> int:
        return 100 if self.workflow_state == "completed" else 0


class BulkEnrolling(dict[int, Progress]):
    """Every bulk job by the id of its progress: a worker that carries them on as time passes."""

    def __init__(self, school: School) -> None:
        super().__init__()
        self._school = school

    def start(
        self, account: Account, user: User, people: list[User], courses: list[Course], role: Role
    ) -> Progress:
        now = self._school.clock.now()
        progress = Progress(len(self) + 1, account, user, people, courses, role, now, now)
        self[progress.id] = progress
        return progress

    async def catch_up(self, now: datetime) -> None:
        for progress in self.values():
            if progress.workflow_state == "queued" and now >= progress.created_at + QUEUED:
                progress.workflow_state = "running"
                progress.updated_at = progress.created_at + QUEUED
            if progress.workflow_state == "running" and now >= progress.updated_at + RUNNING:
                self._work(progress)
                progress.workflow_state = "completed"
                progress.updated_at += RUNNING

    def _work(self, progress: Progress) -> None:
        """No section, no state, no dates can be asked for: default section, default state."""
        for course in progress.courses:
            if is_concluded(self._school, course, self._school.clock.now()):
                continue
            for person in progress.people:
                if has_login(self._school, person):
                    section = default_section(self._school, course)
                    identity = Identity(user=person, section=section, role=progress.role)
                    enrol(self._school, identity, Wish())
