"""Asking the twin for reports and loading them: finished ones, shared ones, and ones that are broken."""

from datetime import timedelta

import pytest

from gateway.canvas.reports import FILES
from gateway.errors import CutShort, SourceDown, SourceError
from models.roster import Source
from tests.gateway.sources.readers import Readers
from tests.upstream import Upstream
from twin.faults import Kind

HOUR = timedelta(hours=1)


def started(twin: Upstream) -> int:
    return len(twin.app.state.reports.runs)


async def matches(readers: Readers, twin: Upstream) -> bool:
    """Whether everybody whom a report shows as active is in the store as such, and nobody else of those courses."""
    rows = await readers.rows("enrollment", "state = 'ACTIVE' and removed_at is null")
    stored = {str(row["canvas_id"] % 10**13) for row in rows}
    active = {
        row["id"]
        for course in twin.school.courses.values()
        for row in twin.truth(course)
        if row["workflow_state"] == "active"
    }
    return stored <= active and len(stored) > 100


async def test_a_report_is_started_awaited_and_loaded(readers: Readers, twin: Upstream) -> None:
    began = twin.clock.now()

    taken = await readers.load(max_age=timedelta(0))

    assert (Source.REPORT, True) == (taken.source, taken.whole)
    assert taken.created > 100
    assert taken.as_of >= began
    assert await matches(readers, twin)
    [authority] = {row["authority"] for row in await readers.rows("coverage")}
    assert "report" == authority


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_finished_report_of_somebody_else_will_do(readers: Readers, twin: Upstream) -> None:
    await readers.load()
    first = started(twin)
    other = await Readers.open(twin, readers.database, readers.http, slug="other")
    twin.clock.advance(HOUR / 2)

    taken = await other.load(max_age=HOUR)

    assert first == started(twin)
    assert taken.created > 100


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_report_that_was_loaded_is_not_offered_again(
    readers: Readers, twin: Upstream
) -> None:
    await readers.load()
    before = started(twin)
    twin.clock.advance(HOUR / 2)

    await readers.load(max_age=timedelta(minutes=1))

    assert before + 1 == started(twin)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_report_of_a_part_is_not_taken_for_the_whole(
    readers: Readers, twin: Upstream
) -> None:
    await readers.start_report("enrollments", "users")
    twin.clock.advance(HOUR / 2)
    before = started(twin)

    await readers.load(max_age=HOUR)

    assert before + 1 == started(twin)


FAULTS: dict[str, tuple[Kind, dict[str, object]]] = {
    "stuck": (Kind.REPORT_STUCK, {}),
    "in error": (Kind.REPORT_ERROR, {}),
    "cut": (Kind.REPORT_TRUNCATED, {}),
    "a zip bomb": (Kind.REPORT_ZIP_BOMB, {"size": 2**26}),
    "another encoding": (Kind.REPORT_ENCODING, {"encoding": "utf-16"}),
    "no file": (Kind.STRIP_IDS, {"keys": ("attachment",), "path": "/reports/"}),
    "half a body": (Kind.CUT_BODY, {"path": "/inst-fs/"}),
    "no byte": (Kind.EMPTY, {"path": "/files"}),
    "refused": (Kind.STATUS, {"status": 403, "path": "/reports/"}),
    "an empty list": (Kind.EMPTY_LIST, {"path": "/reports/"}),
}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("kind", "more"), FAULTS.values(), ids=FAULTS)
async def test_no_fault_changes_anything(
    readers: Readers, twin: Upstream, kind: Kind, more: dict[str, object]
) -> None:
    await readers.load()
    before = await readers.rows("enrollment")
    changes = len(await readers.rows("change"))
    twin.break_(kind, **{"path": "", **more})  # type: ignore[arg-type]  # a table of anything
    twin.clock.advance(2 * HOUR)

    with pytest.raises(SourceError):
        await readers.load()

    assert before == await readers.rows("enrollment")
    assert changes == len(await readers.rows("change"))


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_stuck_report_is_given_up(readers: Readers, twin: Upstream) -> None:
    twin.break_(Kind.REPORT_STUCK)

    with pytest.raises(SourceDown, match="is still running after"):
        await readers.load()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_broken_file_is_said_to_be_one(readers: Readers, twin: Upstream) -> None:
    twin.break_(Kind.REPORT_TRUNCATED)

    with pytest.raises(CutShort):
        await readers.load()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_stale_report_does_not_undo_a_newer_reading(
    readers: Readers, twin: Upstream
) -> None:
    """A run that began before somebody was enrolled is loaded after a list that shows them."""
    demo = twin.cast.courses["demo"]
    need = readers.need(await readers.course(demo))
    await readers.read(need)
    await readers.start_report(*FILES)
    twin.clock.advance(HOUR / 2)
    twin.change("enrol", user=str(twin.cast.people["admin"].id), course=str(demo.id))
    twin.clock.advance(timedelta(minutes=1))
    await readers.read(need)

    taken = await readers.load(max_age=HOUR)

    assert taken.as_of < twin.clock.now() - HOUR / 2
    assert await readers.same_as_truth(demo)
