"""Rows of change_sis_id: the same object under another SIS id (fact sheet sis-imports.md §5)."""

from typing import Any

from twin.records import Account, Course, Pseudonym, Section, Term
from twin.sis_batch import Importing, RowRejected
from twin.sis_files import Row
from twin.sis_places import CLEAR

KINDS: dict[str, tuple[type, str, str, str]] = {
    "user": (Pseudonym, "sis_user_id", "sis_user_id", "integration_id"),
    "course": (Course, "sis_course_id", "sis_source_id", "integration_id"),
    "section": (Section, "sis_section_id", "sis_source_id", "integration_id"),
    "term": (Term, "sis_term_id", "sis_source_id", "integration_id"),
    "account": (Account, "sis_account_id", "sis_source_id", "integration_id"),
}


def change_sis_id(importing: Importing, row: Row) -> None:
    school = importing.school
    kind = row.get("type") or ""
    if kind not in KINDS:
        raise RowRejected(f"Invalid type '{kind}' for change_sis_id")
    table, key, field, integration = KINDS[kind]
    old, old_integration = row.get("old_id"), row.get("old_integration_id")
    found: Any = school.find(table, key, old) if old else None
    if found is None and old_integration:
        found = school.find(table, "sis_integration_id", old_integration)
    if found is None:
        raise RowRejected(f"The old_id, {old or old_integration}, was not found for {kind}")
    changes: dict[str, Any] = {}
    if new := row.get("new_id"):
        if new != old and school.find(table, key, new) is not None:
            raise RowRejected(f"A new_id, '{new}', referenced an existing {kind}, skipping")
        changes[field] = new
    if new_integration := row.get("new_integration_id"):
        changes[integration] = None if new_integration == CLEAR else new_integration
    school.update(found, **changes)
    importing.touch(found)
