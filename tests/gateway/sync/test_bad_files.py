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


WHOLE: Files = {
    "accounts": [
        {"canvas_account_id": 1, "name": "School"},
        {"canvas_account_id": 2, "account_id": "A2", "canvas_parent_id": 1, "name": "Biology"},
    ],
    "terms": [{"canvas_term_id": 5, "term_id": "T5", "name": "Autumn"}],
    "courses": [
        {
            "canvas_course_id": 500 + n,
            "course_id": f"C{n}",
            "integration_id": f"I{n}",
            "short_name": "BIO",
            "long_name": "Botany",
            "canvas_account_id": 2,
            "account_id": "A2",
            "canvas_term_id": 5,
            "term_id": "T5",
        }
        for n in (1, 2)
    ],
    "sections": [
        {"canvas_section_id": 701, "section_id": "S1", "canvas_course_id": 501, "name": "Monday"}
    ],
    "xlist": [
        {
            "canvas_xlist_course_id": 501,
            "xlist_course_id": "C1",
            "canvas_section_id": 701,
            "section_id": "S1",
            "canvas_nonxlist_course_id": 502,
            "nonxlist_course_id": "C2",
        }
    ],
    "users": [user(9001 + n, f"Given{n} Family{n}", integration_id=f"P{n}") for n in range(12)],
    "enrollments": [
        *ROSTER[:11],
        enrollment(
            30012,
            9012,
            role="observer",
            base_role_type="ObserverEnrollment",
            canvas_associated_user_id=9001,
        ),
    ],
}
STAYS = {
    "account": ("name", "state", "parent_id", "sis_id"),
    "term": ("name", "state", "sis_id"),
    "course": ("name", "course_code", "state", "account_id", "term_id", "sis_id", "integration_id"),
    "section": ("name", "state", "course_id", "origin_course_id", "sis_id"),
    "person": ("name", "sortable_name", "email", "login_id", "sis_id", "integration_id", "uuid"),
    "enrollment": ("type", "role_id", "state", "associated_person_id", "limit_to_section"),
}


async def kept(school: School) -> dict[str, list[dict[str, object]]]:
    return {table: await school.rows(table, *columns) for table, columns in STAYS.items()}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", WHOLE)
async def test_a_column_that_was_taken_out_blanks_nothing_and_is_not_vouched_for(
    name: str, school: School, tmp_path: Path
) -> None:
    """The file says nothing of it, which is not that there is none."""
    texts = {f"{one}.csv": csv_text(one, rows) for one, rows in WHOLE.items()}
    await school.take_in(zipped(tmp_path / "good.zip", texts))
    before = await kept(school)
    headers = texts[f"{name}.csv"].partition("\n")[0].split(",")
    for lacking in headers:
        columns = [one for one in headers if one != lacking]
        text = csv_text(name, WHOLE[name], columns=columns)
        path = zipped(tmp_path / f"{lacking}.zip", {**texts, f"{name}.csv": text})
        try:
            summary = await school.take_in(path)
        except UnusableFile as refused:
            assert lacking in str(refused)  # noqa: PT017  either is good
            continue

        assert (0, 0) == (summary.total.removed, summary.total.held), lacking
        assert before == await kept(school), lacking
        *_, cover = await school.rows("coverage", "groups", where="subject = 'person'")
        assert ("contact" in cover["groups"]) == (lacking != "email"), lacking
