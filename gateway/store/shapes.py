"""The roster's tables as a merge sees them: groups of fields that share a source and an age, and how rows are found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.changes import SubjectType
from gateway.merge import COARSE_ENROLLMENT_STATES, COARSE_SOURCES, UNTOLD_COURSE_STATES
from models.roster import FieldGroup, IdentityKind

# A unary plus keeps the planner off a column's index: nobody knows how many rows have no Canvas id.
NAMELESS = "+t.canvas_id is null"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Columns that one source fills together; `source` and `as_of` are the columns that say who and when."""

    columns: frozenset[str]
    name: FieldGroup | None = None

    @property
    def source(self) -> str:
        return f"{self.name}_source" if self.name else "source"

    @property
    def as_of(self) -> str:
        return f"{self.name}_as_of" if self.name else "as_of"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """`by_canvas_id`, `by_sis_id`: how a told row `s` finds its stored row `t`, the surest way first.

    `told`: SQL for what a column becomes when its group is replaced, where that is not simply `s.<column>`.
    `absent`: what a column that may not be null holds while no source knows better. `tombstone`: a row in state
    DELETED is marked as removed. `course`: the course of a change, as a column of the merge. `keys`: names for good, of no group: filled where unknown.
    """

    table: str
    subject: SubjectType
    groups: tuple[Group, ...]
    by_canvas_id: tuple[str, ...]
    by_sis_id: tuple[str, ...]
    told: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    tombstone: bool = True
    course: str | None = None
    keys: frozenset[str] = frozenset()

    @property
    def columns(self) -> frozenset[str]:
        return self.keys.union(*(group.columns for group in self.groups))


def _record(table: str, subject: SubjectType, *columns: str, **more: object) -> Shape:
    group = Group(columns=frozenset({"canvas_id", "sis_id", "name", "state", *columns}))
    known_by_canvas_id = (
        "t.canvas_id = s.canvas_id",
        f"{NAMELESS} and t.sis_id = s.sis_id",
    )
    shape = Shape(
        table=table,
        subject=subject,
        groups=(group,),
        by_canvas_id=known_by_canvas_id,
        by_sis_id=("t.sis_id = s.sis_id and t.removed_at is null", "t.sis_id = s.sis_id"),
    )
    return _with(shape, more)


def _with(shape: Shape, more: Mapping[str, object]) -> Shape:
    return Shape(**(vars(shape) | dict(more)))


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


def _holder(kind: IdentityKind, column: str) -> str:
    """The person with this live alias."""
    return (
        "t.id = (select i.person_id from identity i where i.institution_id = s.institution_id"
        f" and i.kind = '{kind}' and i.scope = '' and i.value = s.{column} and i.exclusive)"
    )


# A report's coarse word leaves the finer one that is known (`gateway.merge`).
_ENROLLMENT_STATE = "case {} else s.state end".format(
    " ".join(
        f"when s.told_source in ({_words(COARSE_SOURCES)}) and s.state = '{told}' and t.state in ({_words(known)})"
        " then t.state"
        for told, known in COARSE_ENROLLMENT_STATES.items()
    )
)
_COURSE_STATE = (
    f"coalesce(s.state, case when t.state in ({_words(UNTOLD_COURSE_STATES)}) then t.state end)"
)

ACCOUNT = _record("account", SubjectType.ACCOUNT, "parent_id")
TERM = _record("term", SubjectType.TERM, "start_at", "end_at")
COURSE = _record(
    "course",
    SubjectType.COURSE,
    *("integration_id", "course_code", "account_id", "term_id", "start_at", "end_at"),
    *("uuid", "lti_context_id", "time_zone", "sort_key", "search_key"),
    told={"state": _COURSE_STATE},
    absent={"sort_key": "''", "search_key": "''"},
    course="id",
)
SECTION = _record(
    "section",
    SubjectType.SECTION,
    *("integration_id", "course_id", "origin_course_id", "start_at", "end_at"),
    course="n_course_id",
)
PERSON = Shape(
    table="person",
    subject=SubjectType.USER,
    groups=(
        Group(
            name=FieldGroup.NAME,
            columns=frozenset(
                {"name", "sortable_name", "short_name", "given_name", "family_name", "pronouns"}
                | {"sort_key", "search_key"}
            ),
        ),
        Group(
            name=FieldGroup.LOGIN,
            columns=frozenset({"login_id", "sis_id", "integration_id", "state", "uuid"}),
        ),
        Group(name=FieldGroup.CONTACT, columns=frozenset({"email", "avatar_url"})),
    ),
    keys=frozenset({"canvas_id"}),
    by_canvas_id=(
        "t.canvas_id = s.canvas_id",
        # a launch or a roster came before the report
        f"{NAMELESS} and {_holder(IdentityKind.CANVAS_UUID, 'uuid')}",
        f"{NAMELESS} and {_holder(IdentityKind.SIS_USER_ID, 'sis_id')}",
    ),
    by_sis_id=(_holder(IdentityKind.SIS_USER_ID, "sis_id"),),
    absent={"sort_key": "''", "search_key": "''"},
    tombstone=False,  # whose logins are all deleted is still somebody: the state says it
)
# A person has few enrollments, a course many.
_SAME_PART = "t.person_id = s.person_id and t.type = s.type and (t.role_id is null or s.role_id is null or t.role_id = s.role_id)"
_SAME_OBSERVED = "coalesce(t.associated_person_id, 0) = coalesce(s.associated_person_id, 0)"
_SAME_SECTION = f"{_SAME_PART} and +t.section_id = s.section_id"
_SAME_COURSE = f"{_SAME_PART} and +t.course_id = s.course_id"
ENROLLMENT = Shape(
    table="enrollment",
    subject=SubjectType.ENROLLMENT,
    groups=(
        Group(
            name=FieldGroup.STANDING,
            columns=frozenset(
                {"canvas_id", "course_id", "section_id", "person_id", "type", "role", "role_id"}
                | {"state", "limit_to_section", "associated_person_id"}
            ),
        ),
        Group(name=FieldGroup.DATES, columns=frozenset({"start_at", "end_at"})),
        Group(
            name=FieldGroup.ACTIVITY,
            columns=frozenset(
                {"created_at", "updated_at", "last_activity_at", "total_activity_seconds"}
                | {"sis_import_id"}
            ),
        ),
    ),
    by_canvas_id=(
        "t.canvas_id = s.canvas_id",
        f"{NAMELESS} and {_SAME_SECTION} and {_SAME_OBSERVED}",
        f"{NAMELESS} and t.section_id is null and {_SAME_COURSE} and {_SAME_OBSERVED}",
        f"{NAMELESS} and t.associated_person_id is null and {_SAME_SECTION}",
    ),
    by_sis_id=(
        f"{_SAME_SECTION} and {_SAME_OBSERVED} and t.removed_at is null",
        f"{_SAME_SECTION} and {_SAME_OBSERVED}",
        f"s.section_id is null and {_SAME_COURSE} and {_SAME_OBSERVED}",
        f"s.associated_person_id is null and {_SAME_SECTION}",  # whom an observer observes may have no SIS id
        f"s.associated_person_id is null and s.section_id is null and {_SAME_COURSE}",
    ),
    told={
        "state": _ENROLLMENT_STATE,
        "section_id": "coalesce(s.section_id, t.section_id)",
        "role_id": "coalesce(s.role_id, t.role_id)",
        "associated_person_id": "coalesce(s.associated_person_id, t.associated_person_id)",
    },
    course="n_course_id",
)
