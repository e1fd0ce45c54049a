"""Cells to facts: a block of one roster file as typed columns under our names, and the rows that cannot be used.

A cell that cannot be what its column holds makes the file unusable: columns have slipped, or it is no such file. A row
that is readable and yet says too little, or says it in a word we do not know, is set aside.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from gateway.errors import UnusableFile
from gateway.sync.report_blocks import Block
from gateway.sync.report_columns import Cell, Column, ReportKind, RosterFile
from gateway.sync.report_files import ReportFile
from models import roles
from models.canvas_ids import SHARD_SIZE

KEY_LENGTH = 255
_BROKEN = "broken "  # before the header of a column whose cell is wrong

# `$Canvas.user.sisSourceId` in a cell is a variable that some platform did not know: no value at all.
_VARIABLE = r"^\$[A-Za-z]+(\.[A-Za-z0-9_]+)+$"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """`good`: usable rows with their `line`; `bad`: the others, with a `reason`."""

    good: pl.DataFrame
    bad: pl.DataFrame
    size: int


def rows_of(block: Block, file: ReportFile, shard: int, custom_types: Mapping[int, str]) -> Rows:
    """The block's rows. UnusableFile when a cell cannot be what its column holds.

    `custom_types`: the type of each custom role by its id, for reports that do not say it.
    """
    raw = block.frame.with_columns(line=block.lines())
    raw = _without_variables(raw, file) if block.dollars else raw
    typed = raw.select(
        "line",
        *(_typed(column, shard).alias(column.name) for column in file.columns),
        *(_is_broken(column).alias(_BROKEN + column.header) for column in file.columns),
    )
    _refuse_broken_cells(raw, typed, file)
    reasons = _reasons(file, words := _words_of(file))
    if file.which is RosterFile.ENROLLMENTS:
        typed = _with_types(typed, custom_types)
        role = pl.format("what type the role {} is of is not known", pl.col("role"))
        reasons.append(pl.when(pl.col("type").is_null()).then(role))
    told = pl.col("state").replace_strict(words, default=None, return_dtype=pl.String)
    judged = typed.select(
        pl.exclude("state", f"^{_BROKEN}.*$"), reason=pl.coalesce(reasons), state=told
    )
    unusable = judged["reason"].is_not_null()
    return Rows(
        good=(judged.filter(~unusable) if unusable.any() else judged).drop("reason"),
        bad=judged.filter(unusable),
        size=block.size,
    )


def _without_variables(raw: pl.DataFrame, file: ReportFile) -> pl.DataFrame:
    texts = [c.header for c in file.columns if c.cell in (Cell.KEY, Cell.TEXT)]
    return raw.with_columns(
        pl.when(~pl.col(text).str.contains(_VARIABLE)).then(pl.col(text)).alias(text)
        for text in texts
    )


def _typed(column: Column, shard: int) -> pl.Expr:
    cell = pl.col(column.header)
    match column.cell:
        case Cell.ID:
            if column.name == "role_id":  # role ids are compared within one Canvas only
                return cell
            return pl.when(cell >= SHARD_SIZE).then(cell).otherwise(cell + shard * SHARD_SIZE)
        case Cell.DATE:
            zoned = _present(cell).str.replace("Z$", "+00:00")
            return zoned.str.to_datetime(
                "%Y-%m-%dT%H:%M:%S%z", time_unit="us", time_zone="UTC", strict=False
            )
        case Cell.FLAG:
            return pl.when(cell == "true").then(True).when(cell == "false").then(False)  # noqa: FBT003  a literal column
        case Cell.KEY | Cell.TEXT | Cell.WORD:
            return _present(cell)


def _present(cell: pl.Expr) -> pl.Expr:
    return pl.when(cell.str.len_bytes() > 0).then(cell)


_WHY_BROKEN = {
    Cell.ID: "is not a Canvas id",
    Cell.DATE: "is not a date and time in ISO 8601",
    Cell.FLAG: "is neither true nor false",
    Cell.KEY: f"is longer than {KEY_LENGTH} characters",
}


def _is_broken(column: Column) -> pl.Expr:
    cell = pl.col(column.header)
    match column.cell:
        case Cell.ID:
            return cell <= 0
        case Cell.DATE | Cell.FLAG:
            return _typed(column, 1).is_null() & (cell.str.len_bytes() > 0)
        case Cell.KEY:
            return cell.str.len_chars() > KEY_LENGTH
        case Cell.TEXT | Cell.WORD:
            return pl.lit(None, pl.Boolean)


def _refuse_broken_cells(raw: pl.DataFrame, typed: pl.DataFrame, file: ReportFile) -> None:
    broken = typed.select(pl.col(f"^{_BROKEN}.*$").any()).row(0, named=True)
    for column in file.columns:
        if broken[_BROKEN + column.header]:
            wrong = typed[_BROKEN + column.header].fill_null(value=False)
            cell, line = raw.filter(wrong).select(column.header, "line").row(0)
            why = f"{cell!r} {_WHY_BROKEN[column.cell]}"
            raise UnusableFile(why, file=file.name, line=line, column=column.header)


def _reasons(file: ReportFile, words: Mapping[str, str | None]) -> list[pl.Expr]:
    status = pl.col("state")
    unknown = pl.when(~status.is_in(list(words))).then(
        pl.format("the status {} is not known", status)
    )
    lacking = [
        pl.when(pl.col(column.name).is_null()).then(pl.lit(f"{column.header} is empty"))
        for column in file.columns
        if column.needed
    ]
    return [unknown, *lacking]


def _with_types(frame: pl.DataFrame, custom_types: Mapping[int, str]) -> pl.DataFrame:
    """Enrollments' types, and roles as REST spells them: a built-in role by its type, a custom one by its own name."""
    role = pl.col("role")
    of_role = role.replace_strict(roles.REPORT_ROLES, default=None, return_dtype=pl.String)
    told = [of_role]
    if "base_type" in frame.columns:
        base = pl.col("base_type")
        told.insert(
            0, base.replace_strict(roles.CANVAS_TYPES, default=None, return_dtype=pl.String)
        )
    if "role_id" in frame.columns and custom_types:
        told.append(
            pl.col("role_id").replace_strict(custom_types, default=None, return_dtype=pl.String)
        )
    spelled = role.replace_strict(_REST_ROLES, default=role, return_dtype=pl.String)
    return frame.with_columns(type=pl.coalesce(told), role=spelled).drop("base_type", strict=False)


_REST_ROLES = {
    name: canvas
    for name, ours in roles.REPORT_ROLES.items()
    for canvas, same in roles.CANVAS_TYPES.items()
    if ours is same
}
_RECORD_WORDS = {word: state.value for word, state in roles.REPORT_RECORD_STATES.items()}
_COMMON_WORDS: Mapping[RosterFile, Mapping[str, str | None]] = {
    RosterFile.ACCOUNTS: _RECORD_WORDS,
    RosterFile.TERMS: _RECORD_WORDS,
    RosterFile.SECTIONS: _RECORD_WORDS,
    RosterFile.XLIST: _RECORD_WORDS,
    RosterFile.USER_OBSERVERS: _RECORD_WORDS,
    RosterFile.USERS: {word: state.value for word, state in roles.LOGIN_STATES.items()},
    RosterFile.ENROLLMENTS: {word: state.value for word, state in roles.REPORT_STATES.items()},
}


def _words_of(file: ReportFile) -> Mapping[str, str | None]:
    if file.which is RosterFile.COURSES:
        provisioning = file.kind is ReportKind.PROVISIONING
        return roles.PROVISIONING_COURSE_STATES if provisioning else roles.SIS_COURSE_STATES
    return _COMMON_WORDS[file.which]
