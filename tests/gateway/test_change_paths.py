"""What each path can carry, what it costs, and that the cheaper one is taken."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.change_paths import (
    LONGEST_WAIT,
    Carried,
    Cost,
    Named,
    Names,
    Path,
    carried,
    cheaper,
    cost,
    divided,
    reads,
    waits,
)
from gateway.offers import Price
from gateway.prices import Endpoint, PriceBook
from gateway.roster_change import Fields, Key, Outcome, Present, Step
from models.roster import EnrollmentState, EnrollmentType

S = EnrollmentState
DAY = datetime(2026, 9, 1, tzinfo=UTC)
WHOLE = Named(canvas_id=7, sis_id="S-7")
NAMES = Names(people={1: WHOLE, 2: WHOLE}, sections={10: WHOLE, 11: WHOLE}, courses={5: WHOLE})
KEY = Key(section=10, person=1, type=EnrollmentType.STUDENT, role="StudentEnrollment")


def standing(state: EnrollmentState = S.ACTIVE) -> Present:
    return Present(id=3, canvas_id=30, course=5, key=KEY, state=state)


def a_step(
    state: EnrollmentState = S.ACTIVE,
    before: Present | None = None,
    outcome: Outcome = Outcome.ADD,
    key: Key = KEY,
) -> Step:
    return Step(row=1, outcome=outcome, course=5, key=key, state=state, before=before)


def lacking(**where: Named) -> Names:
    return replace(
        NAMES,
        people={**NAMES.people, **({1: where["person"]} if "person" in where else {})},
        sections={**NAMES.sections, **({10: where["section"]} if "section" in where else {})},
        courses={**NAMES.courses, **({5: where["course"]} if "course" in where else {})},
    )


CHANGE, REMOVE = Outcome.CHANGE, Outcome.REMOVE
CLOSED = replace(WHOLE, concluded=True)
# step, names, whether single calls carry it, whether a SIS file does
CASES = {
    "an add": (a_step(), NAMES, True, True),
    "nothing": (
        a_step(outcome=Outcome.NOTHING),
        Names(people={}, sections={}, courses={}),
        True,
        True,
    ),
    "a person without SIS id": (a_step(), lacking(person=Named(canvas_id=7)), True, False),
    "a section without SIS id": (a_step(), lacking(section=Named(canvas_id=7)), True, False),
    "a course without SIS id": (a_step(), lacking(course=Named(canvas_id=7)), True, False),
    "a person known by SIS id alone": (a_step(), lacking(person=Named(sis_id="S")), False, True),
    "whom an observer observes": (
        a_step(key=replace(KEY, type=EnrollmentType.OBSERVER, associated=2)),
        NAMES,
        True,
        True,
    ),
    "an invitation": (a_step(S.INVITED), NAMES, True, False),
    "an add as concluded": (a_step(S.COMPLETED), NAMES, False, True),
    "a deleted one concluded": (a_step(S.COMPLETED, standing(S.DELETED)), NAMES, False, True),
    "concluded": (a_step(S.COMPLETED, standing(), CHANGE), NAMES, True, True),
    "an enrollment without Canvas id": (
        a_step(S.DELETED, replace(standing(), canvas_id=None), REMOVE),
        NAMES,
        False,
        True,
    ),
    "one date alone": (replace(a_step(), fields=Fields(start_at=DAY)), NAMES, True, False),
    "both dates": (replace(a_step(), fields=Fields(start_at=DAY, end_at=DAY)), NAMES, True, True),
    "new dates of an ended one": (
        replace(a_step(S.COMPLETED, standing(), CHANGE), fields=Fields(start_at=DAY, end_at=DAY)),
        NAMES,
        False,
        True,
    ),
    "into a concluded course": (a_step(), lacking(course=CLOSED), False, True),
    "into a concluded course, in it already": (
        a_step(),
        replace(lacking(course=CLOSED), enrolled=frozenset({(5, 1)})),
        True,
        True,
    ),
    "out of a concluded course": (
        a_step(S.DELETED, standing(), REMOVE),
        lacking(course=CLOSED),
        True,
        True,
    ),
    "reactivated in a concluded course": (
        a_step(S.ACTIVE, standing(S.INACTIVE), CHANGE),
        lacking(course=CLOSED),
        True,
        True,
    ),
    "reactivated with new dates there": (
        replace(
            a_step(S.ACTIVE, standing(S.INACTIVE), CHANGE),
            fields=Fields(start_at=DAY, end_at=DAY),
        ),
        lacking(course=CLOSED),
        False,
        True,
    ),
    "made active in a concluded course": (
        a_step(S.ACTIVE, standing(S.INVITED), CHANGE),
        lacking(course=CLOSED),
        False,
        True,
    ),
}


@pytest.mark.parametrize(("step", "names", "by_calls", "by_sis"), CASES.values(), ids=CASES)
def test_what_a_path_can_carry(step: Step, names: Names, by_calls: bool, by_sis: bool) -> None:
    one = carried(step, names)
    assert one.step == step
    assert (one.by_calls is None, one.by_sis is None) == (by_calls, by_sis)


def test_what_neither_path_carries_is_refused_with_both_reasons() -> None:
    one = carried(a_step(), lacking(person=Named()))
    assert one.step.outcome is Outcome.REFUSED
    assert one.step.reason == (
        "the person has no Canvas id that is known;"
        " and by a SIS import: the person has no SIS id that is known"
    )
    assert (one.by_calls, one.by_sis) == (None, None)


def test_a_move_has_to_name_the_section_that_is_left() -> None:
    left = replace(standing(), key=replace(KEY, section=11))
    move = replace(a_step(outcome=Outcome.MOVE), leaves=left)
    names = replace(NAMES, sections={10: WHOLE, 11: Named(canvas_id=8)})
    assert carried(move, names).by_sis == "the section that is left has no SIS id that is known"
    assert carried(move, names).by_calls is None
    unnamed = replace(move, leaves=replace(left, canvas_id=None))
    assert carried(unnamed, NAMES).by_calls == "the Canvas id of the enrollment is not known"


def test_steps_are_divided_among_file_and_calls() -> None:
    both = Carried(step=a_step())
    calls = Carried(step=a_step(S.INVITED), by_sis="no")
    sis = Carried(step=a_step(S.COMPLETED), by_calls="no")
    nothing = Carried(step=a_step(outcome=Outcome.NOTHING))
    rows = [both, calls, sis, nothing]
    by_file = divided(Path.SIS_IMPORT, rows)
    assert (by_file.imported, by_file.called) == ((both.step, sis.step), (calls.step,))
    assert by_file.left == ()
    by_calls = divided(Path.SINGLE_CALLS, rows)
    assert (by_calls.imported, by_calls.called) == ((), (both.step, calls.step))
    assert by_calls.left == (sis,)


def adds(many: int) -> list[Carried]:
    return [Carried(step=a_step(key=replace(KEY, person=person))) for person in range(many)]


@pytest.mark.parametrize(
    ("rows", "path"),
    [
        (1, Path.SINGLE_CALLS),
        (3, Path.SINGLE_CALLS),
        (1_000, Path.SIS_IMPORT),
        (50_000, Path.SIS_IMPORT),
    ],
)
def test_few_go_by_calls_and_many_by_a_file(rows: int, path: Path) -> None:
    costs = [cost(one, adds(rows), {5: 0}, PriceBook()) for one in Path]
    assert cheaper(costs).path is path


def test_the_path_that_leaves_less_undone_is_taken_whatever_it_costs() -> None:
    dear = Cost(path=Path.SIS_IMPORT, price=Price(quota=900))
    cheap = Cost(path=Path.SINGLE_CALLS, price=Price(quota=1), left=1)
    assert cheaper([cheap, dear]) is dear
    same = replace(dear, path=Path.SINGLE_CALLS)
    assert cheaper([dear, same]) is same


def test_what_a_path_costs_is_its_calls_and_the_reads_around_them() -> None:
    prices = PriceBook()
    write, look = (
        prices.expected(Endpoint.ENROLLMENT_WRITE),
        prices.expected(Endpoint.ENROLLMENT_LOOKUP),
    )
    one = cost(Path.SINGLE_CALLS, adds(1), {5: 250}, prices)
    assert one.price.requests == 3
    assert one.price.quota == pytest.approx(write.quota + 2 * look.quota)
    many = cost(Path.SINGLE_CALLS, adds(80), {5: 240}, prices)
    assert many.price.requests == 80 + 3 + 4  # the course has a page more afterwards
    assert (many.called, many.imported, many.left) == (80, 0, 0)
    file = cost(Path.SIS_IMPORT, adds(80), {5: 240}, prices)
    assert file.price.requests == 1 + len(waits(5.8)) + 1 + 3 + 4
    assert (file.called, file.imported, file.left) == (0, 80, 0)


def test_a_roster_that_is_said_whole_is_read_whole_before() -> None:
    prices = PriceBook()
    one = cost(Path.SINGLE_CALLS, adds(1), {5: 250}, prices, whole={5})
    assert one.price.requests == 1 + 3 + 1  # its pages before, and the person after
    other = cost(Path.SINGLE_CALLS, adds(1), {5: 250, 6: 100}, prices, whole={6})
    assert other.price.requests == 1 + 1 + 1 + 1


def test_ending_is_priced_by_what_ending_costs() -> None:
    prices = PriceBook()
    before = standing()
    ends = [Carried(step=a_step(S.DELETED, before, REMOVE))]
    moves = [Carried(step=replace(a_step(outcome=Outcome.MOVE), leaves=before))]
    post = prices.expected(Endpoint.ENROLLMENT_WRITE).quota
    task = prices.expected(Endpoint.ENROLLMENT_TASK).quota
    look = 2 * prices.expected(Endpoint.ENROLLMENT_LOOKUP).quota
    assert cost(Path.SINGLE_CALLS, ends, {5: 250}, prices).price.quota == pytest.approx(task + look)
    moved = cost(Path.SINGLE_CALLS, moves, {5: 250}, prices)
    assert moved.price.quota == pytest.approx(post + task + look)


def test_a_file_that_says_a_whole_roster_costs_its_rows_and_another_read() -> None:
    prices = PriceBook()
    rows = adds(20)
    staying = [
        replace(one.step, outcome=Outcome.NOTHING, before=standing()) for one in adds(120)[20:]
    ]
    alone = cost(Path.SIS_IMPORT, rows, {5: 220}, prices).price
    whole = cost(Path.SIS_IMPORT, rows, {5: 220}, prices, staying).price
    longer = len(waits(6.2)) - len(waits(5.2))
    assert whole.requests == alone.requests + longer + 3 + 1  # the course, and the list of imports
    assert whole.latency > alone.latency
    calls = [cost(Path.SINGLE_CALLS, rows, {5: 220}, prices, told) for told in (None, staying)]
    assert calls[0] == calls[1]


def test_more_units_than_the_bucket_holds_take_their_time() -> None:
    dear = PriceBook(
        {
            Endpoint.ENROLLMENT_WRITE: PriceBook()
            .expected(Endpoint.ENROLLMENT_WRITE)
            .taught(quota=40.0, seconds=0.0)
        }
    )
    slow = cost(Path.SINGLE_CALLS, adds(100), {5: 0}, dear)
    assert slow.price.latency > timedelta(seconds=150)


def test_people_are_read_one_by_one_where_that_is_fewer_calls() -> None:
    [read] = reads([one.step for one in adds(2)], {5: 250}).values()
    assert read.one_by_one
    [read] = reads([one.step for one in adds(3)], {5: 250}).values()
    assert not read.one_by_one


@given(st.floats(0, 100_000))
def test_an_import_is_asked_for_until_it_is_over_and_never_much_longer(seconds: float) -> None:
    between = waits(seconds)
    assert sum(between) >= seconds
    assert sum(between[:-1]) < seconds or len(between) == 1
    assert max(between) <= LONGEST_WAIT
