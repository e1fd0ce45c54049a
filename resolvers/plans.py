"""Plans in words: as rows of the graph, and as JSON for `extensions.plan`."""

from gateway.outcomes import Outcome, Try
from gateway.readpath.registry import Row
from gateway.verdicts import Verdict
from models.moments import moment_text
from resolvers.scalars import duration_text


def plan_of(outcome: Outcome | None) -> Row:
    if outcome is None:
        return {"chosen": None, "offers": []}
    return {
        "chosen": None if outcome.by is None else outcome.by.source,
        "offers": [_offer(verdict, tried) for verdict, tried in outcome.verdicts()],
    }


def as_json(outcome: Outcome) -> dict[str, object]:
    """The same for `extensions.plan`, with what the read was of."""
    told = plan_of(outcome)
    need = outcome.need
    return {
        "subject": need.subject.value,
        "scope": {"kind": need.scope.kind.value, "id": str(need.scope.id)},
        "fields": sorted(need.groups),
        "states": sorted(need.states),
        "maxAge": duration_text(need.max_age),
        "chosen": told["chosen"],
        "gap": outcome.gap and {"reason": outcome.gap.reason, "message": outcome.gap.message},
        "offers": [
            {
                **offer,
                "asOf": offer["asOf"] and moment_text(offer["asOf"]),
                "latency": duration_text(offer["latency"]),
            }
            for offer in told["offers"]
        ],
    }


def _offer(verdict: Verdict, tried: Try | None) -> Row:
    offer = verdict.offer
    return {
        "source": offer.source,
        "accepted": verdict.accepted,
        "reason": verdict.reason,
        "asOf": offer.as_of,
        "requests": offer.price.requests,
        "quota": offer.price.quota,
        "latency": offer.price.latency,
        "actualRequests": None if tried is None else tried.requests,
        "actualQuota": None if tried is None else tried.quota,
    }
