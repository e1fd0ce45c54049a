"""Whatever stood in the last file and in Canvas: the next one does what was planned and touches nobody else, compared or not."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from gateway.canvas.sis_files import HEADER, csv_of, rows_of
from gateway.writes.roster_data_sets import Imported
from gateway.writes.sis_differences import Ground, Row, data_file, identity

WORDS = ("active", "inactive", "completed", "deleted")
PEOPLE = st.integers(0, 7)
States = dict[int, str]


def row(person: int, status: str) -> Row:
    said = {"course_id": "C", "section_id": "S", "user_id": f"U{person}", "role": "student"}
    return tuple({**said, "status": status}.get(column, "") for column in HEADER)


def rows(states: Mapping[int, str]) -> list[Row]:
    return [row(person, status) for person, status in states.items()]


def imported(shown: States, before: Sequence[Row], file: Sequence[Row], most: int | None) -> States:
    """As Canvas does: of a difference what changed, and who is missing goes; all of the file where there is more. None: whole."""
    told = {one[HEADER.index("user_id")]: one[HEADER.index("status")] for one in file}
    if most is not None:
        known = {one[HEADER.index("user_id")]: one[HEADER.index("status")] for one in before}
        changed = {who: status for who, status in told.items() if known.get(who) != status}
        changed |= {who: "deleted" for who in known if who not in told}
        told = changed if len(changed) <= most else told
    return shown | {int(who[1:]): status for who, status in told.items()}


@given(
    before=st.dictionaries(PEOPLE, st.sampled_from(WORDS)),
    by_hand=st.dictionaries(PEOPLE, st.sampled_from((*WORDS, None))),
    wanted=st.dictionaries(PEOPLE, st.sampled_from(WORDS), min_size=1),
    staying=st.sets(PEOPLE),
    protected=st.sets(PEOPLE),
    base=st.one_of(st.none(), st.dictionaries(PEOPLE, st.sampled_from(WORDS))),
)
def test_the_plan_comes_true_and_nothing_else(
    before: States,
    by_hand: dict[int, str | None],
    wanted: States,
    staying: set[int],
    protected: set[int],
    base: States | None,
) -> None:
    """`base`: what Canvas would compare with, where that is not what is known."""
    shown = {who: status for who, status in (before | by_hand).items() if status is not None}
    changing = {
        who: status
        for who, status in wanted.items()
        if who not in protected and shown.get(who) != status
    }
    stays = {who: shown[who] for who in staying & shown.keys() - changing.keys()}
    ground = Ground(
        before=rows(before),
        shown={identity(one): one for one in rows(shown)},
        protected={identity(row(who, "active")) for who in protected},
    )
    found = data_file(rows(changing), rows(stays), ground)

    most = None if found.why_whole is not None else len(found.differing)
    after = imported(shown, rows(before), found.rows, most)
    assert shown | changing == after
    if most is not None:
        assert {identity(one) for one in rows(before)} <= {identity(one) for one in found.rows}
        assert imported(shown, (), found.rows, None) == after  # compared or not, it says the same
        differing = [found.rows[line - 2] for line in found.differing]
        assert set(differing) >= set(rows(changing))
        assert set(differing) <= set(rows(changing)) | set(rows(stays))
    elif base is not None:
        assert imported(shown, rows(base), found.rows, None) == after


def test_rows_that_differ_are_named_with_how_they_are_now() -> None:
    before = rows(dict.fromkeys(range(13), "active"))
    shown = [row(0, "deleted"), *before[12:]]
    ground = Ground(before=before, shown={identity(one): one for one in shown})
    why = data_file([], [], ground).why_whole or ""
    assert why.startswith("Canvas shows 12 of 13 enrollments otherwise than the last import said:")
    assert "U0 in S as student (active, now deleted); U1 in S as student (active);" in why
    assert why.endswith("; and 2 more")


def test_a_file_that_more_than_doubles_goes_whole() -> None:
    before = rows({0: "active"})
    ground = Ground(before=before, shown={identity(one): one for one in before})
    found = data_file(rows(dict.fromkeys(range(1, 40), "active")), before, ground)
    assert found.why_whole == "it is more than twice as large as the last"
    assert len(found.rows) == 40


def test_a_file_of_other_columns_is_not_read() -> None:
    said = rows({0: "active", 1: "deleted"})
    assert rows_of(csv_of(said).decode()) == said
    assert rows_of("course_id,user_id\nC,U\n") is None


def test_canvas_numbers_the_rows_of_a_difference() -> None:
    compared = Imported(differing=(4, 7))
    assert [compared.line(number) for number in (2, 3, 4, None)] == [4, 7, None, None]
    assert [Imported().line(number) for number in (2, None)] == [2, None]
