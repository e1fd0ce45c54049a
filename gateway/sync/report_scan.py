"""The slow and exact look at a piece of CSV: where, by line and column, does it stop being one.

The fast reader says only that something is wrong, and is silent about rows that are too short. Whatever it complains
about, or whatever fails a cheap count, is read again here, byte by byte as RFC 4180 has it.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from gateway.errors import UnusableFile

_CELL = re.compile(rb'"([^"]*(?:""[^"]*)*)"|([^",\n]*)')


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a record must look like: its columns in order, which of them are numbers, how many cells it may have."""

    file: str
    columns: Sequence[str]
    numbers: Collection[str]
    widths: Collection[int]


class _Fault(Exception):
    def __init__(self, why: str, line: int, cell: int) -> None:
        super().__init__(why)
        self.line, self.cell = line, cell


def find_fault(data: bytes, first_line: int, shape: Shape) -> UnusableFile | None:
    """The first thing wrong with `data`, whose first byte begins a record in line `first_line`."""
    try:
        for line, cells in records(data, first_line):
            _check(line, cells, shape)
    except _Fault as fault:
        return UnusableFile(
            str(fault), file=shape.file, line=fault.line, column=_column(shape, fault.cell)
        )
    return None


def records(data: bytes, first_line: int = 1) -> Iterator[tuple[int, list[bytes]]]:
    """Each record with the line it begins in; an empty line is none."""
    place, line = 0, first_line
    while place < len(data):
        cells, end = _record(data, place, line)
        if cells != [b""]:
            yield line, cells
        line += data.count(b"\n", place, end)
        place = end


def _record(data: bytes, place: int, line: int) -> tuple[list[bytes], int]:
    cells: list[bytes] = []
    while True:
        match: re.Match[bytes] = _CELL.match(data, place)  # type: ignore[assignment]  # the second form fits anything
        quoted, plain = match.groups()
        ended = data[match.end() : match.end() + 2]
        if not (ended == b"" or ended.startswith((b",", b"\n")) or ended == b"\r\n"):
            raise _Fault(_stray(quoted, data, place), line, len(cells))
        cells.append(plain.removesuffix(b"\r") if quoted is None else quoted.replace(b'""', b'"'))
        if not ended.startswith(b","):
            return cells, match.end() + (1 if ended[:1] in (b"\n", b"") else 2)
        place = match.end() + 1


def _stray(quoted: bytes | None, data: bytes, place: int) -> str:
    if quoted is not None:
        return "text follows a closing quote"
    if data[place : place + 1] == b'"':
        return "a quoted text is never closed"
    return "a quote stands inside a text that is not quoted"


def _check(line: int, cells: list[bytes], shape: Shape) -> None:
    for number, cell in enumerate(cells):
        if b"\0" in cell:
            raise _Fault("a NUL byte: this is no text file, or a broken one", line, number)
        try:
            text = cell.decode()
        except UnicodeDecodeError as broken:
            byte = cell[broken.start]
            why = f"byte 0x{byte:02X} is not UTF-8; Canvas writes UTF-8, so save the file as UTF-8, not as Latin-1"
            raise _Fault(why, line, number) from None
        name = shape.columns[number] if number < len(shape.columns) else ""
        if name in shape.numbers and text and not _is_id(text):
            raise _Fault(f"{text!r} is not a Canvas id", line, number)
    if len(cells) not in shape.widths:
        raise _Fault(f"{len(cells)} cells where the header has {len(shape.columns)}", line, -1)


def _is_id(text: str) -> bool:
    text = text.strip(" ").removeprefix("+")
    return text.isascii() and text.isdigit() and len(text) <= 18


def _column(shape: Shape, cell: int) -> str | None:
    if cell < 0:
        return None
    return shape.columns[cell] if cell < len(shape.columns) else str(cell + 1)
