"""Terms, the one list wrapped in an object: fact sheet roster-rest.md section 3."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors, ids
from twin.call import Call, api, iso
from twin.paging import ordinal
from twin.permissions import root_rights
from twin.records import Account, Term
from twin.rest.accounts import demand
from twin.rest.paths import account_in_path

LATEST = datetime.max.replace(tzinfo=UTC)


def list_terms(call: Call) -> Response:
    root = _root_in_path(call)
    demand(call, root, "read_terms")
    states = set(call.params.texts_or_text("workflow_state")) or {"active"}
    name = (call.params.text("term_name") or "").casefold()
    rows = [
        term
        for term in call.school.terms.values()
        if ("all" in states or term.workflow_state in states) and name in term.name.casefold()
    ]
    # Descending by start; the database puts terms without one first.
    rows.sort(key=lambda term: (term.start_at or LATEST, term.id), reverse=True)
    asks = call.chosen("overrides", "course_count")
    counts = _course_counts(call) if "course_count" in asks else Counter[int]()

    def render(term: Term) -> dict[str, Any]:
        data = term_json(call, term, overrides="overrides" in asks)
        return data | ({"course_count": counts[term.id]} if "course_count" in asks else {})

    return ordinal(call, rows, render, wrapped="enrollment_terms")


def show_term(call: Call) -> Response:
    root = _root_in_path(call)
    demand(call, root, "read_terms")
    term = ids.found(ids.find_term(call.school, call.path["id"]))
    if term.workflow_state == "deleted":
        raise errors.NotFound
    return call.json(term_json(call, term, overrides=True))


def _root_in_path(call: Call) -> Account:
    account = account_in_path(call)
    if account.parent_id is not None:
        raise errors.message("Terms only belong to root_accounts.")
    return account


def _course_counts(call: Call) -> Counter[int]:
    return Counter(
        course.term_id
        for course in call.school.courses.values()
        if course.workflow_state != "deleted"
    )


def term_json(
    call: Call, term: Term, *, overrides: bool = False, role_type: str | None = None
) -> dict[str, Any]:
    """A term; inside a user's course its dates are those of the user's role."""
    start_at, end_at = term.overrides.get(role_type or "", (None, None))
    data: dict[str, Any] = {
        "id": term.id,
        "name": term.name,
        "start_at": iso(start_at or term.start_at),
        "end_at": iso(end_at or term.end_at),
        "workflow_state": term.workflow_state,
        "grading_period_group_id": None,
        "created_at": iso(term.created_at),
    }
    rights = root_rights(call.school, call.user)
    if rights & {"read_sis", "manage_sis"}:
        data["sis_term_id"] = term.sis_source_id
    if "manage_sis" in rights:
        data["sis_import_id"] = term.sis_batch_id
    if overrides:
        data["overrides"] = {
            kind: {"start_at": iso(start), "end_at": iso(end)}
            for kind, (start, end) in term.overrides.items()
        }
    return data


routes: list[BaseRoute] = [
    api("GET", "/api/v1/accounts/{account_id}/terms", list_terms),
    api("GET", "/api/v1/accounts/{account_id}/terms/{id}", show_term),
]
