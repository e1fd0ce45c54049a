"""The operator's token tried out: whether Canvas takes it, what its owner may do, and what its key keeps back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from gateway.canvas.client import Call, Canvas, Credential, Meter, Params
from gateway.canvas.own_enrollments import OWN_STATES
from gateway.doctor.findings import (
    PERMISSIONS,
    Finding,
    Permission,
    of_permissions,
    of_scopes,
)
from gateway.errors import CredentialSpent, NotThere, SourceError, SourceRefused

_SCOPE_MISSING = "Insufficient scopes"
_TOKEN = (
    "in Canvas, as the service user: Account > Settings > Approved Integrations > New Access Token"  # noqa: S105  where to make one
)


@dataclass(kw_only=True)
class Examination:
    """Of one institution's token. `account`: the configured one; `wanted`: permissions; `lacking`: scopes that were found missing."""

    canvas: Canvas
    credential: Credential
    account: str
    wanted: Sequence[Permission] = PERMISSIONS
    lacking: list[str] = field(default_factory=list)

    async def findings(self) -> AsyncIterator[Finding]:
        try:
            owner = await self._get("url:GET|/api/v1/users/:id", "/users/self")
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
            await self._get("url:GET|/api/v1/accounts/:id", path)
        except SourceError as error:
            yield Finding(
                key="account_id",
                what=f"account_id: account {self.account}",
                mend=f"the token does not show it ({error}): check account_id, and that the token's owner is an admin of it",
            )
            return
        yield Finding(key="account_id", what=f"account_id: account {self.account}")
        asked: Params = [("permissions[]", one.name) for one in self.wanted]
        told = await self._get(
            "url:GET|/api/v1/accounts/:account_id/permissions", f"{path}/permissions", asked
        )
        if told is not None:
            for finding in of_permissions(told, self.account, self.wanted):
                yield finding
        async for finding in self._lists(path):
            yield finding
        yield of_scopes(self.lacking, key="admin_token")

    async def _lists(self, path: str) -> AsyncIterator[Finding]:
        """Each list that reading takes: its scope, and what it holds back."""
        await self._first("url:GET|/api/v1/accounts", "/accounts")
        await self._first("url:GET|/api/v1/accounts/:account_id/reports", f"{path}/reports")
        users = await self._first("url:GET|/api/v1/accounts/:account_id/users", f"{path}/users")
        courses = await self._first(
            "url:GET|/api/v1/accounts/:account_id/courses", f"{path}/courses"
        )
        own = await self._first(
            "url:GET|/api/v1/users/:user_id/enrollments",
            "/users/self/enrollments",
            [("state[]", state) for state in OWN_STATES],
        )
        yield _of_own_enrollments(own)
        if courses:
            async for finding in self._course(f"/courses/{courses[0]['id']}"):
                yield finding
        others = [one for one in users or () if one.get("id") is not None]
        if others:
            acting = await self._acting(str(others[-1]["id"]))
            if acting is not None:
                yield acting

    async def _course(self, course: str) -> AsyncIterator[Finding]:
        await self._get("url:GET|/api/v1/courses/:id", course)
        await self._get("url:GET|/api/v1/courses/:course_id/permissions", f"{course}/permissions")
        enrolled = await self._first(
            "url:GET|/api/v1/courses/:course_id/enrollments", f"{course}/enrollments"
        )
        if enrolled:
            await self._get(
                "url:GET|/api/v1/accounts/:account_id/enrollments/:id",
                f"/accounts/self/enrollments/{enrolled[0]['id']}",
            )
        sections = await self._first(
            "url:GET|/api/v1/courses/:course_id/sections",
            f"{course}/sections",
            [("include[]", "total_students")],
        )
        if sections:
            section = f"/sections/{sections[0]['id']}"
            await self._get("url:GET|/api/v1/sections/:id", section)
            await self._first(
                "url:GET|/api/v1/sections/:section_id/enrollments", f"{section}/enrollments"
            )
            yield _of_includes(sections[0])

    async def _acting(self, user: str) -> Finding | None:
        """None where the missing permission has been told already."""
        what = "admin_token: acting as somebody"
        call = Call(credential=self.credential, meter=Meter(), as_user=user)
        try:
            await self.canvas.get(call, "/users/self")
        except SourceRefused as refusal:
            if any(said in str(refusal) for said in ("Invalid as_user_id", _SCOPE_MISSING)):
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

    async def _get(self, scope: str, path: str, params: Params = ()) -> dict[str, Any] | None:
        """None where the scope is missing, or the thing itself is not to be seen."""
        call = Call(credential=self.credential, meter=Meter())
        try:
            return await self.canvas.get(call, path, params)
        except SourceRefused as refusal:
            if _SCOPE_MISSING not in str(refusal):
                if scope.endswith(("/accounts/:id", "/users/:id")):
                    raise
                return None
            self.lacking.append(scope)
            return None
        except NotThere:
            if scope.endswith("/accounts/:id"):
                raise
            return None

    async def _first(
        self, scope: str, path: str, params: Params = ()
    ) -> list[dict[str, Any]] | None:
        call = Call(credential=self.credential, meter=Meter())
        try:
            async with aclosing(self.canvas.pages(call, path, params)) as pages:
                async for page in pages:
                    return page
        except SourceRefused as refusal:
            if _SCOPE_MISSING in str(refusal):
                self.lacking.append(scope)
        except SourceError:
            return None
        return None


def _of(owner: dict[str, Any] | None) -> str:
    return f" as {owner['name']}" if owner and owner.get("name") else ""


def _of_own_enrollments(own: list[dict[str, Any]] | None) -> Finding:
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
