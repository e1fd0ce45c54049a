"""Migrations: they make what the models describe, keep what is stored, and may run in several processes at once."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tortoise import Model
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

from gateway.errors import ConfigurationError
from gateway.store import schema
from gateway.uow import Database, Dialect, Row, Transaction, orm_config
from models import tables

# Every column, index, unique constraint and foreign key, as each database tells them. A unique constraint's name
# on SQLite counts up as tables are made, so that its columns stand for it.
SHAPE = {
    Dialect.SQLITE: """
        select t.name as of_table, 'column' as kind, c.name as name,
               c.type || ' ' || c."notnull" || ' ' || coalesce(c.dflt_value, '-') || ' ' || c.pk as detail
          from sqlite_master t, pragma_table_info(t.name) c where t.type = 'table'
        union all
        select t.name, 'index', case when i.origin = 'c' then i.name else i.origin end,
               i."unique" || (select group_concat(x.name) from pragma_index_info(i.name) x)
          from sqlite_master t, pragma_index_list(t.name) i where t.type = 'table'
        union all
        select t.name, 'foreign key', f."from", f."table" || f."to" || f.on_delete
          from sqlite_master t, pragma_foreign_key_list(t.name) f where t.type = 'table'
        order by 1, 2, 3, 4""",
    Dialect.POSTGRES: """
        select table_name as of_table, 'column' as kind, column_name as name, concat_ws(' ', data_type,
               character_maximum_length, is_nullable, column_default, is_identity) as detail
          from information_schema.columns where table_schema = 'public'
        union all
        select tablename, 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
        union all
        select conrelid::regclass::text, 'constraint', conname, pg_get_constraintdef(oid)
          from pg_constraint where connamespace = 'public'::regnamespace
        order by 1, 2, 3, 4""",
}
TABLES = {
    model._meta.db_table
    for model in vars(tables).values()
    if isinstance(model, type) and issubclass(model, Model) and model is not Model
}
BOOKKEEPING = ("tortoise_migrations", "sqlite_sequence")


async def shape(database: Database) -> list[Row]:
    rows = await database.rows(SHAPE[database.dialect])
    return [row for row in rows if row["of_table"] not in BOOKKEEPING]


async def described_shape(database: Database) -> list[Row]:
    """What the models describe: made without migrations, and taken away again."""
    with database.active():
        await database._context.generate_schemas()
    described = await shape(database)

    async def drop(tx: Transaction) -> None:
        for table in {row["of_table"] for row in described}:
            await tx.run(f'drop table "{table}"')

    await database.transact(drop)
    return described


async def migrate_to(database: Database, name: str) -> None:
    with database.active():
        executor = MigrationExecutor(database.client, orm_config(database.url)["apps"])
        await executor.migrate([MigrationTarget("models", name)])


async def test_migrations_make_what_the_models_describe(database_url: str) -> None:
    async with Database.open(database_url) as database:
        described = await described_shape(database)

        await schema.migrate(database)

        assert described == await shape(database)
        assert TABLES == {row["of_table"] for row in described}


async def test_later_migrations_keep_a_filled_database(database_url: str) -> None:
    """From the first migration, with a row in every table, to the last."""
    async with Database.open(database_url) as database:
        described = await described_shape(database)
        first = (await schema.behind(database))[0]
        await migrate_to(database, first)
        began = await shape(database)
        await database.transact(_a_row_in_each_table(began))
        before = await _rows_by_table(database, began)

        await schema.migrate(database)

        assert described == await shape(database)
        assert before == await _rows_by_table(database, began)
        assert {1} == set(before.values())


async def test_sqlite_has_counted_every_index_that_a_migration_adds(tmp_path: Path) -> None:
    """One of which it knows nothing it would take for the best: a page of people would sort them all."""
    async with Database.open(f"sqlite://{tmp_path / 'roster.db'}") as database:
        await migrate_to(database, (await schema.behind(database))[0])
        began = await shape(database)
        await database.transact(_a_row_in_each_table(began))
        await database.transact(lambda tx: tx.run("analyze"))

        await schema.migrate(database)

        uncounted = await database.rows(
            "select name, tbl_name from sqlite_master where type = 'index'"
            " and name not in (select idx from sqlite_stat1 where idx is not null)"
        )
        filled = {row["of_table"] for row in began}
        assert [] == [row["name"] for row in uncounted if row["tbl_name"] in filled]


@pytest.mark.parametrize(
    "change",
    [
        "drop index enrollment_course",
        "alter table course add column odd integer",
        "alter table section rename column name to title",
    ],
)
async def test_the_comparison_sees_a_difference(database: Database, change: str) -> None:
    before = await shape(database)

    async def alter(tx: Transaction) -> None:
        await tx.run(change)

    await database.transact(alter)

    assert before != await shape(database)


async def test_processes_that_migrate_at_once_all_succeed(
    database_url: str, tmp_path: Path
) -> None:
    config = tmp_path / "roster.toml"
    config.write_text(
        f'[server]\npublic_url = "http://127.0.0.1"\ndatabase_url = "{database_url}"\nsecret_key = "x"\n'
    )
    command = [sys.executable, "-m", "gateway", "migrate", "--config", str(config)]
    running = [
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: ASYNC220  nothing else waits here
        for _ in range(3)
    ]

    assert [""] * 3 == [process.communicate()[1] for process in running]
    assert [0] * 3 == [process.returncode for process in running]
    async with Database.open(database_url) as database:
        assert [] == await schema.behind(database)


async def test_only_sqlite_is_brought_up_to_date_unasked(database_url: str) -> None:
    async with Database.open(database_url) as database:
        if database.dialect is Dialect.POSTGRES:
            with pytest.raises(ConfigurationError, match="run `roster migrate` first"):
                await schema.make_current(database)
            await schema.migrate(database)
        await schema.make_current(database)

        assert [] == await schema.behind(database)


def _a_row_in_each_table(columns: list[Row]) -> Any:
    required: dict[str, dict[str, str]] = {}
    for row in columns:
        if row["kind"] == "column":
            required.setdefault(row["of_table"], {})[row["name"]] = row["detail"]

    async def fill(tx: Transaction) -> None:
        for table, details in required.items():
            names = ", ".join(f'"{name}"' for name in details)
            values = ", ".join(_made_up(detail.lower().split()[0]) for detail in details.values())
            await tx.run(f'insert into "{table}" ({names}) values ({values})')

    return fill


def _made_up(detail: str) -> str:
    """A literal for a column of this type."""
    if "bool" in detail:
        return "true"
    if "timestamp" in detail:
        return "'2030-01-01 00:00:00+00:00'"
    return "'x'" if "char" in detail or "text" in detail else "7"


async def _rows_by_table(database: Database, columns: list[Row]) -> dict[str, int]:
    return {
        table: (await database.rows(f'select count(*) as n from "{table}"'))[0]["n"]
        for table in sorted({row["of_table"] for row in columns})
    }
