"""RSA keys that rotate by the month, three of them published at once (fact sheets lti-launch.md §6, live-events.md §5)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

ROTATION = timedelta(days=30)
# What Canvas tells clients about its key sets; a cache that ignores it misses a rotation.
CACHE_CONTROL = "max-age=864000, public"


class KeyRing:
    """The previous, the current and the next signing key of one issuer.

    Keys are made on first use, so that a twin that never signs starts without them.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        rotation: timedelta = ROTATION,
        make: Callable[[], RSAKey] = lambda: RSAKey.generate_key(2048),
    ) -> None:
        self._now = now
        self._make = make
        self._rotation = rotation
        self._keys: list[RSAKey] = []
        self._rotates_at = now() + rotation

    def sign(self, claims: dict[str, Any]) -> str:
        key = self.current()
        return jwt.encode({"alg": "RS256", "kid": key.kid, "typ": "JWT"}, claims, key)

    def current(self) -> RSAKey:
        return self._rotated()[1]

    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self._rotated()]}

    def rotate(self) -> None:
        """Drops the previous key, puts the next one to work and publishes a new next one."""
        self._complete()
        self._keys = [*self._keys[1:], self._new_key()]
        self._rotates_at = self._now() + self._rotation

    def _rotated(self) -> list[RSAKey]:
        """The keys after every rotation that has fallen due; three make all of them new."""
        due = self._rotates_at
        for _ in range(3):
            if self._now() < due:
                break
            self.rotate()
            due += self._rotation
        return self._complete()

    def _complete(self) -> list[RSAKey]:
        while len(self._keys) < 3:
            self._keys.append(self._new_key())
        return self._keys

    def _new_key(self) -> RSAKey:
        key = self._make()
        # Canvas names keys by when they were made; the thumbprint keeps three made at once apart.
        key_id = f"{self._now():%Y-%m-%dT%H:%M:%SZ}_{key.thumbprint()[:8]}"
        named = {**key.as_dict(private=True), "kid": key_id, "use": "sig", "alg": "RS256"}
        return RSAKey.import_key(named)
