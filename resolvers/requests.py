"""A GraphQL request as it comes over HTTP: read from a query string or a JSON body, refused where the standard says so."""

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from resolvers import uploads
from resolvers.bodies import BODY_LIMIT, BadRequest, json_of, too_large
from resolvers.documents import Kind, Operation

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, kw_only=True)
class GraphQLRequest:
    query: str
    name: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)


async def read(request: Request) -> GraphQLRequest:
    """What the client sent, by GET or POST."""
    if request.method == "GET":
        return checked(_from_query_string(request))
    if request.method != "POST":
        raise BadRequest(
            "GraphQL is asked by GET or POST.",
            status=405,
            code="METHOD_NOT_ALLOWED",
            headers={"allow": "GET, POST"},
        )
    # A form or text/plain may be posted by any page without asking; JSON may not.
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() == uploads.MULTIPART:
        return checked(await uploads.read(request))
    if media_type.strip().lower() != JSON or not _is_utf8(parameters):
        raise BadRequest(
            f"Send the request as {JSON}, in UTF-8.", status=415, code="UNSUPPORTED_MEDIA_TYPE"
        )
    return checked(json_of(await _body(request), "The body"))


def checked(body: object) -> GraphQLRequest:
    if not isinstance(body, dict):
        raise BadRequest("The body is a JSON object with `query`; batches are not taken.")
    query = body.get("query")
    if not isinstance(query, str) or not query:
        raise BadRequest("`query` is the text of the document, and is missing.")
    name = body.get("operationName")
    if not isinstance(name, str | None):
        raise BadRequest("`operationName` is text, or left out.")
    for member in ("variables", "extensions"):
        if not isinstance(body.get(member), dict | None):
            raise BadRequest(f"`{member}` is an object, or left out.")
    return GraphQLRequest(query=query, name=name or None, variables=body.get("variables") or {})


def allow(operation: Operation, request: Request, *, streams: bool) -> None:
    """Refuse what this way of asking may not run."""
    if operation.kind is Kind.MUTATION and request.method == "GET":
        raise BadRequest(
            "A mutation is sent by POST.",
            status=405,
            code="METHOD_NOT_ALLOWED",
            headers={"allow": "POST"},
        )
    if operation.kind is Kind.SUBSCRIPTION and not streams:
        raise BadRequest(
            f"A subscription needs a stream: accept {EVENT_STREAM}, or connect by graphql-transport-ws.",
            code="STREAM_REQUIRED",
        )


def media_type(accept: str) -> str:
    """The JSON type to answer in: the newer one where the client names it first or alone."""
    for part in accept.lower().split(","):
        name = part.partition(";")[0].strip()
        if name in (GRAPHQL_JSON, JSON):
            return name
    return JSON


def accepts(accept: str, wanted: str) -> bool:
    return any(part.partition(";")[0].strip() == wanted for part in accept.lower().split(","))


def _is_utf8(parameters: str) -> bool:
    name, _, value = parameters.partition("=")
    return name.strip().lower() != "charset" or value.strip(' "').lower() in ("utf-8", "utf8")


async def _body(request: Request) -> bytes:
    """The body, as far as it is not too large; no more than that is ever held."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > BODY_LIMIT:
        raise too_large(BODY_LIMIT)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise too_large(BODY_LIMIT)
    return bytes(body)


def _from_query_string(request: Request) -> dict[str, Any]:
    parameters: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        text = parameters.pop(name, "")
        if text:
            parameters[name] = json_of(text, f"`{name}`")
    return parameters
