"""Members of a course as Names and Roles tells them, from Canvas and from platforms that are looser, as rows of a batch.

A key that is not there was withheld by the tool's privacy level or has no value, and nobody can tell which: it is untold.
Custom fields come with `rlid` only, and an unexpanded `$Variable` says nothing (fact sheet nrps.md §5, §7, §11).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.batch import UNTOLD, Membership, Person, Text
from gateway.errors import CutShort
from gateway.identity import UNEXPANDED, Alias, alias
from models import lti_roles
from models.canvas_ids import to_global
from models.roster import IdentityKind

MEDIA_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
LONGEST_PAGE = 50  # Canvas's; others give what they like

# Any other word, which the standard does not know, is no proof that somebody left.
_NOT_THERE = ("inactive", "deleted")
_CUSTOM = "https://purl.imsglobal.org/spec/lti/claim/custom"

Json = Mapping[str, Any]


@dataclass(kw_only=True)
class Roster:
    """Everybody on the pages so far, by `sub`: the pages are numbered slices, so somebody may stand on two.

    `left`: who is named as not being there any more. `differences`: where later changes are told.
    """

    scope: str
    shard: int
    people: dict[str, Person] = field(default_factory=dict)
    memberships: dict[str, Membership] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    context_id: str | None = None
    differences: str | None = None

    def completed_by(self, other: "Roster") -> "Roster":
        """Whoever stands on either list, as the other one tells where it does."""
        self.people.update(other.people)
        self.memberships.update(other.memberships)
        self.differences = other.differences or self.differences
        return self

    def add(self, container: Json) -> int:
        """How many the page shows."""
        members = container.get("members")
        if not isinstance(members, list):
            raise CutShort("a membership list came without its members")
        context = container.get("context")
        if isinstance(context, Mapping):
            self.context_id = _said(context.get("id")) or self.context_id
        for member in members:
            self._add(member)
        return len(members)

    def _add(self, member: object) -> None:
        sub = _said(member.get("user_id")) if isinstance(member, Mapping) else None
        if sub is None or not isinstance(member, Mapping):
            raise CutShort("a membership list has a member without user_id")
        roles = tuple(role for role in _listed(member.get("roles")) if isinstance(role, str))
        if lti_roles.is_test_user(roles):
            return
        if (_said(member.get("status")) or "").lower() in _NOT_THERE:
            self.left.add(sub)
            return
        known = self.memberships.get(sub)
        if known is not None:
            roles = tuple(dict.fromkeys((*known.roles, *roles)))
        self.people[sub] = self._person(sub, member)
        self.memberships[sub] = Membership(
            person=sub, types=lti_roles.enrollment_types(roles), roles=tuple(sorted(roles))
        )

    def sub(self, sub: str) -> Alias:
        """The identifier that it is."""
        return Alias(kind=IdentityKind.LTI13_SUB, value=sub, scope=self.scope)

    def _person(self, sub: str, member: Json) -> Person:
        custom = _custom(member)
        spelled = custom.get("canvas_user_global_id") or custom.get("canvas_user_id")
        canvas_id = None if spelled is None else _global(spelled, self.shard)
        given, family = _text(member, "given_name"), _text(member, "family_name")
        sis_id = _text(member, "lis_person_sourcedid")
        if sis_id is UNTOLD:
            sis_id = custom.get("canvas_user_sis_id", UNTOLD)
        return Person(
            key=sub,
            canvas_id=canvas_id,
            aliases=self._aliases(sub, member, custom, canvas_id),
            name=_text(member, "name"),
            sortable_name=f"{family}, {given}" if given and family else UNTOLD,
            given_name=given,
            family_name=family,
            email=_text(member, "email"),
            avatar_url=_text(member, "picture"),
            sis_id=sis_id,
            login_id=custom.get("canvas_user_login_id", UNTOLD),
            integration_id=custom.get("canvas_user_integration_id", UNTOLD),
            uuid=custom.get("canvas_user_uuid", UNTOLD),
        )

    def _aliases(
        self, sub: str, member: Json, custom: Mapping[str, str], canvas_id: int | None
    ) -> frozenset[Alias]:
        found = {
            alias(IdentityKind.LTI13_SUB, sub, scope=self.scope),
            alias(IdentityKind.LTI11_USER_ID, _said(member.get("lti11_legacy_user_id"))),
            alias(IdentityKind.CANVAS_GLOBAL_ID, None if canvas_id is None else str(canvas_id)),
            alias(IdentityKind.CANVAS_UUID, custom.get("canvas_user_uuid")),
            alias(IdentityKind.SIS_USER_ID, _said(member.get("lis_person_sourcedid"))),
            alias(IdentityKind.SIS_USER_ID, custom.get("canvas_user_sis_id")),
            alias(IdentityKind.INTEGRATION_ID, custom.get("canvas_user_integration_id")),
            alias(IdentityKind.LOGIN_ID, custom.get("canvas_user_login_id")),
            alias(IdentityKind.EMAIL, _said(member.get("email"))),
        }
        return frozenset(one for one in found if one is not None)


def _custom(member: Json) -> dict[str, str]:
    """Whose custom fields say something."""
    for message in _listed(member.get("message")):
        told = message.get(_CUSTOM) if isinstance(message, Mapping) else None
        if isinstance(told, Mapping):
            said = {str(name): _said(value) for name, value in told.items()}
            return {name: value for name, value in said.items() if value is not None}
    return {}


def _listed(value: object) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _text(member: Json, name: str) -> Text:
    return _said(member.get(name)) or UNTOLD


def _said(value: object) -> str | None:
    """Some platforms send numbers where texts belong."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).replace("\0", "").strip()
    return None if not text or text.startswith(UNEXPANDED) else text


def _global(spelled: str, shard: int) -> int | None:
    try:
        return to_global(spelled, shard)
    except ValueError:
        return None  # another platform's custom field of that name
