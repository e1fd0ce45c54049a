"""Whether SQLite should write an answer's JSON itself: 5,000 enrollments with user and section, made three ways.

    python -m bench.sqlite_json

*rows*: as the compiled read does it, columns to structs to JSON. *JSON functions*: `json_object` within
`json_group_array`; SQLite has no base64, so node ids are a function of ours that it calls for each. *without ids*: the same
with numbers for ids, which is no answer of the graph, but what its own functions alone would take.
"""

import sqlite3
import statistics
from binascii import b2a_base64
from time import thread_time

import msgspec

ROWS = 5_000
TIMES = 40
_SCHEMA = """
    create table person (id integer primary key, name text, email text, sis_id text);
    create table section (id integer primary key, name text);
    create table enrollment (id integer primary key, type text, state text, person_id int, section_id int);
"""
_FROM = (
    "from (select * from enrollment order by id limit ?) e"
    " left join person p on p.id = e.person_id left join section s on s.id = e.section_id"
)
_COLUMNS = f"select e.id, e.type, e.state, p.id, p.name, p.email, p.sis_id, s.id, s.name {_FROM}"


def _objects(node_id: str) -> str:
    """The statement that makes the whole list; `node_id` is the expression of an id."""
    user = (
        f"json_object('id', {node_id.format('User', 'p.id')}, 'name', p.name, 'email', p.email,"
        " 'sisId', p.sis_id)"
    )
    section = f"json_object('id', {node_id.format('Section', 's.id')}, 'name', s.name)"
    enrollment = (
        f"json_object('id', {node_id.format('Enrollment', 'e.id')}, 'type', e.type,"
        f" 'state', e.state, 'user', {user}, 'section', {section})"
    )
    return f"select json_group_array({enrollment}) {_FROM}"


class User(msgspec.Struct, gc=False):
    id: bytes
    name: str
    email: str
    sis: str = msgspec.field(name="sisId")


class Section(msgspec.Struct, gc=False):
    id: bytes
    name: str


class Enrollment(msgspec.Struct, gc=False):
    id: bytes
    type: str
    state: str
    user: User
    section: Section


def rows(connection: sqlite3.Connection) -> bytes:
    enrollment, user, section = b"Enrollment:%d", b"User:%d", b"Section:%d"
    return msgspec.json.encode(
        [
            Enrollment(
                enrollment % e,
                kind,
                state,
                User(user % p, name, email, sis),
                Section(section % s, of),
            )
            for e, kind, state, p, name, email, sis, s, of in connection.execute(_COLUMNS, [ROWS])
        ]
    )


def json_functions(connection: sqlite3.Connection) -> bytes:
    return _one_text(connection, _objects("node_id('{}', {})"))


def without_ids(connection: sqlite3.Connection) -> bytes:
    return _one_text(connection, _objects("{1}"))


def _one_text(connection: sqlite3.Connection, sql: str) -> bytes:
    text: str = connection.execute(sql, [ROWS]).fetchone()[0]
    return text.encode()


def _node_id(type_name: str, row_id: int) -> str:
    return b2a_base64(f"{type_name}:{row_id}".encode(), newline=False).decode()


def main() -> None:
    connection = sqlite3.connect(":memory:")
    connection.create_function("node_id", 2, _node_id, deterministic=True)
    connection.executescript(_SCHEMA)
    numbers = range(1, ROWS + 1)
    people = [(n, f"Person {n}", f"p{n}@example.edu", f"sis-{n}") for n in numbers]
    connection.executemany("insert into person values (?, ?, ?, ?)", people)
    connection.executemany(
        "insert into section values (?, ?)", [(n, f"Section {n}") for n in range(5)]
    )
    enrolled = [(n, "STUDENT", "ACTIVE", n, n % 5) for n in numbers]
    connection.executemany("insert into enrollment values (?, ?, ?, ?, ?)", enrolled)
    assert rows(connection) == json_functions(connection)  # noqa: S101  ways that differ say nothing
    ways = {"rows": rows, "JSON functions": json_functions, "without ids": without_ids}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TIMES):
        for name, way in ways.items():
            began = thread_time()
            way(connection)
            taken[name].append(thread_time() - began)
    print("| way | CPU ms | of rows |\n| --- | ---: | ---: |")
    floor = statistics.median(taken["rows"])
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"| {name} | {median * 1000:.1f} | {median / floor:.2f} |")


if __name__ == "__main__":
    main()
