"""Who asks, and what they may see: the scopes of a credential and the columns that are visible to it."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import Forbidden
from models.roster import EnrollmentType


class Scope(StrEnum):
    ROSTER_READ = "roster:read"
    ROSTER_WRITE = "roster:write"
    CHANGES_READ = "changes:read"
    PII_READ = "pii:read"
    ACT_AS = "act-as"
    ADMIN = "admin"


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What a read may show. `hidden` names fields of the graph, as in "User.email"."""

    hidden: frozenset[str] = frozenset()

    def sees(self, type_name: str, field: str) -> bool:
        return f"{type_name}.{field}" not in self.hidden

    def require(self, type_name: str, field: str, *, purpose: str) -> None:
        """Forbidden where a hidden field would be used to find or to order: an answer's rows would give it away."""
        if not self.sees(type_name, field):
            raise Forbidden(
                f"This credential may not see {type_name}.{field}, nor {purpose} by it."
            )


@dataclass(frozen=True, kw_only=True)
class Launched:
    """The launch that the caller's session began with. `course_id`: where, if in a course, and `types` as what there.

    `administrator`: of some account; `account_canvas_id`: the one whose pages it came from. `shown`: what the tool's
    privacy level let through. `real_user`: the Canvas id of whoever acts as the person.
    """

    session_id: int
    course_id: int | None
    account_canvas_id: int | None
    types: frozenset[EnrollmentType]
    administrator: bool
    shown: frozenset[str]
    real_user: str | None


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """The caller of one request: of one institution, with a credential's scopes, perhaps acting for a person.

    `launched`: how a person came here who has no service token.
    """

    institution_id: int
    institution_slug: str
    canvas_url: str | None
    shard: int
    scopes: frozenset[Scope]
    user_id: int | None = None
    acts_for_id: int | None = None
    launched: Launched | None = None
    rights: Rights = Rights()

    def require(self, *any_of: Scope) -> None:
        """Forbidden unless the credential has one of these scopes."""
        if self.scopes.isdisjoint(any_of):
            wanted = " or ".join(any_of)
            raise Forbidden(f"This credential lacks the scope {wanted}; make a token that has it.")
