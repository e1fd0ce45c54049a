"""A CSV of any length as a stream of small frames: cut at record ends, parsed at once, checked by counting.

A line end closes a record when an even number of quotes stands before it. The parser refuses rows that are too long,
numbers that are none, and what is not UTF-8; rows that are too short are found by counting the commas, misplaced quotes
by their neighbours. Only what fails is looked at slowly (`report_scan`).
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import polars as pl

from gateway.errors import UnusableFile
from gateway.sync import report_scan

BLOCK_BYTES = 768 * 1024  # in all some 30 times as much memory is at work on a block
RECORD_BYTES = 4 * 1024 * 1024
HEADER_BYTES = 64 * 1024
_BOM = b"\xef\xbb\xbf"

# Canvas once wrote more header cells than row cells (canvas-lms: sis_exporter.rb, temporary enrollments, SIS export).
_CELL_MAY_LACK = "temporary_enrollment_source_user_id"


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some consecutive rows, every column of the file; `size` in bytes.

    `dollars`: whether there is a `$` in it. `known_lines`: where empty lines were left out.
    """

    frame: pl.DataFrame
    first_line: int
    newlines: int
    size: int
    dollars: bool
    known_lines: pl.Series | None = None

    def lines(self) -> pl.Series:
        """The line in which each row begins."""
        if self.known_lines is not None:
            return self.known_lines
        starts = pl.int_range(self.first_line, self.first_line + pl.len(), dtype=pl.Int64)
        if self.newlines == self.frame.height:
            return self.frame.select(line=starts)["line"]
        texts = [name for name, dtype in self.frame.schema.items() if dtype == pl.String]
        inside = pl.sum_horizontal(
            pl.col(name).str.count_matches("\n", literal=True).fill_null(0) for name in texts
        )
        return self.frame.select(line=starts + inside.cum_sum().shift(1, fill_value=0))["line"]


def read_header(
    file: str, stream: Readable, step: int = HEADER_BYTES
) -> tuple[tuple[str, ...], bytes]:
    """The column names, and what was read of the stream beyond them."""
    data = b""
    while b"\n" not in data and len(data) < HEADER_BYTES and (more := stream.read(step)):
        data += more
    if not data:
        raise UnusableFile("the file is empty", file=file)
    data = data.removeprefix(_BOM)
    end = data.find(b"\n") + 1 or len(data)
    shape = report_scan.Shape(file=file, columns=(), numbers=(), widths=range(1, 1000))
    if fault := report_scan.find_fault(data[:end], 1, shape):
        raise fault
    cells = next((cells for _, cells in report_scan.records(data[:end])), [])
    columns = tuple(cell.decode().strip() for cell in cells)
    _refuse_doubled(file, columns)
    return columns, data[end:]


class Blocks:
    """The rows of one file. `numbers` names the columns that are Canvas ids. `sealed`: a checksum vouches for the end."""

    def __init__(
        self,
        file: str,
        stream: Readable,
        *,
        numbers: frozenset[str],
        sealed: bool,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self.columns, self._rest = read_header(file, stream, min(block_bytes, HEADER_BYTES))
        self._stream, self._sealed, self._block_bytes = stream, sealed, block_bytes
        self._shape = report_scan.Shape(
            file=file, columns=self.columns, numbers=numbers, widths=_widths(self.columns)
        )
        self._schema = {name: pl.Int64 if name in numbers else pl.String for name in self.columns}

    def __iter__(self) -> Iterator[Block]:
        line, carried = 2, self._rest
        while chunk := self._stream.read(self._block_bytes):
            data = carried + chunk
            end = _last_record_end(data)
            if not end and len(data) > RECORD_BYTES:
                raise self._fault(data, line) or self._broken(line)
            if end:
                yield self._parsed(data[:end], line)
                line += data.count(b"\n", 0, end)
            carried = data[end:]
        yield from self._tail(carried, line)

    def _tail(self, data: bytes, line: int) -> Iterator[Block]:
        if not data:
            return
        if not data.endswith(b"\n"):
            if (fault := self._fault(data, line)) is not None:
                raise fault
            if not self._sealed:
                last = line + data.count(b"\n")
                why = "the last line does not end, so the file may have been cut off; if it is whole, add a line end"
                raise UnusableFile(why, file=self._shape.file, line=last)
            data += b"\n"
        yield self._parsed(data, line)

    def _parsed(self, data: bytes, line: int) -> Block:
        if b"\0" in data or not _quotes_fit(data):
            raise self._fault(data, line) or self._broken(line)
        try:
            frame = pl.read_csv(
                io.BytesIO(data), has_header=False, schema=self._schema, missing_columns="insert"
            )
        except pl.exceptions.PolarsError as error:
            raise self._fault(data, line) or self._broken(line) from error
        if not self._commas_fit(frame, data) and (fault := self._fault(data, line)) is not None:
            raise fault
        block = Block(
            frame=frame,
            first_line=line,
            newlines=data.count(b"\n"),
            size=len(data),
            dollars=b"$" in data,
        )
        return _without_empty_lines(block)

    def _commas_fit(self, frame: pl.DataFrame, data: bytes) -> bool:
        texts = [name for name, dtype in self._schema.items() if dtype == pl.String]
        inside = 0
        if b'"' in data and texts:
            counts = frame.select(pl.col(texts).str.count_matches(",", literal=True).sum())
            inside = sum(int(count or 0) for count in counts.row(0))
        return data.count(b",") - inside == (len(self.columns) - 1) * frame.height

    def _fault(self, data: bytes, line: int) -> UnusableFile | None:
        return report_scan.find_fault(data, line, self._shape)

    def _broken(self, line: int) -> UnusableFile:
        return UnusableFile(
            "the rows from here on cannot be read", file=self._shape.file, line=line
        )


def _widths(columns: Sequence[str]) -> range:
    lacking = any(column.endswith(_CELL_MAY_LACK) for column in columns)
    return range(len(columns) - lacking, len(columns) + 1)


def _refuse_doubled(file: str, columns: Sequence[str]) -> None:
    for column in columns:
        if columns.count(column) > 1:
            raise UnusableFile("this column stands there twice", file=file, line=1, column=column)


def _last_record_end(data: bytes) -> int:
    end, quotes = len(data), data.count(b'"')
    while (cut := data.rfind(b"\n", 0, end)) >= 0:
        quotes -= data.count(b'"', cut, end)
        if quotes % 2 == 0:
            return cut + 1
        end = cut
    return 0


def _quotes_fit(data: bytes) -> bool:
    """Whether each opening quote begins a cell and each closing one ends it; a doubled quote does both."""
    if b'"' not in data:
        return True
    cells = np.frombuffer(b"\n" + data + b"\n", dtype=np.uint8)
    quotes = np.flatnonzero(cells == ord('"'))
    if len(quotes) % 2:
        return False
    before, after = cells[quotes[::2] - 1], cells[quotes[1::2] + 1]
    return bool(np.isin(before, list(b',\n"')).all() and np.isin(after, list(b',\n\r"')).all())


def _without_empty_lines(block: Block) -> Block:
    """The parser makes a row of nothing of an empty line."""
    filled = block.frame.select(filled=~pl.all_horizontal(pl.all().is_null()))["filled"]
    if filled.all():
        return block
    return replace(
        block, frame=block.frame.filter(filled), known_lines=block.lines().filter(filled)
    )
