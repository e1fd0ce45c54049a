"""The columns of each table, for statements that name them one by one."""

from functools import cache

from tortoise import Model

from models import tables


@cache
def columns_of(table: str) -> tuple[str, ...]:
    model = next(
        one
        for one in vars(tables).values()
        if isinstance(one, type) and issubclass(one, Model) and one._meta.db_table == table  # noqa: SLF001  Tortoise offers no public way to it
    )
    return tuple(model._meta.fields_map)  # noqa: SLF001  as above
