"""The rows of the twin's Canvas: one slots dataclass for each table that a roster touches.

Names follow canvas-lms (app/models); `sis_batch_id` is what JSON calls `sis_import_id`.
Rows are compared by identity: two enrollments are never equal because their fields agree.
"""

from dataclasses import dataclass, field
from datetime import datetime

NOTHING_STUCK: frozenset[str] = frozenset()

TEACHER_LIKE = frozenset({"TeacherEnrollment", "TaEnrollment", "DesignerEnrollment"})
STUDENT_TYPES = frozenset({"StudentEnrollment", "StudentViewEnrollment"})
COURSE_TYPES = (
    "StudentEnrollment",
    "TeacherEnrollment",
    "TaEnrollment",
    "DesignerEnrollment",
    "ObserverEnrollment",
)


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    id: int
    name: str
    uuid: str
    lti_context_id: str
    lti_guid: str
    created_at: datetime
    updated_at: datetime
    parent_id: int | None = None
    workflow_state: str = "active"
    time_zone: str = "America/Denver"
    sis_source_id: str | None = None
    integration_id: str | None = None
    sis_batch_id: int | None = None
    stuck: frozenset[str] = NOTHING_STUCK


@dataclass(slots=True, kw_only=True, eq=False)
class Term:
    id: int
    account_id: int
    name: str
    created_at: datetime
    updated_at: datetime
    start_at: datetime | None = None
    end_at: datetime | None = None
    overrides: dict[str, tuple[datetime | None, datetime | None]] = field(default_factory=dict)
    """Dates by enrollment type, only types with a date."""
    workflow_state: str = "active"
    sis_source_id: str | None = None
    integration_id: str | None = None
    sis_batch_id: int | None = None
    stuck: frozenset[str] = NOTHING_STUCK


@dataclass(slots=True, kw_only=True, eq=False)
class Role:
    id: int
    account_id: int
    name: str
    label: str
    base_type: str
    """One of the five course types or `AccountMembership`."""
    workflow_state: str
    """`built_in`, `active`, `inactive` or `deleted`."""
    created_at: datetime
    updated_at: datetime
    overrides: dict[str, bool] = field(default_factory=dict)
    """Permissions that the school set, over the defaults of the base type."""


@dataclass(slots=True, kw_only=True, eq=False)
class User:
    id: int
    uuid: str
    lti_id: str
    """LTI 1.3 `sub`."""
    lti_context_id: str
    """LTI 1.1 opaque id, 40 hex."""
    name: str
    sortable_name: str
    short_name: str
    created_at: datetime
    updated_at: datetime
    workflow_state: str = "registered"
    """`pre_registered`, `registered` or `deleted`."""
    pronouns: str | None = None
    avatar_url: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    bio: str | None = None
    last_login: datetime | None = None
    merged_into_id: int | None = None
    is_test_student: bool = False
    stuck: frozenset[str] = NOTHING_STUCK


@dataclass(slots=True, kw_only=True, eq=False)
class Pseudonym:
    """A login."""

    id: int
    user_id: int
    account_id: int
    unique_id: str
    created_at: datetime
    updated_at: datetime
    sis_user_id: str | None = None
    integration_id: str | None = None
    authentication_provider_id: int | None = None
    declared_user_type: str | None = None
    workflow_state: str = "active"
    """`active`, `suspended` or `deleted`."""
    position: int = 1
    sis_batch_id: int | None = None
    stuck: frozenset[str] = NOTHING_STUCK


@dataclass(slots=True, kw_only=True, eq=False)
class CommunicationChannel:
    """An e-mail address; the first active one by position is the user's e-mail."""

    id: int
    user_id: int
    path: str
    created_at: datetime
    updated_at: datetime
    path_type: str = "email"
    position: int = 1
    workflow_state: str = "active"
    """`active`, `unconfirmed` or `retired`."""
    sis_pseudonym_id: int | None = None
    """Set for the address that came by SIS."""


@dataclass(slots=True, kw_only=True, eq=False)
class AuthenticationProvider:
    id: int
    account_id: int
    type: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True, kw_only=True, eq=False)
class Course:
    id: int
    uuid: str
    lti_context_id: str
    account_id: int
    term_id: int
    name: str
    course_code: str
    created_at: datetime
    updated_at: datetime
    workflow_state: str = "available"
    """`created`, `claimed`, `available`, `completed` or `deleted`."""
    start_at: datetime | None = None
    end_at: datetime | None = None
    restrict_enrollments_to_course_dates: bool = False
    restrict_student_past_view: bool = False
    restrict_student_future_view: bool = False
    hide_sections_on_course_users_page: bool = False
    hide_final_grades: bool = False
    is_public: bool = False
    is_public_to_auth_users: bool = False
    blueprint: bool = False
    template: bool = False
    homeroom: bool = False
    self_enrollment_code: str | None = None
    course_format: str | None = None
    """`on_campus`, `online`, `blended` or nothing."""
    blueprint_course_id: int | None = None
    """The blueprint this course is associated with."""
    grade_passback_setting: str | None = None
    friendly_name: str | None = None
    time_zone: str = "America/Denver"
    sis_source_id: str | None = None
    integration_id: str | None = None
    sis_batch_id: int | None = None
    stuck: frozenset[str] = NOTHING_STUCK


@dataclass(slots=True, kw_only=True, eq=False)
class Section:
    id: int
    course_id: int
    name: str
    created_at: datetime
    updated_at: datetime
    nonxlist_course_id: int | None = None
    default_section: bool = False
    start_at: datetime | None = None
    end_at: datetime | None = None
    restrict_enrollments_to_section_dates: bool = False
    workflow_state: str = "active"
    sis_source_id: str | None = None
    integration_id: str | None = None
    sis_batch_id: int | None = None
    stuck: frozenset[str] = NOTHING_STUCK


@dataclass(slots=True, kw_only=True, eq=False)
class Enrollment:
    id: int
    user_id: int
    course_id: int
    section_id: int
    type: str
    role_id: int
    workflow_state: str
    """The stored state; the state by date is `twin.date_states.date_state`."""
    created_at: datetime
    updated_at: datetime
    limit_privileges_to_course_section: bool = False
    associated_user_id: int | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    completed_at: datetime | None = None
    last_activity_at: datetime | None = None
    last_attended_at: datetime | None = None
    total_activity_time: int = 0
    current_score: float | None = None
    final_score: float | None = None
    self_enrolled: bool | None = None
    temporary_source_user_id: int | None = None
    temporary_pairing_id: int | None = None
    sis_batch_id: int | None = None
    sis_pseudonym_id: int | None = None
    """The login whose SIS id made the row; a touch by REST clears it."""
    stuck: frozenset[str] = NOTHING_STUCK


@dataclass(slots=True, kw_only=True, eq=False)
class AccountUser:
    """An admin: one role of one person in one account."""

    id: int
    user_id: int
    account_id: int
    role_id: int
    created_at: datetime
    updated_at: datetime
    workflow_state: str = "active"
    sis_batch_id: int | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class UserObservation:
    """An observer linked to a student, in every course."""

    id: int
    observer_id: int
    student_id: int
    created_at: datetime
    updated_at: datetime
    workflow_state: str = "active"
    sis_batch_id: int | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class UserPastLtiId:
    """In this context the user still shows the ids of a person merged into them."""

    user_id: int
    context_type: str
    """`Course` or `Account`."""
    context_id: int
    user_lti_id: str
    user_lti_context_id: str
    user_uuid: str


@dataclass(slots=True, kw_only=True, eq=False)
class DeveloperKey:
    id: int
    """Global: the `client_id` of its tool."""
    account_id: int
    name: str
    secret: str
    created_at: datetime
    updated_at: datetime
    is_lti: bool = False
    workflow_state: str = "active"
    """`active`, `inactive` or `deleted`."""
    on: bool = True
    """Switched ON for the account, which is not the same as active (oauth2.md 6)."""
    redirect_uris: tuple[str, ...] = ()
    redirect_uri: str | None = None
    """The single URI of old keys, which stands for its domain and subdomains (oauth2.md 2)."""
    require_scopes: bool = False
    scopes: tuple[str, ...] = ()
    allow_includes: bool = False
    public_client: bool = False
    trusted: bool = False
    auto_expire_tokens: bool = True
    force_token_reuse: bool = False
    public_jwk: dict[str, object] | None = None
    public_jwk_url: str | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class AccessToken:
    id: int
    user_id: int
    developer_key_id: int
    token: str
    created_at: datetime
    updated_at: datetime
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    """None: a manual token, which never expires."""
    refresh_token: str | None = None
    refresh_expires_at: datetime | None = None
    purpose: str | None = None
    real_user_id: int | None = None
    """Who authorised it while masquerading as the user."""
    workflow_state: str = "active"
    """`active` or `deleted`."""


Row = (
    Account
    | Term
    | Role
    | User
    | Pseudonym
    | CommunicationChannel
    | AuthenticationProvider
    | Course
    | Section
    | Enrollment
    | AccountUser
    | UserObservation
    | DeveloperKey
    | AccessToken
)
