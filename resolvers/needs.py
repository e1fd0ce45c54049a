"""What a field needs of the store before it reads it, and what its answer says of how that was met."""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import lru_cache

from gateway.needs import Need, Scope, ScopeKind, Subject
from gateway.outcomes import Outcome
from gateway.readpath import provenance
from gateway.readpath.answers import Parts, Question
from gateway.readpath.ledger import Parent
from gateway.readpath.provenance import Wanted
from gateway.readpath.registry import Row
from gateway.readpath.shapes import Shape
from gateway.viewer import Rights
from models.roster import EnrollmentState, FieldGroup, Source
from resolvers import plans
from resolvers.context import Context

SUBJECTS = {
    "Member": Subject.MEMBERS,
    "Enrollment": Subject.ENROLLMENTS,
    "Course": Subject.COURSES,
    "Section": Subject.SECTIONS,
    "User": Subject.PEOPLE,
}
_ROSTERS = (Subject.MEMBERS, Subject.ENROLLMENTS)
ANY_AGE = timedelta(days=36_500)
_GROUP = re.compile(r"(\w+)_source\}?$")
_OWN_EVERYTHING = frozenset({Source.LOCAL})


def groups_of(
    context: Context, type_name: str, shape: Shape, *, by_name: bool = False
) -> frozenset[FieldGroup]:
    """The groups of fields that are shown or ordered by. NRPS knows members without their standing."""
    return _groups(type_name, shape, context.reader.rights, by_name)


@lru_cache(maxsize=512)
def _groups(
    type_name: str,
    shape: Shape,
    rights: Rights,
    by_name: bool,  # noqa: FBT001  lru_cache's way
) -> frozenset[FieldGroup]:
    found = {FieldGroup.STANDING} if type_name == "Enrollment" else set()
    found |= {
        FieldGroup(match[1])
        for path in shape.groups(rights).values()
        if (match := _GROUP.search(path))
    }
    if "effectiveState" in shape.fields:
        found.add(FieldGroup.DATES)
    if by_name:
        found.add(FieldGroup.NAME)
    return frozenset(found)


def need_of(
    context: Context,
    subject: Subject,
    place: Parent,
    wanted: Wanted,
    *,
    groups: frozenset[FieldGroup],
    states: Iterable[str],
) -> Need:
    scope, *around = [Scope(kind=ScopeKind(kind), id=row_id) for kind, row_id in place]
    rosters = subject in _ROSTERS
    # Whoever may see nobody there moves nobody to ask Canvas.
    blind = rosters and _is_blind(context, subject, place, states)
    max_age = ANY_AGE if wanted.max_age is None else min(wanted.max_age, ANY_AGE)
    return Need(
        scope=scope,
        subject=subject,
        groups=groups if rosters else frozenset(),
        states=frozenset(map(EnrollmentState, states)) if rosters else frozenset(),
        max_age=max_age,
        allow_stale=bool(wanted.allow_stale),
        sources=_OWN_EVERYTHING if blind else wanted.sources or None,
        person=context.viewer.acts_for_id or context.viewer.user_id,
        deadline=context.patience(),
        around=tuple(around),
    )


def _is_blind(context: Context, subject: Subject, place: Parent, states: Iterable[str]) -> bool:
    if context.reader.rights.sight is None:
        return False
    course = next((row_id for kind, row_id in place if kind == "course"), None)
    name = next(name for name, one in SUBJECTS.items() if one is subject)
    limit = context.reader.limit(name, course, states)
    return limit is not None and limit.nothing


async def met(
    context: Context,
    question: Question,
    places: Sequence[Parent],
    groups: frozenset[FieldGroup],
) -> Sequence[Outcome]:
    """Make the store fresh enough for the lists of these places. Later pages of a list begin no read."""
    wanted = question.wanted
    listing = question.level.listing
    if listing.window.cursor is not None:
        wanted = Wanted(max_age=wanted.max_age, allow_stale=True, sources=_OWN_EVERYTHING)
    subject = SUBJECTS.get(question.subject)
    if subject is None or context.reads is None:
        return ()
    states = listing.filter.meant
    needs = [
        need_of(context, subject, place, wanted, groups=groups, states=states) for place in places
    ]
    return await context.ensure(needs, explained=_explained(question.parts))


async def met_counts(
    context: Context, courses: Sequence[Parent], wanted: Wanted, states: Iterable[str], parts: Parts
) -> Sequence[Outcome]:
    """The same for what is only counted."""
    groups = frozenset({FieldGroup.STANDING})
    needs = [
        need_of(context, Subject.ENROLLMENTS, course, wanted, groups=groups, states=states)
        for course in courses
    ]
    return await context.ensure(needs, explained=_explained(parts))


def told(
    context: Context, rows: Sequence[Row], outcomes: Sequence[Outcome], parts: Parts
) -> Sequence[Row]:
    """The rows, with the provenance of each completed by how its need was met."""
    if parts.provenance:
        for place, row in enumerate(rows):
            outcome = outcomes[place] if outcomes else None
            row["provenance"] = _completed(context, row["provenance"], outcome)
            if _explained(parts):
                row["provenance"]["plan"] = plans.plan_of(outcome)
    return rows


def _completed(context: Context, shown: Row, outcome: Outcome | None) -> Row:
    if outcome is None or not context.has_upstream:
        return shown
    gaps = [gap for gap in shown["gaps"] if gap["message"] != provenance.NO_SOURCE]
    if outcome.gap is not None:
        reason, message = outcome.gap.reason, outcome.gap.message
        gaps.append({"field": None, "reason": reason, "message": message})
    return shown | {"servedLocally": outcome.served_locally, "gaps": gaps}


def _explained(parts: Parts) -> bool:
    return "plan" in parts.provenance
