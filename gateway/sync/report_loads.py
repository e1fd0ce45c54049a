"""A report that a source has fetched, loaded as one that an operator sent is."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from gateway.batch import Taken
from gateway.errors import SourceDown
from gateway.merge import Guard
from gateway.needs import Scope, ScopeKind
from gateway.store import institutions
from gateway.store.absences import SHOWN_STATES
from gateway.sync.importer import import_report
from gateway.sync.job import Clock
from gateway.uow import Database
from models.roster import FieldGroup, Source


def loader(
    database: Database,
    institution_id: int,
    *,
    clock: Clock,
    guard: Guard,
    account: int | None = None,
) -> Callable[[Path, datetime], Awaitable[Taken]]:
    """`account`: our id of the account that is reported on, where that is not the whole institution."""
    scope = (
        Scope(kind=ScopeKind.INSTITUTION, id=0)
        if account is None
        else Scope(kind=ScopeKind.ACCOUNT, id=account)
    )

    async def load(path: Path, as_of: datetime) -> Taken:
        institution = await institutions.by_id(database, institution_id)
        if institution is None:
            raise SourceDown("the institution is not in the store any more")
        summary = await import_report(
            database,
            institution,
            path,
            clock=clock,
            as_of=as_of,
            source=Source.REPORT,
            account_id=account,
            guard=guard,
        )
        total = summary.total
        return Taken(
            source=Source.REPORT,
            scope=scope,
            as_of=summary.as_of,
            whole=True,
            groups=frozenset(
                {FieldGroup.STANDING, FieldGroup.NAME, FieldGroup.LOGIN, FieldGroup.CONTACT}
            ),
            states=frozenset(SHOWN_STATES),
            created=total.created,
            updated=total.updated,
            removed=total.removed,
            unchanged=total.unchanged,
            held=total.held,
        )

    return load
