"""Rows of accounts, terms, courses, sections and cross-lists (fact sheet sis-imports.md §5, §6)."""

from datetime import datetime
from typing import Any

from twin.changes import (
    conclude_course,
    crosslist,
    delete_course,
    delete_section,
    publish_course,
    uncrosslist,
)
from twin.making import make_account, make_course, make_section, make_term
from twin.params import parse_time
from twin.records import Account, Course, Section, Term
from twin.sis_batch import Importing, RowRejected, status_word
from twin.sis_files import Row

LIFE = ("active", "deleted")
COURSE_STATUSES = ("active", "deleted", "completed", "published", "unpublished")
COURSE_FORMATS = {"on_campus", "online", "blended"}
CLEAR = "<delete>"


def account(importing: Importing, row: Row) -> None:
    school = importing.school
    sis_id = _required(row, "account_id", "No account_id given for an account")
    parent = school.root
    if parent_id := row.get("parent_account_id"):
        found = school.find(Account, "sis_account_id", parent_id)
        if found is None:
            raise RowRejected(f"Parent account didn't exist for {sis_id}")
        parent = found
    status = status_word(row.get("status"), LIFE)
    if status is None:
        raise RowRejected(f'Improper status "{row.get("status") or ""}" for account {sis_id}')
    made = school.find(Account, "sis_account_id", sis_id)
    if made is None:
        name = _required(row, "name", f"No name given for account {sis_id}")
        made = make_account(school, name, parent.id, sis_source_id=sis_id)
    changes: dict[str, Any] = {"parent_id": parent.id, "workflow_state": status}
    _given(changes, row, name="name", integration_id="integration_id")
    importing.set(made, ("name", "parent_id", "workflow_state"), **changes)
    importing.touch(made)


def term(importing: Importing, row: Row) -> None:
    """A row with `date_override_enrollment_type` sets the dates of one enrollment type only."""
    school = importing.school
    sis_id = _required(row, "term_id", "No term_id given for a term")
    status = status_word(row.get("status"), LIFE)
    if status is None:
        raise RowRejected(f'Improper status "{row.get("status") or ""}" for term {sis_id}')
    made = school.find(Term, "sis_term_id", sis_id)
    start_at, end_at = (_date(importing, row, name, f"term {sis_id}") for name in DATE_COLUMNS)
    if kind := row.get("date_override_enrollment_type"):
        if made is None:
            raise RowRejected(f"Term {sis_id} referenced by an override doesn't exist")
        overrides = {name: dates for name, dates in made.overrides.items() if name != kind}
        if status == "active":
            overrides[kind] = (start_at, end_at)
        school.update(made, overrides=overrides)
    else:
        name = _required(row, "name", f"No name given for term {sis_id}")
        made = made or make_term(school, name, sis_source_id=sis_id)
        changes = {"name": name, "workflow_state": status, "start_at": start_at, "end_at": end_at}
        _given(changes, row, integration_id="integration_id")
        importing.set(made, ("name", "workflow_state", "start_at", "end_at"), **changes)
    importing.touch(made)


DATE_COLUMNS = ("start_date", "end_date")


def course(importing: Importing, row: Row) -> None:
    school = importing.school
    sis_id = _required(row, "course_id", "No course_id given for a course")
    status = status_word(row.get("status"), COURSE_STATUSES)
    if status is None:
        raise RowRejected(f'Improper status "{row.get("status") or ""}" for course {sis_id}')
    where = _course_place(importing, row)
    made = school.find(Course, "sis_course_id", sis_id)
    if made is None:
        code = _required(row, "short_name", f"No short_name given for course {sis_id}")
        name = _required(row, "long_name", f"No long_name given for course {sis_id}")
        made = make_course(
            school,
            name,
            where.get("account", school.root),
            where.get("term"),
            course_code=code,
            sis_source_id=sis_id,
            workflow_state="created",
        )
    changes: dict[str, Any] = {f"{kind}_id": place.id for kind, place in where.items()}
    _given(
        changes,
        row,
        course_code="short_name",
        name="long_name",
        integration_id="integration_id",
        friendly_name="friendly_name",
        grade_passback_setting="grade_passback_setting",
    )
    if row.get("course_format") in COURSE_FORMATS:
        changes["course_format"] = row["course_format"]
    changes |= _course_dates(importing, row, made, sis_id) | _blueprint(importing, row, sis_id)
    importing.set(made, COURSE_STICKY, **changes)
    _course_state(importing, made, status)
    importing.touch(made)


COURSE_STICKY = (
    "course_code",
    "name",
    "account_id",
    "term_id",
    "start_at",
    "end_at",
    "grade_passback_setting",
    "workflow_state",
)


def _course_place(importing: Importing, row: Row) -> dict[str, Any]:
    """Find account and term where the row names them; unknown ones are left out in silence."""
    school = importing.school
    found: dict[str, Any] = {}
    if account_id := row.get("account_id"):
        found["account"] = school.find(Account, "sis_account_id", account_id)
    if term_id := row.get("term_id"):
        found["term"] = school.find(Term, "sis_term_id", term_id)
    return {kind: place for kind, place in found.items() if place is not None}


def _course_dates(importing: Importing, row: Row, made: Course, sis_id: str) -> dict[str, Any]:
    """Empty keeps a date and `<delete>` clears it; a date of its own restricts the course to it."""
    dates = {"start_at": made.start_at, "end_at": made.end_at}
    for name, column in zip(dates, DATE_COLUMNS, strict=True):
        if row.get(column) == CLEAR:
            dates[name] = None
        elif row.get(column):
            dates[name] = _date(importing, row, column, f"course {sis_id}")
    if any(row.get(column) for column in DATE_COLUMNS):
        return {**dates, "restrict_enrollments_to_course_dates": any(dates.values())}
    return {}


def _blueprint(importing: Importing, row: Row, sis_id: str) -> dict[str, Any]:
    blueprint_id = row.get("blueprint_course_id")
    if not blueprint_id:
        return {}
    if blueprint_id == "dissociate":
        return {"blueprint_course_id": None}
    blueprint = importing.school.find(Course, "sis_course_id", blueprint_id)
    if blueprint is None or not blueprint.blueprint:
        importing.warn(f'Unknown blueprint course "{blueprint_id}" for course "{sis_id}"')
        return {}
    return {"blueprint_course_id": blueprint.id}


def _course_state(importing: Importing, made: Course, status: str) -> None:
    """An imported `active` course stays unpublished until somebody publishes it."""
    stuck = "workflow_state" in made.stuck and not importing.options.override_sis_stickiness
    if stuck:
        return
    school, state = importing.school, made.workflow_state
    if status == "deleted" and state != "deleted":
        delete_course(school, made)
    elif status == "completed" and state != "completed":
        conclude_course(school, made)
    elif status == "published" and state != "available":
        publish_course(school, made)
    elif status == "unpublished" or (status == "active" and state in {"created", "deleted"}):
        school.update(made, workflow_state="claimed")
    elif status == "active" and state == "completed":
        school.update(made, workflow_state="available")


def section(importing: Importing, row: Row) -> None:
    school = importing.school
    sis_id = _required(row, "section_id", "No section_id given for a section")
    course_id = _required(row, "course_id", f"No course_id given for a section {sis_id}")
    name = _required(row, "name", f"No name given for section {sis_id} in course {course_id}")
    status = status_word(row.get("status"), LIFE)
    if status is None:
        text = row.get("status") or ""
        raise RowRejected(f'Improper status "{text}" for section {sis_id} in course {course_id}')
    home = school.find(Course, "sis_course_id", course_id)
    if home is None:
        raise RowRejected(f"Section {sis_id} references course {course_id} which doesn't exist")
    made = school.find(Section, "sis_section_id", sis_id)
    made = made or make_section(school, home, name, sis_source_id=sis_id)
    start_at, end_at = (
        _date(importing, row, column, f"section {sis_id}") for column in DATE_COLUMNS
    )
    changes: dict[str, Any] = {"name": name, "start_at": start_at, "end_at": end_at}
    changes["restrict_enrollments_to_section_dates"] = bool(start_at or end_at)
    _given(changes, row, integration_id="integration_id")
    importing.set(made, ("name", "start_at", "end_at"), **changes)
    _move_home(importing, made, home)
    if status == "deleted" and made.workflow_state != "deleted":
        delete_section(school, made)
    elif status == "active":
        school.update(made, workflow_state="active")
    importing.touch(made)


def _move_home(importing: Importing, made: Section, home: Course) -> None:
    """A section file names the course of origin, and leaves a cross-listed section where it is."""
    stuck = "course_id" in made.stuck and not importing.options.override_sis_stickiness
    if stuck or home.id in {made.course_id, made.nonxlist_course_id}:
        return
    school = importing.school
    if made.nonxlist_course_id is not None:
        school.update(made, nonxlist_course_id=home.id)
    else:
        crosslist(school, made, home)
        school.update(made, nonxlist_course_id=None)


def xlist(importing: Importing, row: Row) -> None:
    school = importing.school
    target_id = _required(row, "xlist_course_id", "No xlist_course_id given for a cross-listing")
    section_id = _required(row, "section_id", "No section_id given for a cross-listing")
    status = row.get("status")
    if status not in LIFE:
        raise RowRejected(f'Improper status "{status or ""}" for a cross-listing')
    moved = school.find(Section, "sis_section_id", section_id)
    if moved is None:
        raise RowRejected(f"A cross-listing referenced a non-existent section {section_id}")
    if status == "deleted":
        uncrosslist(school, moved)
    else:
        target = school.find(Course, "sis_course_id", target_id) or _like(
            importing, moved, target_id
        )
        if target.workflow_state == "deleted":
            school.update(target, workflow_state="claimed")
        crosslist(school, moved, target)
    importing.touch(moved)


def _like(importing: Importing, moved: Section, sis_id: str) -> Course:
    """Make the course of a cross-listing that names an unknown one, after the section's own."""
    school = importing.school
    origin = school.courses[moved.course_id]
    return make_course(
        school,
        origin.name,
        school.accounts[origin.account_id],
        school.terms[origin.term_id],
        course_code=origin.course_code,
        sis_source_id=sis_id,
        sis_batch_id=importing.batch.id,
        workflow_state="claimed",
    )


def _required(row: Row, name: str, message: str) -> str:
    value = row.get(name)
    if not value:
        raise RowRejected(message)
    return value


def _given(changes: dict[str, Any], row: Row, **columns: str) -> None:
    """Take over what the row gives; a blank cell means not given."""
    for field, column in columns.items():
        if (value := row.get(column)) is not None:
            changes[field] = value


def _date(importing: Importing, row: Row, column: str, what: str) -> datetime | None:
    text = row.get(column)
    at = parse_time(text)
    if text and at is None:
        importing.warn(f"Bad date format for {what}")
    return at
