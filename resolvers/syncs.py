"""Syncs in the graph: started, called off, fed with a file, and their held removals let through."""

from typing import Annotated, Any, BinaryIO

import strawberry
from strawberry import ID, Maybe

from gateway.errors import BadRequest, Forbidden, SourceUnavailable, WriteRefused
from gateway.needs import Scope as Reach
from gateway.needs import ScopeKind
from gateway.readpath import lookups
from gateway.readpath.registry import Row
from gateway.syncs import Order, Syncs
from gateway.viewer import Scope
from models.roster import MutationErrorCode, Source
from resolvers import inputs, mutation_errors, nodes
from resolvers.context import Info
from resolvers.inputs import AccountBy, CourseBy, UserBy
from resolvers.mutation_errors import KEY, MutationError, checked_key
from resolvers.provenance import described
from resolvers.scalars import Upload
from resolvers.types import SyncRun, resolved

TYPE = "SyncRun"
_INPUT = strawberry.argument(name="input", description="What is asked for.")
_RUN = strawberry.argument(name="id", description="The `id` of the run.")
_REMOVALS = strawberry.argument(
    description="How many were `held` when it was decided, so that it is plain what a person has seen."
    " Where by now it is another number, nothing is removed, and `held` of the run says how many."
)
_KINDS = {"Course": ScopeKind.COURSE, "Account": ScopeKind.ACCOUNT, "User": ScopeKind.PERSON}


@strawberry.type(description="A run, after a mutation.")
class SyncRunPayload:
    errors: list[MutationError] = described("Why it was not done; empty where it was.")

    sync_run: SyncRun | None = resolved(
        nodes.link(TYPE, "run_id"), "The run; null where there is none."
    )


@strawberry.input(one_of=True, description="What is to be read, by exactly one of its fields.")
class SyncScope:
    course: Maybe[CourseBy] = strawberry.field(description="One course.")
    account: Maybe[AccountBy] = strawberry.field(
        description="An account with the accounts below it; the root account is everything."
    )
    user: Maybe[UserBy] = strawberry.field(description="One person's enrollments.")
    everything: Maybe[bool] = strawberry.field(description="The whole institution: true.")


@strawberry.input(description="A sync that is wanted.")
class StartSyncInput:
    scope: SyncScope = strawberry.field(description="What is to be read.")
    source: Source | None = strawberry.field(
        default=None,
        description="By which source. Omitted: a course by ENROLLMENTS_API, an account by REPORT or, where Canvas refuses"
        " that, course by course.",
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A report that an admin sent.")
class ImportReportInput:
    file: Upload = strawberry.field(
        description="A provisioning report or a SIS export, csv or zip, sent by a multipart request."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


async def start(info: Info, asked: Annotated[StartSyncInput, _INPUT]) -> Any:
    key, viewer = checked_key(asked.idempotency_key), info.context.viewer
    viewer.require(Scope.ADMIN, Scope.ROSTER_WRITE)
    try:
        order = Order(scope=await _reach(info, asked.scope), source=asked.source)
        return _payload(await _syncs(info).start(viewer, order, key))
    except WriteRefused as refused:
        return _refusal(refused)


async def cancel(info: Info, run: Annotated[ID, _RUN]) -> Any:
    run_id = info.context.reader.decode_as(TYPE, run)
    try:
        return _payload(await _syncs(info).cancel(info.context.viewer, run_id))
    except WriteRefused as refused:
        return _refusal(refused)


async def confirm(
    info: Info, run: Annotated[ID, _RUN], removals: Annotated[int | None, _REMOVALS] = None
) -> Any:
    run_id = info.context.reader.decode_as(TYPE, run)
    try:
        done = _payload(await _syncs(info).confirm(info.context.viewer, run_id, removals))
    except WriteRefused as refused:
        return _refusal(refused)
    info.context.feed.nudge()
    return done


async def import_report(info: Info, asked: Annotated[ImportReportInput, _INPUT]) -> Any:
    key, sent = checked_key(asked.idempotency_key), asked.file
    name, file = getattr(sent, "filename", None), getattr(sent, "file", None)
    if file is None:
        raise BadRequest(
            "`file` is sent beside the document, as the GraphQL multipart request specification says."
        )
    binary: BinaryIO = file
    viewer = info.context.viewer
    try:
        return _payload(await _syncs(info).import_report(viewer, name or "report", binary, key))
    except WriteRefused as refused:
        return _refusal(refused)


async def _reach(info: Info, scope: SyncScope) -> Reach:
    if scope.everything is not None:
        if not scope.everything.value:
            raise BadRequest("`everything` is true, or another field is given in its place.")
        return Reach(kind=ScopeKind.INSTITUTION, id=0)
    given = scope.course or scope.account or scope.user
    if given is None:
        raise BadRequest("A scope names exactly one of its fields.")
    by = inputs.given(given.value)
    try:
        row_id = await nodes.find_id(info, by)
    except SourceUnavailable as missing:
        raise WriteRefused(MutationErrorCode.NOT_FOUND, str(missing), "scope") from missing
    if by.type_name == "Account":
        context = info.context
        if row_id == await lookups.root_account(context.connections, context.reader):
            return Reach(kind=ScopeKind.INSTITUTION, id=0)
    return Reach(kind=_KINDS[by.type_name], id=row_id)


def _syncs(info: Info) -> Syncs:
    syncs = info.context.syncs
    if syncs is None:
        raise Forbidden("This server takes no syncs.")
    return syncs


def _payload(run_id: int) -> Row:
    return {"run_id": run_id, "errors": []}


def _refusal(refused: WriteRefused) -> Row:
    told = mutation_errors.row_of(refused.code, str(refused), refused.path)
    return {"run_id": None, "errors": [told]}
