"""Bad files, as admins send them: each is told apart in its own words, and the store is as it was."""

import csv
import hashlib
import zipfile
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path

import pytest

from gateway.errors import UnusableFile
from gateway.merge import Guard
from gateway.sync.report_files import Limits
from models.roster import SyncRunState
from tests.gateway.sync.conftest import School
from tests.gateway.sync.reports import Files, csv_text, enrollment, report, user, zipped

PEOPLE = [user(9001 + n, f"Given{n} Family{n}") for n in range(12)]
ROSTER = [enrollment(30001 + n, 9001 + n) for n in range(12)]
SCHOOL: Files = {
    "courses": [{"canvas_course_id": 501, "short_name": "BIO", "long_name": "Botany"}],
    "users": PEOPLE,
    "enrollments": ROSTER,
}
TEXTS = {f"{name}.csv": csv_text(name, rows) for name, rows in SCHOOL.items()}


def changed(**texts: str) -> Mapping[str, str]:
    """The school's files, with some text of each replaced; everybody has a new name, which must not arrive."""
    return {name: texts.get(name, text).replace("Given", "Wrong") for name, text in TEXTS.items()}


def truncated(folder: Path) -> Path:
    path = zipped(folder / "bad.zip", changed())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def bomb(folder: Path) -> Path:
    path = folder / "bad.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("users.csv", TEXTS["users.csv"] + " " * 30_000_000)
    return path


def latin_1(folder: Path) -> Path:
    path = folder / "users.csv"
    path.write_bytes(TEXTS["users.csv"].replace("Given3", "Zoë").encode("latin-1"))
    return path


def without_a_column(folder: Path) -> Path:
    text = TEXTS["enrollments.csv"].replace("canvas_user_id", "somebody").replace("user_id", "who")
    return zipped(folder / "bad.zip", changed(**{"enrollments.csv": text}))


def without_rows(folder: Path) -> Path:
    return report(folder / "bad.zip", {name: [] for name in SCHOOL})


def another_school(folder: Path) -> Path:
    theirs = [
        user(9001 + n, f"Other{n} Person{n}", uuid=f"x{n}", user_id=f"X{n}") for n in range(12)
    ]
    return report(folder / "bad.zip", {**SCHOOL, "users": theirs})


def no_report(folder: Path) -> Path:
    path = folder / "grades.csv"
    path.write_text("Student,Assignment 1\nZoe,7\n")
    return path


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "truncated zip": (truncated, "broken or cut off"),
    "zip bomb": (bomb, "unpack"),
    "latin-1": (latin_1, "UTF-8"),
    "a missing column": (without_a_column, "column"),
    "no rows": (without_rows, "not one row"),
    "another school's": (another_school, "another Canvas"),
    "no report at all": (no_report, "no file of a Canvas"),
}


async def everything(school: School) -> str:
    """A digest of all that is kept."""
    tables = ("person", "course", "enrollment", "identity", "change", "sync_run", "coverage")
    rows = [await school.rows(table) for table in tables]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_each_is_told_apart_and_nothing_is_changed(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "good.zip", SCHOOL))
    before = await everything(school)
    told = {}
    for number, (name, (make, words)) in enumerate(BAD.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(UnusableFile, match=words) as refused:
            await school.take_in(make(folder), guard=Guard(least=3), limits=Limits())
        told[name] = str(refused.value)
        assert before == await everything(school), name

    assert len(BAD) == len(set(told.values()))


async def test_a_bom_and_shuffled_columns_are_borne(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "good.zip", SCHOOL))
    rows = list(csv.reader(StringIO(TEXTS["users.csv"])))
    out = StringIO()
    csv.writer(out).writerows(list(reversed(row)) for row in rows)
    shuffled = zipped(tmp_path / "again.zip", {**TEXTS, "users.csv": "\ufeff" + out.getvalue()})

    summary = await school.take_in(shuffled)

    assert (SyncRunState.SUCCEEDED, 0, 0) == (
        summary.state,
        summary.total.created,
        summary.total.updated,
    )


async def test_half_the_rows_remove_nobody(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "good.zip", SCHOOL))
    before = await school.states()

    summary = await school.take_in(
        report(tmp_path / "half.zip", {**SCHOOL, "enrollments": ROSTER[:6]}),
        guard=Guard(share=0.2, least=3),
    )

    assert (SyncRunState.HELD, 6, 0) == (summary.state, summary.total.held, summary.total.removed)
    assert before == await school.states()
