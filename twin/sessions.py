"""Browser sessions: who is logged in to Canvas, and as whom they act."""

import secrets
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from twin.records import User

COOKIE = "canvas_session"
# The same value once more without SameSite: `None` needs `Secure`, and some clients send no
# `Secure` cookie to http://127.0.0.1, where a twin mostly runs.
PLAIN_COOKIE = "_legacy_normandy_session"


@dataclass(slots=True)
class Session:
    user: User
    real_user: User | None = None
    """Who acts as the user."""


class Sessions:
    """The open sessions of one twin, by what their cookie holds."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}

    def of(self, request: Request) -> Session | None:
        for name in (COOKIE, PLAIN_COOKIE):
            session = self._open.get(request.cookies.get(name, ""))
            if session and session.user.workflow_state != "deleted":
                return session
        return None

    def start(self, response: Response, session: Session) -> None:
        value = secrets.token_urlsafe(24)
        self._open[value] = session
        response.set_cookie(COOKIE, value, httponly=True, secure=True, samesite="none")
        response.set_cookie(PLAIN_COOKIE, value, httponly=True, samesite=None)

    def end_all_of(self, user: User) -> None:
        self._open = {key: open_ for key, open_ in self._open.items() if open_.user is not user}
