"""Files beside a request: from whom a form is taken."""

import pytest
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.types import Message

from resolvers import uploads
from resolvers.bodies import BadRequest

_FORM = (
    b'--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{"query": "q", "variables": {"file": null}}\r\n'
    b'--x\r\ncontent-disposition: form-data; name="map"\r\n\r\n{"0": ["variables.file"]}\r\n'
    b'--x\r\ncontent-disposition: form-data; name="0"; filename="report.csv"\r\n\r\nthe report\r\n--x--\r\n'
)


def form(**headers: str) -> Request:
    told = {"content-type": "multipart/form-data; boundary=x", **headers}

    async def receive() -> Message:
        return {"type": "http.request", "body": _FORM, "more_body": False}

    return Request(
        {
            "type": "http",
            "method": "POST",
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in told.items()
            ],
        },
        receive,
    )


@pytest.mark.parametrize(
    "header", ["authorization", "graphql_require_preflight", "apollo_require_preflight"]
)
async def test_a_form_with_a_header_that_no_page_sends_unasked_is_read(header: str) -> None:
    request = form(**{header: "1"})

    read = await uploads.read(request)

    file = read["variables"]["file"]
    assert isinstance(file, UploadFile)
    assert ("report.csv", b"the report") == (file.filename, await file.read())
    await uploads.close(request)
    assert file.file.closed


async def test_a_form_that_any_page_could_send_is_refused() -> None:
    with pytest.raises(BadRequest) as refused:
        await uploads.read(form(cookie="session=1", origin="https://evil.example"))

    assert {"code": "PREFLIGHT_REQUIRED"} == refused.value.error.extensions


async def test_a_form_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UPLOAD_LIMIT", 100)

    with pytest.raises(BadRequest) as refused:
        await uploads.read(form(authorization="1"))

    assert refused.value.status == 413
