"""A report as it lies on disk: one CSV or a zip of them, known by its first bytes and its headers, never by its name.

Canvas sends a bare CSV when one file was asked for and a flat zip otherwise; people rename and repack both.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Self, TypeAlias

from gateway.errors import UnusableFile
from gateway.sync.report_blocks import BLOCK_BYTES, Blocks, Readable, read_header
from gateway.sync.report_columns import (
    COLUMNS,
    OTHER_FILES,
    Cell,
    Column,
    ReportKind,
    RosterFile,
)

GIB = 1024**3
Opener: TypeAlias = Callable[[], AbstractContextManager[Readable]]
_PLAUSIBLE_AGE = timedelta(days=30)
_ENCRYPTED = 0x1


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a file may grow to when it is unpacked, how much of it is in hand at once, how many rows a chunk writes.

    Reports shrink ten- to twentyfold when they are packed; a bomb does thousandfold.
    """

    unpacked_bytes: int = 32 * GIB
    ratio: int = 250
    members: int = 1_000
    block_bytes: int = BLOCK_BYTES
    chunk_rows: int = 5_000


@dataclass(frozen=True, kw_only=True)
class ReportFile:
    """One roster file of the report; `sealed`: the zip's checksum vouches that it is whole."""

    name: str
    which: RosterFile
    kind: ReportKind
    headers: tuple[str, ...]
    size: int
    sealed: bool
    open: Opener

    @property
    def columns(self) -> tuple[Column, ...]:
        """Those that we take and that are there."""
        return tuple(
            column for column in COLUMNS[self.kind][self.which] if column.header in self.headers
        )

    @property
    def carries(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns)

    @contextmanager
    def blocks(self, limits: Limits) -> Iterator[Blocks]:
        numbers = frozenset(c.header for c in self.columns if c.cell is Cell.ID)
        with self.open() as stream:
            yield Blocks(
                self.name,
                stream,
                numbers=numbers,
                sealed=self.sealed,
                block_bytes=limits.block_bytes,
            )


@dataclass(frozen=True, kw_only=True)
class Report:
    """`files` in the order in which they are taken in; `skipped`: file and why; `written_at`: when, as far as it shows."""

    name: str
    kind: ReportKind
    files: tuple[ReportFile, ...]
    skipped: tuple[tuple[str, str], ...]
    written_at: datetime
    written_at_from: str

    def file(self, which: RosterFile) -> ReportFile | None:
        return next((file for file in self.files if file.which is which), None)


def open_report(path: Path, limits: Limits) -> Report:
    """The report in `path`. UnusableFile when it is none."""
    try:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        with path.open("rb") as stream:
            zipped = stream.read(4).startswith(b"PK")
    except OSError as error:
        raise UnusableFile(f"cannot be read: {error.strerror}", file=str(path)) from error
    if zipped:
        return _zip_report(path, limits, changed)
    file = _recognised(path.name, path.stat().st_size, lambda: path.open("rb"), sealed=False)
    if isinstance(file, str):
        raise UnusableFile(file, file=path.name)
    return Report(
        name=path.name,
        kind=file.kind,
        files=(file,),
        skipped=(),
        written_at=changed,
        written_at_from="the file's date",
    )


def _zip_report(path: Path, limits: Limits, changed: datetime) -> Report:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not _is_clutter(info)]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        why = f"the zip is broken or cut off ({error}); download it again"
        raise UnusableFile(why, file=path.name) from error
    _refuse_bombs(path, members, limits)
    files: list[ReportFile] = []
    skipped: list[tuple[str, str]] = []
    for info in members:
        name = PurePosixPath(info.filename).name
        _refuse_encrypted(name, info)
        file = _recognised(name, info.file_size, _opener(path, info), sealed=True)
        if isinstance(file, str):
            skipped.append((name, file))
        else:
            files.append(file)
    written_at, origin = _newest(members, changed)
    return Report(
        name=path.name,
        kind=_one_kind(path.name, files, skipped),
        files=tuple(sorted(files, key=lambda file: list(RosterFile).index(file.which))),
        skipped=tuple(skipped),
        written_at=written_at,
        written_at_from=origin,
    )


def _is_clutter(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    return info.is_dir() or path.parts[0] == "__MACOSX" or path.name.startswith(".")


def _refuse_encrypted(name: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise UnusableFile("is encrypted; send the report as Canvas made it", file=name)


def _refuse_bombs(path: Path, members: Sequence[zipfile.ZipInfo], limits: Limits) -> None:
    """By the declared sizes: `zipfile` reads no member beyond its own."""
    unpacked = sum(info.file_size for info in members)
    if len(members) > limits.members:
        raise UnusableFile(f"holds {len(members)} files; a report holds a few", file=path.name)
    if unpacked > limits.unpacked_bytes:
        why = f"would unpack to {unpacked:,} bytes; at most {limits.unpacked_bytes:,} are allowed"
        raise UnusableFile(why, file=path.name)
    if unpacked > limits.ratio * max(path.stat().st_size, 1024):
        why = f"would unpack to more than {limits.ratio} times its size: no report does that"
        raise UnusableFile(why, file=path.name)


def _opener(path: Path, info: zipfile.ZipInfo) -> Opener:
    return lambda: _Member(path, info)


class _Member:
    """A member of a zip, read with its own handle; what is broken inside is said in our words."""

    def __init__(self, path: Path, info: zipfile.ZipInfo) -> None:
        self._name = info.filename
        self._archive = zipfile.ZipFile(path)
        try:
            self._stream = self._archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            self._archive.close()
            raise UnusableFile(f"cannot be unpacked: {error}", file=self._name) from error

    def read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            why = f"cannot be unpacked ({error}); download the report again"
            raise UnusableFile(why, file=self._name) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._archive.close()


def _recognised(name: str, size: int, opener: Opener, *, sealed: bool) -> ReportFile | str:
    """The roster file that this is, or why it is passed over. UnusableFile when it should be one and lacks columns."""
    stem = PurePosixPath(name).stem.lower()
    if stem in OTHER_FILES:
        return "holds nothing of the roster"
    with opener() as stream:
        headers, _ = read_header(name, stream)
    kind = _kind_of(headers)
    for which, columns in COLUMNS[kind].items():
        if {column.header for column in columns if column.required} <= set(headers):
            return ReportFile(
                name=name,
                which=which,
                kind=kind,
                headers=headers,
                size=size,
                sealed=sealed,
                open=opener,
            )
    if any(header in headers for header in OTHER_FILES.values()):
        return "holds nothing of the roster"
    return _not_recognised(name, stem, kind, headers)


def _kind_of(headers: Sequence[str]) -> ReportKind:
    """A SIS export has no Canvas ids."""
    if any(header.startswith("canvas_") for header in headers):
        return ReportKind.PROVISIONING
    return ReportKind.SIS_EXPORT


def _not_recognised(name: str, stem: str, kind: ReportKind, headers: Sequence[str]) -> str:
    nearest: tuple[int, str] = (0, "")
    for which, columns in COLUMNS[kind].items():
        required = [column.header for column in columns if column.required]
        lacking = [header for header in required if header not in headers]
        near = len(required) - (0 if which.value == stem else 2 * len(lacking))
        why = f"as {which.value} of a {kind.value} this lacks the column {', '.join(lacking)}"
        nearest = max(nearest, (near, why))
    if nearest[0] > 1:
        raise UnusableFile(nearest[1], file=name, line=1)
    return "is no file of a Canvas roster report"


def _one_kind(
    name: str, files: Sequence[ReportFile], skipped: Sequence[tuple[str, str]]
) -> ReportKind:
    if not files:
        held = ", ".join(file for file, _ in skipped) or "nothing"
        why = f"holds no roster file (it holds: {held}); expected users.csv, enrollments.csv and the like"
        raise UnusableFile(why, file=name)
    if len({file.kind for file in files}) > 1:
        raise UnusableFile("mixes a provisioning report with a SIS export", file=name)
    if len({file.which for file in files}) < len(files):
        raise UnusableFile("holds one roster file twice", file=name)
    return files[0].kind


def _newest(members: Sequence[zipfile.ZipInfo], changed: datetime) -> tuple[datetime, str]:
    """A zip's dates are local times of nobody knows where: believed when they lie shortly before the file's own."""
    newest = max(info.date_time for info in members)
    try:
        written = datetime(*newest, tzinfo=UTC)
    except ValueError:
        return changed, "the file's date"
    if changed - _PLAUSIBLE_AGE <= written <= changed:
        return written, "the newest date inside the zip"
    return changed, "the file's date"
