"""The API scopes that each feature takes, where a developer key enforces scopes (pure).

A scope is a verb and a route with the route's own parameter names, and never grants what its owner may not do
(canvas-lms: lib/token_scopes_helper.rb; fact sheet oauth2.md §7).
"""

from collections.abc import Sequence

# Rosters and permissions, through anybody's eyes.
READING: Sequence[str] = (
    "url:GET|/api/v1/accounts",
    "url:GET|/api/v1/accounts/:account_id/courses",
    "url:GET|/api/v1/accounts/:account_id/enrollments/:id",
    "url:GET|/api/v1/accounts/:account_id/permissions",
    "url:GET|/api/v1/accounts/:account_id/sub_accounts",
    "url:GET|/api/v1/accounts/:id",
    "url:GET|/api/v1/courses",
    "url:GET|/api/v1/courses/:course_id/enrollments",
    "url:GET|/api/v1/courses/:course_id/permissions",
    "url:GET|/api/v1/courses/:id",
    "url:GET|/api/v1/sections/:id",
    "url:GET|/api/v1/sections/:section_id/enrollments",
    "url:GET|/api/v1/users/:id",
    "url:GET|/api/v1/users/:user_id/courses",
    "url:GET|/api/v1/users/:user_id/enrollments",
)

# Enrollments and people, changed one by one. What is changed is read first.
WRITING: Sequence[str] = (
    "url:POST|/api/v1/accounts/:account_id/users",
    "url:POST|/api/v1/courses/:course_id/enrollments",
    "url:DELETE|/api/v1/courses/:course_id/enrollments/:id",
    "url:PUT|/api/v1/courses/:course_id/enrollments/:id/reactivate",
)

# Many enrollments, changed by one file.
SIS_IMPORTS: Sequence[str] = (
    "url:GET|/api/v1/accounts/:account_id/sis_imports",
    "url:POST|/api/v1/accounts/:account_id/sis_imports",
    "url:GET|/api/v1/accounts/:account_id/sis_imports/:id",
    "url:PUT|/api/v1/accounts/:account_id/sis_imports/:id/abort",
    "url:GET|/api/v1/accounts/:account_id/sis_imports/:id/errors",
)

# What only the operator's token does: walks of an account's courses, and reports, anew after somebody's SIS import.
OPERATING: Sequence[str] = (
    "url:GET|/api/v1/courses/:course_id/sections",
    "url:GET|/api/v1/accounts/:account_id/reports/:report",
    "url:POST|/api/v1/accounts/:account_id/reports/:report",
    "url:GET|/api/v1/accounts/:account_id/reports/:report/:id",
    "url:DELETE|/api/v1/accounts/:account_id/reports/:report/:id",
    "url:GET|/api/v1/files/:id/public_url",
    "url:GET|/api/v1/accounts/:account_id/sis_imports",
)


def of_people(*, writing: bool) -> Sequence[str]:
    """What people are asked for when they connect their accounts. A key that lacks one of them connects nobody."""
    return (*READING, *WRITING) if writing else READING


def of_operator(*, writing: bool) -> Sequence[str]:
    """What the operator's token has to be allowed."""
    features = (READING, OPERATING, WRITING, SIS_IMPORTS) if writing else (READING, OPERATING)
    return tuple(dict.fromkeys(scope for feature in features for scope in feature))


def refused(says: str) -> Sequence[str]:
    """Those of ours that a refusal of Canvas's names."""
    named = frozenset(says.replace(",", " ").split())
    return tuple(scope for scope in of_people(writing=True) if scope in named)
