"""Whether an offer is good enough for a need, why not, and why another was taken instead, in words (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.needs import Need
from gateway.offers import Offer
from models.roster import GapReason, Source

# A read of these takes as long as it takes. How long a list takes is but a guess from the last ones: if it was wrong, or is not so any
# more, only another list can tell.
_LONG_BY_NATURE = frozenset({Source.REPORT, Source.SIS_EXPORT})


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one offer for one need, in words."""

    offer: Offer
    accepted: bool
    reason: str


def refusal(need: Need, offer: Offer, now: datetime) -> str | None:
    """Why `offer` is not good enough for `need`, whatever it costs; None when it is."""
    return next((reason for reason in _objections(need, offer, now) if reason), None)


def is_last_resort(need: Need, offer: Offer) -> bool:
    """Whether any other offer that is good enough goes before this one."""
    return offer.overtaken is not None and not need.allow_stale


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


def verdict(
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


def gap(
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
