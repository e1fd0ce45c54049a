"""1.1 signatures: the worked examples of lti-launch.md §1.4 and §1.5, checked by oauthlib too."""

from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import pytest
from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint

from twin.lti import oauth1

KEY = "roster-demo-key"
SECRET = "s3cret&with/odd+chars"
URL = "https://roster.example.edu/lti/1p1/launch"
AT = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
NONCE = "Zt8vQ2mXc4LrN7bK1pHd6sWyGq3uEoA9iJfVxB0TzM"
PARAMS = {
    "lti_message_type": "basic-lti-launch-request",
    "lti_version": "LTI-1p0",
    "resource_link_id": "324066e9295b3257b8504894f36f8fcadf86117a",
    "resource_link_title": "Roster Gateway",
    "user_id": "f5d0d9840923d5df0bbc6fa565673250f7203a33",
    "user_image": "https://school.instructure.com/images/thumbnails/77/q%20r",
    "roles": "Instructor,urn:lti:role:ims/lis/TeachingAssistant",
    "ext_roles": (
        "urn:lti:instrole:ims/lis/Instructor,urn:lti:role:ims/lis/Instructor,"
        "urn:lti:role:ims/lis/TeachingAssistant,urn:lti:sysrole:ims/lis/User"
    ),
    "custom_canvas_enrollment_state": "active",
    "lis_person_name_given": "Zoë",
    "lis_person_name_family": "O'Neil-Núñez",
    "lis_person_name_full": "Zoë O'Neil-Núñez",
    "lis_person_contact_email_primary": "zoe+lms@school.example.edu",
    "lis_person_sourcedid": "S-000123",
    "custom_canvas_user_id": "2231",
    "custom_canvas_user_login_id": "zoneil",
    "custom_canvas_course_id": "412",
    "custom_canvas_workflow_state": "available",
    "lis_course_offering_sourcedid": "2025FA-CS101",
    "custom_canvas_api_domain": "school.instructure.com",
    "custom_section_ids": "918,921",
    "custom_section_sis_ids": "",
    "context_id": "324066e9295b3257b8504894f36f8fcadf86117a",
    "context_title": "Computer Science 101 & Lab",
    "context_label": "CS-101",
    "launch_presentation_locale": "en",
    "launch_presentation_document_target": "iframe",
    "launch_presentation_width": "800",
    "launch_presentation_height": "400",
    "launch_presentation_return_url": (
        "https://school.instructure.com/courses/412/external_content/success/external_tool_redirect"
    ),
    "tool_consumer_instance_guid": "Hq3sWmT9xLr2VbN8cKdP5gYf1JzQa7uE0oRi4tXy:canvas-lms",
    "tool_consumer_instance_name": "Example School",
    "tool_consumer_instance_contact_email": "notifications@instructure.com",
    "tool_consumer_info_product_family_code": "canvas",
    "tool_consumer_info_version": "cloud",
}


class Consumer(RequestValidator):  # type: ignore[misc]  # oauthlib ships no types
    """Knows one consumer; its limits are Canvas's, not oauthlib's (lti-launch.md §1.3)."""

    nonce_length = (8, 128)
    client_key_length = (3, 60)
    safe_characters = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    allowed_signature_methods = ("HMAC-SHA1",)
    enforce_ssl = False
    dummy_client = "dummy"
    timestamp_lifetime = 10**9

    def __init__(self, key: str, secret: str) -> None:
        super().__init__()
        self.key, self.secret = key, secret

    def validate_client_key(self, client_key: str, _request: object) -> bool:
        return client_key == self.key

    def get_client_secret(self, _client_key: str, _request: object) -> str:
        return self.secret

    def validate_timestamp_and_nonce(self, *_args: object, **_kwargs: object) -> bool:
        return True


def oauthlib_accepts(url: str, body: dict[str, str], key: str = KEY, secret: str = SECRET) -> bool:
    endpoint = SignatureOnlyEndpoint(Consumer(key, secret))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    valid, _ = endpoint.validate_request(url, "POST", urlencode(body), headers)
    return bool(valid)


def signed(url: str, params: dict[str, str] = PARAMS, *, copy_query: bool = True) -> dict[str, str]:
    return oauth1.signed_body(
        url,
        params,
        consumer_key=KEY,
        secret=SECRET,
        now=AT,
        nonce=NONCE,
        copy_query=copy_query,
    )


def test_worked_example_without_a_query() -> None:
    body = signed(URL)

    assert body["oauth_signature"] == "byRz5kmCWVFY6e8RaR16wFsRzZU="
    unsigned = [pair for pair in body.items() if pair[0] != "oauth_signature"]
    assert len(oauth1.base_string(URL, unsigned)) == 2326
    assert oauthlib_accepts(URL, body)


def test_worked_example_changed_in_one_thing() -> None:
    body = signed(URL)
    without_blank = {name: value for name, value in body.items() if value}

    assert not oauthlib_accepts(URL.replace("https", "http"), body)
    assert oauthlib_accepts(URL.replace(".edu", ".edu:443"), body)
    assert not oauthlib_accepts(URL.replace(".edu", ".edu:8443"), body)
    assert not oauthlib_accepts(URL, without_blank)


def test_worked_example_with_a_query_in_canvas_default_mode() -> None:
    url = f"{URL}?tenant=demo&v=2"
    body = signed(url)

    assert body["oauth_signature"] == "PQoGUdM7TM11z1e3zweRzUTY1/E="
    assert (body["tenant"], body["v"]) == ("demo", "2")
    assert not oauthlib_accepts(url, body)
    assert oauthlib_accepts(URL, body)


def test_worked_example_with_a_query_and_disable_lti_post_only() -> None:
    url = f"{URL}?tenant=demo&v=2"
    body = signed(url, copy_query=False)

    assert body["oauth_signature"] == "PQoGUdM7TM11z1e3zweRzUTY1/E="
    assert "tenant" not in body
    assert oauthlib_accepts(url, body)
    assert not oauthlib_accepts(URL, body)


def test_query_never_replaces_a_parameter_of_the_launch() -> None:
    body = signed(f"{URL}?roles=Administrator&x=1&x=2")

    assert body["roles"] == PARAMS["roles"]
    assert body["x"] == "1"


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\r\nb"])
def test_line_breaks_are_signed_as_crlf(text: str) -> None:
    body = signed(URL, {"context_title": text})

    assert body["context_title"] == "a\r\nb"
    assert oauthlib_accepts(URL, body)


@pytest.mark.parametrize(
    ("given", "signed_as"),
    [
        ("HTTPS://Roster.Example.EDU", "https://roster.example.edu/"),
        ("https://a.example:443/x/", "https://a.example/x/"),
        ("http://a.example:80/x?y=1#z", "http://a.example/x"),
        ("http://a.example:8000/x", "http://a.example:8000/x"),
    ],
)
def test_base_url(given: str, signed_as: str) -> None:
    assert oauth1.base_url(given) == signed_as
    assert urlsplit(signed_as).query == ""


def test_nonces_are_forty_odd_word_characters_and_differ() -> None:
    nonces = {
        oauth1.signed_body(URL, {}, consumer_key=KEY, secret=SECRET, now=AT)["oauth_nonce"]
        for _ in range(50)
    }

    assert len(nonces) == 50
    assert all(nonce.replace("_", "a").isalnum() and len(nonce) == 42 for nonce in nonces)
