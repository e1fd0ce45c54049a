"""The schema, assembled; `schema.graphql` is printed from it."""

from collections.abc import Callable
from typing import Any

import strawberry
from graphql import GraphQLObjectType, GraphQLResolveInfo
from strawberry.schema.config import StrawberryConfig

from resolvers.queries import Query
from resolvers.scalars import SCALARS
from resolvers.subscriptions import Subscription
from resolvers.types import Term


def print_sdl() -> str:
    return f"{schema.as_str()}\n"


def _read_rows_directly(made: strawberry.Schema) -> strawberry.Schema:
    """Let fields without a resolver of their own read the row by the graph's name.

    Strawberry calls its default resolver through three functions, by the Python name: on a page of rows that is a
    tenth of the answer's time.
    """
    for type_ in made._schema.type_map.values():  # noqa: SLF001  Strawberry offers no public way to it
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for name, field in type_.fields.items():
                if getattr(field.resolve, "_is_default", False):
                    field.resolve = _reader(name)
    return made


def _reader(name: str) -> Callable[..., Any]:
    def read(row: dict[str, Any], _info: GraphQLResolveInfo[Any]) -> Any:
        return row[name]

    return read


schema = _read_rows_directly(
    strawberry.Schema(
        query=Query,
        subscription=Subscription,
        types=[Term],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
)
