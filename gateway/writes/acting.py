"""On whose rights Canvas is told of a change: a person's own token, the institution's standing in for them, or it alone."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from gateway.canvas.client import Call, Meter
from gateway.canvas.credentials import Credentials
from gateway.canvas.scopes import WRITING
from gateway.errors import ConnectionWanted, WriteRefused
from gateway.needs import Scope, ScopeKind
from gateway.store.intended import Authority
from gateway.store.scopes import canvas_ids
from gateway.uow import Database
from gateway.viewer import Scope as TokenScope
from gateway.viewer import Viewer
from models.canvas_ids import to_rest
from models.roster import MutationErrorCode

Code = MutationErrorCode


@dataclass(frozen=True, kw_only=True)
class Acting:
    """Who calls Canvas, and on whose rights."""

    call: Call
    authority: Authority


def check_may_write(viewer: Viewer) -> None:
    """What Canvas has no say in. Whether a person may change this very thing, Canvas judges."""
    if viewer.service is not None and TokenScope.ROSTER_WRITE not in viewer.scopes:
        words = "This credential lacks the scope roster:write; make a token that has it."
        raise WriteRefused(Code.NOT_PERMITTED, words)
    if viewer.service is None and viewer.user_id is None:
        words = "The platform does not say who you are, so Canvas cannot be asked whether you may."
        raise WriteRefused(Code.NOT_PERMITTED, words)


def caller_of(viewer: Viewer) -> str:
    """Whose keys and plans they are: tokens of one name are one client, for each person whom it acts for."""
    if viewer.service is not None:
        name = hashlib.sha256(viewer.service.name.encode()).hexdigest()[:24]
        return f"service:{name}:{viewer.acts_for_id or 0}"
    return f"person:{viewer.user_id}"


@dataclass(frozen=True, kw_only=True)
class Actors:
    """Of one institution."""

    institution_id: int
    shard: int
    database: Database
    credentials: Credentials

    async def of(self, viewer: Viewer) -> Acting:
        if viewer.user_id is None:
            return self.service()
        return await self.person(viewer.user_id)

    def service(self, *, background: bool = False) -> Acting:
        """The institution's own account in Canvas, in nobody's name."""
        admin = self.credentials.admin()
        if admin is None:
            raise WriteRefused(
                Code.NOT_PERMITTED,
                "There is no admin_token in the configuration to change Canvas with.",
            )
        call = Call(credential=admin, meter=Meter(), background=background)
        return Acting(call=call, authority=Authority.SERVICE)

    async def person(
        self, person: int, scopes: Collection[str] = WRITING, *, background: bool = False
    ) -> Acting:
        """A grant without these `scopes` is as none: Canvas would refuse what it is for, and judges the same by the other token."""
        own = await self.credentials.of_person(person, scopes)
        if own is not None:
            call = Call(credential=own, meter=Meter(), background=background)
            return Acting(call=call, authority=Authority.OWN_TOKEN)
        admin = self.credentials.admin()
        scope = Scope(kind=ScopeKind.PERSON, id=person)
        named = await canvas_ids(self.database, self.institution_id, [scope])
        if admin is None or scope not in named:
            raise self._nobody(scopes)
        call = Call(
            credential=admin,
            meter=Meter(),
            as_user=to_rest(named[scope], self.shard),
            background=background,
        )
        return Acting(call=call, authority=Authority.MASQUERADE)

    def _nobody(self, scopes: Collection[str]) -> WriteRefused:
        nobody = "and nobody can stand in for them: there is no admin_token, or what Canvas calls them is not known."
        if self.credentials.may_be_granted(scopes):
            words = f"This person has connected no Canvas account of theirs that may change rosters, {nobody}"
            return ConnectionWanted(Code.NOT_PERMITTED, words)
        words = f"People are not asked to let this be done by their own Canvas accounts, {nobody}"
        return WriteRefused(Code.NOT_PERMITTED, words)
