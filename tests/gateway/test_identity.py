"""Who it is, as a table: what is said of a person, whom the store knows, and the decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity import (
    Alias,
    Candidate,
    Conflict,
    Decision,
    Evidence,
    Nobody,
    Same,
    Stranger,
    Trust,
    alias,
    decide,
)
from models.roster import IdentityKind as Kind

PLATFORM = "https://canvas.instructure.com 10000000000002"


def sub(value: str) -> Alias:
    return Alias(kind=Kind.LTI13_SUB, value=value, scope=PLATFORM)


def lti11(value: str) -> Alias:
    return Alias(kind=Kind.LTI11_USER_ID, value=value)


def canvas(value: str) -> Alias:
    return Alias(kind=Kind.CANVAS_GLOBAL_ID, value=value)


def uuid(value: str) -> Alias:
    return Alias(kind=Kind.CANVAS_UUID, value=value)


def sis(value: str) -> Alias:
    return Alias(kind=Kind.SIS_USER_ID, value=value)


def login(value: str) -> Alias:
    return Alias(kind=Kind.LOGIN_ID, value=value)


def email(value: str) -> Alias:
    return Alias(kind=Kind.EMAIL, value=value)


def seen(
    *aliases: Alias, course: int | None = None, test_student: bool = False, anonymous: bool = False
) -> Evidence:
    return Evidence(
        aliases=frozenset(aliases), course=course, test_student=test_student, anonymous=anonymous
    )


def known(person: int, *aliases: Alias, subs_in_course: frozenset[str] = frozenset()) -> Candidate:
    return Candidate(person=person, aliases=frozenset(aliases), subs_in_course=subs_in_course)


def same(person: int, by: Kind, *learned: Alias) -> Same:
    return Same(person=person, by=by, learned=frozenset(learned))


CASES = [
    pytest.param(seen(sub("A")), [known(1, sub("A"))], same(1, Kind.LTI13_SUB), id="the same sub"),
    pytest.param(
        seen(sub("A"), sis("S9")),
        [known(1, sub("A"), sis("S1"))],
        same(1, Kind.LTI13_SUB, sis("S9")),
        id="the same sub with another SIS id: several logins, both are theirs",
    ),
    pytest.param(
        seen(sub("A"), sis("S2")),
        [known(1, sub("A")), known(2, sis("S2"))],
        same(1, Kind.LTI13_SUB, sis("S2")),
        id="a SIS id is never followed against a sub",
    ),
    pytest.param(
        seen(sub("new"), lti11("ab")),
        [known(1, lti11("ab"))],
        same(1, Kind.LTI11_USER_ID, sub("new")),
        id="from LTI 1.1 to 1.3 by the legacy id",
    ),
    pytest.param(
        seen(sub("old A"), lti11("of B")),
        [known(2, sub("B"), lti11("of B"))],
        same(2, Kind.LTI11_USER_ID, sub("old A")),
        id="merged users meet again by the legacy id",
    ),
    pytest.param(
        seen(canvas("7"), sub("A")),
        [known(1, canvas("7"))],
        same(1, Kind.CANVAS_GLOBAL_ID, sub("A")),
        id="the Canvas id",
    ),
    pytest.param(seen(uuid("u")), [known(1, uuid("u"))], same(1, Kind.CANVAS_UUID), id="the uuid"),
    pytest.param(
        seen(sub("A"), sis("S1")),
        [known(1, sis("S1"))],
        same(1, Kind.SIS_USER_ID, sub("A")),
        id="the SIS id",
    ),
    pytest.param(
        seen(sub("A"), sis("S1"), course=5),
        [known(1, sis("S1"), sub("B"), subs_in_course=frozenset({"B"}))],
        "seen in this course under another LTI id",
        id="a SIS id re-issued within a course",
    ),
    pytest.param(
        seen(sub("A"), sis("S1"), course=5),
        [known(1, sis("S1"), sub("B"))],
        same(1, Kind.SIS_USER_ID, sub("A")),
        id="another sub in another course: a merge may have made it",
    ),
    pytest.param(
        seen(canvas("8"), sis("S1")),
        [known(1, canvas("7"), sis("S1"))],
        "the same sis_user_id, but another canvas_global_id",
        id="a Canvas id vetoes a SIS id",
    ),
    pytest.param(
        seen(lti11("x"), canvas("8")),
        [known(1, lti11("x"), canvas("7"))],
        same(1, Kind.LTI11_USER_ID, canvas("8")),
        id="a weaker key does not veto a stronger one",
    ),
    pytest.param(
        seen(sis("S1"), canvas("7")),
        [known(1, sis("S1")), known(2, canvas("7"))],
        same(2, Kind.CANVAS_GLOBAL_ID, sis("S1")),
        id="the stronger of two keys decides",
    ),
    pytest.param(
        seen(sis("S1"), sis("S2")),
        [known(1, sis("S1")), known(2, sis("S2"))],
        "its sis_user_ids belong to 2 people",
        id="one key, two people",
    ),
    pytest.param(
        seen(login("ben"), sis("S2")),
        [known(1, login("ben"), sis("S1"))],
        Stranger(aliases=frozenset({login("ben"), sis("S2")})),
        id="logins are not trusted unless the school says so",
    ),
    pytest.param(
        seen(email("a@b.example"), sub("A")),
        [known(4, email("a@b.example")), known(3, email("a@b.example"))],
        Stranger(aliases=frozenset({email("a@b.example"), sub("A")}), lookalikes=(3, 4)),
        id="an e-mail address proposes, it never joins",
    ),
    pytest.param(
        seen(sub("A")), [], Stranger(aliases=frozenset({sub("A")})), id="nobody knows them"
    ),
    pytest.param(
        seen(sub("A"), test_student=True),
        [known(1, sub("A"))],
        Nobody(why="a test student is no person"),
        id="the test student",
    ),
    pytest.param(
        seen(anonymous=True),
        [],
        Nobody(why="an anonymous visitor cannot be told from another"),
        id="an anonymous launch",
    ),
]


@pytest.mark.parametrize(("evidence", "candidates", "expected"), CASES)
def test_decision(
    evidence: Evidence, candidates: list[Candidate], expected: Decision | str
) -> None:
    decision = decide(evidence, candidates, Trust())

    if isinstance(expected, str):
        assert isinstance(decision, Conflict)
        assert expected in decision.why
        assert decision.people
        assert decision.proposal
    else:
        assert expected == decision


LOGINS = Trust(login_id=True)


def test_a_trusted_login_matches() -> None:
    decision = decide(seen(login("ben"), sub("A")), [known(1, login("ben"))], LOGINS)

    assert same(1, Kind.LOGIN_ID, sub("A")) == decision


def test_a_login_is_vetoed_by_another_sis_id() -> None:
    decision = decide(seen(login("ben"), sis("S2")), [known(1, login("ben"), sis("S1"))], LOGINS)

    assert isinstance(decision, Conflict)
    assert "the same login_id, but another SIS id" == decision.why


def test_an_untrusted_sis_id_matches_nobody() -> None:
    decision = decide(seen(sis("S1")), [known(1, sis("S1"))], Trust(sis_user_id=False))

    assert isinstance(decision, Stranger)


NOTHING = [None, "", "  ", "0", "$Canvas.user.sisSourceId"]


@pytest.mark.parametrize("value", NOTHING)
def test_a_value_that_says_nothing_is_no_alias(value: str | None) -> None:
    assert alias(Kind.SIS_USER_ID, value) is None


def test_logins_and_addresses_compare_without_case_and_all_else_exactly() -> None:
    assert login("ben") == alias(Kind.LOGIN_ID, "Ben")
    assert email("a@b.example") == alias(Kind.EMAIL, "A@B.example")
    assert sis("0A1") == alias(Kind.SIS_USER_ID, "0A1")


aliases = st.frozensets(
    st.builds(
        lambda kind, value: Alias(kind=kind, value=value),
        st.sampled_from(list(Kind)),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=5,
)


@given(aliases, st.lists(aliases, max_size=3))
def test_the_order_of_candidates_does_not_matter_and_nobody_is_invented(
    said: frozenset[Alias], people: list[frozenset[Alias]]
) -> None:
    candidates = [Candidate(person=n, aliases=of) for n, of in enumerate(people)]

    decision = decide(Evidence(aliases=said), candidates, Trust())

    assert decision == decide(Evidence(aliases=said), candidates[::-1], Trust())
    if isinstance(decision, Same):
        shared = said & people[decision.person]
        assert any(a.kind is decision.by for a in shared)
