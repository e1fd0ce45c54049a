"""Membership lists as changes to the one before, from platforms that offer that (NRPS 2.0, `rel="differences"`; Canvas does not).

What changed is put upon what the store has from the list before, and is a whole list then. Where the address is forgotten or
the platform has forgotten what it was about, the list is pulled anew.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from gateway.batch import Membership, Person
from gateway.cache import Cache
from gateway.canvas.members import Roster
from gateway.store import memberships
from gateway.uow import Database
from models.roster import FieldGroup

_BELIEVED_FOR = timedelta(days=1)


class Since(msgspec.Struct, frozen=True):
    """Where the changes since the last whole list are told, and what that list showed of people."""

    url: str
    groups: frozenset[FieldGroup]


@dataclass(frozen=True, kw_only=True)
class Differences:
    """Of one institution."""

    institution_id: int
    database: Database
    cache: Cache

    async def since(self, course: int, scope: str) -> Since | None:
        """`scope`: what a `sub` is unique in."""
        return await self.cache.get(Since, *self._words(course, scope))

    async def keep(self, course: int, roster: Roster, groups: Collection[FieldGroup]) -> None:
        """After `roster`, whole, is in the store."""
        words = self._words(course, roster.scope)
        if roster.differences is None:
            await self.cache.forget(*words)
        else:
            since = Since(url=roster.differences, groups=frozenset(groups))
            await self.cache.put(since, *words, lasts=_BELIEVED_FOR)

    async def completed(self, course: int, changes: Roster) -> Roster:
        """The whole list that `changes` make of the one before."""
        before = await memberships.listed(
            self.database, self.institution_id, course, scope=changes.scope
        )
        for sub, types, roles in before:
            if sub not in changes.memberships and sub not in changes.left:
                changes.people[sub] = Person(key=sub, aliases=frozenset({changes.sub(sub)}))
                changes.memberships[sub] = Membership(person=sub, types=types, roles=roles)
        return changes

    def _words(self, course: int, scope: str) -> tuple[object, ...]:
        return "differences", self.institution_id, course, scope
