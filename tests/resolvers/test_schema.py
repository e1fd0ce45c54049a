"""The schema: printed, explained to its last word, and true to the core that clients are written against."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)

from gateway.readpath.paging import ORDERS
from gateway.readpath.registry import TABLES
from resolvers.schema import print_sdl, schema

ROOT = Path(__file__).parents[2]
SCHEMA = schema._schema
PRINTED = build_schema(print_sdl())
CONTRACT = build_schema((Path(__file__).parent / "contract.graphql").read_text())


def own_types(of: GraphQLSchema) -> dict[str, GraphQLNamedType]:
    builtin = {"String", "Int", "Float", "Boolean", "ID"}
    return {
        name: type_
        for name, type_ in of.type_map.items()
        if not name.startswith("__") and name not in builtin
    }


def test_the_printed_schema_is_the_committed_one() -> None:
    """`roster schema > schema.graphql` brings it up to date."""
    assert print_sdl() == (ROOT / "schema.graphql").read_text()


def unexplained(of: GraphQLSchema) -> Iterator[str]:
    for name, type_ in own_types(of).items():
        if not type_.description:
            yield name
        if isinstance(type_, GraphQLEnumType):
            yield from (
                f"{name}.{key}" for key, value in type_.values.items() if not value.description
            )
        if isinstance(type_, GraphQLInputObjectType):
            yield from (f"{name}.{key}" for key, one in type_.fields.items() if not one.description)
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for key, field in type_.fields.items():
                if not field.description:
                    yield f"{name}.{key}"
                yield from (
                    f"{name}.{key}({argument}:)"
                    for argument, one in field.args.items()
                    if not one.description
                )


def test_everything_is_explained() -> None:
    assert list(unexplained(SCHEMA)) == []


def test_the_check_of_explanations_sees_a_missing_one() -> None:
    bare = build_schema('"x" type Query { a(b: Int): C } "x" enum C { D } "x" input E { f: Int }')

    assert set(unexplained(bare)) == {"Query.a", "Query.a(b:)", "C.D", "E.f"}


@pytest.mark.parametrize("name", sorted(own_types(CONTRACT)))
def test_the_core_is_there_as_it_was_promised(name: str) -> None:
    promised, built = CONTRACT.type_map[name], PRINTED.type_map[name]
    assert type(promised) is type(built)
    if isinstance(promised, GraphQLEnumType) and isinstance(built, GraphQLEnumType):
        assert promised.values.keys() <= built.values.keys()
    if isinstance(promised, GraphQLInputObjectType) and isinstance(built, GraphQLInputObjectType):
        assert promised.is_one_of == built.is_one_of
        assert fields_of(promised).items() <= fields_of(built).items()
    if isinstance(promised, GraphQLObjectType | GraphQLInterfaceType):
        assert isinstance(built, GraphQLObjectType | GraphQLInterfaceType)
        assert {one.name for one in promised.interfaces} <= {one.name for one in built.interfaces}
        assert fields_of(promised).items() <= fields_of(built).items()
        for key, field in promised.fields.items():
            arguments = {word: str(one.type) for word, one in field.args.items()}
            own = {word: str(one.type) for word, one in built.fields[key].args.items()}
            assert arguments.items() <= own.items(), key


def fields_of(
    type_: GraphQLInputObjectType | GraphQLObjectType | GraphQLInterfaceType,
) -> dict[str, str]:
    return {key: str(field.type) for key, field in type_.fields.items()}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_field_that_a_row_brings_is_a_field_of_its_type(name: str) -> None:
    type_ = SCHEMA.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    resolved = {
        key for key, one in type_.fields.items() if getattr(one.resolve, "__name__", "") != "read"
    }

    assert TABLES[name].fields.keys() | TABLES[name].links.keys() <= type_.fields.keys()
    assert type_.fields.keys() - resolved <= TABLES[name].fields.keys() | TABLES[name].links.keys()


@pytest.mark.parametrize("name", ["Course", "User", "Enrollment"])
def test_every_order_of_the_graph_can_be_read(name: str) -> None:
    enum = SCHEMA.type_map[f"{name}OrderField"]
    assert isinstance(enum, GraphQLEnumType)

    assert enum.values.keys() == {"ID", *ORDERS[name]}
