"""Canvas's error answers, raised from anywhere: fact sheet transport.md section 6."""

from collections.abc import Mapping

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="canvas-lms"'}


class CanvasError(Exception):
    """An answer other than success: status, JSON body (or plain text), headers."""

    def __init__(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


class Unauthorized(CanvasError):
    """No permission: 401, or 403 where the site flag `api_auth_error_updates` is on."""

    def __init__(self) -> None:
        super().__init__(
            401,
            {
                "status": "unauthorized",
                "errors": [{"message": "user not authorized to perform that action"}],
            },
            {"Cache-Control": "no-store"},
        )


class NotFound(CanvasError):
    def __init__(self, body: object = None) -> None:
        super().__init__(
            404,
            {"errors": [{"message": "The specified resource does not exist."}]}
            if body is None
            else body,
        )


class NoRoute(CanvasError):
    def __init__(self) -> None:
        super().__init__(404, generic("not_found"))


class BadRequest(CanvasError):
    """400 with whatever shape of body the endpoint has; by default the framework's."""

    def __init__(self, body: object = None) -> None:
        super().__init__(400, generic("bad_request") if body is None else body)


def generic(error_code: str) -> dict[str, object]:
    return {"errors": [{"message": "An error occurred.", "error_code": error_code}]}


def unauthenticated() -> CanvasError:
    """No token reached Canvas."""
    body = {
        "status": "unauthenticated",
        "errors": [{"message": "user authorization required"}],
    }
    return CanvasError(401, body, CHALLENGE)


def invalid_token() -> CanvasError:
    return CanvasError(401, {"errors": [{"message": "Invalid access token."}]}, CHALLENGE)


def insufficient_scopes() -> CanvasError:
    return CanvasError(401, {"errors": [{"message": "Insufficient scopes on access token."}]})


def invalid_as_user(merged_into: int | None = None) -> CanvasError:
    body: dict[str, object] = {"errors": "Invalid as_user_id"}
    if merged_into is not None:
        body["merged_into_user_id"] = merged_into
    return CanvasError(401, body)


def cannot_change_masquerade() -> CanvasError:
    return CanvasError(401, {"errors": "Cannot change masquerade"})


def message(text: str) -> BadRequest:
    return BadRequest({"message": text})


def error(text: str) -> BadRequest:
    return BadRequest({"error": text})


def invalid_attributes(*faults: tuple[str, str, str]) -> BadRequest:
    """A model that did not validate: (attribute, type, message) for each fault."""
    errors: dict[str, list[dict[str, str]]] = {}
    for attribute, kind, text in faults:
        fault = {"attribute": attribute, "type": kind, "message": text}
        errors.setdefault(attribute, []).append(fault)
    return BadRequest({"errors": errors})


def missing_group(name: str) -> BadRequest:
    return BadRequest({"errors": [{"message": f"{name} is missing"}]})


def short_search_term() -> BadRequest:
    text = "2 or more characters is required"
    return BadRequest({"errors": [{"field": "search_term", "code": "invalid", "message": text}]})


def no_user_agent() -> CanvasError:
    text = (
        "You are not authorized to access this site because you have not provided "
        "a valid user agent."
    )
    return CanvasError(403, {"error": "Forbidden", "message": text})


def internal_error() -> CanvasError:
    """What Canvas fails on without having meant to."""
    return CanvasError(500, {**generic("internal_server_error"), "error_report_id": 1})
