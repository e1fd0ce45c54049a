"""Whose rows a person sees, as conditions in SQL: one for each table, by which every way to a row is bounded.

Deny is the default: a way to a row that is not written here does not exist. People are seen through an enrollment or a
membership that is seen; a membership knows no section, so where a person's own sections cut a course it shows nobody who
is not seen through an enrollment as well.
"""

from collections.abc import Iterable
from typing import Protocol

from gateway.sight import COURSES, AccountSight, CourseSight, Sight
from gateway.uow import Dialect
from models.roster import ROSTER_STATES

_STAFF = "'TEACHER', 'TA', 'DESIGNER'"
_LIVING = ", ".join(f"'{state}'" for state in ROSTER_STATES)


class Statement(Protocol):
    dialect: Dialect

    def bind(self, value: object, sql_type: str | None = None) -> str: ...
    def any_of(self, expression: str, values: Iterable[object], sql_type: str) -> str: ...
    def alias(self) -> str: ...


def condition(statement: Statement, type_name: str, alias: str, sight: Sight) -> str:
    """Whether the row at `alias` is seen."""
    return _CONDITIONS[type_name](statement, alias, sight)


def _enrollment(statement: Statement, e: str, sight: Sight) -> str:
    ways = [_of_accounts(statement, f"{e}.course_id", sight, _with_roster(sight.accounts))]
    if sight.person_id is not None:
        readable = _any(statement, f"{e}.course_id", _ids(sight.courses))
        ways.append(f"{e}.person_id = {statement.bind(sight.person_id, 'bigint')} and {readable}")
    rosters = [one for one in sight.courses if one.roster]
    ways.append(_in_courses(statement, e, [one for one in rosters if one.full]))
    plain = _in_courses(statement, e, [one for one in rosters if not one.full])
    if plain:
        alive = f"{e}.removed_at is null and {e}.state in ({_LIVING})"
        ways.append(f"({plain}) and {alive} and {e}.type <> 'TEST_STUDENT'")
    for one in sight.courses:
        if one.observed and not one.roster:
            course = statement.bind(one.course_id, "bigint")
            observed = statement.any_of(f"{e}.person_id", sorted(one.observed), "bigint")
            ways.append(f"{e}.course_id = {course} and {observed} and {e}.removed_at is null")
    return _or(ways)


def _in_courses(statement: Statement, e: str, courses: list[CourseSight]) -> str:
    whole = [one.course_id for one in courses if one.sections is None]
    cut = [one for one in courses if one.sections is not None]
    ways = [_any(statement, f"{e}.course_id", whole)] if whole else []
    if cut:
        sections = sorted({section for one in cut for section in one.sections or ()})
        own = statement.any_of(f"{e}.section_id", sections, "bigint")
        staff = f"{e}.type in ({_STAFF}) and not {e}.limit_to_section"
        ways.append(f"{_any(statement, f'{e}.course_id', _ids(cut))} and ({own} or {staff})")
    return " or ".join(f"({way})" for way in ways)


def _membership(statement: Statement, m: str, sight: Sight) -> str:
    rosters = [one for one in sight.courses if one.roster]
    uncut = [one for one in rosters if one.sections is None]
    ways = [_of_accounts(statement, f"{m}.course_id", sight, _with_roster(sight.accounts))]
    if sight.person_id is not None:
        readable = _any(statement, f"{m}.course_id", _ids(sight.courses))
        ways.append(f"{m}.person_id = {statement.bind(sight.person_id, 'bigint')} and {readable}")
    full, plain = [o for o in uncut if o.full], [o for o in uncut if not o.full]
    ways.append(_any(statement, f"{m}.course_id", _ids(full)) if full else "")
    if plain:
        course = _any(statement, f"{m}.course_id", _ids(plain))
        ways.append(f"{course} and {m}.types <> 'TEST_STUDENT'")
    cut = [one for one in rosters if one.sections is not None]
    if cut:
        e = statement.alias()
        ways.append(
            f"exists (select 1 from enrollment {e} where {e}.institution_id = $1 and {e}.course_id = {m}.course_id"
            f" and {e}.person_id = {m}.person_id and ({_in_courses(statement, e, cut)}))"
        )
    return _or(ways)


def _person(statement: Statement, p: str, sight: Sight) -> str:
    if sight.everything:
        return "true"
    e, m = statement.alias(), statement.alias()
    enrolled = probe(
        statement,
        f"select 1 from enrollment {e} where {e}.institution_id = $1 and {e}.person_id = {p}.id"
        f" and {_enrollment(statement, e, sight)}",
    )
    member = probe(
        statement,
        f"select 1 from membership {m} where {m}.institution_id = $1 and {m}.person_id = {p}.id"
        f" and {m}.ended_at is null and {_membership(statement, m, sight)}",
    )
    if sight.person_id is None:
        return _or([enrolled, member])
    return _or([f"{p}.id = {statement.bind(sight.person_id, 'bigint')}", enrolled, member])


def probe(statement: Statement, select: str) -> str:
    """Whether `select`, which looks for one row by a key of the row outside, finds any.

    PostgreSQL would read its whole table once and hash it where it expects many rows outside, as of every list with a
    limit; an offset keeps it from that, so that an answer costs what its own rows cost.
    """
    barrier = " offset 0" if statement.dialect is Dialect.POSTGRES else ""
    return f"exists ({select}{barrier})"


def acquaintances(statement: Statement, sight: Sight) -> str | None:
    """A select of the ids of all people who may be seen, and of more; None: they are too many to begin with."""
    if sight.accounts:
        return None
    courses = [one.course_id for one in sight.courses]
    of_courses = [
        f"select {e}.person_id from {table} {e} where {e}.institution_id = $1"
        f" and {_any(statement, f'{e}.course_id', courses)}"
        for table, e in (("enrollment", statement.alias()), ("membership", statement.alias()))
    ]
    own = [] if sight.person_id is None else [f"select {statement.bind(sight.person_id, 'bigint')}"]
    return " union all ".join([*of_courses, *own])


def _course(statement: Statement, c: str, sight: Sight) -> str:
    return _in_seen_courses(statement, f"{c}.id", sight, account=f"{c}.account_id")


def _section(statement: Statement, s: str, sight: Sight) -> str:
    return _in_seen_courses(statement, f"{s}.course_id", sight)


def _in_seen_courses(
    statement: Statement, column: str, sight: Sight, *, account: str | None = None
) -> str:
    """`account`: the course's, where the row has it."""
    readable = [one.course_id for one in sight.courses if one.readable]
    accounts = [one for one in sight.accounts if one.rights & COURSES]
    return _or(
        [
            _any(statement, column, readable) if readable else "",
            _of_accounts(statement, column, sight, accounts, account=account),
        ]
    )


def _account(statement: Statement, a: str, sight: Sight) -> str:
    if any(one.accounts is None for one in sight.accounts):
        return "true"
    own = sorted({account for one in sight.accounts for account in one.accounts or ()})
    return _or(
        [
            _any(statement, f"{a}.id", own) if own else "",
            _of_a_seen_course(statement, f"{a}.id", "account_id", sight),
        ]
    )


def _term(statement: Statement, t: str, sight: Sight) -> str:
    return _of_a_seen_course(statement, f"{t}.id", "term_id", sight)


def _of_a_seen_course(statement: Statement, column: str, of: str, sight: Sight) -> str:
    if any(one.accounts is None and one.rights & COURSES for one in sight.accounts):
        return "true"
    c = statement.alias()
    return probe(
        statement,
        f"select 1 from course {c} where {c}.institution_id = $1 and {c}.{of} = {column}"
        f" and {_course(statement, c, sight)}",
    )


def _operators(_statement: Statement, _alias: str, sight: Sight) -> str:
    """Runs and conflicts are the business of those who run the whole institution."""
    return "true" if sight.everything else "false"


_CONDITIONS = {
    "Account": _account,
    "Term": _term,
    "Course": _course,
    "Section": _section,
    "User": _person,
    "Enrollment": _enrollment,
    "Membership": _membership,
    "SyncRun": _operators,
    "IdentityConflict": _operators,
}


def _with_roster(accounts: Iterable[AccountSight]) -> list[AccountSight]:
    return [one for one in accounts if one.roster]


def _of_accounts(
    statement: Statement,
    column: str,
    sight: Sight,
    accounts: list[AccountSight],
    *,
    account: str | None = None,
) -> str:
    """Whether the course stands in one of the accounts, and the person's own sections do not cut it.

    Canvas tests the cut before admin rights (enrollments-api.md §2.2).
    """
    if not accounts:
        return ""
    cut = [one.course_id for one in sight.courses if one.sections is not None]
    uncut = f" and not {_any(statement, column, cut)}" if cut else ""
    if any(one.accounts is None for one in accounts):
        return f"true{uncut}"
    below = sorted({account for one in accounts for account in one.accounts or ()})
    if account is not None:
        return f"{statement.any_of(account, below, 'bigint')}{uncut}"
    c = statement.alias()
    held = statement.any_of(f"{c}.account_id", below, "bigint")
    return f"{column} in (select {c}.id from course {c} where {c}.institution_id = $1 and {held}){uncut}"


def _ids(courses: Iterable[CourseSight]) -> list[int]:
    return sorted(one.course_id for one in courses if one.readable)


def _any(statement: Statement, expression: str, ids: Iterable[int]) -> str:
    return statement.any_of(expression, ids, "bigint")


def _or(ways: Iterable[str]) -> str:
    written = [f"({way})" for way in ways if way]
    return f"({' or '.join(written)})" if written else "false"
