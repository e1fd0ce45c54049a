"""What an administrator pastes, and what we say of ourselves to a platform (canvas-lms: doc/api/lti_dev_key_config.md)."""

from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from gateway.lti.launch import CUSTOM_FIELDS

NRPS_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
TITLE = "Roster Gateway"
DESCRIPTION = "The course's roster, kept in step"
TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
CANVAS = "https://canvas.instructure.com/lti/"

_COURSE, _ACCOUNT = "course_navigation", "account_navigation"
_TEXTS = {_COURSE: "Roster", _ACCOUNT: "Roster admin"}


def developer_key(public_url: str) -> dict[str, Any]:
    """The JSON of a Canvas developer key. Roster variables stand at its root: NRPS ignores those of a placement."""
    common = {
        "message_type": "LtiResourceLinkRequest",
        "enabled": True,
        "target_link_uri": _launch(public_url),
    }
    course = {"placement": _COURSE, "text": _TEXTS[_COURSE], **common}
    account = {"placement": _ACCOUNT, "text": _TEXTS[_ACCOUNT], **common}
    return {
        "title": TITLE,
        "description": DESCRIPTION,
        "oidc_initiation_url": _login(public_url),
        "target_link_uri": _launch(public_url),
        "scopes": [NRPS_SCOPE],
        "public_jwk_url": _jwks(public_url),
        "extensions": [
            {
                "domain": urlsplit(public_url).netloc,
                "tool_id": "roster-gateway",
                "platform": "canvas.instructure.com",
                "privacy_level": "public",
                "settings": {
                    "text": TITLE,
                    "platform": "canvas.instructure.com",
                    "placements": [
                        {**course, "default": "enabled", "visibility": "members"},
                        {**account, "root_account_only": False},
                    ],
                },
            }
        ],
        "custom_fields": dict(CUSTOM_FIELDS),
    }


def registration(public_url: str) -> dict[str, Any]:
    """The body of a dynamic registration (1EdTech LTI Dynamic Registration 1.0), with Canvas's own members."""

    def message(placement: str) -> dict[str, Any]:
        return {
            "type": "LtiResourceLinkRequest",
            "label": _TEXTS[placement],
            "target_link_uri": _launch(public_url),
            "placements": [placement],
        }

    course = message(_COURSE) | {
        f"{CANVAS}course_navigation/default_enabled": True,
        f"{CANVAS}visibility": "members",
    }
    return {
        "application_type": "web",
        "client_name": TITLE,
        "client_uri": public_url,
        "grant_types": ["client_credentials", "implicit"],
        "response_types": ["id_token"],
        "initiate_login_uri": _login(public_url),
        "redirect_uris": [_launch(public_url)],
        "jwks_uri": _jwks(public_url),
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": NRPS_SCOPE,
        TOOL: {
            "domain": urlsplit(public_url).netloc,
            "target_link_uri": _launch(public_url),
            "description": DESCRIPTION,
            "claims": [
                *("iss", "sub", "name", "given_name", "family_name", "email", "picture", "locale")
            ],
            "custom_parameters": dict(CUSTOM_FIELDS),
            f"{CANVAS}privacy_level": "public",
            "messages": [course, message(_ACCOUNT)],
        },
    }


def cartridge(public_url: str) -> str:
    """The XML of an LTI 1.1 tool, with Canvas's placements; others ignore those (canvas-lms: doc/api/navigation_tools.md)."""
    url = f"{public_url}/lti/1.1/launch"
    custom = "".join(
        f"<lticm:property name={quoteattr(name)}>{escape(value)}</lticm:property>"
        for name, value in CUSTOM_FIELDS.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<cartridge_basiclti_link xmlns="http://www.imsglobal.org/xsd/imslticc_v1p0"'
        ' xmlns:blti="http://www.imsglobal.org/xsd/imsbasiclti_v1p0"'
        ' xmlns:lticm="http://www.imsglobal.org/xsd/imslticm_v1p0"'
        ' xmlns:lticp="http://www.imsglobal.org/xsd/imslticp_v1p0">'
        f"<blti:title>{escape(TITLE)}</blti:title>"
        f"<blti:description>{escape(DESCRIPTION)}</blti:description>"
        f"<blti:launch_url>{escape(url)}</blti:launch_url>"
        f"<blti:custom>{custom}</blti:custom>"
        '<blti:extensions platform="canvas.instructure.com">'
        '<lticm:property name="tool_id">roster-gateway</lticm:property>'
        '<lticm:property name="privacy_level">public</lticm:property>'
        f'<lticm:property name="domain">{escape(urlsplit(public_url).netloc)}</lticm:property>'
        f"{_placement(_COURSE, url, visibility='members', default='enabled')}"
        f"{_placement(_ACCOUNT, url)}"
        "</blti:extensions></cartridge_basiclti_link>\n"
    )


def _placement(name: str, url: str, **more: str) -> str:
    options = {"enabled": "true", "text": _TEXTS[name], "url": url, **more}
    properties = "".join(
        f'<lticm:property name="{option}">{escape(value)}</lticm:property>'
        for option, value in options.items()
    )
    return f'<lticm:options name="{name}">{properties}</lticm:options>'


def _login(public_url: str) -> str:
    return f"{public_url}/lti/login"


def _launch(public_url: str) -> str:
    return f"{public_url}/lti/launch"


def _jwks(public_url: str) -> str:
    return f"{public_url}/lti/jwks.json"
