"""The report files on accounts, terms, courses, sections and cross-lists.

Fact sheet reports.md §4.3 to §4.6 and §4.9.
"""

from collections.abc import Iterator
from datetime import timedelta

from twin.records import Account, Course, Section, Term
from twin.report_extract import Cells, Extract

REMEMBERED = timedelta(days=120)  # a deleted course without SIS id leaves the report after this
COURSE_WORDS = {
    "created": "unpublished",
    "claimed": "unpublished",
    "available": "active",
    "completed": "concluded",
}


def accounts(extract: Extract) -> Iterator[Cells]:
    """Every account that has a parent; of a sub-account, its direct children only."""
    everywhere = list(extract.school.accounts.values())
    children = list(extract.school.accounts_of_parent.of(extract.account.id))
    for account in everywhere if extract.whole else children:
        if account.parent_id is None or not _shown(extract, account):
            continue
        parent = extract.school.accounts[account.parent_id]
        yield {
            "canvas_account_id": account.id,
            "account_id": account.sis_source_id,
            "canvas_parent_id": parent.id,
            "parent_account_id": parent.sis_source_id,
            "name": account.name,
            "status": account.workflow_state,
            "created_by_sis": account.sis_batch_id is not None,
        }


def terms(extract: Extract) -> Iterator[Cells]:
    """All terms of the root account, whichever account was asked."""
    for term in list(extract.school.terms.values()):
        if _shown(extract, term):
            yield {
                "canvas_term_id": term.id,
                "term_id": term.sis_source_id,
                "name": term.name,
                "status": term.workflow_state,
                "start_date": extract.date(term.start_at),
                "end_date": extract.date(term.end_at),
                "created_by_sis": term.sis_batch_id is not None,
            }


def _shown(extract: Extract, row: Account | Term) -> bool:
    living = row.workflow_state != "deleted" or extract.wanted.include_deleted
    named = row.sis_source_id is not None or not extract.sis
    return living and named and extract.keeps(row.sis_batch_id)


def courses(extract: Extract) -> Iterator[Cells]:
    for course in list(extract.school.courses.values()):
        if (
            extract.in_scope(course)
            and _course_shown(extract, course)
            and (course.sis_source_id or not extract.sis)
            and extract.keeps(course.sis_batch_id)
        ):
            yield _course_cells(extract, course)


def _course_shown(extract: Extract, course: Course) -> bool:
    """Leave out deleted and hard-concluded courses, and even when asked, old deleted ones."""
    if not extract.wanted.include_deleted:
        return course.workflow_state not in {"deleted", "completed"}
    recent = extract.now - course.updated_at <= REMEMBERED
    return course.workflow_state != "deleted" or course.sis_source_id is not None or recent


def _course_cells(extract: Extract, course: Course) -> Cells:
    school = extract.school
    account, term = school.accounts[course.account_id], school.terms[course.term_id]
    blueprint = school.courses.get(course.blueprint_course_id or 0)
    own_dates = course.restrict_enrollments_to_course_dates
    return {
        "canvas_course_id": course.id,
        "course_id": course.sis_source_id,
        "integration_id": course.integration_id,
        "short_name": course.course_code,
        "long_name": course.name,
        "canvas_account_id": account.id,
        "account_id": account.sis_source_id,
        "canvas_term_id": term.id,
        "term_id": term.sis_source_id,
        "status": _course_status(extract, course),
        "start_date": extract.date(course.start_at) if own_dates else None,
        "end_date": extract.date(course.end_at) if own_dates else None,
        "course_format": course.course_format,
        "canvas_blueprint_course_id": blueprint.id if blueprint else None,
        "blueprint_course_id": blueprint.sis_source_id if blueprint else None,
        "created_by_sis": course.sis_batch_id is not None,
    }


def _course_status(extract: Extract, course: Course) -> str:
    state = course.workflow_state
    if extract.sis:
        return state if state in {"completed", "deleted"} else "active"
    return COURSE_WORDS.get(state, state)


def sections(extract: Extract) -> Iterator[Cells]:
    for section in list(extract.school.sections.values()):
        course = extract.school.courses[section.course_id]
        if (
            extract.in_scope(course)
            and _section_shown(extract, section, course)
            and extract.keeps(section.sis_batch_id)
        ):
            yield _section_cells(extract, section, course)


def _section_shown(extract: Extract, section: Section, course: Course) -> bool:
    if extract.sis and not (section.sis_source_id and course.sis_source_id):
        return False
    if "deleted" not in {section.workflow_state, course.workflow_state}:
        return True
    return extract.wanted.include_deleted and section.sis_source_id is not None


def _section_cells(extract: Extract, section: Section, course: Course) -> Cells:
    school = extract.school
    account = school.accounts[course.account_id]
    if not school.options.newest_exporter and section.nonxlist_course_id:
        course = school.courses[section.nonxlist_course_id]  # older ones print the course of origin
    own_dates = section.restrict_enrollments_to_section_dates
    return {
        "canvas_section_id": section.id,
        "section_id": section.sis_source_id,
        "canvas_course_id": course.id,
        "course_id": course.sis_source_id,
        "integration_id": section.integration_id,
        "name": section.name,
        "status": section.workflow_state,
        "start_date": extract.date(section.start_at) if own_dates else None,
        "end_date": extract.date(section.end_at) if own_dates else None,
        "canvas_account_id": account.id,
        "account_id": account.sis_source_id,
        "created_by_sis": section.sis_batch_id is not None,
    }


def xlist(extract: Extract) -> Iterator[Cells]:
    courses_by_id = extract.school.courses
    for section in list(extract.school.sections.values()):
        target = courses_by_id[section.course_id]
        if section.nonxlist_course_id is None or not extract.in_scope(target):
            continue
        home = courses_by_id[section.nonxlist_course_id]
        over = section.workflow_state == "deleted" or target.workflow_state in {
            "deleted",
            "completed",
        }
        named = section.sis_source_id and target.sis_source_id
        if (extract.wanted.include_deleted or not over) and (named or not extract.sis):
            yield {
                "canvas_xlist_course_id": target.id,
                "xlist_course_id": target.sis_source_id,
                "canvas_section_id": section.id,
                "section_id": section.sis_source_id,
                "status": section.workflow_state,
                "canvas_nonxlist_course_id": home.id,
                "nonxlist_course_id": home.sis_source_id,
            }


PLACES = {
    "accounts": accounts,
    "terms": terms,
    "courses": courses,
    "sections": sections,
    "xlist": xlist,
}
