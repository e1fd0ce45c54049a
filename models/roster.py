"""The unified roster's words: types, states, sources and the groups of fields that sources fill."""

from enum import StrEnum


class EnrollmentType(StrEnum):
    STUDENT = "STUDENT"
    TEACHER = "TEACHER"
    TA = "TA"
    DESIGNER = "DESIGNER"
    OBSERVER = "OBSERVER"
    TEST_STUDENT = "TEST_STUDENT"


class EnrollmentState(StrEnum):
    ACTIVE = "ACTIVE"
    INVITED = "INVITED"
    CREATION_PENDING = "CREATION_PENDING"
    COMPLETED = "COMPLETED"
    INACTIVE = "INACTIVE"
    REJECTED = "REJECTED"
    DELETED = "DELETED"


class EffectiveState(StrEnum):
    """What the enrollment lets its person do now, its dates and its course considered."""

    ACTIVE = "ACTIVE"
    INVITED = "INVITED"
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    INACTIVE = "INACTIVE"
    REJECTED = "REJECTED"
    DELETED = "DELETED"


class CourseState(StrEnum):
    UNPUBLISHED = "UNPUBLISHED"
    AVAILABLE = "AVAILABLE"
    COMPLETED = "COMPLETED"
    DELETED = "DELETED"


class RecordState(StrEnum):
    """Of an account, a term or a section."""

    ACTIVE = "ACTIVE"
    DELETED = "DELETED"


class UserState(StrEnum):
    """Of a person's logins: active while one of them is."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DELETED = "DELETED"


class Source(StrEnum):
    LOCAL = "LOCAL"
    NRPS = "NRPS"
    ENROLLMENTS_API = "ENROLLMENTS_API"
    REPORT = "REPORT"
    SIS_EXPORT = "SIS_EXPORT"
    LAUNCH = "LAUNCH"
    LIVE_EVENT = "LIVE_EVENT"
    UPLOAD = "UPLOAD"
    MUTATION = "MUTATION"


class Completeness(StrEnum):
    COMPLETE = "COMPLETE"
    PARTIAL = "PARTIAL"
    UNKNOWN = "UNKNOWN"


class GapReason(StrEnum):
    NOT_PERMITTED = "NOT_PERMITTED"
    NOT_CARRIED_BY_SOURCE = "NOT_CARRIED_BY_SOURCE"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    SOURCE_CUT_SHORT = "SOURCE_CUT_SHORT"
    THROTTLED = "THROTTLED"
    NEVER_SYNCED = "NEVER_SYNCED"
    HELD = "HELD"


class ChangeKind(StrEnum):
    BASELINE = "BASELINE"
    CREATED = "CREATED"
    UPDATED = "UPDATED"
    REMOVED = "REMOVED"
    RESTORED = "RESTORED"


class SyncRunState(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    HELD = "HELD"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class RosterChangeState(StrEnum):
    PLANNED = "PLANNED"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    SUCCEEDED = "SUCCEEDED"
    PARTLY = "PARTLY"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class SisSending(StrEnum):
    ROWS = "ROWS"
    WHOLE = "WHOLE"
    DIFFERENCE = "DIFFERENCE"


class RosterRowStatus(StrEnum):
    NONE = "NONE"
    WAITING = "WAITING"
    SENDING = "SENDING"  # Canvas is being told, and may have been
    SENT = "SENT"  # it was, and is still to be read back
    DONE = "DONE"
    FAILED = "FAILED"
    LEFT = "LEFT"


class FieldGroup(StrEnum):
    """Fields of an enrollment or a person that one source fills together, each with its own source and age."""

    STANDING = "standing"  # enrollment: type, role, state, section, limits, associated person
    DATES = "dates"  # enrollment: start_at, end_at
    ACTIVITY = "activity"  # enrollment: created_at, updated_at, last activity, SIS import
    NAME = "name"  # person: all names, pronouns
    LOGIN = "login"  # person: login_id, SIS and integration id, state
    CONTACT = "contact"  # person: email, avatar


class IdentityKind(StrEnum):
    LTI13_SUB = "lti13_sub"
    LTI11_USER_ID = "lti11_user_id"
    CANVAS_GLOBAL_ID = "canvas_global_id"
    CANVAS_UUID = "canvas_uuid"
    SIS_USER_ID = "sis_user_id"
    INTEGRATION_ID = "integration_id"
    LOGIN_ID = "login_id"
    EMAIL = "email"

    @property
    def exclusive(self) -> bool:
        """Whether one live value names one person; families share an e-mail address."""
        return self is not IdentityKind.EMAIL

    def comparable(self, value: str) -> str:
        """`value` as it is stored and compared: Canvas looks logins and addresses up without case, all else exactly."""
        return value.lower() if self in (IdentityKind.LOGIN_ID, IdentityKind.EMAIL) else value


class Resolution(StrEnum):
    """What an operator may decide of a conflict at the identity desk."""

    MERGE = "MERGE"
    MOVE = "MOVE"
    KEEP = "KEEP"


class MutationErrorCode(StrEnum):
    NOT_FOUND = "NOT_FOUND"
    NOT_PERMITTED = "NOT_PERMITTED"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    INVALID = "INVALID"
    CONFLICT = "CONFLICT"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    CANVAS_REFUSED = "CANVAS_REFUSED"
    CANVAS_UNAVAILABLE = "CANVAS_UNAVAILABLE"
    THROTTLED = "THROTTLED"
    GUARD_TRIPPED = "GUARD_TRIPPED"
    NOT_SUPPORTED = "NOT_SUPPORTED"


# States omitted in a question mean these (contract: Course.members, Course.enrollments).
MEMBER_STATES = (EnrollmentState.ACTIVE,)
ROSTER_STATES = (EnrollmentState.ACTIVE, EnrollmentState.INVITED, EnrollmentState.CREATION_PENDING)
