"""Pages and their Link headers: transport.md section 1."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.twin.conftest import BASE_URL, MakeTwin, Twin

USERS = "/api/v1/accounts/1/users"


def page_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


@pytest.mark.parametrize(
    ("asked", "got"),
    [(None, 10), ("3", 3), ("0", 1), ("-5", 1), ("abc", 1), ("100", 100), ("5000", 100)],
)
async def test_per_page_is_clamped_without_error(twin: Twin, asked: str | None, got: int) -> None:
    """Ten by default, a hundred at most, and nobody is told."""
    response = await twin.get(USERS if asked is None else f"{USERS}?per_page={asked}")

    assert got == len(response.json())
    assert [str(got)] == page_of(response.links["current"]["url"])["per_page"]


async def test_links_come_in_canvas_order_and_only_where_they_apply(twin: Twin) -> None:
    """current, next, prev, first, last."""
    path = "/api/v1/accounts/1/sub_accounts?recursive=false&per_page=1"
    middle = await twin.client.get(f"{path}&page=2", headers=twin.bearer())
    first = await twin.client.get(path, headers=twin.bearer())

    assert ["current", "next", "prev", "first", "last"] == list(middle.links)
    assert ["current", "next", "first", "last"] == list(first.links)


async def test_links_are_absolute_and_repeat_the_query(twin: Twin) -> None:
    """Arrays and `as_user_id` too, but no token."""
    response = await twin.client.get(
        f"{USERS}?include[]=email&include[]=uuid&as_user_id=1&access_token={twin.cast.tokens['admin']}"
    )
    url = response.links["next"]["url"]

    assert url.startswith(f"{BASE_URL}{USERS}?")
    assert {
        "include[]": ["email", "uuid"],
        "as_user_id": ["1"],
        "page": ["2"],
        "per_page": ["10"],
    } == page_of(url)


@pytest.mark.parametrize("page", ["0", "abc", "-1", "1.5"])
async def test_a_wrong_number_is_not_found(twin: Twin, page: str) -> None:
    """Ordinal lists know numbers from 1."""
    assert 404 == (await twin.get(USERS, page=page)).status_code


async def test_past_the_end_is_an_empty_page(twin: Twin) -> None:
    """200 and no row, with no `next`."""
    response = await twin.get(USERS, page=999)

    assert (200, []) == (response.status_code, response.json())
    assert "next" not in response.links


async def test_uncounted_lists_show_last_only_near_the_end(twin: Twin) -> None:
    """Canvas peeks one page ahead, and meets the end there or does not."""
    first = await twin.get(USERS, per_page=20)
    pages = -(-len(await twin.pages(USERS)) // 20)
    final = await twin.get(USERS, per_page=20, page=pages)

    assert "last" not in first.links
    assert final.links["last"]["url"] == final.links["current"]["url"]


async def test_bookmarks_reach_every_row_once(twin: Twin) -> None:
    """sort=id: `first`, then opaque marks; no `last`, no `prev`, no numbers."""
    response = await twin.get(USERS, sort="id", per_page=50)
    rows = await twin.pages(USERS, sort="id", per_page=50)

    assert ["current", "next", "first"] == list(response.links)
    assert ["first"] == page_of(response.links["current"]["url"])["page"]
    mark = page_of(response.links["next"]["url"])["page"][0]
    assert mark.startswith("bookmark:")
    assert "=" not in mark
    ids = [row["id"] for row in rows]
    assert sorted(set(ids)) == ids
    assert 120 == len(ids)


@pytest.mark.parametrize("page", ["2", "bookmark:", "bookmark:!!", "bookmark:WyJ4Il0", "nonsense"])
async def test_a_wrong_bookmark_is_page_one(twin: Twin, page: str) -> None:
    """With 200: the trap that loops are made of."""
    first = await twin.get(USERS, sort="id", per_page=5)
    wrong = await twin.get(USERS, sort="id", per_page=5, page=page)

    assert (200, first.json()) == (wrong.status_code, wrong.json())


async def test_rows_do_not_shift_under_bookmarks(twin: Twin) -> None:
    """Who joins or leaves before the mark moves nobody after it."""
    first = await twin.get(USERS, sort="id", per_page=5)
    gone = twin.school.users[first.json()[3]["id"]]
    expected = (await twin.client.get(first.links["next"]["url"], headers=twin.bearer())).json()
    twin.school.update(gone, workflow_state="deleted")
    again = await twin.client.get(first.links["next"]["url"], headers=twin.bearer())

    assert expected == again.json()


async def test_long_links_are_dropped_by_priority(twin: Twin) -> None:
    """Six kilobytes of links: first `first` goes, at last even `next`."""
    some = await twin.get(USERS, x="x" * 2000)
    most = await twin.get(USERS, x="x" * 6100)

    assert {"current", "next"} == set(some.links)
    assert "link" not in most.headers


async def test_terms_are_wrapped(twin: Twin) -> None:
    """The one list inside an object."""
    response = await twin.get("/api/v1/accounts/1/terms", per_page=2)

    assert ["enrollment_terms"] == list(response.json())
    assert 2 == len(response.json()["enrollment_terms"])
    assert "last" in response.links


async def test_a_short_page_need_not_be_the_last(make_twin: MakeTwin) -> None:
    """The test student is taken out after the page is cut."""
    twin = make_twin()
    path = f"/api/v1/courses/{twin.cast.courses['demo'].id}/users"
    lengths = []
    response = await twin.get(path, per_page=1)
    while True:
        lengths.append(len(response.json()))
        if "next" not in response.links:
            break
        response = await twin.client.get(response.links["next"]["url"], headers=twin.bearer())

    assert 1 == lengths.count(0)
    assert 1 == lengths[-1]


async def test_students_come_all_at_once(twin: Twin) -> None:
    """The deprecated list has no pages."""
    path = f"/api/v1/courses/{twin.cast.courses['demo'].id}/students"
    response = await twin.get(path, per_page=1)

    assert len(response.json()) > 5
    assert "link" not in response.headers
