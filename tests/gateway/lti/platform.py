"""A platform as far as a tool sees it: keys, a key set that can be down, tokens with the claims of a Canvas launch."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from joserfc.jwk import RSAKey

from gateway.errors import NotAnswered

ISSUER = "https://canvas.instructure.com"
CLIENT_ID = "170000000000417"
DEPLOYMENT = "371:70eaae54eb9fa679315c63f7f7d2e116adf27458"
JWKS_URL = "https://sso.canvaslms.com/api/lti/security/jwks"
AUTH_URL = "https://sso.canvaslms.com/api/lti/authorize_redirect"
TOKEN_URL = "https://sso.canvaslms.com/login/oauth2/token"
PUBLIC_URL = "https://roster.example.edu"

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
V2 = "http://purl.imsglobal.org/vocab/lis/v2"
LEARNER = f"{V2}/membership#Learner"
INSTRUCTOR = f"{V2}/membership#Instructor"
TA = f"{V2}/membership/Instructor#TeachingAssistant"
ADMINISTRATOR = f"{V2}/institution/person#Administrator"
USER = f"{V2}/system/person#User"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"

COURSE_CONTEXT = "324066e9295b3257b8504894f36f8fcadf86117a"
ACCOUNT_CONTEXT = "70eaae54eb9fa679315c63f7f7d2e116adf27458"
SUB = "6d0c9a52-41f7-4a0e-9b1b-2f5f7c3a8e11"
LEGACY = "f5d0d9840923d5df0bbc6fa565673250f7203a33"

# Making RSA keys is slow.
KEY = RSAKey.generate_key(2048, {"kid": "2025-10"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "2025-11"})

Claims = dict[str, Any]


class Platform:
    """`published`: what its key set holds. `fetched`: how often somebody asked for it."""

    def __init__(self) -> None:
        self.published = [KEY]
        self.down = False
        self.fetched = 0

    async def fetch(self, _url: str) -> tuple[bytes, timedelta | None]:
        self.fetched += 1
        if self.down:
            raise NotAnswered("nobody answers")
        keys = [key.as_dict(private=False) for key in self.published]
        return orjson.dumps({"keys": keys}), timedelta(days=10)


def signed(claims: Mapping[str, Any], key: RSAKey = KEY, **header: Any) -> str:
    """As a platform signs; members of the header may be added, changed or taken away. By hand: a library would object."""
    head = {"alg": "RS256", "typ": "JWT", "kid": key.kid, **header}
    kept = {name: value for name, value in head.items() if value is not None}
    signing_input = f"{_encoded(kept)}.{_encoded(claims)}"
    hashed = SHA512() if head["alg"] == "RS512" else SHA256()
    private = key.private_key
    assert private is not None
    return f"{signing_input}.{_base64(private.sign(signing_input.encode(), PKCS1v15(), hashed))}"


def unsigned(claims: Mapping[str, Any]) -> str:
    return f"{_encoded({'alg': 'none', 'kid': KEY.kid})}.{_encoded(claims)}."


def signed_by_the_public_key(claims: Mapping[str, Any]) -> str:
    """HS256 whose secret is what everybody may know: fatal where the token chooses the algorithm."""
    signing_input = f"{_encoded({'alg': 'HS256', 'kid': KEY.kid})}.{_encoded(claims)}"
    digest = hmac.new(KEY.as_pem(private=False), signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{_base64(digest)}"


def _encoded(part: Mapping[str, Any]) -> str:
    return _base64(json.dumps(dict(part)).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def course_claims(now: datetime, nonce: str, **changes: Any) -> Claims:
    """A launch from a course's navigation, as Canvas sends it at privacy level `public`."""
    seconds = int(now.timestamp())
    claims: Claims = {
        "iss": ISSUER,
        "aud": CLIENT_ID,
        "azp": CLIENT_ID,
        "iat": seconds,
        "exp": seconds + 3600,
        "nonce": nonce,
        "sub": SUB,
        f"{LTI}message_type": "LtiResourceLinkRequest",
        f"{LTI}version": "1.3.0",
        f"{LTI}deployment_id": DEPLOYMENT,
        f"{LTI}target_link_uri": f"{PUBLIC_URL}/lti/launch",
        f"{LTI}resource_link": {"id": COURSE_CONTEXT, "title": "CS 101", "description": None},
        f"{LTI}context": {
            "id": COURSE_CONTEXT,
            "label": "CS-101",
            "title": "Computer Science 101 & Lab",
            "type": [f"{V2}/course#CourseOffering"],
        },
        f"{LTI}roles": [f"{V2}/institution/person#Instructor", INSTRUCTOR, USER],
        f"{LTI}lis": {"person_sourcedid": "S-000123", "course_offering_sourcedid": "2025FA-CS101"},
        f"{LTI}tool_platform": {
            "guid": "Hq3sWmT9xLr2VbN8cKdP5gYf1JzQa7uE0oRi4tXy:canvas-lms",
            "name": "Example School",
            "version": "cloud",
            "product_family_code": "canvas",
        },
        f"{LTI}launch_presentation": {
            "document_target": "iframe",
            "locale": "en",
            "return_url": "https://school.instructure.com/courses/412/external_content/success/external_tool_redirect",
            "width": 800,
            "height": 400,
        },
        f"{LTI}lti11_legacy_user_id": LEGACY,
        f"{LTI}lti1p1": {"user_id": LEGACY},
        NRPS: {
            "context_memberships_url": "https://school.instructure.com/api/lti/courses/412/names_and_roles",
            "service_versions": ["2.0"],
        },
        f"{LTI}custom": {
            "canvas_user_id": "2231",
            "canvas_user_global_id": "170000000002231",
            "canvas_user_uuid": "Vq7rTz2bXk9LmP4sNd8wJy3hGf6cRa1eUo5iQt0Z",
            "canvas_user_login_id": "zoneil",
            "canvas_user_sis_id": "S-000123",
            "canvas_user_integration_id": None,
            "canvas_course_id": "412",
            "canvas_course_sis_id": "2025FA-CS101",
            "canvas_course_workflow_state": "available",
            "canvas_enrollment_state": "active",
            "canvas_membership_roles": "TeacherEnrollment",
            "canvas_account_id": "37",
            "canvas_root_account_global_id": "170000000000001",
            "canvas_masquerading_user_id": "$Canvas.masqueradingUser.id",
        },
        "name": "Zoë O'Neil-Núñez",
        "given_name": "Zoë",
        "family_name": "O'Neil-Núñez",
        "email": "zoe+lms@school.example.edu",
        "picture": "https://school.instructure.com/images/thumbnails/77/q%20r",
        "locale": "en",
        "https://www.instructure.com/placement": "course_navigation",
        "errors": {"errors": {}},
        "validation_context": None,
    }
    return {**claims, **changes}


def account_claims(now: datetime, nonce: str, **changes: Any) -> Claims:
    """A launch from an account's navigation: no roles in it, no services, and variables that were left as they are."""
    claims = course_claims(now, nonce)
    del claims[NRPS]
    here = {"id": ACCOUNT_CONTEXT, "title": "Example School"}
    custom = claims[f"{LTI}custom"] | {
        "canvas_course_id": "$Canvas.course.id",
        "canvas_course_sis_id": "$Canvas.course.sisSourceId",
        "canvas_course_workflow_state": "$Canvas.course.workflowState",
        "canvas_enrollment_state": "$Canvas.enrollment.enrollmentState",
        "canvas_membership_roles": "Account Admin",
        "canvas_account_id": "1",
    }
    return {
        **claims,
        f"{LTI}resource_link": {**here, "description": None},
        f"{LTI}context": {**here, "type": ["Account"]},
        f"{LTI}roles": [ADMINISTRATOR, USER],
        f"{LTI}lis": {
            "person_sourcedid": "S-000123",
            "course_offering_sourcedid": "$CourseSection.sourcedId",
        },
        f"{LTI}custom": custom,
        "https://www.instructure.com/placement": "account_navigation",
        **changes,
    }
