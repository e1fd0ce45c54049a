"""What was learned of prices is there after a restart, on either database."""

from pathlib import Path

from gateway.prices import Endpoint, Expectation
from gateway.store.prices import PricesInFile, kept_prices, price_books
from gateway.uow import Database

DEAR = Expectation(quota=4.0, seconds=2.0, calls=7)
CHEAP = Expectation(quota=0.1, seconds=0.2, calls=3)


async def test_prices_outlive_the_process(database: Database) -> None:
    assert {} == await kept_prices(database).learned()

    await kept_prices(database).save({1: {Endpoint.LOOKUP: DEAR, Endpoint.REPORT: DEAR}})
    await kept_prices(database).save({1: {Endpoint.LOOKUP: CHEAP}, 2: {Endpoint.LOOKUP: DEAR}})

    assert {
        1: {Endpoint.LOOKUP: CHEAP, Endpoint.REPORT: DEAR},
        2: {Endpoint.LOOKUP: DEAR},
    } == await kept_prices(database).learned()


async def test_books_are_kept_when_they_are_closed_and_begin_there_again(
    database: Database,
) -> None:
    async with price_books(database) as books:
        assert books.of(1) is books.of(1)
        books.of(1).teach(Endpoint.ENROLLMENT_WRITE, quota=4.0, seconds=2.0)
        learned = books.of(1).expected(Endpoint.ENROLLMENT_WRITE)
        assert learned != books.of(2).expected(Endpoint.ENROLLMENT_WRITE)

    assert {1: {Endpoint.ENROLLMENT_WRITE: learned}} == await kept_prices(database).learned()
    async with price_books(database) as anew:
        assert learned == anew.of(1).expected(Endpoint.ENROLLMENT_WRITE)
        assert {} == anew.news()


async def test_a_file_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "roster.db.prices"
    path.write_text("[not what we wrote")

    kept = PricesInFile(path)

    assert {} == await kept.learned()
    await kept.save({1: {Endpoint.LOOKUP: DEAR}})
    assert {1: {Endpoint.LOOKUP: DEAR}} == await kept.learned()
