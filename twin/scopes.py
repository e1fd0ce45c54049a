"""The API and LTI scopes that Canvas knows (fact sheet oauth2.md §6 and §7)."""

USERINFO = "/auth/userinfo"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"

LTI_SCOPES = frozenset(
    {
        NRPS,
        "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem",
        "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem.readonly",
        "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly",
        "https://purl.imsglobal.org/spec/lti-ags/scope/score",
        "https://canvas.instructure.com/lti/public_jwk/scope/update",
        "https://canvas.instructure.com/lti/account_lookup/scope/show",
        "https://canvas.instructure.com/lti-ags/progress/scope/show",
    }
)

_ROUTES = """\
# Enrollments
GET /api/v1/courses/:course_id/enrollments
GET /api/v1/sections/:section_id/enrollments
GET /api/v1/users/:user_id/enrollments
GET /api/v1/accounts/:account_id/enrollments/:id
POST /api/v1/courses/:course_id/enrollments
POST /api/v1/sections/:section_id/enrollments
POST /api/v1/accounts/:account_id/bulk_enrollment
DELETE /api/v1/courses/:course_id/enrollments/:id
POST /api/v1/courses/:course_id/enrollments/:id/accept
POST /api/v1/courses/:course_id/enrollments/:id/reject
PUT /api/v1/courses/:course_id/enrollments/:id/reactivate
PUT /api/v1/courses/:course_id/users/:user_id/last_attended
GET /api/v1/users/:user_id/temporary_enrollment_status
GET /api/v1/accounts/:account_id/temporary_enrollment_pairings
GET /api/v1/accounts/:account_id/temporary_enrollment_pairings/:id
GET /api/v1/accounts/:account_id/temporary_enrollment_pairings/new
POST /api/v1/accounts/:account_id/temporary_enrollment_pairings
DELETE /api/v1/accounts/:account_id/temporary_enrollment_pairings/:id
# Accounts, terms, roles, admins
GET /api/v1/accounts
GET /api/v1/accounts/:id
GET /api/v1/manageable_accounts
GET /api/v1/course_accounts
GET /api/v1/course_creation_accounts
GET /api/v1/accounts/:account_id/sub_accounts
GET /api/v1/accounts/:account_id/permissions
GET /api/v1/accounts/:account_id/courses
GET /api/v1/accounts/:account_id/courses/:id
GET /api/v1/accounts/:account_id/users
GET /api/v1/accounts/:account_id/terms
GET /api/v1/accounts/:account_id/terms/:id
GET /api/v1/accounts/:account_id/roles
GET /api/v1/accounts/:account_id/roles/:id
GET /api/v1/accounts/:account_id/roles/permissions
GET /api/v1/accounts/:account_id/admins
GET /api/v1/accounts/:account_id/admins/self
# Courses and sections
GET /api/v1/courses
GET /api/v1/courses/:id
GET /api/v1/users/:user_id/courses
GET /api/v1/courses/:course_id/users
GET /api/v1/courses/:course_id/search_users
GET /api/v1/courses/:course_id/users/:id
GET /api/v1/courses/:course_id/students
GET /api/v1/courses/:course_id/recent_students
GET /api/v1/courses/:course_id/permissions
GET /api/v1/courses/:course_id/sections
GET /api/v1/courses/:course_id/sections/:id
GET /api/v1/sections/:id
GET /api/v1/sections/:id/users
POST /api/v1/courses/:course_id/sections
PUT /api/v1/sections/:id
DELETE /api/v1/sections/:id
POST /api/v1/sections/:id/crosslist/:new_course_id
DELETE /api/v1/sections/:id/crosslist
# Users and logins
GET /api/v1/users/:id
GET /api/v1/users/:user_id/profile
POST /api/v1/accounts/:account_id/users
PUT /api/v1/users/:id
DELETE /api/v1/accounts/:account_id/users/:user_id
PUT /api/v1/accounts/:account_id/users/:user_id/restore
GET /api/v1/users/:user_id/logins
GET /api/v1/accounts/:account_id/logins
POST /api/v1/accounts/:account_id/logins
PUT /api/v1/accounts/:account_id/logins/:id
DELETE /api/v1/users/:user_id/logins/:id
GET /api/v1/users/:user_id/observees
GET /api/v1/users/:user_id/observers
GET /api/v1/users/:user_id/observees/:observee_id
GET /api/v1/users/:user_id/observers/:observer_id
PUT /api/v1/users/:id/merge_into/:destination_user_id
POST /api/v1/users/:id/split
# Reports, SIS imports, progress
GET /api/v1/accounts/:account_id/reports
POST /api/v1/accounts/:account_id/reports/:report
GET /api/v1/accounts/:account_id/reports/:report
GET /api/v1/accounts/:account_id/reports/:report/:id
DELETE /api/v1/accounts/:account_id/reports/:report/:id
PUT /api/v1/accounts/:account_id/reports/:report/:id/abort
GET /api/v1/accounts/:account_id/sis_imports
POST /api/v1/accounts/:account_id/sis_imports
GET /api/v1/accounts/:account_id/sis_imports/importing
GET /api/v1/accounts/:account_id/sis_imports/:id
PUT /api/v1/accounts/:account_id/sis_imports/:id/abort
PUT /api/v1/accounts/:account_id/sis_imports/abort_all_pending
PUT /api/v1/accounts/:account_id/sis_imports/:id/restore_states
GET /api/v1/accounts/:account_id/sis_imports/:id/errors
GET /api/v1/accounts/:account_id/sis_import_errors
GET /api/v1/files/:id/public_url
GET /api/v1/progress/:id
POST /api/v1/progress/:id/cancel
"""

# These follow from their routes (oauth2.md §7.1 and §7.6); the published list lacks them.
_DERIVED = """\
GET /api/v1/temporary_enrollment_status
POST /api/v1/inst_access_tokens
GET /api/v1/accounts/:account_id/scopes
"""


def _scope(route: str) -> str:
    verb, path = route.split()
    return f"url:{verb}|{path}"


API_SCOPES = tuple(
    _scope(line) for line in (_ROUTES + _DERIVED).splitlines() if line and not line.startswith("#")
)
