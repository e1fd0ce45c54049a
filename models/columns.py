"""Kinds of columns that Tortoise does not have."""

from tortoise import fields


class ByteOrderedText(fields.TextField):
    """Text that is ordered byte by byte on every database, so that an index serves the order and a cursor holds."""

    class _db_postgres:  # noqa: N801  the name that Tortoise looks for
        SQL_TYPE = 'TEXT COLLATE "C"'
