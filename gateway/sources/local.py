"""What the store already keeps, as the coverage ledger tells: who was read, when, through whose eyes, to the end or not."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from gateway.batch import Taken
from gateway.canvas.client import Meter
from gateway.needs import ROSTERS, Need, ScopeKind, Subject
from gateway.offers import Offer
from gateway.readpath import ledger
from gateway.readpath.connections import Connections
from gateway.readpath.ledger import Cover, Parent
from gateway.readpath.registry import Reader
from gateway.viewer import Rights, Viewer
from models.roster import EnrollmentState, FieldGroup, Source

_TYPES = {
    Subject.MEMBERS: "Member",
    Subject.ENROLLMENTS: "Enrollment",
    Subject.COURSES: "Course",
    Subject.SECTIONS: "Section",
    Subject.PEOPLE: "User",
}
_OF_PEOPLE = frozenset({FieldGroup.NAME, FieldGroup.LOGIN, FieldGroup.CONTACT})
_EVERY_GROUP = frozenset(FieldGroup)
_EVERY_STATE = frozenset(EnrollmentState)


class _Known(NamedTuple):
    """What is behind a need: reads of its rows, and reads of the people that its rows name.

    `due`: which reads were overtaken by something that was told since, and what it was.
    """

    rows: Sequence[Cover]
    people: Sequence[Cover]
    due: tuple[datetime, str] | None = None


class LocalSource:
    """The store of one institution."""

    source = Source.LOCAL

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def offers(self, needs: Sequence[Need], viewer: Viewer, now: datetime) -> list[Offer]:
        """For each need what is kept for everybody, and what was kept through the viewer's own eyes."""
        reader = Reader(
            institution_id=viewer.institution_id, shard=viewer.shard, now=now, rights=Rights()
        )
        known, due = await asyncio.gather(self._known(needs, reader), self._due(needs, reader))
        return [
            offer
            for place, need in enumerate(needs)
            for offer in _offers(place, need, known[place]._replace(due=due.get(place)))
        ]

    async def fill(
        self,
        offer: Offer,  # noqa: ARG002  a source's shape
        needs: Sequence[Need],  # noqa: ARG002  as above
        viewer: Viewer,  # noqa: ARG002  as above
        meter: Meter,  # noqa: ARG002  as above
        *,
        background: bool = False,  # noqa: ARG002  as above
        run_id: int | None = None,  # noqa: ARG002  as above
    ) -> Sequence[Taken]:
        """Nothing: it is here."""
        return ()

    async def _known(self, needs: Sequence[Need], reader: Reader) -> dict[int, _Known]:
        found: dict[int, _Known] = {}
        by_subject: defaultdict[Subject, list[int]] = defaultdict(list)
        for place, need in enumerate(needs):
            by_subject[need.subject].append(place)
        for subject, places in by_subject.items():
            parents = [_parent(needs[place]) for place in places]
            rows = await self._covers(_TYPES[subject], parents, reader)
            asks_people = any(needs[place].groups & _OF_PEOPLE for place in places)
            people: Sequence[list[Cover]] = [[] for _ in places]
            if asks_people and subject is not Subject.PEOPLE:
                people = await self._covers("User", parents, reader)
            found |= {
                place: _Known(own, around)
                for place, own, around in zip(places, rows, people, strict=True)
            }
        return found

    async def _due(self, needs: Sequence[Need], reader: Reader) -> dict[int, tuple[datetime, str]]:
        """By the places of the needs for rosters."""
        asked = {
            place: _parent(need)[0] for place, need in enumerate(needs) if need.subject in ROSTERS
        }
        if not asked:
            return {}
        found = await ledger.overtaken(self._connections, reader, asked.values())
        return {place: found[scope] for place, scope in asked.items() if scope in found}

    async def _covers(
        self, type_name: str, parents: Sequence[Parent], reader: Reader
    ) -> list[list[Cover]]:
        return await ledger.covers(self._connections, reader, type_name, parents)


def _parent(need: Need) -> Parent:
    return tuple(
        ledger.INSTITUTION if scope.kind is ScopeKind.INSTITUTION else (scope.kind.value, scope.id)
        for scope in (need.scope, *need.around)
    )


def _offers(place: int, need: Need, known: _Known) -> Iterable[Offer]:
    yield _offer(place, need, known, eyes=None)
    if need.person is not None and any(cover.eyes == need.person for cover in known.rows):
        yield _offer(place, need, known, eyes=need.person)


def _offer(place: int, need: Need, known: _Known, *, eyes: int | None) -> Offer:
    """As new as the reads behind it allow: the fewest and newest that carry all that is asked, else all there are."""
    admitted = [cover for cover in known.rows if cover.eyes == eyes and _admits(need, cover)]
    whole = [cover for cover in admitted if cover.ended and _shows(cover, need.states)]
    people = [cover for cover in known.people if cover.whole and _admits(need, cover)]
    used = _newest_that_carry(need.groups, whole, people) if whole else _newest(admitted)[:1]
    since, why = known.due or (None, None)
    overtaken = since is not None and bool(used) and used[0].began_at < since
    return Offer(
        source=Source.LOCAL,
        needs=frozenset({place}),
        subjects=frozenset({need.subject}),
        groups=frozenset[FieldGroup]().union(*map(_groups, used)) if used else _EVERY_GROUP,
        states=_states(used[0]) if used else _EVERY_STATE,
        as_of=min((cover.began_at for cover in used), default=None),
        whole=all(cover.ended for cover in used),
        eyes=eyes,
        origins=frozenset(cover.source for cover in used),
        overtaken=why if overtaken else None,
    )


def _newest_that_carry(
    groups: frozenset[FieldGroup], rows: Sequence[Cover], people: Sequence[Cover]
) -> list[Cover]:
    """A read of the rows first; then, newest first, whatever carries what is still lacking."""
    first, *others = _newest(rows)
    used, lacking = [first], groups - _groups(first)
    for cover in _newest([*others, *people]):
        if lacking & _groups(cover):
            used.append(cover)
            lacking -= _groups(cover)
    return used


def _newest(covers: Iterable[Cover]) -> list[Cover]:
    return sorted(covers, key=lambda cover: cover.began_at, reverse=True)


def _admits(need: Need, cover: Cover) -> bool:
    return need.sources is None or Source.LOCAL in need.sources or cover.source in need.sources


def _shows(cover: Cover, states: Collection[EnrollmentState]) -> bool:
    return not cover.states or cover.states.issuperset(states)


def _groups(cover: Cover) -> frozenset[FieldGroup]:
    """No word means all of a record's fields, but of a membership list that privacy let nothing through."""
    if cover.groups:
        return _field_groups(cover.groups)
    return frozenset() if cover.source is Source.NRPS else _EVERY_GROUP


# A read covers many places in the same words.
@lru_cache(maxsize=256)
def _field_groups(words: frozenset[str]) -> frozenset[FieldGroup]:
    return frozenset(map(FieldGroup, words))


@lru_cache(maxsize=256)
def _enrollment_states(words: frozenset[str]) -> frozenset[EnrollmentState]:
    return frozenset(map(EnrollmentState, words))


def _states(cover: Cover) -> frozenset[EnrollmentState]:
    return _enrollment_states(cover.states) if cover.states else _EVERY_STATE
