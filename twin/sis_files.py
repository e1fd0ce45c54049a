"""Unpacks a SIS upload into recognised CSV files (fact sheet sis-imports.md §2, §5 and §6)."""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeAlias

Row: TypeAlias = dict[str, str | None]

# Rows of later types refer to objects of earlier ones, so the order of files never matters (§3).
# A header belongs to the first type whose columns it has: each group needs one of its members.
IMPORTERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "change_sis_id": (("old_id", "old_integration_id"), ("new_id", "new_integration_id")),
    "account": (("account_id",), ("parent_account_id",)),
    "term": (("term_id",), ("name",)),
    "abstract_course": (("abstract_course_id",), ("short_name",)),
    "course": (("course_id",), ("short_name",)),
    "section": (("section_id",), ("name",)),
    "xlist": (("xlist_course_id",), ("section_id",)),
    "login": (
        ("user_id",),
        ("login_id",),
        ("existing_user_id", "existing_integration_id", "existing_canvas_user_id"),
    ),
    "user": (("user_id",), ("login_id",)),
    "enrollment": (("course_id", "section_id"), ("user_id", "user_integration_id")),
    "admin": (("user_id",), ("account_id",)),
    "group_category": (("group_category_id",), ("category_name",)),
    "group": (("group_id",), ("name",)),
    "group_membership": (("group_id",), ("user_id",)),
    "grade_publishing_results": (("enrollment_id",), ("grade_publishing_status",)),
    "user_observer": (("observer_id",), ("student_id",)),
}
COUNTS = {
    "change_sis_id": "change_sis_ids",
    "account": "accounts",
    "term": "terms",
    "abstract_course": "abstract_courses",
    "course": "courses",
    "section": "sections",
    "xlist": "xlists",
    "login": "logins",
    "user": "users",
    "enrollment": "enrollments",
    "admin": "admins",
    "group_category": "group_categories",
    "group": "groups",
    "group_membership": "group_memberships",
    "grade_publishing_results": "grade_publishing_results",
    "user_observer": "user_observers",
}
LARGEST_RATIO = 100  # a zip may unpack to at most 100 times its size
LARGEST_UNPACKED = 50 * 2**30

# What Ruby's CSV takes for well-formed: a quote opens a cell or is doubled inside one.
_CELL = re.compile(r'(?:"(?:[^"]|"")*"|[^",\r\n]*)(?:,|\r\n|\r|\n|\Z)')


class UnusableUpload(Exception):
    """The upload cannot even be opened: the import fails before anything is read."""


@dataclass(slots=True)
class SisFile:
    """One CSV of the upload; `problem` is why the whole file fails."""

    name: str
    kind: str = ""
    header: list[str] = field(default_factory=list)
    rows: list[tuple[int, Row]] = field(default_factory=list)
    problem: str = ""
    size: int = 0

    @property
    def text(self) -> str:
        """The file as Canvas would keep it for download, users without their passwords."""
        secret = {"password", "ssha_password"} if self.kind in {"user", "login"} else set()
        shown = [name for name in self.header if name not in secret]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(shown)
        writer.writerows([row.get(name) for name in shown] for _, row in self.rows)
        return out.getvalue()


@dataclass(slots=True)
class Upload:
    files: list[SisFile]
    unknown: list[str]  # members that are no CSV, each worth a warning

    @property
    def kinds(self) -> list[str]:
        found = {file.kind for file in self.files if file.kind}
        return [kind for kind in IMPORTERS if kind in found]

    def in_order(self) -> Iterator[SisFile]:
        for kind in IMPORTERS:
            yield from (file for file in self.files if file.kind == kind)


def unpack(content: bytes, extension: str, name: str) -> Upload:
    if extension == "csv":
        return Upload([read_file(name, content)], [])
    if extension != "zip":
        return Upload([], [name])
    files, unknown = [], []
    for member, data in _members(content):
        if member.lower().endswith(".csv"):
            files.append(read_file(PurePosixPath(member).name, data))
        else:
            unknown.append(PurePosixPath(member).name)
    return Upload(files, unknown)


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [info for info in archive.infolist() if not _ignored(info)]
            unpacked = sum(info.file_size for info in members)
            if unpacked > min(LARGEST_UNPACKED, LARGEST_RATIO * len(content)):
                raise UnusableUpload("zip file is too large when unpacked")
            for info in members:
                yield info.filename, archive.read(info)
    except zipfile.BadZipFile as error:
        raise UnusableUpload(f"zip file is unreadable: {error}") from error


def _ignored(info: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(info.filename).parts
    return info.is_dir() or "__MACOSX" in parts or any(part.startswith(".") for part in parts)


def read_file(name: str, content: bytes) -> SisFile:
    file = SisFile(name, size=len(content))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        file.problem = "Invalid UTF-8"
        return file
    if not _well_formed(text):
        file.problem = "Malformed CSV"
        return file
    lines = csv.reader(io.StringIO(text, newline=""))
    file.header = [cell.strip().lower() for cell in next(lines, [])]
    file.kind = recognise(file.header)
    if not file.kind:
        file.problem = "Couldn't find Canvas CSV import headers"
        return file
    file.rows = list(_rows(file.header, lines))
    return file


def _well_formed(text: str) -> bool:
    if '"' not in text:
        return True
    at = 0
    while at < len(text):
        cell = _CELL.match(text, at)
        if cell is None:
            return False
        at = cell.end()
    return True


def recognise(header: Iterable[str]) -> str:
    """Tell the type of a file by its header alone: its name says nothing."""
    names = set(header)
    for kind, groups in IMPORTERS.items():
        if all(names.intersection(group) for group in groups):
            return kind
    return ""


def _rows(header: Sequence[str], lines: Iterable[list[str]]) -> Iterator[tuple[int, Row]]:
    """Rows with their number (the header is row 1); blank cells are None, blank rows are skipped."""
    for number, cells in enumerate(lines, start=2):
        values = [cell.strip() or None for cell in cells]
        if any(values):
            padded = values + [None] * (len(header) - len(values))
            yield number, dict(zip(header, padded, strict=False))
