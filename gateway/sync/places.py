"""What an institution is synced with: its Canvas, whose rights there are to ask it, and how much may go at once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.canvas.client import Call, Canvas, Meter
from gateway.canvas.credentials import Credentials
from gateway.canvas.reports import Reports
from gateway.errors import SourceRefused
from gateway.merge import Guard
from gateway.store.institutions import Institution
from gateway.viewer import Viewer


@dataclass(frozen=True, kw_only=True)
class Place:
    """One institution, as it is configured.

    `account_id`: what Canvas calls the account that is the institution; `reported`: our id of it, None where that is the whole
    of its Canvas. `reports`: of the account that Canvas calls so.
    """

    institution: Institution
    guard: Guard
    account_id: str
    reported: Callable[[], Awaitable[int | None]]
    canvas: Canvas | None = None
    credentials: Credentials | None = None
    reports: Callable[[str], Reports] | None = None

    def asks(self) -> Canvas:
        if self.canvas is None:
            raise SourceRefused("the institution has no Canvas that could be asked")
        return self.canvas

    def reports_of(self, account: str) -> Reports:
        if self.reports is None:
            raise SourceRefused("the institution has no Canvas that could be asked for reports")
        return self.reports(account)

    def call(self, meter: Meter) -> Call:
        """By the admin's token, after everybody who waits."""
        admin = None if self.credentials is None else self.credentials.admin()
        if admin is None:
            raise SourceRefused("there is no admin token to ask Canvas with")
        return Call(credential=admin, meter=meter, background=True)

    @property
    def viewer(self) -> Viewer:
        """Reads are the gateway's own."""
        return Viewer(
            institution_id=self.institution.id,
            institution_slug=self.institution.slug,
            canvas_url=self.institution.canvas_url,
            shard=self.institution.shard,
            scopes=frozenset(),
        )
