"""What Canvas is told of a change, field by field, and what its refusals are called."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from gateway.canvas import answers
from gateway.canvas.enrollment_writes import (
    NewPerson,
    Posted,
    Task,
    ending,
    making_person,
    posting,
    reactivating,
    refusal,
)
from gateway.errors import (
    AddressRefused,
    CredentialSpent,
    CutShort,
    NotAnswered,
    NotSent,
    SourceDown,
)
from gateway.http.client import Response
from models.roster import EnrollmentState, EnrollmentType

SHARD = 1
LOCAL = 10_000_000_000_000
ELSEWHERE = 170_000_000_002_231  # of another shard


def test_a_post_says_every_field() -> None:
    told = posting(
        Posted(
            course=LOCAL + 412,
            person=ELSEWHERE,
            type=EnrollmentType.OBSERVER,
            section=LOCAL + 918,
            role="Parent",
            role_id=23,
            state=EnrollmentState.ACTIVE,
            associated=LOCAL + 7,
            limit_to_section=True,
            start_at=datetime(2026, 1, 12, 1, 0, 0, 5, tzinfo=timezone(timedelta(hours=1))),
            end_at=datetime(2026, 6, 1, tzinfo=UTC),
        ),
        SHARD,
    )

    assert ("POST", "/courses/412/enrollments") == (told.method, told.path)
    assert {
        "enrollment[user_id]": str(ELSEWHERE),
        "enrollment[type]": "ObserverEnrollment",
        "enrollment[role_id]": "23",
        "enrollment[course_section_id]": "918",
        "enrollment[enrollment_state]": "active",
        "enrollment[associated_user_id]": "7",
        "enrollment[limit_privileges_to_course_section]": "true",
        "enrollment[start_at]": "2026-01-12T00:00:00Z",
        "enrollment[end_at]": "2026-06-01T00:00:00Z",
        "enrollment[notify]": "false",
    } == dict(told.fields)


@pytest.mark.parametrize(
    ("task", "word"),
    [(Task.CONCLUDE, "conclude"), (Task.DEACTIVATE, "inactivate"), (Task.DELETE, "delete")],
)
def test_an_end_names_its_task(task: Task, word: str) -> None:
    """Without one, or with an unknown one, Canvas concludes."""
    told = ending(LOCAL + 412, LOCAL + 90, task, SHARD)

    assert ("DELETE", "/courses/412/enrollments/90", (("task", word),)) == (
        told.method,
        told.path,
        told.fields,
    )


def test_a_reactivation_changes_nothing_else() -> None:
    told = reactivating(LOCAL + 412, LOCAL + 90, SHARD)

    assert ("PUT", "/courses/412/enrollments/90/reactivate", ()) == (
        told.method,
        told.path,
        told.fields,
    )


@pytest.mark.parametrize("notify", [True, False])
def test_a_new_person_is_registered_or_invited(*, notify: bool) -> None:
    told = making_person(NewPerson(login_id="nan", sis_id="S-1", email="n@e.edu", notify=notify))

    assert ("POST", "/accounts/self/users") == (told.method, told.path)
    at_once, by_mail = ("false", "true") if notify else ("true", "false")
    assert {
        "user[skip_registration]": at_once,
        "pseudonym[unique_id]": "nan",
        "pseudonym[sis_user_id]": "S-1",
        "pseudonym[send_confirmation]": by_mail,
        "communication_channel[address]": "n@e.edu",
        "communication_channel[skip_confirmation]": at_once,
    } == dict(told.fields)


def invalid(attribute: str, kind: str = "invalid") -> dict[str, Any]:
    return {attribute: [{"attribute": attribute, "type": kind, "message": "no"}]}


def login(attribute: str, kind: str) -> dict[str, Any]:
    faults = {"user": {}, "pseudonym": invalid(attribute, kind), "observee": {}}
    return {"errors": faults | {"pairing_code": {}, "recaptcha": None}}


# enrollments-api.md §5.1, §7 and §8, roster-rest.md §9, transport.md §6.
@pytest.mark.parametrize(
    ("status", "body", "code", "path"),
    [
        (400, {"message": "Invalid type"}, "INVALID", ("type",)),
        (400, {"message": "Invalid role"}, "INVALID", ("role",)),
        (
            400,
            {
                "message": "Cannot create an enrollment with this role because it is inactive., The"
                " specified type must match the base type for the role"
            },
            "INVALID",
            ("role",),
        ),
        (400, {"message": "Can't add an enrollment to a concluded course."}, "CANVAS_REFUSED", ()),
        (400, {"message": "Rol no válido"}, "CANVAS_REFUSED", ()),
        (400, {"errors": invalid("associated_user_id")}, "INVALID", ("associatedUser",)),
        (400, {"errors": invalid("course_section_id")}, "INVALID", ("section",)),
        (400, {"errors": invalid("user_id")}, "INVALID", ("user",)),
        (400, {"errors": invalid("base")}, "INVALID", ()),
        (400, {"errors": [{"message": "enrollment is missing"}]}, "CANVAS_REFUSED", ()),
        (400, {"error": "enrollment not inactive"}, "CONFLICT", ()),
        (400, login("unique_id", "taken"), "ALREADY_EXISTS", ("loginId",)),
        (400, login("sis_user_id", "taken"), "ALREADY_EXISTS", ("sisId",)),
        (400, login("integration_id", "taken"), "ALREADY_EXISTS", ("integrationId",)),
        (400, login("unique_id", "not_email"), "INVALID", ("loginId",)),
        (401, {"status": "unauthorized", "errors": [{"message": "no"}]}, "NOT_PERMITTED", ()),
        (401, {"errors": "Invalid as_user_id"}, "NOT_PERMITTED", ()),
        (403, {}, "NOT_PERMITTED", ()),
        (404, {"errors": [{"message": "does not exist"}]}, "NOT_FOUND", ()),
        (429, "429 (Rate Limit Exceeded)", "THROTTLED", ()),
    ],
)
def test_what_a_refusal_is_called(
    status: int, body: object, code: str, path: tuple[str, ...]
) -> None:
    error = answers.failure(answered(status, body))
    assert error is not None

    refused = refusal(error)

    assert refused is not None
    assert (code, path) == (refused.code, refused.path)


def answered(status: int, body: object) -> Response:
    return Response(
        url="https://canvas.example.edu/api/v1/courses/1/enrollments",
        status=status,
        headers={},
        links={},
        body=body.encode() if isinstance(body, str) else msgspec.json.encode(body),
    )


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_after_a_failure_it_is_not_certain_what_was_done(status: int) -> None:
    error = answers.failure(answered(status, ""))
    assert error is not None

    assert refusal(error) is None


def test_what_was_never_sent_was_not_done() -> None:
    never, perhaps = SourceDown("no"), SourceDown("no")
    never.__cause__, perhaps.__cause__ = NotSent("no"), NotAnswered("no")

    found = [refusal(one) for one in (never, perhaps, CutShort("no"))]

    assert ["CANVAS_UNAVAILABLE", None, None] == [one and one.code for one in found]
    for error, code in (
        (AddressRefused("no"), "CANVAS_UNAVAILABLE"),
        (CredentialSpent("no"), "NOT_PERMITTED"),
    ):
        refused = refusal(error)
        assert refused is not None
        assert code == refused.code
