"""A receiver of webhooks, as a host product would build it on the `standardwebhooks` package."""

import threading
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass
class Receiver:
    """Takes what is signed with its secret, each message once. `answers`: statuses for the next requests, then 204."""

    secret: str = ""
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    refused: int = 0
    messages: dict[str, Any] = field(default_factory=dict)
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    @property
    def changes(self) -> list[dict[str, Any]]:
        return [change for one in self.messages.values() for change in one["data"]["changes"]]

    async def _take(self, request: Request) -> Response:
        self.requests += 1
        body = await request.body()
        if self.answers and (status := self.answers.pop(0)) >= 300:
            return Response(status_code=status, headers=self.headers)
        try:
            told = Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return Response(status_code=401)
        self.messages.setdefault(request.headers["webhook-id"], told)
        self.arrived.set()
        return Response(status_code=204)
