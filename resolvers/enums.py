"""The words of the roster as the graph explains them."""

from enum import EnumMeta, StrEnum
from typing import TypeVar

import strawberry

from gateway.change_paths import Path
from gateway.readpath.paging import Direction
from gateway.roster_change import Outcome
from models import roster

E = TypeVar("E", bound=EnumMeta)


_NAMES = {
    "Direction": "OrderDirection",
    "Resolution": "IdentityResolution",
    "Path": "RosterChangePath",
    "Outcome": "RosterRowOutcome",
}


def _explain(enum: E, description: str, **values: str) -> E:
    """`enum` as a type of the graph; every value is explained, or this fails."""
    strawberry.enum(enum, name=_NAMES.get(enum.__name__), description=description)
    definition = enum.__strawberry_definition__  # type: ignore[attr-defined]  # set by strawberry.enum
    for value in definition.values:
        value.description = values[value.name]
    return enum


_explain(
    roster.EnrollmentType,
    "What a person is in a course. A custom role (`role`) is always based on one of these.",
    STUDENT="A learner.",
    TEACHER="A teacher.",
    TA="A teaching assistant.",
    DESIGNER="Somebody who builds the course and does not teach in it.",
    OBSERVER="A parent, a mentor: watches, perhaps one student (`associatedUser`).",
    TEST_STUDENT="The pretend student of Canvas's student view. Not a person.",
)
_explain(
    roster.EnrollmentState,
    "The state that Canvas keeps for an enrollment. It says nothing of dates: see `effectiveState`.",
    ACTIVE="Accepted and not ended.",
    INVITED="Invited; the person has not answered yet.",
    CREATION_PENDING="Waits for its course to be published.",
    COMPLETED="Concluded: the person may still look, as the course allows.",
    INACTIVE="Suspended: still listed, without access.",
    REJECTED="The person declined the invitation.",
    DELETED="Removed. Shown only where `states` asks for it.",
)
_explain(
    roster.EffectiveState,
    "What an enrollment lets its person do now: its state, its dates and its course taken together.",
    ACTIVE="May take part.",
    INVITED="May accept the invitation.",
    PENDING="Not yet: the course is unpublished or has not begun.",
    COMPLETED="Over, by its own state, its dates or its course.",
    INACTIVE="Suspended, or a teacher before the course begins.",
    REJECTED="The invitation was declined.",
    DELETED="Removed, or its section or course was.",
)
_explain(
    roster.CourseState,
    "The state of a course.",
    UNPUBLISHED="Being prepared; students do not see it.",
    AVAILABLE="Published.",
    COMPLETED="Concluded.",
    DELETED="Deleted. Shown only where `states` asks for it.",
)
_explain(
    roster.RecordState,
    "The state of an account, a term or a section.",
    ACTIVE="In use.",
    DELETED="Deleted. Shown only where `states` asks for it.",
)
_explain(
    roster.UserState,
    "The state of a person's logins.",
    ACTIVE="At least one login works.",
    SUSPENDED="No login works; one is suspended.",
    DELETED="All logins are gone.",
)
_explain(
    roster.IdentityKind,
    "A kind of identifier that people are known by.",
    LTI13_SUB="The subject (`sub`) of LTI 1.3.",
    LTI11_USER_ID="The `user_id` of LTI 1.1.",
    CANVAS_GLOBAL_ID="Canvas's id in its global form.",
    CANVAS_UUID="Canvas's UUID.",
    SIS_USER_ID="SIS id.",
    INTEGRATION_ID="Integration id.",
    LOGIN_ID="Login.",
    EMAIL="E-mail address: the only kind that several people may share.",
)
_explain(
    roster.Source,
    "A place that rosters come from.",
    LOCAL="What the gateway already keeps. A way to answer, never the origin of a fact.",
    NRPS="LTI Names and Role Provisioning Services: the members of one course, without sections.",
    ENROLLMENTS_API="Canvas's Enrollments API.",
    REPORT="A provisioning report of the account.",
    SIS_EXPORT="A SIS export report: only what carries SIS ids.",
    LAUNCH="An LTI launch: one person, in one course, now.",
    LIVE_EVENT="A Canvas Live Event.",
    UPLOAD="A file that an admin sent by hand.",
    MUTATION="A change made through this graph and confirmed by Canvas.",
)
_explain(
    roster.Completeness,
    "Whether everybody who should be in an answer is in it.",
    COMPLETE="A whole read of a source covers everything that was asked.",
    PARTIAL="Something was read, but not the whole of what was asked: see `gaps`.",
    UNKNOWN="Nothing was ever read for this.",
)
_explain(
    roster.GapReason,
    "Why something is missing from an answer.",
    NOT_PERMITTED="This credential may not see it.",
    NOT_CARRIED_BY_SOURCE="No source that was read carries it.",
    SOURCE_UNAVAILABLE="The source could not be asked.",
    SOURCE_CUT_SHORT="The source was not read to its end, or not in all the states asked for.",
    THROTTLED="Canvas would have been asked too much.",
    NEVER_SYNCED="Nothing was ever read for this.",
    HELD="Rows are missing from a newer read; they are still shown until it is proved that they ended.",
)
_explain(
    roster.ChangeKind,
    "What happened to the subject of a change.",
    BASELINE="Many rows of a scope were loaded at once: take a snapshot, and follow from its `changeCursor`.",
    CREATED="It is new.",
    UPDATED="Some of its fields changed.",
    REMOVED="It ended; its row stays as a tombstone.",
    RESTORED="It had been removed and is back.",
)
_explain(
    roster.SyncRunState,
    "How far a run is.",
    QUEUED="Waits for its turn.",
    RUNNING="Reads, or writes what it read.",
    SUCCEEDED="Everything is applied.",
    HELD="Applied but for the removals, which wait for a person to confirm them.",
    FAILED="Stopped by an error: see `message`.",
    CANCELLED="Stopped by a person.",
)
_explain(
    Direction,
    "Which end comes first.",
    ASC="Smallest, earliest or A first; what is not known comes before all.",
    DESC="Largest, latest or Z first; what is not known comes last.",
)


_BY_ID = "The order in which the gateway first saw the rows: never changes, and is the fastest."


class CourseOrderField(StrEnum):
    ID = "ID"
    NAME = "NAME"
    COURSE_CODE = "COURSE_CODE"
    SIS_ID = "SIS_ID"
    START_AT = "START_AT"
    END_AT = "END_AT"


_explain(
    CourseOrderField,
    "What courses can be ordered by.",
    ID=_BY_ID,
    NAME="Name, without case and accents.",
    COURSE_CODE="Course code.",
    SIS_ID="SIS id.",
    START_AT="The course's own start.",
    END_AT="The course's own end.",
)


class UserOrderField(StrEnum):
    ID = "ID"
    NAME = "NAME"
    LOGIN_ID = "LOGIN_ID"
    SIS_ID = "SIS_ID"


_explain(
    UserOrderField,
    "What people can be ordered by.",
    ID=_BY_ID,
    NAME="Sortable name (family name first), without case and accents.",
    LOGIN_ID="Login.",
    SIS_ID="SIS id.",
)


class EnrollmentOrderField(StrEnum):
    ID = "ID"
    USER_NAME = "USER_NAME"
    COURSE_NAME = "COURSE_NAME"
    SECTION_NAME = "SECTION_NAME"
    TYPE = "TYPE"
    STATE = "STATE"
    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"
    LAST_ACTIVITY_AT = "LAST_ACTIVITY_AT"


_explain(
    EnrollmentOrderField,
    "What enrollments can be ordered by.",
    ID=_BY_ID,
    USER_NAME="The person's sortable name (family name first), without case and accents.",
    COURSE_NAME="The course's name, without case and accents.",
    SECTION_NAME="The section's name, as it is spelt.",
    TYPE="Type, by its word.",
    STATE="State, by its word.",
    CREATED_AT="When Canvas made the enrollment.",
    UPDATED_AT="When Canvas last changed it.",
    LAST_ACTIVITY_AT="When the person was last active in the course.",
)


_explain(
    roster.Resolution,
    "How a conflict of the identity desk is settled.",
    MERGE="The two are one person.",
    MOVE="The identifier is the claimant's now.",
    KEEP="They are two people, and the identifier stays where it is.",
)


class ResolveTask(StrEnum):
    CONFIRM = "CONFIRM"
    MERGE = "MERGE"
    MOVE = "MOVE"
    KEEP = "KEEP"
    UNDO = "UNDO"


_explain(
    ResolveTask,
    "What to do with a conflict of the identity desk.",
    CONFIRM="As the conflict's `proposal` says.",
    MERGE="The two are one person. Each identifier stays with whom it came; all else goes to the one who stays.",
    MOVE="The identifier is the claimant's now: it ends with whoever has it.",
    KEEP="They are two people, and the identifier stays where it is. The same conflict is not shown again.",
    UNDO="Take back how it was settled: the conflict waits again.",
)


class ChangeRequestState(StrEnum):
    ASKED = "ASKED"
    TOLD = "TOLD"
    DONE = "DONE"
    REFUSED = "REFUSED"


_explain(
    ChangeRequestState,
    "How far a change that was asked for has come.",
    ASKED="Canvas was not told of it yet.",
    TOLD="Canvas was told, and it is not known yet whether it was done.",
    DONE="It was done, or was so already.",
    REFUSED="It was not done.",
)


class ChangeAuthority(StrEnum):
    SERVICE = "SERVICE"
    MASQUERADE = "MASQUERADE"
    OWN_TOKEN = "OWN_TOKEN"  # noqa: S105  no password


_explain(
    ChangeAuthority,
    "On whose rights Canvas was told of a change.",
    SERVICE="By the institution's own token, in nobody's name.",
    MASQUERADE="By the institution's token standing in for the person, whose rights Canvas judged.",
    OWN_TOKEN="By the person's own token.",  # noqa: S106  no password
)


class EndTask(StrEnum):
    CONCLUDE = "CONCLUDE"
    DEACTIVATE = "DEACTIVATE"
    DELETE = "DELETE"


_explain(
    EndTask,
    "How an enrollment ends.",
    CONCLUDE="It is COMPLETED: the person may still look, as the course allows.",
    DEACTIVATE="It is INACTIVE: still listed, without access; `reactivateEnrollment` undoes it.",
    DELETE="It is DELETED: off the roster. What the person handed in stays in Canvas.",
)
_explain(
    roster.MutationErrorCode,
    "Why a mutation was not carried out.",
    NOT_FOUND="Something that the input names does not exist.",
    NOT_PERMITTED="The person for whom it was to be done may not do it.",
    ALREADY_EXISTS="It is there already.",
    INVALID="The input makes no sense as it is.",
    CONFLICT="Things stand otherwise than the input takes for granted.",
    IDEMPOTENCY_MISMATCH="The key was used with another input.",
    CANVAS_REFUSED="Canvas refused it; the message says what Canvas said.",
    CANVAS_UNAVAILABLE="Canvas could not be reached: try later.",
    THROTTLED="Canvas would have been asked too much: try later.",
    GUARD_TRIPPED="It would change more than the institution's guard lets through at once.",
    NOT_SUPPORTED="This gateway, or this Canvas, cannot do it.",
)


class WebhookState(StrEnum):
    WORKING = "WORKING"
    FAILING = "FAILING"
    OFF = "OFF"


_explain(
    WebhookState,
    "How a webhook does.",
    WORKING="What was tried last was taken, or nothing was tried yet.",
    FAILING="What was tried last was not taken; it is tried again.",
    OFF="Nothing is sent until it is enabled again: see `offBecause`. It goes on where it stopped.",
)

_explain(
    Path,
    "A way to tell Canvas of a change of many.",
    SINGLE_CALLS="One call of the Enrollments API for each row, inside the throttle.",
    SIS_IMPORT="One SIS import; rows that a SIS file cannot carry go by single calls beside it.",
)
_explain(
    Outcome,
    "What a change of many does to a row.",
    ADD="The person is enrolled, anew or again.",
    CHANGE="The enrollment gets another state, other dates or another limit.",
    MOVE="The person comes into this section, and goes from another of the course.",
    REMOVE="The enrollment ends, as the row or the school's drop policy says.",
    NOTHING="It is like that already.",
    REFUSED="Nothing is done: `reason` says why.",
)
_explain(
    roster.RosterChangeState,
    "How far a change of many is.",
    PLANNED="Nothing was changed yet: applyRosterChange begins it.",
    QUEUED="It begins as soon as there is room.",
    RUNNING="Canvas is being told.",
    PAUSED="It waits for a person: applyRosterChange goes on. `message` says why.",
    SUCCEEDED="Every row was read back from Canvas as planned.",
    PARTLY="It is over; some rows are as planned, some failed.",
    FAILED="It is over, and no row is as planned.",
    CANCELLED="It is over: some rows were left as they were, because that was wished.",
)
_explain(
    roster.SisSending,
    "How a SIS file of a change was sent.",
    ROWS="The rows of the change, and no more.",
    WHOLE="All of a roster: Canvas compared it with nothing, and will the next one with it.",
    DIFFERENCE="All of a roster, of which Canvas applied what differs from the one before.",
)
_explain(
    roster.RosterRowStatus,
    "How far a row is.",
    NONE="There is nothing to do.",
    WAITING="Canvas was not told.",
    SENDING="Canvas is being told, and may have been.",
    SENT="Canvas was told; it is still to be read back.",
    DONE="Read back from Canvas as planned.",
    FAILED="Read back, and not as planned: `message` says why.",
    LEFT="Canvas was never told.",
)
