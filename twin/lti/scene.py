"""Who launches which tool where: what the claims, parameters and variables of one launch are made from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from twin.lti import people
from twin.lti.people import Context
from twin.lti.tools import Tool
from twin.records import Account, Course, Enrollment, Pseudonym, Term, User
from twin.school import School

Plain: TypeAlias = str | int | bool | datetime | None


@dataclass(frozen=True, slots=True)
class Scene:
    """Who launches what, and where: everything a variable may speak of."""

    school: School
    tool: Tool
    context: Context
    user: User | None
    real_user: User | None = None
    in_roster: bool = False  # NRPS: another choice of login, a shorter list of variables

    @property
    def course(self) -> Course | None:
        return self.context if isinstance(self.context, Course) else None

    @property
    def account(self) -> Account:
        return people.account_of(self.school, self.context)

    @property
    def term(self) -> Term | None:
        return self.school.terms[self.course.term_id] if self.course else None

    @property
    def login(self) -> Pseudonym | None:
        if self.user is None:
            return None
        if self.in_roster:
            return people.login_of(self.school, self.user)
        return people.login_in(self.school, self.user, self.context)

    @property
    def base_url(self) -> str:
        return self.school.options.public_url

    def enrollments(self, states: frozenset[str] = people.CURRENT) -> list[Enrollment]:
        if self.user is None or self.course is None:
            return []
        return people.enrollments_in(self.school, self.user, self.course, states)


class Literal:
    """Stands for "the conditions are not met": Canvas sends the variable's own text."""


LITERAL: Final = Literal()
Value: TypeAlias = Plain | Literal
Expander: TypeAlias = Callable[[Scene], Value]
