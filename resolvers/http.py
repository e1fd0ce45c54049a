"""The graph at one address: GraphQL over HTTP, graphql-sse, and graphql-transport-ws."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.unset import UNSET

from gateway.errors import PublicError, Unauthenticated
from gateway.viewer import Viewer
from resolvers import masking, requests, responses, uploads
from resolvers.bodies import BadRequest
from resolvers.documents import Refused
from resolvers.operations import Operations

Authenticate = Callable[[Mapping[str, str]], Awaitable[Viewer]]
Page = Callable[[Request], Response]

_CREDENTIALS = ("authorization", "roster-act-as")
_CHALLENGE = {"www-authenticate": 'Bearer realm="roster"'}


@dataclass(eq=False)
class Connection:
    """An open WebSocket: the headers of its handshake, and what `connection_init` brought."""

    headers: Mapping[str, str]
    connection_params: dict[str, Any] = field(default_factory=dict)

    @property
    def credentials(self) -> Mapping[str, str]:
        """Browsers cannot set headers on a WebSocket, so the payload may carry them instead."""
        sent = {
            name.lower(): value
            for name, value in self.connection_params.items()
            if isinstance(value, str) and name.lower() in _CREDENTIALS
        }
        # A browser sends `cache-control: no-cache` with every handshake; that is about the handshake alone.
        handshake = {name: value for name, value in self.headers.items() if name != "cache-control"}
        return {**handshake, **sent}


class TransportHandler(BaseGraphQLTransportWSHandler[Connection, None]):
    """graphql-transport-ws; a message of the wrong shape closes the connection, as the protocol says."""

    async def handle_message(self, message: Message) -> None:
        try:
            await super().handle_message(message)
        except (TypeError, AttributeError):  # a list for an object, a number for a text
            await self.handle_invalid_message("Failed to parse message")


class Endpoint(GraphQL[Connection, None]):
    """One ASGI application for every way of asking.

    HTTP is answered here. The WebSocket protocol is Strawberry's; where it expects a schema, it is handed `_Streams`.
    """

    graphql_transport_ws_handler_class = TransportHandler

    def __init__(
        self,
        operations: Operations,
        *,
        authenticate: Authenticate,
        page: Page | None = None,
        recheck_seconds: float = 5.0,
    ) -> None:
        super().__init__(
            _Streams(self),  # type: ignore[arg-type]  # the handler calls nothing but `stream`
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=10),
            allowed_origins=["*"],  # origins are judged before a request comes here
        )
        self._operations = operations
        self._authenticate = authenticate
        self._page = page
        self._recheck_seconds = recheck_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.run(WebSocket(scope, receive, send))
            return
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        if self._page and request.method == "GET" and requests.accepts(accept, "text/html"):
            return self._page(request)
        try:
            return await self._answer(request, accept)
        except BadRequest as bad:
            errors = masking.public([bad.error])
            return responses.failure(accept, bad.status, errors, headers=bad.headers)
        except Unauthenticated as error:
            return responses.failure(accept, 401, _errors_of(error), headers=_CHALLENGE)
        except PublicError as error:
            return responses.failure(accept, 403, _errors_of(error))
        except Exception as error:  # noqa: BLE001  whatever broke, the caller is owed JSON with the request's id
            return responses.failure(accept, 500, _errors_of(error))
        finally:
            await uploads.close(request)

    async def _answer(self, request: Request, accept: str) -> Response:
        viewer = await self._authenticate(request.headers)
        asked = await requests.read(request)
        streams = requests.accepts(accept, requests.EVENT_STREAM)
        context = self._operations.context(viewer, request.headers)
        try:
            operation = self._operations.documents.operation(
                asked.query, asked.name, asked.variables
            )
        except Refused as refused:
            if streams:
                return responses.EventStream(_only(_refusal(refused)))
            return responses.refusal(accept, masking.public(refused.errors), cost=refused.cost)
        requests.allow(operation, request, streams=streams)
        if streams:
            revoked = self._revoked(request.headers, viewer)
            return responses.EventStream(self._operations.stream(operation, context, revoked))
        outcome = await self._operations.execute(operation, context)
        if outcome.began:
            answer = responses.answer(accept, outcome.result, headers=context.headers())
            if request.method == "GET" and not outcome.result.errors:
                return responses.validated(answer, request.headers.get("if-none-match", ""))
            return answer
        return responses.refusal(accept, outcome.result.errors or (), cost=operation.cost)

    async def stream(
        self, query: str, name: str | None, variables: dict[str, Any], connection: Connection
    ) -> AsyncGenerator[ExecutionResult, None]:
        """The results of one operation of a WebSocket; its credential is looked at again for each."""
        credentials = connection.credentials
        try:
            viewer = await self._authenticate(credentials)
            operation = self._operations.documents.operation(query, name, variables)
        except PublicError as error:
            yield PreExecutionError(data=None, errors=_errors_of(error))
            return
        except Refused as refused:
            yield _refusal(refused)
            return
        context = self._operations.context(viewer, credentials)
        results = self._operations.stream(operation, context, self._revoked(credentials, viewer))
        async with aclosing(results):
            async for result in results:
                yield result

    def _revoked(
        self, credentials: Mapping[str, str], viewer: Viewer
    ) -> Callable[[], Awaitable[None]]:
        """A wait for the moment from which the credential does not hold, or shows something else than it did.

        No subscription outlives its token, nor what its viewer may see: whoever asks anew gets what is right then.
        """

        async def wait() -> None:
            while True:
                await asyncio.sleep(self._recheck_seconds)
                try:
                    if await self._authenticate(credentials) != viewer:
                        return
                except PublicError:
                    return

        return wait

    async def get_context(  # type: ignore[override]  # only WebSockets come this way
        self,
        request: WebSocket,
        response: WebSocket,  # noqa: ARG002  Strawberry's signature
    ) -> Connection:
        return Connection(request.headers)

    async def on_ws_connect(self, context: Connection) -> Any:
        try:
            await self._authenticate(context.credentials)
        except PublicError as error:
            raise ConnectionRejectionError from error  # the handler closes with 4403
        return UNSET

    def decode_json(self, data: str | bytes) -> object:
        return orjson.loads(data)

    def encode_json(self, data: object) -> str:
        return orjson.dumps(data).decode()  # the protocol knows no binary messages


class _Streams:
    """What Strawberry's WebSocket handler uses of a schema."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def stream(
        self,
        query: object,
        *,
        variable_values: object,
        context_value: Connection,
        root_value: None,  # noqa: ARG002  Strawberry's signature
        operation_name: object,
    ) -> AsyncGenerator[ExecutionResult, None]:
        message = {"query": query, "variables": variable_values, "operationName": operation_name}
        try:
            asked = requests.checked(message)
        except BadRequest as bad:
            return _only(PreExecutionError(data=None, errors=masking.public([bad.error])))
        return self._endpoint.stream(asked.query, asked.name, asked.variables, context_value)


async def _only(result: ExecutionResult) -> AsyncGenerator[ExecutionResult, None]:
    yield result


def _refusal(refused: Refused) -> ExecutionResult:
    extensions = None if refused.cost is None else {"cost": refused.cost}
    return PreExecutionError(
        data=None, errors=masking.public(refused.errors), extensions=extensions
    )


def _errors_of(error: Exception) -> list[GraphQLError]:
    return masking.public([GraphQLError(str(error), original_error=error)])
