"""Who the people of a batch are: all recognised together, by the rules by which one launched person is.

Nobody is left out for being in doubt, for then their enrollment would be denied: whoever cannot be told is somebody new,
and the doubt goes to the identity desk.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from gateway.batch import Person
from gateway.identity import Alias, Candidate, Conflict, Evidence, Same, Trust, decide
from gateway.store import bulk, dialects
from gateway.store.identities import Held
from gateway.store.merging import Telling
from gateway.uow import Row, Transaction
from models.roster import IdentityKind

# Of these an API shows one of several, and a school gives them to somebody else.
_MOVABLE = {
    IdentityKind.SIS_USER_ID: "sis_id",
    IdentityKind.INTEGRATION_ID: "integration_id",
    IdentityKind.LOGIN_ID: "login_id",
}


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """`person` None: somebody new. `opens`: aliases to be theirs from now on."""

    person: int | None
    opens: frozenset[Alias] = frozenset()


@dataclass(kw_only=True)
class Recognition:
    """`ends`: aliases that their holders have given up; `doubts`: for the desk, with the key of who claims them."""

    people: dict[str, Recognised] = field(default_factory=dict)
    ends: list[Held] = field(default_factory=list)
    doubts: list[tuple[str, Held, str]] = field(default_factory=list)


async def recognise(
    tx: Transaction,
    institution_id: int,
    people: Sequence[Person],
    *,
    course: int | None,
    trust: Trust,
) -> Recognition:
    """`course`: our id of where they were seen, if in one."""
    await _stage(tx, people)
    known = _Known(await _candidates(tx, institution_id, course))
    found = Recognition()
    for person in people:
        found.people[person.key] = _recognised(person, known, course, trust, found)
    _settle_claims(people, known, found)
    return found


@dataclass(frozen=True, kw_only=True)
class _Holder:
    candidate: Candidate
    canvas_id: int | None
    gone: bool


class _Known:
    """People of the store who have an alias of somebody in the batch, found by alias."""

    def __init__(self, holders: Iterable[_Holder]) -> None:
        self.holders = {holder.candidate.person: holder for holder in holders}
        self._by_alias: dict[Alias, set[int]] = {}
        for person, holder in self.holders.items():
            for alias in holder.candidate.aliases:
                self._by_alias.setdefault(alias, set()).add(person)

    def named(self, aliases: Iterable[Alias]) -> list[Candidate]:
        people = set().union(*(self._by_alias.get(alias, ()) for alias in aliases))
        return [self.holders[person].candidate for person in sorted(people)]

    def holder(self, alias: Alias, *, but: int | None) -> _Holder | None:
        """Somebody else whom this alias names already."""
        others = sorted(self._by_alias.get(alias, set()) - {but})
        return self.holders[others[0]] if others and alias.kind.exclusive else None


def _recognised(
    person: Person, known: _Known, course: int | None, trust: Trust, found: Recognition
) -> Recognised:
    evidence = Evidence(aliases=person.aliases, course=course)
    decision = decide(evidence, known.named(person.aliases), trust)
    match decision:
        case Same(person=who, learned=learned):
            return Recognised(person=who, opens=learned)
        case Conflict(by=kind, people=others, why=why) if len(others) > 1:
            alias = min(a for a in person.aliases if a.kind is kind)
            for other in others:
                found.doubts.append((person.key, _held(alias, known.holders[other]), why))
            free = {a for a in person.aliases if known.holder(a, but=None) is None}
            if not any(a.kind.exclusive for a in free):
                return Recognised(person=others[0])  # a new person could never be told again
            return Recognised(person=None, opens=frozenset(free))
        case _:  # a stranger, or somebody with another's number: see who claims it
            return Recognised(person=None, opens=person.aliases)


def _settle_claims(people: Sequence[Person], known: _Known, found: Recognition) -> None:
    """An alias that is somebody else's, in the store or in the batch, is not opened again unless they gave it up."""
    by_person = {
        who: person for person in people if (who := found.people[person.key].person) is not None
    }
    claimed: set[Alias] = set()
    for person in people:
        match = found.people[person.key]
        kept = set()
        for alias in sorted(match.opens):
            holder = known.holder(alias, but=match.person)
            if holder is not None and _given_up(alias, holder, by_person):
                found.ends.append(_held(alias, holder))
            elif holder is not None:
                found.doubts.append((person.key, _held(alias, holder), _BELONGS))
                continue
            if alias.kind.exclusive and alias in claimed:
                doubt = Held(kind=alias.kind, scope=alias.scope, value=alias.value)
                found.doubts.append((person.key, doubt, "it stands at two people of one answer"))
                continue
            claimed.add(alias)
            kept.add(alias)
        found.people[person.key] = Recognised(person=match.person, opens=frozenset(kept))


_BELONGS = "it came with one person, and names another"


def _given_up(alias: Alias, holder: _Holder, by_person: Mapping[int, Person]) -> bool:
    """They are gone, or the same answer shows them with another one."""
    there = by_person.get(holder.candidate.person)
    column = _MOVABLE.get(alias.kind)
    if holder.gone or column is None or there is None:
        return holder.gone
    told = getattr(there, column)
    return told is None or (isinstance(told, str) and alias.kind.comparable(told) != alias.value)


def _held(alias: Alias, holder: _Holder) -> Held:
    return Held(
        kind=alias.kind,
        scope=alias.scope,
        value=alias.value,
        holder=holder.candidate.person,
        holder_canvas_id=holder.canvas_id,
        holder_gone=holder.gone,
    )


async def _stage(tx: Transaction, people: Sequence[Person]) -> None:
    query = "select kind, scope, value, cast(null as bigint) as canvas_id from identity where 1 = 0"
    for statement in dialects.temporary(tx.dialect, "claimed_alias", query):
        await tx.run(statement)
    aliases = sorted({alias for person in people for alias in person.aliases})
    frame = pl.DataFrame(
        {
            "kind": [alias.kind.value for alias in aliases],
            "scope": [alias.scope for alias in aliases],
            "value": [alias.value for alias in aliases],
            "canvas_id": [
                int(alias.value) if alias.kind is IdentityKind.CANVAS_GLOBAL_ID else None
                for alias in aliases
            ],
        },
        schema={"kind": pl.String, "scope": pl.String, "value": pl.String, "canvas_id": pl.Int64},
    )
    await bulk.copy_in(tx, "claimed_alias", frame)
    await dialects.know_size(tx, "claimed_alias")


# `cross`: SQLite takes the tables in this order then, so that each alias is looked up by its index.
_CLAIMED = (
    "from claimed_alias a cross join identity i where i.institution_id = $1 and i.kind = a.kind"
    " and i.scope = a.scope and i.value = a.value and i.ended_at is null"
)


async def _candidates(
    tx: Transaction, institution_id: int, course: int | None
) -> Iterator[_Holder]:
    """Whoever was merged answers as whom they were merged into, with the aliases of both."""
    claimants = (
        "select coalesce(p.merged_into_id, p.id) as person, p.id as id from"
        f" (select i.person_id as id {_CLAIMED} union"
        " select p.id from claimed_alias a cross join person p where p.institution_id = $1 and p.canvas_id = a.canvas_id)"
        " named cross join person p where p.institution_id = $1 and p.id = named.id"
    )
    no_rows = "select merged_into_id as person, id from person where 1 = 0"
    for statement in dialects.temporary(tx.dialect, "claimant", no_rows):
        await tx.run(statement)
    await tx.run(f"insert into claimant {claimants}", institution_id)
    await tx.run(
        "insert into claimant select distinct person, person from claimant where person not in (select id from claimant)"
    )
    await dialects.know_size(tx, "claimant")
    return _holders(
        await _people(tx, institution_id), await _aliases(tx, institution_id, course), course
    )


async def _people(tx: Transaction, institution_id: int) -> list[Row]:
    return await tx.rows(
        "select c.person, p.canvas_id, p.state, p.removed_at from claimant c cross join person p"
        " where p.institution_id = $1 and p.id = c.id",
        institution_id,
    )


async def _aliases(tx: Transaction, institution_id: int, course: int | None) -> list[Row]:
    """By itself: PostgreSQL, before it has ever counted these tables, would loop over all three."""
    return await tx.rows(
        "select c.person, i.kind, i.scope, i.value, i.context_course_id,"
        " case when exists (select 1 from membership m where m.institution_id = $1 and m.course_id = $2"
        " and m.person_id = c.person and m.ended_at is null) then 1 else 0 end as here"
        " from claimant c cross join identity i where i.institution_id = $1 and i.person_id = c.id and i.ended_at is null",
        institution_id,
        course or 0,
    )


def _holders(
    people: Iterable[Row], aliases: Iterable[Row], course: int | None
) -> Iterator[_Holder]:
    by_person: dict[int, tuple[list[Row], list[Row]]] = {}
    for row in people:
        by_person.setdefault(int(row["person"]), ([], []))[0].append(row)
    for row in aliases:
        by_person[int(row["person"])][1].append(row)
    return (_holder(person, *rows, course) for person, rows in by_person.items())


def _holder(person: int, rows: Sequence[Row], named: Sequence[Row], course: int | None) -> _Holder:
    aliases = {
        Alias(kind=IdentityKind(one["kind"]), value=one["value"], scope=one["scope"])
        for one in named
    }
    canvas_ids = {int(row["canvas_id"]) for row in rows if row["canvas_id"]}
    aliases |= {Alias(kind=IdentityKind.CANVAS_GLOBAL_ID, value=str(own)) for own in canvas_ids}
    subs = {
        str(one["value"])
        for one in named
        if one["kind"] == IdentityKind.LTI13_SUB
        and (one["here"] or (course is not None and one["context_course_id"] == course))
    }
    return _Holder(
        candidate=Candidate(
            person=person, aliases=frozenset(aliases), subs_in_course=frozenset(subs)
        ),
        canvas_id=min(canvas_ids, default=None),
        gone=all(row["removed_at"] or row["state"] == "DELETED" for row in rows),
    )


async def open_aliases(
    tx: Transaction,
    telling: Telling,
    found: Recognition,
    ids: Mapping[str, int],
    course: int | None,
) -> None:
    """The new aliases of the batch's people, and that the known ones were seen."""
    await tx.many(
        "insert into identity (institution_id, person_id, kind, scope, value, exclusive, source, context_course_id,"
        " first_seen_at, last_seen_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        [
            (
                telling.institution_id,
                ids[key],
                alias.kind.value,
                alias.scope,
                alias.value,
                True if alias.kind.exclusive else None,
                telling.source.value,
                course,
                telling.as_of,
            )
            for key, match in found.people.items()
            for alias in sorted(match.opens)
        ],
    )
    # By the hour: every read would else write every alias of everybody again.
    await tx.run(
        "update identity set last_seen_at = $2 where institution_id = $1"
        f" and id in (select i.id {_CLAIMED} and i.last_seen_at < $3)",
        telling.institution_id,
        telling.as_of,
        telling.as_of - timedelta(hours=1),
    )
