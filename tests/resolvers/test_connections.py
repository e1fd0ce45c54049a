"""Pages of lists that a number orders, and their cursors."""

import base64

import pytest

from gateway.errors import BadRequest
from resolvers.connections import cursor_of, page_of, place_of


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def test_a_cursor_leads_back_to_its_place() -> None:
    assert 17 == place_of(cursor_of(17, "row"), "row")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "%",
        "nonsense",
        encoded("row"),
        encoded("row@"),
        encoded("row@-1"),
        encoded("row@x"),
        encoded("row@\u0663"),  # a digit, but not one of ours
        encoded("row@" + "9" * 19),  # more than a database takes
        cursor_of(17, "message"),
    ],
)
def test_what_is_no_cursor_of_the_list_is_refused(cursor: str) -> None:
    with pytest.raises(BadRequest, match="no cursor of this list"):
        place_of(cursor, "row")


def test_the_row_beyond_the_page_tells_that_there_are_more() -> None:
    rows = [{"cursor": word} for word in "abc"]

    page = page_of(rows, 2, None)

    assert rows[:2] == page["nodes"] == [edge["node"] for edge in page["edges"]]
    assert {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": "a",
        "endCursor": "b",
    } == page["pageInfo"]


def test_an_empty_page_has_no_cursors() -> None:
    info = page_of([], 2, "x")["pageInfo"]

    assert (False, True, None, None) == tuple(info.values())
