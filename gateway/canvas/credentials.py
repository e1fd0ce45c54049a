"""Whose rights there are to call the Canvas of one institution."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from gateway.canvas.client import Credential


class Credentials(Protocol):
    def admin(self) -> Credential | None:
        """The operator's token, which may act as other people if Canvas lets it."""

    async def of_person(self, person: int, scopes: Collection[str] = ()) -> Credential | None:
        """The person's own (our id), where they have granted one with these scopes; reading is granted always."""

    def may_be_granted(self, scopes: Collection[str]) -> bool:
        """Whether people are asked for these scopes when they connect their accounts."""


@dataclass(frozen=True, kw_only=True)
class AdminOnly:
    """The configured token, and nobody's own."""

    credential: Credential | None

    def admin(self) -> Credential | None:
        return self.credential

    async def of_person(self, person: int, scopes: Collection[str] = ()) -> Credential | None:  # noqa: ARG002  a protocol's shape
        return None

    def may_be_granted(self, scopes: Collection[str]) -> bool:  # noqa: ARG002  a protocol's shape
        return False
