"""Rules of the house that the linters cannot say; each is tried on a planted breach as well."""

import ast
import importlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scoped import ROSTER_TABLES, unscoped

ROOT = Path(__file__).parent.parent
PACKAGES = ("gateway", "resolvers", "models", "twin")
OURS = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
MODULES = [path for path in OURS if path.name != "__init__.py" and path.parent.name != "migrations"]

Rule = Callable[[ast.Module], Iterator[str]]


# The shield's own, what goes through it (`Context.load`), and what only has the same name.
LOADS = {"shield.load", "context.load", "info.context.load", "self.load", "settings.load"}


def bare_loads(module: ast.Module) -> Iterator[str]:
    """`loader.load(key)` shares a future that a cancelled waiter poisons: `shield.load(loader, key)` does not."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            target = ast.unparse(node.func)
            if node.func.attr in ("load", "load_many") and target not in LOADS:
                yield f"line {node.lineno}: {target}"


_BEGINS_OR_ENDS = re.compile(
    r"^\s*(begin( immediate| exclusive| transaction)?|start transaction|commit|rollback);?\s*$",
    re.IGNORECASE,
)


def transactions(module: ast.Module) -> Iterator[str]:
    """A transaction begins in gateway/uow.py alone, whatever name it is opened by."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module == "tortoise":
            yield from (f"line {node.lineno}" for name in node.names if name.name == "transactions")
        if isinstance(node, ast.ImportFrom) and node.module == "tortoise.transactions":
            yield f"line {node.lineno}"
        if isinstance(node, ast.Attribute) and node.attr in ("in_transaction", "_in_transaction"):
            yield f"line {node.lineno}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (f"line {node.lineno}" for _ in _BEGINS_OR_ENDS.finditer(node.value))


_OF_A_ROSTER_TABLE = re.compile(
    rf"\b(?:from|join|into|update)\s+({'|'.join(ROSTER_TABLES)})\b(?!\s+where 1 = 0)"  # which reads no row
)

# Statements that rightly know no institution yet.
UNSCOPED = {
    "gateway/store/tokens.py: service_token": "a token is found by its digest, and tells the institution"
}


def unscoped_sql(module: ast.Module) -> Iterator[str]:
    """Whatever a function (or a constant) says in SQL to a roster table names institution_id as well."""
    for scope, text in _texts(module):
        for table in sorted(set(_OF_A_ROSTER_TABLE.findall(text))):
            if "institution_id" not in text:
                yield f"{scope}: {table}"


def _texts(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Each function and module-level statement with all the text it holds, docstrings left out."""
    for node in module.body:
        inner: list[ast.stmt] = [
            one for one in ast.walk(node) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        for one in inner or [node]:
            documentation = {id(part.value) for part in ast.walk(one) if isinstance(part, ast.Expr)}
            pieces = [
                part.value
                for part in ast.walk(one)
                if isinstance(part, ast.Constant)
                and isinstance(part.value, str)
                and id(part) not in documentation
            ]
            yield getattr(one, "name", f"line {one.lineno}"), " ".join(pieces)


def undocumented(module: ast.Module) -> Iterator[str]:
    """A module's docstring says in its first line what it is about."""
    first, _, rest = (ast.get_docstring(module) or "").partition("\n")
    if not first.endswith((".", ":")) and not (rest.strip() and first):
        yield "no sentence at the top"


RULES: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "loads": (bare_loads, ("gateway/shield.py",)),
    "transactions": (transactions, ("gateway/uow.py",)),
    "sql": (unscoped_sql, ()),
    "docstrings": (undocumented, ()),
}
BREACHES = {
    "a load": ("loads", "async def f(self, key): return await self.courses.load(key)"),
    "many loads": ("loads", "async def f(loader, keys): return await loader.load_many(keys)"),
    "an import": ("transactions", "from tortoise.transactions import in_transaction as begin"),
    "a module": ("transactions", "from tortoise import transactions"),
    "a client's own": ("transactions", "async def f(client): await client._in_transaction()"),
    "SQL": ("transactions", "async def f(tx): await tx.run('begin immediate')"),
    "a select": ("sql", "SQL = 'select id from course where id = $1'"),
    "an insert": (
        "sql",
        "def f(tx): return tx.run(f'insert into {1} (a) ' 'select 1 from person')",
    ),
    "a join": (
        "sql",
        "def f():\n    '''institution_id'''\n    return 'select 1 from x join enrollment e on true'",
    ),
    "nothing said": ("docstrings", "x = 1"),
}


@pytest.mark.parametrize("name", RULES)
def test_the_rule_is_kept(name: str) -> None:
    rule, exempt = RULES[name]
    breaches = [
        f"{place}: {breach}"
        for path in MODULES
        if (place := str(path.relative_to(ROOT))) not in exempt
        for breach in rule(ast.parse(path.read_text(encoding="utf-8")))
        if name == "docstrings" or place.startswith(("gateway", "resolvers"))
    ]

    assert [] == [breach for breach in breaches if _key(breach) not in UNSCOPED]


def _key(breach: str) -> str:
    """File and table of an unscoped statement."""
    return re.sub(r": .*: ", ": ", breach)


@pytest.mark.parametrize(("name", "source"), BREACHES.values(), ids=BREACHES)
def test_the_rule_sees_a_breach(name: str, source: str) -> None:
    rule, _ = RULES[name]

    assert list(rule(ast.parse(source)))


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select c.id from course c where c.institution_id = $1 and c.id = $2", []),
        ("select id from course where institution_id = $1", []),
        ("insert into course (institution_id, name) values ($1, $2)", []),
        ("update person set name = $2 where institution_id = $1", []),
        ("select 1 from unrelated", []),
        ("select c.id from course c where c.id = $1", ["course"]),
        ("select id from course", ["course"]),
        ("insert into course (name) values ($1)", ["course"]),
        ("update person set institution_id_of = 1", ["person"]),
        (
            "select 1 from course c join section s on s.course_id = c.id where c.institution_id = $1",
            ["section"],
        ),
        ("delete from enrollment where id = 1", ["enrollment"]),
        (
            "select 1 from person where institution_id = 1 union select 2 from course",
            ["person", "course"],
        ),
    ],
)
def test_a_printed_statement_is_judged_table_by_table(sql: str, tables: list[str]) -> None:
    assert tables == unscoped(sql)


# What ruff is trusted with: planted in a file of ours, it has to be refused with this code.
FOR_RUFF = {
    "a bare transaction": (
        "from tortoise.transactions import in_transaction\nin_transaction()",
        "TID251",
    ),
    "a bare client": ("import httpx\nhttpx.AsyncClient()", "TID251"),
    "a clock": ("from datetime import UTC, datetime\ndatetime.now(UTC)", "TID251"),
    "the environment": ("import os\nos.environ['X']", "TID251"),
    "a mock": ("from unittest.mock import Mock\nMock()", "TID251"),
    "a task that nobody keeps": (
        "import asyncio\nasync def f() -> None:\n    asyncio.create_task(asyncio.sleep(1))",
        "RUF006",
    ),
    "an error that nobody sees": (
        "def f() -> None:\n    try:\n        f()\n    except Exception:\n        pass",
        "S110",
    ),
}


@pytest.mark.parametrize(("source", "code"), FOR_RUFF.values(), ids=FOR_RUFF)
def test_ruff_refuses(source: str, code: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--stdin-filename", "gateway/planted.py", "-"]

    answer = subprocess.run(
        command, input=source, capture_output=True, text=True, cwd=ROOT, check=False
    )

    assert re.search(rf"\b{code}\b", answer.stdout)


def test_every_package_file_is_empty() -> None:
    """What is imported stands where it is imported from."""
    assert [] == [path for path in OURS if path.name == "__init__.py" and path.read_text().strip()]


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "helpers", "common", "core", "misc", "base", "managers"}

    assert [] == [path for path in OURS if path.stem in drawers or path.parent.name in drawers]


def test_httpx2_is_not_installed() -> None:
    """Authlib and Starlette would silently switch to it."""
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("httpx2")


def test_the_wheel_has_our_packages_and_nothing_else(tmp_path: Path) -> None:
    """`models`, `resolvers` and `gateway` are names that others may have: nothing may slip in beside them."""
    command = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        str(tmp_path),
        "--hooks-only",
    ]
    command.remove("--hooks-only")
    subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, env={"HATCH_BUILD_NO_HOOKS": "true"}
    )
    [wheel] = tmp_path.glob("*.whl")

    names = zipfile.ZipFile(wheel).namelist()

    tops = {name.partition("/")[0] for name in names}
    assert {*PACKAGES, wheel.name.rsplit("-", 3)[0] + ".dist-info"} == tops
    code = {str(path.relative_to(ROOT)) for path in OURS}
    assert set() == code - set(names)
    assert [] == [name for name in names if name.endswith((".pyc", ".db", ".toml"))]
