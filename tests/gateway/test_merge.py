from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.merge import (
    Guard,
    Reading,
    Silence,
    Surroundings,
    Word,
    course_state_after,
    ending_of,
    enrollment_state_after,
    poorer_than,
    richer_than,
    silence_of,
    wins,
)
from models.roster import CourseState, EnrollmentState, RecordState, Source

NOW = datetime(2026, 9, 1, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (Reading.ENROLLMENTS_API, Silence.REMOVED),
        (Reading.NRPS, Silence.MEMBERSHIP_ENDED),
        (Reading.PROVISIONING, Silence.CANDIDATE),
        (Reading.SIS_EXPORT, Silence.CANDIDATE),
        (Reading.LAUNCH, Silence.NOTHING),
        (Reading.LIVE_EVENT, Silence.NOTHING),
    ],
)
def test_silence_of_a_whole_reading_proves_what_that_reading_can_know(
    reading: Reading, expected: Silence
) -> None:
    assert expected is silence_of(reading, whole=True, visible=True, has_sis_ids=True)


@pytest.mark.parametrize("reading", Reading)
@pytest.mark.parametrize(("whole", "visible"), [(False, True), (True, False), (False, False)])
def test_silence_proves_nothing_when_the_reading_was_cut_short_or_could_not_see(
    reading: Reading, whole: bool, visible: bool
) -> None:
    assert Silence.NOTHING is silence_of(reading, whole=whole, visible=visible, has_sis_ids=True)


def test_a_sis_export_is_silent_about_whatever_has_no_sis_id() -> None:
    told = silence_of(Reading.SIS_EXPORT, whole=True, visible=True, has_sis_ids=False)

    assert Silence.NOTHING is told
    assert Silence.CANDIDATE is silence_of(
        Reading.PROVISIONING, whole=True, visible=True, has_sis_ids=False
    )


@pytest.mark.parametrize(
    ("around", "state", "removed"),
    [
        pytest.param(
            Surroundings(course=CourseState.DELETED),
            EnrollmentState.DELETED,
            True,
            id="course deleted",
        ),
        pytest.param(
            Surroundings(section=RecordState.DELETED),
            EnrollmentState.DELETED,
            True,
            id="section deleted",
        ),
        pytest.param(
            Surroundings(course=CourseState.COMPLETED),
            EnrollmentState.COMPLETED,
            False,
            id="course concluded",
        ),
        pytest.param(Surroundings(dates_over=True), None, False, id="dates over"),
        pytest.param(Surroundings(logins_gone=True), None, False, id="logins gone"),
        pytest.param(
            Surroundings(course=CourseState.DELETED, dates_over=True, logins_gone=True),
            EnrollmentState.DELETED,
            True,
            id="the strongest explanation first",
        ),
    ],
)
def test_an_absence_is_explained_by_what_stands_around_it(
    around: Surroundings, state: EnrollmentState | None, removed: bool
) -> None:
    ending = ending_of(around)

    assert ending is not None
    assert (state, removed) == (ending.state, ending.removed)
    assert ending.why


@pytest.mark.parametrize(
    "around",
    [
        Surroundings(),
        Surroundings(course=CourseState.AVAILABLE, section=RecordState.ACTIVE),
        Surroundings(course=CourseState.UNPUBLISHED),
    ],
)
def test_what_nothing_explains_is_never_ended_on_a_reports_word(around: Surroundings) -> None:
    assert ending_of(around) is None


@pytest.mark.parametrize(
    ("told", "known", "expected"),
    [
        pytest.param(Word(source=Source.REPORT, as_of=NOW), None, True, id="nothing known"),
        pytest.param(
            Word(source=Source.REPORT, as_of=NOW),
            Word(source=Source.ENROLLMENTS_API, as_of=EARLIER),
            True,
            id="newer",
        ),
        pytest.param(
            Word(source=Source.REPORT, as_of=EARLIER),
            Word(source=Source.ENROLLMENTS_API, as_of=NOW),
            False,
            id="older",
        ),
        pytest.param(
            Word(source=Source.UPLOAD, as_of=NOW),
            Word(source=Source.REPORT, as_of=NOW),
            True,
            id="same age, said last",
        ),
        pytest.param(
            Word(source=Source.REPORT, as_of=EARLIER),
            Word(source=Source.LAUNCH, as_of=NOW),
            True,
            id="richer, older",
        ),
        pytest.param(
            Word(source=Source.LAUNCH, as_of=NOW),
            Word(source=Source.REPORT, as_of=EARLIER),
            False,
            id="poorer, newer",
        ),
        pytest.param(
            Word(source=Source.LAUNCH, as_of=NOW),
            Word(source=Source.NRPS, as_of=EARLIER),
            False,
            id="poorest, newer",
        ),
        pytest.param(
            Word(source=Source.NRPS, as_of=NOW),
            Word(source=Source.NRPS, as_of=EARLIER),
            True,
            id="equally poor, newer",
        ),
    ],
)
def test_the_richer_word_wins_then_the_newer(
    told: Word, known: Word | None, expected: bool
) -> None:
    assert expected is wins(told, known)


def test_invited_leaves_the_finer_state_of_an_unpublished_course() -> None:
    invited, pending = EnrollmentState.INVITED, EnrollmentState.CREATION_PENDING

    report = Source.REPORT
    assert pending is enrollment_state_after(pending, invited, report)
    assert invited is enrollment_state_after(EnrollmentState.ACTIVE, invited, report)
    assert invited is enrollment_state_after(None, invited, report)
    assert EnrollmentState.ACTIVE is enrollment_state_after(pending, EnrollmentState.ACTIVE, report)
    for finer in (Source.ENROLLMENTS_API, Source.MUTATION):
        assert invited is enrollment_state_after(pending, invited, finer)


@pytest.mark.parametrize(
    ("known", "told", "expected"),
    [
        (CourseState.UNPUBLISHED, None, CourseState.UNPUBLISHED),
        (CourseState.AVAILABLE, None, CourseState.AVAILABLE),
        (CourseState.DELETED, None, None),
        (None, None, None),
        (CourseState.AVAILABLE, CourseState.COMPLETED, CourseState.COMPLETED),
    ],
)
def test_a_sis_exports_active_course_leaves_the_finer_word_that_fits(
    known: CourseState | None, told: CourseState | None, expected: CourseState | None
) -> None:
    assert expected is course_state_after(known, told)


def test_richer_and_poorer_are_the_two_sides_of_one_order() -> None:
    """What the statements of the store go by, and what `wins` says of two words of one time."""
    for one, other in product(Source, repeat=2):
        ours, theirs = Word(source=one, as_of=NOW), Word(source=other, as_of=NOW)
        assert (other in richer_than(one)) is (one in poorer_than(other))
        assert (other in richer_than(one)) is not wins(ours, theirs)


words = st.builds(
    Word,
    source=st.sampled_from(Source),
    as_of=st.sampled_from([EARLIER, NOW, NOW + (NOW - EARLIER)]),
)


@given(st.lists(words, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_which_word_stands_in_the_end_is_no_matter_of_the_order_in_which_they_came(
    told: list[Word], random: Random
) -> None:
    """But between words of one rank and one time, of which the last stands."""
    shuffled = list(told)
    random.shuffle(shuffled)

    one, other = _standing(told), _standing(shuffled)

    assert one.as_of == other.as_of
    assert richer_than(one.source) == richer_than(other.source)


def _standing(told: list[Word]) -> Word:
    known = told[0]
    for word in told[1:]:
        known = word if wins(word, known) else known
    return known


@pytest.mark.parametrize(
    ("gone", "of", "held", "held_emptied"),
    [
        pytest.param(0, 0, False, False, id="nobody there"),
        pytest.param(0, 40, False, False, id="nobody gone"),
        pytest.param(24, 30, False, False, id="a large share, but few"),
        pytest.param(25, 125, False, False, id="many, but just the share"),
        pytest.param(26, 125, True, True, id="many and a large share"),
        pytest.param(3, 3, False, True, id="few, and nobody left"),
    ],
)
def test_the_guard_holds_many_at_once_and_whoever_empties_a_course(
    gone: int,
    of: int,
    held: bool,
    held_emptied: bool,
) -> None:
    guard = Guard(share=0.2, least=25)

    assert held is guard.holds(gone, of)
    assert held_emptied is guard.holds_emptied(gone, of)
