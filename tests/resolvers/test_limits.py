"""What an operation may ask for: depth and aliases before validation, cost after it, each fragment measured once."""

import time

import pytest
from graphql import GraphQLError, build_schema, parse
from graphql.language import OperationDefinitionNode

from resolvers.limits import CostOf, Limits, fragments_of, refusal_of_shape

SCHEMA = build_schema(
    """
    type Query {
      person: Person
      people(first: Int, last: Int): People!
      few(first: Int): People!
      nodes(ids: [ID!]!): [Node]!
      tags: [Tag!]!
      words: [String!]!
    }
    interface Node { id: ID! }
    type Tag { name: String }
    type Person implements Node { id: ID! name: String best: Person friends(first: Int): People! }
    type People { edges: [Edge!]! nodes: [Person!]! pageInfo: PageInfo! totalCount: Int }
    type Edge { cursor: String node: Person! }
    type PageInfo { hasNextPage: Boolean! }
    """
)

assert SCHEMA.query_type is not None
# as Strawberry gives a default; a schema built from SDL has a literal instead
SCHEMA.query_type.fields["few"].args["first"].default_value = 5


def cost(text: str, **variables: object) -> int:
    document = parse(text)
    node = next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))
    return CostOf(SCHEMA, fragments_of(document)).operation(node, variables)[0]


def refusal(text: str, **limits: int) -> GraphQLError | None:
    return refusal_of_shape(parse(text), Limits(**limits))


def nested_fragments(count: int) -> str:
    """`count` fragments that each spread the next one twice: 2^count fields in a few hundred words."""
    chain = " ".join(
        f"fragment F{n} on Person {{ best {{ ...F{n + 1} ...F{n + 1} }} }}" for n in range(count)
    )
    return f"{{ person {{ ...F0 }} }} {chain} fragment F{count} on Person {{ best {{ id }} }}"


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        pytest.param(0, "{ words }", id="scalars are free"),
        pytest.param(1, "{ person { id name } }", id="one object"),
        pytest.param(3, "{ person { best { best { id } } } }", id="each level"),
        pytest.param(1 + 50, "{ people { nodes { id } } }", id="a page of the default size"),
        pytest.param(1 + 7 + 7, "{ people(first: 7) { edges { node { id } } } }", id="edges"),
        pytest.param(1 + 7 + 7 + 7, "{ people(first: 7) { edges { node { id } } nodes { id } } }"),
        pytest.param(
            2, "{ people(first: 7) { pageInfo { hasNextPage } totalCount } }", id="no rows"
        ),
        pytest.param(1 + 9, "{ people(last: 9) { nodes { id } } }", id="last"),
        pytest.param(1 + 5, "{ few { nodes { id } } }", id="the schema's own default"),
        pytest.param(
            1 + 3 * (1 + 1 + 4),
            "{ people(first: 3) { nodes { friends(first: 4) { nodes { id } } } } }",
        ),
        pytest.param(1, "{ people(first: 0) { nodes { id } } }", id="nothing"),
        pytest.param(1, "{ people(first: -5) { nodes { id } } }", id="less than nothing"),
        pytest.param(
            1 + 5000, "{ people(first: 2000000000) { nodes { id } } }", id="the largest page"
        ),
        pytest.param(10, "{ tags { name } }", id="a short list"),
        pytest.param(3, '{ nodes(ids: ["1", "2", "3"]) { id } }', id="as many as ids"),
        pytest.param(2, "{ person { ...{ best { id } } } }", id="inline fragment"),
        pytest.param(2, "{ person { ... on Person { best { id } } } }", id="with a condition"),
        pytest.param(
            3, "{ a: person { id } b: person { ...F } } fragment F on Person { best { id } }"
        ),
        pytest.param(2, '{ nodes(ids: ["1"]) { ... on Person { best { id } } } }', id="interface"),
        pytest.param(0, "{ __typename }", id="typename"),
        pytest.param(11, "{ __schema { types { name } } }", id="introspection"),
    ],
)
def test_cost_is_the_objects_that_an_answer_may_hold(objects: int, text: str) -> None:
    assert objects == cost(text)


@pytest.mark.parametrize(
    ("page", "declared", "variables"),
    [
        pytest.param(7, "$n: Int", {"n": 7}, id="given"),
        pytest.param(50, "$n: Int", {}, id="left out: the field's own default"),
        pytest.param(50, "$n: Int", {"n": None}, id="null"),
        pytest.param(8, "$n: Int = 8", {}, id="its default"),
        pytest.param(7, "$n: Int = 8", {"n": 7}, id="given, over its default"),
        pytest.param(5000, "$n: Int", {"n": "many"}, id="no number: the most"),
        pytest.param(5000, "$n: Int", {"n": 10**12}, id="more than a page"),
    ],
)
def test_a_variable_counts_as_its_value(
    page: int, declared: str, variables: dict[str, object]
) -> None:
    text = f"query ({declared}) {{ people(first: $n) {{ nodes {{ id }} }} }}"

    assert 1 + page == cost(text, **variables)


def test_a_list_of_ids_in_a_variable_counts_as_long_as_it_is() -> None:
    assert 4 == cost("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["1", "2", "3", "4"])


def test_nested_doubling_fragments_are_counted_in_no_time() -> None:
    began = time.perf_counter()
    error = refusal(nested_fragments(40))

    assert error is not None
    assert {"code": "DEPTH_LIMIT"} == error.extensions
    assert time.perf_counter() - began < 0.1


def test_doubling_without_depth_is_refused_by_its_cost() -> None:
    spreads = " ".join(f"...F{n + 1}" for n in range(1))
    chain = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(40))
    text = f"{{ {spreads} }} {chain} fragment F40 on Query {{ person {{ id }} }}"
    began = time.perf_counter()

    assert refusal(text) is None
    assert 2**39 == cost(text)
    assert time.perf_counter() - began < 0.1


def test_aliases_are_counted_with_their_fragments_spread_out() -> None:
    chain = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(8))
    text = f"{{ ...F0 }} {chain} fragment F8 on Query {{ me: person {{ id }} }}"
    error = refusal(text)

    assert error is not None
    assert {"code": "ALIAS_LIMIT"} == error.extensions
    assert refusal(text, aliases=256) is None


def test_fragments_in_a_circle_are_left_to_validation() -> None:
    assert refusal("{ person { ...A } } fragment A on Person { best { ...A } }") is None


def test_an_unknown_fragment_is_left_to_validation() -> None:
    assert refusal("{ person { ...A } }") is None


def test_depth_counts_fields_and_not_fragments() -> None:
    text = "{ person { ...{ ...{ best { id } } } } }"

    assert refusal(text, depth=3) is None
    assert refusal(text, depth=2) is not None
