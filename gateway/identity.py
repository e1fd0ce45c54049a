"""Whom a set of identifiers means: the order of keys, the vetoes, and when a person has to decide.

Pure. A launch, a roster member or a row brings `Evidence`; the store brings the people whom one of its identifiers
names; `decide` says which of them it is, that it is nobody yet, or that two records disagree. An identifier is never
followed against a stronger one, and two people are never joined silently.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from models.roster import IdentityKind, Resolution

UNEXPANDED = "$"  # `$Canvas.user.id` is a variable that the platform did not know, not an id
NO_VALUE = frozenset({"", "0"})


@dataclass(frozen=True, kw_only=True, order=True)
class Alias:
    """One identifier. `scope`: what its value is unique in below the institution, "" for the institution itself."""

    kind: IdentityKind
    value: str
    scope: str = ""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one source says of one person, in `course` where it was seen.

    `test_student` and `anonymous` people are nobody: they are kept apart and never matched.
    """

    aliases: frozenset[Alias]
    course: int | None = None
    test_student: bool = False
    anonymous: bool = False


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A person of the store with all live aliases, and the LTI 1.3 `sub`s seen for them in the evidence's course."""

    person: int
    aliases: frozenset[Alias]
    subs_in_course: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Same:
    """It is this person; `learned` are aliases to add."""

    person: int
    by: IdentityKind
    learned: frozenset[Alias]


@dataclass(frozen=True, kw_only=True)
class Stranger:
    """Nobody has any of these identifiers. `lookalikes` share an e-mail address: shown to an operator, never joined."""

    aliases: frozenset[Alias]
    lookalikes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Two records disagree; `people` are the persons concerned, `why` says it in words, `proposal` what we would do."""

    by: IdentityKind
    people: tuple[int, ...]
    why: str
    proposal: str


@dataclass(frozen=True, kw_only=True)
class Nobody:
    why: str


Decision = Same | Stranger | Conflict | Nobody


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Which weaker keys an institution vouches for: schools reissue logins, some even SIS ids."""

    sis_user_id: bool = True
    integration_id: bool = True
    login_id: bool = False
    by_kind: Mapping[IdentityKind, bool] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        known = {
            IdentityKind.SIS_USER_ID: self.sis_user_id,
            IdentityKind.INTEGRATION_ID: self.integration_id,
            IdentityKind.LOGIN_ID: self.login_id,
        }
        object.__setattr__(self, "by_kind", known)


# From certain to medium. An e-mail address is not among them: families share one, and anybody can change theirs.
ORDER = (
    IdentityKind.LTI13_SUB,
    IdentityKind.LTI11_USER_ID,
    IdentityKind.CANVAS_GLOBAL_ID,
    IdentityKind.CANVAS_UUID,
    IdentityKind.SIS_USER_ID,
    IdentityKind.INTEGRATION_ID,
    IdentityKind.LOGIN_ID,
)

# In which column of a person the graph shows the identifier.
COLUMNS: Mapping[IdentityKind, str] = {
    IdentityKind.CANVAS_GLOBAL_ID: "canvas_id",
    IdentityKind.CANVAS_UUID: "uuid",
    IdentityKind.SIS_USER_ID: "sis_id",
    IdentityKind.INTEGRATION_ID: "integration_id",
    IdentityKind.LOGIN_ID: "login_id",
}

# A person has one of these at a time, so another value contradicts. `sub`s and 1.1 ids are many after a merge, a uuid
# may be an older one in some contexts, and logins with their SIS ids are many by nature: they only veto where noted.
ONE_AT_A_TIME = frozenset({IdentityKind.CANVAS_GLOBAL_ID})
SCHOOLS_WORD = frozenset(
    {IdentityKind.SIS_USER_ID, IdentityKind.INTEGRATION_ID, IdentityKind.LOGIN_ID}
)


def alias(kind: IdentityKind, unverified_value: str | None, *, scope: str = "") -> Alias | None:
    """The alias, or None where the value says nothing: absent, blank, zero, or an unexpanded variable."""
    value = (unverified_value or "").strip()
    if value in NO_VALUE or value.startswith(UNEXPANDED):
        return None
    return Alias(kind=kind, value=kind.comparable(value), scope=scope)


def decide(evidence: Evidence, candidates: Sequence[Candidate], trust: Trust) -> Decision:
    """Who it is. `candidates` are all people who have a live alias equal to one of the evidence's."""
    if evidence.test_student:
        return Nobody(why="a test student is no person")
    if evidence.anonymous:
        return Nobody(why="an anonymous visitor cannot be told from another")
    for kind in ORDER:
        if not trust.by_kind.get(kind, True):
            continue
        found = tuple(c for c in candidates if _shared(evidence, c, kind))
        if len(found) > 1:
            return _two_people(kind, found)
        if found:
            return _one_person(evidence, found[0], kind)
    lookalikes = tuple(
        sorted(c.person for c in candidates if _shared(evidence, c, IdentityKind.EMAIL))
    )
    return Stranger(aliases=evidence.aliases, lookalikes=lookalikes)


def proposed(kind: IdentityKind, *, claimed: bool) -> Resolution:
    """What would be done with a conflict over an identifier; `claimed`: it is known who else claims it.

    Canvas's own ids name two people only when it has merged them; what a school gives out, it gives to somebody else.
    """
    if not claimed:
        return Resolution.KEEP
    return Resolution.MOVE if kind in SCHOOLS_WORD else Resolution.MERGE


def _one_person(evidence: Evidence, candidate: Candidate, kind: IdentityKind) -> Decision:
    veto = next(_vetoes(evidence, candidate, kind), None)
    if veto is not None:
        return Conflict(
            by=kind,
            people=(candidate.person,),
            why=veto,
            proposal=f"make a new person, and end the {kind} that both claim if the school has given it to somebody else",
        )
    return Same(person=candidate.person, by=kind, learned=evidence.aliases - candidate.aliases)


def _two_people(kind: IdentityKind, found: Sequence[Candidate]) -> Conflict:
    people = tuple(sorted(c.person for c in found))
    return Conflict(
        by=kind,
        people=people,
        why=f"its {kind}s belong to {len(people)} people",
        proposal="merge them if Canvas has merged them, else correct the identifier that is wrong",
    )


def _vetoes(evidence: Evidence, candidate: Candidate, kind: IdentityKind) -> Iterator[str]:
    """Stronger keys that say it is somebody else."""
    for stronger in ORDER[: ORDER.index(kind)]:
        ours, theirs = _values(evidence.aliases, stronger), _values(candidate.aliases, stronger)
        if stronger in ONE_AT_A_TIME and ours and theirs and not ours & theirs:
            yield f"the same {kind}, but another {stronger}"
    if kind in SCHOOLS_WORD:
        yield from _school_vetoes(evidence, candidate, kind)


def _school_vetoes(evidence: Evidence, candidate: Candidate, kind: IdentityKind) -> Iterator[str]:
    """A school moves its numbers from one person to another: a `sub` already seen beside one stops them."""
    subs = {a.value for a in evidence.aliases if a.kind is IdentityKind.LTI13_SUB}
    if subs and candidate.subs_in_course - subs:
        yield f"the same {kind}, but that person was seen in this course under another LTI id"
    if kind is not IdentityKind.SIS_USER_ID:
        ours = _values(evidence.aliases, IdentityKind.SIS_USER_ID)
        theirs = _values(candidate.aliases, IdentityKind.SIS_USER_ID)
        if ours and theirs and not ours & theirs:
            yield f"the same {kind}, but another SIS id"


def _shared(evidence: Evidence, candidate: Candidate, kind: IdentityKind) -> bool:
    return bool(_values(evidence.aliases, kind) & _values(candidate.aliases, kind))


def _values(aliases: Iterable[Alias], kind: IdentityKind) -> frozenset[tuple[str, str]]:
    return frozenset((a.scope, a.value) for a in aliases if a.kind is kind)
