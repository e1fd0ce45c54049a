"""The headers of both roster reports and the text of their files (fact sheet reports.md §4).

P is `provisioning_csv`, S is `sis_export_csv`: S takes some of P's columns and fewer of its rows.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

Cell: TypeAlias = str | int | bool | None

PROVISIONING = "provisioning_csv"
SIS_EXPORT = "sis_export_csv"

# Square brackets mark columns that the school's settings add.
HEADERS: dict[str, dict[str, str]] = {
    PROVISIONING: {
        "users": "canvas_user_id,user_id,integration_id,authentication_provider_id,login_id,"
        "first_name,last_name,full_name,sortable_name,short_name,email,status,created_by_sis,"
        "[pronouns],[uuid]",
        "accounts": "canvas_account_id,account_id,canvas_parent_id,parent_account_id,name,status,"
        "created_by_sis",
        "terms": "canvas_term_id,term_id,name,status,start_date,end_date,created_by_sis",
        "courses": "canvas_course_id,course_id,integration_id,short_name,long_name,"
        "canvas_account_id,account_id,canvas_term_id,term_id,status,start_date,end_date,"
        "course_format,canvas_blueprint_course_id,blueprint_course_id,created_by_sis",
        "sections": "canvas_section_id,section_id,canvas_course_id,course_id,integration_id,name,"
        "status,start_date,end_date,canvas_account_id,account_id,created_by_sis",
        "enrollments": "canvas_course_id,course_id,canvas_user_id,user_id,role,role_id,"
        "canvas_section_id,section_id,status,canvas_associated_user_id,associated_user_id,"
        "created_by_sis,base_role_type,limit_section_privileges,canvas_enrollment_id,"
        "[canvas_temporary_enrollment_source_user_id],[root_account]",
        "groups": "canvas_group_id,group_id,canvas_group_category_id,group_category_id,"
        "canvas_account_id,account_id,canvas_course_id,course_id,name,status,created_by_sis,"
        "context_id,context_type,max_membership",
        "group_membership": "canvas_group_id,group_id,canvas_user_id,user_id,status,created_by_sis",
        "group_categories": "canvas_group_category_id,group_category_id,context_id,context_type,"
        "name,role,self_signup,group_limit,auto_leader,status",
        "xlist": "canvas_xlist_course_id,xlist_course_id,canvas_section_id,section_id,status,"
        "canvas_nonxlist_course_id,nonxlist_course_id",
        "user_observers": "canvas_observer_id,observer_id,canvas_student_id,student_id,status,"
        "created_by_sis",
        "admins": "admin_user_name,canvas_user_id,user_id,canvas_account_id,account_id,role_id,"
        "role,status,created_by_sis,[root_account]",
        "institutional_tag_categories": "",
        "institutional_tags": "",
        "institutional_tag_associations": "",
    },
    SIS_EXPORT: {
        "users": "user_id,integration_id,authentication_provider_id,login_id,password,first_name,"
        "last_name,full_name,sortable_name,short_name,email,status,[pronouns]",
        "accounts": "account_id,parent_account_id,name,status",
        "terms": "term_id,name,status,start_date,end_date",
        "courses": "course_id,integration_id,short_name,long_name,account_id,term_id,status,"
        "start_date,end_date,course_format,blueprint_course_id",
        "sections": "section_id,course_id,integration_id,name,status,start_date,end_date",
        "enrollments": "course_id,user_id,role,role_id,section_id,status,associated_user_id,"
        "limit_section_privileges,[temporary_enrollment_source_user_id],[root_account]",
        "groups": "group_id,group_category_id,account_id,course_id,name,status",
        "group_membership": "group_id,user_id,status",
        "group_categories": "group_category_id,account_id,course_id,category_name,status",
        "xlist": "xlist_course_id,section_id,status",
        "user_observers": "observer_id,student_id,status",
        "admins": "user_id,account_id,role_id,role,status,[root_account]",
        "institutional_tag_categories": "",
        "institutional_tags": "",
        "institutional_tag_associations": "",
    },
}
FILES = tuple(HEADERS[PROVISIONING])
TAG_FILES = frozenset(name for name in FILES if name.startswith("institutional_tag"))


def columns(report: str, file: str, extra: frozenset[str]) -> list[str]:
    """Name the columns of a file; those in brackets only where `extra` has them."""
    names = HEADERS[report][file].split(",")
    return [name.strip("[]") for name in names if name[:1] != "[" or name.strip("[]") in extra]


def lines(header: Iterable[Cell], rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    yield line(header)
    for row in rows:
        yield line(row)


def line(cells: Iterable[Cell]) -> str:
    return ",".join(map(cell, cells)) + "\n"


def cell(value: Cell) -> str:
    """Write NULL as nothing, a stored empty text as `""`, and quote only where it is needed."""
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if not value:
        return '""'
    if '"' in value or "," in value or "\n" in value or "\r" in value or value[0] == " ":
        return '"' + value.replace('"', '""') + '"'
    return value
