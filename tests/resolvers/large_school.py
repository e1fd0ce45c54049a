"""A school so large that a plan which reads a whole table shows, and what the planner of either database would read whole."""

import json
import re
from typing import Any

from gateway.readpath.connections import Connections
from gateway.uow import Dialect, Transaction
from tests.factories import School

COURSES, SECTIONS, PEOPLE, ENROLLMENTS, MEMBERSHIPS = 4_000, 8_000, 40_000, 160_000, 20_000
LARGE = {"enrollment", "person", "identity", "membership", "change", "section", "course"}

_SERIES = {
    Dialect.POSTGRES: "generate_series(1, {rows}) as s(n)",
    Dialect.SQLITE: """(with recursive s(n) as (select 1 union all select n + 1 from s where n < {rows})
        select n from s) s""",
}
_NOON = "'2026-09-01 12:00:00+00:00'"
# Rows lie in the tables as a term brings them: those of one course, and of one person, far apart.
_FILLING = [
    (20, """insert into account (id, institution_id, canvas_id, name, parent_id, state, source, as_of)
        select n, $1, 10000000000000 + n, 'Account ' || n, case when n = 1 then null else 1 end, 'ACTIVE', 'REPORT',
        {noon} from {series}"""),
    (8, """insert into term (id, institution_id, canvas_id, name, state, source, as_of)
        select n, $1, 10000000000000 + n, 'Term ' || n, 'ACTIVE', 'REPORT', {noon} from {series}"""),
    (COURSES, """insert into course (id, institution_id, canvas_id, sis_id, integration_id, lti_context_id, name,
        course_code, sort_key, search_key, state, account_id, term_id, start_at, source, as_of)
        select n, $1, 10000000000000 + n, 'C' || n, 'I' || n, 'ctx' || n, 'Course ' || n, 'CODE ' || n, 'course ' || n,
        'course ' || n, case when n % 40 = 0 then 'DELETED' else 'AVAILABLE' end, 1 + n % 20, 1 + n % 8, {noon}, 'REPORT', {noon} from {series}"""),
    (SECTIONS, f"""insert into section (id, institution_id, canvas_id, sis_id, course_id, name, state, source, as_of)
        select n, $1, 10000000000000 + n, 'X' || n, 1 + (n - 1) % {COURSES}, 'Section ' || n, 'ACTIVE', 'REPORT', {{noon}}
        from {{series}}"""),
    (PEOPLE, """insert into person (id, institution_id, canvas_id, name, sortable_name, sort_key, search_key, state,
        login_id, sis_id, email, login_source, login_as_of) select n, $1, 10000000000000 + n, 'Person ' || n,
        'Person ' || n, 'person ' || n, 'person ' || n, case when n % 40 = 0 then 'DELETED' else 'ACTIVE' end, 'login' || n, 'S' || n, 'p' || n || '@example.edu',
        'REPORT', {noon} from {series}"""),
    *[
        (PEOPLE, f"""insert into identity (institution_id, person_id, kind, scope, value, exclusive, source,
        first_seen_at, last_seen_at) select $1, n, '{kind}', '', {value}, {exclusive}, 'REPORT', {{noon}}, {{noon}}
        from {{series}}""")
        for kind, value, exclusive in (
            ("login_id", "'login' || n", "true"),
            ("sis_user_id", "'S' || n", "true"),
            ("lti13_sub", "'sub' || n", "true"),
            ("email", "'p' || n || '@example.edu'", "null"),
        )
    ],
    (ENROLLMENTS, f"""insert into enrollment (institution_id, canvas_id, course_id, section_id, person_id, type, role,
        state, limit_to_section, created_at, updated_at, standing_source, standing_as_of)
        select $1, 10000000000000 + n, 1 + n % {COURSES}, 1 + n % {SECTIONS}, 1 + (n * 7919) % {PEOPLE},
        case when n % 50 = 0 then 'TEACHER' else 'STUDENT' end, 'StudentEnrollment',
        case when n % 30 = 0 then 'COMPLETED' else 'ACTIVE' end, false, {{noon}}, {{noon}}, 'REPORT', {{noon}}
        from {{series}}"""),
    (MEMBERSHIPS, f"""insert into membership (institution_id, course_id, person_id, types, state, source, as_of)
        select $1, 1 + n % {COURSES}, 1 + (n * 7919) % {PEOPLE}, 'STUDENT', 'ACTIVE', 'NRPS', {{noon}} from {{series}}"""),
    (20_000, f"""insert into change (institution_id, position, at, kind, subject_type, subject_id, course_id, source)
        select $1, n, {{noon}}, case when n % 10 = 0 then 'CREATED' else 'UPDATED' end, 'Enrollment', n, 1 + n % {COURSES}, 'REPORT' from {{series}}"""),
]  # fmt: skip


async def fill(school: School) -> None:
    """Every table that is read, and what `analyze` tells the planner of them, as after an import."""

    async def work(tx: Transaction) -> None:
        for rows, sql in _FILLING:
            series = _SERIES[tx.dialect].format(rows=rows)
            await tx.run(sql.format(noon=_NOON, series=series), school.id)
        await tx.run("update institution set feed_position = 20000 where id = $1", school.id)
        if tx.dialect is Dialect.POSTGRES:  # SQLite notes by itself that ids are taken
            for table in ("account", "term", "course", "section", "person"):
                taken = f"(select max(id) from {table} where institution_id = $1)"
                await tx.rows(
                    f"select setval(pg_get_serial_sequence('{table}', 'id'), {taken})", school.id
                )
        await tx.run("analyze")

    await school.database.transact(work)


async def scanned(connections: Connections, sql: str, values: Any) -> set[str]:
    """The tables that would be read from end to end."""
    if connections.dialect is Dialect.SQLITE:
        names = {alias: table for table, alias in re.findall(r"(?:from|join) (\w+) (\w+)\b", sql)}
        plan = await connections.fetch(f"explain query plan {sql}", values)
        scans = [re.match(r"SCAN (\w+)", row[3]) for row in plan]
        return {names.get(found[1], "") for found in scans if found}
    ((text,),) = await connections.fetch(f"explain (format json) {sql}", values)
    return set(sequential(json.loads(text)[0]["Plan"]))


def sequential(plan: dict[str, Any]) -> list[str]:
    own = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return own + [name for below in plan.get("Plans", ()) for name in sequential(below)]
