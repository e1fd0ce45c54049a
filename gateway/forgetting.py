"""What is forgotten: a person, on request; whatever is older than an institution keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.errors import BadRequest, RosterError
from gateway.readpath import node_ids
from gateway.store import ageing, erasing
from gateway.store.access_log import access_log
from gateway.store.erasing import Named
from gateway.store.institutions import Institution
from gateway.store.rows import Word
from gateway.uow import Database, Transaction
from models import canvas_ids
from models.roster import Source


@dataclass(frozen=True, kw_only=True)
class Erased:
    """`gone`: rows, by table."""

    name: str | None
    gone: Mapping[str, int]


async def erase(
    database: Database,
    institution: Institution,
    user: str,
    *,
    even_if_listed: bool,
    now: datetime,
) -> Erased:
    """`user`: a node id, or a Canvas id as that Canvas spells it. RosterError where nobody, or nobody to be erased, is meant."""
    row_id, canvas_id = _meant(user, institution)
    word = Word(institution_id=institution.id, source=Source.MUTATION, as_of=now, now=now)

    async def work(tx: Transaction) -> tuple[Named, tuple[int, ...], Mapping[str, int]]:
        named = await erasing.find(tx, institution.id, row_id=row_id, canvas_id=canvas_id)
        if named is None:
            raise RosterError(f"{institution.slug} has nobody with the id {user}")
        if named.listed and not even_if_listed:
            raise RosterError(
                f"Canvas still lists {named.name or user}: the next sync would bring them back. Delete them there first,"
                " or give --even-if-listed"
            )
        people = await erasing.with_merged(tx, institution.id, named.id)
        return named, tuple(people), await erasing.erase(tx, people, word)

    named, people, gone = await database.transact(work)
    log, counts = access_log(database), dict(gone)
    for person in people:  # on SQLite in a file of its own, which no transaction spans
        counts["access_record"] = counts.get("access_record", 0) + await log.forget(
            institution.id, person
        )
    return Erased(name=named.name, gone={table: n for table, n in counts.items() if n})


async def clean(
    database: Database, institution_id: int, keep: timedelta, *, now: datetime
) -> Mapping[str, int]:
    """Rows gone, by table."""
    gone = dict(await ageing.drop(database, institution_id, keep=keep, now=now))
    gone["access_record"] = await access_log(database).purge(institution_id, now - keep)
    gone["logins and nonces"] = await ageing.drop_short_lived(database, now)
    return {table: count for table, count in gone.items() if count}


def _meant(user: str, institution: Institution) -> tuple[int | None, int | None]:
    try:
        return node_ids.decode_as("User", user), None
    except BadRequest:
        pass  # then it has to be Canvas's
    try:
        return None, canvas_ids.to_global(user, institution.shard)
    except ValueError as error:
        raise RosterError(
            f"{user!r} is neither the `id` of a User in the graph nor an id of Canvas"
        ) from error
