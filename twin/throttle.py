"""Canvas's leaky bucket, one for each access token: fact sheet transport.md section 2.

The cost of a request is modelled, not measured, so that it is the same on every machine: a base
and a share for every kilobyte of the answer, which is close to what rows cost Canvas.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twin.clock import Clock
from twin.options import Options

BASE_COST = 0.05
COST_PER_KILOBYTE = 0.006
EXTRA_COST = 200.0
EXTRA_PATHS = frozenset({"/login/oauth2/token", "/api/v1/inst_access_tokens"})
FORGOTTEN_AFTER = 3600.0


@dataclass(slots=True)
class Bucket:
    level: float
    touched: datetime


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request did to its bucket, for the bill."""

    scope: Scope
    client: str
    status: int
    cost: float
    refused: bool


class Throttle:
    """ASGI middleware: reserve, run, settle."""

    def __init__(
        self,
        app: ASGIApp,
        options: Options,
        clock: Clock,
        buckets: dict[str, Bucket],
        on_charge: Callable[[Charge], None],
    ) -> None:
        self.app = app
        self.options = options
        self.clock = clock
        self.on_charge = on_charge
        self.buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/control"):
            await self.app(scope, receive, send)
            return
        client = client_of(scope)
        bucket = self._leak(client)
        bucket.level = min(
            self.options.throttle_maximum, bucket.level + self.options.throttle_up_front
        )
        if bucket.level >= self.options.throttle_hwm:
            await self._refuse(client, scope, receive, send)
            return
        await self._run(client, scope, receive, send)

    async def _run(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        begun = self.clock.now()
        settled = False

        async def settle_and_send(message: Message) -> None:
            nonlocal settled
            if message["type"] == "http.response.start":
                await self._stay_open(begun)
                headers = MutableHeaders(raw=message["headers"])
                cost = cost_of(scope, message["status"], headers)
                remaining = self._settle(client, cost)
                # Cookie sessions are throttled as well and not told.
                if not client.startswith("session:"):
                    headers["X-Request-Cost"] = f"{cost:.6f}"
                    headers["X-Rate-Limit-Remaining"] = str(remaining)
                # CPU and database seconds: of a modelled cost, two thirds and one third.
                headers["X-Canvas-Meta"] = f"u={cost * 2 / 3:.6f};d={cost / 3:.6f};"
                message["headers"] = headers.raw
                settled = True
                self.on_charge(Charge(scope, client, message["status"], cost, refused=False))
            await send(message)

        try:
            await self.app(scope, receive, settle_and_send)
        finally:
            if not settled:
                self._settle(client, BASE_COST)

    async def _refuse(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        status = self.options.throttle_status
        remaining = self._settle(client, 0.0)
        self.on_charge(Charge(scope, client, status, 0.0, refused=True))
        refusal = PlainTextResponse(
            f"{status} Forbidden (Rate Limit Exceeded)\n",
            status,
            {"X-Rate-Limit-Remaining": str(remaining)},
        )
        await refusal(scope, receive, send)

    async def _stay_open(self, begun: datetime) -> None:
        open_for = (self.clock.now() - begun).total_seconds()
        if (missing := self.options.min_open_seconds - open_for) > 0:
            await self.clock.sleep(missing)

    def _leak(self, client: str) -> Bucket:
        now = self.clock.now()
        bucket = self.buckets.setdefault(client, Bucket(0.0, now))
        idle = max(0.0, (now - bucket.touched).total_seconds())
        if idle >= FORGOTTEN_AFTER:
            bucket.level = 0.0
        bucket.level = max(0.0, bucket.level - self.options.throttle_outflow * idle)
        bucket.touched = now
        return bucket

    def _settle(self, client: str, cost: float) -> float:
        """Give the reserve back, take the cost; what remains of the quota."""
        bucket = self._leak(client)
        level = bucket.level + cost - self.options.throttle_up_front
        bucket.level = min(self.options.throttle_maximum, max(0.0, level))
        return round(self.options.throttle_hwm - bucket.level, 6)


def cost_of(scope: Scope, status: int, headers: Headers) -> float:
    kilobytes = int(headers.get("content-length", "0")) / 1000
    cost = BASE_COST + COST_PER_KILOBYTE * kilobytes
    if scope["method"] == "POST" and scope["path"] in EXTRA_PATHS and status < 300:
        cost += EXTRA_COST
    return cost


def client_of(scope: Scope) -> str:
    """Whose bucket: LTI key, access token, web session, else the address it came from."""
    headers = Headers(scope=scope)
    scheme, _, value = headers.get("authorization", "").partition(" ")
    token = value.strip() if scheme.lower() == "bearer" else ""
    if not token and b"access_token=" in scope["query_string"]:
        token = parse_qs(scope["query_string"].decode("latin-1")).get("access_token", [""])[0]
    if token:
        lti_key = _lti_client_id(token)
        if lti_key is not None:
            return f"lti_advantage:{lti_key}"
        return f"token:{hashlib.sha256(token.encode()).hexdigest()[:24]}"
    if cookie := headers.get("cookie"):
        return f"session:{hashlib.sha256(cookie.encode()).hexdigest()[:24]}"
    host = scope["client"][0] if scope.get("client") else "unknown"
    return f"ip:{host}"


def _lti_client_id(token: str) -> str | None:
    """`sub` of a JWT: LTI Advantage tokens are JWTs, Canvas's own tokens are not."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return None
    return str(claims.get("sub")) if isinstance(claims, dict) else None
