"""What one file of a report reads the school for, and the rules all files share: fact sheet reports.md §4.1."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from twin.records import Account, AccountUser, Course, Pseudonym, Term
from twin.report_csv import SIS_EXPORT, Cell
from twin.school import ROOT_ACCOUNT_ID, School

Cells: TypeAlias = dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run was asked for, beside its files."""

    report: str
    term: Term | None = None
    include_deleted: bool = False
    created_by_sis: bool = False
    types: frozenset[str] = frozenset()
    states: frozenset[str] = frozenset()


@dataclass(slots=True)
class Extract:
    """One reading of the school for one file: each file of a run is a query of its own (§4.1)."""

    school: School
    account: Account
    wanted: Wanted
    now: datetime
    accounts: set[int] = field(init=False)
    zone: ZoneInfo = field(init=False)
    _logins: dict[int, Pseudonym | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.accounts = set(self._tree(self.account))
        self.zone = ZoneInfo(self.school.accounts[ROOT_ACCOUNT_ID].time_zone)

    @property
    def whole(self) -> bool:
        return self.account.id == ROOT_ACCOUNT_ID

    @property
    def sis(self) -> bool:
        """The SIS export shows what could be imported again."""
        return self.wanted.report == SIS_EXPORT

    @property
    def host(self) -> str | None:
        return urlsplit(self.school.options.public_url).hostname

    def _tree(self, account: Account) -> Iterator[int]:
        yield account.id
        for child in self.school.accounts_of_parent.of(account.id):
            yield from self._tree(child)

    def keeps(self, sis_batch_id: int | None) -> bool:
        return sis_batch_id is not None or not self.wanted.created_by_sis

    def in_scope(self, course: Course) -> bool:
        term = self.wanted.term
        return course.account_id in self.accounts and (term is None or course.term_id == term.id)

    def date(self, at: datetime | None) -> str | None:
        """Show a time in the root account's zone, not in UTC."""
        if at is None:
            return None
        return at.astimezone(self.zone).isoformat(timespec="seconds").replace("+00:00", "Z")

    def login(self, user_id: int | None) -> Pseudonym | None:
        """Choose the user's best login: active and with a SIS id first, then by its name."""
        if user_id is None:
            return None
        if user_id not in self._logins:
            self._logins[user_id] = min(self.usable(user_id), key=_preference, default=None)
        return self._logins[user_id]

    def usable(self, user_id: int) -> list[Pseudonym]:
        logins = self.school.pseudonyms_of_user.of(user_id)
        living = [login for login in logins if login.workflow_state != "deleted"]
        return living or (list(logins) if self.wanted.include_deleted else [])

    def sis_user_id(self, user_id: int | None) -> str | None:
        login = self.login(user_id)
        return login.sis_user_id if login else None

    def associated(self) -> set[int]:
        """Find the users of the account: members of its courses and its admins, all below too."""
        found = {row.user_id for row in self.school.admins.values() if self._counts(row)}
        for course in self.school.courses.values():
            if course.account_id in self.accounts:
                members = self.school.enrollments_of_course.of(course.id)
                found.update(row.user_id for row in members if row.workflow_state != "deleted")
        return found

    def _counts(self, admin: AccountUser) -> bool:
        return admin.account_id in self.accounts and admin.workflow_state != "deleted"


def _preference(login: Pseudonym) -> tuple[bool, bool, str, int]:
    inactive = login.workflow_state != "active"
    return (inactive, login.sis_user_id is None, login.unique_id.lower(), login.position)
