"""Enrolling many people in many courses as a background job with a progress.

Fact sheet enrollments-api.md section 5.2.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from twin.enrolling import Identity, Wish, enrol, has_login, is_concluded
from twin.making import default_section
from twin.progress import Progress
from twin.records import Course, Role, User
from twin.school import School

QUEUED = timedelta(seconds=1)
RUNNING = timedelta(seconds=1)
"""How long a job waits and how long it works, by the twin's clock."""


@dataclass(frozen=True, slots=True)
class Job:
    people: list[User]
    courses: list[Course]
    role: Role
    progress: Progress


class BulkEnrolling:
    """The bulk jobs that are not done yet: a worker that carries them on as time passes."""

    def __init__(self, school: School) -> None:
        self._school = school
        self._waiting: list[Job] = []

    def ask(self, job: Job) -> None:
        self._waiting.append(job)

    async def catch_up(self, now: datetime) -> None:
        for job in list(self._waiting):
            begun = job.progress.created_at + QUEUED
            if now >= begun and job.progress.workflow_state == "queued":
                job.progress.workflow_state, job.progress.updated_at = "running", begun
            if now >= begun + RUNNING:
                self._waiting.remove(job)
                self._work(job)
                job.progress.results = {}
                job.progress.finish(begun + RUNNING)

    def _work(self, job: Job) -> None:
        """No section, no state, no dates can be asked for: default section, default state."""
        for course in job.courses:
            if is_concluded(self._school, course, self._school.clock.now()):
                continue
            for person in job.people:
                if has_login(self._school, person):
                    section = default_section(self._school, course)
                    identity = Identity(user=person, section=section, role=job.role)
                    enrol(self._school, identity, Wish())
