"""The school: every row in memory, and the indexes over them.

Rows are made with `add` and changed with `update`, never by assignment: both keep the indexes
right, stamp `updated_at`, count `version` up and tell the listeners (Live Events hang there).
Changes that touch several rows are in twin/changes.py.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar, cast

from twin.clock import Clock
from twin.options import Options
from twin.records import (
    AccessToken,
    Account,
    AccountUser,
    AuthenticationProvider,
    CommunicationChannel,
    Course,
    DeveloperKey,
    Enrollment,
    Pseudonym,
    Role,
    Row,
    Section,
    Term,
    User,
    UserObservation,
    UserPastLtiId,
)

RowT = TypeVar("RowT", bound=Row)
Change = Literal["created", "updated"]
Listener = Callable[[Change, Row, dict[str, Any]], None]
"""Told after each change; the last argument has the old values of the fields that changed."""

ROOT_ACCOUNT_ID = 1
SHARD_SIZE = 10_000_000_000_000
"""Ids per cluster: a constant of the public library Switchman (transport.md 4.2)."""
AT_HOME = frozenset({Account, AuthenticationProvider, DeveloperKey, AccessToken})
"""What stays on the school's own shard with `foreign = "all"`."""


class Index(defaultdict[int, list[RowT]]):
    """Rows by the id of what they belong to; reading leaves no trace."""

    def __init__(self) -> None:
        super().__init__(list)

    def of(self, owner_id: int) -> list[RowT]:
        return self.get(owner_id, [])


class School:
    def __init__(self, clock: Clock, options: Options) -> None:
        self.clock = clock
        self.options = options
        self.version = 0
        """Counts the changes: what is derived from the rows may be kept until it moves."""
        self.listeners: list[Listener] = []
        self.past_lti_ids: Index[Any] = Index()
        """UserPastLtiId rows by the living user."""

        self.accounts: dict[int, Account] = {}
        self.terms: dict[int, Term] = {}
        self.roles: dict[int, Role] = {}
        self.users: dict[int, User] = {}
        self.pseudonyms: dict[int, Pseudonym] = {}
        self.channels: dict[int, CommunicationChannel] = {}
        self.providers: dict[int, AuthenticationProvider] = {}
        self.courses: dict[int, Course] = {}
        self.sections: dict[int, Section] = {}
        self.enrollments: dict[int, Enrollment] = {}
        self.admins: dict[int, AccountUser] = {}
        self.observations: dict[int, UserObservation] = {}
        self.developer_keys: dict[int, DeveloperKey] = {}
        self.tokens: dict[int, AccessToken] = {}
        self._tables: dict[type[Any], dict[int, Any]] = {
            Account: self.accounts,
            Term: self.terms,
            Role: self.roles,
            User: self.users,
            Pseudonym: self.pseudonyms,
            CommunicationChannel: self.channels,
            AuthenticationProvider: self.providers,
            Course: self.courses,
            Section: self.sections,
            Enrollment: self.enrollments,
            AccountUser: self.admins,
            UserObservation: self.observations,
            DeveloperKey: self.developer_keys,
            AccessToken: self.tokens,
        }

        self.accounts_of_parent: Index[Account] = Index()
        self.courses_of_account: Index[Course] = Index()
        self.pseudonyms_of_user: Index[Pseudonym] = Index()
        self.channels_of_user: Index[CommunicationChannel] = Index()
        self.sections_of_course: Index[Section] = Index()
        self.enrollments_of_course: Index[Enrollment] = Index()
        self.enrollments_of_section: Index[Enrollment] = Index()
        self.enrollments_of_user: Index[Enrollment] = Index()
        self.admins_of_user: Index[AccountUser] = Index()
        self.observations_by_observer: Index[UserObservation] = Index()
        self.observations_of_student: Index[UserObservation] = Index()
        self.tokens_of_user: Index[AccessToken] = Index()
        self._filed_under: dict[type[Any], tuple[tuple[Index[Any], str], ...]] = {
            Account: ((self.accounts_of_parent, "parent_id"),),
            Course: ((self.courses_of_account, "account_id"),),
            Pseudonym: ((self.pseudonyms_of_user, "user_id"),),
            CommunicationChannel: ((self.channels_of_user, "user_id"),),
            Section: ((self.sections_of_course, "course_id"),),
            Enrollment: (
                (self.enrollments_of_course, "course_id"),
                (self.enrollments_of_section, "section_id"),
                (self.enrollments_of_user, "user_id"),
            ),
            AccountUser: ((self.admins_of_user, "user_id"),),
            UserObservation: (
                (self.observations_by_observer, "observer_id"),
                (self.observations_of_student, "student_id"),
            ),
            AccessToken: ((self.tokens_of_user, "user_id"),),
        }
        self._filed_by = {
            table: {
                *(owner for _, owner in self._filed_under.get(table, ())),
                *KEYS.get(table, {}).values(),
                *(("workflow_state",) if table in FORGOTTEN_WHEN_DELETED else ()),
            }
            for table in self._tables
        }
        """The fields whose change moves a row in the indexes."""
        self._by_key: defaultdict[tuple[type[Any], str], dict[str, int]] = defaultdict(dict)
        self._next_ids: dict[type[Any], int] = {}
        self._base = (options.foreign_shard or 0) * SHARD_SIZE if options.foreign == "all" else 0

    @property
    def root(self) -> Account:
        return self.accounts[ROOT_ACCOUNT_ID]

    def new_id(self, table: type[Row]) -> int:
        """The next free id of the table: a long one where all records live on another shard."""
        self._next_ids[table] = row_id = self._next_ids.get(table, 0) + 1
        return row_id if table in AT_HOME else row_id + self._base

    def find(self, table: type[RowT], key: str, value: str) -> RowT | None:
        """The row that carries this text id (`KEYS` has the names), deleted ones included."""
        row_id = self._by_key[table, key].get(value.lower() if key == "sis_login_id" else value)
        return None if row_id is None else cast("RowT", self._tables[table][row_id])

    def add(self, row: RowT) -> RowT:
        self._tables[type(row)][row.id] = row
        self._file(row)
        self._tell("created", row, {})
        return row

    def update(self, row: Row, **changes: Any) -> None:
        """Set fields; a changed row is stamped, refiled and announced, an unchanged one is not."""
        old = {name: getattr(row, name) for name in changes if getattr(row, name) != changes[name]}
        if not old:
            return
        moves = not old.keys().isdisjoint(self._filed_by[type(row)])
        if moves:
            self._unfile(row)
        for name in old:
            setattr(row, name, changes[name])
        if moves:
            self._file(row)
        if "updated_at" not in changes:
            row.updated_at = self.clock.now()
        self._tell("updated", row, old)

    def remove(self, row: Row) -> None:
        """Forget a row: for what Canvas really deletes, as tokens."""
        self._unfile(row)
        del self._tables[type(row)][row.id]
        self.version += 1

    def add_past_lti_id(self, past: UserPastLtiId) -> None:
        self.past_lti_ids[past.user_id].append(past)
        self.version += 1

    def _tell(self, change: Change, row: Row, old: dict[str, Any]) -> None:
        self.version += 1
        for listener in self.listeners:
            listener(change, row, old)

    def _file(self, row: Row) -> None:
        table = type(row)
        for index, owner in self._filed_under.get(table, ()):
            if (owner_id := getattr(row, owner)) is not None:
                index[owner_id].append(row)
        if table in KEYS:
            for key, value in _keys(row):
                self._by_key[table, key][value] = row.id

    def _unfile(self, row: Row) -> None:
        for index, owner in self._filed_under.get(type(row), ()):
            if (owner_id := getattr(row, owner)) is not None:
                index[owner_id].remove(row)
        for key, value in _keys(row):
            if self._by_key[type(row), key].get(value) == row.id:
                del self._by_key[type(row), key][value]


KEYS: dict[type[Any], dict[str, str]] = {
    User: {"uuid": "uuid", "lti_1_3_id": "lti_id", "lti_context_id": "lti_context_id"},
    Pseudonym: {
        "sis_user_id": "sis_user_id",
        "sis_integration_id": "integration_id",
        "sis_login_id": "unique_id",
    },
    Course: {
        "sis_course_id": "sis_source_id",
        "sis_integration_id": "integration_id",
        "uuid": "uuid",
        "lti_context_id": "lti_context_id",
    },
    Account: {
        "sis_account_id": "sis_source_id",
        "sis_integration_id": "integration_id",
        "uuid": "uuid",
        "lti_context_id": "lti_context_id",
    },
    Section: {"sis_section_id": "sis_source_id", "sis_integration_id": "integration_id"},
    Term: {"sis_term_id": "sis_source_id", "sis_integration_id": "integration_id"},
    AccessToken: {"token": "token", "refresh_token": "refresh_token"},
}
"""The text ids a row is found by (prefixes of transport.md section 4.1) and their fields."""


FORGOTTEN_WHEN_DELETED = (Pseudonym, AccessToken)
"""A deleted login or token is found no more; every other deleted row is (transport.md 4.1)."""


def _keys(row: Row) -> Iterator[tuple[str, str]]:
    if isinstance(row, FORGOTTEN_WHEN_DELETED) and row.workflow_state == "deleted":
        return
    for key, name in KEYS.get(type(row), {}).items():
        if (value := getattr(row, name)) is not None:
            yield key, value.lower() if key == "sis_login_id" else value
