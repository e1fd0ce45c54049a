"""Small reports, written as Canvas writes them: rows say what matters to a test, the rest is filled in."""

import csv
import os
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path

from bench.generate_report import HEADERS, SIS_HEADERS

Row = Mapping[str, object]

USER = {"status": "active", "created_by_sis": "true", "authentication_provider_id": "12"}
ENROLLMENT = {
    "canvas_course_id": 501,
    "canvas_section_id": 701,
    "role": "student",
    "role_id": 3,
    "status": "active",
    "base_role_type": "StudentEnrollment",
    "limit_section_privileges": "false",
}
SIS_ENROLLMENT = {
    "role": "student",
    "role_id": 3,
    "status": "active",
    "limit_section_privileges": "false",
}
DEFAULTS: dict[str, dict[str, object]] = {
    "users": dict(USER),
    "accounts": {"status": "active"},
    "terms": {"status": "active"},
    "courses": {"status": "active"},
    "sections": {"status": "active"},
    "xlist": {"status": "active"},
    "user_observers": {"status": "active"},
}


def user(canvas_id: int, name: str, **more: object) -> Row:
    given, _, family = name.partition(" ")
    return {
        "canvas_user_id": canvas_id,
        "user_id": f"U{canvas_id}",
        "login_id": name.lower().replace(" ", "."),
        "first_name": given,
        "last_name": family,
        "full_name": name,
        "sortable_name": f"{family}, {given}",
        "short_name": given,
        "email": f"{name.lower().replace(' ', '.')}@example.edu",
        "uuid": f"uuid-{canvas_id}",
        **more,
    }


def enrollment(canvas_id: int | str, user_id: int | str, **more: object) -> Row:
    return {"canvas_enrollment_id": canvas_id, "canvas_user_id": user_id, **more}


def csv_text(
    name: str, rows: Sequence[Row], *, sis: bool = False, columns: Sequence[str] | None = None
) -> str:
    """The file; `columns` chooses and orders others than Canvas writes."""
    headers = list(columns or (SIS_HEADERS if sis else HEADERS)[name].split(","))
    enrollment_defaults = SIS_ENROLLMENT if sis else ENROLLMENT
    defaults = enrollment_defaults if name == "enrollments" else DEFAULTS[name]
    out = StringIO()
    writer = csv.DictWriter(out, headers, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**defaults, **row} for row in rows)
    return out.getvalue()


def zipped(
    path: Path, files: Mapping[str, str | bytes], *, written_at: datetime | None = None
) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=zipfile.ZIP_DEFLATED)
    return dated(path, written_at)


Files = Mapping[str, Sequence[Row]]


def report(
    path: Path,
    files: Files | None = None,
    *,
    sis: bool = False,
    written_at: datetime | None = None,
    **more: Sequence[Row],
) -> Path:
    """A zip of the named files."""
    files = {**(files or {}), **more}
    content = {f"{name}.csv": csv_text(name, rows, sis=sis) for name, rows in files.items()}
    return zipped(path, content, written_at=written_at)


def dated(path: Path, written_at: datetime | None) -> Path:
    if written_at is not None:
        os.utime(path, (written_at.timestamp(), written_at.timestamp()))
    return path
