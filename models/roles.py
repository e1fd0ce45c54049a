"""Role and state words of Canvas, its reports and LTI, each mapped to the one word of the unified model."""

from models.roster import CourseState, EnrollmentState, EnrollmentType, RecordState, UserState

# Enrollment types in REST and in the reports' base_role_type (canvas-lms: app/models/enrollment.rb).
CANVAS_TYPES = {
    "StudentEnrollment": EnrollmentType.STUDENT,
    "TeacherEnrollment": EnrollmentType.TEACHER,
    "TaEnrollment": EnrollmentType.TA,
    "DesignerEnrollment": EnrollmentType.DESIGNER,
    "ObserverEnrollment": EnrollmentType.OBSERVER,
    "StudentViewEnrollment": EnrollmentType.TEST_STUDENT,
}

# Built-in role names in reports and SIS files; a custom role stands there under its own name.
REPORT_ROLES = {
    "student": EnrollmentType.STUDENT,
    "teacher": EnrollmentType.TEACHER,
    "ta": EnrollmentType.TA,
    "designer": EnrollmentType.DESIGNER,
    "observer": EnrollmentType.OBSERVER,
}

# REST states (canvas-lms: app/models/enrollment.rb).
CANVAS_STATES = {state.value.lower(): state for state in EnrollmentState}

# The reports' words are not the REST ones: `completed` is `concluded` there, and `invited` also stands for
# creation_pending (canvas-lms: gems/plugins/account_reports/lib/account_reports/sis_exporter.rb).
REPORT_STATES = {
    "active": EnrollmentState.ACTIVE,
    "invited": EnrollmentState.INVITED,
    "concluded": EnrollmentState.COMPLETED,
    "completed": EnrollmentState.COMPLETED,
    "inactive": EnrollmentState.INACTIVE,
    "rejected": EnrollmentState.REJECTED,
    "deleted": EnrollmentState.DELETED,
}

# The SIS export cannot tell a published course from an unpublished one: its `active` says nothing.
PROVISIONING_COURSE_STATES: dict[str, CourseState | None] = {
    "unpublished": CourseState.UNPUBLISHED,
    "active": CourseState.AVAILABLE,
    "concluded": CourseState.COMPLETED,
    "completed": CourseState.COMPLETED,
    "deleted": CourseState.DELETED,
}
SIS_COURSE_STATES: dict[str, CourseState | None] = PROVISIONING_COURSE_STATES | {"active": None}

REPORT_RECORD_STATES = {"active": RecordState.ACTIVE, "deleted": RecordState.DELETED}

# A report's user row is one login; its status is that login's.
LOGIN_STATES = {
    "active": UserState.ACTIVE,
    "suspended": UserState.SUSPENDED,
    "deleted": UserState.DELETED,
}
