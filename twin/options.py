"""What a twin is started with: sizes, seed, and a switch wherever the fact sheets leave a choice.

Each switch names the sheet and section it comes from; defaults are the stricter reading.
"""

from dataclasses import dataclass
from typing import Literal

FEWEST_COURSES = 10
FEWEST_USERS = 60
"""The cast alone takes nearly as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    seed: int = 1
    courses: int = 40
    users: int = 1500
    big: int = 2000
    """Enrollments of the one large course, in states that its default list shows."""
    enrollments: int | None = None
    """All enrollments together; None = 25 for every 3 users."""

    public_url: str = "http://127.0.0.1:9000"
    """What clients call the twin: Link headers, report files, LTI issuer and endpoints."""
    control: bool = False
    """Serve the control API: faults, clock, changes behind the gateway's back, truth, bill."""

    shard: int = 1
    """Cluster of the school: makes the global ids (transport.md 4.2)."""
    foreign_shard: int | None = None
    """A second cluster, whose records show with global ids; 1745 makes them pass 2^53."""
    foreign: Literal["users", "all"] = "users"
    """With `foreign_shard`: one user in ten lives there, or everything but the accounts does."""

    throttle_status: Literal[429, 403] = 429
    """Status of a throttled request (transport.md 2.3): hosted Canvas 429, self-hosted 403."""
    throttle_maximum: float = 800.0
    throttle_hwm: float = 600.0
    throttle_outflow: float = 10.0
    throttle_up_front: float = 50.0
    min_open_seconds: float = 0.02
    """A request holds its up-front cost at least this long (transport.md 2.1)."""

    per_page_default: int = 10
    per_page_maximum: int = 100
    """transport.md 1.1."""
    ordinal_enrollment_keys: frozenset[int] = frozenset()
    """Developer keys that get numeric pages on enrollment lists (transport.md 1.2)."""
    sis_user_id_by_search: bool = True
    """Newest source finds `sis_user_id[]` of enrollment lists by user search: two characters at
    least, active logins, 500 on a user's list; False: any login (enrollments-api.md 2.4)."""
    pairings_wrapped: bool = False
    """Temporary enrollment pairings come under a key of their own (enrollments-api.md 7.5)."""
    require_user_agent: bool = True
    """Refuse requests without a User-Agent (transport.md 5)."""
    dot_is_format: bool = True
    """An unescaped dot in a path starts a format (transport.md 4.1, 6); False: part of the id."""
    tilde_ids: bool = True
    """`1745~2231` in paths, as hosted Canvas takes it (transport.md 4.2)."""
    forbidden_is_403: bool = False
    """The site flag `api_auth_error_updates` (transport.md 6)."""
    course_role_masquerade_check: bool = True
    """`course_admin_role_masquerade_permission_check` (transport.md 3)."""
    anybody_is_test_student: bool = False
    """Newest source lets anybody act as a test student (transport.md 3)."""
    completed_teachers_keep_sis: bool = False
    """Newest source: an ended teacher or TA keeps read_sis and view_user_logins
    (roster-rest.md 4)."""
    past_lti_user_id: bool = True
    """`lti_user_id:` also finds ids from before a merge (transport.md 4.1, newer source)."""
    course_templates: bool = False
    """Feature `course_templates`: keys `template`, `course_template_id` (roster-rest.md 2.2)."""

    auto_approve: bool = False
    """Answer an authorization request at once, for the login named by `unique_id` where nobody is
    logged in: no page is shown (oauth2.md 2)."""
    oauth_client_secret: str = "twin-oauth-secret"  # noqa: S105  a demo's, set at start
    oauth_redirect_uris: tuple[str, ...] = ("http://127.0.0.1:8000/oauth/callback",)
    token_redirect_uri_compared: bool = True
    """The token step wants the same redirect_uri again: documented, not in the source (oauth2.md 3)."""
    token_errors_redirect: bool = False
    """Older source answers a token error by 302 to redirect_uri (oauth2.md 3.3)."""
    public_refresh_hours: float = 2.0
    """How long a public client may refresh (oauth2.md 3.2)."""

    lti_issuer: str = "https://canvas.instructure.com"
    """The same for every school and for self-hosted Canvas (lti-launch.md 2.2)."""
    lti_grant_hosts: tuple[str, ...] = ("canvas.instructure.com", "sso.canvaslms.com")
    """Token hosts that every service accepts beside its own (nrps.md 1.2); () = the oldest source."""
    tool_url: str = "http://127.0.0.1:8000"
    """Where the tool lives that is installed from the start."""
    tool_privacy_level: Literal["anonymous", "name_only", "email_only", "public"] = "public"
    lti11_consumer_key: str = "demo-key"
    lti11_secret: str = "demo-secret"  # noqa: S105  a demo's, set at start
    lti_post_only: bool = True
    """False: the feature `disable_lti_post_only`, query parameters stay in the launch URL and are
    signed there (lti-launch.md 1.2)."""
    lti_empty_as_null: bool = True
    """A variable without a value is JSON null in 1.3; False: an empty string (lti-launch.md 5)."""
    lti_consumer_key_claim: bool = False
    """The lti1p1 claim names and proves the matching 1.1 tool (lti-launch.md 3.5)."""
    lti_stray_members: bool = True
    """`errors` and `validation_context` in id_tokens (lti-launch.md 3.2)."""
    lti_login_required_page: bool = False
    """Newer Canvas shows its own 401 page in place of `login_required` (lti-launch.md 2.3)."""
    lti_storage: bool = True
    """The launch page offers platform storage (lti-launch.md 7)."""
    lti_environment: str = "prod"
    lti_region: str = "not_configured"
    """As in source; the documentation says `production` and `unknown` (lti-launch.md 2.1)."""
    nrps_course_variables: bool = True
    """False: the list of mid-2022, variables of the person only (nrps.md 7)."""

    live_events_url: str | None = None
    """Where Live Events are posted; None: nowhere until a subscription is made."""
    live_events_signed: bool = True
    """"Sign Payload": the body is a JWT (live-events.md 5)."""
    live_events_drop: float = 0.0
    live_events_duplicate: float = 0.0
    live_events_reorder: float = 0.0
    """Shares of events that are lost, sent twice, or overtaken by the next (live-events.md 6)."""

    report_queue_seconds: float = 5.0
    report_rows_per_second: float = 20_000.0
    report_slots: int = 1
    """Reports that run side by side (reports.md 2.1: a site setting)."""
    newest_exporter: bool = True
    """Reports of 2025/26; False: date-ended rows stay `active`, no `uuid`, no institutional tags,
    any `created_by_sis` is true, sections name their course of origin (reports.md 1.2, 4)."""
    report_extra_keys: bool = False
    """`run_time` and `user` in the report object, documented for newer Canvas (reports.md 2)."""
    export_pronouns: bool = False
    """The root account uses pronouns and exports them (reports.md 4.2)."""
    consortium: bool = False
    """The root account trusts another: reports have the column `root_account` (reports.md 4.7)."""
    stray_report_header: bool = False
    """With `temporary_enrollments`: the exporter that wrote one header cell too many into the SIS
    enrollments file (reports.md 4.1)."""
    uuid_verifiers: bool = True
    """False: the flag `disable_adding_uuid_verifier_in_api`, a file's URL does not open it
    (reports.md 3)."""
    files_origin: str = ""
    """Where files lie; "" = `localhost` for a public URL on 127.0.0.1 and the reverse, else
    `files.` before the public host."""
    file_hops: int = 2
    """Redirects from a file's URL to its bytes, the first by Canvas itself (reports.md 3)."""
    file_url_seconds: float = 300.0
    """How long a file host's own URL lives; the verifier's never dies (reports.md 3)."""

    sis_imports_enabled: bool = True
    sis_queue_seconds: float = 2.0
    sis_rows_per_second: float = 500.0
    sis_abort_pause_seconds: float = 600.0
    """After an aborted running import the next one waits about ten minutes (sis-imports.md 3)."""
    sis_row_info: bool = False
    """Newer: `row_info` in the errors of an import (sis-imports.md 4)."""

    temporary_enrollments: bool = False
    """The feature `temporary_enrollments` (enrollments-api.md 7.5, reports.md 4.7)."""

    def __post_init__(self) -> None:
        if self.courses < FEWEST_COURSES or self.users < FEWEST_USERS or self.big < 2:
            raise ValueError(
                f"a school has at least {FEWEST_COURSES} courses, {FEWEST_USERS} users and"
                " a big course of 2 enrollments"
            )
