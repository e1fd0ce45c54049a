"""Nothing is read or written across institutions: judged on the statements that SQLite was really given."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.store import institutions, tokens
from gateway.sync.importer import import_report
from gateway.uow import Database
from tests.scoped import ROSTER_TABLES, unscoped
from twin.changes import set_enrollment_state
from twin.clock import FixedClock
from twin.generate import generate
from twin.options import Options
from twin.report_file import write_report

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_an_import_names_its_institution_in_every_statement(
    database: Database, tmp_path: Path
) -> None:
    demo = await institutions.ensure(database, slug="demo", canvas_url=None)
    statements: list[str] = []
    await database.client._connection.set_trace_callback(statements.append)
    clock = FixedClock(NOON)
    small = Options(courses=14, users=200, big=20, enrollments=600)
    school = generate(small, clock)[0]
    for day in range(2):
        report = tmp_path / f"{day}.zip"
        write_report(report, school)
        await import_report(database, demo, report, clock=clock.now, as_of=clock.now())
        clock.advance(timedelta(days=1))
        for user in list(school.users.values())[:30]:
            school.update(user, name=f"{user.name} the Younger")
        for enrollment in list(school.enrollments.values())[::12]:
            set_enrollment_state(school, enrollment, "deleted")
    await tokens.create(database, institution_id=demo.id, name="x", scopes=(), now=NOON)
    await tokens.revoke(database, institution_id=demo.id, token_id=1, now=NOON)
    await database.client._connection.set_trace_callback(None)

    rows = await database.rows(
        "select sum(updated) as updated, sum(held) + sum(removed) as gone from sync_run"
    )
    assert 0 < rows[0]["updated"]
    assert 0 < rows[0]["gone"]
    assert [] == [sql for sql in statements if unscoped(sql)]
    touched = {table for table in ROSTER_TABLES if any(table in sql for sql in statements)}
    assert {"account", "course", "section", "person", "enrollment", "identity", "change"} <= touched
