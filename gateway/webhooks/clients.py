"""What the client of a webhook may be told: as much as its service tokens let it read."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.store import institutions, tokens
from gateway.uow import Database
from gateway.viewer import Rights, Scope, Service, Viewer

Judge = Callable[[Viewer], Awaitable[Rights]]

_MAY_FOLLOW = frozenset({Scope.CHANGES_READ, Scope.ROSTER_READ})


class Clients:
    """Of all institutions. `judge`: the rights of a viewer."""

    def __init__(self, database: Database, judge: Judge) -> None:
        self._database = database
        self._judge = judge

    async def viewer(self, institution_id: int, client: str) -> Viewer | None:
        """With the rights of all its live tokens together; None where none of them may follow the feed."""
        institution = await institutions.by_id(self._database, institution_id)
        live = [
            one
            for one in await tokens.of_institution(self._database, institution_id)
            if one.name == client and one.revoked_at is None
        ]
        scopes = frozenset(Scope(scope) for one in live for scope in one.scopes)
        if institution is None or scopes.isdisjoint(_MAY_FOLLOW):
            return None
        viewer = Viewer(
            institution_id=institution.id,
            institution_slug=institution.slug,
            canvas_url=institution.canvas_url,
            shard=institution.shard,
            scopes=scopes,
            service=Service(token_id=live[-1].id, name=client),
        )
        return replace(viewer, rights=await self._judge(viewer))
