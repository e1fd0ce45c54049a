"""Who it is: a person recognised by identifiers, or made, in one transaction with everything that was learned of them.

The institution's lock is taken first, so two first launches of one person make one person, in whatever processes; the
unique constraint on live aliases stands behind it. What `gateway.identity` finds in conflict is written down for a person
to decide, and never followed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway import merge
from gateway.changes import SubjectType
from gateway.identity import (
    COLUMNS,
    Alias,
    Candidate,
    Conflict,
    Evidence,
    Nobody,
    Same,
    Stranger,
    Trust,
    decide,
)
from gateway.store import rows
from gateway.store.identities import STANDING
from gateway.store.merging import lock
from gateway.store.rows import Word
from gateway.uow import Row, Transaction
from models import text
from models.roster import FieldGroup, IdentityKind, Source


@dataclass(frozen=True, kw_only=True)
class Recognised:
    person: int
    created: bool = False


@dataclass(frozen=True, kw_only=True)
class Unmatched:
    """Nobody has any of the identifiers, and none was to be made. `lookalikes` share an e-mail address."""

    lookalikes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Undecided:
    """An operator has to decide; the conflict is at the desk."""

    why: str


Outcome = Recognised | Unmatched | Undecided | Nobody


async def recognise(
    tx: Transaction,
    evidence: Evidence,
    told: Mapping[str, str | int],
    word: Word,
    *,
    trust: Trust,
    create: bool,
) -> Outcome:
    """`told`: columns of the person table. With `create`, a stranger becomes a new person."""
    await lock(tx, word.institution_id)
    candidates = await _candidates(tx, word.institution_id, evidence)
    decision = decide(evidence, candidates, trust)
    match decision:
        case Nobody():
            return decision
        case Same(person=person, learned=learned):
            contested = _held_by(learned, (c for c in candidates if c.person != person))
            await _seen(tx, word, person, evidence, learned - contested.keys())
            await _describe(tx, word, person, _without(told, contested))
            await _dispute(tx, word, person, contested)
            return Recognised(person=person)
        case Stranger(lookalikes=lookalikes):
            if not create:
                return Unmatched(lookalikes=lookalikes)
            contested = _held_by(evidence.aliases, candidates)  # by a key that is not trusted here
            made = await _make(tx, word, evidence, told, contested)
            await _dispute(tx, word, made.person, contested)
            await _propose(tx, word, evidence, made.person, lookalikes)
            return made
        case Conflict(people=people, why=why) if len(people) > 1 or not create:
            await _to_the_desk(tx, word, decision, evidence, None)
            return Undecided(why=why)
        case Conflict():
            contested = _held_by(evidence.aliases, candidates)
            made = await _make(tx, word, evidence, told, contested)
            await _to_the_desk(tx, word, decision, evidence, made.person)
            return made


async def link(tx: Transaction, person: int, evidence: Evidence, word: Word) -> None:
    """These identifiers are this person's; those that somebody else has stay there, and are shown at the desk."""
    await lock(tx, word.institution_id)
    candidates = await _candidates(tx, word.institution_id, evidence)
    own = frozenset[Alias]().union(*(c.aliases for c in candidates if c.person == person))
    learned = evidence.aliases - own
    contested = _held_by(learned, (c for c in candidates if c.person != person))
    await _seen(tx, word, person, evidence, learned - contested.keys())
    await _dispute(tx, word, person, contested)


async def _candidates(
    tx: Transaction, institution_id: int, evidence: Evidence
) -> Sequence[Candidate]:
    """All people with a live alias of the evidence's. People who were merged answer as whom they were merged into."""
    if not evidence.aliases:
        return ()
    values: list[object] = [institution_id]
    conditions = []
    for alias in sorted(evidence.aliases):
        values += [alias.kind.value, alias.scope, alias.value]
        n = len(values)
        conditions.append(f"(i.kind = ${n - 2} and i.scope = ${n - 1} and i.value = ${n})")
    named = (
        "select i.person_id as id from identity i where i.institution_id = $1 and i.ended_at is null"
        f" and ({' or '.join(conditions)})"
    )
    canvas_ids = [a.value for a in evidence.aliases if a.kind is IdentityKind.CANVAS_GLOBAL_ID]
    if canvas_ids:
        named += (
            " union select p.id from person p where p.institution_id = $1"
            f" and p.canvas_id in ({', '.join(canvas_ids)})"
        )
    found = await tx.rows(
        f"with named as ({named}), meant as (select coalesce(p.merged_into_id, p.id) as id from named cross join person p"
        " where p.institution_id = $1 and p.id = named.id), everybody as (select id as person, id from meant"
        " union select meant.id, p.id from meant cross join person p where p.institution_id = $1 and p.merged_into_id = meant.id)"
        " select e.person, p.canvas_id, i.kind, i.scope, i.value, i.context_course_id from everybody e cross join person p"
        " left join identity i on i.institution_id = $1 and i.person_id = p.id and i.ended_at is null"
        " where p.institution_id = $1 and p.id = e.id order by 1",
        *values,
    )
    here = await _members_of(tx, institution_id, evidence.course)
    return [
        _candidate(person, list(lines), evidence.course, is_here=person in here)
        for person, lines in groupby(found, key=lambda row: int(row["person"]))
    ]


def _candidate(
    person: int, lines: Sequence[Row], course: int | None, *, is_here: bool
) -> Candidate:
    """`is_here`: LTI has shown them in the course, under one of their `sub`s."""
    aliases = {
        Alias(kind=IdentityKind(line["kind"]), scope=line["scope"], value=line["value"])
        for line in lines
        if line["kind"]
    }
    aliases |= {
        Alias(kind=IdentityKind.CANVAS_GLOBAL_ID, value=str(line["canvas_id"]))
        for line in lines
        if line["canvas_id"]
    }
    subs = {
        str(line["value"])
        for line in lines
        if line["kind"] == IdentityKind.LTI13_SUB
        and (is_here or (course is not None and line["context_course_id"] == course))
    }
    return Candidate(person=person, aliases=frozenset(aliases), subs_in_course=frozenset(subs))


async def _members_of(tx: Transaction, institution_id: int, course: int | None) -> Collection[int]:
    if course is None:
        return ()
    members = await tx.rows(
        "select coalesce(p.merged_into_id, p.id) as person from membership m join person p"
        " on p.institution_id = m.institution_id and p.id = m.person_id"
        " where m.institution_id = $1 and m.course_id = $2 and m.ended_at is null",
        institution_id,
        course,
    )
    return {int(row["person"]) for row in members}


def _held_by(aliases: Iterable[Alias], others: Iterable[Candidate]) -> dict[Alias, int]:
    """Which of these name one of the others already."""
    wanted = {alias for alias in aliases if alias.kind.exclusive}
    return {alias: other.person for other in others for alias in other.aliases & wanted}


def _without(
    told: Mapping[str, str | int], contested: Mapping[Alias, int]
) -> Mapping[str, str | int]:
    names = {COLUMNS[alias.kind] for alias in contested if alias.kind in COLUMNS}
    return {name: value for name, value in told.items() if name not in names}


async def _make(
    tx: Transaction,
    word: Word,
    evidence: Evidence,
    told: Mapping[str, str | int],
    contested: Mapping[Alias, int],
) -> Recognised:
    columns = _described(_UNKNOWN, _without(told, contested), word)
    person = await rows.create(tx, SubjectType.USER, columns, word)
    await _seen(tx, word, person, evidence, evidence.aliases - contested.keys())
    return Recognised(person=person, created=True)


async def _seen(
    tx: Transaction, word: Word, person: int, evidence: Evidence, learned: Collection[Alias]
) -> None:
    """Note when their aliases were seen, and open the new ones."""
    for alias in sorted(evidence.aliases):
        await tx.run(
            "update identity set last_seen_at = $1 where institution_id = $2 and kind = $3 and scope = $4 and value = $5"
            " and ended_at is null and last_seen_at < $1 and exists (select 1 from person p where p.institution_id = $2"
            " and p.id = identity.person_id and coalesce(p.merged_into_id, p.id) = $6)",
            word.as_of,
            word.institution_id,
            alias.kind.value,
            alias.scope,
            alias.value,
            person,
        )
    for alias in sorted(learned):
        await tx.run(
            "insert into identity (institution_id, person_id, kind, scope, value, exclusive, source, context_course_id,"
            " first_seen_at, last_seen_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
            word.institution_id,
            person,
            alias.kind.value,
            alias.scope,
            alias.value,
            True if alias.kind.exclusive else None,
            word.source.value,
            evidence.course,
            word.as_of,
        )


_GROUPS: Mapping[FieldGroup, frozenset[str]] = {
    FieldGroup.NAME: frozenset({"name", "sortable_name", "given_name", "family_name"}),
    FieldGroup.LOGIN: frozenset({"login_id", "sis_id", "integration_id", "canvas_id", "uuid"}),
    FieldGroup.CONTACT: frozenset({"email", "avatar_url"}),
}
_ALWAYS_LEARNED = ("canvas_id", "uuid")  # ids of Canvas itself: no source knows another
_READ = ", ".join(
    [
        *(
            "id",
            "short_name",
            "sort_key",
            "search_key",
            *sorted(frozenset().union(*_GROUPS.values())),
        ),
        *(f"{group}_{what}" for group in _GROUPS for what in ("source", "as_of")),
    ]
)
_UNKNOWN: Row = dict.fromkeys(_READ.split(", "))


async def _describe(
    tx: Transaction, word: Word, person: int, told: Mapping[str, str | int]
) -> None:
    """What was told of somebody known: a richer source's word stands, and nothing is ever blanked."""
    [known] = await tx.rows(
        f"select {_READ} from person where institution_id = $1 and id = $2",
        word.institution_id,
        person,
    )
    await rows.update(tx, SubjectType.USER, known, _described(known, told, word), word)


def _described(known: Row, told: Mapping[str, str | int], word: Word) -> dict[str, object]:
    becomes: dict[str, object] = {}
    for group, columns in _GROUPS.items():
        said = {name: value for name, value in told.items() if name in columns}
        if said and merge.wins(_word(word), _known_word(known, group)):
            becomes |= said
            becomes |= {f"{group}_source": word.source.value, f"{group}_as_of": word.as_of}
    for name in _ALWAYS_LEARNED:
        if name in told and known[name] is None:
            becomes[name] = told[name]
    names = [becomes.get(name, known[name]) for name in ("sortable_name", "name", "short_name")]
    sortable, full, short = (None if one is None else str(one) for one in names)
    becomes["sort_key"] = text.sort_key(sortable, full)
    becomes["search_key"] = text.search_key(full, sortable, short)
    return becomes


def _word(word: Word) -> merge.Word:
    return merge.Word(source=word.source, as_of=word.as_of)


def _known_word(known: Row, group: FieldGroup) -> merge.Word | None:
    source, as_of = known[f"{group}_source"], known[f"{group}_as_of"]
    return None if source is None else merge.Word(source=Source(source), as_of=rows.time(as_of))


async def _dispute(
    tx: Transaction, word: Word, person: int, contested: Mapping[Alias, int]
) -> None:
    """Aliases that came with this person and belong to others: shown at the desk, and left where they are."""
    for alias, holder in sorted(contested.items()):
        strong = alias.kind in (IdentityKind.LTI11_USER_ID, IdentityKind.CANVAS_GLOBAL_ID)
        proposal = (
            "merge the two: Canvas has merged them"
            if strong
            else f"move the {alias.kind} if the school has given it to this person, else leave it"
        )
        why = f"it came with one person's launch, and names another ({alias.kind})"
        await _write(tx, word, alias, person, holder, why=why, proposal=proposal)


async def _propose(
    tx: Transaction, word: Word, evidence: Evidence, made: int, lookalikes: Sequence[int]
) -> None:
    """The one other person of this e-mail address may be the same; only a person can say so (identity.md §5, step 8)."""
    if len(lookalikes) != 1:
        return
    address = min(alias for alias in evidence.aliases if alias.kind is IdentityKind.EMAIL)
    why = "somebody new came with the e-mail address that this person has"
    proposal = "merge the two if they are one person; families share addresses"
    await _write(tx, word, address, made, lookalikes[0], why=why, proposal=proposal)


async def _to_the_desk(
    tx: Transaction, word: Word, conflict: Conflict, evidence: Evidence, made: int | None
) -> None:
    """`made`: the person that was made meanwhile, so that nobody has to wait for the desk."""
    alias = min(alias for alias in evidence.aliases if alias.kind is conflict.by)
    first, *rest = conflict.people
    claimant = made if made is not None or not rest else first
    for other in rest or conflict.people:
        await _write(tx, word, alias, claimant, other, why=conflict.why, proposal=conflict.proposal)


async def _write(
    tx: Transaction,
    word: Word,
    alias: Alias,
    person: int | None,
    other: int,
    *,
    why: str,
    proposal: str,
) -> None:
    """Unless the same one is open already, or was decided to be none; the lock keeps others from writing it meanwhile."""
    values = (alias.kind.value, alias.value, person, other, alias.scope)
    known_already = await tx.rows(
        "select id from identity_conflict where institution_id = $1 and kind = $2 and value = $3"
        " and coalesce(person_id, 0) = coalesce(cast($4 as bigint), 0) and other_person_id = $5"
        f" and scope = $6 and {STANDING}",
        word.institution_id,
        *values,
    )
    if known_already:
        return
    await tx.run(
        "insert into identity_conflict (institution_id, kind, value, person_id, other_person_id, scope, source, evidence,"
        " proposal, found_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        word.institution_id,
        *values,
        word.source.value,
        why,
        proposal,
        word.now,
    )
