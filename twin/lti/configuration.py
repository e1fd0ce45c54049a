"""From a tool's registration to its key and installation (fact sheet lti-launch.md §8)."""

from collections.abc import Mapping, Sequence
from typing import Any

from twin.errors import CanvasError
from twin.lti.tools import PRIVACY_LEVELS, Placement, PrivacyLevel
from twin.scopes import LTI_SCOPES

TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
CANVAS = "https://canvas.instructure.com/lti/"
PLACEMENTS = (
    "account_navigation",
    "assignment_selection",
    "course_navigation",
    "editor_button",
    "global_navigation",
    "homework_submission",
    "link_selection",
    "migration_selection",
    "resource_selection",
    "student_context_card",
    "user_navigation",
)
_OTHER_NAMES = {"ContentArea": "link_selection", "RichTextEditor": "editor_button"}
_NAMES = frozenset({"name", "given_name", "family_name"})


class Rejected(CanvasError):
    """A registration that Canvas does not take."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(422, {"errors": [{"message": fault} for fault in faults]})


def check(registration: Mapping[str, Any]) -> None:
    faults = [
        *_wrong_values(registration),
        *_missing(registration, ("redirect_uris", "initiate_login_uri", "client_name", "jwks_uri")),
        *_missing(registration, ("scope", TOOL)),
        *_missing(tool_of(registration), ("domain", "target_link_uri", "messages", "claims")),
        *_odd_messages(tool_of(registration)),
        *(f"scope {scope} is unknown" for scope in scopes(registration) if scope not in LTI_SCOPES),
    ]
    if faults:
        raise Rejected(faults)


def _wrong_values(registration: Mapping[str, Any]) -> list[str]:
    grants = registration.get("grant_types") or ()
    rules = (
        ("application_type", registration.get("application_type") == "web"),
        ("grant_types", {"client_credentials", "implicit"} <= set(grants)),
        ("response_types", "id_token" in (registration.get("response_types") or ())),
        (
            "token_endpoint_auth_method",
            registration.get("token_endpoint_auth_method") == "private_key_jwt",
        ),
    )
    return [f"{name} is invalid" for name, right in rules if not right]


def _missing(values: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return [f"{name} is missing" for name in names if values.get(name) in (None, "", [])]


def _odd_messages(tool: Mapping[str, Any]) -> list[str]:
    messages = tool.get("messages") or []
    right = isinstance(messages, list) and all(isinstance(m, dict) for m in messages)
    return [] if right else ["messages is invalid"]


def tool_of(registration: Mapping[str, Any]) -> Mapping[str, Any]:
    tool = registration.get(TOOL)
    return tool if isinstance(tool, Mapping) else {}


def scopes(registration: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(registration.get("scope") or "").split())


def privacy_level(registration: Mapping[str, Any]) -> PrivacyLevel:
    """As asked for, else inferred from the claims that the tool wants."""
    tool = tool_of(registration)
    for level in PRIVACY_LEVELS:
        if tool.get(f"{CANVAS}privacy_level") == level:
            return level
    claims = set(tool.get("claims") or ())
    named = bool(claims & _NAMES)
    if "picture" in claims or (named and "email" in claims):
        return "public"
    if named or any(claim.endswith("/claim/lis") for claim in claims):
        return "name_only"
    return "email_only" if "email" in claims else "anonymous"


def placements(registration: Mapping[str, Any]) -> dict[str, Placement]:
    found: dict[str, Placement] = {}
    for message in tool_of(registration).get("messages") or ():
        for name in message.get("placements") or ("link_selection",):
            placement = _placement(_placement_name(name), message)
            found[placement.name] = placement
    return found


def _placement_name(name: str) -> str:
    plain = name.removeprefix(CANVAS)
    return _OTHER_NAMES.get(plain, plain)


def _placement(name: str, message: Mapping[str, Any]) -> Placement:
    return Placement(
        name=name,
        text=message.get("label"),
        target_link_uri=message.get("target_link_uri"),
        custom_fields=dict(message.get("custom_parameters") or {}),
        enabled=message.get(f"{CANVAS}course_navigation/default_enabled", True),
        visibility=message.get(f"{CANVAS}visibility", "public"),
        width=message.get(f"{CANVAS}launch_width"),
        height=message.get(f"{CANVAS}launch_height"),
    )
