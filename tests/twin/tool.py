"""A tool as far as Canvas sees it: a key pair, a JWKS page, and assertions for service tokens."""

from typing import Any
from uuid import uuid4

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.twin.conftest import READY_KEYS, Twin
from twin.outgoing import Outgoing
from twin.scopes import NRPS

CLIENT_ID = "10000000000002"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class FakeTool:
    """Lives behind a transport that is handed to the twin."""

    def __init__(self) -> None:
        self.key = self._named("one")
        self.published = [self.key]
        self.down = False
        self.fetched: list[str] = []

    @staticmethod
    def _named(kid: str) -> RSAKey:
        return RSAKey.import_key({**next(READY_KEYS).as_dict(private=True), "kid": kid})

    def serve(self, twin: Twin) -> "FakeTool":
        twin.app.state.outgoing = Outgoing(httpx.MockTransport(self._answer))
        return self

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.fetched.append(str(request.url))
        if self.down:
            raise httpx.ConnectError("nobody listens", request=request)
        return httpx.Response(
            200, json={"keys": [k.as_dict(private=False) for k in self.published]}
        )

    def other_key(self) -> RSAKey:
        return self._named("other")

    def claims(self, twin: Twin, **changes: Any) -> dict[str, Any]:
        now = int(twin.clock.now().timestamp())
        claims = {
            "iss": CLIENT_ID,
            "sub": CLIENT_ID,
            "aud": "http://canvas.test/login/oauth2/token",
            "iat": now,
            "exp": now + 300,
            "jti": str(uuid4()),
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    async def ask(
        self,
        twin: Twin,
        *,
        scope: str = NRPS,
        key: RSAKey | None = None,
        url: str = "/login/oauth2/token",
        **changes: Any,
    ) -> httpx.Response:
        signer = key or self.key
        assertion = jwt.encode(
            {"alg": "RS256", "kid": signer.kid}, self.claims(twin, **changes), signer
        )
        return await twin.client.post(
            url,
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": assertion,
                "scope": scope,
            },
        )

    async def token(self, twin: Twin, **changes: Any) -> str:
        response = await self.ask(twin, **changes)
        assert response.status_code == 200, response.text
        value: str = response.json()["access_token"]
        return value
