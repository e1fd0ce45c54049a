"""Frames into tables and numbers out of them, at the driver's speed."""

import io
from collections.abc import Mapping, Sequence

import polars as pl

from gateway.uow import Dialect, Transaction

_TIME = "%Y-%m-%d %H:%M:%S+00:00"


async def copy_in(tx: Transaction, table: str, frame: pl.DataFrame) -> None:
    """The frame's rows at the end of the table, whose columns have the frame's names."""
    if frame.is_empty():
        return
    if tx.dialect is Dialect.POSTGRES:
        await tx.driver.copy_to_table(
            table, source=io.BytesIO(as_csv(frame)), columns=frame.columns, format="csv"
        )
        return
    marks = ", ".join("?" * frame.width)
    sql = f"insert into {table} ({', '.join(frame.columns)}) values ({marks})"
    await tx.driver.executemany(sql, as_rows(frame))


def as_csv(frame: pl.DataFrame) -> bytes:
    """As COPY reads it: nothing is null, a quoted nothing an empty text."""
    out = io.BytesIO()
    frame.with_columns(**_as_texts(frame)).write_csv(out, include_header=False)
    return out.getvalue()


def as_rows(frame: pl.DataFrame) -> Sequence[tuple[object, ...]]:
    return frame.with_columns(**_as_texts(frame)).rows()


def _as_texts(frame: pl.DataFrame) -> Mapping[str, pl.Expr]:
    times = [name for name, dtype in frame.schema.items() if dtype == pl.Datetime]
    return {name: pl.col(name).dt.strftime(_TIME) for name in times}
