"""Documents are read once, bounded, and only when they are good."""

import pytest
import strawberry

from resolvers.documents import Documents, Kind, Refused
from resolvers.limits import Limits


@strawberry.type
class Person:
    name: str


@strawberry.type
class People:
    nodes: list[Person]


@strawberry.type
class Query:
    @strawberry.field
    def people(self, first: int | None = None) -> People:
        return People(nodes=[])


@strawberry.type
class Mutation:
    @strawberry.mutation
    def touch(self) -> int:
        return 1


@pytest.fixture
def documents() -> Documents:
    return Documents(strawberry.Schema(Query, Mutation), Limits(cost=100))


def codes(refused: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [str((one.extensions or {})["code"]) for one in refused.value.errors]


def test_equal_texts_share_a_document(documents: Documents) -> None:
    text = "{ people { nodes { name } } }"

    assert (
        documents.operation(text, None, {}).document is documents.operation(text, None, {}).document
    )


def test_the_operation_is_found_by_its_name(documents: Documents) -> None:
    text = "query a { people { nodes { name } } } mutation b { touch }"

    assert Kind.QUERY is documents.operation(text, "a", {}).kind
    assert Kind.MUTATION is documents.operation(text, "b", {}).kind
    with pytest.raises(Refused) as refused:
        documents.operation(text, "c", {})
    assert ["OPERATION_RESOLUTION_FAILURE"] == codes(refused)


def test_the_cost_follows_the_variables_of_each_request(documents: Documents) -> None:
    text = "query ($n: Int, $m: Int) { a: people(first: $n) { nodes { name } } b: people(first: $m) { nodes { name } } }"

    def cost(**variables: object) -> int:
        return documents.operation(text, None, variables).cost

    assert 2 + 3 + 4 == cost(n=3, m=4)
    assert 2 + 4 + 3 == cost(n=4, m=3)
    assert 2 + 3 + 4 == cost(n=3, m=4)
    with pytest.raises(Refused) as refused:
        cost(n=50, m=49)
    assert ["COST_LIMIT"] == codes(refused)
    assert 101 == refused.value.cost


def test_the_cost_of_each_operation_is_its_own(documents: Documents) -> None:
    text = "query a { people(first: 1) { nodes { name } } } query b { people(first: 2) { nodes { name } } }"

    assert [2, 3, 2] == [documents.operation(text, name, {}).cost for name in ("a", "b", "a")]


def test_many_different_page_sizes_do_not_fill_the_memory(documents: Documents) -> None:
    text = "query ($n: Int) { people(first: $n) { nodes { name } } }"
    costs = [documents.operation(text, None, {"n": n}).cost for n in range(90)]

    assert [1 + n for n in range(90)] == costs


def test_all_mistakes_of_a_document_are_told(documents: Documents) -> None:
    with pytest.raises(Refused) as refused:
        documents.operation("{ people { nodes { nam } } }", None, {})
    assert ["GRAPHQL_VALIDATION_FAILED"] == codes(refused)

    with pytest.raises(Refused) as again:
        documents.operation("{ people { nodes { nam } } }", None, {})
    assert refused.value.errors[0] is not again.value.errors[0]
