"""Files that come with a request, by the GraphQL multipart request specification.

A form may be posted by any page without asking, with the cookies of whoever looks at it. So a header is wanted that no
page can set without being allowed to first.
"""

from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from resolvers.bodies import BODY_LIMIT, BadRequest, json_of, too_large

MULTIPART = "multipart/form-data"
UPLOAD_LIMIT = 1024 * 1024 * 1024
_MOST_FILES = 10
_FORM = "roster.form"
_NOT_SENT_UNASKED = (
    "authorization",
    "graphql-require-preflight",
    "apollo-require-preflight",
    "x-requested-with",
)


async def read(request: Request) -> dict[str, Any]:
    """The operation, with the files in its variables where `map` says."""
    if not any(request.headers.get(name) for name in _NOT_SENT_UNASKED):
        raise BadRequest(
            "A form needs the header graphql-require-preflight with any value, so that no other page can send it.",
            code="PREFLIGHT_REQUIRED",
        )
    form = request.scope[_FORM] = await _form(request)
    body = json_of(_text(form, "operations"), "`operations`")
    places = json_of(_text(form, "map"), "`map`")
    if not isinstance(body, dict) or not isinstance(places, dict):
        raise BadRequest("`operations` and `map` are objects; batches are not taken.")
    for name, paths in places.items():
        file = form.get(name)
        if not isinstance(file, UploadFile):
            raise BadRequest(f"`map` names the part {name!r}, and no such file was sent.")
        if not isinstance(paths, list):
            raise BadRequest("`map` gives a list of paths for each file.")
        for path in paths:
            _put(body, path, file)
    return body


async def close(request: Request) -> None:
    """Let go of the files, once the request is answered."""
    if _FORM in request.scope:
        await request.scope[_FORM].close()


async def _form(request: Request) -> FormData:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > UPLOAD_LIMIT:
        raise too_large(UPLOAD_LIMIT)
    came = 0

    async def counted() -> Message:
        nonlocal came
        message = await request.receive()
        came += len(message.get("body", b""))
        if came > UPLOAD_LIMIT:
            raise too_large(UPLOAD_LIMIT)
        return message

    try:
        return await Request(request.scope, counted).form(
            max_files=_MOST_FILES, max_fields=_MOST_FILES, max_part_size=BODY_LIMIT
        )
    except MultiPartException as error:
        raise BadRequest(f"The form cannot be read: {error.message}") from error


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    if not isinstance(value, str):
        raise BadRequest(f"The form has a field `{name}` of text.")
    return value


def _put(body: dict[str, Any], path: object, file: UploadFile) -> None:
    """Into the place of the null that stands for it."""
    *way, last = str(path).split(".")
    place: Any = body
    try:
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        key = int(last) if isinstance(place, list) else last
        if place[key] is not None:
            raise BadRequest(f"{path!r} is not null, so it stands for no file.")
        place[key] = file
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BadRequest(f"`map` names {path!r}, which is not there.") from error
