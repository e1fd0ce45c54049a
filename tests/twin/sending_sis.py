"""Sends SIS imports and waits for them by the clock."""

import io
import zipfile
from datetime import timedelta
from typing import Any

from tests.twin.conftest import Twin
from twin.records import Enrollment

IMPORTS = "/api/v1/accounts/1/sis_imports"
HEADER = "course_id,section_id,user_id,role,status"


def zipped(**files: str) -> bytes:
    """A zip of `name=text` as `name.csv`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.csv", text)
    return out.getvalue()


async def send(
    twin: Twin, content: str | bytes, extension: str = "csv", **options: Any
) -> dict[str, Any]:
    params = {"import_type": "instructure_csv", "extension": extension}
    params |= {name: str(value) for name, value in options.items()}
    raw = content.encode() if isinstance(content, str) else content
    response = await twin.send("POST", IMPORTS, params=params, content=raw)
    assert response.status_code == 200, response.text
    batch: dict[str, Any] = response.json()
    return batch


async def show(twin: Twin, batch: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = (await twin.get(f"{IMPORTS}/{batch['id']}")).json()
    return shown


async def done(
    twin: Twin, content: str | bytes, extension: str = "csv", **options: Any
) -> dict[str, Any]:
    """The import after it has ended."""
    batch = await send(twin, content, extension, **options)
    twin.clock.advance(timedelta(minutes=5))
    return await show(twin, batch)


async def enrollments(
    twin: Twin, *rows: str, header: str = HEADER, **options: Any
) -> dict[str, Any]:
    return await done(twin, "\n".join([header, *rows]) + "\n", **options)


def messages(batch: dict[str, Any]) -> list[str]:
    return [message for _, message in batch.get("processing_warnings", [])]


def rows_of(twin: Twin, person: str, course: str = "demo") -> list[Enrollment]:
    number = twin.cast.courses[course].id
    rows = twin.school.enrollments_of_user.of(twin.cast.people[person].id)
    return [row for row in rows if row.course_id == number]
