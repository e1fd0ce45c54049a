"""The few spots where the two databases' SQL differs for a merge."""

from gateway.uow import Dialect, Transaction


def differ(dialect: Dialect, one: str, other: str) -> str:
    """Whether two values are different, null being a value."""
    return (
        f"{one} is not {other}" if dialect is Dialect.SQLITE else f"{one} is distinct from {other}"
    )


def temporary(dialect: Dialect, name: str, query: str) -> list[str]:
    """A table of this transaction alone; an older one of the name goes first, and SQLite's outlive their transaction."""
    if dialect is Dialect.SQLITE:
        return [f"drop table if exists temp.{name}", f"create temp table {name} as {query}"]
    return [
        f"drop table if exists pg_temp.{name}",
        f"create temp table {name} on commit drop as {query}",
    ]


def next_id(dialect: Dialect, table: str) -> str:
    """The id of a new row, for the staged row `n`: taken inside a transaction that holds the writers' lock."""
    if dialect is Dialect.SQLITE:
        return f"n + coalesce((select seq from sqlite_sequence where name = '{table}'), 0)"
    return f"nextval(pg_get_serial_sequence('{table}', 'id'))"


def json_text(dialect: Dialect, value: str, column: str) -> str:
    """A column's value as a JSON string, times as `changes` spells them, or as null."""
    text = _as_text(dialect, value, column)
    quoted = f"json_quote({text})" if dialect is Dialect.SQLITE else f"to_json({text})::text"
    return f"coalesce({quoted}, 'null')"


def _as_text(dialect: Dialect, value: str, column: str) -> str:
    sqlite = dialect is Dialect.SQLITE
    if column.endswith("_at"):
        if sqlite:
            return f"replace(substr({value}, 1, 19), ' ', 'T') || 'Z'"
        return f"""to_char({value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
    if sqlite and column == "limit_to_section":
        return f"case {value} when 1 then 'true' when 0 then 'false' end"
    return f"cast({value} as text)"


def true(dialect: Dialect) -> str:
    return "1" if dialect is Dialect.SQLITE else "true"


async def know_size(tx: Transaction, temporary_table: str) -> None:
    """How few rows a temporary table has, for the planner.

    Untold, PostgreSQL takes it for tiny and loops over it, and SQLite for a million, and makes a Bloom filter of the whole
    table that it is joined with.
    """
    await tx.run(f"analyze {'temp.' if tx.dialect is Dialect.SQLITE else ''}{temporary_table}")
