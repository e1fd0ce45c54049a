"""Who asks, and what they may see: the scopes of a credential and the columns that are visible to it."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import Forbidden
from gateway.pseudonyms import Pseudonyms
from gateway.sight import Sight
from models.roster import EnrollmentType


class Scope(StrEnum):
    ROSTER_READ = "roster:read"
    ROSTER_WRITE = "roster:write"
    CHANGES_READ = "changes:read"
    PII_READ = "pii:read"
    ACT_AS = "act-as"
    ADMIN = "admin"


# Whoever may not read personal data is told neither who somebody is nor what others call them.
PERSONAL = frozenset(
    {
        *("User.canvasId", "User.uuid", "User.sisId", "User.integrationId", "User.loginId"),
        *("User.name", "User.sortableName", "User.shortName", "User.givenName", "User.familyName"),
        *("User.pronouns", "User.email", "User.avatarUrl", "User.ltiSub", "User.lti11UserId"),
        "Enrollment.canvasId",
    }
)


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What a read may show.

    `hidden` names fields of the graph that are shown of no row, as in "User.email"; `sight` is a person's, None for a
    service, which sees every row of its institution; `pseudonyms` stand for people's ids where these are not to be told.
    """

    hidden: frozenset[str] = frozenset()
    sight: Sight | None = None
    pseudonyms: Pseudonyms | None = None

    @property
    def sees_accounts(self) -> bool:
        """Whether there is an account of which more is seen than one's own."""
        return self.sight is None or bool(self.sight.accounts)

    def sees(self, type_name: str, field: str) -> bool:
        """Whether the field is shown of any row at all."""
        name = f"{type_name}.{field}"
        if name in self.hidden:
            return False
        part = self.sight and self.sight.for_field(name)
        return part is None or part.others or part.person_id is not None

    def part(self, type_name: str, field: str) -> Sight | None:
        """The eyes through which the field is seen; None: it is shown of every row that is."""
        if self.sight is None:
            return None
        part = self.sight.for_field(f"{type_name}.{field}")
        return None if part == self.sight else part

    def hides(self, type_name: str, field: str, course_id: int | None) -> bool:
        """Whether it may be missing from a row that is shown: of that course, or (None) at all."""
        name = f"{type_name}.{field}"
        return name in self.hidden or (self.sight is not None and self.sight.hides(name, course_id))

    def hides_of(self, type_name: str, field: str, row_id: int) -> bool:
        """The same of one row, by whatever way it is reached; it may be the viewer's own, of whom not all is shown to themselves."""
        if self.hides(type_name, field, None):
            return True
        if self.sight is None or type_name != "User" or row_id != self.sight.person_id:
            return False
        return self.sight.for_field(f"{type_name}.{field}").person_id is None

    def require(self, type_name: str, field: str, *, purpose: str) -> None:
        """Forbidden where a hidden field would be used to find or to order: an answer's rows would give it away."""
        part = self.part(type_name, field)
        if not self.sees(type_name, field) or (part is not None and not part.others):
            raise Forbidden(
                f"This credential may not see {type_name}.{field}, nor {purpose} by it."
            )


@dataclass(frozen=True, kw_only=True)
class Launched:
    """The launch that the caller's session began with. `course_id`: where, if in a course, and `types` as what there.

    `administrator`: of some account; `account_canvas_id`: the one whose pages it came from; `root_admin`: that it is the whole
    school's, and Canvas names them its account admin. `shown`: what the tool's
    privacy level let through. `sections`: the only ones whose people they see there; None: not limited, as far as the launch
    tells. `real_user`: the Canvas id of whoever acts as the person.
    """

    session_id: int
    course_id: int | None
    account_canvas_id: int | None
    types: frozenset[EnrollmentType]
    administrator: bool
    shown: frozenset[str]
    real_user: str | None
    sections: frozenset[int] | None = None
    root_admin: bool = False


@dataclass(frozen=True, kw_only=True)
class Service:
    """The token of a service. Tokens of one name are one client's."""

    token_id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """The caller of one request: of one institution, with a credential's scopes, perhaps acting for a person.

    `user_id` is the person who is shown what they may see: launched, or acted for by the `service`; None for a service in
    its own name, and for a visitor whom the platform does not name.
    """

    institution_id: int
    institution_slug: str
    canvas_url: str | None
    shard: int
    scopes: frozenset[Scope]
    user_id: int | None = None
    acts_for_id: int | None = None
    launched: Launched | None = None
    service: Service | None = None
    rights: Rights = Rights()

    def require(self, *any_of: Scope) -> None:
        """Forbidden unless the credential has one of these scopes."""
        if self.scopes.isdisjoint(any_of):
            wanted = " or ".join(any_of)
            raise Forbidden(f"This credential lacks the scope {wanted}; make a token that has it.")
