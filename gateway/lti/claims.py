"""The claims of an LTI 1.3 launch: which are checked, how, and what they mean.

Pure. A token is verified by its platform's keys first (`gateway.lti.id_tokens`), which is what makes `SignedClaims` of its
members. Members that are not named here are ignored: Canvas sends stray ones (1EdTech Security Framework 1.0, section 5.1.3;
fact sheet lti-launch.md §3 and §6).
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.errors import LaunchRefused
from gateway.lti.launch import (
    REAL_USER,
    SECTION_RESTRICTED,
    Launch,
    Told,
    launch_of,
    said,
)

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
_ALWAYS = (REAL_USER, SECTION_RESTRICTED)
PLACEMENT = "https://www.instructure.com/placement"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"

CLOCK_SKEW = timedelta(seconds=60)
# Canvas stamps `iat` when the login begins, up to five minutes before the token is posted.
OLDEST = timedelta(minutes=10)


@dataclass(frozen=True)
class SignedClaims:
    """The members of a token whose signature was verified; nothing else may make one."""

    members: Mapping[str, Any]

    def get(self, name: str) -> Any:
        return self.members.get(name)

    def lti(self, name: str) -> Any:
        return self.members.get(LTI + name)

    def nested(self, name: str) -> Mapping[str, Any]:
        """An LTI claim that is an object; an empty one where it is missing or something else."""
        value = self.lti(name)
        return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the login asked for. `deployment_id`: where the platform named one at login."""

    issuer: str
    client_id: str
    nonce: str
    deployment_id: str | None
    now: datetime


Check = Callable[[SignedClaims, Expected], str | None]  # what is wrong, in words


def _issuer(claims: SignedClaims, expected: Expected) -> str | None:
    issuer = claims.get("iss")
    return None if issuer == expected.issuer else "it comes from another platform than was asked"


def _audience(claims: SignedClaims, expected: Expected) -> str | None:
    audience = claims.get("aud")
    several = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in several:
        return "it is meant for another tool"
    return None


def _authorized_party(claims: SignedClaims, expected: Expected) -> str | None:
    audience, party = claims.get("aud"), claims.get("azp")
    if party is None and isinstance(audience, list) and len(audience) > 1:
        return "it is meant for several tools and does not say for which (azp)"
    return None if party in (None, expected.client_id) else "it was issued to another tool (azp)"


def _expiry(claims: SignedClaims, expected: Expected) -> str | None:
    expires = _time(claims.get("exp"))
    if expires is None:
        return "it does not say when it expires"
    return None if expires > expected.now - CLOCK_SKEW else "it has expired"


def _issue(claims: SignedClaims, expected: Expected) -> str | None:
    issued = _time(claims.get("iat"))
    if issued is None:
        return "it does not say when it was issued"
    if issued > expected.now + CLOCK_SKEW:
        return "it comes from the future: one of the two clocks is wrong"
    return None if issued >= expected.now - OLDEST else "it was issued too long ago"


def _nonce(claims: SignedClaims, expected: Expected) -> str | None:
    nonce = claims.get("nonce")
    right = isinstance(nonce, str) and hmac.compare_digest(nonce.encode(), expected.nonce.encode())
    return None if right else "it answers another login (nonce)"


def _message_type(claims: SignedClaims, _expected: Expected) -> str | None:
    kind = claims.lti("message_type")
    return None if kind == "LtiResourceLinkRequest" else f"{_quoted(kind)} is no launch we serve"


def _version(claims: SignedClaims, _expected: Expected) -> str | None:
    version = claims.lti("version")
    return None if version == "1.3.0" else f"its LTI version is {_quoted(version)}, not 1.3.0"


def _deployment(claims: SignedClaims, expected: Expected) -> str | None:
    deployment = claims.lti("deployment_id")
    if not isinstance(deployment, str) or not 0 < len(deployment) <= 255:
        return "it names no deployment"
    if expected.deployment_id not in (None, deployment):
        return "it comes from another deployment than its login"
    return None


def _subject(claims: SignedClaims, _expected: Expected) -> str | None:
    """Missing means an anonymous visitor, which is allowed."""
    subject = claims.get("sub")
    if subject is None:
        return None
    right = isinstance(subject, str) and 0 < len(subject) <= 255 and subject.isascii()
    return None if right else "its sub is not 1 to 255 ASCII characters"


def _resource_link(claims: SignedClaims, _expected: Expected) -> str | None:
    return None if said(claims.nested("resource_link").get("id")) else "it names no resource link"


def _roles(claims: SignedClaims, _expected: Expected) -> str | None:
    """Required by LTI, but it may be empty; where it is missing, nobody is made more by it."""
    roles = claims.lti("roles")
    right = roles is None or (
        isinstance(roles, list) and all(isinstance(role, str) for role in roles)
    )
    return None if right else "its roles are not a list of texts"


def _target(claims: SignedClaims, _expected: Expected) -> str | None:
    return None if said(claims.lti("target_link_uri")) else "it names no target_link_uri"


# In the order of lti-launch.md §6; the first failure refuses.
CHECKS: Mapping[str, Check] = {
    "iss": _issuer,
    "aud": _audience,
    "azp": _authorized_party,
    "exp": _expiry,
    "iat": _issue,
    "nonce": _nonce,
    "message_type": _message_type,
    "version": _version,
    "deployment_id": _deployment,
    "sub": _subject,
    "resource_link": _resource_link,
    "roles": _roles,
    "target_link_uri": _target,
}


def check(claims: SignedClaims, expected: Expected) -> None:
    """LaunchRefused by the first claim that is wrong, under that claim's name."""
    for name, wrong in CHECKS.items():
        reason = wrong(claims, expected)
        if reason is not None:
            raise LaunchRefused(name, f"The launch is refused: {reason}.")


def deployment_of(claims: SignedClaims) -> str:
    deployment: str = claims.lti("deployment_id")
    return deployment


def expiry_of(claims: SignedClaims) -> datetime:
    return _time(claims.get("exp")) or datetime.min.replace(tzinfo=UTC)


def launch_from(
    claims: SignedClaims, *, scope: str, shard: int, consumer_secrets: Mapping[str, str]
) -> Launch:
    """What checked claims say. `consumer_secrets`: of the institution's LTI 1.1 keys, to prove a claimed migration by."""
    return launch_of(_told(claims, consumer_secrets), scope=scope, shard=shard)


def _told(claims: SignedClaims, consumer_secrets: Mapping[str, str]) -> Told:
    context, platform = claims.nested("context"), claims.nested("tool_platform")
    lis = claims.nested("lis")
    services = claims.get(NRPS)
    kinds = context.get("type")
    return Told(
        version="1.3",
        sub=said(claims.get("sub")),
        lti11_ids=_lti11_ids(claims, consumer_secrets) if claims.get("sub") else frozenset(),
        name=said(claims.get("name")),
        given_name=said(claims.get("given_name")),
        family_name=said(claims.get("family_name")),
        email=said(claims.get("email")),
        picture=said(claims.get("picture")),
        sis_user_id=said(lis.get("person_sourcedid")),
        roles=tuple(claims.lti("roles") or ()),
        context_id=said(context.get("id"), longest=255),
        context_title=said(context.get("title")),
        context_label=said(context.get("label")),
        context_types=tuple(map(str, kinds)) if isinstance(kinds, list) else (),
        course_sis_id=said(lis.get("course_offering_sourcedid")),
        custom=_custom(claims),
        product=said(platform.get("product_family_code")),
        platform_guid=said(platform.get("guid"), longest=255),
        platform_name=said(platform.get("name")),
        memberships_url=said(services.get("context_memberships_url"))
        if isinstance(services, Mapping)
        else None,
        resource_link_id=said(claims.nested("resource_link").get("id"), longest=255),
        return_url=said(claims.nested("launch_presentation").get("return_url")),
        target=said(claims.lti("target_link_uri")),
        at=_time(claims.get("iat")) or datetime.min.replace(tzinfo=UTC),
    )


def _custom(claims: SignedClaims) -> dict[str, str]:
    """Custom fields, if they are the tool's own.

    Whoever makes a link in a course may name custom fields as well, which go before the tool's: `canvas_user_id` would make
    its author anybody. In a placement, where the link is the context itself, there is no such author. Who acts for
    somebody is believed always: it is only written down; and so is that somebody sees their sections alone: it only takes away.
    """
    said_so = {
        name: text
        for name, value in claims.nested("custom").items()
        if (text := said(value)) is not None
    }
    in_placement = claims.get(PLACEMENT) or (
        claims.nested("resource_link").get("id") == claims.nested("context").get("id")
    )
    return said_so if in_placement else {n: t for n, t in said_so.items() if n in _ALWAYS}


def _lti11_ids(claims: SignedClaims, consumer_secrets: Mapping[str, str]) -> frozenset[str]:
    """The person's LTI 1.1 ids. A migration claim that names a consumer key counts only with that key's proof."""
    found = {said(claims.lti("lti11_legacy_user_id"))}
    migration = claims.nested("lti1p1")
    if _is_proven(claims, migration, consumer_secrets):
        found.add(said(migration.get("user_id")))
    return frozenset(one for one in found if one is not None)


def _is_proven(
    claims: SignedClaims, migration: Mapping[str, Any], consumer_secrets: Mapping[str, str]
) -> bool:
    key = migration.get("oauth_consumer_key")
    if key is None:
        return True  # as trustworthy as the token that it stands in
    secret = consumer_secrets.get(key) if isinstance(key, str) else None
    if secret is None:
        return False
    proof = migration_proof(claims, key, secret)
    return hmac.compare_digest(proof, str(migration.get("oauth_consumer_key_sign")).encode())


def migration_proof(claims: SignedClaims, consumer_key: str, secret: str) -> bytes:
    """`oauth_consumer_key_sign` (LTI 1.3 migration guide)."""
    audience = claims.get("aud")
    client_id = audience[0] if isinstance(audience, list) else audience
    signed = (
        consumer_key,
        claims.lti("deployment_id"),
        claims.get("iss"),
        client_id,
        claims.get("exp"),
        claims.get("nonce"),
    )
    message = "&".join(map(str, signed)).encode()
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest())


def _time(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _quoted(value: object) -> str:
    return repr(value)[:60]
