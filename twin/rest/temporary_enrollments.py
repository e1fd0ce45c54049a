"""Who lends and who is lent a role, and the pairings behind it.

Fact sheet enrollments-api.md section 7.5, as far as clients meet it. What the endpoints answer
while the feature is off is written there for one of them only; the others answer 404.
"""

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import ids
from twin.call import Call, api
from twin.date_states import date_state
from twin.errors import BadRequest, NotFound, Unauthorized
from twin.permissions import root_rights
from twin.records import TEACHER_LIKE, Enrollment, User
from twin.temporary import ENDING_STATES, Pairing, Pairings

ADD, EDIT, DELETE = (f"temporary_enrollments_{verb}" for verb in ("add", "edit", "delete"))
ANY = frozenset({ADD, EDIT, DELETE})
SEES_USERS = frozenset({"read_roster", "manage_user_logins"})


def pairings_of(call: Call) -> Pairings:
    pairings: Pairings = call.request.app.state.pairings
    return pairings


def asked_listing(call: Call, person: User) -> list[Enrollment] | None:
    """The lent rows that a user's list may ask for in place of the person's own."""
    borrowed = call.params.flag("temporary_enrollments_for_recipient")
    lent = call.params.flag("temporary_enrollment_recipients_for_provider")
    if not call.options.temporary_enrollments or not (borrowed or lent):
        return None
    _need(call, ANY)
    rows = pairings_of(call).lent_rows()
    return [
        row
        for row in rows
        if person.id == (row.user_id if borrowed else row.temporary_source_user_id)
        and date_state(call.school, row, call.now) not in {"completed", "rejected", "inactive"}
    ]


def status(call: Call) -> Response:
    _need_feature(call)
    person: User = ids.found(ids.find_user(call.school, call.path["user_id"], call.user))
    if not _may_see(call, person):
        raise Unauthorized
    return call.json(_status(call, person))


def statuses(call: Call) -> Response:
    """By id as text; people whom the caller may not see are left out."""
    if not call.options.temporary_enrollments:
        return call.json({})
    asked = call.params.texts("user_ids")
    if not asked:
        raise BadRequest({})
    digits = call.params.text("limit") or "10"
    limit = max(1, min(100, int(digits) if digits.isdecimal() else 10))
    people = [
        person
        for text in asked[:limit]
        if (number := ids.plain_id(call.school, text)) is not None
        and (person := call.school.users.get(number)) is not None
        and _may_see(call, person)
    ]
    return call.json({str(person.id): _status(call, person) for person in people})


def _status(call: Call, person: User) -> dict[str, bool]:
    rows = pairings_of(call).lent_rows()
    return {
        "is_provider": any(row.temporary_source_user_id == person.id for row in rows),
        "is_recipient": any(row.user_id == person.id for row in rows),
        "can_provide": any(
            row.type in TEACHER_LIKE and date_state(call.school, row, call.now) == "active"
            for row in call.school.enrollments_of_user.of(person.id)
        ),
    }


def _may_see(call: Call, person: User) -> bool:
    return person is call.user or bool(SEES_USERS & root_rights(call.school, call.user))


def list_pairings(call: Call) -> Response:
    _need_root(call, ANY)
    return call.json([_json(call, pairing) for pairing in pairings_of(call).living()])


def new_pairing(call: Call) -> Response:
    _need_root(call, frozenset({ADD}))
    return call.json(_wrapped(call, {"id": None, "workflow_state": "active"}))


def show_pairing(call: Call) -> Response:
    _need_root(call, ANY)
    return call.json(_json(call, _pairing(call)))


def create_pairing(call: Call) -> Response:
    _need_root(call, frozenset({ADD}))
    ending = call.params.text("ending_enrollment_state") or "deleted"
    if ending not in ENDING_STATES:
        raise BadRequest
    return call.json(_json(call, pairings_of(call).make(ending)))


def delete_pairing(call: Call) -> Response:
    _need_root(call, frozenset({DELETE}))
    pairing = _pairing(call)
    pairing.workflow_state = "deleted"
    return call.json(_json(call, pairing))


def _pairing(call: Call) -> Pairing:
    number = ids.plain_id(call.school, call.path["id"])
    pairing = pairings_of(call).get(number or 0)
    if pairing is None or pairing.workflow_state == "deleted":
        raise NotFound
    return pairing


def _json(call: Call, pairing: Pairing) -> dict[str, Any]:
    return _wrapped(call, {"id": pairing.id, "workflow_state": pairing.workflow_state})


def _wrapped(call: Call, data: dict[str, Any]) -> dict[str, Any]:
    return {"temporary_enrollment_pairing": data} if call.options.pairings_wrapped else data


def _need_root(call: Call, enough: frozenset[str]) -> None:
    _need_feature(call)
    account = ids.found(ids.find_account(call.school, call.path["account_id"]))
    if account is not call.school.root:
        raise NotFound
    _need(call, enough)


def _need_feature(call: Call) -> None:
    if not call.options.temporary_enrollments:
        raise NotFound


def _need(call: Call, enough: frozenset[str]) -> None:
    if not enough & root_rights(call.school, call.user):
        raise Unauthorized


_PAIRINGS = "/api/v1/accounts/{account_id}/temporary_enrollment_pairings"

routes: list[BaseRoute] = [
    api("GET", "/api/v1/users/{user_id}/temporary_enrollment_status", status),
    api("GET", "/api/v1/temporary_enrollment_status", statuses),
    api("GET", _PAIRINGS, list_pairings),
    api("POST", _PAIRINGS, create_pairing),
    api("GET", f"{_PAIRINGS}/new", new_pairing),
    api("GET", f"{_PAIRINGS}/{{id}}", show_pairing),
    api("DELETE", f"{_PAIRINGS}/{{id}}", delete_pairing),
]
