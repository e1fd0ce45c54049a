"""What was learned of prices is there after a restart, on either database."""

from pathlib import Path

from gateway.prices import Endpoint, Expectation
from gateway.store.prices import PricesInFile, kept_prices
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


async def test_a_file_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "roster.db.prices"
    path.write_text("[not what we wrote")

    kept = PricesInFile(path)

    assert {} == await kept.learned()
    await kept.save({1: {Endpoint.LOOKUP: DEAR}})
    assert {1: {Endpoint.LOOKUP: DEAR}} == await kept.learned()
