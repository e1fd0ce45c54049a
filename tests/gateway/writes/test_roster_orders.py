"""What Canvas is told for each kind of step, and when a step has come true or been overtaken."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.change_paths import Named, Names
from gateway.roster_change import Fields, Key, Outcome, Present, Step
from gateway.writes import roster_orders
from gateway.writes.roster_orders import Part, parts
from models.roster import EnrollmentState, EnrollmentType

S = EnrollmentState
DAY = datetime(2026, 9, 1, tzinfo=UTC)
GLOBAL = 10**13
NAMES = Names(
    people={
        1: Named(canvas_id=GLOBAL + 71, sis_id="U-1"),
        2: Named(canvas_id=GLOBAL + 72, sis_id="U-2"),
    },
    sections={
        10: Named(canvas_id=GLOBAL + 81, sis_id="S-1"),
        11: Named(canvas_id=GLOBAL + 82, sis_id="S-2"),
    },
    courses={5: Named(canvas_id=GLOBAL + 91, sis_id="C-1")},
)
KEY = Key(section=10, person=1, type=EnrollmentType.STUDENT, role="StudentEnrollment")


def present(state: EnrollmentState, **fields: object) -> Present:
    known = Fields(**fields)  # type: ignore[arg-type]  # by the names of its fields
    return Present(id=3, canvas_id=GLOBAL + 30, course=5, key=KEY, state=state, fields=known)


def step(state: EnrollmentState, before: Present | None = None, **fields: object) -> Step:
    known = before.fields if before is not None else Fields()
    return Step(
        row=1,
        outcome=Outcome.CHANGE,
        course=5,
        key=KEY,
        state=state,
        before=before,
        fields=replace(known, **fields),  # type: ignore[arg-type]  # as above
    )


def told(one: Step) -> tuple[str, str, dict[str, str]]:
    [part] = parts(one)
    order = roster_orders.instruction(part, part.before, NAMES, 1)
    return order.method, order.path, dict(order.fields)


COURSE = "/courses/91/enrollments"


@pytest.mark.parametrize(
    ("state", "task"),
    [(S.DELETED, "delete"), (S.INACTIVE, "inactivate"), (S.COMPLETED, "conclude")],
)
def test_an_end_is_a_delete_with_its_task(state: EnrollmentState, task: str) -> None:
    assert told(step(state, present(S.ACTIVE))) == ("DELETE", f"{COURSE}/30", {"task": task})


def test_an_inactive_one_is_reactivated_which_keeps_its_fields() -> None:
    inactive = present(S.INACTIVE, limited=True)
    assert told(step(S.ACTIVE, inactive)) == ("PUT", f"{COURSE}/30/reactivate", {})
    method, path, said = told(step(S.ACTIVE, inactive, start_at=DAY, end_at=DAY))
    assert (method, path) == ("POST", COURSE)
    assert said["enrollment[enrollment_state]"] == "active"
    assert said["enrollment[limit_privileges_to_course_section]"] == "true"


@pytest.mark.parametrize(
    ("before", "state", "word"),
    [
        (None, S.ACTIVE, "active"),
        (None, S.INVITED, "invited"),
        (None, S.INACTIVE, "inactive"),
        (S.DELETED, S.ACTIVE, "active"),
        (S.DELETED, S.INACTIVE, "inactive"),
        (S.COMPLETED, S.ACTIVE, "active"),
        (S.INVITED, S.ACTIVE, "active"),
        (S.CREATION_PENDING, S.CREATION_PENDING, "invited"),
    ],
)
def test_a_post_says_every_field_and_never_notifies(
    before: EnrollmentState | None, state: EnrollmentState, word: str
) -> None:
    stands = None if before is None else present(before, start_at=DAY, end_at=DAY, limited=True)
    one = step(state, stands) if stands else step(state, start_at=DAY, end_at=DAY, limited=True)
    method, path, said = told(one)
    assert (method, path) == ("POST", COURSE)
    assert said == {
        "enrollment[user_id]": "71",
        "enrollment[type]": "StudentEnrollment",
        "enrollment[role]": "StudentEnrollment",
        "enrollment[course_section_id]": "81",
        "enrollment[enrollment_state]": word,
        "enrollment[limit_privileges_to_course_section]": "true",
        "enrollment[start_at]": "2026-09-01T00:00:00Z",
        "enrollment[end_at]": "2026-09-01T00:00:00Z",
        "enrollment[notify]": "false",
    }


def test_who_moves_comes_first_and_goes_then() -> None:
    old = replace(present(S.ACTIVE, start_at=DAY, end_at=DAY), key=replace(KEY, section=11))
    move = replace(step(S.ACTIVE), outcome=Outcome.MOVE, leaves=old)
    comes, goes = parts(move)
    assert (comes.key, comes.state) == (KEY, S.ACTIVE)
    assert (goes.key, goes.state) == (old.key, S.DELETED)
    first, second = roster_orders.lines(move, NAMES)
    assert (first.section, first.state, first.dates) == ("S-1", S.ACTIVE, None)
    assert (second.section, second.state, second.dates) == ("S-2", S.DELETED, (DAY, DAY))


def test_an_observer_s_line_names_whom_they_observe() -> None:
    key = replace(KEY, type=EnrollmentType.OBSERVER, role="ObserverEnrollment", associated=2)
    [line] = roster_orders.lines(replace(step(S.ACTIVE), key=key), NAMES)
    assert (line.course, line.user, line.associated) == ("C-1", "U-1", "U-2")


def the_part(one: Step) -> Part:
    [part] = parts(one)
    return part


def test_when_a_part_has_come_true() -> None:
    gone = the_part(step(S.DELETED, present(S.ACTIVE)))
    assert gone.is_done(None)
    assert gone.is_done(present(S.DELETED))
    assert not gone.is_done(present(S.ACTIVE))
    invited = the_part(step(S.INVITED))
    assert invited.is_done(present(S.CREATION_PENDING))  # in a course that is not published
    assert not invited.is_done(None)
    assert not invited.is_done(present(S.ACTIVE))
    dated = the_part(step(S.ACTIVE, start_at=DAY, end_at=DAY))
    assert dated.is_done(present(S.ACTIVE, start_at=DAY + timedelta(milliseconds=5), end_at=DAY))
    assert not dated.is_done(present(S.ACTIVE))
    assert not dated.is_done(present(S.ACTIVE, start_at=DAY, end_at=DAY, limited=True))


def test_when_a_part_was_overtaken() -> None:
    new = the_part(step(S.ACTIVE))
    assert not new.has_moved(None)
    assert not new.has_moved(present(S.DELETED))
    assert new.has_moved(present(S.INVITED))
    ended = the_part(step(S.DELETED, present(S.INVITED)))
    assert ended.has_moved(None)
    assert not ended.has_moved(present(S.CREATION_PENDING))
    assert not ended.has_moved(present(S.INVITED, limited=False))  # which was never told
    assert ended.has_moved(present(S.INVITED, limited=True))
    assert ended.has_moved(present(S.ACTIVE))
