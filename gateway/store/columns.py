"""The columns of each table, for statements that name them one by one, and its indexes."""

from collections.abc import Mapping
from functools import cache

from tortoise import Model
from tortoise.indexes import Index
from tortoise.models import MetaInfo

from models import tables


@cache
def columns_of(table: str) -> tuple[str, ...]:
    return tuple(_described(table).fields_map)


@cache
def indexes_of(table: str) -> Mapping[str, tuple[str, ...]]:
    """The columns of each by its name; keys are no indexes of these."""
    indexes = (one for one in _described(table).indexes if isinstance(one, Index))
    return {str(index.name): tuple(index.fields) for index in indexes}


def _described(table: str) -> MetaInfo:
    return next(
        one._meta  # noqa: SLF001  Tortoise offers no public way to it
        for one in vars(tables).values()
        if isinstance(one, type) and issubclass(one, Model) and one._meta.db_table == table  # noqa: SLF001  as above
    )
