"""Files that Canvas keeps, and the way to their bytes (fact sheet reports.md §3).

A file's URL opens by its verifier alone, answers with a redirect to another origin, and takes no
token on the way: a file host that is sent one refuses, as object storage does.
"""

import hashlib
import hmac
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from twin import ids
from twin.call import Call, api, iso
from twin.errors import Unauthorized
from twin.options import Options
from twin.permissions import account_rights
from twin.records import Account
from twin.school import School

FIRST_ID = 98_765
STORAGE = "/inst-fs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    id: int
    uuid: str
    account_id: int
    filename: str
    content_type: str
    path: Path
    created_at: datetime

    @property
    def size(self) -> int:
        return self.path.stat().st_size


class Attachments:
    """The files of one twin, in a folder that goes when the twin goes."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._folder = Path(tempfile.mkdtemp(prefix="twin-files-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._ids = count(FIRST_ID)
        self._files: dict[int, Attachment] = {}

    def new_path(self) -> Path:
        return self._folder / str(next(self._ids))

    def add(
        self, path: Path, filename: str, content_type: str, account_id: int, now: datetime
    ) -> Attachment:
        """Keep what was written to a path of `new_path`."""
        file_id = int(path.name)
        attachment = Attachment(
            id=file_id,
            uuid=self._sign(f"uuid {file_id}")[:40],
            account_id=account_id,
            filename=filename,
            content_type=content_type,
            path=path,
            created_at=now,
        )
        self._files[file_id] = attachment
        return attachment

    def find(self, file_id: str) -> Attachment | None:
        return self._files.get(int(file_id)) if file_id.isdecimal() else None

    def url(self, file: Attachment) -> str:
        """The URL in the API's file object; without its verifier it opens for browsers only."""
        base = f"{self._options.public_url}/files/{file.id}/download?download_frd=1"
        return f"{base}&verifier={file.uuid}" if self._options.uuid_verifiers else base

    def storage_url(self, file: Attachment, now: datetime, hops: int) -> str:
        until = int((now + timedelta(seconds=self._options.file_url_seconds)).timestamp())
        signature = self._sign(f"{file.id} {until} {hops}")
        origin = files_origin(self._options)
        return f"{origin}{STORAGE}/{file.id}?until={until}&hops={hops}&signature={signature}"

    def opens(self, request: Request, file: Attachment, now: datetime) -> bool:
        """Whether the file host's URL is one that Canvas gave, and still young enough."""
        until, hops = (request.query_params.get(name, "") for name in ("until", "hops"))
        signed = self._sign(f"{file.id} {until} {hops}")
        given = request.query_params.get("signature", "")
        return same(signed, given) and int(until) >= now.timestamp()

    def _sign(self, text: str) -> str:
        key = f"files of seed {self._options.seed}".encode()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def same(secret: str, given: str) -> bool:
    return hmac.compare_digest(secret.encode(), given.encode())


def files_origin(options: Options) -> str:
    """Another origin than the public one, that reaches the same server."""
    if options.files_origin:
        return options.files_origin
    url = urlsplit(options.public_url)
    host = url.hostname or "localhost"
    other = {"localhost": "127.0.0.1", "127.0.0.1": "localhost"}.get(host, f"files.{host}")
    return f"{url.scheme}://{other}" + (f":{url.port}" if url.port else "")


def file_json(attachments: Attachments, file: Attachment) -> dict[str, object]:
    at = iso(file.created_at)
    return {
        "id": file.id,
        "uuid": file.uuid,
        "folder_id": None,
        "display_name": file.filename,
        "filename": file.filename,
        "upload_status": "success",
        "content-type": file.content_type,
        "url": attachments.url(file),
        "size": file.size,
        "created_at": at,
        "updated_at": at,
        "unlock_at": None,
        "locked": False,
        "hidden": False,
        "lock_at": None,
        "hidden_for_user": False,
        "thumbnail_url": None,
        "modified_at": at,
        "mime_class": "zip" if file.content_type == "application/zip" else "file",
        "media_entry_id": None,
        "category": "uncategorized",
        "locked_for_user": False,
    }


def download(request: Request) -> Response:
    """Canvas's own part: the verifier opens, a bearer token is not looked at."""
    attachments, school = _state(request)
    file = attachments.find(request.path_params["id"])
    if file is None:
        return PlainTextResponse("Not Found", 404)
    if not same(file.uuid, request.query_params.get("verifier", "")):
        return RedirectResponse(f"{school.options.public_url}/login", 302)
    hops = max(school.options.file_hops, 1) - 1
    return RedirectResponse(attachments.storage_url(file, school.clock.now(), hops), 302)


def stored(request: Request) -> Response:
    """The file host: its own signature opens, and credentials for somebody else are refused."""
    attachments, school = _state(request)
    if "authorization" in request.headers:
        return PlainTextResponse("Only one auth mechanism allowed", 400)
    file = attachments.find(request.path_params["id"])
    if file is None or not attachments.opens(request, file, school.clock.now()):
        return PlainTextResponse("Forbidden", 403)
    if hops := int(request.query_params["hops"]):
        return RedirectResponse(attachments.storage_url(file, school.clock.now(), hops - 1), 302)
    return FileResponse(file.path, media_type=file.content_type, filename=file.filename)


def public_url(call: Call) -> Response:
    """The way to a file without a verifier in its URL: an admin's token, or the uuid."""
    attachments, school = _state(call.request)
    file: Attachment = ids.found(attachments.find(call.path["id"]))
    verified = same(file.uuid, call.params.text("verifier") or "")
    account: Account = school.accounts[file.account_id]
    if not verified and "read" not in account_rights(school, call.user, account):
        raise Unauthorized
    return call.json({"public_url": attachments.storage_url(file, call.now, 0)})


def _state(request: Request) -> tuple[Attachments, School]:
    state = request.app.state
    return state.attachments, state.school


routes: list[BaseRoute] = [
    Route("/files/{id}/download", download),
    Route("/accounts/{account_id}/files/{id}/download", download),
    Route(STORAGE + "/{id}", stored),
    api("GET", "/api/v1/files/{id}/public_url", public_url),
]
