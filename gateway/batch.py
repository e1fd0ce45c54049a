"""What one read of a source says: the rows it told, of which scope, through whose eyes, and whether it was whole.

Pure values. A field that the source did not carry is `UNTOLD`, never None: None is "known to be empty". Canvas ids are global.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from msgspec import UNSET, Struct, UnsetType

from gateway.identity import Alias
from gateway.merge import Reading
from gateway.needs import Scope, Subject
from models.roster import (
    CourseState,
    EnrollmentState,
    EnrollmentType,
    FieldGroup,
    RecordState,
    Source,
    UserState,
)

UNTOLD = UNSET
Text: TypeAlias = str | UnsetType | None
Time: TypeAlias = datetime | UnsetType | None
Number: TypeAlias = int | UnsetType | None


class Account(Struct, frozen=True, kw_only=True):
    canvas_id: int
    parent: Number = UNTOLD
    sis_id: Text = UNTOLD
    name: Text = UNTOLD
    state: RecordState | UnsetType = UNTOLD


class Term(Struct, frozen=True, kw_only=True):
    canvas_id: int
    sis_id: Text = UNTOLD
    name: Text = UNTOLD
    state: RecordState | UnsetType = UNTOLD
    start_at: Time = UNTOLD
    end_at: Time = UNTOLD


class Course(Struct, frozen=True, kw_only=True):
    canvas_id: int
    sis_id: Text = UNTOLD
    integration_id: Text = UNTOLD
    uuid: Text = UNTOLD
    lti_context_id: Text = UNTOLD
    name: Text = UNTOLD
    course_code: Text = UNTOLD
    state: CourseState | UnsetType | None = UNTOLD
    start_at: Time = UNTOLD
    end_at: Time = UNTOLD
    time_zone: Text = UNTOLD
    account: Number = UNTOLD
    term: Number = UNTOLD


class Section(Struct, frozen=True, kw_only=True):
    """`course`: where it is now; `origin`: where it was cross-listed from."""

    canvas_id: int
    course: int
    origin: Number = UNTOLD
    sis_id: Text = UNTOLD
    integration_id: Text = UNTOLD
    name: Text = UNTOLD
    state: RecordState | UnsetType = UNTOLD
    start_at: Time = UNTOLD
    end_at: Time = UNTOLD


class Person(Struct, frozen=True, kw_only=True):
    """`key` names the person inside the batch; `aliases` name them to everybody else."""

    key: str
    aliases: frozenset[Alias]
    canvas_id: int | None = None
    test_student: bool = False
    name: Text = UNTOLD
    sortable_name: Text = UNTOLD
    short_name: Text = UNTOLD
    given_name: Text = UNTOLD
    family_name: Text = UNTOLD
    pronouns: Text = UNTOLD
    login_id: Text = UNTOLD
    sis_id: Text = UNTOLD
    integration_id: Text = UNTOLD
    uuid: Text = UNTOLD
    state: UserState | UnsetType = UNTOLD
    email: Text = UNTOLD
    avatar_url: Text = UNTOLD


class Enrollment(Struct, frozen=True, kw_only=True):
    """`person` and `associated` are keys of people of the batch; course and section are named by Canvas id."""

    canvas_id: int
    course: int
    section: int
    person: str
    type: EnrollmentType
    role: str
    role_id: int
    state: EnrollmentState
    limit_to_section: bool
    associated: str | None = None
    start_at: Time = UNTOLD
    end_at: Time = UNTOLD
    created_at: Time = UNTOLD
    updated_at: Time = UNTOLD
    last_activity_at: Time = UNTOLD
    total_activity_seconds: Number = UNTOLD
    sis_import_id: Number = UNTOLD


class Membership(Struct, frozen=True, kw_only=True):
    """A person in the course that is the batch's scope. `roles` are spelled as the source spells them."""

    person: str
    types: tuple[EnrollmentType, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One read, whole or broken off; a read without a `scope` tells some rows and proves nothing about others.

    `authority`: admin, report, platform or `person:<our id>`, as the ledger spells it. `full`: those eyes see every row of
    the scope, so that silence may mean something. `gone`: enrollments that were asked for by their own id and are not there.
    """

    institution_id: int
    source: Source
    reading: Reading
    authority: str
    began_at: datetime
    ended_at: datetime
    scope: Scope | None = None
    subject: Subject | None = None
    groups: frozenset[FieldGroup] = frozenset()
    states: frozenset[EnrollmentState] = frozenset()
    whole: bool = False
    full: bool = False
    accounts: tuple[Account, ...] = ()
    terms: tuple[Term, ...] = ()
    courses: tuple[Course, ...] = ()
    sections: tuple[Section, ...] = ()
    people: tuple[Person, ...] = ()
    enrollments: tuple[Enrollment, ...] = ()
    memberships: tuple[Membership, ...] = ()
    gone: frozenset[int] = frozenset()
    requests: int = 0
    quota: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of a read in the store. `groups`, `states`: as they came.

    `held`: removals that wait for a person. `contradicted`: active enrollments of which a membership list says otherwise;
    the scope is due for a richer read. `ids`: our ids of the batch's people, by their keys.
    """

    source: Source
    scope: Scope | None
    as_of: datetime
    whole: bool
    groups: frozenset[FieldGroup] = frozenset()
    states: frozenset[EnrollmentState] = frozenset()
    created: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    held: int = 0
    conflicts: int = 0
    contradicted: int = 0
    ids: Mapping[str, int] = field(default_factory=dict)
