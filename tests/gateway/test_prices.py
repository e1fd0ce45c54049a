from datetime import timedelta

import pytest

from gateway.offers import Price
from gateway.prices import PRIORS, Endpoint, Expectation, PriceBook, pages


def test_every_endpoint_has_a_prior() -> None:
    assert set(Endpoint) == set(PRIORS)


def test_the_first_calls_outweigh_the_prior() -> None:
    learned = PRIORS[Endpoint.ENROLLMENT_PAGE]
    for _ in range(5):
        learned = learned.taught(quota=4.0, seconds=2.0)

    assert learned.quota == pytest.approx(4.0, rel=0.2)
    assert learned.seconds == pytest.approx(2.0, rel=0.2)


def test_an_old_expectation_follows_a_change_slowly() -> None:
    settled = Expectation(quota=1.0, seconds=1.0, calls=100)

    assert 1.2 == pytest.approx(settled.taught(quota=2.0, seconds=1.0).quota)


def test_calls_one_after_another_add_up() -> None:
    expected = Price(requests=3, quota=1.5, latency=timedelta(seconds=0.75))

    assert expected == Expectation(quota=0.5, seconds=0.25).price(3)


PAGES = [(None, 2), (0, 1), (100, 1), (101, 2), (5000, 50)]


@pytest.mark.parametrize(("rows", "expected"), PAGES)
def test_pages_of_an_enrollment_list(rows: int | None, expected: int) -> None:
    assert expected == pages(Endpoint.ENROLLMENT_PAGE, rows)


def test_a_book_tells_once_what_it_learned() -> None:
    book = PriceBook()
    book.teach(Endpoint.MEMBER_PAGE, quota=6.0, seconds=3.0, calls=3)
    book.teach(Endpoint.REPORT, quota=0.0, seconds=0.0, calls=0)

    learned = PRIORS[Endpoint.MEMBER_PAGE].taught(quota=2.0, seconds=1.0)
    assert {Endpoint.MEMBER_PAGE: learned} == book.news()
    assert {} == book.news()
    assert learned == book.expected(Endpoint.MEMBER_PAGE)


def test_a_book_begins_where_the_last_one_ended() -> None:
    known = Expectation(quota=9.0, seconds=9.0, calls=50)

    assert known == PriceBook({Endpoint.LOOKUP: known}).expected(Endpoint.LOOKUP)
