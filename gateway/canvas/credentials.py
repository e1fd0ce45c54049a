"""Whose rights there are to call the Canvas of one institution."""

from dataclasses import dataclass
from typing import Protocol

from gateway.canvas.client import Credential


class Credentials(Protocol):
    def admin(self) -> Credential | None:
        """The operator's token, which may act as other people if Canvas lets it."""

    async def of_person(self, person: int) -> Credential | None:
        """The person's own (our id), where they have granted one."""


@dataclass(frozen=True, kw_only=True)
class AdminOnly:
    """The configured token, and nobody's own."""

    credential: Credential | None

    def admin(self) -> Credential | None:
        return self.credential

    async def of_person(self, person: int) -> Credential | None:  # noqa: ARG002  a protocol's shape
        return None
