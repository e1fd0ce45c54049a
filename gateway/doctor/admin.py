"""The operator's token tried out: whether Canvas takes it, what its owner may do, and what its key keeps back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from gateway.canvas import scopes
from gateway.canvas.client import Call, Canvas, Credential, Meter, Params
from gateway.canvas.own_enrollments import OWN_STATES
from gateway.doctor.findings import (
    PERMISSIONS,
    WRITING,
    Finding,
    of_permissions,
    of_scopes,
)
from gateway.doctor.scopes import is_missing, tried
from gateway.errors import CredentialSpent, NotThere, SourceError, SourceRefused

_TOKEN = (
    "in Canvas, as the service user: Account > Settings > Approved Integrations > New Access Token"  # noqa: S105  where to make one
)


@dataclass(frozen=True, kw_only=True)
class Examination:
    """Of one institution's token. `account`: the configured one; `writes`: rosters are changed by it, too."""

    canvas: Canvas
    credential: Credential
    account: str
    writes: bool = False

    async def findings(self) -> AsyncIterator[Finding]:
        try:
            owner = await self._asked("/users/self")
        except CredentialSpent:
            yield Finding(
                key="admin_token",
                what="admin_token: Canvas takes it",
                mend=f"Canvas does not take the token: make a new one ({_TOKEN}) and put it into admin_token",
            )
            return
        except SourceError as error:
            yield Finding(
                key="canvas_url",
                what="canvas_url: Canvas answers",
                mend=f"it cannot be asked ({error}): check canvas_url, and that this machine may connect to it",
            )
            return
        yield Finding(key="admin_token", what=f"admin_token: Canvas takes it{_of(owner)}")
        async for finding in self._account():
            yield finding

    async def _account(self) -> AsyncIterator[Finding]:
        path = f"/accounts/{self.account}"
        try:
            await self._asked(path)
        except SourceError as error:
            yield Finding(
                key="account_id",
                what=f"account_id: account {self.account}",
                mend=f"the token does not show it ({error}): check account_id, and that the token's owner is an admin of it",
            )
            return
        yield Finding(key="account_id", what=f"account_id: account {self.account}")
        wanted = (*PERMISSIONS, *WRITING) if self.writes else PERMISSIONS
        told = await self._shown(
            f"{path}/permissions", [("permissions[]", one.name) for one in wanted]
        )
        if told is not None:
            for finding in of_permissions(told, self.account, wanted):
                yield finding
        async for finding in self._lists(path):
            yield finding
        found = await tried(self.canvas, self.credential, scopes.of_operator(writing=self.writes))
        yield of_scopes(found.lacking, found.unknown, key="admin_token")

    async def _lists(self, path: str) -> AsyncIterator[Finding]:
        """What lists hold back without a sign."""
        own = await self._first(
            "/users/self/enrollments", [("state[]", state) for state in OWN_STATES]
        )
        yield _of_own_enrollments(own)
        courses = await self._first(f"{path}/courses", [("with_enrollments", "true")])
        if not courses:
            return
        course = f"/courses/{courses[0]['id']}"
        sections = await self._first(f"{course}/sections", [("include[]", "total_students")])
        if sections:
            yield _of_includes(sections[0])
        enrolled = await self._first(f"{course}/enrollments")
        if enrolled:
            acting = await self._acting(str(enrolled[-1]["user_id"]))
            if acting is not None:
                yield acting

    async def _acting(self, user: str) -> Finding | None:
        """None where the missing permission has been told already."""
        what = "admin_token: acting as somebody"
        call = Call(credential=self.credential, meter=Meter(), as_user=user)
        try:
            await self.canvas.get(call, "/users/self")
        except SourceRefused as refusal:
            if "Invalid as_user_id" in str(refusal) or is_missing(refusal):
                return None  # by permission, by scope, or because that person is a stronger admin
            return Finding(
                key="acting",
                what=what,
                mend=f"Canvas refuses it ({refusal}): the token was made while its owner was acting as somebody; make a"
                f" new one ({_TOKEN})",
            )
        except SourceError:
            return None
        return Finding(key="acting", what=what)

    async def _asked(self, path: str, params: Params = ()) -> dict[str, Any] | None:
        """None where a scope is missing, which is told by itself."""
        try:
            return await self.canvas.get(self._call(), path, params)
        except SourceRefused as refusal:
            if is_missing(refusal):
                return None
            raise

    async def _shown(self, path: str, params: Params = ()) -> dict[str, Any] | None:
        """None where it is not to be seen."""
        try:
            return await self._asked(path, params)
        except (SourceRefused, NotThere):
            return None

    async def _first(self, path: str, params: Params = ()) -> list[dict[str, Any]] | None:
        try:
            async with aclosing(self.canvas.pages(self._call(), path, params)) as pages:
                async for page in pages:
                    return page
        except SourceError:
            return None
        return None

    def _call(self) -> Call:
        return Call(credential=self.credential, meter=Meter())


def _of(owner: dict[str, Any] | None) -> str:
    return f" as {owner['name']}" if owner and owner.get("name") else ""


def _of_own_enrollments(own: Sequence[dict[str, Any]] | None) -> Finding:
    what = "admin_token: its owner is in no section alone"
    limited = [row for row in own or () if row.get("limit_privileges_to_course_section")]
    if not limited:
        return Finding(key="own_enrollments", what=what)
    courses = ", ".join(sorted({str(row["course_id"]) for row in limited}))
    return Finding(
        key="own_enrollments",
        what=what,
        mend=f"Canvas shows them only their own section of course {courses}, without a sign: in Canvas, remove them from"
        " People of that course, or give them an account of their own",
    )


def _of_includes(section: dict[str, Any]) -> Finding:
    what = "admin_token: includes"
    if "total_students" in section:
        return Finding(key="includes", what=what)
    return Finding(
        key="includes",
        what=what,
        mend="Canvas leaves e-mail addresses and more out without a word: in Canvas, Admin > Developer Keys > Edit, switch"
        " on Allow Include Parameters",
    )
