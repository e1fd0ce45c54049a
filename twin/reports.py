"""Account reports over REST: start, list, show, abort, delete (fact sheet reports.md §1 and §2)."""

from datetime import datetime

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors, ids
from twin.call import Call, api, iso
from twin.faults import target_of
from twin.files import file_json
from twin.paging import ordinal
from twin.params import Params, as_text
from twin.permissions import account_rights
from twin.records import COURSE_TYPES, Account, Term
from twin.report_csv import FILES, PROVISIONING, SIS_EXPORT, TAG_FILES
from twin.report_extract import Wanted
from twin.report_runs import ReportRun, Reports

TITLES = {PROVISIONING: "Provisioning", SIS_EXPORT: "SIS Export"}
TEXTS = {
    "enrollment_term_id": "The term whose courses, sections, enrollments and cross-lists to show",
    "include_deleted": "Deleted and concluded objects too",
    "created_by_sis": "Only what a SIS import made or changed",
    "enrollment_filter": "The enrollment types to show",
    "enrollment_states": "The enrollment states to show",
}


def list_types(call: Call) -> Response:
    account = _account(call)
    runs: Reports = call.request.app.state.reports
    listed: list[dict[str, object]] = []
    for report, title in TITLES.items():
        last = next(iter(runs.of(account.id, report)), None)
        listed.append(
            {
                "title": title,
                "report": report,
                "parameters": _parameters(call, report),
                "last_run": _run_json(call, last) if last else None,
            }
        )
        if call.includes("description_html"):
            listed[-1]["description_html"] = f"<p>{title} report</p>"
        if call.includes("parameters_html"):  # `params_html` is what the documentation says
            listed[-1]["parameters_html"] = f'<form data-report="{report}"></form>'
    return call.json(listed)


def _parameters(call: Call, report: str) -> dict[str, object]:
    """Describe what can be sent; the two filters are named for one report and read by both."""
    files = [file for file in FILES if call.options.newest_exporter or file not in TAG_FILES]
    texts = {file: f"Get the {file.replace('_', ' ')}" for file in files} | TEXTS
    if report == SIS_EXPORT:
        texts = {name: text for name, text in texts.items() if name not in {*list(TEXTS)[3:]}}
    return {name: {"required": False, "description": text} for name, text in texts.items()}


def start(call: Call) -> Response:
    account, report = _account(call), _report(call)
    given = call.params.group("parameters")
    term = _term(call, given)
    wanted = Wanted(
        report,
        term=term if isinstance(term, Term) else None,
        include_deleted=given.flag("include_deleted"),
        created_by_sis=_created_by_sis(call, given),
        types=frozenset(_words(given, "enrollment_filter")) & {*COURSE_TYPES},
        states=frozenset(_words(given, "enrollment_states")),
    )
    known = [file for file in FILES if call.options.newest_exporter or file not in TAG_FILES]
    files = [file for file in known if given.flag(file)]
    name = term.name if isinstance(term, Term) else "All Terms"
    runs: Reports = call.request.app.state.reports
    run = runs.start(
        wanted,
        files,
        given.values,
        account_id=account.id,
        user_id=call.user.id,
        extra_text=f"Term: {name}; Reports: {' '.join(files)} ",
        doomed=term == "none",
        faults=call.request.app.state.faults.of_report(target_of(call.request.scope)),
    )
    return call.json(_run_json(call, run))


def _term(call: Call, given: Params) -> Term | str | None:
    """Find the term; a list of terms passes here and fails later, when it is taken for one."""
    text = given.text("enrollment_term_id") or given.text("enrollment_term")
    if not text:
        return None
    several = text.split(",")
    if text == "active_terms" or (len(several) > 1 and all(_one(call, one) for one in several)):
        return "none"
    if (term := _one(call, text)) is None:
        if not call.options.newest_exporter:
            return "none"
        raise errors.error(f"invalid enrollment_term_id '{text}'")
    return term


def _one(call: Call, text: str) -> Term | None:
    text = text.strip()
    if text.isdecimal() or text.startswith("sis_term_id:"):
        return ids.find_term(call.school, text)
    return None


def _created_by_sis(call: Call, given: Params) -> bool:
    if call.options.newest_exporter:
        return given.flag("created_by_sis")
    return bool((given.text("created_by_sis") or "").strip())


def _words(given: Params, name: str) -> list[str]:
    """Read a list or a comma string."""
    return [word.strip() for text in given.texts_or_text(name) for word in text.split(",")]


def list_runs(call: Call) -> Response:
    account, report = _account(call), _report(call)
    runs: Reports = call.request.app.state.reports
    return ordinal(call, runs.of(account.id, report), lambda run: _run_json(call, run))


def show(call: Call) -> Response:
    return call.json(_run_json(call, _run(call)))


def abort(call: Call) -> Response:
    """Only a run that is `running` at this moment is found."""
    run = _run(call)
    if run.status != "running":
        raise errors.NotFound
    runs: Reports = call.request.app.state.reports
    runs.stop(run, "aborted")
    return call.json(_run_json(call, run))


def delete(call: Call) -> Response:
    run = _run(call)
    runs: Reports = call.request.app.state.reports
    runs.stop(run, "deleted")
    return call.json(_run_json(call, run))


def _account(call: Call) -> Account:
    account: Account = ids.found(ids.find_account(call.school, call.path["account_id"]))
    if account.workflow_state == "deleted":
        raise errors.NotFound
    if "read_reports" not in account_rights(call.school, call.user, account):
        raise errors.Unauthorized
    return account


def _report(call: Call) -> str:
    report = call.path["report"]
    if report not in TITLES:
        raise errors.NotFound
    return report


def _run(call: Call) -> ReportRun:
    account, report = _account(call), _report(call)
    number = ids.plain_id(call.school, call.path["id"])
    runs: Reports = call.request.app.state.reports
    found = (run for run in runs.of(account.id, report) if run.id == number)
    run: ReportRun = ids.found(next(found, None))
    return run


def _run_json(call: Call, run: ReportRun) -> dict[str, object]:
    parameters = {name: _echo(value) for name, value in run.parameters.items()}
    shown: dict[str, object] = {
        "id": run.id,
        "report": run.report,
        "status": run.status,
        # Announces no total, so that it stays at 0 while it runs; and 100 says nothing of success.
        "progress": 100 if run.ended_at else 0,
        "current_line": _current_line(call, run),
        "parameters": parameters | {"locale": "en", "extra_text": run.extra_text},
        "created_at": iso(run.created_at),
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
        "file_url": None,
    }
    if run.attachment is not None:
        path = f"/accounts/{run.account_id}/files/{run.attachment.id}/download"
        shown["file_url"] = call.options.public_url + path
        shown["attachment"] = file_json(call.request.app.state.attachments, run.attachment)
    if call.options.report_extra_keys:
        since = run.started_at or run.created_at
        shown["run_time"] = ((run.ended_at or call.now) - since).total_seconds()
        user = call.school.users[run.user_id]
        shown["user"] = {"id": user.id, "name": user.name}
    return shown


def _echo(value: object) -> object:
    return value if isinstance(value, list | dict | bool | int | None) else as_text(value)


def _current_line(call: Call, run: ReportRun) -> int | None:
    """Show the lines of the file being written, a thousand at a time."""
    if run.file_at is None or run.ended_at is not None:
        return run.lines if run.file_at else None
    seconds = _seconds(run.file_at, call.now)
    return min(run.lines, int(seconds * call.options.report_rows_per_second) // 1000 * 1000)


def _seconds(since: datetime, until: datetime) -> float:
    return max((until - since).total_seconds(), 0.0)


BASE = "/api/v1/accounts/{account_id}/reports"

routes: list[BaseRoute] = [
    api("GET", BASE, list_types),
    api("POST", BASE + "/{report}", start),
    api("GET", BASE + "/{report}", list_runs),
    api("GET", BASE + "/{report}/{id}", show),
    api("DELETE", BASE + "/{report}/{id}", delete),
    api("PUT", BASE + "/{report}/{id}/abort", abort),
]
