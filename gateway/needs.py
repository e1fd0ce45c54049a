"""What an operation reads, and what an answer to it must carry: one need for each read of a level (pure)."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from models.roster import EnrollmentState, FieldGroup, Source


class ScopeKind(StrEnum):
    INSTITUTION = "institution"
    ACCOUNT = "account"
    COURSE = "course"
    SECTION = "section"
    PERSON = "person"


class Subject(StrEnum):
    """What kind of rows: a membership never stands in for an enrollment."""

    MEMBERS = "members"
    ENROLLMENTS = "enrollments"
    COURSES = "courses"
    SECTIONS = "sections"
    PEOPLE = "people"


ROSTERS = frozenset({Subject.MEMBERS, Subject.ENROLLMENTS})


@dataclass(frozen=True, kw_only=True)
class Scope:
    """`id` is our row id, 0 for the institution."""

    kind: ScopeKind
    id: int


@dataclass(frozen=True, kw_only=True)
class Need:
    """One read: what an answer must carry to be good enough.

    `around`: what the scope is a part of, where that is known: a read of it shows the scope too. `person` is the viewer (our id), None for a service in its own name. `rights_known`: we know what Canvas lets the
    viewer see of the scope, so rows read through fuller eyes can be cut to it. `deadline`: how long the caller waits.
    """

    scope: Scope
    subject: Subject
    groups: frozenset[FieldGroup]
    states: frozenset[EnrollmentState]
    max_age: timedelta
    allow_stale: bool = False
    sources: frozenset[Source] | None = None
    person: int | None = None
    rights_known: bool = True
    deadline: timedelta = field(default=timedelta(seconds=20), compare=False)
    around: tuple[Scope, ...] = ()
