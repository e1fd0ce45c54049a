"""Compares an upload with the one before it (fact sheet sis-imports.md §7, diffing).

Files are compared with files and never with the school, so that what changed in Canvas in between
is neither seen nor repaired.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from twin.sis_files import Row, SisFile, Upload

KEYS: dict[str, tuple[str, ...]] = {
    "change_sis_id": ("old_id", "new_id", "old_integration_id", "new_integration_id"),
    "account": ("account_id",),
    "term": ("term_id",),
    "abstract_course": ("abstract_course_id",),
    "course": ("course_id",),
    "section": ("section_id",),
    "xlist": ("xlist_course_id", "section_id"),
    "login": ("user_id", "login_id"),
    "user": ("user_id",),
    "enrollment": (
        "course_id",
        "section_id",
        "user_id",
        "user_integration_id",
        "role",
        "role_id",
        "associated_user_id",
        "temporary_enrollment_source_user_id",
    ),
    "admin": ("user_id", "account_id", "role_id", "role"),
    "group_category": ("group_category_id",),
    "group": ("group_id",),
    "group_membership": ("group_id", "user_id"),
    "user_observer": ("observer_id", "student_id"),
}
WITHOUT_STATUS = {"change_sis_id", "login", "abstract_course", "grade_publishing_results"}


@dataclass(frozen=True, slots=True)
class DiffOptions:
    drop_status: str = "deleted"
    user_remove_status: str = "deleted"
    change_threshold: float | None = None  # percent of difference in file size
    row_count_threshold: int | None = None

    def removal(self, kind: str) -> str:
        if kind == "enrollment":
            return self.drop_status
        return self.user_remove_status if kind == "user" else "deleted"


@dataclass(slots=True)
class Diff:
    """What is to be applied instead of the upload; `exceeded` means the upload itself, undiffed."""

    upload: Upload
    warnings: list[tuple[str, str]] = field(default_factory=list)  # file, message
    exceeded: bool = False

    @property
    def empty(self) -> bool:
        return not any(file.rows for file in self.upload.files)


def diff(previous: Upload, current: Upload, options: DiffOptions) -> Diff:
    result = Diff(Upload([], current.unknown))
    for kind in current.kinds:
        now = [file for file in current.files if file.kind == kind]
        pairs = _pairs([file for file in previous.files if file.kind == kind], now)
        if pairs is None:
            message = (
                f"Unable to perform diffing against mismatched previous and current {kind} imports"
            )
            result.warnings.append((now[0].name, message))
            result.upload.files.extend(now)
            continue
        for old, new in pairs:
            _add(result, old, new, options)
    result.upload.files.extend(file for file in current.files if not file.kind)
    if result.exceeded:
        result.upload = current
    return result


def _pairs(old: list[SisFile], new: list[SisFile]) -> list[tuple[SisFile, SisFile]] | None:
    """Match files of one type: one with one, several by name, or not at all."""
    if len(old) == len(new) == 1:
        return [(old[0], new[0])]
    by_name = {file.name: file for file in old}
    if set(by_name) != {file.name for file in new}:
        return None
    return [(by_name[file.name], file) for file in new]


def _add(result: Diff, old: SisFile, new: SisFile, options: DiffOptions) -> None:
    rows = list(_changes(old, new, options))
    if _over(old, new, len(rows), options):
        result.exceeded = True
        message = "Diffing not performed because file size difference exceeded threshold"
        result.warnings.append((new.name, message))
        return
    header = list(dict.fromkeys([*new.header, *(["status"] if new.kind in KEYS else [])]))
    numbered = list(enumerate(rows, start=2))
    result.upload.files.append(SisFile(new.name, new.kind, header, numbered, size=new.size))


def _over(old: SisFile, new: SisFile, rows: int, options: DiffOptions) -> bool:
    if options.row_count_threshold is not None and rows > options.row_count_threshold:
        return True
    if options.change_threshold is None:
        return False
    difference = abs(new.size - old.size) / max(old.size, 1) * 100
    return difference > options.change_threshold


def _changes(old: SisFile, new: SisFile, options: DiffOptions) -> Iterator[Row]:
    before = _by_key(old)
    after = _by_key(new)
    for key, row in after.items():
        if before.get(key) != row:
            yield row
    if new.kind in WITHOUT_STATUS:
        return
    for key, row in before.items():
        if key not in after:
            yield {**row, "status": options.removal(new.kind)}


def _by_key(file: SisFile) -> dict[tuple[str | None, ...], Row]:
    names = KEYS.get(file.kind, ())
    return {tuple(row.get(name) for name in names): row for _, row in file.rows}
