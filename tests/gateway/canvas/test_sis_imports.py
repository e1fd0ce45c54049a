"""SIS imports on the twin: what a file does, what Canvas says of its rows, and which import is ours."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.canvas.client import Call, Meter
from gateway.canvas.sis_files import Line, enrollments_csv
from gateway.canvas.sis_imports import SisImports, fix
from gateway.errors import SourceDown
from gateway.http.client import Client
from models.roster import EnrollmentState, EnrollmentType
from tests.upstream import Upstream, upstream
from twin.faults import Kind

S = EnrollmentState
MINUTE = timedelta(minutes=1)


@pytest.fixture
def twin() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@dataclass(kw_only=True)
class Office:
    twin: Upstream
    imports: SisImports
    call: Call

    def line(self, state: EnrollmentState = S.ACTIVE) -> Line:
        """Somebody with SIS ids into a section with SIS ids, where they are not yet."""
        school = self.twin.school
        section = next(
            one
            for one in school.sections.values()
            if one.sis_source_id and school.courses[one.course_id].sis_source_id
        )
        there = {row.user_id for row in school.enrollments_of_course.of(section.course_id)}
        login = next(
            one
            for one in school.pseudonyms.values()
            if one.sis_user_id
            and one.workflow_state == "active"
            and one.user_id not in there
            and school.users[one.user_id].workflow_state != "deleted"
        )
        return Line(
            course=str(school.courses[section.course_id].sis_source_id),
            section=str(section.sis_source_id),
            user=str(login.sis_user_id),
            type=EnrollmentType.STUDENT,
            role="StudentEnrollment",
            state=state,
        )


@pytest.fixture
async def office(twin: Upstream) -> AsyncIterator[Office]:
    async with Client(allows_private_networks=True) as http:
        yield Office(
            twin=twin,
            imports=SisImports(canvas=twin.canvas(http), account="self", sleep=twin.wait),
            call=Call(credential=twin.token(), meter=Meter(), background=True),
        )


def test_a_file_names_section_and_course_and_says_every_field_again() -> None:
    day = datetime(2026, 9, 1, tzinfo=UTC)
    line = Line(
        course="C-1",
        section="S,1",
        user="U-1",
        type=EnrollmentType.OBSERVER,
        role="Parent",
        state=S.COMPLETED,
        associated="U-2",
        limited=True,
        dates=(day, day),
    )
    assert enrollments_csv([line]).decode().splitlines() == [
        "course_id,section_id,user_id,role,status,associated_user_id,limit_section_privileges,start_date,end_date,notify",
        'C-1,"S,1",U-1,Parent,completed,U-2,true,2026-09-01T00:00:00+00:00,2026-09-01T00:00:00+00:00,false',
    ]
    built_in = replace(line, role="ObserverEnrollment", associated=None, limited=None, dates=None)
    assert enrollments_csv([built_in]).decode().splitlines()[1] == (
        'C-1,"S,1",U-1,observer,completed,,,,,false'
    )


async def test_rows_are_applied_and_others_are_told_of_with_their_number(office: Office) -> None:
    good = office.line()
    lines = [replace(good, user="nobody"), good, replace(good, section="nowhere")]
    queued = await office.imports.send(office.call, "change-1.csv", enrollments_csv(lines))
    assert not queued.ended
    done = await office.imports.ended(office.call, queued.id, within=30 * MINUTE)
    assert (done.state, done.counts["enrollments"]) == ("imported_with_messages", 1)
    said = await office.imports.messages(office.call, queued.id)
    assert {one.row for one in said} == {2, 4}
    assert all(fix(one.text) for one in said)


async def test_options_of_batch_mode_are_never_sent_and_of_diffing_only_when_asked(
    office: Office,
) -> None:
    await office.imports.send(office.call, "change-1.csv", enrollments_csv([office.line()]))
    [batch] = office.twin.app.state.sis_imports.batches.values()
    assert not batch.options.batch_mode
    assert batch.options.diffing_data_set_identifier is None
    assert batch.options.change_threshold == 1


async def test_a_file_whose_answer_was_lost_is_found_by_its_name(office: Office) -> None:
    began = office.twin.clock.now()
    assert await office.imports.sent(office.call, "change-1.csv", since=began) is None
    await office.imports.send(office.call, "other.csv", enrollments_csv([office.line()]))
    office.twin.break_(Kind.CUT_BODY, "/sis_imports", method="POST", count=1)
    with pytest.raises(SourceDown):
        await office.imports.send(office.call, "change-1.csv", enrollments_csv([office.line()]))
    found = await office.imports.sent(office.call, "change-1.csv", since=began)
    assert found is not None
    assert len(office.twin.app.state.sis_imports.batches) == 2
    assert await office.imports.sent(office.call, "change-2.csv", since=began) is None


async def test_an_import_that_does_not_end_is_given_up(office: Office) -> None:
    await office.imports.send(office.call, "first.csv", enrollments_csv([office.line()]))
    queued = await office.imports.send(
        office.call, "change-1.csv", enrollments_csv([office.line()])
    )
    await office.imports.abort(office.call, queued.id)
    aborted = await office.imports.ended(office.call, queued.id, within=MINUTE)
    assert aborted.state == "aborted"
    office.twin.app.state.sis_imports.batches[int(queued.id)].workflow_state = "created"
    office.twin.app.state.sis_imports._freed_at = office.twin.clock.now() + timedelta(hours=2)
    with pytest.raises(SourceDown, match="still created"):
        await office.imports.ended(office.call, queued.id, within=MINUTE)


def test_an_unknown_message_has_no_advice() -> None:
    assert fix("Something that Canvas learned to say since") is None
