"""From what callers gave to what the reads take: ids looked up, defaults filled in, values checked."""

from collections.abc import Iterable
from typing import TypeVar

from gateway import feed
from gateway.changes import SubjectType
from gateway.errors import BadRequest
from gateway.readpath import filters, lookups
from gateway.readpath.provenance import Wanted
from models.roster import ROSTER_STATES, EnrollmentState
from resolvers import inputs
from resolvers.context import Context

T = TypeVar("T")


async def enrollments(
    context: Context,
    asked: inputs.EnrollmentFilter | None,
    *,
    states: tuple[EnrollmentState, ...] = ROSTER_STATES,
) -> filters.EnrollmentFilter:
    """`states` are those that are meant when the caller names none."""
    if asked is None:
        return filters.EnrollmentFilter(states=states)
    return filters.EnrollmentFilter(
        types=_tuple(asked.types),
        roles=_tuple(asked.roles),
        states=states if asked.states is None else tuple(asked.states),
        sections=await _ids(context, asked.sections),
        users=await _ids(context, asked.users),
        search=asked.search,
        updated_since=asked.updated_since,
    )


async def courses(context: Context, asked: inputs.CourseFilter | None) -> filters.CourseFilter:
    if asked is None:
        return filters.CourseFilter()
    return filters.CourseFilter(
        states=_tuple(asked.states),
        terms=await _ids(context, None if asked.term is None else [asked.term]),
        accounts=await _ids(context, None if asked.account is None else [asked.account]),
        canvas_ids=_canvas_ids(context, asked.canvas_ids),
        sis_ids=_tuple(asked.sis_ids),
        search=asked.search,
    )


async def sections(context: Context, asked: inputs.SectionFilter | None) -> filters.SectionFilter:
    if asked is None:
        return filters.SectionFilter()
    return filters.SectionFilter(
        states=_tuple(asked.states),
        canvas_ids=_canvas_ids(context, asked.canvas_ids),
        sis_ids=_tuple(asked.sis_ids),
    )


async def users(context: Context, asked: inputs.UserFilter | None) -> filters.UserFilter:
    if asked is None:
        return filters.UserFilter()
    return filters.UserFilter(
        states=_tuple(asked.states),
        canvas_ids=_canvas_ids(context, asked.canvas_ids),
        sis_ids=_tuple(asked.sis_ids),
        login_ids=_tuple(asked.login_ids),
        search=asked.search,
    )


def sync_runs(asked: inputs.SyncRunFilter | None) -> filters.SyncRunFilter:
    if asked is None:
        return filters.SyncRunFilter()
    return filters.SyncRunFilter(states=_tuple(asked.states), sources=_tuple(asked.sources))


async def changes(context: Context, asked: inputs.ChangeFilter | None) -> feed.ChangeFilter:
    if asked is None:
        return feed.ChangeFilter()
    return feed.ChangeFilter(
        kinds=_tuple(asked.kinds),
        sources=_tuple(asked.sources),
        subject_types=_type_names(asked.subject_types),
        subjects=None
        if asked.subjects is None
        else tuple(context.reader.decode(node_id) for node_id in asked.subjects),
        courses=await _ids(context, asked.courses),
    )


def freshness(context: Context, asked: inputs.Freshness | None) -> Wanted:
    """The field's arguments, else the request's header, else the institution's default."""
    given = inputs.Freshness() if asked is None else asked
    header = context.requested
    ages = (given.max_age, header.max_age, context.default_max_age)
    return Wanted(
        max_age=next((age for age in ages if age is not None), None),
        allow_stale=header.allow_stale if given.allow_stale is None else given.allow_stale,
        sources=header.sources if given.sources is None else frozenset(given.sources),
    )


async def _ids(context: Context, asked: Iterable[inputs.AnyBy] | None) -> tuple[int, ...] | None:
    if asked is None:
        return None
    wanted = [inputs.given(by) for by in asked]
    return await lookups.ids(context.connections, context.reader, wanted)


def _canvas_ids(context: Context, asked: Iterable[str] | None) -> tuple[int, ...] | None:
    if asked is None:
        return None
    return tuple(lookups.canvas_id(context.reader, canvas_id) for canvas_id in asked)


def _type_names(asked: Iterable[str] | None) -> tuple[str, ...] | None:
    if asked is None:
        return None
    for name in (names := tuple(asked)):
        if name not in list(SubjectType):
            raise BadRequest(f"Changes are of {', '.join(SubjectType)}, not of {name!r}.")
    return names


def _tuple(values: Iterable[T] | None) -> tuple[T, ...] | None:
    return None if values is None else tuple(values)
