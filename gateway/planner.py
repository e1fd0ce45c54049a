"""Which source answers which read: constraints first, then price, for all reads of one level together.

Pure: what is known comes in as values, what is decided goes out as a value that explains itself. A need is one read
of the operation (the roster of one course, say); an offer is what one source can do now for one need or for several
(one report serves every course of an account). `plan` covers the needs with the cheapest acceptable offers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf

from gateway.covering import Costs, cheapest_cover
from models.roster import EnrollmentState, FieldGroup, GapReason, Source


class ScopeKind(StrEnum):
    INSTITUTION = "institution"
    ACCOUNT = "account"
    COURSE = "course"
    SECTION = "section"
    PERSON = "person"


class Subject(StrEnum):
    """What kind of rows: a membership never stands in for an enrollment."""

    MEMBERS = "members"
    ENROLLMENTS = "enrollments"
    COURSES = "courses"
    SECTIONS = "sections"
    PEOPLE = "people"


ROSTERS = frozenset({Subject.MEMBERS, Subject.ENROLLMENTS})


@dataclass(frozen=True, kw_only=True)
class Scope:
    """`id` is our row id, 0 for the institution."""

    kind: ScopeKind
    id: int


@dataclass(frozen=True, kw_only=True)
class Need:
    """One read: what an answer must carry to be good enough.

    `around`: what the scope is a part of, where that is known: a read of it shows the scope too. `person` is the viewer (our id), None for a service in its own name. `rights_known`: we know what Canvas lets the
    viewer see of the scope, so rows read through fuller eyes can be cut to it. `deadline`: how long the caller waits.
    """

    scope: Scope
    subject: Subject
    groups: frozenset[FieldGroup]
    states: frozenset[EnrollmentState]
    max_age: timedelta
    allow_stale: bool = False
    sources: frozenset[Source] | None = None
    person: int | None = None
    rights_known: bool = True
    deadline: timedelta = field(default=timedelta(seconds=20), compare=False)
    around: tuple[Scope, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Price:
    """What an offer is expected to cost: calls to Canvas, its throttle units, and time until the answer."""

    requests: float = 0.0
    quota: float = 0.0
    latency: timedelta = timedelta(0)


@dataclass(frozen=True, kw_only=True)
class Toll:
    """What is paid once before any offer that bears it, and lasts a while: a token, say. Equal keys are one toll.

    `due`: throttle units that are still to be weighed for it, none while it is paid. They are not those of the bucket that
    the reads draw on, so neither its level nor the operation's budget matters to them.
    """

    key: str
    name: str
    lasts: timedelta
    due: float


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What one source can do now.

    `needs`: the needs it is made for, by their place in the level. `as_of`: when its facts' read began, or would.
    `eyes`: None when it sees the whole scope, else the person whose permission cuts it; `whole`: it reaches the end
    of what those eyes see. `origins`: of what is kept locally, whose reads it rests on. `overtaken`: what was told
    since that only another read clears up, in words; it will do where nobody can be asked. `obstacle`: why it cannot be
    used at all now (no credential, breaker open), in words.
    """

    source: Source
    needs: frozenset[int]
    subjects: frozenset[Subject]
    groups: frozenset[FieldGroup]
    states: frozenset[EnrollmentState]
    as_of: datetime | None
    whole: bool = True
    eyes: int | None = None
    origins: frozenset[Source] = frozenset()
    overtaken: str | None = None
    price: Price = field(default_factory=Price)
    toll: Toll | None = None
    obstacle: str | None = None
    obstacle_kind: GapReason = GapReason.SOURCE_UNAVAILABLE


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What the operation may still spend upstream, and how full the token's bucket is.

    `remaining` and `capacity` are throttle units of the bucket; an offer's units weigh more as it empties. `reserve`
    is what is left to interactive reads: background work passes it, interactive work passes 0.
    """

    requests: float = float("inf")
    quota: float = float("inf")
    remaining: float = 600.0
    capacity: float = 600.0
    reserve: float = 0.0

    @property
    def pressure(self) -> float:
        """1 for a full bucket, growing as it empties; never more than 20, so that an empty one can still be compared."""
        left = max(0.0, self.remaining - self.reserve) / self.capacity
        return 1.0 / max(left, 0.05)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one offer for one need, in words."""

    offer: Offer
    accepted: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How one need is met: `order` is the offers to try, best first; empty when nothing will do.

    `spared`: what each toll, once it is paid, makes this need cheaper by.
    """

    order: tuple[Offer, ...]
    verdicts: tuple[Verdict, ...]
    spared: tuple[tuple[Toll, float], ...] = ()
    gap: GapReason | None = None
    gap_message: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One answer for each need, in their order; `steps` are the chosen offers, each once, with the needs it serves."""

    answers: tuple[Answer, ...]
    steps: tuple[tuple[Offer, frozenset[int]], ...]

    @property
    def price(self) -> Price:
        return total(offer.price for offer, _ in self.steps)


# A second of waiting is worth this many throttle units, and a call this many: enough to prefer the
# quicker of two equal offers, too little to buy speed with another reader's quota.
UNITS_PER_SECOND = 0.2
UNITS_PER_REQUEST = 0.01

# What was overtaken costs nothing, and is behind whatever does not.
_OF_A_LAST_RESORT = 1e6

# A read of these takes as long as it takes. How long a list takes is but a guess from the last ones: if it was wrong, or is not so any
# more, only another list can tell.
_LONG_BY_NATURE = frozenset({Source.REPORT, Source.SIS_EXPORT})


def plan(needs: Sequence[Need], offers: Sequence[Offer], now: datetime, budget: Budget) -> Plan:
    """The cheapest acceptable way to meet all `needs` within `budget`; see `Answer` for what could not be met and why."""
    refusals = {
        (n, o): refusal(needs[n], offers[o], now)
        for o in range(len(offers))
        for n in offers[o].needs
    }
    usable = {
        n: [o for o in range(len(offers)) if refusals.get((n, o), "") is None]
        for n in range(len(needs))
    }
    costs = [_cost(offer, needs, budget) for offer in offers]
    chosen = _within(_cheapest_cover(usable, offers, costs), offers, costs, budget)
    answers = tuple(
        _answer(needs[n], n, offers, refusals, usable[n], chosen.get(n), costs)
        for n in range(len(needs))
    )
    steps = tuple(
        (offers[o], frozenset(n for n, of in chosen.items() if of == o))
        for o in sorted(set(chosen.values()))
    )
    return Plan(answers=answers, steps=steps)


def refusal(need: Need, offer: Offer, now: datetime) -> str | None:
    """Why `offer` is not good enough for `need`, whatever it costs; None when it is."""
    return next((reason for reason in _objections(need, offer, now) if reason), None)


def is_last_resort(need: Need, offer: Offer) -> bool:
    """Whether any other offer that is good enough goes before this one."""
    return offer.overtaken is not None and not need.allow_stale


def worth(price: Price, budget: Budget) -> float:
    """One number to compare offers by, in throttle units of a full bucket."""
    return (
        price.quota * budget.pressure
        + price.requests * UNITS_PER_REQUEST
        + price.latency.total_seconds() * UNITS_PER_SECOND
    )


def total(prices: Iterable[Price]) -> Price:
    """Of steps that run side by side: their calls and units add up, and the slowest is waited for."""
    known = list(prices)
    return Price(
        requests=sum(price.requests for price in known),
        quota=sum(price.quota for price in known),
        latency=max((price.latency for price in known), default=timedelta(0)),
    )


def _cost(offer: Offer, needs: Sequence[Need], budget: Budget) -> float:
    last = any(is_last_resort(needs[n], offer) for n in offer.needs)
    return worth(offer.price, budget) + (_OF_A_LAST_RESORT if last else 0.0)


def _objections(need: Need, offer: Offer, now: datetime) -> Iterable[str | None]:
    yield offer.obstacle
    yield _source_objection(need, offer)
    if need.subject not in offer.subjects:
        yield f"it knows {_words(offer.subjects)}, not {need.subject}"
    if missing := need.groups - offer.groups:
        yield f"it does not carry {_words(missing)}"
    if missing_states := need.states - offer.states:
        yield f"it does not show people who are {_words(missing_states)}"
    yield _eyes_objection(need, offer)
    if not offer.whole:
        yield "it was cut short"
    yield _age_objection(need, offer, now)
    if offer.source in _LONG_BY_NATURE and offer.price.latency > need.deadline:
        yield f"it would take {_span(offer.price.latency)}, and the caller waits {_span(need.deadline)}"


def _source_objection(need: Need, offer: Offer) -> str | None:
    """What is kept locally counts as the word of those who told it, too."""
    if need.sources is None or offer.source in need.sources:
        return None
    if offer.origins and offer.origins <= need.sources:
        return None
    return f"the caller allows only {_words(need.sources)}"


def _eyes_objection(need: Need, offer: Offer) -> str | None:
    """Eyes that see less never answer for eyes that see more; fuller eyes answer only where the viewer's rights are known."""
    if offer.eyes is not None:
        return (
            None
            if offer.eyes == need.person
            else "it was read with the permission of somebody who sees less"
        )
    if need.person is not None and not need.rights_known:
        return "it sees more than the viewer may, and what the viewer may see is not known"
    return None


def _age_objection(need: Need, offer: Offer, now: datetime) -> str | None:
    if offer.as_of is None:
        return "it was never read"
    age = now - offer.as_of
    if age <= need.max_age or (need.allow_stale and offer.source is Source.LOCAL):
        return None
    return f"it is {_span(age)} old, and at most {_span(need.max_age)} is asked for"


def _cheapest_cover(
    usable: Mapping[int, list[int]], offers: Sequence[Offer], costs: Sequence[float]
) -> dict[int, int]:
    """The offer of each need that can be met. An offer for several needs is paid once: break-even is computed."""
    keys = sorted({offer.toll.key for offer in offers if offer.toll})
    due = {offer.toll.key: offer.toll.due for offer in offers if offer.toll}
    several = {o for of in usable.values() for o in of if len(offers[o].needs) > 1}
    return cheapest_cover(
        usable,
        Costs(
            offers=costs,
            tolls=[due[key] for key in keys],
            bears={o: keys.index(one.toll.key) for o, one in enumerate(offers) if one.toll},
        ),
        sorted(several, key=lambda o: (-len(offers[o].needs), costs[o], o)),
    )


def _spared(
    usable: Sequence[int], offers: Sequence[Offer], costs: Sequence[float]
) -> Iterable[tuple[Toll, float]]:
    """By each toll, on a need that can be met without it: how much cheaper the offers are that bear it."""
    alone = [o for o in usable if len(offers[o].needs) == 1 and offers[o].overtaken is None]
    without = min((costs[o] for o in alone if offers[o].toll is None), default=None)
    least: dict[str, tuple[float, Toll]] = {}
    for o in alone:
        toll = offers[o].toll
        if toll is not None and costs[o] < least.get(toll.key, (inf, toll))[0]:
            least[toll.key] = costs[o], toll
    for cost, toll in least.values():
        if without is not None and cost < without:
            yield toll, without - cost


def _within(
    chosen: dict[int, int], offers: Sequence[Offer], costs: Sequence[float], budget: Budget
) -> dict[int, int]:
    """As much of `chosen` as the budget pays for: what serves most needs per unit first, then in the needs' order."""
    serving = {o: [n for n, of in chosen.items() if of == o] for o in chosen.values()}
    kept: dict[int, int] = {}
    requests = quota = 0.0
    for o in sorted(serving, key=lambda o: (costs[o] / len(serving[o]), min(serving[o]))):
        price = offers[o].price
        if requests + price.requests > budget.requests or quota + price.quota > budget.quota:
            continue
        requests, quota = requests + price.requests, quota + price.quota
        kept.update(dict.fromkeys(serving[o], o))
    return kept


def _answer(
    need: Need,
    n: int,
    offers: Sequence[Offer],
    refusals: Mapping[tuple[int, int], str | None],
    usable: Sequence[int],
    chosen: int | None,
    costs: Sequence[float],
) -> Answer:
    ranked = sorted((o for o in usable if o != chosen), key=lambda o: (costs[o], o))
    order = ([] if chosen is None else [chosen]) + (ranked if chosen is not None else [])
    verdicts = tuple(
        _verdict(offers, o, refusals[n, o], chosen, costs)
        for o in range(len(offers))
        if n in offers[o].needs
    )
    if chosen is not None:
        spared = tuple(_spared(usable, offers, costs))
        return Answer(order=tuple(offers[o] for o in order), verdicts=verdicts, spared=spared)
    reason, message = _gap(need, n, offers, refusals, usable)
    return Answer(order=(), verdicts=verdicts, gap=reason, gap_message=message)


def _verdict(
    offers: Sequence[Offer],
    o: int,
    refused: str | None,
    chosen: int | None,
    costs: Sequence[float],
) -> Verdict:
    offer = offers[o]
    if refused is not None:
        reason = refused
    elif o == chosen and offer.overtaken is not None:
        reason = f"good enough, and nobody can be asked what became of this: {offer.overtaken}"
    elif o == chosen:
        reason = f"good enough, and the cheapest: {_price(offer)}"
    elif chosen is None:
        reason = f"more than this operation may still spend: {_price(offer)}"
    else:
        reason = f"good enough, {_behind(offer, offers[chosen], costs[o] - costs[chosen])}"
    return Verdict(offer=offer, accepted=o == chosen, reason=reason)


def _behind(offer: Offer, better: Offer, dearer: float) -> str:
    """Why `better` was chosen, to which this is so much dearer."""
    if offer.overtaken is not None and better.overtaken is None and dearer > 0:
        return f"but overtaken: {offer.overtaken}"
    if dearer > 0 or (offer.toll is not None and offer.toll.due and offer.toll != better.toll):
        return f"but dearer than {better.source}: {_price(offer)}"
    if dearer == 0:
        return f"and no cheaper than {better.source}, which comes first"
    return f"but {better.source} serves {len(better.needs)} reads at once"


def _gap(
    need: Need,
    n: int,
    offers: Sequence[Offer],
    refusals: Mapping[tuple[int, int], str | None],
    usable: Sequence[int],
) -> tuple[GapReason, str]:
    """The most telling reason why nothing will do: first what the caller can wait out, then what an operator can mend."""
    if usable:
        return (
            GapReason.THROTTLED,
            "this operation has used up what it may ask of Canvas; ask for less at once, or later",
        )
    blocked = [
        offers[o]
        for (m, o), refused in refusals.items()
        if m == n and refused == offers[o].obstacle
    ]
    if blocked:
        first = min(blocked, key=lambda offer: offer.obstacle_kind is not GapReason.THROTTLED)
        return first.obstacle_kind, f"{first.source}: {first.obstacle}"
    if need.person is not None and not need.rights_known:
        return GapReason.NOT_PERMITTED, "what this viewer may see here is not known"
    reasons = [f"{offers[o].source}: {refused}" for (m, o), refused in refusals.items() if m == n]
    if not reasons:
        return GapReason.NEVER_SYNCED, "no source is connected that could answer this"
    carries = [offers[o] for (m, o) in refusals if m == n and need.groups <= offers[o].groups]
    kind = GapReason.SOURCE_UNAVAILABLE if carries else GapReason.NOT_CARRIED_BY_SOURCE
    return kind, "; ".join(reasons)


def _price(offer: Offer) -> str:
    price = offer.price
    if price.requests == 0 and price.quota == 0:
        return "no call to Canvas"
    calls = "1 call" if price.requests == 1 else f"{price.requests:g} calls"
    words = f"{calls}, {price.quota:.2g} units, {_span(price.latency)}"
    if offer.toll is not None and offer.toll.due:
        words += f", and {offer.toll.due:.3g} units for {offer.toll.name}"
    return words


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _words(words: Iterable[StrEnum]) -> str:
    return ", ".join(sorted(words))
