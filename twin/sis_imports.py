"""SIS imports over REST: send, list, show, abort, restore, errors (fact sheet sis-imports.md §1, §2, §4)."""

from typing import Any

from starlette.datastructures import UploadFile
from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors, ids
from twin.call import Call, api, iso
from twin.errors import CanvasError, generic
from twin.files import Attachments, file_json
from twin.paging import ordinal
from twin.permissions import account_rights
from twin.progress import Progresses, progress_json
from twin.records import Account
from twin.school import ROOT_ACCOUNT_ID
from twin.sis_batch import SisBatch, SisError
from twin.sis_parameters import read_options
from twin.sis_queue import SisImports
from twin.sis_restoring import Restores, Restriction

SHOWN_MESSAGES = 24
READ = frozenset({"import_sis", "manage_sis"})
EXTENSIONS = {
    "application/zip": "zip",
    "text/csv": "csv",
    "text/plain": "csv",
    "text/xml": "xml",
}


async def create(call: Call) -> Response:
    account = _account(call, frozenset({"import_sis"}))
    if (call.params.text("import_type") or "instructure_csv") != "instructure_csv":
        body = generic("internal_server_error") | {"error_report_id": 1}
        raise CanvasError(500, body)
    options = read_options(call)
    content, extension, filename = await _upload(call)
    imports: SisImports = call.request.app.state.sis_imports
    batch = imports.add(
        content, extension, filename, options, account_id=account.id, user_id=call.user.id
    )
    return call.json(_batch_json(call, batch))


async def _upload(call: Call) -> tuple[bytes, str, str]:
    kind, _, parameters = call.request.headers.get("content-type", "").partition(";")
    kind, given = kind.strip().lower(), call.params.text("extension")
    if kind == "multipart/form-data":
        attachment = (await call.request.form()).get("attachment")
        if not isinstance(attachment, UploadFile):
            raise errors.BadRequest({"error": True, "error_message": "Missing attachment"})
        name = attachment.filename or "upload"
        return await attachment.read(), given or name.rpartition(".")[2].lower(), name
    charset = _charset(parameters)
    if charset not in {"", "utf-8"}:
        raise errors.error("Invalid content type, UTF-8 required")
    extension = given or EXTENSIONS.get(kind, "zip")
    form = kind == "application/x-www-form-urlencoded"  # read as parameters: no bytes are left
    content = b"" if form else await call.request.body()
    return content, extension, f"sis_upload.{extension}"


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def list_batches(call: Call) -> Response:
    account = _account(call, READ)
    since, before = call.params.time("created_since"), call.params.time("created_before")
    states = call.params.texts_or_text("workflow_state")
    listed = [
        batch
        for batch in _newest_first(call, account)
        if (since is None or batch.created_at >= since)
        and (before is None or batch.created_at < before)
        and (not states or batch.workflow_state in states)
    ]
    return ordinal(
        call, listed, lambda batch: _batch_json(call, batch), counted=False, wrapped="sis_imports"
    )


def list_importing(call: Call) -> Response:
    account = _account(call, READ)
    running = {"importing", "cleanup_batch"}
    listed = [each for each in _newest_first(call, account) if each.workflow_state in running]
    return call.json({"sis_imports": [_batch_json(call, batch) for batch in listed]})


def show(call: Call) -> Response:
    return call.json(_batch_json(call, _batch(call, READ)))


def abort(call: Call) -> Response:
    batch = _batch(call, READ)
    if batch.ended:
        raise errors.NotFound
    imports: SisImports = call.request.app.state.sis_imports
    imports.abort(batch)
    return call.json(_batch_json(call, batch))


def abort_all_pending(call: Call) -> Response:
    account = _account(call, READ)
    imports: SisImports = call.request.app.state.sis_imports
    for batch in _newest_first(call, account):
        if batch.workflow_state in {"initializing", "created"}:
            imports.abort(batch)
    return call.json({"aborted": True})


def restore_states(call: Call) -> Response:
    batch = _batch(call, frozenset({"manage_sis"}))
    restriction = Restriction(
        call.params.flag("batch_mode"),
        call.params.flag("undelete_only"),
        call.params.flag("unconclude_only"),
    )
    if restriction.undelete_only and restriction.unconclude_only:
        raise errors.message("cannot set both undelete_only and unconclude_only")
    if not batch.ended:
        raise errors.message("cannot restore an import that has not ended")
    progresses: Progresses = call.request.app.state.progresses
    progress = progresses.start(
        "sis_batch_state_restore", "SisBatch", batch.id, call.user.id, call.now
    )
    restores: Restores = call.request.app.state.sis_restores
    restores.ask(batch, restriction, progress)
    return call.json(progress_json(call, progress))


def list_errors(call: Call) -> Response:
    batch = _batch(call, READ)
    return _errors(call, [(batch, error) for error in reversed(batch.errors)])


def list_all_errors(call: Call) -> Response:
    account = _account(call, READ)
    return _errors(
        call,
        [
            (batch, error)
            for batch in _newest_first(call, account)
            for error in reversed(batch.errors)
        ],
    )


def _errors(call: Call, found: list[tuple[SisBatch, SisError]]) -> Response:
    if call.params.text("failure") is not None:
        wanted = call.params.flag("failure")
        found = [(batch, error) for batch, error in found if error.failure == wanted]
    return ordinal(call, found, lambda pair: _error_json(call, *pair), wrapped="sis_import_errors")


def _error_json(call: Call, batch: SisBatch, error: SisError) -> dict[str, object]:
    shown: dict[str, object] = {
        "sis_import_id": batch.id,
        "file": error.file,
        "message": error.message,
        "row": error.row,
    }
    if call.options.sis_row_info:
        shown["row_info"] = error.row_info
    return shown


def _account(call: Call, any_of: frozenset[str]) -> Account:
    """Find the account; what it may not do at all is said before who may do it."""
    account: Account = ids.found(ids.find_account(call.school, call.path["account_id"]))
    if account.id != ROOT_ACCOUNT_ID:
        refusal = "SIS imports can only be executed on root accounts"
        raise errors.BadRequest({"errors": [refusal]})
    if not call.options.sis_imports_enabled:
        raise CanvasError(403, {"errors": ["SIS imports are not enabled for this account"]})
    if not any_of & account_rights(call.school, call.user, account):
        raise errors.Unauthorized
    return account


def _batch(call: Call, any_of: frozenset[str]) -> SisBatch:
    _account(call, any_of)
    imports: SisImports = call.request.app.state.sis_imports
    number = ids.plain_id(call.school, call.path["id"])
    batch: SisBatch = ids.found(imports.batches.get(number or 0))
    return batch


def _newest_first(call: Call, account: Account) -> list[SisBatch]:
    imports: SisImports = call.request.app.state.sis_imports
    return [batch for batch in reversed(imports.batches.values()) if batch.account_id == account.id]


def _batch_json(call: Call, batch: SisBatch) -> dict[str, Any]:
    options = batch.options
    user = call.school.users[batch.user_id]
    shown: dict[str, Any] = {
        "id": batch.id,
        "created_at": iso(batch.created_at),
        "started_at": iso(batch.started_at),
        "ended_at": iso(batch.ended_at),
        "updated_at": iso(batch.updated_at),
        "progress": batch.progress,
        "workflow_state": batch.workflow_state,
        "data": _data(batch),
        "batch_mode": options.batch_mode,
        "batch_mode_term_id": options.batch_mode_term_id,
        "multi_term_batch_mode": options.multi_term_batch_mode,
        "skip_deletes": options.skip_deletes,
        "override_sis_stickiness": options.override_sis_stickiness,
        "add_sis_stickiness": options.add_sis_stickiness,
        "clear_sis_stickiness": options.clear_sis_stickiness,
        "update_sis_id_if_login_claimed": options.update_sis_id_if_login_claimed,
        "diffing_data_set_identifier": options.diffing_data_set_identifier,
        "diffing_remaster": options.diffing_remaster,
        "diffing_drop_status": options.diffing_drop_status,
        "diffing_user_remove_status": options.diffing_user_remove_status,
        "change_threshold": options.change_threshold,
        "diff_row_count_threshold": options.diff_row_count_threshold,
        "diffed_against_import_id": None,  # documented, and read from a place that nobody fills
        "user": {"id": user.id, "name": user.name},
    }
    if options.diffing_data_set_identifier is not None:
        shown["diffing_threshold_exceeded"] = batch.threshold_exceeded
    return shown | _messages(batch) | _files(call, batch)


def _data(batch: SisBatch) -> dict[str, Any]:
    data = dict(batch.data)
    if batch.started_at is not None and batch.workflow_state != "failed":
        failures = sum(error.failure for error in batch.errors)
        data["counts"] = {
            **batch.counts,
            "error_count": failures,
            "warning_count": len(batch.errors) - failures,
        }
        data["statistics"] = batch.statistics
    return data


def _messages(batch: SisBatch) -> dict[str, Any]:
    """List pairs of file and message, 24 of each sort and then how many were left out."""
    shown: dict[str, Any] = {}
    for key, failure in (("processing_warnings", False), ("processing_errors", True)):
        pairs = [[error.file, error.message] for error in batch.errors if error.failure == failure]
        if (left_out := len(pairs) - SHOWN_MESSAGES) > 0:
            pairs = [*pairs[:SHOWN_MESSAGES], ["", f"There were {left_out} more {key[11:]}"]]
        if pairs:
            shown[key] = pairs
    return shown


def _files(call: Call, batch: SisBatch) -> dict[str, Any]:
    attachments: Attachments = call.request.app.state.attachments
    shown: dict[str, Any] = {}
    if batch.errors_attachment is not None:
        shown["errors_attachment"] = file_json(attachments, batch.errors_attachment)
    for name in ("csv_attachments", "diffed_csv_attachments"):
        if files := getattr(batch, name):
            shown[name] = [file_json(attachments, file) for file in files]
    return shown


BASE = "/api/v1/accounts/{account_id}/sis_imports"

routes: list[BaseRoute] = [
    api("POST", BASE, create),
    api("GET", BASE, list_batches),
    api("GET", BASE + "/importing", list_importing),
    api("PUT", BASE + "/abort_all_pending", abort_all_pending),
    api("GET", BASE + "/{id}", show),
    api("PUT", BASE + "/{id}/abort", abort),
    api("PUT", BASE + "/{id}/restore_states", restore_states),
    api("GET", BASE + "/{id}/errors", list_errors),
    api("GET", "/api/v1/accounts/{account_id}/sis_import_errors", list_all_errors),
]
